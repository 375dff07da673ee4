"""VP8 and VP9 by libvpx in its real-time mode.

Neither takes a new rate while it is open, as FFmpeg has it. VP8 has no place for colour: it is always BT.601, limited.
The speeds and options here are what benchmarks/bench_encoders.py shows.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from mediacore.encode.av_encoder import Tuning

if TYPE_CHECKING:
    from mediacore.encode.encoder import EncoderSettings

BUFFER_S = 0.5
MOST_THREADS = 4
LEAST_TILE_PX = 256
"""Narrowest tile column that VP9 allows."""


def _constant_rate(settings: EncoderSettings) -> dict[str, str]:
    rate = str(settings.bitrate_bps)
    return {
        "deadline": "realtime",
        "lag-in-frames": "0",
        "error-resilient": "0",
        "maxrate": rate,
        "minrate": rate,
        "bufsize": str(round(settings.bitrate_bps * BUFFER_S)),
    }


def vp8(settings: EncoderSettings) -> Tuning:
    """libvpx for screens."""
    return Tuning(
        {
            **_constant_rate(settings),
            "cpu-used": "-8",
            "screen-content-mode": "1",
            "static-thresh": "1",
            "max-intra-rate": "300",
        },
        threads=1,
        colour=False,
    )


def vp9(settings: EncoderSettings) -> Tuning:
    """libvpx-vp9 for screens."""
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    columns = max(1, min(threads, settings.size[0] // LEAST_TILE_PX))
    return Tuning(
        {
            **_constant_rate(settings),
            "cpu-used": "8",
            "row-mt": "1",
            "tile-columns": str(int(math.log2(columns))),
            "tune-content": "screen",
            "aq-mode": "3",
        },
        threads=threads,
    )
