"""One viewer's connection: offer and answer, ICE, DTLS, video out, control in, and the end of it all.

Policy: every step has a deadline, and whatever ends the connection, first come, frees everything: sockets, tasks,
timers. aiortc's parts are stopped in the reverse order of their making and are never cancelled while they stop, which
would leave tasks behind; what has not stopped in time loses its sockets. Runs on one asyncio loop.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiortc import RTCDtlsParameters, RTCDtlsTransport, RTCIceGatherer, RTCIceParameters, RTCIceTransport

from mediacore.errors import ConnectFailedError, ConnectTimeoutError, MediacoreError
from mediacore.media import CloseReason
from mediacore.rtc import contract
from mediacore.rtc.channel import ChannelStats, ControlChannel
from mediacore.rtc.description import Transport
from mediacore.rtc.identity import Identity
from mediacore.rtc.port import PROBE_S, IcePort, host_addresses
from mediacore.rtc.sdp import parse_offer, plan_answer, write_answer
from mediacore.rtc.sender import PassThroughSender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mediacore.media import Packet
    from mediacore.rtc.description import Plan
    from mediacore.settings import RtcSettings

log = logging.getLogger(__name__)

QUIET_SHARE: Final = 0.4
"""After this share of the silence timeout a viewer is asked whether it is there."""
LEAST_CLOSE_S: Final = 0.05
"""What each step of closing gets even when the steps before have used up the time."""


@dataclass(frozen=True, slots=True)
class ViewerStats:
    """Figures of one viewer's connection."""

    packets_sent: int = 0
    """RTP packets, retransmissions included."""
    bytes_sent: int = 0
    """Their sizes before encryption, summed."""
    frames_sent: int = 0
    """Access units sent to their last packet."""
    key_frame_requests: int = 0
    """PLI and FIR from the viewer."""
    first_packet_us: int | None = None
    """When the first RTP packet left, in µs of the monotonic clock."""
    server_us: float | None = None
    """Median time from an access unit's first byte to its last packet handed to the kernel, in µs."""
    silent_us: int = 0
    """Time since something authenticated came from the viewer, in µs."""
    hidden_candidates: int = 0
    """The viewer's addresses that mDNS hides; they were left out."""
    dropped_candidates: int = 0
    """The viewer's addresses that cannot be used, or were too many."""
    dropped_datagrams: int = 0
    """Datagrams and checks from outside that were not taken because a limit was reached."""
    malformed_rtcp: int = 0
    """Authenticated RTCP packets that do not parse."""
    channel: ChannelStats = field(default_factory=ChannelStats)
    """The data channel."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one connection is made of, in the order of its making."""

    port: IcePort
    ice: RTCIceTransport
    dtls: RTCDtlsTransport
    sender: PassThroughSender


class Viewer:
    """One viewer, from its offer to its end: ``negotiate``, ``connect``, ``start_media``, ``close``.

    Args:
        settings: deadlines and limits.
        on_key_frame_request: called for each PLI and FIR of the viewer; must not block.
        on_message: gets each message of the data channel: ``str`` for text, ``bytes`` for binary; must not block.
        identity: the certificate, to be shared by viewers; by default one of its own.
    """

    def __init__(
        self,
        settings: RtcSettings,
        *,
        on_key_frame_request: Callable[[], None],
        on_message: Callable[[bytes | str], None],
        identity: Identity | None = None,
    ) -> None:
        self._settings = settings
        self._on_key_frame_request = on_key_frame_request
        self._on_message = on_message
        self._identity = identity or Identity()
        self._plan: Plan | None = None
        self._parts: _Parts | None = None
        self._channel: ControlChannel | None = None
        self._connected = False
        self._closers: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._reason: CloseReason | None = None
        self._tearing_down: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @property
    def channel_open(self) -> bool:
        """True while messages can be sent."""
        return self._channel is not None and self._channel.is_open

    @property
    def rtp_clock(self) -> tuple[int, int] | None:
        """(RTP timestamp, PTS in µs) of the newest access unit sent, so that the page can turn one into the other."""
        return self._parts.sender.rtp_clock if self._parts is not None else None

    async def negotiate(self, offer_sdp: str, profile_level_id: str | None) -> str:
        """Make the answer to an offer; the sockets that it names are open from then on. If it fails, nothing is left.

        Args:
            offer_sdp: the viewer's offer.
            profile_level_id: the stream's H.264 profile and level as 6 hexadecimal digits; None if not known yet.

        Raises:
            SdpTooLargeError, SdpError: the offer cannot be used.
            NoCommonCodecError: the viewer takes no H.264 that we can send.
            NoLocalAddressError: this machine has no address to offer.
            DependencyMismatchError: aiortc or aioice is not the release that is needed.
            ConnectTimeoutError: it took longer than ``negotiation_timeout_s``.
        """
        if self._plan is not None or self._reason is not None:
            raise RuntimeError("a viewer negotiates once")
        deadline_s = self._settings.negotiation_timeout_s
        try:
            async with asyncio.timeout(deadline_s):
                return await self._negotiate(offer_sdp, profile_level_id)
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
        if self._plan is None or self._parts is None:
            raise RuntimeError("negotiate first")
        self._check_open("connecting", succeeded=True)
        # A task of its own, so that the teardown can end it before it closes what the task works with.
        establishing = asyncio.create_task(self._establish(self._plan, self._parts), name="viewer connect")
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

    def start_media(self, receive: Callable[[], Awaitable[Packet]]) -> None:
        """Send the access units that ``receive`` gives, as they come.

        ``StopAsyncIteration`` or a ``MediacoreError`` from it ends the connection with ``STREAM_ENDED``. Does nothing
        on a connection that has ended.
        """
        if self._reason is not None:
            return
        if self._plan is None or self._parts is None or not self._connected:
            raise RuntimeError("connect first")
        self._parts.sender.start(self._plan, receive)

    def send_message(self, message: str | bytes) -> bool:
        """Send text or binary over the data channel; False if it was dropped (and counted) instead."""
        return self._channel is not None and self._channel.send(message)

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
        if self._plan is None or self._parts is None:
            return ViewerStats()
        port, sent = self._parts.port, self._parts.sender.stats()
        return ViewerStats(
            packets_sent=sent.packets_sent,
            bytes_sent=sent.bytes_sent,
            frames_sent=sent.frames_sent,
            key_frame_requests=sent.key_frame_requests,
            first_packet_us=sent.first_packet_us,
            server_us=sent.server_us,
            silent_us=int((asyncio.get_running_loop().time() - port.heard_s) * 1e6),
            hidden_candidates=self._plan.offer.hidden_candidates,
            dropped_candidates=self._plan.offer.dropped_candidates,
            dropped_datagrams=port.dropped_datagrams + port.dropped_checks,
            malformed_rtcp=sent.malformed_rtcp,
            channel=self._channel.stats() if self._channel is not None else ChannelStats(),
        )

    async def _negotiate(self, offer_sdp: str, profile_level_id: str | None) -> str:
        contract.check()
        limits = self._settings
        offer = parse_offer(offer_sdp, max_bytes=limits.max_sdp_bytes, max_candidates=limits.max_candidates)
        plan = plan_answer(offer, profile_level_id)
        cname = f"mediacore-{secrets.token_hex(4)}"
        self._parts = parts = self._make_parts(cname)
        candidates = await parts.port.gather()
        self._check_open("gathering addresses", succeeded=True)
        ours = parts.ice.iceGatherer.getLocalParameters()
        answer = write_answer(
            plan,
            Transport(
                session_id=secrets.randbits(62),
                ice_ufrag=ours.usernameFragment or "",
                ice_password=ours.password or "",
                fingerprint=next(f for f in parts.dtls.getLocalParameters().fingerprints if f.algorithm == "sha-256"),
                candidates=candidates,
                cname=cname,
                ssrc=parts.sender.ssrc,
                rtx_ssrc=parts.sender.rtx_ssrc,
            ),
        )
        self._plan = plan
        return answer

    def _make_parts(self, cname: str) -> _Parts:
        gatherer = RTCIceGatherer(iceServers=[])
        port = IcePort(gatherer, host_addresses(), max_addresses=self._settings.max_candidates)
        ice = RTCIceTransport(gatherer)

        async def close_ice() -> None:
            await port.gathered()
            await ice.stop()

        self._closers.append(("ICE", close_ice))
        dtls = RTCDtlsTransport(ice, [self._identity.certificate()])
        dtls._set_role("server")  # as the answer says; aiortc would take the role from ICE

        async def close_dtls() -> None:
            reading = dtls._task
            await dtls.stop()
            if reading is not None:
                await asyncio.wait({reading})
                if not reading.cancelled() and reading.exception() is not None:
                    log.warning("the viewer's transport failed: %r", reading.exception())

        self._closers.append(("DTLS", close_dtls))
        sender = PassThroughSender(
            dtls,
            cname=cname,
            writable=port.writable,
            on_key_frame_request=self._on_key_frame_request,
            on_heard=port.heard,
            on_end=lambda: self._ended(CloseReason.STREAM_ENDED),
        )
        self._closers.append(("RTP", sender.stop))
        return _Parts(port, ice, dtls, sender)

    async def _establish(self, plan: Plan, parts: _Parts) -> None:
        ice, dtls = parts.ice, parts.dtls
        # The end of candidates is never told to aioice: most viewers' addresses are learnt from their checks, and it
        # would give up before the first one comes.
        for candidate in plan.offer.candidates:
            await ice.addRemoteCandidate(candidate)
        await ice.start(RTCIceParameters(usernameFragment=plan.offer.ice_ufrag, password=plan.offer.ice_password))
        self._check_open("ICE", succeeded=ice.state == "completed")
        dtls.on("statechange", self._dtls_changed)
        await dtls.start(RTCDtlsParameters(fingerprints=list(plan.offer.fingerprints)))
        self._check_open("DTLS", succeeded=dtls.state == "connected")
        parts.port.heard()
        if plan.data is not None:
            self._channel = ControlChannel(dtls, on_message=self._on_message, on_heard=parts.port.heard)
            self._closers.append(("SCTP", self._channel.stop))
            await self._channel.start(plan.data)
            self._check_open("SCTP", succeeded=True)
        watching = asyncio.create_task(self._watch(parts.port), name="viewer watch")
        self._closers.append(("watch", _cancels(watching)))
        self._connected = True

    def _check_open(self, step: str, *, succeeded: bool) -> None:
        if self._reason is not None:
            raise ConnectFailedError(f"the connection was closed during {step}")
        if not succeeded:
            raise ConnectFailedError(
                f"the connection to the viewer failed in {step}; it may try again with a new offer"
            )

    def _dtls_changed(self) -> None:
        parts = self._parts
        if parts is not None and parts.dtls.state == "closed":
            # With ICE up it is the viewer's close_notify; else the sockets or the viewer's consent went away.
            left = parts.ice.state == "completed"
            self._ended(CloseReason.VIEWER_LEFT if left else CloseReason.VIEWER_LOST)

    async def _watch(self, port: IcePort) -> None:
        """Ends the connection of a viewer that is not there any more; asks before it does."""
        loop = asyncio.get_running_loop()
        timeout_s = self._settings.silence_timeout_s
        quiet_s = timeout_s * QUIET_SHARE
        while True:
            silent_s = loop.time() - port.heard_s
            if silent_s < quiet_s:
                await asyncio.sleep(quiet_s - silent_s)
                continue
            asked_s = loop.time()
            if await port.probe():
                continue
            await asyncio.sleep(asked_s + PROBE_S - loop.time())
            left_s = port.heard_s + timeout_s - loop.time()
            if left_s < PROBE_S:  # no time to ask again
                await asyncio.sleep(left_s)
                if loop.time() - port.heard_s >= timeout_s:
                    self._ended(CloseReason.VIEWER_LOST)
                    return

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
                if self._parts is not None:
                    self._parts.port.abort()
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
