"""The encodings that are made here for one stream, each shared by all who want the same.

Policy: one starts with the first who takes it and ends after the last. How many different ones there are is bounded:
what viewers may ask for is not. One that failed is not given to anybody else; who asks again gets a new one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mediacore.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediacore.media import Target, Wanted
    from mediacore.stream.encoded import EncodedRendition

log = logging.getLogger(__name__)

MAX_RENDITIONS = 8
"""Different encodings of one stream at a time: each costs a thread and, at 720p30, some 15 % of a core."""


class Renditions:
    """Made with its stream.

    Args:
        make: a new one, for a codec and what is wanted of it; it does not run yet.
    """

    def __init__(self, make: Callable[[str, Wanted], EncodedRendition]) -> None:
        self._make = make
        self._held: list[EncodedRendition] = []
        self._closing: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[EncodedRendition]:
        return iter(tuple(self._held))

    def of(self, id: int) -> EncodedRendition | None:
        """The one that the media loop knows by this id; None if there is none."""
        return next((encoded for encoded in self._held if encoded.rendition.id == id), None)

    def hold(self, codec: str, wanted: Wanted) -> EncodedRendition:
        """One more takes such a rendition. Raises ``LimitError`` if there are too many different ones already."""
        for encoded in self._held:
            same = encoded.wanted.size == wanted.size and encoded.wanted.fps == wanted.fps
            if same and encoded.rendition.codec == codec and encoded.failure is None:
                encoded.hold()
                return encoded
        if len(self._held) >= MAX_RENDITIONS:
            raise LimitError(f"{len(self._held)} different encodings of one stream are made already, which is the limit")
        encoded = self._make(codec, wanted)
        self._held.append(encoded)
        try:
            encoded.hold()
        except BaseException:
            self._close(encoded)
            raise
        return encoded

    def release(self, encoded: EncodedRendition) -> None:
        """One who took it takes it no more; after the last one it is closed, in the background."""
        if encoded.release():
            self._close(encoded)

    def set_target(self, target: Target) -> None:
        """All follow, within what is wanted of each."""
        for encoded in self._held:
            encoded.set_target(target)

    async def close(self) -> None:
        """Close all, also those that are still taken."""
        for encoded in tuple(self._held):
            self._close(encoded)
        await asyncio.gather(*self._closing)

    def _close(self, encoded: EncodedRendition) -> None:
        if encoded in self._held:
            self._held.remove(encoded)
            task = asyncio.create_task(self._end(encoded), name="rendition's end")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _end(self, encoded: EncodedRendition) -> None:
        try:
            await encoded.close()
        except Exception:  # the task's top frame
            log.exception("an encoded rendition did not end cleanly")
