"""AV1 by SVT-AV1 in its low-delay, real-time mode; PyAV's wheel has no other encoder for it.

It takes no new rate while it is open. Its rate control keeps to the rate only in a flat hierarchy, and hardly limits
key frames. The preset and parameters here are what benchmarks/bench_encoders.py shows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mediacore.encode.av_encoder import Tuning

if TYPE_CHECKING:
    from mediacore.encode.encoder import EncoderSettings

PRESET = 10
BUFFER_S = 0.1
"""What may be sent at a time, in seconds of the rate; key frames come out about four times as large."""
FINEST_QUANTIZER = 16
"""Of 63. Finer ones cannot be told from it on text, and make key frames of pages with photographs huge."""
PIXELS_PER_LEVEL = 1_500_000
MOST_LEVELS = 4
"""Of parallelism; each costs some processor time more for the same picture."""
QUIET = ("SVT_LOG", "1")
"""Its own log goes to stderr: errors only, if the environment does not say otherwise."""


def svt_av1(settings: EncoderSettings) -> Tuning:
    """libsvtav1 for screens."""
    os.environ.setdefault(*QUIET)
    width, height = settings.size
    levels = min(1 + width * height // PIXELS_PER_LEVEL, MOST_LEVELS, os.cpu_count() or 1)
    parameters = {
        "rtc": 1,
        "pred-struct": 1,
        "hierarchical-levels": 0,
        "lookahead": 0,
        "rc": 2,
        "min-qp": FINEST_QUANTIZER,
        # Palette and intra block copy.
        "scm": 1,
        "lp": levels,
        "keyint": -1,
    }
    return Tuning(
        {
            "preset": str(PRESET),
            "maxrate": str(settings.bitrate_bps),
            "bufsize": str(round(settings.bitrate_bps * BUFFER_S)),
            "svtav1-params": ":".join(f"{name}={value}" for name, value in parameters.items()),
        },
        threads=0,
        time="frames",
    )
