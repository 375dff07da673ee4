"""The data channel of one viewer: input from it, events to it (RFC 8831, RFC 8832).

Policy: one channel is taken, ``control`` with the protocol ``mediacore.control.1``, opened by the viewer, ordered and
reliable; any other is closed and counted. What is sent is bounded: a message that does not fit into the buffer is
dropped and counted. What is received is bounded: messages above 64 KiB are dropped, and a peer that ignores SCTP's own
window or sends ten malformed packets loses the association.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiortc import RTCSctpCapabilities, RTCSctpTransport

from mediacore.rtc.contract import override
from mediacore.rtc.description import MAX_MESSAGE_BYTES, SCTP_PORT
from mediacore.rtc.sctp_packet import is_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCDataChannel, RTCDtlsTransport

    from mediacore.rtc.description import Section

log = logging.getLogger(__name__)

LABEL: Final = "control"
PROTOCOL: Final = "mediacore.control.1"
SEND_BUFFER_BYTES: Final = 256 * 1024
"""What may wait to be sent: seconds of events on any way that carries video."""
MAX_MALFORMED: Final = 10
MAX_REFUSED: Final = 32
"""Channels of other names; past it the association ends."""

HANDSHAKE_RTO_S: Final = 1.0
"""Timeout of SCTP's own handshake (RFC 9260 section 16: RTO.Initial). aiortc gives up after nine of them."""
FIRST_RTO_S: Final = 0.1
"""Timeout before a round trip was measured."""
MIN_RTO_S: Final = 0.05
"""Least timeout. RFC 9260 says 1 s, made for bulk data; a touch cannot wait that long."""
MAX_RTO_S: Final = 10.0

_PARSER_ERRORS: Final = (
    AssertionError, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, struct.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChannelStats:
    """What went through the data channel."""

    messages_received: int = 0
    """Messages handed on."""
    messages_sent: int = 0
    """Messages accepted for sending."""
    oversize: int = 0
    """Messages received that were too long."""
    malformed: int = 0
    """Packets and messages that break SCTP's or the channel's format."""
    send_drops: int = 0
    """Messages that were not sent: no channel, buffer full, or longer than the viewer takes."""
    refused: int = 0
    """Channels that were closed because of their name or kind."""


class ControlChannel:
    """The SCTP association over one DTLS transport, and the one channel in it.

    Args:
        dtls: the transport.
        on_message: gets each message: ``str`` for text, ``bytes`` for binary.
    """

    def __init__(self, dtls: RTCDtlsTransport, *, on_message: Callable[[bytes | str], None]) -> None:
        self._dtls = dtls
        self._sctp = RTCSctpTransport(dtls, SCTP_PORT)
        self._on_message = on_message
        self._channel: RTCDataChannel | None = None
        self.opened = asyncio.Event()
        """Set once the viewer has opened its channel for the first time."""
        self._max_send_bytes = MAX_MESSAGE_BYTES
        self._received = self._sent = self._oversize = self._malformed = self._send_drops = self._refused = 0
        self._sctp._rto = HANDSHAKE_RTO_S
        self._sctp.on("datachannel", self._opened)
        override(dtls, "_send_data", self._send_quietly)
        override(self._sctp, "_handle_data", self._guard_packets)
        override(self._sctp, "_receive_data_chunk", self._guard_window)
        override(self._sctp, "_set_state", self._set_first_timeout)
        override(self._sctp, "_t3_expired", self._back_off)
        override(self._sctp, "_update_rto", self._lower_timeout)

    @property
    def is_open(self) -> bool:
        """True while messages can be sent."""
        return self._channel is not None and self._channel.readyState == "open" and self._dtls.state == "connected"

    async def start(self, section: Section) -> None:
        """Begin the association; the viewer opens the channel when it likes."""
        self._max_send_bytes = section.max_message_bytes
        port = section.sctp_port or SCTP_PORT
        await self._sctp.start(RTCSctpCapabilities(maxMessageSize=section.max_message_bytes), port)

    async def stop(self) -> None:
        """End the association, and tell the viewer. Must not be cancelled."""
        await self._sctp.stop()

    def send(self, message: str | bytes) -> bool:
        """Send one message; False if it was dropped instead."""
        size = len(message.encode()) if isinstance(message, str) else len(message)
        channel = self._channel
        fits = not self._max_send_bytes or size <= self._max_send_bytes
        if channel is None or not self.is_open or not fits or channel.bufferedAmount + size > SEND_BUFFER_BYTES:
            self._send_drops += 1
            return False
        channel.send(message)
        self._sent += 1
        return True

    def close(self) -> None:
        """Close the channel after what is queued was sent; the viewer may open another."""
        if self._channel is not None:
            self._channel.close()

    def stats(self) -> ChannelStats:
        """Counts so far."""
        return ChannelStats(
            self._received, self._sent, self._oversize, self._malformed, self._send_drops, self._refused
        )

    def _opened(self, channel: RTCDataChannel) -> None:
        reliable = channel.ordered and channel.maxRetransmits is None and channel.maxPacketLifeTime is None
        taken = self._channel is not None and self._channel.readyState != "closed"
        if channel.label != LABEL or channel.protocol != PROTOCOL or not reliable or taken:
            self._refused += 1
            log.info("data channel %.40r with protocol %.40r refused", channel.label, channel.protocol)
            channel.close()
            return
        self._channel = channel
        self.opened.set()
        channel.on("message", self._message)
        channel.on("error", self._failed)

    def _message(self, message: bytes | str) -> None:
        size = len(message.encode()) if isinstance(message, str) else len(message)
        if size > MAX_MESSAGE_BYTES:
            self._oversize += 1
            return
        self._received += 1
        self._on_message(message)

    def _failed(self, error: Exception) -> None:
        """An error of ``on_message`` must not end the transport that it was called from."""
        log.error("a data channel message could not be dealt with", exc_info=error)

    def _send_quietly(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        async def send_data(data: bytes) -> None:
            # SCTP's timers run on when the transport is gone; nobody would take their errors.
            try:
                await stock(data)
            except ConnectionError:
                log.debug("%d bytes of SCTP not sent: the transport is closed", len(data))

        return send_data

    def _guard_packets(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_data(data: bytes) -> None:
            sound = is_sound(data)
            if sound:
                try:
                    await stock(data)
                except _PARSER_ERRORS:
                    sound = False
            self._malformed += not sound
            if self._malformed >= MAX_MALFORMED or self._refused > MAX_REFUSED:
                log.warning("the viewer's SCTP association is ended: %s", self.stats())
                await self._sctp.stop()

        return handle_data

    def _guard_window(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        async def receive_data_chunk(chunk: Any) -> None:
            # The window shrinks by what waits for its missing parts; a peer that keeps to it never gets here.
            if self._sctp._advertised_rwnd <= 0:
                self._malformed = MAX_MALFORMED
                return
            await stock(chunk)

        return receive_data_chunk

    def _set_first_timeout(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        def set_state(state: Any) -> None:
            if state == RTCSctpTransport.State.ESTABLISHED and self._sctp._srtt is None:
                self._sctp._rto = FIRST_RTO_S
            stock(state)

        return set_state

    def _back_off(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        def t3_expired() -> None:
            self._sctp._rto = min(2 * self._sctp._rto, MAX_RTO_S)  # RFC 9260 section 6.3.3, E2
            stock()

        return t3_expired

    def _lower_timeout(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        def update_rto(round_trip_s: float) -> None:
            stock(round_trip_s)
            srtt, rttvar = self._sctp._srtt, self._sctp._rttvar
            if srtt is not None and rttvar is not None:
                self._sctp._rto = max(MIN_RTO_S, min(srtt + 4 * rttvar, MAX_RTO_S))

        return update_rto
