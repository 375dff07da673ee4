"""The rules of the H.264 payload format (RFC 6184), one by one."""

import gc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mediacore.errors import BitstreamError
from mediacore.h264 import AccessUnitParser, find_start_codes
from mediacore.rtp import H264Depacketizer, H264Packetizer

CODE = b"\0\0\0\1"
SPS = bytes.fromhex("6742c01f1a323501407a403c2211a8")
PPS = bytes.fromhex("681a34e3c8")
START, END = 0x80, 0x40


def nal(header: int, size: int) -> bytes:
    return bytes([header]) + b"\xa5" * (size - 1)


def unit(*nals: bytes) -> bytes:
    return b"".join(CODE + one for one in nals)


def put_together(payloads: list[bytes]) -> bytes:
    depacketizer, frames = H264Depacketizer(), []
    for number, payload in enumerate(payloads):
        frames += depacketizer.push(payload, sequence_number=number, marker=number + 1 == len(payloads))
    (frame,) = frames
    return frame.data


def test_a_nal_unit_that_fits_is_a_packet_of_its_own() -> None:
    slice_ = nal(0x41, 1200)
    assert H264Packetizer().packetize(unit(slice_)) == [slice_]


def test_one_byte_above_the_limit_makes_two_fragments() -> None:
    slice_ = nal(0x41, 1201)
    first, second = H264Packetizer().packetize(unit(slice_))
    assert (first[:2], second[:2]) == (bytes([0x5C, START | 1]), bytes([0x5C, END | 1]))
    assert (len(first), len(second)) == (602, 602)
    assert first[2:] + second[2:] == slice_[1:]


def test_fragments_are_equal_and_the_last_one_is_shorter() -> None:
    payloads = H264Packetizer().packetize(unit(nal(0x65, 10_005)))
    assert [len(payload) for payload in payloads] == [1114] * 8 + [1110]
    assert [payload[1] >> 6 for payload in payloads] == [2, *[0] * 7, 1]
    balanced = H264Packetizer(balanced=True).packetize(unit(nal(0x65, 10_005)))
    assert [len(payload) for payload in balanced] == [1113] * 4 + [1114] * 5


def test_parameter_sets_travel_with_a_small_idr_picture() -> None:
    idr = nal(0x65, 300)
    (payload,) = H264Packetizer().packetize(unit(SPS, PPS, idr))
    entries = b"".join(len(one).to_bytes(2, "big") + one for one in (SPS, PPS, idr))
    assert payload == bytes([0x60 | 24]) + entries


def test_parameter_sets_go_together_before_a_large_idr_picture() -> None:
    aggregated, *fragments = H264Packetizer().packetize(unit(SPS, PPS, nal(0x65, 3000)))
    assert aggregated == bytes([0x78]) + bytes([0, len(SPS)]) + SPS + bytes([0, len(PPS)]) + PPS
    assert [fragment[0] for fragment in fragments] == [0x7C] * 3


def test_aggregation_has_the_highest_nri_and_any_forbidden_bit() -> None:
    (payload,) = H264Packetizer().packetize(unit(nal(0x06, 5), nal(0xC1, 5), nal(0x21, 5)))
    assert payload[0] == 0x80 | 0x40 | 24


def test_an_aggregation_is_full_to_the_byte() -> None:
    fits = unit(nal(0x41, 600), nal(0x41, 595))
    assert [len(p) for p in H264Packetizer().packetize(fits)] == [1200]
    too_much = unit(nal(0x41, 600), nal(0x41, 596))
    assert [len(p) for p in H264Packetizer().packetize(too_much)] == [600, 596]


def test_delimiters_filler_and_rfc_types_are_left_out() -> None:
    left_out = [b"\x09\xf0", nal(0x0C, 40), nal(0x18, 9), nal(0x1C, 9), nal(0x1F, 9)]
    assert H264Packetizer().packetize(unit(*left_out)) == []
    assert H264Packetizer().packetize(unit(left_out[0], nal(0x41, 9), *left_out)) == [nal(0x41, 9)]


def test_empty_nal_units_and_trailing_zeros_are_no_part_of_it() -> None:
    data = b"\0\0" + unit(b"", SPS + b"\0\0\0", b"", b"\0\0", PPS) + b"\0" * 50
    assert put_together(H264Packetizer().packetize(data)) == unit(SPS, PPS)


def test_three_byte_start_codes() -> None:
    assert H264Packetizer().packetize(b"\0\0\1" + SPS + b"\0\0\1" + PPS) == H264Packetizer().packetize(unit(SPS, PPS))


def test_nothing_makes_nothing() -> None:
    assert H264Packetizer().packetize(b"") == []
    assert H264Packetizer().packetize(b"\0\0\0") == []
    assert H264Packetizer().packetize(unit(b"")) == []


@pytest.mark.parametrize(
    ("data", "byte_offset"), [(b"\x65abc", 0), (b"\0\0\2\0\0\1\x65", 2), (b"\0\0\0\x05\x65abcd", 3)]
)
def test_bytes_before_the_first_start_code_are_refused(data: bytes, byte_offset: int) -> None:
    with pytest.raises(BitstreamError, match="no start code") as raised:
        H264Packetizer().packetize(data)
    assert raised.value.byte_offset == byte_offset


def test_mode_0_sends_every_nal_unit_alone() -> None:
    assert H264Packetizer(mode=0).packetize(unit(b"\x09\xf0", SPS, PPS, nal(0x65, 1200))) == [SPS, PPS, nal(0x65, 1200)]


def test_mode_0_refuses_what_it_cannot_cut_and_sends_nothing_of_it() -> None:
    packetizer = H264Packetizer(mode=0)
    with pytest.raises(BitstreamError, match="mode 0") as raised:
        packetizer.packetize(unit(SPS, PPS, nal(0x65, 1201)))
    assert raised.value.byte_offset == len(unit(SPS, PPS)) + len(CODE)
    assert packetizer.packetize(unit(SPS)) == [SPS]


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_payload_bytes": 4},
        {"max_payload_bytes": 65496},
        {"mode": 2},
        {"first_reduction": 301},
        {"first_reduction": 151, "last_reduction": 150},
        {"single_reduction": 301},
    ],
    ids=repr,
)
def test_limits_that_make_no_sense(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        H264Packetizer(**arguments)


def test_reductions_leave_whole_packets_equal() -> None:
    """With the extensions that the first packet has more, all but the last have one size on the wire."""
    packetizer = H264Packetizer(first_reduction=40, last_reduction=16)
    sizes = [len(payload) for payload in packetizer.packetize(unit(nal(0x65, 5000)))]
    assert len({sizes[0] + 40, *sizes[1:-1]}) == 1
    assert sizes[-1] + 16 <= sizes[1]
    assert [len(payload) for payload in packetizer.packetize(unit(nal(0x41, 1144)))] == [1144]
    assert len(packetizer.packetize(unit(nal(0x41, 1145)))) == 2


def test_what_it_takes() -> None:
    data = unit(SPS, PPS, nal(0x65, 2000))
    wanted = H264Packetizer().packetize(data)
    for bytes_like in (bytearray(data), memoryview(data)):
        assert H264Packetizer().packetize(bytes_like) == wanted
    with pytest.raises(TypeError, match="AccessUnit"):
        H264Packetizer().packetize(5)  # type: ignore[arg-type]
    with pytest.raises((BufferError, ValueError)):
        H264Packetizer().packetize(memoryview(data)[::2])


def test_payloads_outlive_packetizer_and_unit() -> None:
    data = unit(SPS, PPS, nal(0x65, 2000))
    parser, packetizer = AccessUnitParser(), H264Packetizer()
    parser.push(data)
    access_unit = parser.flush()
    payloads = packetizer.packetize(access_unit or data)
    packetizer.packetize(unit(nal(0x41, 3000)))
    del parser, packetizer, access_unit
    gc.collect()
    assert put_together(payloads) == data


NALS = st.lists(
    st.builds(
        nal,
        st.integers(0, 0xFF).filter(lambda header: header & 31 < 24 and header & 31 not in (0, 9, 12)),
        st.integers(1, 900),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(NALS, st.integers(5, 400), st.booleans(), st.data())
def test_nothing_is_lost_and_no_payload_is_too_large(
    nals: list[bytes], limit: int, balanced: bool, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, limit // 4))
    last = data.draw(st.integers(0, limit // 4 - first))
    single = data.draw(st.none() | st.integers(0, limit // 4))
    payloads = H264Packetizer(
        limit, first_reduction=first, last_reduction=last, single_reduction=single, balanced=balanced
    ).packetize(unit(*nals))
    assert max(map(len, payloads)) <= limit
    if len(payloads) > 1:
        assert len(payloads[0]) <= limit - first
        assert len(payloads[-1]) <= limit - last
    else:
        assert len(payloads[0]) <= limit - (first + last if single is None else single)
    assert not any(payload[0] & 31 == 28 and payload[1] & (START | END) == START | END for payload in payloads)
    assert put_together(payloads) == unit(*nals)


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([5, 64, 1200]), st.integers(0, 1))
@example(CODE * 40, 5, 1)
@example(CODE + b"\x65\0\0\3", 5, 1)
def test_any_bytes_give_payloads_or_the_one_error(data: bytes, limit: int, mode: int) -> None:
    for stream in (data, CODE + data):
        try:
            payloads = H264Packetizer(limit, mode).packetize(stream)
        except BitstreamError:
            continue
        assert all(0 < len(payload) <= limit for payload in payloads)
        assert len(payloads) <= len(data) + len(find_start_codes(stream))
