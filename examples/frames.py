"""Print size and mean brightness of the pictures of one device: no WebRTC, no server.

python examples/frames.py SERIAL [COUNT]
"""

import asyncio
import sys

from mediacore import Engine


async def main(serial: str, count: int) -> None:
    async with Engine() as engine, engine.stream(serial) as stream:
        async for frame in stream.frames(size=(540, 1200)):
            print(frame.pts_us, frame.size, frame.y.mean())
            count -= 1
            if count == 0:
                break


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
