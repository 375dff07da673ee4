"""What carries a viewer's video: aiortc's RTP sender, fed with access units that are already encoded.

Policy: nothing is encoded again and nothing is queued here; the next access unit is fetched when the last one has been
handed to the kernel and the socket takes more. Requests for key frames go to the source. This is the seam at which
another sender can take over: ``start``, ``stop``, the two SSRCs and ``stats``.
"""

from __future__ import annotations

import asyncio
import statistics
import struct
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import (
    RTCRtcpParameters,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpSendParameters,
)

from mediacore.errors import MediacoreError
from mediacore.rtc.contract import override

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiortc import RTCDtlsTransport
    from av.packet import Packet as AvPacket

    from mediacore.media import Packet
    from mediacore.rtc.description import Plan

CLOCK_HZ: Final = 90_000
"""RTP clock of video (RFC 6184 section 8.2.1)."""
SAMPLES: Final = 512
"""Times that the median is taken of: the last 17 s at 30 frames per second."""


@dataclass(frozen=True, slots=True)
class SenderStats:
    """What was sent so far."""

    packets_sent: int
    """RTP packets, retransmissions included."""
    bytes_sent: int
    """Their sizes before encryption, summed."""
    frames_sent: int
    """Access units sent to their last packet."""
    key_frame_requests: int
    """PLI and FIR from the viewer."""
    malformed_rtcp: int
    """Authenticated RTCP packets that do not parse."""
    first_packet_us: int | None
    """When the first packet left, in µs of the monotonic clock."""
    server_us: float | None
    """Median time from an access unit's first byte to its last packet handed to the kernel, in µs; without replays."""


class PassThroughSender:
    """Sends one viewer's video over a DTLS transport of ours.

    Args:
        dtls: the transport, not yet connected.
        cname: RTCP canonical name.
        writable: cleared while the socket takes nothing more.
        on_key_frame_request: called for each PLI and FIR.
        on_heard: called for each authenticated RTCP packet.
        on_end: called once when there is nothing more to send.
    """

    def __init__(
        self,
        dtls: RTCDtlsTransport,
        *,
        cname: str,
        writable: asyncio.Event,
        on_key_frame_request: Callable[[], None],
        on_heard: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._track = _PacketTrack(writable, on_end)
        self._sender = RTCRtpSender(self._track, dtls)
        self._cname = cname
        self._on_key_frame_request = on_key_frame_request
        self._on_heard = on_heard
        self._starting: asyncio.Task[None] | None = None
        self._started_us = 0
        self._packets = self._bytes = self._frames = self._requests = self._malformed_rtcp = 0
        self._first_packet_us: int | None = None
        self._clock: tuple[int, int] | None = None
        self._times_us: deque[int] = deque(maxlen=SAMPLES)
        self.ssrc: int = self._sender._ssrc
        """SSRC of the video."""
        self.rtx_ssrc: int = self._sender._rtx_ssrc
        """SSRC of retransmissions."""
        self._ssrc_bytes = self.ssrc.to_bytes(4, "big")
        override(self._sender, "_send_keyframe", lambda _: self._key_frame_wanted)
        override(dtls, "_send_rtp", self._count_sent)
        override(dtls, "_handle_rtcp_data", self._watch_rtcp)

    @property
    def rtp_clock(self) -> tuple[int, int] | None:
        """(RTP timestamp, PTS in µs) of the newest access unit sent; the first grows by 0.09 per µs, modulo 2**32."""
        return self._clock

    def start(self, plan: Plan, receive: Callable[[], Awaitable[Packet]]) -> None:
        """Begin to send what ``receive`` gives; its error, or ``StopAsyncIteration``, ends the video."""
        self._started_us = _monotonic_us()
        self._track.receive = receive
        self._starting = asyncio.create_task(self._sender.send(_parameters(plan, self._cname)), name="rtp sender start")

    async def stop(self) -> None:
        """Send BYE and stop. Must not be cancelled: aiortc's tasks would stay."""
        if self._starting is not None:
            await self._starting
        await self._sender.stop()

    def stats(self) -> SenderStats:
        """What was sent so far."""
        return SenderStats(
            packets_sent=self._packets,
            bytes_sent=self._bytes,
            frames_sent=self._frames,
            key_frame_requests=self._requests,
            malformed_rtcp=self._malformed_rtcp,
            first_packet_us=self._first_packet_us,
            server_us=statistics.median(self._times_us) if self._times_us else None,
        )

    def _key_frame_wanted(self) -> None:
        self._requests += 1
        self._on_key_frame_request()

    def _count_sent(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        async def send_rtp(data: bytes) -> None:
            await stock(data)
            if not 192 <= data[1] <= 223:  # RTCP packet types (RFC 5761 section 4)
                self._sent(data)

        return send_rtp

    def _sent(self, data: bytes) -> None:
        self._packets += 1
        self._bytes += len(data)
        if self._first_packet_us is None:
            self._first_packet_us = _monotonic_us()
        packet = self._track.current
        if packet is None or not data[1] & 0x80 or data[8:12] != self._ssrc_bytes:
            return
        # The marker bit: the last packet of the access unit. A retransmission without RTX comes when none is current.
        self._track.current = None
        self._frames += 1
        self._clock = (int.from_bytes(data[4:8], "big"), packet.pts_us)
        if packet.received_us >= self._started_us:
            self._times_us.append(_monotonic_us() - packet.received_us)

    def _watch_rtcp(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_rtcp_data(data: bytes) -> None:
            self._on_heard()
            try:
                await stock(data)
            except (struct.error, IndexError):  # its parser expects lengths that it has not checked
                self._malformed_rtcp += 1

        return handle_rtcp_data


class _PacketTrack(MediaStreamTrack):
    """Gives aiortc's sender one access unit after the other."""

    kind = "video"

    def __init__(self, writable: asyncio.Event, on_end: Callable[[], None]) -> None:
        super().__init__()
        self._writable = writable
        self._on_end = on_end
        self.receive: Callable[[], Awaitable[Packet]] | None = None
        self.current: Packet | None = None
        """What is being sent now."""

    async def recv(self) -> AvPacket[Any]:
        self.current = None
        await self._writable.wait()
        if self.receive is None:
            raise MediaStreamError
        try:
            self.current = await self.receive()
        except (StopAsyncIteration, MediacoreError) as error:
            raise MediaStreamError from error
        finally:
            if self.current is None:
                self._on_end()
        return self.current.to_av()


def _parameters(plan: Plan, cname: str) -> RTCRtpSendParameters:
    number, rtx = plan.codec.payload_type, plan.rtx_payload_type
    codecs = [RTCRtpCodecParameters(mimeType="video/H264", clockRate=CLOCK_HZ, payloadType=number)]
    if rtx is not None:
        codecs.append(
            RTCRtpCodecParameters(mimeType="video/rtx", clockRate=CLOCK_HZ, payloadType=rtx, parameters={"apt": number})
        )
    return RTCRtpSendParameters(
        codecs=codecs,
        headerExtensions=[RTCRtpHeaderExtensionParameters(id=n, uri=uri) for uri, n in plan.extensions.items()],
        muxId=plan.video.mid,
        rtcp=RTCRtcpParameters(cname=cname, mux=True),
    )


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000
