"""Viewers in a process of its own, that is going to be killed: ``python killed_viewers.py WHEP_URL COUNT``.

Prints a line when each of them has had a picture.
"""

import asyncio
import contextlib
import sys

from mediacore.testing.viewer import BuiltInViewer


async def main(url: str, count: int) -> None:
    """Watch until the end, which comes from outside."""
    async with contextlib.AsyncExitStack() as viewers:
        for _ in range(count):
            viewer = await viewers.enter_async_context(BuiltInViewer(url))
            await viewer.wait_frames(1)
        print("watching", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
