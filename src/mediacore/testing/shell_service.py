"""The ADB services ``shell:``, ``shell,v2:`` and ``exec:`` in front of a device's shell.

``shell,v2`` frames standard output, standard error and the exit code (AOSP adb: shell_protocol.h); ``shell:`` and
``exec:`` send both outputs as they come and no exit code. There is no terminal: ``pty`` is taken as ``raw``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from mediacore.testing.shell import Io, LineSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.testing.adb_transport import AdbStream, Service
    from mediacore.testing.shell import Shell

FRAME = struct.Struct("<BI")
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)
MAX_FRAME = 256 << 10
"""Longest frame that is sent, in bytes."""
MAX_INPUT_FRAME = 1 << 20
"""A longer frame from the host breaks the protocol, and ends the stream."""


class _V2Source:
    """Standard input out of the frames of shell,v2."""

    def __init__(self, stream: AdbStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._ended = False

    async def read(self) -> bytes:
        while not self._ended:
            frame = self._next_frame()
            if frame is None:
                data = await self._stream.read()
                self._ended = not data
                self._buffer += data
                continue
            kind, payload = frame
            if kind == STDIN and payload:
                return payload
            self._ended = kind == CLOSE_STDIN
        return b""

    def _next_frame(self) -> tuple[int, bytes] | None:
        if len(self._buffer) < FRAME.size:
            return None
        kind, length = FRAME.unpack_from(self._buffer)
        end = FRAME.size + length
        if length > MAX_INPUT_FRAME:
            self._stream.close()
            return CLOSE_STDIN, b""
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[FRAME.size : end])
        del self._buffer[:end]
        return kind, payload


class _V2Sink:
    """Standard output or error as frames of shell,v2."""

    def __init__(self, stream: AdbStream, kind: int) -> None:
        self._stream, self._kind = stream, kind

    async def write(self, data: bytes) -> None:
        for at in range(0, len(data), MAX_FRAME):
            part = data[at : at + MAX_FRAME]
            await self._stream.write(FRAME.pack(self._kind, len(part)) + part)


def shell_service(make_shell: Callable[[], Shell], name: str) -> Service | None:
    """The service of a name such as ``shell,v2,raw:echo x``; None if it is no shell service."""
    head, separator, line = name.partition(":")
    kind, *arguments = head.split(",")
    if not separator or kind not in ("shell", "exec"):
        return None

    async def serve(stream: AdbStream) -> None:
        framed = "v2" in arguments
        if framed:
            io = Io(LineSource(_V2Source(stream)), _V2Sink(stream, STDOUT), _V2Sink(stream, STDERR))
        else:
            io = Io(LineSource(stream), stream, stream)
        shell = make_shell()
        code = await (shell.run(line, io) if line else shell.run_lines(io))
        if framed:
            await stream.write(FRAME.pack(EXIT, 1) + bytes((code & 255,)))

    return serve
