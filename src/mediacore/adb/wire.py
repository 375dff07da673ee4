"""The smart socket's framing (AOSP docs/dev/services.md), without any I/O.

A request is four hex digits of length and a text. The answer begins with ``OKAY`` or ``FAIL``; a failure, and many
answers, are followed by a block: again four hex digits of length and a text.
"""

from __future__ import annotations

from mediacore.errors import (
    AdbError,
    AdbProtocolError,
    DeviceDisconnectedError,
    DeviceError,
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceUnauthorizedError,
    MediacoreError,
)

LENGTH_DIGITS = 4
STATUS_BYTES = 4
MAX_BLOCK_BYTES = 0xFFFF
"""What four hex digits can say."""


def encode_request(service: str) -> bytes:
    """The request for a service. Raises ``ValueError`` if it is empty or longer than 65535 bytes."""
    data = service.encode()
    if not 0 < len(data) <= MAX_BLOCK_BYTES:
        raise ValueError(f"a service name has 1 to {MAX_BLOCK_BYTES} bytes, this one {len(data)}")
    return b"%04x" % len(data) + data


def parse_length(digits: bytes) -> int:
    """The length that four hex digits give. Raises ``AdbProtocolError`` for anything else."""
    # int() alone would also take signs, blanks and underscores
    if len(digits) != LENGTH_DIGITS or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise AdbProtocolError(f"the adb server sent {digits!r} in place of a length; is it an adb server?")
    return int(digits, 16)


def is_accepted(status: bytes) -> bool:
    """True for OKAY, False for FAIL; anything else raises ``AdbProtocolError``."""
    if status == b"OKAY":
        return True
    if status == b"FAIL":
        return False
    raise AdbProtocolError(f"the adb server answered {status!r}, neither OKAY nor FAIL; is it an adb server?")


class BlockParser:
    """Splits a stream of blocks, each four hex digits and that many bytes.

    The same output for any chunking of the input. Holds at most one block, so at most 65539 bytes between two calls.
    """

    def __init__(self) -> None:
        self._pending = bytearray()

    def push(self, data: bytes) -> list[bytes]:
        """Take some bytes, give the blocks that are now complete. Raises ``AdbProtocolError`` at a bad length."""
        self._pending += data
        blocks: list[bytes] = []
        at = 0
        while len(self._pending) - at >= LENGTH_DIGITS:
            end = at + LENGTH_DIGITS + parse_length(bytes(self._pending[at : at + LENGTH_DIGITS]))
            if len(self._pending) < end:
                break
            blocks.append(bytes(self._pending[at + LENGTH_DIGITS : end]))
            at = end
        del self._pending[:at]
        return blocks


def failure(serial: str | None, service: str, text: str) -> MediacoreError:
    """The typed error for the text of a FAIL.

    ``serial`` is the device that the request was about, None for requests to the server itself. The texts are those
    of AOSP's transport.cpp (``acquire_one_transport``) and sockets.cpp.
    """
    if serial is None:
        return AdbError(f"the adb server refuses {service!r}: {text}")
    first_line = text.split("\n", 1)[0].strip()
    if "not found" in first_line or first_line.startswith("no devices"):
        return DeviceNotFoundError(
            serial, "no such device at the adb server; look at `adb devices`, plug it in or `adb connect` it"
        )
    if "unauthorized" in first_line or "authorizing" in first_line:
        return DeviceUnauthorizedError(
            serial, "not authorized: unlock the device and accept this computer's key on its screen"
        )
    if "offline" in first_line or "still connecting" in first_line:
        return DeviceOfflineError(
            serial, f"the device does not answer ({first_line}); check its cable or network, or restart it"
        )
    if first_line == "closed":
        return DeviceDisconnectedError(serial, f"the device refuses {service!r}, or went away meanwhile")
    return DeviceError(serial, f"adb refuses {service!r}: {text.strip()}")
