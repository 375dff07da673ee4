"""VP8 and VP9 by libvpx in its real-time mode.

Neither takes a new rate while it is open, as FFmpeg has it. VP8 has no place for colour: it is always BT.601, limited.
VP8 has one thread: more of them wait for each other by spinning, and on busy cores a frame takes 300 ms then instead of
5. FFmpeg has no option for its token partitions, which only matter with threads. Screen content mode 2 drops frames.
The speeds and options here are what benchmarks/bench_encoders.py shows.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from mediacore.encode.av_encoder import Tuning

if TYPE_CHECKING:
    from mediacore.encode.encoder import EncoderSettings

VP8_BUFFER_S, VP9_BUFFER_S = 0.5, 0.25
"""What may be sent at a time, in seconds of the rate; VP9's key frames keep to it."""
VP8_KEY_S = 0.2
"""Largest key frame of VP8, in seconds of the rate."""
MOST_THREADS = 4
LEAST_TILE_PX = 256
"""Narrowest tile column that VP9 allows."""


def _constant_rate(settings: EncoderSettings, buffer_s: float) -> dict[str, str]:
    rate = str(settings.bitrate_bps)
    return {
        "deadline": "realtime",
        "lag-in-frames": "0",
        "maxrate": rate,
        "minrate": rate,
        "bufsize": str(round(settings.bitrate_bps * buffer_s)),
    }


def vp8(settings: EncoderSettings) -> Tuning:
    """libvpx for screens."""
    return Tuning(
        {
            **_constant_rate(settings, VP8_BUFFER_S),
            "cpu-used": "-6",
            "screen-content-mode": "1",
            # In per cent of a frame's share of the rate.
            "max-intra-rate": str(round(100 * VP8_KEY_S * settings.fps)),
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
            **_constant_rate(settings, VP9_BUFFER_S),
            "cpu-used": "7",
            "row-mt": "1",
            "tile-columns": str(int(math.log2(columns))),
            "tune-content": "screen",
            # Cyclic refresh takes the bits from key frames and new pages, which are what counts here.
            "aq-mode": "0",
        },
        threads=threads,
    )
