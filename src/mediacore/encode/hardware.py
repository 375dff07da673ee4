"""Encoders of graphics cards and processors, as far as FFmpeg has them; each counts only after a test frame.

None of them was run where this was written: no machine there has one (docs/encoders.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediacore.encode.av_encoder import Tuning
from mediacore.encode.x264 import profile_of

if TYPE_CHECKING:
    from mediacore.encode.encoder import EncoderSettings

BUFFER_S = 0.25


def _constant_rate(settings: EncoderSettings) -> dict[str, str]:
    return {
        "maxrate": str(settings.bitrate_bps),
        "bufsize": str(round(settings.bitrate_bps * BUFFER_S)),
    }


def _h264_profile(settings: EncoderSettings, baseline: str) -> dict[str, str]:
    if settings.codec != "h264":
        return {}
    profile = profile_of(settings.profile_level_id)
    return {"profile": baseline if profile == "baseline" else profile}


def nvenc(settings: EncoderSettings) -> Tuning:
    """NVIDIA: h264_nvenc, av1_nvenc."""
    return Tuning(
        {
            **_constant_rate(settings),
            **_h264_profile(settings, "baseline"),
            "preset": "p4",
            "tune": "ull",
            "rc": "cbr",
            "zerolatency": "1",
            "delay": "0",
            "forced-idr": "1",
        }
    )


def quick_sync(settings: EncoderSettings) -> Tuning:
    """Intel: h264_qsv, vp9_qsv, av1_qsv."""
    return Tuning(
        {
            **_constant_rate(settings),
            **_h264_profile(settings, "baseline"),
            "preset": "veryfast",
            "async_depth": "1",
            "forced_idr": "1",
        },
        pixel_format="nv12",
    )


def amf(settings: EncoderSettings) -> Tuning:
    """AMD: h264_amf, av1_amf."""
    return Tuning(
        {
            **_constant_rate(settings),
            **_h264_profile(settings, "constrained_baseline"),
            "usage": "ultralowlatency",
            "rc": "cbr",
            "forced_idr": "1",
        },
        pixel_format="nv12",
    )


def v4l2(settings: EncoderSettings) -> Tuning:
    """Boards whose encoder is a V4L2 device: h264_v4l2m2m, vp8_v4l2m2m."""
    del settings
    return Tuning({}, colour=False)
