"""Frame number and time inside an H.264 stream, for pictures that are encoded once and sent again and again.

The mark is an SEI message "user data unregistered" (ITU-T H.264 annex D, payload type 5) in a NAL unit of its own
before the slice: the UUID ``6d656469-6163-6f72-652d-6672616d6521`` ("mediacore-frame!" in ASCII), then 8 hexadecimal
digits of frame number and 16 of CLOCK_REALTIME in µs, lower case ASCII. Digits never form a start code, so the mark has
a fixed length without emulation prevention and is patched in place.
"""

from __future__ import annotations

from mediacore.testing.barcode import BarCode

UUID = b"mediacore-frame!"
_DIGITS = 8 + 16
_HEAD = bytes((0x06, 0x05, len(UUID) + _DIGITS)) + UUID
_STOP = b"\x80"
START_CODE = b"\0\0\0\1"


def mark(frame_number: int, time_us: int) -> bytes:
    """The whole SEI NAL unit with its 4-byte start code; always the same length."""
    return START_CODE + _HEAD + _digits(frame_number, time_us) + _STOP


def patch(access_unit: bytearray, offset: int, frame_number: int, time_us: int) -> None:
    """Overwrites the mark that begins (with its start code) at ``offset``."""
    at = offset + len(START_CODE) + len(_HEAD)
    access_unit[at : at + _DIGITS] = _digits(frame_number, time_us)


def read(access_unit: bytes | bytearray | memoryview) -> BarCode | None:
    """The mark of an access unit (Annex B or any other framing); None without one."""
    data = bytes(access_unit)
    at = data.find(_HEAD)
    text = data[at + len(_HEAD) : at + len(_HEAD) + _DIGITS]
    if at < 0 or len(text) < _DIGITS:
        return None
    try:
        return BarCode(int(text[:8], 16), int(text[8:], 16))
    except ValueError:
        return None


def _digits(frame_number: int, time_us: int) -> bytes:
    return b"%08x%016x" % (frame_number & 0xFFFFFFFF, time_us & 0xFFFFFFFFFFFFFFFF)
