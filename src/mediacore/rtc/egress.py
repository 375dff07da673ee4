"""What the media loop is told of one viewer: its keys, numbers, payload types and pace."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from mediacore import _core
from mediacore.rtc.answer import PLAYOUT_DELAY

if TYPE_CHECKING:
    from mediacore.rtc.description import Plan
    from mediacore.rtc.transport import SrtpKeys
    from mediacore.settings import RtcSettings

FIRST_SEQUENCE_BITS: Final = 15
"""A first sequence number in the lower half lets every receiver see the first wrap (RFC 3711 section 3.3.1)."""


@dataclass(frozen=True, slots=True)
class RtpNumbers:
    """The random numbers of one viewer's RTP streams (RFC 3550 sections 5.1 and 6.5.1)."""

    cname: str
    """RTCP canonical name."""
    ssrc: int
    """SSRC of the video."""
    rtx_ssrc: int
    """SSRC of retransmissions."""
    audio_ssrc: int
    """SSRC of the audio."""
    timestamp_origin: int
    """RTP timestamp of the video at PTS 0."""
    audio_timestamp_origin: int
    """RTP timestamp of the audio at PTS 0."""
    first_sequences: tuple[int, int, int]
    """Of video, retransmissions, audio."""

    @classmethod
    def random(cls) -> Self:
        """New ones; the SSRCs differ."""
        ssrc = 1 + secrets.randbelow(2**32 - 3)
        first, second, third = (secrets.randbits(FIRST_SEQUENCE_BITS) for _ in range(3))
        return cls(
            cname=f"mediacore-{secrets.token_hex(4)}",
            ssrc=ssrc,
            rtx_ssrc=ssrc + 1,
            audio_ssrc=ssrc + 2,
            timestamp_origin=secrets.randbits(32),
            audio_timestamp_origin=secrets.randbits(32),
            first_sequences=(first, second, third),
        )


def egress_config(plan: Plan, keys: SrtpKeys, numbers: RtpNumbers, settings: RtcSettings) -> _core.ViewerConfig:
    """How the media loop sends to this viewer."""
    audio = plan.audio
    return _core.ViewerConfig(
        profile=keys.profile,
        exported=keys.exported,
        video_ssrc=numbers.ssrc,
        video_payload_type=plan.video.codec.payload_type,
        rtx_ssrc=numbers.rtx_ssrc,
        rtx_payload_type=plan.video.rtx_payload_type or 0,
        audio_ssrc=numbers.audio_ssrc,
        audio_payload_type=audio.codec.payload_type if audio is not None else 0,
        video_mid=plan.video.section.mid,
        audio_mid=audio.section.mid if audio is not None else "",
        extension_ids=dict(plan.extensions),
        playout_delay_ms=settings.playout_delay_ms if PLAYOUT_DELAY in plan.extensions else None,
        cname=numbers.cname,
        video_timestamp_origin=numbers.timestamp_origin,
        audio_timestamp_origin=numbers.audio_timestamp_origin,
        first_sequences=numbers.first_sequences,
        pacing={
            "start_rate_bps": settings.start_rate_bps,
            "enabled": settings.pacing,
            "max_queue_us": settings.max_queue_ms * 1000,
        },
    )
