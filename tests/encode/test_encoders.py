"""Each encoder: one frame in, one packet out, key frames on demand, colours that survive, rates that are kept."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from screen_frames import PATCHES, SIZE, decode, frame, patches, screen

from mediacore.encode.av_encoder import AvEncoder
from mediacore.encode.choice import CANDIDATES
from mediacore.encode.encoder import EncoderSettings
from mediacore.encode.x264 import x264
from mediacore.errors import EncoderError
from mediacore.media import Frame

CODECS = ("h264", "vp8", "vp9", "av1")


def settings(codec: str, size: tuple[int, int] = SIZE, bitrate_bps: int = 1_000_000, **more: object) -> EncoderSettings:
    matrix = more.pop("matrix", "bt601" if codec == "vp8" else "bt709")
    return EncoderSettings(codec, size, 30.0, bitrate_bps, more.pop("ceiling_bps", bitrate_bps), matrix, **more)


def opened(wanted: EncoderSettings) -> AvEncoder:
    """The software encoder."""
    candidate = CANDIDATES[wanted.codec][-1]
    return AvEncoder(candidate.name, wanted, candidate.tuning(wanted))


@pytest.mark.parametrize("codec", CODECS)
def test_one_frame_in_one_packet_out(codec: str) -> None:
    wanted = settings(codec)
    encoder = opened(wanted)
    encoded = []
    for number in range(12):
        (packet,) = encoder.encode(screen(number, matrix=wanted.matrix), key=number in (0, 7))
        assert packet.pts_us == number * 33_333
        encoded.append(packet)
    encoder.close()
    assert [number for number, packet in enumerate(encoded) if packet.is_key] == [0, 7]
    assert len(decode(codec, encoded)) == 12
    assert len(decode(codec, encoded[7:])) == 5, "decoding can start at a key frame"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
def test_colours(codec: str, matrix: str) -> None:
    """Patches come back within 3 levels, and the decoder is told the matrix where there is a place for it."""
    wanted = settings(codec, matrix=matrix)
    encoder = opened(wanted)
    encoded = [packet for number in range(4) for packet in encoder.encode(screen(0, matrix=matrix), key=number == 0)]
    picture = decode(codec, encoded)[-1]
    for is_now, was in zip(patches(picture), PATCHES, strict=True):
        assert max(abs(a - b) for a, b in zip(is_now, was, strict=True)) <= 3, (is_now, was)
    if codec != "vp8":
        assert picture.colorspace == (1 if matrix == "bt709" else 5)
    if codec == "h264":
        assert (picture.color_primaries, picture.color_trc) == (1, 13)
    assert picture.color_range in {0, 1}, "limited"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [(64, 64), (66, 130), (318, 238)])
def test_odd_shapes(codec: str, size: tuple[int, int]) -> None:
    wanted = settings(codec, size)
    encoder = opened(wanted)
    encoded = [packet for _ in range(3) for packet in encoder.encode(frame(size, wanted.matrix))]
    assert [(picture.width, picture.height) for picture in decode(codec, encoded)] == [size] * 3


def test_h264_as_webrtc_wants_it() -> None:
    """Annex B, constrained baseline, SPS and PPS before each IDR picture, no B frames."""
    for profile_level_id, profile in ((None, 0x42), ("42e01f", 0x42), ("4D001f", 0x4D), ("640c1f", 0x64), ("f4", 0x42)):
        encoder = opened(settings("h264", profile_level_id=profile_level_id))
        for number in range(4):
            (packet,) = encoder.encode(screen(number), key=number == 2)
            data = bytes(packet.data)
            units = [data[found.end()] & 31 for found in re.finditer(b"\0\0\1", data)]
            if number in (0, 2):
                assert units[:2] == [7, 8]
                assert set(units[2:]) <= {5, 6}
                sps = data[data.index(b"\0\0\1") + 4 :]
                assert sps[0] == profile
                assert profile != 0x42 or sps[1] & 0x40, "constrained"
            else:
                assert set(units) == {1}


@pytest.mark.parametrize("codec", CODECS)
def test_what_it_is_not_open_for(codec: str) -> None:
    wanted = settings(codec)
    encoder = opened(wanted)
    with pytest.raises(EncoderError, match="not for"):
        encoder.encode(frame((16, 16), wanted.matrix))
    with pytest.raises(EncoderError, match="not for"):
        encoder.encode(frame(SIZE, "bt709" if codec == "vp8" else "bt601"))
    encoder.close()
    encoder.close()
    with pytest.raises(EncoderError, match="closed"):
        encoder.encode(frame(SIZE, wanted.matrix))
    assert not encoder.set_bitrate(500_000)


def test_x264_follows_a_rate_without_a_key_frame() -> None:
    """Another FFmpeg may differ: this is what the installed one does."""
    encoder = opened(settings("h264", bitrate_bps=600_000))
    sizes, keys = [], 0
    for number in range(240):
        if number % 80 == 0:
            assert encoder.set_bitrate([600_000, 150_000, 600_000][number // 80])
        # Every frame is another page, so that the rate is used.
        (packet,) = encoder.encode(screen(number * 37))
        sizes.append(len(packet.data))
        keys += packet.is_key
    rates = [sum(sizes[at + 40 : at + 80]) * 8 * 30 // 40 for at in (0, 80, 160)]
    assert keys == 1
    for rate, wanted in zip(rates, (600_000, 150_000, 600_000), strict=True):
        assert rate == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize("codec", ["vp8", "vp9", "av1"])
def test_the_others_say_that_they_must_be_opened_again(codec: str) -> None:
    encoder = opened(settings(codec))
    assert encoder.set_bitrate(1_000_000)
    assert not encoder.set_bitrate(500_000)


@pytest.mark.parametrize("codec", CODECS)
def test_a_long_pause_does_not_make_one_huge_frame(codec: str) -> None:
    wanted = settings(codec, bitrate_bps=400_000)
    encoder = opened(wanted)
    times = [number * 33_333 for number in range(30)]
    times += [times[-1] + 60_000_000 + number * 33_333 for number in range(10)]
    sizes = []
    for number, pts_us in enumerate(times):
        shown = screen(number * 37, matrix=wanted.matrix)
        object.__setattr__(shown, "pts_us", pts_us)
        sizes.extend(len(packet.data) for packet in encoder.encode(shown))
    assert max(sizes[30:]) < 400_000 / 8 / 2, "half a second of the rate"


def test_time_base_of_a_rate_that_is_no_integer() -> None:
    wanted = EncoderSettings("h264", SIZE, 29.97, 1_000_000, 1_000_000)
    encoder = opened(wanted)
    assert len(encoder.encode(screen(0))) == 1


def test_hardware_takes_its_own_order_of_chroma() -> None:
    """NV12 comes of the same frames, without a change of colours; x264 stands for what is not here."""
    wanted = settings("h264")
    encoder = AvEncoder("libx264", wanted, replace(x264(wanted), pixel_format="nv12"))
    encoded = [packet for _ in range(4) for packet in encoder.encode(screen(0))]
    picture = decode("h264", encoded)[-1]
    for is_now, was in zip(patches(picture), PATCHES, strict=True):
        assert max(abs(a - b) for a, b in zip(is_now, was, strict=True)) <= 3


@pytest.mark.parametrize("codec", CODECS)
def test_a_key_frame_of_the_worst_picture_stays_small(codec: str) -> None:
    """Noise: 0.4 s of the rate at most after a second of it, 0.6 where the quantizer is at its coarsest then."""
    wanted = settings(codec, bitrate_bps=1_000_000)
    encoder = opened(wanted)
    random = np.random.default_rng(3)
    size = 0
    for number in range(31):
        block = random.integers(16, 235, SIZE[0] * SIZE[1] * 3 // 2, np.uint8)
        noise = Frame.of_block(block.data, SIZE, SIZE[0], matrix=wanted.matrix, pts_us=number * 33_333)
        (packet,) = encoder.encode(noise, key=number in (0, 30))
        size = len(packet.data)
    assert packet.is_key
    assert size * 8 < (0.6 if codec in {"vp8", "av1"} else 0.4) * 1_000_000
