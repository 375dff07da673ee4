"""The frames of ``shell,v2`` (AOSP shell_protocol.h), without any I/O: u8 id, u32 little-endian length, payload."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from mediacore.errors import AdbProtocolError

HEADER = struct.Struct("<BI")
MAX_FRAME_BYTES = 16 << 20
"""Devices send at most their transport's payload, 1 MiB, in a frame; more than this is no shell protocol."""
MAX_STDIN_BYTES = 4096 - HEADER.size
"""Input is cut to what the smallest transport payload holds together with its header."""


class FrameId(enum.IntEnum):
    """What a frame carries."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    """The exit code, one byte; the last frame."""
    CLOSE_STDIN = 4
    WINDOW_SIZE = 5


@dataclass(frozen=True, slots=True)
class ShellFrame:
    """One frame."""

    id: int
    """A ``FrameId``; other numbers are possible and mean nothing to us."""
    data: bytes
    """Its payload."""


def encode_frame(frame_id: FrameId, data: bytes = b"") -> bytes:
    """One frame as it stands on the wire."""
    return HEADER.pack(frame_id, len(data)) + data


def encode_stdin(data: bytes) -> bytes:
    """Standard input as frames that every transport can carry."""
    return b"".join(
        encode_frame(FrameId.STDIN, data[at : at + MAX_STDIN_BYTES]) for at in range(0, len(data), MAX_STDIN_BYTES)
    )


class ShellFrameParser:
    """Splits what a device sends into frames. The same output for any chunking of the input.

    Holds at most one frame, so at most ``MAX_FRAME_BYTES`` and a header, between two calls.
    """

    def __init__(self) -> None:
        self._pending = bytearray()

    def push(self, data: bytes) -> list[ShellFrame]:
        """Take some bytes, give the frames that are now complete.

        Raises ``AdbProtocolError`` for a length above ``MAX_FRAME_BYTES``; nothing useful can follow.
        """
        self._pending += data
        frames: list[ShellFrame] = []
        at = 0
        while len(self._pending) - at >= HEADER.size:
            frame_id, length = HEADER.unpack_from(self._pending, at)
            if length > MAX_FRAME_BYTES:
                raise AdbProtocolError(
                    f"the device announces {length} bytes in a shell frame, the limit is {MAX_FRAME_BYTES}"
                )
            end = at + HEADER.size + length
            if len(self._pending) < end:
                break
            frames.append(ShellFrame(frame_id, bytes(self._pending[at + HEADER.size : end])))
            at = end
        del self._pending[:at]
        return frames
