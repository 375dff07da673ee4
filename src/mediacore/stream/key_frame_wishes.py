"""When a decoder that has met damage may ask for a key frame: each one may cost a restart of the device's encoder.

Policy: the first wish is granted at once. While one follows the other the pause between them doubles, and after a pause
that was twice as long as it had to be it begins anew. Time is an argument.
"""

from __future__ import annotations

from typing import Final

FIRST_PAUSE_US: Final = 1_000_000
"""After the first wish."""
LONGEST_PAUSE_US: Final = 32_000_000
"""The most: frames stand still for so long where every group of pictures is damaged."""


class KeyFrameWishes:
    """Of one stream, over all its decoders."""

    def __init__(self) -> None:
        self._last_us: int | None = None
        self._pause_us = FIRST_PAUSE_US

    def grants(self, now_us: int) -> bool:
        """True if a key frame may be asked for now; it counts as asked for then."""
        if self._last_us is not None:
            since_us = now_us - self._last_us
            if since_us < self._pause_us:
                return False
            calm = since_us >= 2 * self._pause_us
            self._pause_us = FIRST_PAUSE_US if calm else min(2 * self._pause_us, LONGEST_PAUSE_US)
        self._last_us = now_us
        return True
