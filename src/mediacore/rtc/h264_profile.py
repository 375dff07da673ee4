"""Which H.264 profile a ``profile-level-id`` names (RFC 6184 section 8.1), compared as libwebrtc does.

The level plays no part: browsers announce 3.1 whatever they can decode.
"""

from __future__ import annotations

import re
from typing import Final

CONSTRAINED_BASELINE: Final = "constrained-baseline"
BASELINE: Final = "baseline"
MAIN: Final = "main"
CONSTRAINED_HIGH: Final = "constrained-high"
HIGH: Final = "high"
HIGH_444: Final = "predictive-high-444"

DEFAULT_PROFILE_LEVEL_ID: Final = "42000a"
"""Baseline, level 1: what an absent ``profile-level-id`` means (RFC 6184 section 8.1)."""

# profile_idc, which bits of the constraint flags count, their value, the profile (RFC 6184 table 5).
_PATTERNS: Final = (
    (0x42, 0x4F, 0x40, CONSTRAINED_BASELINE),
    (0x4D, 0x8F, 0x80, CONSTRAINED_BASELINE),
    (0x58, 0xCF, 0xC0, CONSTRAINED_BASELINE),
    (0x42, 0x4F, 0x00, BASELINE),
    (0x58, 0xCF, 0x80, BASELINE),
    (0x4D, 0xAF, 0x00, MAIN),
    (0x64, 0xFF, 0x00, HIGH),
    (0x64, 0xFF, 0x0C, CONSTRAINED_HIGH),
    (0xF4, 0xFF, 0x00, HIGH_444),
)

_ACCEPTABLE: Final = {
    HIGH: (HIGH, CONSTRAINED_HIGH),
    CONSTRAINED_HIGH: (CONSTRAINED_HIGH, HIGH),
}
_FALLBACK: Final = (MAIN, CONSTRAINED_BASELINE, BASELINE)


def profile_of(profile_level_id: str) -> str | None:
    """The profile that six hexadecimal digits name; None if they name none that WebRTC knows."""
    if not re.fullmatch(r"[0-9a-fA-F]{6}", profile_level_id):
        return None
    idc, flags = int(profile_level_id[:2], 16), int(profile_level_id[2:4], 16)
    for pattern_idc, mask, value, profile in _PATTERNS:
        if idc == pattern_idc and flags & mask == value:
            return profile
    return None


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
