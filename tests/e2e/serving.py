"""The real program in a process of its own, as a person starts it."""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

READY_S = 30.0
STOP_S = 12.0
_URL = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass
class Served:
    """A running ``mediacore serve``."""

    url: str
    process: asyncio.subprocess.Process
    output: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def serve(*arguments: str) -> AsyncIterator[Served]:
    """Run ``mediacore serve --port 0`` with more arguments; it is stopped by its pid, as a service manager does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mediacore",
        "serve",
        "--port",
        "0",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output: list[str] = []
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def read() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            output.append(line.decode(errors="replace"))
            if (found := _URL.search(output[-1])) and not url.done():
                url.set_result(found[0])

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(READY_S):
            await asyncio.wait({url, reading}, return_when=asyncio.FIRST_COMPLETED)
        if not url.done():
            raise AssertionError("it ended before it was ready:\n" + "".join(output))
        yield Served(url.result(), process, output)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError("it did not end on SIGTERM:\n" + "".join(output)) from None
        finally:
            await reading
