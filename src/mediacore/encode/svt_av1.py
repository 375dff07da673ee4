"""AV1 by SVT-AV1 in its low-delay, real-time mode; PyAV's wheel has no other encoder for it.

It takes no new rate while it is open. The preset here is what benchmarks/bench_encoders.py shows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mediacore.encode.av_encoder import Tuning

if TYPE_CHECKING:
    from mediacore.encode.encoder import EncoderSettings

PRESET = 11
MOST_THREADS = 4
QUIET = ("SVT_LOG", "1")
"""Its own log goes to stderr: errors only, if the environment does not say otherwise."""


def svt_av1(settings: EncoderSettings) -> Tuning:
    """libsvtav1 for screens."""
    del settings
    os.environ.setdefault(*QUIET)
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    parameters = {"rtc": 1, "pred-struct": 1, "rc": 2, "lookahead": 0, "scm": 1, "lp": threads, "keyint": -1}
    return Tuning(
        {
            "preset": str(PRESET),
            "svtav1-params": ":".join(f"{name}={value}" for name, value in parameters.items()),
        },
        threads=0,
        time="frames",
    )
