"""Candidates in order: what is listed may not open, what opens may not work, and all of it is told."""

from __future__ import annotations

import av
import pytest
from screen_frames import SIZE, screen

from mediacore.encode import choice, hardware
from mediacore.encode.av_encoder import AvEncoder, Tuning
from mediacore.encode.choice import CANDIDATES, Candidate, open_encoder
from mediacore.encode.encoder import EncodedFrame, EncoderSettings
from mediacore.encode.x264 import x264
from mediacore.errors import EncoderError
from mediacore.media import Frame

H264 = EncoderSettings("h264", SIZE, 30.0, 1_000_000, 1_000_000)
X264 = Candidate("libx264", x264)


def no_device(name: str) -> bool:
    """True if FFmpeg has this encoder here, but it cannot be opened."""
    candidate = next(each for several in CANDIDATES.values() for each in several if each.name == name)
    try:
        AvEncoder(name, H264, candidate.tuning(H264)).close()
    except EncoderError:
        return True
    return False


def test_listed_but_opening_fails_so_the_next_one() -> None:
    listed = [
        candidate
        for candidate in CANDIDATES["h264"]
        if candidate.hardware and candidate.name in av.codecs_available and no_device(candidate.name)
    ]
    assert listed, "this machine has every encoder that FFmpeg lists"
    encoder, refusals = open_encoder(H264, candidates={"h264": (*listed, X264)})
    assert encoder.name == "libx264"
    assert [refusal.name for refusal in refusals] == [candidate.name for candidate in listed]
    assert all("cannot be opened" in refusal.reason for refusal in refusals)


@pytest.mark.parametrize("codec", CANDIDATES)
def test_each_codec_has_an_encoder_here(codec: str) -> None:
    encoder, _ = open_encoder(
        EncoderSettings(codec, SIZE, 30.0, 1_000_000, 1_000_000, "bt601" if codec == "vp8" else "bt709")
    )
    assert encoder.settings.codec == codec
    encoder.close()


def test_an_encoder_that_ffmpeg_does_not_know() -> None:
    unknown = Candidate("h264_of_mars", lambda _settings: Tuning({}))
    encoder, (refusal,) = open_encoder(H264, candidates={"h264": (unknown, X264)})
    assert (encoder.name, refusal.name) == ("libx264", "h264_of_mars")


def test_an_encoder_that_refuses_the_size() -> None:
    """H.263 in its place has five sizes only."""
    small = Candidate("h263", lambda _settings: Tuning({}))
    wide = EncoderSettings("h264", (176, 130), 30.0, 1_000_000, 1_000_000)
    encoder, (refusal,) = open_encoder(wide, candidates={"h264": (small, X264)})
    assert (encoder.name, refusal.name) == ("libx264", "h263")


class Distorting(AvEncoder):
    """x264, passed off as hardware that gets the picture wrong."""

    wrong = ""

    def encode(self, frame: Frame, *, key: bool = False) -> list[EncodedFrame]:
        if self.wrong == "planes":
            frame = Frame(frame.width, frame.height, "bt709", False, 0, frame.y, frame.v.copy(), frame.u.copy())
            frame = _contiguous(frame)
        encoded = super().encode(frame, key=key)
        if self.wrong == "late":
            return []
        if self.wrong == "garbage":
            return [EncodedFrame(b"\0\0\1\x65" + b"nonsense" * 20, 0, is_key=True)]
        if self.wrong == "size":
            other = AvEncoder("libx264", EncoderSettings("h264", (64, 64), 30.0, 10**6, 10**6), x264(H264))
            return other.encode(screen(0, (64, 64)), key=True)
        if self.wrong == "delta":
            return super().encode(frame)
        return encoded


def _contiguous(frame: Frame) -> Frame:
    block = b"".join(plane.tobytes() for plane in (frame.y, frame.u, frame.v))
    return Frame.of_block(block, frame.size, frame.width, matrix=frame.matrix)


@pytest.mark.parametrize("wrong", ["planes", "late", "garbage", "size", "delta"])
def test_hardware_that_does_not_work_is_not_used(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "AvEncoder", Distorting)
    monkeypatch.setattr(Distorting, "wrong", wrong)
    as_hardware = Candidate("libx264", x264, hardware=True)
    with pytest.raises(EncoderError, match="no encoder for h264 at 320x240: libx264: "):
        open_encoder(H264, candidates={"h264": (as_hardware,)})


def test_hardware_that_works_is_used() -> None:
    as_hardware = Candidate("libx264", x264, hardware=True)
    encoder, refusals = open_encoder(H264, candidates={"h264": (as_hardware, X264)})
    assert refusals == ()
    (packet,) = encoder.encode(screen(0), key=True)
    assert packet.is_key


def test_all_reasons_are_told() -> None:
    with pytest.raises(EncoderError, match=r"no encoder for av9 at 320x240: none is known"):
        open_encoder(EncoderSettings("av9", SIZE, 30.0, 10**6, 10**6))
    with pytest.raises(EncoderError, match="libx264: it failed at work"):
        open_encoder(H264, "libx264", without={"libx264"})


def test_only_one() -> None:
    encoder, refusals = open_encoder(H264, "libx264")
    assert (encoder.name, refusals) == ("libx264", ())
    vp9, _ = open_encoder(EncoderSettings("vp9", SIZE, 30.0, 10**6, 10**6), "libx264")
    assert vp9.name in {"libvpx-vp9", "vp9_qsv"}
    with pytest.raises(EncoderError, match="there are av1_amf"):
        open_encoder(H264, "libx265")


@pytest.mark.parametrize("tuning", [hardware.nvenc, hardware.quick_sync, hardware.amf, hardware.v4l2])
def test_hardware_is_told_only_options_that_ffmpeg_knows(tuning) -> None:  # type: ignore[no-untyped-def]
    """No machine here can open them, but a wrong name would keep them shut everywhere."""
    for several in CANDIDATES.values():
        for candidate in several:
            if candidate.tuning is tuning and candidate.name in av.codecs_available:
                known = av.CodecContext.create(candidate.name, "w").supported_options
                names = {option.name for option in (*known.generic, *known.private)}
                for profile in (None, "640c1f"):
                    wanted = EncoderSettings("h264", SIZE, 30.0, 10**6, 10**6, profile_level_id=profile)
                    assert set(tuning(wanted).options) <= names, candidate.name


def test_each_candidate_is_told_before_it_is_tried() -> None:
    unknown = Candidate("h264_of_mars", lambda _settings: Tuning({}))
    told: list[str] = []
    candidates = {"h264": (unknown, Candidate("h264_nvenc", hardware.nvenc), X264)}
    encoder, _ = open_encoder(H264, without=["h264_nvenc"], trying=told.append, candidates=candidates)
    encoder.close()
    assert told == ["h264_of_mars", "libx264"]
