"""The RTP payload format of H.264 against public vectors: bitstreams, a capture, and tables of other implementations.

Each bitstream goes through packets and back: no NAL unit is lost and the decoder sees the same pictures.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import h264_depayload

from mediacore.h264 import AccessUnit, AccessUnitParser, BitstreamError, find_start_codes, parse_sps
from mediacore.rtp import DepacketizedFrame, H264Depacketizer, H264Packetizer, parse_packet

DATA = Path(os.environ.get("MEDIACORE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "h264"
LIMIT = 1200
START_CODE = b"\0\0\0\1"
LEFT_OUT = (9, 12)  # access unit delimiter, filler

pytestmark = pytest.mark.skipif(
    not (DATA / "expected.json").exists(),
    reason="the H.264 vectors are not there: set MEDIACORE_DATA to the folder that holds h264/expected.json",
)


def cases(name: str, *keys: str) -> list[Any]:
    """The entries of a table as test parameters, named; none where there is no data."""
    path = DATA / name
    entries: Any = json.loads(path.read_text()) if path.exists() else {}
    for key in keys:
        entries = entries.get(key, {})
    return [pytest.param(e, id=e.get("name") or e.get("file") or str(n)) for n, e in enumerate(entries or [])]


def annex_b(nals: list[bytes]) -> bytes:
    return b"".join(START_CODE + nal for nal in nals)


def nals_of(data: bytes) -> list[bytes]:
    codes = find_start_codes(data)
    return [
        nal
        for begin, end in zip(codes, [*codes[1:], len(data)], strict=True)
        if (nal := data[begin + 3 : end].rstrip(b"\0"))
    ]


def carried(nals: list[bytes]) -> list[bytes]:
    return [nal for nal in nals if nal[0] & 31 not in LEFT_OUT]


def units_of(data: bytes) -> list[AccessUnit]:
    parser = AccessUnitParser()
    units = parser.push(data)
    last = parser.flush()
    return units + ([last] if last else [])


def depacketize(payloads: list[bytes], *, sequence_number: int = 0) -> list[DepacketizedFrame]:
    """One access unit from its payloads, the last of which has the marker."""
    depacketizer = H264Depacketizer()
    frames = []
    for number, payload in enumerate(payloads):
        marker = number + 1 == len(payloads)
        frames += depacketizer.push(payload, sequence_number=(sequence_number + number) & 0xFFFF, marker=marker)
    return frames


class Decoder:
    """MD5 of the decoded pictures."""

    def __init__(self) -> None:
        self._codec = av.CodecContext.create("h264", "r")
        # As the reference decoder: pictures cropped to the sample, not to an aligned address.
        self._codec.flags |= av.codec.context.Flags.unaligned
        self._digest = hashlib.md5(usedforsecurity=False)

    def decode(self, unit: bytes | memoryview | None) -> None:
        try:
            frames = self._codec.decode(av.Packet(unit) if unit is not None else None)
        except av.error.InvalidDataError:  # a unit without its parameter sets
            self._digest.update(b"refused")
            return
        for frame in frames:
            for plane in frame.planes:
                rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
                self._digest.update(np.ascontiguousarray(rows[:, : plane.width]))

    def md5(self) -> str:
        self.decode(None)
        return self._digest.hexdigest()


@pytest.mark.parametrize("entry", cases("expected.json", "bitstreams"))
def test_bitstreams_survive_the_way_through_packets(entry: dict[str, Any]) -> None:
    data = (DATA / entry["file"]).read_bytes()
    packetizer, depacketizer = H264Packetizer(max_payload_bytes=LIMIT), H264Depacketizer()
    decoder, frames, sequence_number = Decoder(), [], 65000
    units = units_of(data)
    for number, unit in enumerate(units):
        payloads = packetizer.packetize(unit)
        assert payloads == packetizer.packetize(unit.data)
        assert max(map(len, payloads)) <= LIMIT
        for index, payload in enumerate(payloads):
            given = depacketizer.push(
                payload,
                sequence_number=sequence_number & 0xFFFF,
                timestamp=number * 3000,
                marker=index + 1 == len(payloads),
            )
            assert len(given) == (index + 1 == len(payloads))
            frames += given
            sequence_number += 1
        assert frames[-1].is_key == unit.is_idr
        decoder.decode(frames[-1].data)
    assert len(frames) == len(units) == entry["access_units"]
    nals = [nal for frame in frames for nal in nals_of(frame.data)]
    assert nals == carried(nals_of(data))
    stats = depacketizer.stats()
    assert (stats.lost, stats.late, stats.damaged, stats.malformed) == (0, 0, 0, 0)

    if entry["decoded_md5"]:
        assert decoder.md5() == entry["decoded_md5"]
    else:
        before = Decoder()
        for unit in units:
            before.decode(unit.data)
        assert decoder.md5() == before.md5()


@pytest.mark.parametrize("entry", cases("expected.json", "bitstreams"))
def test_aiortc_reads_our_packets(entry: dict[str, Any]) -> None:
    data = (DATA / entry["file"]).read_bytes()
    packetizer = H264Packetizer()
    # aiortc refuses one byte, which is all that an end of sequence is.
    read = b"".join(h264_depayload(p) for unit in units_of(data) for p in packetizer.packetize(unit) if len(p) > 1)
    assert nals_of(read) == [nal for nal in carried(nals_of(data)) if len(nal) > 1]


@pytest.mark.parametrize("entry", cases("expected.json", "length_prefixed"))
def test_frames_of_a_sender_with_lengths(entry: dict[str, Any]) -> None:
    data, nals, at = (DATA / entry["file"]).read_bytes(), [], 0
    while at < len(data):
        (size,) = struct.unpack_from("!I", data, at)
        nals.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    (frame,) = depacketize(H264Packetizer().packetize(annex_b(nals)))
    assert nals_of(frame.data) == nals


def rtp_packets(pcap: bytes) -> Iterator[bytes]:
    """The payloads of the UDP datagrams in a capture of Ethernet and IPv4."""
    at = 24
    while at < len(pcap):
        (size,) = struct.unpack_from("<I", pcap, at + 8)
        ip = pcap[at + 16 + 14 : at + 16 + size]
        udp = ip[(ip[0] & 15) * 4 :]
        yield udp[8 : struct.unpack_from("!H", udp, 4)[0]]
        at += 16 + size


@pytest.mark.parametrize("entry", cases("expected.json", "rtp"))
def test_capture(entry: dict[str, Any]) -> None:
    depacketizer, frames = H264Depacketizer(), []
    timestamps, markers, errors = set(), 0, 0
    for data in rtp_packets((DATA / entry["file"]).read_bytes()):
        packet = parse_packet(data)
        assert packet.payload_type == entry["payload_type"]
        assert f"{packet.ssrc:08x}" == entry["ssrc"]
        timestamps.add(packet.timestamp)
        markers += packet.marker
        try:
            frames += depacketizer.push(
                packet.payload,
                sequence_number=packet.sequence_number,
                timestamp=packet.timestamp,
                marker=packet.marker,
            )
        except BitstreamError:
            errors += 1
    stats = depacketizer.stats()
    assert stats.packets == entry["rtp_packets"]
    assert markers == entry["markers"]
    assert len(timestamps) == entry["timestamps"]
    # Each gap is in a frame, and one aggregation packet promises more than it has: these frames are not given.
    assert stats.lost == entry["sequence_gaps"]
    assert (stats.malformed, stats.late) == (1, 0)
    assert errors == stats.damaged == entry["sequence_gaps"] + 1
    assert len(frames) + stats.damaged == len(timestamps)
    nals = [nal for frame in frames for nal in nals_of(frame.data)]
    assert entry["nal_units"] - 2 * stats.damaged < len(nals) < entry["nal_units"]
    sizes = [(sps.width, sps.height) for sps in (parse_sps(nal) for nal in nals if nal[0] & 31 == 7)]
    assert list(dict.fromkeys(sizes)) == [(sps["width"], sps["height"]) for sps in entry["sps"]]


@pytest.mark.parametrize("case", cases("rtp_vectors.json", "pairs"))
def test_pairs_of_others(case: dict[str, Any]) -> None:
    nals = [bytes.fromhex(nal) for nal in case["nals"]]
    payloads = [bytes.fromhex(packet["payload"]) for packet in case["packets"]]
    assert [packet["marker"] for packet in case["packets"]] == [False] * (len(payloads) - 1) + [True]
    (frame,) = depacketize(payloads)
    assert nals_of(frame.data) == nals
    # Others fill packets and keep delimiters: as many packets, at most, of the same limit.
    ours = H264Packetizer(case["max_payload"]).packetize(annex_b(nals))
    assert len(ours) <= len(payloads)
    assert max(map(len, ours)) <= case["max_payload"]
    (frame,) = depacketize(ours)
    assert nals_of(frame.data) == carried(nals)


@pytest.mark.parametrize("case", cases("rtp_vectors.json", "packetise"))
def test_packetizing(case: dict[str, Any]) -> None:
    nals = annex_b([bytes.fromhex(nal) for nal in case["nals"]])
    # Mode 0 is what the peer calls "no aggregation".
    packetizer = H264Packetizer(case.get("max_payload", LIMIT), mode=0 if "mode" in case else 1)
    payloads = [payload.hex() for payload in packetizer.packetize(nals)]
    if case["name"] == "SPS, PPS, IDR":  # all three together; the NRI of each of them is 0
        assert payloads == ["18" + "0003070001" + "0003080203" + "0003050405"]
    else:
        assert payloads == case["packets"]


KINDS = {24: "stap", 28: "fu"}


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("case", cases("rtp_vectors.json", "packetise_shapes", "cases"))
def test_shapes_of_libwebrtc(case: dict[str, Any], balanced: bool) -> None:
    limits = {key: case[key] for key in ("first_reduction", "last_reduction", "single_reduction") if key in case}
    nals = [b"\x65" + b"\xff" * (size - 1) for size in case.get("nal_sizes", [])]
    unit = annex_b(nals) if nals else bytes.fromhex(case["annexb"])
    for mode in case["mode"]:
        packetizer = H264Packetizer(case.get("max_payload", LIMIT), mode, balanced=balanced, **limits)
        if case["name"] == "mode 0, NAL one byte over the limit":
            with pytest.raises(BitstreamError, match="mode 0") as raised:
                packetizer.packetize(unit)
            assert raised.value.byte_offset == 4
            continue
        if case["name"] == "empty NAL in the input":
            unit = bytes.fromhex("00000100000101")  # the empty one is skipped, the other one carried
            assert packetizer.packetize(unit) == [b"\x01"]
            continue
        payloads = packetizer.packetize(unit)
        shapes = [f"{KINDS.get(p[0] & 31, 'single')}:{len(p)}" for p in payloads]
        wanted = case.get("packets")
        if wanted:
            assert [s if ":" in w else s.split(":")[0] for s, w in zip(shapes, wanted, strict=True)] == wanted
        if "packet_count" in case:
            assert len(payloads) == case["packet_count"]
        if "last_packet_max" in case:
            assert len(payloads[-1]) <= case["last_packet_max"]
        (frame,) = depacketize(payloads)
        assert nals_of(frame.data) == nals


@pytest.mark.parametrize("case", cases("rtp_vectors.json", "fua_sizes", "cases"))
def test_fragment_sizes(case: dict[str, Any]) -> None:
    reductions = {key: case[key] for key in ("first_reduction", "last_reduction", "single_reduction") if key in case}
    first, last = reductions.get("first_reduction", 0), reductions.get("last_reduction", 0)
    unit = annex_b([b"\x65" + b"\xff" * case["nal_payload"]])
    wanted = case["fragment_payloads"]

    def sizes(*, balanced: bool) -> list[int]:
        payloads = H264Packetizer(case["max_payload"], balanced=balanced, **reductions).packetize(unit)
        assert [p[1] & 0xC0 for p in payloads] == [0x80, *[0] * (len(payloads) - 2), 0x40]
        return [len(payload) - 2 for payload in payloads]

    assert sizes(balanced=True) == wanted
    # Equal whole packets, header extensions included, and a shorter last one.
    ours = sizes(balanced=False)
    assert sum(ours) == case["nal_payload"]
    assert len(ours) == len(wanted)
    packets = [ours[0] + first, *ours[1:-1], ours[-1] + last]
    assert set(packets[:-1]) == {-(-(sum(ours) + first + last) // len(ours))}
    assert packets[-1] <= packets[0]


ACCEPTED_BY_OTHERS = {
    "STAP-A, second length cut": "entry of an aggregation packet ends too early",
    "STAP-A with zero padding": "empty entry",
}
JUDGED_BY_THE_PARSER = ("SPS too short", "bad SPS", "bad PPS", "bad slice header")


@pytest.mark.parametrize("case", cases("rtp_vectors.json", "depacketise"))
def test_depacketizing(case: dict[str, Any]) -> None:
    payloads = [bytes.fromhex(packet) for packet in case["packets"]]
    numbers = case.get("sequence", range(len(payloads)))
    timestamps = case.get("timestamps", [0] * len(payloads))
    markers = case.get("markers", [False] * (len(payloads) - 1) + [True])
    depacketizer = H264Depacketizer()

    def push_all() -> list[DepacketizedFrame]:
        frames = []
        for payload, number, timestamp, marker in zip(payloads, numbers, timestamps, markers, strict=True):
            frames += depacketizer.push(payload, sequence_number=number, timestamp=timestamp, marker=marker)
        return frames

    if case["name"] in JUDGED_BY_THE_PARSER:
        (frame,) = push_all()
        assert nals_of(frame.data) == [payload.rstrip(b"\0") for payload in payloads]
    elif case.get("error") or case["name"] in ACCEPTED_BY_OTHERS:
        with pytest.raises(BitstreamError, match=ACCEPTED_BY_OTHERS.get(case["name"])):
            push_all()
    else:
        frames = push_all()
        assert nals_of(frames[0].data) == [bytes.fromhex(nal) for nal in case.get("nals") or case["first_au"]]


def go_seeds() -> list[Any]:
    """The inputs that broke another depacketizer: Go's corpus format, one line of bytes each."""
    seeds = []
    for file in sorted(DATA.glob("fuzz_gortsplib/*/*")):
        text = file.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line.startswith('[]byte("')]
        parts = [line.removeprefix('[]byte("').removesuffix('")').encode().decode("unicode_escape") for line in lines]
        seeds.append(pytest.param([part.encode("latin-1") for part in parts], id=file.name))
    return seeds


@pytest.mark.parametrize("payloads", go_seeds())
def test_seeds_of_other_fuzzers(payloads: list[bytes]) -> None:
    depacketizer, refused = H264Depacketizer(), 0
    for number, payload in enumerate(payloads):
        try:
            depacketizer.push(payload, sequence_number=number, marker=True)
        except BitstreamError:
            refused += 1
    stats = depacketizer.stats()
    assert stats.packets == len(payloads)
    assert refused == stats.malformed
