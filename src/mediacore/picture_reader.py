"""Raw pictures of a device, read from a socket and decoded on a native thread: no byte of them passes through Python.

    reader = PictureReader(sock, Shots(trailer), slot_bytes=slot_bytes(1080, 2400))
    reader.request()                             # the device's loop takes one more picture
    match reader.next(1.0):                      # in a thread: waits without the GIL
        case Shot(frame): ...
        case Damaged(cause, detail): ...         # this picture only; the next one comes
        case Ended(): ...
        case None: ...                           # nothing in this second
    reader.close()

A consumer that is slower than the device gets the newest pictures: reading never waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from mediacore import _core
from mediacore.media import DropCause, Frame, QueueStats

if TYPE_CHECKING:
    import socket

Matrix: TypeAlias = Literal["bt709", "bt601"]
WireFormat: TypeAlias = Literal["raw", "gzip", "png", "jpeg", "rgb888"]

__all__ = ["Damaged", "Ended", "FrameStream", "PictureReader", "Shot", "Shots", "WireFormat", "slot_bytes"]


@dataclass(frozen=True, slots=True)
class Shots:
    """One picture for each line that the device's shell reads, and behind each a line that tells its end.

    For example ``while read x; do screencap -p 2>/dev/null; echo; echo TRAILER; done``. The picture may be raw pixels
    as ``screencap`` writes them, these through gzip, PNG or JPEG: that shows in how it begins.
    """

    trailer: bytes
    """The line behind each picture, without line end: random, 8 to 256 bytes."""


@dataclass(frozen=True, slots=True)
class FrameStream:
    """What ``screenrecord --output-format=frames -`` writes: a header with sizes and R, G, B bytes, at each change."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of the device."""

    frame: Frame
    """The picture. Its PTS is ``first_byte_us``; ``dirty_rows`` is (0, 0) if nothing changed since the one before."""
    first_byte_us: int
    """When its first byte arrived, in µs of the monotonic clock."""
    complete_us: int
    """When its last byte arrived."""
    decoded_us: int
    """When it was decoded."""
    wire_bytes: int
    """What it took on the wire, with all that belongs to it."""
    format: WireFormat
    """How it came."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A picture that was none, or that could not be taken; the next one is not concerned."""

    cause: DropCause
    """``TRUNCATED``, ``CORRUPT``, ``OVERSIZE`` (for the limits, or for a slot), ``DEVICE_FAILED`` (words only, or
    nothing) or ``POOL_EXHAUSTED`` (frames that somebody keeps have all slots)."""
    detail: str
    """What was wrong, in words; of ``DEVICE_FAILED`` what the device said instead."""


@dataclass(frozen=True, slots=True)
class Ended:
    """There will be no more pictures."""

    error_number: int
    """``errno`` of a connection that failed; 0 otherwise."""
    head: bytes
    """How that begins which came and was no whole picture, 512 bytes at most: perhaps the device's last words."""
    reason: Literal["closed", "failed", "damaged"]
    """The device closed the connection; it failed; or what it sent cannot be told apart any more."""


class PictureReader:
    """Reads the pictures of one connection.

    ``sock``, connected, at the first byte of the first picture, belongs to it from now on, whatever happens. ``slots``
    frames of ``slot_bytes`` bytes (see the function ``slot_bytes``) are there at a time: ``capacity`` of them may wait
    here, two are the reader's, the others are for who keeps frames. Pictures that are larger than ``size``, either way
    up, are made smaller and keep their shape; their sides are even then.

    ``request``, ``set_size``, ``stats`` and ``close`` may be called from any thread, ``next`` from one at a time.
    ValueError if a number or the trailer is out of range; OSError if ``sock`` is not one of a stream, or there is no
    thread or descriptor left.
    """

    def __init__(
        self,
        sock: socket.socket,
        framing: Shots | FrameStream,
        *,
        slot_bytes: int,
        slots: int = 8,
        capacity: int = 2,
        matrix: Matrix = "bt709",
        size: tuple[int, int] | None = None,
    ) -> None:
        trailer = framing.trailer if isinstance(framing, Shots) else None
        self._matrix: Matrix = matrix
        self._closed = False
        with sock:
            self._native = _core.PictureReader(sock.fileno(), trailer, slots, slot_bytes, capacity, matrix, size)

    def request(self) -> bool:
        """Ask for one more shot. False if it cannot be sent: the device takes nothing now, or has closed."""
        return self._native.request()

    def next(self, timeout_s: float) -> Shot | Damaged | Ended | None:
        """The oldest picture that waits, or what became of it; None if there was none in ``timeout_s`` seconds.

        Releases the GIL while it waits; None at once when the reader is closed. After ``Ended`` there is only that.
        """
        match self._native.next(timeout_s):
            case None:
                return None
            case ("shot", slot, size, stride, dirty_rows, (first, complete, decoded), wire_bytes, wire_format):
                frame = Frame.of_block(slot, size, stride, matrix=self._matrix, pts_us=first, dirty_rows=dirty_rows)
                return Shot(frame, first, complete, decoded, wire_bytes, wire_format)
            case ("damaged", str() as cause, str() as detail):
                return Damaged(DropCause(cause), detail)
            case (_, error_number, head, reason):
                return Ended(error_number, head, reason)
            case unknown:  # pragma: no cover
                raise AssertionError(unknown)

    def set_size(self, size: tuple[int, int] | None) -> None:
        """Make pictures that are larger than this smaller, from the next one on; None: none. ValueError below 1x1."""
        self._native.set_size(size)

    def close(self) -> None:
        """End the thread and the connection, and wake ``next``. Frames that were given stay as they are."""
        self._closed = True  # first: who is woken must see it
        self._native.close()

    @property
    def closed(self) -> bool:
        """True as soon as ``close`` has been called: who takes pictures in a loop ends it then."""
        return self._closed

    @property
    def stats(self) -> QueueStats:
        """Counts since the reader was made: pushed = delivered + queued + the sum of dropped.

        Dropped are damaged pictures, by their causes, and those that a newer one took the place of (``OVERFLOW``).
        """
        counts = self._native.counts()
        dropped = {DropCause(cause): count for cause, count in counts["damaged"].items() if count}
        if counts["overflown"]:
            dropped[DropCause.OVERFLOW] = counts["overflown"]
        return QueueStats(counts["pictures"], counts["delivered"], counts["queued"], dropped)

    @property
    def wire_bytes(self) -> int:
        """Bytes of all pictures so far, damaged ones too."""
        return int(self._native.counts()["wire_bytes"])

    @property
    def skipped_bytes(self) -> int:
        """How many of them were words in front of pictures."""
        return int(self._native.counts()["skipped_bytes"])


def slot_bytes(width: int, height: int) -> int:
    """What a slot needs for a picture of this size, either way up. ValueError if there is no such picture."""
    return _core.picture_slot_bytes(width, height)
