"""How many frames of one source are in memory at a time: the sum of all that holds one, so that nobody stops it.

A source has a pool of so many slots; a picture that finds none free is lost for everybody. Each ring of a stream gets
every frame and keeps the newest ones, so all rings together hold no more different frames than the longest of them.
"""

from __future__ import annotations

from typing import Final

MOST_WAITING: Final = 4
"""Frames that wait in one ring at most."""
HANDED_ROUND: Final = 1
"""The one that is being pushed: some rings have it, in others the oldest has not made room yet."""
ENCODERS: Final = 9
"""Encodings of one stream at a time, its own video and 8 more; each keeps the frame that it encoded last."""
TAKEN: Final = 4
"""Frames that consumers in Python work with; whoever keeps more, or for longer, makes copies."""
HELD: Final = MOST_WAITING + HANDED_ROUND + ENCODERS + TAKEN
"""All that may be held behind a source: 4 + 1 + 9 + 4 = 18, 70 MB at 1080x2400. The source adds its own."""
