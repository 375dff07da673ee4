"""RTP without sockets: packets and their header extensions, payload formats in both directions.

Everything here is native and sans-IO. Any bytes-like object is accepted; what is returned has bytes of its own. Bytes
that do not follow their format raise ``BitstreamError``; values that a caller chose wrongly raise ``ValueError``.

A packetizer turns one frame into payloads; each payload becomes one packet, all with the frame's timestamp, the last
one with the marker::

    packetizer = H264Packetizer(max_payload_bytes=1200)
    payloads = packetizer.packetize(unit)              # an AccessUnit, or Annex B bytes

A depacketizer takes the payloads of one SSRC, in the order in which they come, and returns frames that are whole::

    for frame in depacketizer.push(payload, sequence_number=n, timestamp=t, marker=m):
        ...

What is too large for a packet is cut into parts of one size with a shorter last one, which UDP segmentation offload
takes in one call. ``balanced=True`` makes sizes differ by a byte at most, the larger parts last, as libwebrtc does.
The first, last and only packet of a frame may have less room than the others for more header extensions
(``first_reduction``, ``last_reduction``, ``single_reduction``, in bytes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mediacore._core import (
    EXTENSION_URIS,
    Av1Depacketizer,
    Av1Packetizer,
    DepacketizedFrame,
    DepacketizerStats,
    H264Depacketizer,
    H264Packetizer,
    OpusDepacketizer,
    OpusPacketizer,
    OpusPayload,
    Vp8Depacketizer,
    Vp8Packetizer,
    Vp9Depacketizer,
    Vp9Packetizer,
    abs_send_time,
    parse_rtp_packet,
    write_rtp_packet,
)
from mediacore.errors import BitstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Buffer

__all__ = [
    "EXTENSION_URIS",
    "Av1Depacketizer",
    "Av1Packetizer",
    "BitstreamError",
    "DepacketizedFrame",
    "DepacketizerStats",
    "H264Depacketizer",
    "H264Packetizer",
    "HeaderExtensions",
    "OpusDepacketizer",
    "OpusPacketizer",
    "OpusPayload",
    "RtpPacket",
    "Vp8Depacketizer",
    "Vp8Packetizer",
    "Vp9Depacketizer",
    "Vp9Packetizer",
    "abs_send_time",
    "parse_packet",
    "write_packet",
]


@dataclass(frozen=True, slots=True)
class HeaderExtensions:
    """Values of RTP header extensions (RFC 8285); None: not there. EXTENSION_URIS has the URI of each field."""

    mid: str | None = None
    """Media description that the packet belongs to (RFC 9143)."""
    rid: str | None = None
    """Stream of a simulcast (RFC 8852)."""
    repaired_rid: str | None = None
    """Stream that a retransmission repairs (RFC 8852)."""
    abs_send_time: int | None = None
    """24 bits: seconds as 6.18 fixed point; see `abs_send_time`."""
    transport_sequence_number: int | None = None
    """16 bits, counted over all packets of the transport (transport-wide congestion control)."""
    playout_delay_ms: tuple[int, int] | None = None
    """Least and largest time between arrival and display; 0 to 40950 in steps of 10. (0, 0): as soon as possible."""
    abs_capture_time: tuple[int, int | None] | None = None
    """NTP time of the capture as UQ32.32, and how far the capturing clock is ahead of the sender's, as Q32.32."""
    audio_level: tuple[bool, int] | None = None
    """Whether it is voice, and the level below 0 dBov in dB, 0 to 127 (RFC 6464)."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet (RFC 3550 section 5.1)."""

    payload: Buffer
    """Without header and padding; `parse_packet` gives bytes."""
    payload_type: int
    """0 to 127."""
    sequence_number: int
    """16 bits; grows by one a packet and wraps."""
    timestamp: int
    """32 bits, in ticks of the codec's clock; wraps."""
    ssrc: int
    """32 bits: the source."""
    marker: bool = False
    """Video: the last packet of a frame. Audio: the first one after a pause."""
    csrcs: tuple[int, ...] = ()
    """Contributing sources, 15 at most."""
    extensions: HeaderExtensions = field(default_factory=HeaderExtensions)
    """Those whose id was given."""
    padding_bytes: int = 0
    """After the payload, its length byte included; 0 to 255."""


def parse_packet(data: Buffer, extension_ids: Mapping[str, int] | None = None) -> RtpPacket:
    """Read an RTP packet (not SRTP, not RTCP).

    `extension_ids` has the negotiated id of each extension's URI; elements of other ids, and elements whose size is
    not that of their kind, are left out. Raises BitstreamError if a part of the packet is cut off or does not add up.
    """
    payload, payload_type, sequence_number, timestamp, ssrc, marker, csrcs, extensions, padding_bytes = (
        parse_rtp_packet(data, dict(extension_ids or {}))
    )
    return RtpPacket(
        payload,
        payload_type,
        sequence_number,
        timestamp,
        ssrc,
        marker,
        csrcs,
        HeaderExtensions(*extensions),
        padding_bytes,
    )


def write_packet(packet: RtpPacket, extension_ids: Mapping[str, int] | None = None) -> bytes:
    """Return the bytes of a packet, with those extensions that have a value and an id.

    They take the one-byte form if all ids are below 15 and no value is longer than 16 bytes, else the two-byte form.
    Raises ValueError if a value does not fit its field, TypeError if an integer has more bits than its field.
    """
    extensions = packet.extensions
    return write_rtp_packet(
        packet.payload,
        packet.payload_type,
        packet.sequence_number,
        packet.timestamp,
        packet.ssrc,
        packet.marker,
        packet.csrcs,
        (
            extensions.mid,
            extensions.rid,
            extensions.repaired_rid,
            extensions.abs_send_time,
            extensions.transport_sequence_number,
            extensions.playout_delay_ms,
            extensions.abs_capture_time,
            extensions.audio_level,
        ),
        packet.padding_bytes,
        dict(extension_ids or {}),
    )
