"""One viewer's connection: offer and answer, ICE, DTLS, media out, control in, and the end of it all.

Policy: every step has a deadline, and whatever ends the connection, first come, frees everything: tasks, timers, what
the media loop holds. aiortc's parts are stopped in the reverse order of their making and are never cancelled while they
stop, which would leave tasks behind; what has not stopped in time can send nothing more. Runs on one asyncio loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from typing import TYPE_CHECKING, Final

from mediacore.errors import ConnectFailedError, ConnectTimeoutError, MediacoreError
from mediacore.media import CloseReason
from mediacore.rtc import contract
from mediacore.rtc.answer import plan_answer, write_answer
from mediacore.rtc.channel import ChannelStats, ControlChannel
from mediacore.rtc.description import LocalEnd
from mediacore.rtc.egress import RtpNumbers, egress_config
from mediacore.rtc.identity import Identity
from mediacore.rtc.offer import parse_offer
from mediacore.rtc.stats import ViewerStats, viewer_stats
from mediacore.rtc.transport import ViewerTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mediacore.media_loop import MediaLoop
    from mediacore.rtc.description import Offered, Plan
    from mediacore.settings import RtcSettings

log = logging.getLogger(__name__)

LEAST_CLOSE_S: Final = 0.05
"""What each step of closing gets even when the steps before have used up the time."""


class Viewer:
    """One viewer, from its offer to its end: ``negotiate``, ``connect``, ``start_media``, ``close``.

    Args:
        settings: deadlines and limits.
        loop: the media loop that sends to it.
        on_message: gets each message of the data channel: ``str`` for text, ``bytes`` for binary; must not block.
        identity: the certificate, to be shared by viewers; by default one of its own.
        public_id: the session's name, hexadecimal digits; it begins our ICE user name fragment, by which captured
            packets tell whose they are. A random one by default.
        number: which transport of the session this is.
    """

    def __init__(
        self,
        settings: RtcSettings,
        loop: MediaLoop,
        *,
        on_message: Callable[[bytes | str], None],
        identity: Identity | None = None,
        public_id: str | None = None,
        number: int = 1,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._on_message = on_message
        self._identity = identity or Identity()
        self._ufrag = f"{public_id or secrets.token_hex(8)}+{number}"
        self._numbers = RtpNumbers.random()
        self._plan: Plan | None = None
        self._transport: ViewerTransport | None = None
        self._channel: ControlChannel | None = None
        self._connected = False
        self._sending = False
        self._closers: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._reason: CloseReason | None = None
        self._tearing_down: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @property
    def codec(self) -> str:
        """Of the video, once it is negotiated: ``h264``, ``vp8``, ``vp9`` or ``av1``; empty before."""
        return self._plan.video.codec.name.lower() if self._plan is not None else ""

    @property
    def has_channel(self) -> bool:
        """True once the viewer has a data channel, open or about to be; plain WHEP players have none."""
        return self._channel is not None

    @property
    def channel_open(self) -> bool:
        """True while messages can be sent."""
        return self._channel is not None and self._channel.is_open

    @property
    def rtp_clock(self) -> tuple[int, int] | None:
        """An (RTP timestamp, PTS in µs) of the video, by which the page can turn one into the other; None before media.

        The timestamp grows by 0.09 per µs, modulo 2**32.
        """
        return (self._numbers.timestamp_origin, 0) if self._sending else None

    async def negotiate(self, offer_sdp: str, media: Offered, rendition: int) -> str:
        """Make the answer to an offer; the viewer's checks are answered from then on. If it fails, nothing is left.

        Args:
            offer_sdp: the viewer's offer.
            media: what the stream can send.
            rendition: the media loop's number of a rendition; only those of its thread can be sent later on.

        Raises:
            SdpTooLargeError, SdpError: the offer cannot be used.
            NoCommonCodecError: the viewer takes no video that we can send.
            NoLocalAddressError: this machine has no address to offer.
            DependencyMismatchError: aiortc or aioice is not the release that is needed.
            LimitError: the media loop takes no more now.
            ConnectTimeoutError: it took longer than ``negotiation_timeout_s``.
        """
        if self._plan is not None or self._reason is not None:
            raise RuntimeError("a viewer negotiates once")
        deadline_s = self._settings.negotiation_timeout_s
        try:
            async with asyncio.timeout(deadline_s):
                return await self._negotiate(offer_sdp, media, rendition)
        except TimeoutError:
            await self.close(CloseReason.CONNECT_TIMEOUT)
            raise ConnectTimeoutError(f"no answer could be made within {deadline_s:g} s; try again") from None
        except BaseException:
            await self.close(CloseReason.CONNECT_FAILED)
            raise

    async def connect(self) -> None:
        """Run ICE and DTLS, and begin SCTP if the viewer wants a data channel. If it fails, nothing is left.

        Raises:
            ConnectTimeoutError: it took longer than ``connect_timeout_s``.
            ConnectFailedError: ICE or DTLS failed, or the connection was closed meanwhile.
        """
        if self._plan is None or self._transport is None:
            raise RuntimeError("negotiate first")
        self._check_open("connecting", succeeded=True)
        # A task of its own, so that the teardown can end it before it closes what the task works with.
        establishing = asyncio.create_task(self._establish(self._plan, self._transport), name="viewer connect")
        self._closers.append(("connecting", _cancels(establishing)))
        deadline_s = self._settings.connect_timeout_s
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.wait({establishing})
            self._check_open("connecting", succeeded=not establishing.cancelled())
            establishing.result()
        except TimeoutError:
            await self.close(CloseReason.CONNECT_TIMEOUT)
            raise ConnectTimeoutError(
                f"the viewer was not connected within {deadline_s:g} s: it has gone, or reaches none of the answer's "
                "addresses by UDP"
            ) from None
        except BaseException:
            await self.close(CloseReason.CONNECT_FAILED)
            raise

    def start_media(self, rendition: int, audio: int = 0) -> None:
        """Send a rendition, and that of the audio unless it is 0; both of the thread that was negotiated with.

        Does nothing on a connection that has ended. Raises ``LimitError`` if the media loop takes no more now.
        """
        if self._reason is not None:
            return
        if self._transport is None or not self._connected:
            raise RuntimeError("connect first")
        self._transport.attach(rendition, audio)
        self._sending = True

    def move(self, rendition: int, audio: int = 0) -> None:
        """Go on with another rendition at its next key frame; sequence numbers and timestamps run on."""
        self.start_media(rendition, audio)

    def stop_media(self) -> None:
        """Send nothing for now; the connection stays."""
        if self._transport is not None:
            self._transport.detach()

    def send_message(self, message: str | bytes) -> bool:
        """Send text or binary over the data channel; False if it was dropped (and counted) instead."""
        return self._channel is not None and self._channel.send(message)

    async def wait_channel(self, timeout_s: float) -> bool:
        """Waits until the data channel can be used; False if there is none, or not within ``timeout_s``."""
        if self._channel is None:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._channel.opened.wait()
        return self.channel_open

    def close_channel(self) -> None:
        """Close the data channel, after what is queued was sent; the video goes on."""
        if self._channel is not None:
            self._channel.close()

    async def wait_closed(self) -> CloseReason:
        """Wait until the connection has ended and everything is freed; why it ended."""
        await self._closed.wait()
        return self._reason or CloseReason.REQUESTED

    async def close(self, reason: CloseReason = CloseReason.REQUESTED) -> None:
        """End the connection, tell the viewer, free everything; returns within ``close_timeout_s`` or little more.

        The first reason counts. May be called at any time, by anyone; cancelling it does not stop the closing.
        """
        await asyncio.shield(self._end(reason))

    def stats(self) -> ViewerStats:
        """Figures so far; zeros before there is an answer."""
        if self._plan is None or self._transport is None:
            return ViewerStats()
        return viewer_stats(
            self._transport.figures(),
            pair=self._transport.pair(),
            hidden_candidates=self._plan.offer.hidden_candidates,
            dropped_candidates=self._plan.offer.dropped_candidates,
            dropped_datagrams=self._transport.dropped_datagrams,
            channel=self._channel.stats() if self._channel is not None else ChannelStats(),
        )

    async def _negotiate(self, offer_sdp: str, media: Offered, rendition: int) -> str:
        contract.check()
        limits = self._settings
        offer = parse_offer(offer_sdp, max_bytes=limits.max_sdp_bytes, max_candidates=limits.max_candidates)
        plan = plan_answer(offer, media)
        self._transport = transport = self._make_transport()
        candidates = await transport.open(rendition)
        self._check_open("gathering addresses", succeeded=True)
        ufrag, password = transport.ice_parameters
        numbers = self._numbers
        answer = write_answer(
            plan,
            LocalEnd(
                session_id=secrets.randbits(62),
                ice_ufrag=ufrag,
                ice_password=password,
                fingerprint=transport.fingerprint,
                candidates=candidates,
                cname=numbers.cname,
                ssrc=numbers.ssrc,
                rtx_ssrc=numbers.rtx_ssrc,
                audio_ssrc=numbers.audio_ssrc,
            ),
        )
        self._plan = plan
        return answer

    def _make_transport(self) -> ViewerTransport:
        transport = ViewerTransport(
            self._loop,
            self._settings,
            certificate=self._identity.certificate(),
            ufrag=self._ufrag,
            on_end=self._ended,
        )
        # In the reverse order: the viewer is told by DTLS, ICE ends, and then the media loop forgets the viewer.
        self._closers += [
            ("media loop", transport.remove),
            ("ICE", transport.close_ice),
            ("DTLS", transport.close_dtls),
        ]
        return transport

    async def _establish(self, plan: Plan, transport: ViewerTransport) -> None:
        keys = await transport.establish(plan.remote, plan.offer.candidates)
        self._check_open("DTLS", succeeded=True)
        transport.start(egress_config(plan, keys, self._numbers, self._settings))
        if plan.data is not None:
            self._channel = ControlChannel(transport.dtls, on_message=self._on_message)
            self._closers.append(("SCTP", self._channel.stop))
            await self._channel.start(plan.data)
            self._check_open("SCTP", succeeded=True)
        self._connected = True

    def _check_open(self, step: str, *, succeeded: bool) -> None:
        if self._reason is not None or not succeeded:
            raise ConnectFailedError(f"the connection was closed during {step}")

    def _ended(self, reason: CloseReason) -> None:
        """As ``close``, for callbacks."""
        self._end(reason)

    def _end(self, reason: CloseReason) -> asyncio.Task[None]:
        if self._tearing_down is None:
            self._reason = reason
            self._tearing_down = asyncio.create_task(self._tear_down(), name="viewer teardown")
        return self._tearing_down

    async def _tear_down(self) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._settings.close_timeout_s
        while self._closers:
            name, close = self._closers.pop()
            closing = asyncio.ensure_future(close())
            await asyncio.wait({closing}, timeout=max(LEAST_CLOSE_S, deadline_s - loop.time()))
            if not closing.done():
                log.warning("%s did not stop in time", name)
                if self._transport is not None:
                    self._transport.abort()
            elif not closing.cancelled() and closing.exception() is not None:
                log.error("%s could not be stopped", name, exc_info=closing.exception())
        self._closed.set()


def _cancels(task: asyncio.Task[None]) -> Callable[[], Awaitable[None]]:
    """Cancels a task and waits for its end."""

    async def close() -> None:
        task.cancel()
        await asyncio.wait({task})
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, MediacoreError):
            log.error("%s failed", task.get_name(), exc_info=error)

    return close
