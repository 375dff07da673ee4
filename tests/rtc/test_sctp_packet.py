"""What is refused before aiortc parses it: a table of packets, and all that aiortc itself writes is let through."""

import struct

import pytest
from aiortc import rtcsctptransport as sctp
from hypothesis import given
from hypothesis import strategies as st

from mediacore.rtc.sctp_packet import is_sound

HEADER = bytes(12)


def chunk(kind: int, body: bytes, length: int | None = None) -> bytes:
    size = 4 + len(body) if length is None else length
    return struct.pack("!BBH", kind, 0, size) + body + bytes(-len(body) % 4)


def sack(*gaps: tuple[int, int], announced: int | None = None) -> bytes:
    blocks = b"".join(struct.pack("!HH", *gap) for gap in gaps)
    return chunk(3, struct.pack("!LLHH", 1, 1000, len(gaps) if announced is None else announced, 0) + blocks)


INIT = bytes(16)
COOKIE = struct.pack("!HH", 7, 8) + b"abcd"


@pytest.mark.parametrize(
    ("chunks", "sound"),
    [
        (b"", False),
        (chunk(0, bytes(13)), True),  # DATA with one byte
        (chunk(0, bytes(12)), False),  # DATA without any
        (chunk(0, bytes(13), length=3), False),
        (chunk(0, bytes(13), length=100), False),
        (chunk(1, INIT), True),
        (chunk(1, INIT[:15]), False),
        (chunk(1, INIT) + chunk(0, bytes(13)), False),  # INIT must be alone
        (chunk(2, INIT + COOKIE), True),
        (chunk(2, INIT + struct.pack("!HH", 7, 0)), False),  # the parser would never end
        (chunk(2, INIT + struct.pack("!HH", 7, 3)), False),
        (chunk(2, INIT + struct.pack("!HH", 7, 9) + b"abcd"), False),
        (chunk(4, struct.pack("!HH", 1, 0)), False),  # HEARTBEAT
        (chunk(6, b""), True),  # ABORT
        (chunk(9, struct.pack("!HH", 3, 0)), False),  # ERROR
        (sack(), True),
        (sack((2, 3), (5, 5)), True),
        (sack((3, 2)), False),
        (sack((0, 2)), False),
        (sack((1, 9000)), False),  # the parser would count them all
        (sack((2, 3), announced=2), False),
        (chunk(3, bytes(11)), False),
        (chunk(7, bytes(4)), True),  # SHUTDOWN
        (chunk(7, bytes(3)), False),
        (chunk(130, struct.pack("!HH", 13, 18) + bytes(14)), True),  # RE-CONFIG: reset one stream
        (chunk(130, struct.pack("!HH", 13, 17) + bytes(13)), False),
        (chunk(130, struct.pack("!HH", 13, 8) + bytes(4)), False),
        (chunk(130, struct.pack("!HH", 16, 8) + bytes(4)), False),
        (chunk(130, struct.pack("!HH", 13, 0)), False),
        (chunk(192, bytes(8)), True),  # FORWARD TSN
        (chunk(192, bytes(6)), False),
        (chunk(192, b""), False),
        (chunk(77, b"whatever"), True),  # unknown ones are skipped
    ],
)
def test_packets(chunks: bytes, sound: bool) -> None:
    assert is_sound(HEADER + chunks) is sound


@given(st.binary(max_size=200))
def test_any_bytes_get_a_verdict_and_sound_ones_are_parsed_in_no_time(data: bytes) -> None:
    if is_sound(HEADER + data):
        header = bytes(8)
        checked = sctp.crc32c(header + bytes(4) + data).to_bytes(4, "little")
        sctp.parse_packet(header + checked + data)


def test_what_aiortc_writes_is_sound() -> None:
    data = sctp.DataChunk()
    data.user_data = b"x" * 100
    acknowledgement = sctp.SackChunk()
    acknowledgement.cumulative_tsn, acknowledgement.gaps, acknowledgement.duplicates = 7, [(2, 4)], [5]
    forward = sctp.ForwardTsnChunk()
    forward.cumulative_tsn, forward.streams = 3, [(1, 2)]
    init = sctp.InitAckChunk()
    init.params = [(sctp.SCTP_STATE_COOKIE, b"abc"), (sctp.SCTP_PRSCTP_SUPPORTED, b"")]
    reconfig = sctp.ReconfigChunk()
    reconfig.params = [(13, bytes(sctp.StreamResetOutgoingParam(1, 2, 3, [4])))]
    for item in (data, acknowledgement, forward, init, reconfig, sctp.AbortChunk(), sctp.CookieAckChunk()):
        assert is_sound(sctp.serialize_packet(5000, 5000, 1, item)), item
