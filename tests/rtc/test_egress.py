"""What the media loop is told of a viewer, and what is made of its figures."""

from pathlib import Path
from typing import Any

import pytest

from mediacore import _core
from mediacore.media import CandidatePair, Delay, DropCause, Feedback
from mediacore.rtc.answer import plan_answer
from mediacore.rtc.channel import ChannelStats
from mediacore.rtc.description import Offered, Plan, VideoFormat
from mediacore.rtc.egress import RtpNumbers, egress_config
from mediacore.rtc.offer import parse_offer
from mediacore.rtc.stats import ViewerStats, viewer_stats
from mediacore.rtc.transport import SrtpKeys
from mediacore.settings import RtcSettings

DATA = Path(__file__).parent / "data"
KEYS = SrtpKeys(7, bytes(56))
NUMBERS = RtpNumbers("someone", 1, 2, 3, 4000, 5000, (6, 7, 8))


def plan(name: str, *, audio: bool = False) -> Plan:
    text = (DATA / f"{name}.sdp").read_text()
    return plan_answer(
        parse_offer(text, max_bytes=65_536, max_candidates=50), Offered((VideoFormat("H264", "42c01f"),), audio)
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The native configuration cannot be looked into."""
    monkeypatch.setattr(_core, "ViewerConfig", dict)


def test_everything_that_was_negotiated_is_told(told: None) -> None:
    made: Any = egress_config(
        plan("chromium-156-audio-video-data", audio=True),
        KEYS,
        NUMBERS,
        RtcSettings(playout_delay_ms=(0, 100), pacing=False, start_rate_bps=5_000_000),
    )
    assert made == {
        "profile": 7,
        "exported": bytes(56),
        "video_ssrc": 1,
        "video_payload_type": 108,
        "rtx_ssrc": 2,
        "rtx_payload_type": 109,
        "audio_ssrc": 3,
        "audio_payload_type": 111,
        "video_mid": "1",
        "audio_mid": "0",
        "extension_ids": {
            "urn:ietf:params:rtp-hdrext:sdes:mid": 4,
            "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": 2,
            "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": 3,
            "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay": 5,
        },
        "playout_delay_ms": (0, 100),
        "cname": "someone",
        "video_timestamp_origin": 4000,
        "audio_timestamp_origin": 5000,
        "first_sequences": (6, 7, 8),
        "pacing": {"start_rate_bps": 5_000_000, "enabled": False, "max_queue_us": 1_000_000},
    }


def test_what_was_not_negotiated_is_not_told(told: None) -> None:
    made: Any = egress_config(plan("gstreamer-like-video"), KEYS, NUMBERS, RtcSettings())
    assert (made["rtx_payload_type"], made["audio_payload_type"], made["audio_mid"]) == (0, 0, "")
    assert made["extension_ids"] == {}
    assert made["playout_delay_ms"] is None


def test_the_native_configuration_takes_it() -> None:
    for name in ("chromium-156-audio-video-data", "gstreamer-like-video", "firefox-like-video-data"):
        assert isinstance(egress_config(plan(name), KEYS, NUMBERS, RtcSettings()), _core.ViewerConfig)


def test_numbers_differ_and_leave_room_for_the_first_wrap() -> None:
    seen = [RtpNumbers.random() for _ in range(200)]
    assert all(0 < n.ssrc < n.rtx_ssrc < n.audio_ssrc < 2**32 for n in seen)
    assert all(0 <= first < 2**15 for n in seen for first in n.first_sequences)
    assert len({n.ssrc for n in seen}) == len({n.timestamp_origin for n in seen}) == len({n.cname for n in seen}) == 200


PAIR = CandidatePair("192.0.2.1:1", "host", "192.0.2.2:2", "prflx")
CHANNEL = ChannelStats(messages_sent=3)


def stats(**figures: float) -> ViewerStats:
    return viewer_stats(
        figures, pair=PAIR, hidden_candidates=1, dropped_candidates=2, dropped_datagrams=3, channel=CHANNEL
    )


def test_figures_get_their_names() -> None:
    made = stats(
        frames=1,
        packets=2,
        bytes=3,
        retransmitted=4,
        nack_unknown=5,
        nack_limited=6,
        key_frame_requests=7,
        replays=8,
        reports=9,
        rtcp_forged=10,
        rtcp_malformed=11,
        dropped_before_key=12,
        dropped_slow=13,
        dropped_audio=14,
        rtt_us=15,
        loss=0.25,
        remb_bps=16,
        queued_bytes=1000,
        queued_frames=17,
        pacing_bps=8_000_000,
        first_packet_us=18,
        silent_us=19,
        quota_drops=20,
        arrival_us_p50=21.5,
        arrival_us_p95=22.5,
        handed_us_p50=23,
        handed_us_p95=24,
        nack_us_p50=25,
        nack_us_p95=26,
    )
    assert made == ViewerStats(
        packets_sent=2,
        bytes_sent=3,
        frames_sent=1,
        retransmitted=4,
        not_retransmitted=11,
        dropped={DropCause.BEFORE_KEY_FRAME: 12, DropCause.SLOW_CONSUMER: 13},
        audio_dropped=14,
        frames_queued=17,
        queued_bytes=1000,
        replays=8,
        key_frame_requests=7,
        feedback=Feedback(estimate_bps=16, loss=0.25, rtt_us=15, queue_us=1000),
        first_packet_us=18,
        server_us=21.5,
        arrival_us=Delay(21.5, 22.5),
        handed_us=Delay(23, 24),
        nack_us=Delay(25, 26),
        silent_us=19,
        pair=PAIR,
        hidden_candidates=1,
        dropped_candidates=2,
        dropped_datagrams=23,
        malformed_rtcp=11,
        forged_rtcp=10,
        channel=CHANNEL,
    )


def test_what_is_not_known_yet_is_none() -> None:
    made = stats(rtt_us=-1, first_packet_us=-1, arrival_us_p50=-1, arrival_us_p95=-1, silent_us=-1)
    assert (made.feedback, made.first_packet_us, made.server_us, made.arrival_us) == (None, None, None, None)
    assert made.silent_us == 0
    later = stats(transport_feedbacks=1, rtt_us=-1, remb_bps=0)
    assert later.feedback == Feedback(estimate_bps=None, loss=0.0, rtt_us=None, queue_us=0)
