"""Commands on a device: one at a time in a process of its own, or many through one shell that stays open."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mediacore.adb.shell_frames import FrameId, ShellFrameParser, encode_stdin
from mediacore.errors import CommandError, DeviceDisconnectedError, DeviceTimeoutError

if TYPE_CHECKING:
    from types import TracebackType

    from mediacore.adb.client import AdbClient
    from mediacore.adb.stream import AdbStream

SHELL_V2 = "shell_v2"
COMMAND_TIMEOUT_S = 5.0
MAX_OUTPUT_BYTES = 1 << 20
"""Output of one command of a persistent shell; ``dumpsys`` of a single service stays below."""


@dataclass(frozen=True, slots=True)
class ShellResult:
    """How a command ended and what it wrote."""

    stdout: bytes
    """Standard output; with standard error in between on devices without ``shell_v2``."""
    stderr: bytes
    """Standard error; empty on devices without ``shell_v2``."""
    exit_code: int
    """0 to 255."""


class _Output:
    """What a command wrote so far, bounded."""

    def __init__(self, serial: str, command: str, *, framed: bool, max_bytes: int) -> None:
        self._serial = serial
        self._command = command
        self._max_bytes = max_bytes
        self._frames = ShellFrameParser() if framed else None
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.exit_code: int | None = None
        """Set by the frame that ends a shell with ``shell_v2``."""

    def push(self, data: bytes) -> None:
        """Take what the stream gave. Raises ``CommandError`` past the limit."""
        if self._frames is None:
            self.stdout += data
        else:
            for frame in self._frames.push(data):
                if frame.id == FrameId.STDOUT:
                    self.stdout += frame.data
                elif frame.id == FrameId.STDERR:
                    self.stderr += frame.data
                elif frame.id == FrameId.EXIT and frame.data:
                    self.exit_code = frame.data[0]
        if len(self.stdout) + len(self.stderr) > self._max_bytes:
            raise CommandError(self._serial, f"{self._command!r} writes more than {self._max_bytes} bytes")


async def run_once(client: AdbClient, serial: str, command: str, *, max_bytes: int) -> ShellResult:
    """Run a command in a process of its own. No deadline of its own; see ``AdbClient.shell``."""
    framed = SHELL_V2 in await client.features(serial)
    end = f"mediacore-{secrets.token_hex(8)}:"
    service = f"shell,v2,raw:{command}" if framed else f"exec:({command}\n); echo {end}$?"
    output = _Output(serial, command, framed=framed, max_bytes=max_bytes)
    async with await client.open(serial, service) as stream:
        while output.exit_code is None and (data := await stream.read()):
            output.push(data)
    if output.exit_code is not None:
        return ShellResult(bytes(output.stdout), bytes(output.stderr), output.exit_code)
    text, found, code = bytes(output.stdout).rpartition(end.encode())
    if framed or not found:
        raise DeviceDisconnectedError(serial, f"the device went away during {command!r}")
    return ShellResult(text, b"", int(code.strip() or b"0"))


class PersistentShell:
    """One shell process on the device for many commands, one at a time; an async context manager.

    Each command is followed by an ``echo`` of a random marker with the exit code; what comes before it is the output.
    The process is started at the first use. After a command that failed to end (deadline, cancellation, too much
    output, lost device) it is closed, and the next use starts another one.

    A command is one line of POSIX shell; it must not read standard input, which is where the next commands come from.
    """

    def __init__(self, client: AdbClient, serial: str) -> None:
        self._client = client
        self._serial = serial
        self._turn = asyncio.Lock()
        self._stream: AdbStream | None = None
        self._framed = True
        self._marker = ""
        self._count = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the shell's process; a command that runs fails. May be repeated."""
        self._closed = True
        await self._hang_up()

    async def run(
        self, line: str, *, timeout_s: float = COMMAND_TIMEOUT_S, max_bytes: int = MAX_OUTPUT_BYTES
    ) -> ShellResult:
        """Run one line. The deadline includes waiting for the turn and for a new shell.

        Raises ``DeviceTimeoutError``, ``CommandError`` for output above ``max_bytes``, the ``DeviceError`` for a
        device in a wrong state, and ``ValueError`` for a line that is not one line.
        """
        if "\n" in line or "\r" in line or "\0" in line:
            raise ValueError("a command must be one line")
        try:
            async with asyncio.timeout(timeout_s), self._turn:
                return await self._run(line, max_bytes)
        except TimeoutError as error:
            raise DeviceTimeoutError(self._serial, f"{line[:80]!r} did not end within {timeout_s:g} s") from error

    async def _run(self, line: str, max_bytes: int) -> ShellResult:
        stream = await self._ready()
        self._count += 1
        marker = f"{self._marker}-{self._count}:"
        output = _Output(self._serial, line, framed=self._framed, max_bytes=max_bytes)
        try:
            # The two outputs are two pipes on the device, so each gets its own mark.
            ask = f"{line}\necho {marker}$?\n"
            if self._framed:
                ask += f"echo {marker} >&2\n"
            await stream.write(encode_stdin(ask.encode()) if self._framed else ask.encode())
            return await self._read(stream, output, marker.encode())
        except BaseException:
            await self._hang_up()
            raise

    async def _read(self, stream: AdbStream, output: _Output, marker: bytes) -> ShellResult:
        on_stdout = re.compile(re.escape(marker) + rb"(\d{1,3})\r?\n")
        on_stderr = re.compile(re.escape(marker) + rb"\r?\n")
        searched = 0
        while data := await stream.read():
            output.push(data)
            if output.exit_code is not None:  # the line ended the shell itself
                await self._hang_up()
                return ShellResult(bytes(output.stdout), bytes(output.stderr), output.exit_code)
            end = on_stdout.search(output.stdout, searched)
            if end is None:
                searched = max(0, len(output.stdout) - len(marker) - 8)
                continue
            stderr_end = on_stderr.search(output.stderr) if self._framed else None
            if stderr_end is None and self._framed:
                continue
            stderr = bytes(output.stderr[: stderr_end.start()]) if stderr_end else b""
            return ShellResult(bytes(output.stdout[: end.start()]), stderr, int(end[1]))
        raise DeviceDisconnectedError(self._serial, "the device's shell ended; is the device still there?")

    async def _ready(self) -> AdbStream:
        """The shell's stream: the one that is open if it still lives, else a new one."""
        if self._stream is not None and not self._stream.ended():
            return self._stream
        await self._hang_up()
        self._check_open()
        framed = SHELL_V2 in await self._client.features(self._serial)
        stream = await self._client.open(self._serial, "shell,v2,raw:sh" if framed else "exec:sh")
        try:
            self._check_open()  # it may have been closed meanwhile
        except DeviceDisconnectedError:
            await stream.close()
            raise
        self._framed = framed
        self._marker = f"mediacore-{secrets.token_hex(8)}"
        self._stream = stream
        return stream

    def _check_open(self) -> None:
        if self._closed:
            raise DeviceDisconnectedError(self._serial, "the shell was closed")

    async def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()
