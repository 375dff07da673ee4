"""H.264 by x264: every frame at once, sliced over the cores, a new rate without an IDR picture.

The rate can be changed while it is open only if it was opened for a constant rate, and only below that (FFmpeg
compares ``bit_rate``, and x264 keeps the ``maxrate`` of the beginning): so it is opened for the ceiling.
The presets and sizes here are what benchmarks/bench_encoders.py shows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mediacore.encode.av_encoder import Tuning

if TYPE_CHECKING:
    from mediacore.encode.encoder import EncoderSettings

PRESET = "veryfast"
BUFFER_S, MORE_BUFFER_S = 0.25, 0.1
"""What may be sent at a time, in seconds of the ceiling: of its first ``SMALL_BPS``, and of what is above. It stays
when the rate falls, and key frames with it, so that there should be no more of it than a sharp page needs."""
SMALL_BPS = 2_000_000
MOST_THREADS = 4
"""Each is a slice, which costs bits."""
PROFILES = {"42": "baseline", "4d": "main", "64": "high"}
"""By profile_idc as hexadecimal digits; x264's baseline is the constrained one."""


def profile_of(profile_level_id: str | None) -> str:
    """The profile to encode for viewers that take ``profile_level_id``; every one of them takes baseline."""
    return PROFILES.get((profile_level_id or "42")[:2].lower(), "baseline")


def buffer_bits(ceiling_bps: int) -> int:
    """What may be sent at a time."""
    small_bps = min(ceiling_bps, SMALL_BPS)
    return round(small_bps * BUFFER_S + (ceiling_bps - small_bps) * MORE_BUFFER_S)


def x264(settings: EncoderSettings) -> Tuning:
    """libx264 for screens."""
    return Tuning(
        {
            "preset": PRESET,
            "tune": "zerolatency",
            "profile": profile_of(settings.profile_level_id),
            "forced-idr": "1",
            # Flat areas of screens get more bits; mode 3, dark ones too.
            "aq-mode": "3",
            "maxrate": str(settings.ceiling_bps),
            "bufsize": str(buffer_bits(settings.ceiling_bps)),
            # The buffer alone keeps the rate; x264's other means of doing so makes it 10 % less.
            "x264-params": "scenecut=0:keyint=infinite:ratetol=10",
        },
        threads=min(MOST_THREADS, os.cpu_count() or 1),
        rate="live",
        time="frames",
        opens_at_ceiling=True,
    )
