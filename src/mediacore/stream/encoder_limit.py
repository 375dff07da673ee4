"""How many encoders may run at a time, over all streams of an engine.

Policy: one that is being ended counts until it has. Thread rule: one asyncio loop.
"""

from __future__ import annotations

from mediacore.errors import LimitError
from mediacore.settings import MAX_ENCODERS


class EncoderLimit:
    """Shared by all who start encoders.

    Args:
        most: encoders at a time.
    """

    def __init__(self, most: int = MAX_ENCODERS) -> None:
        self._most = most
        self.running = 0
        """Encoders that count now."""

    def take(self) -> None:
        """One more is started. Raises ``LimitError`` if there are as many as may be."""
        if self.running >= self._most:
            raise LimitError(f"{self.running} encoders run already, which is the limit (max_encoders)")
        self.running += 1

    def give_back(self) -> None:
        """One has ended."""
        self.running -= 1
