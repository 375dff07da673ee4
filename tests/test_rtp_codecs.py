"""VP8, VP9, AV1 and Opus through packets and back, with real encoders and decoders on both ends."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor

from mediacore.encode.thread_priority import priority_kept
from mediacore.errors import BitstreamError
from mediacore.rtp import (
    Av1Depacketizer,
    Av1Packetizer,
    DepacketizedFrame,
    OpusDepacketizer,
    OpusPacketizer,
    Vp8Depacketizer,
    Vp8Packetizer,
    Vp9Depacketizer,
    Vp9Packetizer,
)

SIZE = (320, 192)
FRAMES = 12
LIMIT = 400
ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "g": "6"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "6", "lag-in-frames": "0"}),
    "av1": ("libsvtav1", {"preset": "10", "svtav1-params": "rc=2:pred-struct=1:lookahead=0:keyint=6"}),
}


def pictures() -> list[av.VideoFrame]:
    rng = np.random.default_rng(3)
    frames = []
    for number in range(FRAMES):
        picture = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
        picture[: SIZE[1]] = (np.arange(SIZE[0]) + number * 9) % 230
        picture[40:80, 40:120] = rng.integers(0, 255, (40, 80))
        frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 30)
        frames.append(frame)
    return frames


def encode(name: str) -> list[av.Packet]:
    encoder, options = ENCODERS[name]
    codec = av.CodecContext.create(encoder, "w")
    codec.width, codec.height, codec.pix_fmt = *SIZE, "yuv420p"
    codec.time_base, codec.framerate, codec.bit_rate = Fraction(1, 30), Fraction(30, 1), 600_000
    codec.options = options
    with priority_kept():  # it is opened by its first frame
        packets = [packet for frame in pictures() for packet in codec.encode(frame)] + list(codec.encode(None))
    assert len(packets) == FRAMES
    return packets


@pytest.fixture(scope="module")
def encoded() -> Callable[[str], list[av.Packet]]:
    """Encoded samples, made once per codec."""
    made: dict[str, list[av.Packet]] = {}

    def get(name: str) -> list[av.Packet]:
        if name not in made:
            made[name] = encode(name)
        return made[name]

    return get


def decode(name: str, frames: list[bytes]) -> list[bytes]:
    codec = av.CodecContext.create("libdav1d" if name == "av1" else name, "r")
    decoded = [frame for data in frames for frame in codec.decode(av.Packet(data))] + list(codec.decode(None))
    return [frame.to_ndarray().tobytes() for frame in decoded]


Payloads = list[list[bytes]]


def put_together(depacketizer: Any, payloads_of_frames: Payloads) -> list[DepacketizedFrame]:
    frames: list[DepacketizedFrame] = []
    sequence_number = 65530
    for number, payloads in enumerate(payloads_of_frames):
        for index, payload in enumerate(payloads):
            frames += depacketizer.push(
                payload,
                sequence_number=sequence_number & 0xFFFF,
                timestamp=number * 3000,
                marker=index + 1 == len(payloads),
            )
            sequence_number += 1
    return frames


PAIRS: dict[str, tuple[Callable[..., Any], type, str]] = {
    "vp8": (Vp8Packetizer, Vp8Depacketizer, "vp8"),
    "vp8 with TL0PICIDX": (
        lambda limit: Vp8Packetizer(limit, picture_id=32760, tl0_pic_idx=250),
        Vp8Depacketizer,
        "vp8",
    ),
    "vp8, shortest descriptor": (lambda limit: Vp8Packetizer(limit, picture_id=None), Vp8Depacketizer, "vp8"),
    "vp9": (Vp9Packetizer, Vp9Depacketizer, "vp9"),
    "vp9, flexible": (lambda limit: Vp9Packetizer(limit, flexible=True, picture_id=32760), Vp9Depacketizer, "vp9"),
    "av1": (Av1Packetizer, Av1Depacketizer, "av1"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_decoder_sees_the_same_pictures(name: str, encoded: Callable[[str], list[av.Packet]]) -> None:
    make, depacketizer, codec = PAIRS[name]
    packets = encoded(codec)
    packetizer = make(LIMIT)
    payloads = [packetizer.packetize(packet) for packet in packets]
    sizes = [[len(payload) for payload in of_frame] for of_frame in payloads]
    assert max(max(of_frame) for of_frame in sizes) <= LIMIT
    assert max(len(of_frame) for of_frame in sizes) > 3
    frames = put_together(depacketizer(), payloads)
    assert [frame.packets for frame in frames] == [len(of_frame) for of_frame in payloads]
    assert [frame.is_key for frame in frames] == [packet.is_keyframe for packet in packets]
    assert sum(frame.is_key for frame in frames) == 2
    if codec != "av1":
        assert [frame.data for frame in frames] == [bytes(packet) for packet in packets]
    assert decode(codec, [frame.data for frame in frames]) == decode(codec, [bytes(packet) for packet in packets])


@pytest.mark.parametrize("tl0_pic_idx", [None, 255])
@pytest.mark.parametrize("picture_id", [None, 0, 32767])
def test_aiortc_reads_our_vp8_descriptors(
    picture_id: int | None, tl0_pic_idx: int | None, encoded: Callable[[str], list[av.Packet]]
) -> None:
    packetizer = Vp8Packetizer(LIMIT, picture_id=picture_id, tl0_pic_idx=tl0_pic_idx)
    for number, packet in enumerate(encoded("vp8")):
        read = b""
        for index, payload in enumerate(packetizer.packetize(packet)):
            descriptor, part = VpxPayloadDescriptor.parse(payload)
            assert (descriptor.partition_start, descriptor.partition_id) == (index == 0, 0)
            assert descriptor.picture_id == (None if picture_id is None else (picture_id + number) & 0x7FFF)
            assert descriptor.tl0picidx == (None if tl0_pic_idx is None else (tl0_pic_idx + number) & 0xFF)
            assert descriptor.tid == (None if tl0_pic_idx is None else (0, 0))
            read += part
        assert read == bytes(packet)


def test_aiortc_writes_vp8_descriptors_that_we_read() -> None:
    for descriptor in (
        VpxPayloadDescriptor(partition_start=1, partition_id=0),
        VpxPayloadDescriptor(partition_start=1, partition_id=0, picture_id=17),
        VpxPayloadDescriptor(partition_start=1, partition_id=0, picture_id=4711, tl0picidx=3, tid=(1, 1), keyidx=31),
    ):
        (frame,) = Vp8Depacketizer().push(bytes(descriptor) + b"\0frame", sequence_number=1, marker=True)
        assert (frame.data, frame.is_key) == (b"\0frame", True)


VP9_KEY = bytes.fromhex("824983420013f00bf000")
"""Uncompressed header of a key frame, profile 0, 320x192, and some bits."""


def test_vp9_descriptor_of_a_key_frame() -> None:
    """Fields of RFC 9628 4.2: I, L or F, B, E, V; picture ID 1; then the scalability structure with the size."""
    flexible = Vp9Packetizer(flexible=True, picture_id=1)
    assert flexible.packetize(VP9_KEY) == [bytes.fromhex("9e800110014000c0") + VP9_KEY]
    layered = Vp9Packetizer(picture_id=1, tl0_pic_idx=255)
    assert layered.packetize(VP9_KEY) == [bytes.fromhex("ae800100ff18014000c0010401") + VP9_KEY]


def test_vp9_descriptor_of_another_frame() -> None:
    inter = bytes.fromhex("86")
    flexible = Vp9Packetizer(flexible=True, picture_id=32767)
    assert flexible.packetize(inter) == [bytes.fromhex("dcffff02") + inter]
    layered = Vp9Packetizer(tl0_pic_idx=255)
    layered.packetize(VP9_KEY)
    assert layered.packetize(inter) == [bytes.fromhex("ec80010000") + inter]


@pytest.mark.parametrize("frame", [b"\0", b"\x82\0\0\0", VP9_KEY[:6]], ids=["marker", "sync code", "cut"])
def test_what_is_not_vp9_is_refused(frame: bytes) -> None:
    with pytest.raises(BitstreamError):
        Vp9Packetizer().packetize(frame)


def test_vp9_layers_of_a_picture_come_together() -> None:
    depacketizer = Vp9Depacketizer()
    assert depacketizer.push(bytes.fromhex("ac80010005") + b"base", sequence_number=1, marker=False) == []
    (frame,) = depacketizer.push(bytes.fromhex("ac80010305") + b"upper", sequence_number=2, marker=True)
    assert (frame.data, frame.is_key) == (b"baseupper", True)


def obu(kind: int, payload: bytes, *, sized: bool = True) -> bytes:
    assert len(payload) < 128
    return bytes([kind << 3 | (2 if sized else 0)]) + (bytes([len(payload)]) if sized else b"") + payload


def test_av1_aggregation_header_and_elements() -> None:
    """Up to three elements: W has their number and the last one no size; the sequence header sets N (4.4)."""
    delimiter, sequence, frame = obu(2, b""), obu(1, b"seq"), obu(6, b"frame")
    assert Av1Packetizer().packetize(delimiter + frame) == [b"\x10" + b"\x30frame"]
    assert Av1Packetizer().packetize(delimiter + sequence + frame) == [b"\x28" + b"\x04\x08seq" + b"\x30frame"]
    four = sequence + obu(5, b"m1") + obu(5, b"m2") + frame
    assert Av1Packetizer().packetize(four) == [
        b"\x08" + b"\x04\x08seq" + b"\x03\x28m1" + b"\x03\x28m2" + b"\x06\x30frame"
    ]
    assert Av1Packetizer().packetize(obu(15, b"padding") + obu(8, b"tiles") + obu(6, b"f", sized=False)) == [
        b"\x10\x30f"
    ]


def test_av1_fragments_are_marked_and_full() -> None:
    unit = obu(1, b"s" * 10) + b"\x32\xb0\x01" + b"f" * 176
    payloads = Av1Packetizer(64).packetize(unit)
    assert [payload[0] for payload in payloads] == [0x68, 0xD0, 0x90]
    assert [len(payload) for payload in payloads[:-1]] == [64] * 2
    (frame,) = put_together(Av1Depacketizer(), [payloads])
    assert frame.data == unit


@pytest.mark.parametrize("limit", [64, 65, 67, 131, 200])
@pytest.mark.parametrize("reductions", [(0, 0), (16, 0), (0, 16), (8, 8)])
def test_av1_units_of_all_shapes(limit: int, reductions: tuple[int, int]) -> None:
    rng = np.random.default_rng(limit)
    first, last = reductions
    packetizer = Av1Packetizer(limit, first_reduction=first, last_reduction=last)
    for _ in range(60):
        parts = [
            obu(int(rng.choice([1, 3, 4, 5, 6])), bytes(int(rng.integers(0, 127)))) for _ in range(rng.integers(1, 9))
        ]
        payloads = packetizer.packetize(b"".join(parts))
        (frame,) = put_together(Av1Depacketizer(), [payloads])
        assert frame.data == b"".join(parts)
        assert max(map(len, payloads)) <= limit
        if len(payloads) > 1:
            assert len(payloads[0]) <= limit - first
            assert len(payloads[-1]) <= limit - last
            assert all(len(payload) >= limit - 3 for payload in payloads[1:-2])


@pytest.mark.parametrize(
    "unit",
    [b"\x80", b"\x32", b"\x32\x05abc", b"\x36", b"\x32" + b"\xff" * 9],
    ids=["forbidden", "size", "cut", "ext", "leb"],
)
def test_av1_units_that_do_not_add_up(unit: bytes) -> None:
    with pytest.raises(BitstreamError):
        Av1Packetizer().packetize(unit)


def test_av1_accepts_obus_that_kept_their_size() -> None:
    (frame,) = Av1Depacketizer().push(b"\x10\x32\x05frame", sequence_number=1, marker=True)
    assert frame.data == obu(6, b"frame")


@pytest.mark.parametrize(
    "payload",
    [
        b"\x10",
        b"\x20\x05\x30",
        b"\x20\x00\x30",
        b"\x88\x30f",
        b"\x30\x01\x30\x01\x30",
        b"\x00\x80",
        b"\x10\x80",
        b"\x10\x34",
    ],
    ids=["nothing", "cut", "empty", "N and Z", "one missing", "size", "forbidden", "no extension"],
)
def test_av1_payloads_that_do_not_add_up(payload: bytes) -> None:
    with pytest.raises(BitstreamError):
        Av1Depacketizer().push(payload, sequence_number=1, marker=True)


def opus_packets() -> list[bytes]:
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = 48000, "mono", "s16"
    codec.time_base = Fraction(1, 48000)
    codec.options = {"application": "voip", "frame_duration": "20"}
    packets = []
    for number in range(20):
        wave = (np.sin(np.arange(960) / 20) * 8000).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, Fraction(1, 48000)
        packets += codec.encode(frame)
    return [bytes(packet) for packet in packets]


def test_opus_packets_are_payloads() -> None:
    packets, packetizer, depacketizer = opus_packets(), OpusPacketizer(), OpusDepacketizer()
    assert len(packets) > 10
    for number, packet in enumerate(packets):
        how = packetizer.packetize(packet)
        assert (how.marker, how.send, how.ticks) == (number == 0, True, 960)
        (frame,) = depacketizer.push(packet, sequence_number=number, timestamp=number * 960, marker=how.marker)
        assert (frame.data, frame.is_key, frame.timestamp) == (packet, True, number * 960)


def test_opus_marker_after_a_pause() -> None:
    speech, pause = b"\x78speech", b"\x78"
    for skip_dtx in (False, True):
        packetizer = OpusPacketizer(skip_dtx=skip_dtx)
        how = [packetizer.packetize(packet) for packet in (speech, speech, pause, pause, speech, speech)]
        assert [one.marker for one in how] == [True, False, False, False, True, False]
        assert [one.send for one in how] == [True, True, not skip_dtx, not skip_dtx, True, True]
        assert {one.ticks for one in how} == {960}


@pytest.mark.parametrize(
    ("packet", "ticks"),
    [
        ("00", 480),  # SILK, 10 ms
        ("18", 2880),  # SILK, 60 ms
        ("61", 960),  # hybrid, 2 x 10 ms
        ("80", 120),  # CELT, 2.5 ms
        ("9a", 1920),  # CELT, 2 x 20 ms
        ("fb06", 5760),  # CELT, 6 x 20 ms
    ],
)
def test_opus_durations(packet: str, ticks: int) -> None:
    assert OpusPacketizer().packetize(bytes.fromhex(packet)).ticks == ticks


@pytest.mark.parametrize("packet", ["", "03", "fb00", "fb07"], ids=["empty", "cut", "no frame", "140 ms"])
def test_opus_packets_that_do_not_add_up(packet: str) -> None:
    with pytest.raises(BitstreamError):
        OpusPacketizer().packetize(bytes.fromhex(packet))
    with pytest.raises(BitstreamError):
        OpusDepacketizer().push(bytes.fromhex(packet), sequence_number=0, marker=True)
