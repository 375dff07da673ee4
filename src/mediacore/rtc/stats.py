"""Figures of one viewer's connection, made from what the media loop counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mediacore.media import Delay, DropCause, Feedback
from mediacore.rtc.channel import ChannelStats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mediacore.media import CandidatePair


@dataclass(frozen=True, slots=True)
class ViewerStats:
    """Figures of one viewer's connection."""

    packets_sent: int = 0
    """RTP packets, retransmissions included."""
    bytes_sent: int = 0
    """Their sizes as UDP carries them, summed."""
    frames_sent: int = 0
    """Access units sent to their last packet."""
    retransmitted: int = 0
    """RTP packets that were sent again."""
    not_retransmitted: int = 0
    """Packets that the viewer asked for again in vain: too old, too many, or just sent."""
    dropped: Mapping[DropCause, int] = field(default_factory=dict)
    """Access units that were not sent, by cause."""
    audio_dropped: int = 0
    """Audio packets that were not sent: too many waited."""
    frames_queued: int = 0
    """Access units that wait to be sent."""
    queued_bytes: int = 0
    """Their sizes, summed, with the retransmissions that wait."""
    replays: int = 0
    """Times that it got cached pictures instead of a new key frame."""
    key_frame_requests: int = 0
    """PLI and FIR from the viewer."""
    feedback: Feedback | None = None
    """What the viewer's RTCP tells of the way to it; None before the first report."""
    first_packet_us: int | None = None
    """When the first RTP packet left, in µs of the monotonic clock."""
    server_us: float | None = None
    """Median time from an access unit's first byte to its last packet handed to the kernel, in µs."""
    arrival_us: Delay | None = None
    """From an access unit's first byte to its last packet handed to the kernel."""
    handed_us: Delay | None = None
    """From an access unit's completion to its last packet handed to the kernel."""
    nack_us: Delay | None = None
    """From the viewer's request for a lost packet to its retransmission."""
    silent_us: int = 0
    """Time since something authenticated came from the viewer, in µs."""
    pair: CandidatePair | None = None
    """The way that media takes; None before there is one."""
    hidden_candidates: int = 0
    """The viewer's addresses that mDNS hides; they were left out."""
    dropped_candidates: int = 0
    """The viewer's addresses that cannot be used, or were too many."""
    dropped_datagrams: int = 0
    """Datagrams and checks from outside that were not taken because a limit was reached."""
    malformed_rtcp: int = 0
    """Authenticated RTCP packets that do not parse."""
    forged_rtcp: int = 0
    """RTCP packets that are not the viewer's."""
    channel: ChannelStats = field(default_factory=ChannelStats)
    """The data channel."""


def viewer_stats(
    figures: Mapping[str, float | int],
    *,
    pair: CandidatePair | None,
    hidden_candidates: int,
    dropped_candidates: int,
    dropped_datagrams: int,
    channel: ChannelStats,
) -> ViewerStats:
    """``figures``: those of the media loop, by its names; what is missing, or below 0, is not known yet."""

    def count(name: str) -> int:
        return int(figures.get(name, 0))

    def known(name: str) -> float | None:
        value = figures.get(name, -1)
        return value if value >= 0 else None

    def delay(name: str) -> Delay | None:
        p50_us, p95_us = known(f"{name}_p50"), known(f"{name}_p95")
        return Delay(p50_us, p95_us) if p50_us is not None and p95_us is not None else None

    first_packet_us, rtt_us = known("first_packet_us"), known("rtt_us")
    rate_bps = count("pacing_bps")
    feedback = Feedback(
        estimate_bps=count("remb_bps") or None,
        loss=float(figures.get("loss", 0.0)),
        rtt_us=int(rtt_us) if rtt_us is not None else None,
        queue_us=count("queued_bytes") * 8_000_000 // rate_bps if rate_bps else 0,
    )
    return ViewerStats(
        packets_sent=count("packets"),
        bytes_sent=count("bytes"),
        frames_sent=count("frames"),
        retransmitted=count("retransmitted"),
        not_retransmitted=count("nack_unknown") + count("nack_limited"),
        dropped={
            DropCause.BEFORE_KEY_FRAME: count("dropped_before_key"),
            DropCause.SLOW_CONSUMER: count("dropped_slow"),
        },
        audio_dropped=count("dropped_audio"),
        frames_queued=count("queued_frames"),
        queued_bytes=count("queued_bytes"),
        replays=count("replays"),
        key_frame_requests=count("key_frame_requests"),
        feedback=feedback if count("reports") or count("transport_feedbacks") else None,
        first_packet_us=int(first_packet_us) if first_packet_us is not None else None,
        server_us=known("arrival_us_p50"),
        arrival_us=delay("arrival_us"),
        handed_us=delay("handed_us"),
        nack_us=delay("nack_us"),
        silent_us=max(count("silent_us"), 0),
        pair=pair,
        hidden_candidates=hidden_candidates,
        dropped_candidates=dropped_candidates,
        dropped_datagrams=dropped_datagrams + count("quota_drops"),
        malformed_rtcp=count("rtcp_malformed"),
        forged_rtcp=count("rtcp_forged"),
        channel=channel,
    )
