"""Which encoders one rendition still trusts."""

from __future__ import annotations

from collections import Counter

MOST_FAILURES = 3
"""Of one encoder; then the next candidate is taken, and when there is none the rendition fails."""
GOOD_FRAMES = 30
"""One after the other, that make up for failures before them."""


class Trust:
    """What was seen of each encoder, by name. One that is trusted no more never is again."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()
        self._opened: set[str] = set()
        self._good = 0

    def knows(self, name: str) -> bool:
        """True if it was open before."""
        return name in self._opened

    def opened(self, name: str) -> None:
        """It is the one at work now."""
        self._opened.add(name)

    def failed(self, name: str) -> None:
        """It gave an error, or did not come back. One that was never open is not tried a second time."""
        self._failures[name] = self._failures[name] + 1 if self.knows(name) else MOST_FAILURES
        self._good = 0

    def worked(self, name: str) -> None:
        """A frame came out of it."""
        if 0 < self._failures[name] < MOST_FAILURES:
            self._good += 1
            if self._good >= GOOD_FRAMES:
                del self._failures[name]
                self._good = 0

    def lost(self) -> list[str]:
        """Those that are passed over."""
        return [name for name, failures in self._failures.items() if failures >= MOST_FAILURES]
