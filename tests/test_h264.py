"""The H.264 face: the semantics checklist by name, PyAV as oracle, and any bytes at all."""

import array
import contextlib
import gc
import hashlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.h264 import (
    AccessUnit,
    AccessUnitParser,
    BitstreamError,
    BurstFlush,
    NalUnit,
    ParameterSets,
    ProfileLevelId,
    find_start_codes,
    low_delay_sps,
    parse_sps,
    required_level,
)

WIDTH, HEIGHT = 320, 240

HABITS = {
    "one slice": "slices=1",
    "four slices, delimiter": "slices=4:aud=1:keyint=10",
    "eight slices, HRD and timing SEI": "slices=8:aud=1:nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900:pic-struct=1",
    "intra refresh": "intra-refresh=1:keyint=10",
    "slices of 400 bytes": "slice-max-size=400:keyint=10",
    "B frames": "bframes=3:b-adapt=0:keyint=10:scenecut=0",
}


def encode(params: str, *, frames: int = 24, global_header: bool = False) -> list[bytes]:
    """Access units as libx264 gives them: a moving gradient on noise."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.time_base = Fraction(1, 30)
    codec.framerate = Fraction(30, 1)
    codec.bit_rate = 900_000
    codec.options = {"preset": "ultrafast", "x264-params": "threads=1:sliced-threads=0:" + params}
    if "bframes" not in params:
        codec.options["tune"] = "zerolatency"
    noise = np.random.default_rng(1).integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    packets = []
    for number in range(frames):
        picture = noise + np.uint8(number * 5)
        picture[:, number * 8 : number * 8 + 40] = 200
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        packets += codec.encode(frame)
    return [bytes(packet) for packet in [*packets, *codec.encode(None)]]


@pytest.fixture(scope="module", params=HABITS, ids=lambda name: name.replace(" ", "-"))
def frames(request: pytest.FixtureRequest) -> list[bytes]:
    """The access units of one encoder habit."""
    return encode(HABITS[request.param])


@pytest.fixture(scope="module")
def plain() -> list[bytes]:
    """One slice a picture, IDR every 8 pictures."""
    return encode("slices=1:keyint=8:scenecut=0")


def chunks(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        if at >= len(data):
            return
        yield data[at : at + size]
        at += size


def every(size: int) -> Iterator[int]:
    while True:
        yield size


def parse(pushes: Iterable[bytes]) -> list[AccessUnit]:
    parser = AccessUnitParser()
    units = [unit for push in pushes for unit in parser.push(push)]
    last = parser.flush()
    return units + ([last] if last else [])


def content(units: Iterable[AccessUnit]) -> list[tuple[object, ...]]:
    return [(bytes(u.data), u.nal_units, u.is_idr, u.is_random_access, u.position, u.sps) for u in units]


def nal_bytes(unit: AccessUnit, kind: int) -> list[bytes]:
    return [bytes(unit.data[n.offset : n.offset + n.size]) for n in unit.nal_units if n.type == kind]


def decode(units: Iterable[bytes | memoryview]) -> list[bytes]:
    """The pictures that libavcodec makes of access units, as digests."""
    codec = av.CodecContext.create("h264", "r")
    pictures = []
    for data in [*units, None]:
        packet = None if data is None else av.Packet(bytes(data))
        pictures += [hashlib.md5(frame.to_ndarray().tobytes()).digest() for frame in codec.decode(packet)]
    return pictures


# --- What the encoder gave is what the parser gives


def test_the_encoders_units_come_back(frames: list[bytes]) -> None:
    stream = b"".join(frames)
    for size in (1, 7, 1400, 65536, len(stream)):
        assert [bytes(unit.data) for unit in parse(chunks(stream, every(size)))] == frames


def test_units_are_those_of_libavcodec(frames: list[bytes]) -> None:
    stream = b"".join(frames)
    codec = av.CodecContext.create("h264", "r")
    packets = [*codec.parse(stream), *codec.parse(b"")]
    assert [bytes(unit.data) for unit in parse([stream])] == [bytes(packet) for packet in packets]


def test_framed_input_is_never_behind(frames: list[bytes]) -> None:
    parser = AccessUnitParser()
    for frame in frames:
        [unit] = parser.push(frame, complete=True)
        assert bytes(unit.data) == frame


def test_raw_input_is_decided_by_the_first_16_bytes_of_the_next_unit(frames: list[bytes]) -> None:
    parser = AccessUnitParser()
    parser.push(frames[0])
    for frame, following in pairwise(frames):
        [unit] = parser.push(following[:16])
        assert bytes(unit.data) == frame
        assert parser.push(following[16:]) == []


@given(data=st.data())
def test_chunking_changes_nothing(plain: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(plain)
    sizes = data.draw(st.lists(st.integers(1, 3000), min_size=1))
    chunked = parse(chunks(stream, [*sizes, len(stream)]))
    assert [bytes(unit.data) for unit in chunked] == plain


# --- The checklist: NAL units


def test_nal_units_tell_type_reference_offset_and_size(plain: list[bytes]) -> None:
    [unit] = AccessUnitParser().push(plain[0], complete=True)
    assert [nal.type for nal in unit.nal_units] == [7, 8, 6, 5]
    for nal in unit.nal_units:
        assert isinstance(nal, NalUnit)
        kind, ref_idc, offset, size = nal
        assert (nal.type, nal.ref_idc, nal.offset, nal.size) == (kind, ref_idc, offset, size)
        assert unit.data[offset] == ref_idc << 5 | kind
        assert bytes(unit.data[offset - 3 : offset]) == b"\0\0\1"
    last = unit.nal_units[-1]
    assert last.offset + last.size == len(unit.data)


def test_all_trailing_zeros_are_stripped(plain: list[bytes]) -> None:
    stream = b"".join(frame + bytes(number) for number, frame in enumerate(plain))
    assert [bytes(unit.data) for unit in parse(chunks(stream, every(50)))] == plain


def test_a_four_byte_start_code_is_not_found_twice() -> None:
    assert find_start_codes(b"\0\0\0\1\x67\0\0\1\x68\0\0\0\0\1") == [1, 5, 11]


def test_empty_nal_units_are_skipped(plain: list[bytes]) -> None:
    [unit] = AccessUnitParser().push(b"\0\0\1\0\0\1" + plain[0] + b"\0\0\1", complete=True)
    assert bytes(unit.data) == plain[0]


def test_a_forbidden_bit_drops_the_unit(plain: list[bytes]) -> None:
    damaged = [plain[0], bytearray(plain[1]), *plain[2:]]
    damaged[1][4] |= 0x80
    parser = AccessUnitParser()
    units = [unit for frame in damaged for unit in parser.push(frame, complete=True)]
    assert [bytes(unit.data) for unit in units] == [plain[0], *plain[8:]]
    assert (parser.stats().corrupt, parser.stats().dropped) == (1, 6)


# --- Parameter sets and pictures


def test_the_sps_of_a_unit_is_one_object_until_it_changes(plain: list[bytes]) -> None:
    units = parse([b"".join(plain)])
    assert units[0].sps is not None
    assert (units[0].sps.width, units[0].sps.height) == (WIDTH, HEIGHT)
    assert len({id(unit.sps) for unit in units}) == 1
    assert units[0].sps == parse_sps(nal_bytes(units[0], 7)[0])
    assert hash(units[0].sps) == hash(parse_sps(nal_bytes(units[0], 7)[0]))


def test_a_new_size_is_told_with_its_first_unit(plain: list[bytes]) -> None:
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = HEIGHT, WIDTH, "yuv420p"
    codec.time_base = Fraction(1, 30)
    turned = [bytes(p) for p in [*codec.encode(av.VideoFrame(HEIGHT, WIDTH, "yuv420p")), *codec.encode(None)]]
    units = parse([b"".join(plain[:3] + turned)])
    assert [(u.sps.width, u.sps.height) for u in units if u.sps] == [(WIDTH, HEIGHT)] * 3 + [(HEIGHT, WIDTH)]


def test_without_parameter_sets_units_still_come_and_have_no_sps(plain: list[bytes]) -> None:
    bare = [frame[frame.index(b"\0\0\1\x65") :] if b"\0\0\1\x65" in frame else frame for frame in plain]
    units = parse([b"".join(bare)])
    assert len(units) == len(plain)
    assert {unit.sps for unit in units} == {None}


def test_a_recovery_point_is_a_random_access_point() -> None:
    units = parse([b"".join(encode(HABITS["intra refresh"]))])
    assert [unit.is_idr for unit in units] == [True] + [False] * 23
    assert sum(unit.is_random_access for unit in units) > 1


def test_parameter_sets_are_put_before_every_random_access_point(plain: list[bytes]) -> None:
    # As Android's encoders do it: with the first key frame only.
    frames = [plain[0], *(frame[max(frame.find(b"\0\0\1\x65"), 0) :] for frame in plain[1:])]
    sets = ParameterSets()
    completed = []
    for unit in parse([b"".join(frames)]):
        sets.observe(unit)
        completed.append(sets.complete(unit))
    for number in range(0, 24, 8):
        kinds = [n.type for n in AccessUnitParser().push(completed[number], complete=True)[0].nal_units]
        assert kinds.index(7) < kinds.index(8) < kinds.index(5)
        assert len(decode(completed[number:])) == 24 - number
    assert completed[1] == frames[1]


def test_an_intra_refresh_stream_can_be_joined_at_its_recovery_point() -> None:
    units = parse([b"".join(encode("intra-refresh=1:keyint=10", frames=40))])
    sets = ParameterSets()
    for unit in units:
        sets.observe(unit)
    joint = next(number for number, unit in enumerate(units) if unit.is_random_access and not unit.is_idr)
    joined = decode([sets.complete(unit) for unit in units[joint:]])
    assert joined
    whole = decode(unit.data for unit in units)
    assert joined[-1] == whole[-1]


def test_a_low_delay_sps_changes_no_picture(plain: list[bytes]) -> None:
    stream = b"".join(plain)
    rewritten = stream
    for sps in {nal for unit in parse([stream]) for nal in nal_bytes(unit, 7)}:
        low_delay = low_delay_sps(sps)
        assert low_delay_sps(low_delay) == low_delay
        rewritten = rewritten.replace(b"\0\0\1" + sps, b"\0\0\1" + low_delay)
    assert decode(unit.data for unit in parse([rewritten])) == decode(plain)


def test_an_sps_that_does_not_parse_tells_what_and_where() -> None:
    with pytest.raises(BitstreamError, match="ends too early at byte 3") as caught:
        parse_sps(b"\x67\x42\x00")
    assert (caught.value.what, caught.value.byte_offset) == ("NAL unit ends too early", 3)
    with pytest.raises(BitstreamError):
        low_delay_sps(b"\x68\x42")


# --- Limits and damage


def test_a_passed_limit_raises_and_the_parser_goes_on(plain: list[bytes]) -> None:
    limit = max(map(len, plain)) + 1
    big = plain[1] + bytes([1]) * limit
    parser = AccessUnitParser(max_access_unit_bytes=limit)
    with pytest.raises(BitstreamError, match="access unit is larger than the limit") as caught:
        parser.push(b"".join([plain[0], big, *plain[2:]]))
    assert caught.value.byte_offset == len(plain[0]) + limit
    # What this push completed comes with the next call, from the next key frame on.
    units = parser.push(b"", complete=True)
    assert [bytes(unit.data) for unit in units] == [plain[0], *plain[8:]]
    assert parser.stats().oversize == 1


def test_more_nal_units_than_the_limit_raise() -> None:
    parser = AccessUnitParser(max_nal_units=100)
    with pytest.raises(BitstreamError, match="more NAL units"):
        parser.push(b"\0\0\1\x0c\x80" * 101)


@pytest.mark.parametrize(
    "limits", [{"max_access_unit_bytes": 0}, {"max_nal_units": 0}, {"max_access_unit_bytes": 1 << 40}]
)
def test_limits_that_cannot_be_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 to"):
        AccessUnitParser(**limits)


def test_memory_stays_within_the_limit(plain: list[bytes]) -> None:
    def resident() -> int:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    parser = AccessUnitParser(max_access_unit_bytes=1 << 20)
    parser.push(plain[0] + plain[1])
    block = bytes([0x55]) * (1 << 20)
    zeros = bytes(1 << 20)
    before = resident()
    for _ in range(40):
        parser.push(zeros)
    with pytest.raises(BitstreamError):
        parser.push(block)
    for _ in range(40):
        parser.push(block)
    assert resident() - before < 4 << 20


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), min_size=1))
def test_any_bytes_are_accepted_in_any_chunks(data: bytes, sizes: list[int]) -> None:
    whole = AccessUnitParser(max_access_unit_bytes=200, max_nal_units=5)
    parts = AccessUnitParser(max_access_unit_bytes=200, max_nal_units=5)
    results = []
    for parser, pushes in ((whole, [data]), (parts, chunks(data, [*sizes, len(data)]))):
        units = []
        for push in pushes:
            with contextlib.suppress(BitstreamError):
                units += parser.push(push)
        units += parser.push(b"", complete=True)
        results.append(content(units))
    assert results[0] == results[1]
    assert repr(whole.stats()) == repr(parts.stats())


@given(st.binary(max_size=80))
def test_any_sps_is_accepted_or_refused(tail: bytes) -> None:
    for nal in (tail, b"\x67" + tail, b"\x67\x64\x00\x1f" + tail):
        try:
            rewritten = low_delay_sps(nal)
        except BitstreamError:
            continue
        assert low_delay_sps(rewritten) == rewritten
        assert (parse_sps(rewritten).width, parse_sps(rewritten).height) == (
            parse_sps(nal).width,
            parse_sps(nal).height,
        )


# --- Flushing


def test_a_flush_gives_the_last_unit_and_keeps_half_a_start_code(plain: list[bytes]) -> None:
    stream = b"".join(plain)
    cut = len(plain[0])
    for at in range(cut, cut + 6):
        parser = AccessUnitParser()
        parser.push(stream[:at])
        unit = parser.flush()
        assert unit is not None
        assert bytes(unit.data) == plain[0]
        units = parser.push(stream[at:])
        last = parser.flush()
        assert last is not None
        assert len([*units, last]) == len(plain) - 1
        assert parser.stats().cut_units == 0


def test_a_flush_that_came_too_early_is_noticed_and_healed_at_the_next_key_frame(plain: list[bytes]) -> None:
    parser = AccessUnitParser()
    given = parser.push(b"".join(plain[:2]) + plain[2][:100])
    cut = parser.flush()
    assert cut is not None
    assert bytes(cut.data) == plain[2][:100]
    assert parser.stats().cut_units == 0
    after = parser.push(plain[2][100:] + b"".join(plain[3:]))
    last = parser.flush()
    assert last is not None
    assert [bytes(unit.data) for unit in [*given, *after, last]] == plain[:2] + plain[8:]
    assert (parser.stats().cut_units, parser.stats().dropped) == (1, 5)


class Link:
    """Virtual time: a socket whose bytes come with pauses, read as the module's documentation describes."""

    def __init__(self, idle_us: int) -> None:
        self.parser = AccessUnitParser()
        self.burst = BurstFlush(idle_us=idle_us)
        self.units: list[bytes] = []
        self.delays_us: list[int] = []
        self._deadline_us: int | None = None
        self._last_us = 0

    def receive(self, now_us: int, data: bytes) -> None:
        if self._deadline_us is not None and self._deadline_us <= now_us:
            unit = self.parser.flush()
            if unit is not None:
                self.burst.flushed(self._deadline_us)
                self._take([unit], self._deadline_us)
        self._deadline_us = self.burst.observe(now_us, data)
        self._take(self.parser.push(data), now_us)
        self._last_us = now_us

    def _take(self, units: list[AccessUnit], now_us: int) -> None:
        self.units += [bytes(unit.data) for unit in units]
        self.delays_us += [now_us - self._last_us] * len(units)


@pytest.mark.parametrize(("pause_us", "most_wrong"), [(0, 0), (5_000, 0), (20_000, 0)])
def test_pauses_inside_units_cost_no_units(plain: list[bytes], pause_us: int, most_wrong: int) -> None:
    rng = np.random.default_rng(4)
    link = Link(idle_us=1_000)
    now_us = 0
    sent = plain * 20
    for frame in sent:
        half = len(frame) // 2
        link.receive(now_us, frame[:half])
        link.receive(now_us + int(rng.integers(0, pause_us + 1)), frame[half:])
        now_us += 50_000
    link.receive(now_us, plain[0])
    assert link.burst.wrong_flushes <= most_wrong
    assert link.parser.stats().cut_units <= most_wrong
    assert link.units == sent
    # The wait follows the pauses that there are.
    assert np.median(link.delays_us) <= max(1_000, 1.5 * pause_us)


def test_pauses_that_begin_later_are_learnt_at_the_cost_of_one_unit(plain: list[bytes]) -> None:
    link = Link(idle_us=1_000)
    for number, frame in enumerate(plain * 5):
        half = len(frame) // 2
        link.receive(number * 50_000, frame[:half])
        link.receive(number * 50_000 + (5_000 if number >= 50 else 0), frame[half:])
    assert link.burst.wrong_flushes == link.parser.stats().cut_units == 1
    assert link.burst.idle_us == 7_500
    # The cut unit was given, and nothing after it up to the next key frame.
    assert link.parser.stats().dropped == 8 - 50 % 8 - 1


# --- Python's side


def test_views_outlive_the_unit_and_the_parser(plain: list[bytes]) -> None:
    parser = AccessUnitParser()
    view = parser.push(plain[0], complete=True)[0].data
    sps = parser.push(plain[8], complete=True)[0].sps
    del parser
    gc.collect()
    assert view == plain[0]
    assert view.readonly
    assert sps is not None
    assert sps.width == WIDTH


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: array.array("B", data), np.frombuffer])
def test_any_bytes_like_object_is_accepted(plain: list[bytes], kind: type) -> None:
    data = np.frombuffer(plain[0], np.uint8) if kind is np.frombuffer else kind(plain[0])
    assert find_start_codes(data) == find_start_codes(plain[0])
    [unit] = AccessUnitParser().push(data, complete=True)
    assert unit.data == plain[0]
    BurstFlush().observe(0, data)


def test_the_callers_buffer_may_change_after_the_push(plain: list[bytes]) -> None:
    buffer = bytearray(plain[0])
    parser = AccessUnitParser()
    parser.push(buffer)
    buffer[:] = bytes(len(buffer))
    unit = parser.flush()
    assert unit is not None
    assert unit.data == plain[0]


def test_what_is_not_bytes_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        AccessUnitParser().push("text")  # type: ignore[arg-type]
    with pytest.raises(BufferError):
        AccessUnitParser().push(memoryview(bytes(8))[::2])


def test_attributes_cannot_be_set(plain: list[bytes]) -> None:
    [unit] = AccessUnitParser().push(plain[0], complete=True)
    with pytest.raises(AttributeError):
        unit.is_idr = False  # type: ignore[misc]
    with pytest.raises(AttributeError):
        unit.sps.width = 1  # type: ignore[misc, union-attr]


def test_objects_say_what_they_are(plain: list[bytes]) -> None:
    parser = AccessUnitParser()
    [unit] = parser.push(plain[0], complete=True)
    assert repr(unit) == f"AccessUnit({len(plain[0])} bytes, 4 NAL units, IDR)"
    assert repr(unit.sps).startswith("Sps(id=0, 320x240, profile_level_id='")
    assert repr(parser.stats()).startswith(f"ParserStats(bytes={len(plain[0])}, nal_units=4, units=1, corrupt=0")


def test_importing_it_loads_neither_pyav_nor_aiortc() -> None:
    code = "import sys, mediacore.h264; print([m for m in ('av', 'aiortc', 'numpy', 'asyncio') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("size", "fps", "level"),
    [((720, 1280), 30, "3.1"), ((1080, 1920), 30, "4"), ((1080, 2400), 60, "5.1"), ((16_384, 16_384), 30, None)],
)
def test_the_level_that_a_screen_needs(size: tuple[int, int], fps: float, level: str | None) -> None:
    assert required_level(*size, fps) == level


def test_profile_level_ids_compare_by_meaning() -> None:
    assert (
        ProfileLevelId.parse("42c01f")
        == ProfileLevelId.parse("42E01F")
        == ProfileLevelId("constrained-baseline", "3.1")
    )
    assert ProfileLevelId("high", "1b").text is None
    with pytest.raises(ValueError, match="level"):
        ProfileLevelId("high", "9")
