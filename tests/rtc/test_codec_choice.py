"""Which codec a viewer gets: the first of the stream's that it takes, and how its level is answered."""

from pathlib import Path

import pytest

from mediacore.errors import NoCommonCodecError
from mediacore.rtc.answer import plan_answer, write_answer
from mediacore.rtc.description import LocalEnd, Offered, Plan, VideoFormat
from mediacore.rtc.offer import parse_offer

DATA = Path(__file__).parent / "data"
CHROMIUM = (DATA / "chromium-156-video-data.sdp").read_text()
FIREFOX_LINUX = (DATA / "firefox-153-audio-video-data.sdp").read_text()
GSTREAMER = (DATA / "gstreamer-like-video.sdp").read_text()


def plan(offer: str, *names: str, audio: bool = False) -> Plan:
    """What is sent of a stream that has these formats."""
    formats = tuple(VideoFormat(name, "42c01f" if name == "H264" else None) for name in names)
    return plan_answer(parse_offer(offer, max_bytes=65_536, max_candidates=50), Offered(formats, audio))


@pytest.mark.parametrize(
    ("available", "offer", "chosen"),
    [
        ("H264 VP9 VP8 AV1", CHROMIUM, "H264"),
        ("VP8 H264", CHROMIUM, "VP8"),
        ("H264 VP9 VP8 AV1", FIREFOX_LINUX, "VP9"),
        ("H264 AV1 VP9", FIREFOX_LINUX, "AV1"),
        ("H264 VP9 VP8", GSTREAMER, "H264"),
        ("VP9 VP8 H264", GSTREAMER, "H264"),
    ],
)
def test_the_first_format_that_the_viewer_takes_is_sent(available: str, offer: str, chosen: str) -> None:
    made = plan(offer, *available.split())
    assert made.video.codec.name == chosen


def test_a_viewer_without_any_of_the_formats_learns_all_of_them() -> None:
    with pytest.raises(NoCommonCodecError) as caught:
        plan(GSTREAMER.replace("H264", "H265"), "H264", "VP9", "VP8", "AV1")
    assert caught.value.offered == ("H265",)
    assert caught.value.available == (
        "H264 42c01f packetization-mode=1",
        "H264 4d001f packetization-mode=1",
        "H264 42e01f packetization-mode=1",
        "VP9 profile-id=0",
        "VP8",
        "AV1",
    )


def test_h264_of_another_mode_is_no_h264() -> None:
    text = CHROMIUM.replace("packetization-mode=1", "packetization-mode=0")
    assert plan(text, "H264", "VP8").video.codec.name == "VP8"


@pytest.mark.parametrize(
    ("told", "answered"),
    [
        ("level-idx=5;profile=0;tier=0", "level-idx=5;profile=0;tier=0"),
        ("level-idx=8", "level-idx=8;profile=0"),
        ("profile=0;tier=1", "profile=0;tier=1"),
        ("level-idx=-1;tier=none", "profile=0"),
    ],
)
def test_level_and_tier_of_av1_are_told_back(told: str, answered: str, local: LocalEnd) -> None:
    text = CHROMIUM.replace("a=fmtp:45 level-idx=5;profile=0;tier=0", f"a=fmtp:45 {told}")
    assert f"a=fmtp:45 {answered}\r\n" in write_answer(plan(text, "AV1"), local)


def test_firefox_on_linux_without_its_plugin() -> None:
    made = plan(FIREFOX_LINUX, "VP8", audio=True)
    assert (made.video.codec.payload_type, made.video.rtx_payload_type) == (120, 124)
    assert made.audio is not None
    assert made.data is not None
    assert sorted(made.video.extensions.values()) == [3, 4, 6, 7]
    with pytest.raises(NoCommonCodecError) as caught:
        plan(FIREFOX_LINUX, "H264")
    assert caught.value.offered == ("VP8", "VP9 profile-id=0", "AV1")
