"""Packets to frames: what comes out, what damage does, and the limits."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mediacore.decode.decoder import (
    DAMAGED_IN_A_WHILE,
    ERRORS_IN_A_ROW,
    MAX_PACKET_BYTES,
    SLOTS,
    WHILE_US,
    VideoDecoder,
)
from mediacore.encode.thread_priority import priority_kept
from mediacore.errors import DecoderError
from mediacore.h264 import AccessUnitParser
from mediacore.media import DropCause, Packet

ENCODERS = {"h264": "libx264", "vp8": "libvpx", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
GREY = (90, 110, 150)
"""Y, U and V of what is encoded below."""


def packet_of(data: bytes, n: int = 1, *, key: bool, codec: str = "h264", epoch: int = 1) -> Packet:
    return Packet("video", codec, data, n * 1000, key, epoch, n * 1000)


def encoded(codec: str, size: tuple[int, int], pix_fmt: str = "yuv420p", x264: str = "") -> bytes:
    """A key frame of one colour."""
    encoder = av.CodecContext.create(ENCODERS[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt = pix_fmt
    encoder.time_base = Fraction(1, 30)
    encoder.bit_rate = 1_000_000
    encoder.options = {"tune": "zerolatency", "x264-params": x264} if codec == "h264" else {}
    frame = av.VideoFrame(*size, pix_fmt)
    for plane, colour in zip(frame.planes, GREY, strict=True):
        plane.update(bytes([colour]) * plane.buffer_size)
    frame.pts = 0
    with priority_kept():  # it is opened by its first frame
        return bytes([*encoder.encode(frame), *encoder.encode(None)][0])


@pytest.fixture(scope="module")
def units(recordings: Callable[..., Path]) -> list[Packet]:
    """Twelve pictures; each fourth is a key frame."""
    parser = AccessUnitParser()
    found = parser.push(recordings(frames=12, gop=4).read_bytes())
    last = parser.flush()
    assert last is not None
    return [packet_of(bytes(unit.data), n, key=unit.is_idr) for n, unit in enumerate([*found, last], 1)]


def test_each_packet_gives_its_frame_at_once_like_ffmpeg(units: list[Packet]) -> None:
    decoder, oracle = VideoDecoder("h264"), av.CodecContext.create("h264", "r")
    assert isinstance(oracle, av.VideoCodecContext)
    oracle.options = {"flags": "low_delay"}
    for packet in units:
        frame = decoder.decode(packet)
        (expected,) = oracle.decode(av.Packet(bytes(packet.data)))
        assert frame is not None
        assert (frame.size, frame.matrix, frame.full_range, frame.pts_us) == (
            (160, 128),
            "bt709",
            False,
            packet.pts_us,
        )
        planes = np.vstack((frame.y.reshape(-1, 160), frame.u.reshape(-1, 160), frame.v.reshape(-1, 160)))
        assert (planes == expected.to_ndarray()).all()
    assert not decoder.dropped


@pytest.mark.parametrize("codec", ENCODERS)
def test_every_codec_that_is_published_is_decoded(codec: str) -> None:
    decoder = VideoDecoder(codec)
    frame = decoder.decode(packet_of(encoded(codec, (178, 130)), key=True, codec=codec))
    assert frame is not None
    assert frame.size == (178, 130)
    for plane, colour in zip((frame.y, frame.u, frame.v), GREY, strict=True):
        assert abs(int(plane.mean()) - colour) <= 2


def test_pictures_that_come_in_another_order_are_put_in_theirs(recordings: Callable[..., Path]) -> None:
    parser = AccessUnitParser()
    found = parser.push(recordings(frames=12, gop=12, preset="medium", tune="film", bf="2").read_bytes())
    decoder = VideoDecoder("h264")
    frames = [decoder.decode(packet_of(bytes(unit.data), n, key=unit.is_idr)) for n, unit in enumerate(found)]
    shown = [int(frame.y[0, 0]) for frame in frames if frame is not None]
    assert len(shown) > 6
    assert shown == sorted(shown), "each is lighter than the one before"


def rgb_of(yuv: tuple[float, float, float], kr: float, kb: float, *, full: bool) -> tuple[float, float, float]:
    """H.273 section 8.3, in floating point."""
    y, u, v = (yuv[0], yuv[1] - 128, yuv[2] - 128)
    y, u, v = (y / 255, u / 255, v / 255) if full else ((y - 16) / 219, u / 224, v / 224)
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    return red, (y - kr * red - kb * blue) / (1 - kr - kb), blue


@pytest.mark.parametrize(
    ("x264", "kr", "kb", "full"),
    [
        ("", 0.2126, 0.0722, False),
        ("colormatrix=bt709", 0.2126, 0.0722, False),
        ("colormatrix=smpte170m", 0.299, 0.114, False),
        ("colormatrix=bt470bg:fullrange=on", 0.299, 0.114, True),
        ("colormatrix=bt709:fullrange=on", 0.2126, 0.0722, True),
    ],
)
def test_whatever_a_stream_says_of_its_colours_frames_are_bt709_in_limited_range(
    x264: str, kr: float, kb: float, full: bool
) -> None:
    frame = VideoDecoder("h264").decode(packet_of(encoded("h264", (64, 48), x264=x264), key=True))
    assert frame is not None
    assert (frame.matrix, frame.full_range) == ("bt709", False)
    colour = float(frame.y.mean()), float(frame.u.mean()), float(frame.v.mean())
    for is_now, was in zip(rgb_of(colour, 0.2126, 0.0722, full=False), rgb_of(GREY, kr, kb, full=full), strict=True):
        assert abs(is_now - was) < 0.015


def test_begins_with_a_key_frame(units: list[Packet]) -> None:
    decoder = VideoDecoder("h264")
    assert [decoder.decode(packet) is None for packet in units[2:6]] == [True, True, False, False]
    assert decoder.dropped == {DropCause.BEFORE_KEY_FRAME: 2}


def test_what_is_not_to_be_shown_is_decoded_for_those_that_follow(units: list[Packet]) -> None:
    decoder, other = VideoDecoder("h264"), VideoDecoder("h264")
    assert [decoder.decode(packet, show=False) for packet in units[:3]] == [None] * 3
    for packet in units[:3]:
        other.decode(packet)
    frame, expected = decoder.decode(units[3]), other.decode(units[3])
    assert frame is not None
    assert expected is not None
    assert (frame.y == expected.y).all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:40] + bytes(len(data) - 40),
        lambda data: b"\0\0\0\1\x41\x9a",
        lambda data: b"junk",
        lambda data: b"\0",
    ],
)
def test_damage_shows_nothing_until_the_next_key_frame(units: list[Packet], spoil: Callable[[bytes], bytes]) -> None:
    decoder = VideoDecoder("h264")
    spoilt = [*units]
    spoilt[1] = replace(units[1], data=spoil(bytes(units[1].data)))
    shown = [decoder.decode(packet) is not None for packet in spoilt[:8]]
    assert shown == [True, False, False, False, True, True, True, True]
    assert decoder.dropped == {DropCause.DECODER_FAILED: 1, DropCause.BEFORE_KEY_FRAME: 2}
    assert not decoder.needs_key_frame


def test_nothing_but_damage_ends_it(units: list[Packet]) -> None:
    decoder = VideoDecoder("h264")
    spoilt = replace(units[0], data=b"\0\0\0\1\x65\x88")
    for _ in range(ERRORS_IN_A_ROW - 1):
        assert decoder.decode(spoilt) is None
    with pytest.raises(DecoderError, match=f"{ERRORS_IN_A_ROW} times in a row"):
        decoder.decode(spoilt)
    decoder = VideoDecoder("h264", now_us=iter(range(0, 1 << 62, WHILE_US)).__next__)
    for _ in range(ERRORS_IN_A_ROW * 2):
        assert decoder.decode(spoilt) is None
        assert decoder.decode(units[0]) is not None, "a good picture starts their count anew"


def test_damage_again_and_again_ends_it_whatever_comes_in_between(units: list[Packet]) -> None:
    """A good key frame before each damaged picture started the count anew: key frames were asked for without end."""
    clock_us = [0]
    decoder = VideoDecoder("h264", now_us=lambda: clock_us[0])
    spoilt = replace(units[1], data=bytes(units[1].data)[:40])

    def damaged() -> None:
        assert decoder.decode(units[0]) is not None
        assert decoder.decode(spoilt) is None

    for _ in range(40):
        clock_us[0] += WHILE_US // 6
        damaged()
    clock_us[0] += WHILE_US + 1
    for _ in range(DAMAGED_IN_A_WHILE - 1):
        damaged()
    clock_us[0] += WHILE_US
    with pytest.raises(DecoderError, match=r"damaged 8 times in 10\.0 s"):
        damaged()


class Gives:
    """Instead of FFmpeg: so many pictures for each packet, as where they are put in order."""

    def __init__(self, counts: list[int]) -> None:
        self.counts = iter(counts)

    def decode(self, packet: av.Packet) -> list[av.VideoFrame]:
        pictures = [av.VideoFrame(64, 48, "yuv420p") for _ in range(next(self.counts))]
        for picture in pictures:
            picture.pts = packet.pts
        return pictures


@pytest.mark.parametrize(
    ("counts", "dropped"),
    [
        ([1, 1, 1, 1], {}),
        ([0, 1, 1, 1], {DropCause.DECODER_FAILED: 1}),
        ([0, 2, 1, 1], {DropCause.DECODER_FAILED: 1}),
        ([1, 3, 1, 1], {DropCause.OVERFLOW: 2}),
        ([0, 3, 0, 0], {DropCause.DECODER_FAILED: 3, DropCause.OVERFLOW: 1}),
    ],
)
def test_every_packet_gives_a_picture_or_is_counted(
    units: list[Packet], monkeypatch: pytest.MonkeyPatch, counts: list[int], dropped: dict[DropCause, int]
) -> None:
    """Those that gave none, and pictures that came together with a newer one, were in no figure."""
    decoder, instead = VideoDecoder("h264"), Gives(counts)
    monkeypatch.setattr(decoder, "_opened", lambda: instead)
    for packet in units[:4]:
        decoder.decode(packet)
    assert decoder.dropped == dropped


def test_pictures_that_are_too_large_end_it_with_the_reason(units: list[Packet]) -> None:
    with pytest.raises(DecoderError, match="160x128 are too large"):
        VideoDecoder("h264", max_pixels=160 * 127).decode(units[0])
    with pytest.raises(DecoderError, match="bytes, more than"):
        VideoDecoder("h264").decode(replace(units[0], data=bytes(MAX_PACKET_BYTES + 1)))
    decoder = VideoDecoder("vp8", max_pixels=1000)
    data = encoded("vp8", (160, 128))
    for _ in range(ERRORS_IN_A_ROW - 1):
        assert decoder.decode(packet_of(data, key=True, codec="vp8")) is None
    with pytest.raises(DecoderError):
        decoder.decode(packet_of(data, key=True, codec="vp8"))


def test_other_samples_than_ours_end_it_with_the_reason() -> None:
    with pytest.raises(DecoderError, match="yuv444p"):
        VideoDecoder("h264").decode(packet_of(encoded("h264", (64, 64), "yuv444p"), key=True))
    with pytest.raises(DecoderError, match="theora is not decoded"):
        VideoDecoder("theora")


def test_a_new_epoch_may_have_another_size(units: list[Packet]) -> None:
    decoder = VideoDecoder("h264")
    assert decoder.decode(units[0]) is not None
    frame = decoder.decode(packet_of(encoded("h264", (96, 64)), key=True, epoch=2))
    assert frame is not None
    assert frame.size == (96, 64)


def test_frames_that_are_kept_cost_others_and_are_counted(units: list[Packet]) -> None:
    decoder = VideoDecoder("h264")
    kept = [decoder.decode(units[0]) for _ in range(SLOTS + 2)]
    assert kept[SLOTS - 1] is not None
    assert kept[SLOTS] is kept[SLOTS + 1] is None
    assert decoder.dropped == {DropCause.POOL_EXHAUSTED: 2}
    del kept
    assert decoder.decode(units[0]) is not None
    decoder.close()
    decoder.close()
