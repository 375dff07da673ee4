"""Under which H.264 profiles a stream is announced (RFC 6184 section 8.1).

The level plays no part: browsers announce 3.1 whatever they can decode.
"""

from __future__ import annotations

from typing import Final

from mediacore.h264 import ProfileLevelId

CONSTRAINED_BASELINE: Final = "constrained-baseline"
BASELINE: Final = "baseline"
MAIN: Final = "main"
CONSTRAINED_HIGH: Final = "constrained-high"
HIGH: Final = "high"

DEFAULT_PROFILE_LEVEL_ID: Final = "42000a"
"""Baseline, level 1: what an absent ``profile-level-id`` means (RFC 6184 section 8.1)."""

_ACCEPTABLE: Final = {
    HIGH: (HIGH, CONSTRAINED_HIGH),
    CONSTRAINED_HIGH: (CONSTRAINED_HIGH, HIGH),
}
_FALLBACK: Final = (MAIN, CONSTRAINED_BASELINE, BASELINE)


def profile_of(profile_level_id: str) -> str | None:
    """The profile that six hexadecimal digits name; None if they name none that WebRTC knows."""
    named = ProfileLevelId.parse(profile_level_id)
    return named.profile if named is not None else None


def preference(profile_level_id: str | None) -> tuple[str, ...]:
    """The profiles under which a stream may be announced, best first.

    Its true one; where a viewer does not have that, Main, then Constrained Baseline, then Baseline: decoders go by the
    SPS and play a High stream under those names too.

    Args:
        profile_level_id: the stream's; None if it is not known yet.
    """
    true = profile_of(profile_level_id) if profile_level_id is not None else None
    first = _ACCEPTABLE.get(true, (true,)) if true is not None else ()
    return (*first, *(profile for profile in _FALLBACK if profile not in first))
