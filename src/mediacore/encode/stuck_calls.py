"""Threads that are stuck in an encoder: nothing can end them, so they are counted, and there are only so many.

Policy: an encoder that ``most`` threads are stuck in is not opened anew until one of them comes back; where it is open
it goes on, so that each rendition that is at it can add one thread more. Thread rule: any thread.
"""

from __future__ import annotations

import threading
from collections import Counter

MOST_STUCK = 8
"""Of one encoder; each thread holds an encoder and a frame, some 50 MB at 1080x2400."""


class StuckCalls:
    """Counts threads until they end."""

    def __init__(self, most: int = MOST_STUCK) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._names: dict[threading.Thread, str] = {}

    def add(self, name: str, thread: threading.Thread) -> None:
        """This thread does not come back from this encoder. May be repeated."""
        with self._lock:
            self._names[thread] = name

    def full(self) -> list[str]:
        """Encoders that are not to be opened now."""
        with self._lock:
            if not self._names:
                return []
            self._names = {thread: name for thread, name in self._names.items() if thread.is_alive()}
            return [name for name, count in Counter(self._names.values()).items() if count >= self._most]


STUCK_HERE = StuckCalls()
"""Those of this process, whichever rendition they were of: it outlives them all, as the threads do."""
