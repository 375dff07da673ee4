"""A look at SCTP packets before aiortc parses them (RFC 9260 section 3, RFC 6525, RFC 3758).

aiortc trusts the lengths inside: a parameter of length 0 makes it loop forever, and a few gap blocks make it count to
millions. Whoever has passed DTLS can send such a packet, so it is refused here. Pure: bytes in, verdict out.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final

MAX_GAP_TSNS: Final = 8192
"""TSNs that the gap blocks of one SACK span; the 1 MiB window holds about 900 full chunks."""

_COMMON_HEADER_BYTES: Final = 12
_CHUNK_HEADER_BYTES: Final = 4
_DATA, _INIT, _INIT_ACK, _SACK = 0, 1, 2, 3
_SHUTDOWN, _RECONFIG, _FORWARD_TSN = 7, 130, 192
# Chunk type -> bytes before its parameters.
_PARAMETERS_AT: Final = {_INIT: 16, _INIT_ACK: 16, 4: 0, 5: 0, 6: 0, 9: 0, _RECONFIG: 0}
# Parameter of RE-CONFIG -> the least length of its value (RFC 6525 section 4).
_RECONFIG_VALUES: Final = {13: 12, 16: 8, 17: 8}


def is_sound(packet: bytes) -> bool:
    """False if the lengths and counts inside the packet are not what the RFCs allow."""
    at, chunks, has_init = _COMMON_HEADER_BYTES, 0, False
    while at <= len(packet) - _CHUNK_HEADER_BYTES:
        kind, length = packet[at], unpack_from("!H", packet, at + 2)[0]
        if length < _CHUNK_HEADER_BYTES or at + length > len(packet):
            return False
        if not _chunk_is_sound(kind, packet[at + _CHUNK_HEADER_BYTES : at + length]):
            return False
        chunks += 1
        has_init |= kind == _INIT
        at += (length + 3) & ~3
    return chunks > 0 and not (has_init and chunks > 1)


def _chunk_is_sound(kind: int, body: bytes) -> bool:
    if kind in _PARAMETERS_AT:
        return _parameters_are_sound(kind, body, _PARAMETERS_AT[kind])
    if kind == _DATA:
        return len(body) > 12  # with at least one byte of the user's
    if kind == _SACK:
        return _sack_is_sound(body)
    if kind == _SHUTDOWN:
        return len(body) >= 4
    if kind == _FORWARD_TSN:
        return len(body) >= 4 and len(body) % 4 == 0
    return True


def _parameters_are_sound(kind: int, body: bytes, at: int) -> bool:
    if len(body) < at:
        return False
    while at <= len(body) - 4:
        parameter, length = unpack_from("!HH", body, at)
        if length < 4 or at + length > len(body):
            return False
        if kind == _RECONFIG and parameter in _RECONFIG_VALUES:
            value = length - 4
            if value < _RECONFIG_VALUES[parameter] or value % 2:
                return False
        at += (length + 3) & ~3
    return True


def _sack_is_sound(body: bytes) -> bool:
    if len(body) < 12:
        return False
    gaps, duplicates = unpack_from("!HH", body, 8)
    if len(body) < 12 + 4 * (gaps + duplicates):
        return False
    span = 0
    for index in range(gaps):
        first, last = unpack_from("!HH", body, 12 + 4 * index)
        if not 0 < first <= last:
            return False
        span += last - first + 1
    return span <= MAX_GAP_TSNS
