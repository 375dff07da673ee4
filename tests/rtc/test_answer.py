"""Plans and answers: recorded offers, tables of choices, and mutated offers."""

import re
from pathlib import Path

import pytest
from aiortc import RTCDtlsFingerprint, RTCIceCandidate
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.errors import NoCommonCodecError, SdpError
from mediacore.rtc.answer import ABS_CAPTURE_TIME, TRANSPORT_CC, plan_answer, write_answer
from mediacore.rtc.description import LocalEnd, Offer, Offered, Plan, VideoFormat
from mediacore.rtc.offer import parse_offer

DATA = Path(__file__).parent / "data"
CHROMIUM = (DATA / "chromium-156-video-data.sdp").read_text()
AUDIO_TOO = (DATA / "chromium-156-audio-video-data.sdp").read_text()
FIREFOX = (DATA / "firefox-like-video-data.sdp").read_text()
FIREFOX_LINUX = (DATA / "firefox-153-audio-video-data.sdp").read_text()
GSTREAMER = (DATA / "gstreamer-like-video.sdp").read_text()
LOCAL = LocalEnd(
    session_id=4711,
    ice_ufrag="abcd",
    ice_password="a" * 22,
    fingerprint=RTCDtlsFingerprint("sha-256", "AB:" * 31 + "CD"),
    candidates=[
        RTCIceCandidate(1, "f1", "fd00::2", 40000, 2130706431, "udp", "host"),
        RTCIceCandidate(1, "f2", "192.0.2.2", 40001, 2130706175, "udp", "host"),
    ],
    cname="someone",
    ssrc=1111,
    rtx_ssrc=2222,
    audio_ssrc=3333,
)


def parse(text: str, **limits: int) -> Offer:
    return parse_offer(text, **{"max_bytes": 65_536, "max_candidates": 50} | limits)


def plan(text: str, profile: str | None = "42c01f", video: str = "H264", *, audio: bool = False) -> Plan:
    return plan_answer(parse(text), Offered((VideoFormat(video, profile),), audio))


def answer(text: str, profile: str | None = "42c01f", video: str = "H264", *, audio: bool = False) -> list[str]:
    written = write_answer(plan(text, profile, video, audio=audio), LOCAL)
    assert written.endswith("\r\n")
    return written.split("\r\n")[:-1]


def sections(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            found.append([])
        found[-1].append(line)
    return found


@pytest.mark.parametrize(
    ("stream", "offered", "chosen"),
    [
        ("42c01f", "42001f 42e01f 4d001f 64001f", "42e01f"),  # constrained baseline in three spellings
        ("42e029", "42001f 4d801f", "4d801f"),
        ("42c01f", "58c01f 4d001f", "58c01f"),
        ("420029", "42001f 42e01f 4d001f", "42001f"),
        ("4d0028", "42e01f 4d001f", "4d001f"),
        ("4d4028", "42e01f 4d001f", "4d001f"),
        ("640028", "42e01f 4d001f 640032", "640032"),
        ("64001F", "42e01f 64001F", "64001f"),
        ("640028", "42e01f 640c1f", "640c1f"),  # as Safari offers
        ("640c28", "64001f 640c1f", "640c1f"),
        ("640028", "42001f 42e01f 4d001f f4001f", "4d001f"),  # as Chromium offers
        ("640028", "42001f 42e01f", "42e01f"),
        ("f40028", "42e01f f4001f", "f4001f"),
        (None, "640028 42e01f 4d001f", "4d001f"),
        (None, "640028 42e01f", "42e01f"),
        (None, "640028 42001f", "42001f"),
        ("ffff28", "42e01f", "42e01f"),
        ("nonsense", "42e01f", "42e01f"),
    ],
)
def test_the_profile_that_is_announced(stream: str | None, offered: str, chosen: str) -> None:
    head, _, rest = GSTREAMER.partition("m=video 9 UDP/TLS/RTP/SAVPF 96\n")
    rest = "".join(
        line + "\n" for line in rest.splitlines() if not line.startswith(("a=rtpmap", "a=fmtp", "a=rtcp-fb"))
    )
    codecs = "".join(
        f"a=rtpmap:{n} H264/90000\na=fmtp:{n} profile-level-id={profile}; packetization-mode=1\n"
        for n, profile in enumerate(offered.split(), 100)
    )
    numbers = " ".join(str(n) for n, _ in enumerate(offered.split(), 100))
    made = plan(f"{head}m=video 9 UDP/TLS/RTP/SAVPF {numbers}\n{rest}{codecs}", stream)
    assert made.video.codec.profile_level_id == chosen
    assert made.video.codec.usable


def test_chromium_gets_main_for_a_high_stream_with_retransmission_and_data() -> None:
    made = plan(CHROMIUM, "64001f")
    assert (made.video.codec.payload_type, made.video.rtx_payload_type) == (116, 117)
    assert made.video.feedback == ("nack", "nack pli", "ccm fir", "transport-cc")
    assert sorted(made.extensions.values()) == [2, 4, 5, 9]
    assert made.data is not None
    assert made.data.max_message_bytes == 262_144
    assert made.offer.candidates == ()
    assert made.offer.hidden_candidates == 4


def test_the_whole_answer_to_chromium() -> None:
    assert answer(CHROMIUM, "42c01f") == [
        "v=0",
        "o=- 4711 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=msid-semantic:WMS someone",
        "m=video 40001 UDP/TLS/RTP/SAVPF 108 109",
        "c=IN IP4 192.0.2.2",
        "a=mid:0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:" + "a" * 22,
        "a=fingerprint:sha-256 " + "AB:" * 31 + "CD",
        "a=setup:passive",
        "a=sendonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=msid:someone video",
        "a=rtpmap:108 H264/90000",
        "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtcp-fb:108 nack",
        "a=rtcp-fb:108 nack pli",
        "a=rtcp-fb:108 ccm fir",
        "a=rtcp-fb:108 transport-cc",
        "a=rtpmap:109 rtx/90000",
        "a=fmtp:109 apt=108",
        "a=ssrc-group:FID 1111 2222",
        "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        "a=ssrc:1111 cname:someone",
        "a=ssrc:2222 cname:someone",
        "a=candidate:f1 1 udp 2130706431 fd00::2 40000 typ host",
        "a=candidate:f2 1 udp 2130706175 192.0.2.2 40001 typ host",
        "a=end-of-candidates",
        "m=application 40001 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 192.0.2.2",
        "a=mid:1",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:" + "a" * 22,
        "a=fingerprint:sha-256 " + "AB:" * 31 + "CD",
        "a=setup:passive",
        "a=sctp-port:5000",
        "a=max-message-size:65536",
    ]


def test_audio_is_rejected_and_left_out_of_the_bundle() -> None:
    lines = answer(AUDIO_TOO)
    head, audio, video, data = sections(lines)
    assert "a=group:BUNDLE 1 2" in head
    assert audio[0].startswith("m=audio 0 UDP/TLS/RTP/SAVPF 111 ")
    assert "a=inactive" in audio
    assert not any(line.startswith("a=candidate") for line in audio + data)
    assert sum(line.startswith("a=candidate") for line in video) == 2


def test_audio_is_sent_where_the_stream_has_some() -> None:
    head, audio, video, data = sections(answer(AUDIO_TOO, audio=True))
    assert "a=group:BUNDLE 0 1 2" in head
    assert audio[:3] == ["m=audio 40001 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 192.0.2.2", "a=mid:0"]
    assert audio[audio.index("a=sendonly") :] == [
        "a=sendonly",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=msid:someone-audio audio",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtcp-fb:111 transport-cc",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=ssrc:3333 cname:someone",
        "a=candidate:f1 1 udp 2130706431 fd00::2 40000 typ host",
        "a=candidate:f2 1 udp 2130706175 192.0.2.2 40001 typ host",
        "a=end-of-candidates",
    ]
    assert not any(line.startswith("a=candidate") for line in video + data)


@pytest.mark.parametrize(
    "change", [("opus/48000/2", "speex/16000"), ("a=recvonly", "a=sendonly"), ("m=audio 9 ", "m=audio 0 ")]
)
def test_audio_that_the_viewer_cannot_take_is_rejected(change: tuple[str, str]) -> None:
    made = plan(AUDIO_TOO.replace(*change, 1), audio=True)
    assert made.audio is None
    assert write_answer(made, LOCAL).count("m=audio 0 ") == 1


@pytest.mark.parametrize(
    ("video", "number", "lines"),
    [
        ("VP8", 96, ["a=rtpmap:96 VP8/90000"]),
        ("VP9", 98, ["a=rtpmap:98 VP9/90000", "a=fmtp:98 profile-id=0"]),
        ("AV1", 45, ["a=rtpmap:45 AV1/90000", "a=fmtp:45 level-idx=5;profile=0;tier=0"]),
    ],
)
def test_other_codecs_are_answered_by_their_name(video: str, number: int, lines: list[str]) -> None:
    made = plan(CHROMIUM, None, video)
    assert made.video.codec.name == video
    assert number == made.video.codec.payload_type
    assert made.video.rtx_payload_type is not None
    written = write_answer(made, LOCAL)
    assert all(line in written for line in lines)
    assert "H264" not in written


@pytest.mark.parametrize(
    ("video", "change", "available"),
    [
        ("VP8", ("VP8/", "VP6/"), "VP8"),
        ("VP9", ("profile-id=0", "profile-id=2"), "VP9 profile-id=0"),
        ("AV1", ("profile=0", "profile=1"), "AV1"),
        ("AV1", ("AV1/", "AV2/"), "AV1"),
    ],
)
def test_a_viewer_without_the_codec_learns_what_there_is(video: str, change: tuple[str, str], available: str) -> None:
    with pytest.raises(NoCommonCodecError) as caught:
        plan(CHROMIUM.replace(*change), None, video)
    assert caught.value.available == (available,)
    assert "H264 42e01f packetization-mode=1" in caught.value.offered


def test_a_viewer_without_transport_feedback_sends_its_estimate() -> None:
    for gone in ("transport-cc\n", f"{TRANSPORT_CC}\n"):
        made = plan(CHROMIUM.replace(gone, "x\n"))
        assert made.video.feedback == ("nack", "nack pli", "ccm fir", "goog-remb")
        assert TRANSPORT_CC not in made.extensions
    assert "goog-remb" not in "\n".join(answer(CHROMIUM))


def test_an_extension_id_has_one_meaning_in_the_bundle() -> None:
    text = AUDIO_TOO.replace("a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", f"a=extmap:5 {ABS_CAPTURE_TIME}")
    made = plan(text.replace("a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:1 urn:x", 1), audio=True)
    assert made.audio is not None
    assert list(made.audio.extensions.values()) == [2, 3], "5 is playout-delay's, in the video section"
    assert made.extensions == {**made.video.extensions, **made.audio.extensions}
    text = CHROMIUM.replace("a=extmap:5 ", "a=extmap:4 ")
    assert sorted(plan(text).extensions.values()) == [2, 4, 9]


def test_reduced_size_rtcp_only_where_it_is_offered() -> None:
    assert "a=rtcp-rsize" not in answer(CHROMIUM.replace("a=rtcp-rsize\n", ""))


def test_firefox_bundle_only_data_without_a_fingerprint_of_its_own() -> None:
    made = plan(FIREFOX)
    assert (made.video.codec.payload_type, made.video.rtx_payload_type) == (126, 127)
    assert made.data is not None
    assert made.remote.ice_ufrag == "8f1b62a4"
    assert [(c.ip, c.port) for c in made.offer.candidates] == [("192.0.2.77", 50512), ("203.0.113.9", 50512)]
    assert made.offer.dropped_candidates == 2  # TCP, and the component of RTCP


def test_the_first_accepted_section_carries_the_transport() -> None:
    head, audio, video, data = ("\n".join(lines) for lines in sections(AUDIO_TOO.splitlines()))
    own = re.sub(r"a=ice-ufrag:\S+", "a=ice-ufrag:ofVideo", video)
    made = plan("\n".join((head, audio, own, data)))
    assert made.remote.ice_ufrag == "ofVideo", "the audio is rejected"
    made = plan("\n".join((head, audio, own, data)), audio=True)
    assert made.remote.ice_ufrag != "ofVideo"


def test_what_the_carrier_leaves_out_is_in_the_section_that_the_bundle_names_first() -> None:
    head, audio, video, data = ("\n".join(lines) for lines in sections(AUDIO_TOO.splitlines()))
    bare = re.sub(r"a=(ice-ufrag|ice-pwd|fingerprint):.*\n", "", video)
    assert bare != video
    made = plan("\n".join((head, audio, bare, data)))
    assert made.audio is None
    assert made.remote == plan(AUDIO_TOO).remote


def test_gstreamer_without_retransmission_and_without_data() -> None:
    lines = answer(GSTREAMER)
    assert "m=video 40001 UDP/TLS/RTP/SAVPF 96" in lines
    assert "a=fmtp:96 packetization-mode=1;profile-level-id=42c01f" in lines
    assert "a=ssrc:1111 cname:someone" in lines
    assert not any("2222" in line or "a=extmap" in line for line in lines)


def test_an_offer_without_usable_h264_names_both_sides() -> None:
    text = CHROMIUM.replace("packetization-mode=1", "packetization-mode=0").replace("AV1", "AV2")
    with pytest.raises(NoCommonCodecError) as caught:
        plan(text, "640028")
    assert caught.value.available == tuple(
        f"H264 {profile} packetization-mode=1" for profile in ("640028", "4d001f", "42e01f")
    )
    assert caught.value.offered[:3] == ("VP8", "VP9 profile-id=0", "VP9 profile-id=2")
    assert "AV2" in caught.value.offered


def test_h264_without_parameters_has_single_nal_mode_so_it_cannot_be_used() -> None:
    with pytest.raises(NoCommonCodecError):
        plan(GSTREAMER.replace("a=fmtp:96 packetization-mode=1;profile-level-id=42c01f\n", ""))


def test_an_absent_profile_level_id_is_baseline() -> None:
    assert plan(GSTREAMER.replace(";profile-level-id=42c01f", "")).video.codec.profile_level_id == "42000a"


def test_the_second_video_section_is_taken_if_only_it_has_h264() -> None:
    head, _, video = GSTREAMER.partition("m=video")
    video = "m=video" + video
    other = video.replace("H264", "VP8").replace("a=mid:video0", "a=mid:first")
    made = plan(head.replace("BUNDLE video0", "BUNDLE first video0") + other + video)
    assert made.video.section.mid == "video0"
    first, second = sections(write_answer(made, LOCAL).splitlines())[1:]
    assert first[0] == "m=video 0 UDP/TLS/RTP/SAVPF 96"
    assert "a=sendonly" in second


def test_extension_ids_that_need_the_long_form_are_not_used() -> None:
    made = plan(CHROMIUM.replace("a=extmap:9 ", "a=extmap:15 "))
    assert list(made.extensions.values()) == [2, 4, 5]


def test_each_recorded_offer_gives_an_answer_that_can_be_read_again(recorded_offer: str) -> None:
    for text in (recorded_offer, recorded_offer.replace("\n", "\r\n")):
        made = plan_answer(parse(text), Offered((VideoFormat("H264"), VideoFormat("VP8"))))
        again = SessionDescription.parse(write_answer(made, LOCAL))
        assert [m.rtp.muxId for m in again.media] == [s.mid for s in made.offer.sections]
        assert all(m.dtls is not None and m.dtls.role == "server" for m in again.media)


ACCEPTED_ERRORS = (SdpError, NoCommonCodecError)
OFFERS = st.sampled_from([CHROMIUM, AUDIO_TOO, FIREFOX, FIREFOX_LINUX, GSTREAMER])


@st.composite
def mutated_offers(draw: st.DrawFn) -> str:
    """An offer with some lines dropped, doubled, moved, cut or with characters changed."""
    lines = draw(OFFERS).splitlines()
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["drop", "double", "move", "cut", "change", "insert"]))
        line = lines[at]
        if kind == "drop" and len(lines) > 1:
            del lines[at]
        elif kind == "double":
            lines.insert(at, line)
        elif kind == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        elif kind == "cut":
            lines[at] = line[: draw(st.integers(0, len(line)))]
        elif kind == "change":
            place = draw(st.integers(0, len(line)))
            lines[at] = line[:place] + draw(st.text(max_size=4)) + line[place + draw(st.integers(0, 3)) :]
        else:
            lines.insert(
                at, draw(st.sampled_from(["a=", "m=", "a", "a=:", "=", "c=", "v="])) + draw(st.text(max_size=9))
            )
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines)


@settings(max_examples=150, deadline=None)
@given(mutated_offers(), st.sampled_from([None, "42c01f", "640028", "x"]))
def test_a_mutated_offer_is_answered_or_refused_with_the_documented_errors(text: str, profile: str | None) -> None:
    try:
        made = plan_answer(parse(text), Offered((VideoFormat("H264", profile), VideoFormat("AV1"), VideoFormat("VP8"))))
    except ACCEPTED_ERRORS:
        return
    written = write_answer(made, LOCAL)
    lines = written.split("\r\n")
    assert len(lines) == len(written.splitlines()) + 1, "nothing of the offer breaks a line of the answer"
    assert sum(line.startswith("m=") for line in lines) == len(made.offer.sections)
    SessionDescription.parse(written)
