"""What an offer says, what will be sent, and what our end is: the data between the three steps of a negotiation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mediacore.rtc.h264_profile import DEFAULT_PROFILE_LEVEL_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiortc import RTCDtlsFingerprint, RTCIceCandidate

MAX_MESSAGE_BYTES: Final = 65_536
"""The longest data channel message that is taken; what RFC 8841 section 6 assumes where nothing is said."""
SCTP_PORT: Final = 5000
"""Ours, by custom."""
_RTP_PROTOCOLS: Final = ("UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "RTP/SAVPF")
_SCTP_PROTOCOLS: Final = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP")


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of an offer."""

    payload_type: int
    """0 to 127."""
    name: str
    """Encoding name in capitals, as ``H264``."""
    parameters: Mapping[str, str]
    """The ``fmtp`` parameters."""
    feedback: frozenset[str]
    """The RTCP feedback offered for it, as ``nack pli``."""

    @property
    def profile_level_id(self) -> str:
        """For H.264: the profile-level-id, in small letters, or what stands for an absent one."""
        return self.parameters.get("profile-level-id", DEFAULT_PROFILE_LEVEL_ID).lower()

    @property
    def usable(self) -> bool:
        """True for H.264 that can carry fragmented NAL units (packetization-mode 1, RFC 6184 section 6.3)."""
        return self.name == "H264" and self.parameters.get("packetization-mode") == "1"

    def __str__(self) -> str:
        if self.name != "H264":
            return self.name
        mode = self.parameters.get("packetization-mode", "0")
        return f"H264 {self.profile_level_id} packetization-mode={mode}"


@dataclass(frozen=True, slots=True)
class Section:
    """One media section of an offer."""

    kind: str
    """``video``, ``audio``, ``application`` or another word."""
    protocol: str
    """As ``UDP/TLS/RTP/SAVPF``."""
    formats: tuple[str, ...]
    """Payload types, or ``webrtc-datachannel``."""
    mid: str
    """Its name; may be empty."""
    direction: str
    """``sendrecv``, ``recvonly``, ``sendonly`` or ``inactive``, as the viewer sees it."""
    usable: bool
    """False if the viewer itself has rejected it, or it is outside of the bundle."""
    codecs: tuple[Codec, ...]
    """In the viewer's order of preference."""
    extensions: Mapping[str, int]
    """Header extensions: URI to id."""
    sctp_port: int | None
    """Of a data channel section."""
    max_message_bytes: int
    """The longest data channel message that the viewer takes; 0 is any."""

    @property
    def can_receive(self) -> bool:
        """True if video can be sent to it."""
        return (
            self.kind == "video"
            and self.usable
            and self.protocol in _RTP_PROTOCOLS
            and self.direction in ("recvonly", "sendrecv")
        )

    @property
    def is_data_channel(self) -> bool:
        """True if it asks for data channels (RFC 8841)."""
        return (
            self.kind == "application"
            and self.usable
            and self.protocol in _SCTP_PROTOCOLS
            and self.formats == ("webrtc-datachannel",)
            and self.sctp_port is not None
            and 1 <= self.sctp_port <= 65_535
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """What a viewer asks for, checked."""

    sections: tuple[Section, ...]
    """In the offer's order."""
    ice_ufrag: str
    """The viewer's ICE user name fragment."""
    ice_password: str
    """The viewer's ICE password."""
    fingerprints: tuple[RTCDtlsFingerprint, ...]
    """Of the viewer's certificate; all of a supported hash must match."""
    candidates: tuple[RTCIceCandidate, ...]
    """UDP addresses that can be checked."""
    hidden_candidates: int
    """Candidates left out because mDNS hides their address."""
    dropped_candidates: int
    """Candidates left out because they cannot be used, or are too many."""

    @property
    def receivers(self) -> tuple[Section, ...]:
        """The sections that video can be sent to."""
        return tuple(section for section in self.sections if section.can_receive)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be sent to a viewer, and how."""

    offer: Offer
    """What it answers."""
    video: Section
    """The section that gets the video."""
    codec: Codec
    """Its payload type."""
    rtx_payload_type: int | None
    """Payload type of retransmissions (RFC 4588); None where the offer has none."""
    extensions: Mapping[str, int]
    """The header extensions that will be written: URI to id."""
    feedback: tuple[str, ...]
    """The RTCP feedback that the viewer may send."""
    data: Section | None
    """The section of the data channel."""


@dataclass(frozen=True, slots=True)
class Transport:
    """Our end of the connection, as the answer tells it."""

    session_id: int
    """A random number for the ``o=`` line."""
    ice_ufrag: str
    """Our ICE user name fragment."""
    ice_password: str
    """Our ICE password."""
    fingerprint: RTCDtlsFingerprint
    """Of our certificate."""
    candidates: Sequence[RTCIceCandidate]
    """Our addresses; there are no more."""
    cname: str
    """RTCP canonical name."""
    ssrc: int
    """SSRC of the video."""
    rtx_ssrc: int
    """SSRC of retransmissions."""
