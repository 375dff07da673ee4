"""The H.264 core against public vectors: bitstreams with known contents, and tables of facts.

The data is large and has licences of its own, so it is not part of the repository: it is looked for beside it, or where
MEDIACORE_DATA points.
"""

import ast
import contextlib
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from mediacore.h264 import (
    AccessUnit,
    AccessUnitParser,
    BitstreamError,
    ParserStats,
    ProfileLevelId,
    find_start_codes,
    guaranteed_level,
    low_delay_sps,
    parse_sps,
)

DATA = Path(os.environ.get("MEDIACORE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "h264"

pytestmark = pytest.mark.skipif(
    not (DATA / "expected.json").exists(),
    reason="the H.264 vectors are not there: set MEDIACORE_DATA to the folder that holds h264/expected.json",
)


def table(name: str) -> dict[str, Any]:
    """A table of the data, empty where there is no data."""
    path = DATA / name
    return json.loads(path.read_text()) if path.exists() else {}


def cases(name: str, *keys: str) -> list[Any]:
    """The entries of a table as test parameters, named."""
    entries: Any = table(name)
    for key in keys:
        entries = entries.get(key, {})
    return [pytest.param(entry, id=entry.get("name") or entry["file"]) for entry in entries or []]


def bitstreams() -> list[Any]:
    """The bitstreams that are listed and present."""
    present = [e for e in table("expected.json").get("bitstreams", []) if (DATA / e["file"]).exists()]
    return [pytest.param(entry, id=entry["file"]) for entry in present]


def parse(data: bytes, next_size: Callable[[], int]) -> tuple[list[AccessUnit], ParserStats]:
    parser = AccessUnitParser()
    units: list[AccessUnit] = []
    at = 0
    while at < len(data):
        size = next_size()
        units += parser.push(data[at : at + size])
        at += size
    last = parser.flush()
    return units + ([last] if last else []), parser.stats()


def content(units: list[AccessUnit]) -> list[tuple[object, ...]]:
    return [(bytes(u.data), u.nal_units, u.is_idr, u.is_random_access, u.position, u.sps) for u in units]


def nals(units: list[AccessUnit]) -> Iterator[memoryview]:
    for unit in units:
        data = unit.data
        for nal in unit.nal_units:
            yield data[nal.offset : nal.offset + nal.size]


@pytest.mark.parametrize("entry", bitstreams())
def test_contents(entry: dict[str, Any]) -> None:
    data = (DATA / entry["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    units, stats = parse(data, lambda: 65536)
    digest = hashlib.sha256()
    for nal in nals(units):
        digest.update(len(nal).to_bytes(4, "big"))
        digest.update(nal)
    assert stats.nal_units == entry["nal_units"]
    assert digest.hexdigest() == entry["nal_list_sha256"]
    assert len(units) == entry["access_units"]
    assert sum(unit.is_idr for unit in units) == entry["idr_access_units"]
    assert stats.corrupt == stats.oversize == stats.dropped == stats.skipped_bytes == 0
    seen = dict.fromkeys(bytes(nal) for nal in nals(units) if nal[0] & 31 == 7)
    for raw, wanted in zip(seen, entry["sps"], strict=True):
        sps = parse_sps(raw)
        assert (sps.id, sps.width, sps.height) == (wanted["id"], wanted["width"], wanted["height"])
        assert sps.profile_level_id == (
            f"{wanted['profile_idc']:02x}{wanted['constraint_flags']}{wanted['level_idc']:02x}"
        )
        assert sps.pic_order_cnt_type == wanted["poc_type"]
        assert sps.max_num_ref_frames == wanted["max_num_ref_frames"]


@pytest.mark.parametrize("entry", bitstreams())
def test_chunking_changes_nothing(entry: dict[str, Any]) -> None:
    data = (DATA / entry["file"]).read_bytes()
    whole, stats = parse(data, lambda: len(data))
    rng = random.Random(entry["file"])
    for size in (lambda: 1, lambda: 7, lambda: 1400, lambda: 65536, lambda: rng.randint(1, 9000)):
        chunked, chunked_stats = parse(data, size)
        assert content(chunked) == content(whole)
        assert repr(chunked_stats) == repr(stats)


@pytest.mark.parametrize("entry", bitstreams())
def test_units_are_those_of_libavcodec(entry: dict[str, Any]) -> None:
    data = (DATA / entry["file"]).read_bytes()
    codec = av.CodecContext.create("h264", "r")
    packets = [bytes(packet) for packet in [*codec.parse(data), *codec.parse(b"")]]
    units, _ = parse(data, lambda: 65536)
    # libavcodec leaves trailing zeros where they are.
    assert [bytes(unit.data).strip(b"\0") for unit in units] == [packet.strip(b"\0") for packet in packets]


@pytest.mark.parametrize("case", cases("expected.json", "length_prefixed"))
def test_length_prefixed_frames(case: dict[str, Any]) -> None:
    data = (DATA / case["file"]).read_bytes()
    converted = bytearray()
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        converted += b"\0\0\0\1" + data[at + 4 : at + 4 + size]
        at += 4 + size
    [unit] = AccessUnitParser().push(converted, complete=True)
    assert bytes(unit.data) == bytes(converted)
    assert len(unit.nal_units) == case["nal_units"]


@pytest.mark.parametrize("case", cases("annexb.json", "annexb", "cases"))
def test_annex_b_splitting(case: dict[str, Any]) -> None:
    stream = bytes.fromhex(case["in"])
    codes = [*find_start_codes(stream), len(stream)]
    between = [stream[code + 3 : following].rstrip(b"\0") for code, following in pairwise(codes)]
    assert [nal.hex() for nal in between if nal] == case["nals"]
    for size in (1, 3, len(stream)):
        parser = AccessUnitParser()
        for at in range(0, len(stream), size):
            parser.push(stream[at : at + size], complete=at + size >= len(stream))
        assert parser.stats().nal_units == len(case["nals"])


def check_fields(parsed: object, wanted: dict[str, Any]) -> None:
    """All fields of `wanted`, which are named as in the standard, against ours."""
    for name, value in wanted.items():
        if isinstance(value, dict):
            check_fields(getattr(parsed, name), value)
        elif isinstance(value, list):
            assert [getattr(schedule, name) for schedule in parsed.schedules] == value, name
        elif name.startswith("constraint_set"):
            assert bool(parsed.constraint_flags & (0x80 >> int(name[14]))) is value, name
        elif hasattr(parsed, name):
            assert getattr(parsed, name) == value, name
        else:
            ours, added = OUR_NAMES[name]
            assert getattr(parsed, ours) == value + added, name


OUR_NAMES = {
    "direct8x8_inference_flag": ("direct_8x8_inference_flag", 0),
    "log2_max_frame_num_minus4": ("log2_max_frame_num", 4),
    "log2_max_pic_order_cnt_lsb_minus4": ("log2_max_pic_order_cnt_lsb", 4),
    "pic_width_in_mbs_minus1": ("pic_width_in_mbs", 1),
    "pic_height_in_map_units_minus1": ("pic_height_in_map_units", 1),
    "bottom_offset": ("bottom", 0),
}


@pytest.mark.parametrize("case", cases("sps.json", "cases"))
def test_sps_fields(case: dict[str, Any]) -> None:
    sps = parse_sps(bytes.fromhex(case["hex"]))
    assert (sps.width, sps.height) == (case["width"], case["height"])
    if "fps" in case:
        assert sps.fps == pytest.approx(case["fps"])
    check_fields(sps, case.get("fields", {}))


COLOURS = {"unspecified": 2, "bt709": 1}


@pytest.mark.parametrize("case", cases("vui_rewrite.json", "cases"))
def test_vui_rewriting_is_that_of_libwebrtc(case: dict[str, Any]) -> None:
    nal = bytes.fromhex(case["hex"])
    wanted = case["wanted_colour"]
    colour = wanted and (
        COLOURS[wanted["primaries"]],
        COLOURS[wanted["transfer"]],
        COLOURS[wanted["matrix"]],
        wanted["range"] == "full",
    )
    rewritten = low_delay_sps(nal, colour=colour)
    assert ("ok" if rewritten == nal else "rewritten") == case["result"]
    if "output_hex" in case:
        assert rewritten.hex() == case["output_hex"]
    assert low_delay_sps(rewritten, colour=colour) == rewritten
    before, after = parse_sps(nal), parse_sps(rewritten)
    assert (after.width, after.height) == (before.width, before.height)
    assert after.vui is not None
    assert after.vui.bitstream_restriction is not None
    assert after.vui.bitstream_restriction.max_num_reorder_frames == 0


def sps_nals() -> list[Any]:
    """Every SPS of the tables, as test parameters."""
    return [pytest.param(bytes.fromhex(c["hex"]), id=c["name"]) for c in table("sps.json").get("cases", [])]


@pytest.mark.parametrize("nal", sps_nals())
def test_a_rewritten_sps_differs_in_the_restriction_alone(nal: bytes) -> None:
    before, rewritten = parse_sps(nal), low_delay_sps(nal)
    after = parse_sps(rewritten)
    assert low_delay_sps(rewritten) == rewritten
    for name in dir(before):
        if not name.startswith("_") and name not in ("vui", "frame_cropping"):
            assert getattr(after, name) == getattr(before, name), name


def fuzz_seeds() -> list[Any]:
    """The inputs that broke other parsers, decoded from Go's corpus format."""
    seeds = []
    for file in sorted(DATA.glob("fuzz_*/*/*")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines()):
            if line.startswith('[]byte("'):
                # Go's escapes of a string of bytes are Python's.
                data = ast.literal_eval("b" + line.removeprefix("[]byte(").removesuffix(")"))
                seeds.append(pytest.param(data, id=f"{file.parent.name}-{file.name[:12]}-{number}"))
    return seeds


@pytest.mark.parametrize("data", fuzz_seeds())
def test_fuzz_seeds_are_accepted_or_refused(data: bytes) -> None:
    for read in (parse_sps, low_delay_sps):
        with contextlib.suppress(BitstreamError):
            read(data)
    framed = b"\0\0\1" + data + b"\0\0\1\x67" + data
    whole = content(parse(framed, lambda: len(framed))[0])
    assert content(parse(framed, lambda: 1)[0]) == whole


def test_profile_level_ids_are_read_and_written_as_libwebrtc_does() -> None:
    facts = table("profile_level_id.json")
    for text, profile in facts["parse_profile"].items():
        assert ProfileLevelId.parse(text).profile == profile, text
    for text, level in facts["parse_level"].items():
        assert ProfileLevelId.parse(text).level == level, text
    for text in facts["reject"]:
        assert ProfileLevelId.parse(text) is None, text
    for case in facts["to_string"]:
        assert ProfileLevelId(case["profile"], case["level"]).text == case["string"]
    for text, canonical in facts["canonical"].items():
        assert ProfileLevelId.parse(text).text == canonical
    for case in facts["highest_level_a_decoder_can_guarantee"]:
        assert guaranteed_level(case["pixels"], case["fps"]) == case["level"], case


def test_levels_are_answered_as_libwebrtc_does() -> None:
    for case in table("profile_level_id.json")["answer"]:
        if case["local"] is not None:
            ours, theirs = (ProfileLevelId.parse(case[side]) for side in ("local", "remote"))
            made = ours.answered(theirs, both_allow_asymmetry=case["asymmetry_both"])
            assert made == ProfileLevelId.parse(case["answer"])
            assert hash(made) == hash(ProfileLevelId.parse(case["answer"]))


def test_every_pattern_and_level_of_the_table_is_known() -> None:
    facts = table("profile_level_id.json")
    for pattern in facts["patterns"]:
        for bits in ("0", "1"):
            flags = int(pattern["profile_iop"].replace("x", bits), 2)
            named = ProfileLevelId.parse(f"{pattern['profile_idc']}{flags:02x}1f")
            assert named is not None
            assert named.profile == pattern["profile"], pattern
    for row in facts["levels"]:
        flags = "f0" if row["level"] == "1b" else "e0"
        assert ProfileLevelId.parse(f"42{flags}{row['level_idc']:02x}").level == row["level"]
