"""A decoder in a thread of its own, fed from asyncio.

Policy: one packet at a time is in the thread; what waits, waits in the tap that it comes from, which is bounded and
drops by groups of pictures. A call that does not come back in time is given up together with its thread: nothing can
end one that runs native code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from typing import TYPE_CHECKING, Protocol

from mediacore.errors import DecoderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.media import Frame, Packet

log = logging.getLogger(__name__)

DEADLINE_S = 2.0
"""For one packet. The largest pictures take 0.1 s."""
CLOSE_S = 1.0
"""For what is being decoded at the end."""


class Decoder(Protocol):
    """What the thread works with: a ``VideoDecoder``."""

    needs_key_frame: bool

    def decode(self, packet: Packet, *, show: bool = True) -> Frame | None: ...
    def close(self) -> None: ...


class DecoderWorker:
    """From its making to ``close``; all calls on the asyncio loop that made it.

    Args:
        decoder: it is closed in the end.
        push: takes each frame, in the decoder's thread; must not wait.
        deadline_s: for one packet.
    """

    def __init__(self, decoder: Decoder, push: Callable[[Frame], None], *, deadline_s: float = DEADLINE_S) -> None:
        self._decoder = decoder
        self._push = push
        self._deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._work: queue.SimpleQueue[tuple[Packet, bool, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._ended = asyncio.Event()
        self._shut = False  # read by the thread: what comes out of it then is nobody's any more
        self.stuck = False
        """True once its thread had to be given up."""
        threading.Thread(target=self._run, name="decoder", daemon=True).start()

    @property
    def needs_key_frame(self) -> bool:
        """True if nothing comes out before the next key frame."""
        return self._decoder.needs_key_frame

    async def decode(self, packet: Packet, *, show: bool = True) -> None:
        """Decode one packet, and push its frame if there is one and ``show``; returns when it has been.

        Raises ``DecoderError`` if the decoder gives the stream up, or did not come back within the deadline.
        """
        done: asyncio.Future[None] = self._loop.create_future()
        self._work.put((packet, show, done))
        try:
            async with asyncio.timeout(self._deadline_s):
                await done
        except TimeoutError:
            self.stuck = self._shut = True
            raise DecoderError(
                f"a packet of {len(packet.data)} bytes has not been decoded within {self._deadline_s} s"
            ) from None

    async def close(self) -> None:
        """End the thread; no frame is pushed any more. One that is stuck is left behind."""
        self._shut = True
        self._work.put(None)
        try:
            async with asyncio.timeout(0 if self.stuck else CLOSE_S):
                await self._ended.wait()
        except TimeoutError:
            self.stuck = True
            log.warning("a decoder did not end: its thread is left behind")

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            packet, show, done = work
            failure: DecoderError | None = None
            try:
                frame = self._decoder.decode(packet, show=show)
                if frame is not None and not self._shut:
                    self._push(frame)
            except DecoderError as error:
                failure = error
            except Exception as error:  # the top frame of the thread
                log.exception("the decoder failed")
                failure = DecoderError(f"the decoder failed: {error!r}")
            self._tell(_settle, done, failure)
        self._decoder.close()
        self._tell(self._ended.set)

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the asyncio loop is closed: nobody waits
            self._loop.call_soon_threadsafe(call, *args)


def _settle(done: asyncio.Future[None], failure: DecoderError | None) -> None:
    if done.done():
        return  # whoever waited was cancelled, or had waited long enough
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
