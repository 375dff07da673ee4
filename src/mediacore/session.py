"""One viewer: a WebRTC connection on a stream, from its offer to its end."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import secrets
from typing import TYPE_CHECKING

from mediacore.delivery import Delivery
from mediacore.dialogue import Dialogue
from mediacore.errors import ConnectFailedError, ConnectTimeoutError, MediacoreError
from mediacore.media import CloseReason, Grants, QueueStats, SessionStats, Wanted
from mediacore.media_loop import monotonic_us
from mediacore.rtc.description import Offered, VideoFormat
from mediacore.rtc.viewer import Viewer
from mediacore.wanted import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from mediacore.control.messages import Message
    from mediacore.media import StreamDescription
    from mediacore.media_loop import MediaLoop
    from mediacore.rtc.identity import Identity
    from mediacore.settings import RtcSettings
    from mediacore.stream.stream import Stream

log = logging.getLogger(__name__)

CLOCK_FIRST_S = 0.1
CLOCK_INTERVAL_S = 2.0
"""How often the viewer is told which RTP timestamp belongs to which time: until the first time, and from then on."""
WANT_INTERVAL_S = 0.5
"""A viewer that asks for one rendition after the other over its channel gets the newest of them, so often at most: each
may start an encoder."""
LAST_WORDS_S = 1.0
"""What a viewer's channel gets to open when there is nothing to show from the start, so that it is told why."""
RTP_HZ = 90_000


class SessionState(enum.StrEnum):
    """Where a session stands."""

    NEW = "new"
    NEGOTIATING = "negotiating"
    CONNECTING = "connecting"
    LIVE = "live"
    CLOSING = "closing"
    CLOSED = "closed"


_NEXT = {
    SessionState.NEW: {SessionState.NEGOTIATING, SessionState.CLOSING},
    SessionState.NEGOTIATING: {SessionState.CONNECTING, SessionState.CLOSING},
    SessionState.CONNECTING: {SessionState.LIVE, SessionState.CLOSING},
    SessionState.LIVE: {SessionState.CLOSING},
    SessionState.CLOSING: {SessionState.CLOSED},
    SessionState.CLOSED: set(),
}


def may_follow(state: SessionState, new: SessionState) -> bool:
    """True if a session may go from ``state`` to ``new``."""
    return new in _NEXT[state]


class Session:
    """Made by ``Engine.connect``. Ends by itself when the viewer leaves, or by ``close``."""

    def __init__(
        self,
        serial: str,
        settings: RtcSettings,
        loop: MediaLoop,
        *,
        identity: Identity,
        grants: Grants,
        wanted: Wanted,
        on_closed: Callable[[Session], None],
    ) -> None:
        self.id = secrets.token_hex(8)
        """Public name of the session, for lists and logs."""
        self.secret = f"{self.id}.{secrets.token_urlsafe(24)}"
        """Whoever knows it may end the session; it goes to the viewer only."""
        self.serial = serial
        """The device that is watched."""
        self.answer = ""
        """Our SDP answer."""
        self._settings = settings
        self._on_closed = on_closed
        self._state = SessionState.NEW
        self._created_us = monotonic_us()
        self._live_us: int | None = None
        self._reason = CloseReason.REQUESTED
        self._stream_error: MediacoreError | None = None
        self._closed = asyncio.Event()
        self._teardown: asyncio.Task[None] | None = None
        self._resources = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._described: StreamDescription | None = None
        self._rendition_told = False
        self._grants = grants
        self._wanted = wanted
        self._stream: Stream | None = None
        self._delivery: Delivery | None = None
        self._asked = wanted  # by the viewer, over its channel
        self._asks = asyncio.Event()
        self._viewer = Viewer(settings, loop, on_message=self._receive, identity=identity, public_id=self.id)
        self._dialogue = Dialogue(
            self._viewer.send_message, self._carry_out, grants=grants, on_wanted=self._ask, on_abuse=self._abused
        )

    @property
    def state(self) -> SessionState:
        """Where the session stands."""
        return self._state

    async def start(self, offer_sdp: str, stream: AbstractAsyncContextManager[Stream]) -> None:
        """Answer the offer; ICE, DTLS and the media follow in the background.

        Raises ``WantedError``, ``SdpError``, ``NoCommonCodecError``, ``ConnectTimeoutError``, ``ConnectFailedError`` if
        it is closed meanwhile, or what the device's stream raises; nothing is left behind then.
        """
        self._enter(SessionState.NEGOTIATING)
        # A task of its own, so that a close meanwhile can end it before it frees what the task works with.
        answering = self._spawn(self._answer(offer_sdp, stream))
        try:
            async with asyncio.timeout(self._settings.negotiation_timeout_s):
                await asyncio.wait({answering})
            if not answering.cancelled():
                answering.result()
            if self._teardown is not None:
                raise ConnectFailedError(f"the session on {self.serial} was closed before it began: {self._reason}")
        except TimeoutError:
            await self.close(CloseReason.CONNECT_TIMEOUT)
            raise ConnectTimeoutError(
                f"{self.serial} was not ready for a viewer within {self._settings.negotiation_timeout_s} s"
            ) from None
        except BaseException:
            await self.close(CloseReason.CONNECT_FAILED)
            raise
        self._enter(SessionState.CONNECTING)
        self._spawn(self._run())

    async def want(self, wanted: Wanted) -> None:
        """Go on with another size or frame rate; the codec stays what was negotiated, ``wanted.codecs`` plays no part.

        Raises ``WantedError`` if that cannot be, ``ConnectFailedError`` if there is no answer yet or the session ends,
        ``EncoderError`` or ``LimitError`` if it cannot be had now; the viewer goes on as before then.
        """
        if self._delivery is None:
            raise ConnectFailedError(f"the session on {self.serial} has no answer yet")
        await self._delivery.take(checked(wanted))
        self._rendition_told = False
        self._tell_rendition()

    async def wait_closed(self) -> CloseReason:
        """Waits until the session has ended and everything of it is freed; tells why it ended."""
        await self._closed.wait()
        return self._reason

    async def close(self, reason: CloseReason = CloseReason.REQUESTED) -> None:
        """End the session: the viewer is told, then everything is freed in reverse order, each step with a deadline."""
        if self._teardown is None:
            self._enter(SessionState.CLOSING)
            self._reason = reason
            log.info("session %s on %s closes: %s", self.id, self.serial, reason)
            # A task of its own: whoever calls may be cancelled, or be one of the tasks that are cancelled here.
            self._teardown = asyncio.create_task(self._tear_down(asyncio.current_task()))
        await asyncio.shield(self._teardown)

    def stats(self) -> SessionStats:
        """Figures since the offer came."""
        viewer = self._viewer.stats()
        first_us = viewer.first_packet_us
        stages = {
            "arrival_to_sent": viewer.arrival_us,
            "complete_to_sent": viewer.handed_us,
            "nack_to_resent": viewer.nack_us,
        }
        return SessionStats(
            id=self.id,
            serial=self.serial,
            state=self._state,
            age_s=(monotonic_us() - self._created_us) / 1e6,
            connect_ms=None if self._live_us is None else (self._live_us - self._created_us) / 1e3,
            first_packet_ms=None if first_us is None else (first_us - self._created_us) / 1e3,
            queue=QueueStats(
                viewer.frames_sent + viewer.frames_queued + sum(viewer.dropped.values()),
                viewer.frames_sent,
                viewer.frames_queued,
                viewer.dropped,
            ),
            packets_sent=viewer.packets_sent,
            bytes_sent=viewer.bytes_sent,
            key_frame_requests=viewer.key_frame_requests,
            server_us=viewer.server_us,
            control=dict(self._dialogue.dropped),
            viewer=dict(self._dialogue.reported),
            feedback=viewer.feedback,
            retransmitted=viewer.retransmitted,
            replays=viewer.replays,
            stages={name: delay for name, delay in stages.items() if delay is not None},
            pair=viewer.pair,
            codec=self._viewer.codec,
            wanted=self._delivery.wanted if self._delivery is not None else self._wanted,
        )

    # ------------------------------------------------------------------------------------ life

    def _enter(self, state: SessionState) -> None:
        if not may_follow(self._state, state):
            raise AssertionError(f"session {self.id}: {self._state} -> {state}")
        self._state = state

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, offer_sdp: str, stream: AbstractAsyncContextManager[Stream]) -> None:
        wanted = checked(self._wanted)
        self._stream = await self._resources.enter_async_context(stream)
        if not self._stream.rendition:
            raise ConnectFailedError(f"the stream of {self.serial} ended before the viewer could be answered")
        audio = Grants.AUDIO in self._grants
        delivery = Delivery(self._stream, self._viewer, audio=audio)
        self._resources.push_async_callback(delivery.close)
        self._resources.push_async_callback(self._viewer.close)
        media = Offered(_formats(self._stream, wanted), audio=audio and bool(self._stream.audio_rendition))
        self.answer = await self._viewer.negotiate(offer_sdp, media, self._stream.rendition)
        # Now, so that an encoder is there when the connection is.
        await delivery.take(wanted)
        self._delivery = delivery

    async def _run(self) -> None:
        """From CONNECTING to the end."""
        assert self._stream is not None
        assert self._delivery is not None
        try:
            reason = await self._live(self._stream, self._delivery)
        except ConnectTimeoutError:
            reason = CloseReason.CONNECT_TIMEOUT
        except (MediacoreError, OSError) as error:
            log.info("session %s on %s failed: %s", self.id, self.serial, error)
            reason = CloseReason.CONNECT_FAILED
        except Exception:
            log.exception("session %s on %s failed", self.id, self.serial)
            reason = CloseReason.CONNECT_FAILED
        await self.close(reason)

    async def _live(self, stream: Stream, delivery: Delivery) -> CloseReason:
        await self._viewer.connect()
        if self._teardown is not None:
            return self._reason
        self._live_us = monotonic_us()
        delivery.start()
        self._enter(SessionState.LIVE)
        if self._viewer.has_channel:
            self._spawn(self._dialogue.run())
            self._spawn(self._tell_clock())
            self._spawn(self._follow_description(stream))
            self._spawn(self._follow_asks())
        viewer_end = asyncio.create_task(self._viewer.wait_closed())
        stream_end = asyncio.create_task(self._follow_end(stream, delivery))
        try:
            await asyncio.wait({viewer_end, stream_end}, return_when=asyncio.FIRST_COMPLETED)
            if viewer_end.done():
                return viewer_end.result()
            self._stream_error = stream_end.result()
            if self._stream_error is not None:
                await self._viewer.wait_channel(LAST_WORDS_S)
            return CloseReason.STREAM_ENDED
        finally:
            viewer_end.cancel()
            stream_end.cancel()

    async def _follow_end(self, stream: Stream, delivery: Delivery) -> MediacoreError | None:
        """Waits until there is nothing more to send.

        Where an encoding fails, a viewer that takes the stream as it comes goes on with that.
        """
        while True:
            error = await delivery.wait_ended()
            if error is None or stream.ended or delivery.wanted.as_it_comes or self._viewer.codec != stream.codec:
                return error
            log.info("session %s on %s goes on with the stream as it comes: %s", self.id, self.serial, error)
            try:
                await self.want(Wanted())
            except MediacoreError:
                return error
            self._dialogue.tell("unsupported", what="want", reason=str(error))

    async def _tear_down(self, caller: asyncio.Task[object] | None) -> None:
        detail = {} if self._stream_error is None else {"detail": str(self._stream_error)}
        self._dialogue.tell("closing", reason=self._reason, **detail)
        tasks = [task for task in self._tasks if task is not caller]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(self._settings.close_timeout_s):
                await self._dialogue.lift_fingers()
        except TimeoutError:
            log.warning("session %s on %s: the device does not take the end of a touch", self.id, self.serial)
        try:
            await self._resources.aclose()
        except (MediacoreError, OSError) as error:
            log.warning("session %s on %s did not close cleanly: %s", self.id, self.serial, error)
        finally:
            self._enter(SessionState.CLOSED)
            self._on_closed(self)
            self._closed.set()

    # ------------------------------------------------------------------------------------ dialogue

    def _receive(self, message: bytes | str) -> None:
        self._dialogue.receive(message)

    async def _carry_out(self, message: Message) -> None:
        if self._stream is not None:
            await self._stream.control(message)

    def _abused(self, what: str) -> None:
        log.warning("session %s on %s: the control channel is closed after %s", self.id, self.serial, what)
        self._dialogue.tell("closing", reason=what)
        self._viewer.close_channel()

    def _ask(self, wanted: Wanted) -> None:
        self._asked = wanted
        self._asks.set()

    async def _follow_asks(self) -> None:
        while True:
            await self._asks.wait()
            self._asks.clear()
            try:
                await self.want(self._asked)
            except MediacoreError as error:
                self._dialogue.tell("unsupported", what="want", reason=str(error))
            await asyncio.sleep(WANT_INTERVAL_S)

    def _tell_rendition(self) -> None:
        if self._delivery is None or self._rendition_told:
            return
        wanted = self._delivery.wanted
        self._rendition_told = self._dialogue.tell(
            "rendition", codec=self._viewer.codec, size=wanted.size, fps=wanted.fps
        )

    async def _follow_description(self, stream: Stream) -> None:
        """A new size is told as soon as it is known, or with the clock, if no channel is open yet."""
        known: StreamDescription | None = None
        while True:
            known = await stream.next_description(known)
            self._tell_description()

    def _tell_description(self) -> None:
        description = self._stream.description if self._stream is not None else None
        if description is None or description is self._described:
            return
        told = self._dialogue.tell(
            "description", width=description.width, height=description.height, rotation=description.rotation
        )
        if told:
            self._described = description

    async def _tell_clock(self) -> None:
        """Until the first time it is tried often, for a page shows its latency from then on."""
        told = False
        while True:
            await asyncio.sleep(CLOCK_INTERVAL_S if told else CLOCK_FIRST_S)
            self._tell_description()
            self._tell_rendition()
            clock = self._viewer.rtp_clock
            if clock is not None and self._viewer.channel_open:
                told = self._dialogue.tell("clock", **_now_on(clock)) or told


def _formats(stream: Stream, wanted: Wanted) -> tuple[VideoFormat, ...]:
    """How the stream can be sent: as the viewer prefers, if it does, then as it costs the stream least."""
    able = stream.codecs()
    description = stream.description
    profile = (description.profile_level_id or None) if description is not None and stream.codec == "h264" else None
    preferred = [codec for codec in wanted.codecs if codec in able]
    return tuple(
        VideoFormat(codec.upper(), profile if codec == "h264" else None) for codec in dict.fromkeys((*preferred, *able))
    )


def _now_on(clock: tuple[int, int]) -> dict[str, int]:
    """The RTP timestamp of now, from any pair of timestamp and time: a viewer reckons with 32 bits, half a day."""
    rtp, pts_us = clock
    now_us = monotonic_us()
    return {"rtp": (rtp + (now_us - pts_us) * RTP_HZ // 1_000_000) % (1 << 32), "pts_us": now_us}
