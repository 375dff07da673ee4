"""Real adb servers, and simulated devices inside the test's own event loop."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import adbutils

from mediacore.adb.client import AdbClient
from mediacore.adb.server import PRIVATE_ENVIRONMENT, AdbServer
from mediacore.settings import AdbSettings
from mediacore.testing.options import DeviceOptions
from mediacore.testing.phone import Phone
from mediacore.testing.shared_pictures import SharedPictures

BUNDLED = Path(adbutils.__file__).parent / "binaries" / "adb"
TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Ended:
    """How an adb process ended."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class Adb:
    """One adb program and a private server of it."""

    program: str
    port: int

    @contextlib.asynccontextmanager
    async def started(self, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """``adb WORDS`` as a process that is gone at the end of the block."""
        process = await asyncio.create_subprocess_exec(
            self.program,
            "-P",
            str(self.port),
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            # whatever is still in the pipes keeps them, and so the process, open
            await process.communicate()

    async def run(self, *words: str, stdin: bytes = b"") -> Ended:
        """``adb WORDS`` to its end."""
        async with asyncio.timeout(TIMEOUT_S), self.started(*words) as process:
            stdout, stderr = await process.communicate(stdin)
            assert process.returncode is not None
            return Ended(process.returncode, stdout, stderr)

    async def on(self, phone: Phone, *words: str, stdin: bytes = b"") -> Ended:
        """``adb -s DEVICE WORDS`` to its end."""
        return await self.run("-s", f"127.0.0.1:{phone.port}", *words, stdin=stdin)

    async def states(self) -> dict[str, str]:
        """State of each device, by serial."""
        lines = (await self.run("devices")).stdout.decode().splitlines()[1:]
        return dict(line.split("\t") for line in lines if "\t" in line)

    async def wait_for(self, serial: str, state: str | None) -> None:
        """Returns when the device is in this state; None: not listed."""
        client = AdbClient(AdbSettings(port=self.port, start=False))
        async with asyncio.timeout(TIMEOUT_S), contextlib.aclosing(client.watch()) as lists:
            async for devices in lists:
                if next((device.state for device in devices if device.serial == serial), None) == state:
                    return

    @contextlib.asynccontextmanager
    async def phone(self, options: DeviceOptions | None = None) -> AsyncIterator[Phone]:
        """A connected device in this process."""
        async with running(options) as phone:
            address = f"127.0.0.1:{phone.port}"
            answer = await self.run("connect", address)
            assert b"connected to" in answer.stdout, answer
            try:
                yield phone
            finally:
                await self.run("disconnect", address)


@contextlib.asynccontextmanager
async def running(options: DeviceOptions | None = None) -> AsyncIterator[Phone]:
    """A device in this process."""
    phone = Phone(options or DeviceOptions(size=(360, 640)), SharedPictures())
    await phone.start()
    try:
        yield phone
    finally:
        await phone.close()


def programs() -> dict[str, str]:
    """The adb programs of this machine: the one in adbutils, and the distribution's."""
    found = {"bundled": str(BUNDLED)} if BUNDLED.exists() else {}
    system = shutil.which("adb", path="/usr/bin:/usr/local/bin")
    return found | ({"system": system} if system else {})


@contextlib.contextmanager
def private_server(program: str) -> Iterator[Adb]:
    """A server of its own for a program."""
    server = AdbServer("127.0.0.1", 0, private=True, program=program)
    asyncio.run(server.start())
    try:
        yield Adb(program, server.port)
    finally:
        asyncio.run(server.stop())


@contextlib.contextmanager
def burst_server(program: str, home: Path) -> Iterator[Adb]:
    """A server in burst mode, the only one that offers delayed_ack to devices."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | PRIVATE_ENVIRONMENT | {"ADB_BURST_MODE": "1", "HOME": str(home)}
    command = [program, "-P", str(port), "nodaemon", "server"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while True:  # adb tells nobody when it listens
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield Adb(program, port)
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
