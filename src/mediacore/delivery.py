"""Which of a stream's renditions a viewer gets, from its answer to its end.

Policy: a viewer holds one rendition at a time, which keeps it running; when it wants another one, that is held before
the first is let go, so that nothing in between is stopped and started again. Changes are made one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from mediacore.errors import ConnectFailedError
from mediacore.media import Wanted

if TYPE_CHECKING:
    from mediacore.errors import MediacoreError
    from mediacore.rtc.viewer import Viewer
    from mediacore.stream.stream import Stream


class Delivery:
    """Made for a viewer that has been answered; ``close`` lets go.

    Args:
        stream: what is watched.
        viewer: who watches; its codec is negotiated.
        audio: whether it gets the sound.
    """

    def __init__(self, stream: Stream, viewer: Viewer, *, audio: bool) -> None:
        self._stream = stream
        self._viewer = viewer
        self._audio = audio
        self._turn = asyncio.Lock()
        self._held = contextlib.AsyncExitStack()
        self._rendition = 0
        self._taken = asyncio.Event()  # replaced by a new one at each rendition
        self._started = False
        self._closed = False
        self.wanted = Wanted()
        """What the viewer gets now."""

    async def take(self, wanted: Wanted) -> None:
        """Get the stream in this size and at this rate from now on.

        Raises ``ConnectFailedError`` after ``close``, or what ``Stream.take`` and ``Viewer.move`` raise; the viewer
        goes on with what it had then.
        """
        async with self._turn:
            if self._closed:
                raise ConnectFailedError("the viewer has gone")
            async with contextlib.AsyncExitStack() as held:
                rendition = await held.enter_async_context(self._stream.take(self._viewer.codec, wanted))
                if self._started:
                    self._viewer.move(rendition, self._sound)
                self._rendition, self.wanted = rendition, wanted
                before, self._held = self._held, held.pop_all()
                self._taken.set()
                self._taken = asyncio.Event()
            await before.aclose()

    def start(self) -> None:
        """Send it: the viewer is connected. Raises ``LimitError`` if the media loop takes no more now."""
        self._started = True
        self._viewer.start_media(self._rendition, self._sound)

    async def wait_ended(self) -> MediacoreError | None:
        """Waits until the stream ends, or what the viewer gets of it does; the error it ended with, if any."""
        while True:
            ended = asyncio.create_task(self._stream.wait_ended(self._rendition))
            other = asyncio.create_task(self._taken.wait())
            try:
                await asyncio.wait({ended, other}, return_when=asyncio.FIRST_COMPLETED)
                if not other.done():
                    return ended.result()
            finally:
                ended.cancel()
                other.cancel()

    async def close(self) -> None:
        """Let go of what is held; nothing can be taken any more."""
        self._closed = True
        async with self._turn:
            await self._held.aclose()

    @property
    def _sound(self) -> int:
        return self._stream.audio_rendition if self._audio else 0
