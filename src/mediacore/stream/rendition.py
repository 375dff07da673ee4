"""One encoding of a stream: the media loop's rendition, and the requests for key frames of those who take it.

Policy: the media loop decides who gets a replay and tells when somebody waits for a key frame; requests are merged: at
most one per ``key_frame_interval_s`` reaches the source. If the source cannot give one, the loop is told so.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mediacore.media_loop import GOP_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mediacore.media_loop import MediaLoop

log = logging.getLogger(__name__)


class Rendition:
    """Made with the stream, removed with it.

    Args:
        loop: the media loop.
        codec: of its packets.
        replay_bytes: what a late viewer gets of cached pictures at most.
        gop_bytes: what is cached of them at most.
        beside: the id of one whose viewers take this one too; 0: none.
        key_frame_interval_s: requests are merged into at most one per this time.
        on_described: (width, height, profile, epoch), before pictures of a new kind.
        request_key_frame: asks the source; False if it cannot.
    """

    def __init__(
        self,
        loop: MediaLoop,
        codec: str,
        *,
        replay_bytes: int,
        gop_bytes: int = GOP_BYTES,
        beside: int = 0,
        key_frame_interval_s: float,
        on_described: Callable[[int, int, str, int], None],
        request_key_frame: Callable[[], Awaitable[bool]],
    ) -> None:
        self._loop = loop
        self._interval_s = key_frame_interval_s
        self._on_described = on_described
        self._request_key_frame = request_key_frame
        self._request: asyncio.Task[None] | None = None
        self._last_request_s = -1e9
        self._wanted_after = 0  # key frames that had come when one was last wanted
        self._ended = False
        self.codec = codec
        """Of its packets."""
        self.key_frame_requests = 0
        """Requests that reached the source."""
        self.id = loop.add_rendition(self, codec=codec, replay_bytes=replay_bytes, gop_bytes=gop_bytes, beside=beside)
        """The media loop's; 0 after ``close``."""
        self._figures: dict[str, int | float] = self.figures()

    def figures(self) -> dict[str, int | float]:
        """The media loop's counts and rates; after ``close`` the last ones."""
        if self.id and self._loop.running:
            self._figures = self._loop.native.rendition_figures(self.id)
        return self._figures

    def described(self, width: int, height: int, profile_level_id: str, epoch: int, pts_us: int) -> None:
        """The media loop has found out what the pictures from ``pts_us`` on are."""
        del pts_us  # the description is told at once
        self._on_described(width, height, profile_level_id, epoch)

    def key_frame_wanted(self) -> None:
        """Ask the source for a key frame; merged with other requests. Nothing is asked of a source that has ended."""
        self._wanted_after = int(self.figures()["key_frames"])
        if not self._ended and (self._request is None or self._request.done()):
            self._request = asyncio.create_task(self._ask(), name="key frame request")

    def end(self) -> None:
        """The source gives nothing more: it is not asked any more."""
        self._ended = True

    async def close(self) -> None:
        """Remove it: its taps end, its viewers get nothing more."""
        self._ended = True
        self.figures()
        id, self.id = self.id, 0
        try:
            if self._request is not None:
                self._request.cancel()
                await asyncio.gather(self._request, return_exceptions=True)
        finally:
            if id:
                await self._loop.remove(id)

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._last_request_s + self._interval_s - loop.time()))
        if int(self.figures()["key_frames"]) != self._wanted_after:
            return  # one came while we waited, after the last of those who wanted it
        self._last_request_s = loop.time()
        self.key_frame_requests += 1
        try:
            asked = await self._request_key_frame()
        except Exception:  # the top frame of whatever a publisher does
            log.exception("no key frame could be asked for")
            asked = False
        if not asked and self.id and self._loop.running:
            self._loop.native.key_frame_unavailable(self.id)
