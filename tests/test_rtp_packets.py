"""RTP packets and header extensions from Python; aiortc's own packet class is the second opinion."""

import contextlib

import pytest
from aiortc import rtp as aiortc_rtp
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.errors import BitstreamError
from mediacore.rtp import EXTENSION_URIS, HeaderExtensions, RtpPacket, abs_send_time, parse_packet, write_packet

IDS = {uri: number for number, uri in enumerate(EXTENSION_URIS.values(), 1)}
LONG_IDS = {uri: number for number, uri in enumerate(EXTENSION_URIS.values(), 200)}
ALL = HeaderExtensions(
    mid="0",
    rid="hi",
    repaired_rid="lo",
    abs_send_time=0xABCDEF,
    transport_sequence_number=65535,
    playout_delay_ms=(0, 40950),
    abs_capture_time=(1 << 63, -5),
    audio_level=(True, 127),
)


def test_a_field_of_the_extensions_for_each_uri() -> None:
    assert set(EXTENSION_URIS) == set(HeaderExtensions.__slots__)


@pytest.mark.parametrize("ids", [IDS, LONG_IDS], ids=["one byte", "two bytes"])
def test_all_parts_come_back(ids: dict[str, int]) -> None:
    packet = RtpPacket(b"payload", 96, 65535, 2**32 - 1, 2**32 - 1, True, (1, 2**32 - 1), ALL, 255)
    data = write_packet(packet, ids)
    assert parse_packet(data, ids) == packet
    assert parse_packet(memoryview(bytearray(data)), ids) == packet
    assert parse_packet(data).extensions == HeaderExtensions()


def test_playout_delay_is_24_bits_in_units_of_10_ms() -> None:
    extensions = HeaderExtensions(playout_delay_ms=(10, 400))
    data = write_packet(RtpPacket(b"", 96, 1, 2, 3, extensions=extensions), {EXTENSION_URIS["playout_delay_ms"]: 5})
    assert data[12:] == bytes.fromhex("bede000152001028")


def test_abs_send_time_is_18_bits_of_fraction() -> None:
    assert abs_send_time(1_000_000) == 1 << 18
    assert abs_send_time(64_000_000) == 0
    assert abs_send_time(2**63) < 1 << 24


@pytest.mark.parametrize(
    "extensions",
    [
        HeaderExtensions(playout_delay_ms=(5, 10)),
        HeaderExtensions(playout_delay_ms=(0, 40960)),
        HeaderExtensions(audio_level=(False, 128)),
        HeaderExtensions(abs_send_time=1 << 24),
        HeaderExtensions(mid=""),
        HeaderExtensions(mid="x" * 256),
    ],
    ids=repr,
)
def test_values_that_do_not_fit(extensions: HeaderExtensions) -> None:
    with pytest.raises(ValueError):
        write_packet(RtpPacket(b"", 96, 1, 2, 3, extensions=extensions), IDS)


def test_fields_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="out of range"):
        write_packet(RtpPacket(b"", 128, 1, 2, 3))
    with pytest.raises(ValueError, match="out of range"):
        write_packet(RtpPacket(b"", 96, 1, 2, 3, csrcs=(0,) * 16))
    with pytest.raises(ValueError, match="1 to 255"):
        write_packet(RtpPacket(b"", 96, 1, 2, 3), {EXTENSION_URIS["mid"]: 256})
    with pytest.raises(TypeError):
        write_packet(RtpPacket(b"", 96, 65536, 2, 3))


def aiortc_map() -> aiortc_rtp.HeaderExtensionsMap:
    extension_map = aiortc_rtp.HeaderExtensionsMap()
    headers = [
        RTCRtpHeaderExtensionParameters(id=IDS[EXTENSION_URIS[name]], uri=EXTENSION_URIS[name]) for name in AIORTC_NAMES
    ]
    extension_map.configure(RTCRtpParameters(headerExtensions=headers))
    return extension_map


AIORTC_NAMES = {
    "mid": "mid",
    "rid": "rtp_stream_id",
    "repaired_rid": "repaired_rtp_stream_id",
    "abs_send_time": "abs_send_time",
    "transport_sequence_number": "transport_sequence_number",
    "audio_level": "audio_level",
}

KNOWN_TO_AIORTC = st.builds(
    HeaderExtensions,
    mid=st.none() | st.text("abc012", min_size=1, max_size=16),
    rid=st.none() | st.text("abc012", min_size=1, max_size=16),
    repaired_rid=st.none() | st.text("abc012", min_size=1, max_size=16),
    abs_send_time=st.none() | st.integers(0, 2**24 - 1),
    transport_sequence_number=st.none() | st.integers(0, 65535),
    audio_level=st.none() | st.tuples(st.booleans(), st.integers(0, 127)),
)

PACKETS = st.builds(
    RtpPacket,
    payload=st.binary(max_size=40),
    payload_type=st.integers(0, 127),
    sequence_number=st.integers(0, 65535),
    timestamp=st.integers(0, 2**32 - 1),
    ssrc=st.integers(0, 2**32 - 1),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 2**32 - 1), max_size=15).map(tuple),
    extensions=KNOWN_TO_AIORTC,
    padding_bytes=st.integers(0, 255),
)


@settings(deadline=None)
@given(PACKETS)
def test_aiortc_reads_and_writes_the_same(packet: RtpPacket) -> None:
    data = write_packet(packet, IDS)
    extension_map = aiortc_map()
    theirs = aiortc_rtp.RtpPacket.parse(data, extension_map)
    assert theirs.payload == packet.payload
    assert (theirs.payload_type, theirs.marker) == (packet.payload_type, packet.marker)
    assert (theirs.sequence_number, theirs.timestamp) == (packet.sequence_number, packet.timestamp)
    assert (theirs.ssrc, tuple(theirs.csrc)) == (packet.ssrc, packet.csrcs)
    assert theirs.padding_size == packet.padding_bytes
    for name, theirs_name in AIORTC_NAMES.items():
        assert getattr(theirs.extensions, theirs_name) == getattr(packet.extensions, name), name
    back = parse_packet(theirs.serialize(extension_map), IDS)
    assert back.extensions == packet.extensions
    assert (back.payload, back.csrcs, back.padding_bytes) == (packet.payload, packet.csrcs, packet.padding_bytes)


@settings(deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_a_packet_or_the_one_error(data: bytes, headed: bool) -> None:
    data = (b"\x90" + data) if headed else data
    with contextlib.suppress(BitstreamError):
        packet = parse_packet(data, IDS)
        assert len(bytes(packet.payload)) + packet.padding_bytes <= len(data) - 12
