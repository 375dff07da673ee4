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
class VideoFormat:
    """One way in which a stream's video can be sent."""

    name: str
    """Encoding name: ``H264``, ``VP8``, ``VP9`` or ``AV1``."""
    profile_level_id: str | None = None
    """For H.264: profile and level as 6 hexadecimal digits; None if they are not known yet."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What a stream can send."""

    video: tuple[VideoFormat, ...]
    """The formats of its video; the first that the viewer takes is sent."""
    audio: bool = False
    """True if it has Opus audio."""


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
        """True if what we send under this name can be received.

        H.264 must allow fragmented NAL units (packetization-mode 1, RFC 6184 section 6.3); VP9 and AV1 must be of
        profile 0, 8 bits 4:2:0 (RFC 9628 section 6, RTP payload format for AV1 section 7.2.1).
        """
        needed = _NEEDED.get(self.name)
        return needed is not None and all(self.parameters.get(key, default) == value for key, default, value in needed)

    def __str__(self) -> str:
        if self.name == "H264":
            mode = self.parameters.get("packetization-mode", "0")
            return f"H264 {self.profile_level_id} packetization-mode={mode}"
        if self.name == "VP9":
            return f"VP9 profile-id={self.parameters.get('profile-id', '0')}"
        return self.name


# Encoding name -> the parameters that count: name, what an absent one means, what is needed.
_NEEDED: Final[Mapping[str, tuple[tuple[str, str, str], ...]]] = {
    "H264": (("packetization-mode", "0", "1"),),
    "VP8": (),
    "VP9": (("profile-id", "0", "0"),),
    "AV1": (("profile", "0", "0"),),
    "OPUS": (),
}


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
    reduced_rtcp: bool
    """True if the viewer takes RTCP packets of reduced size (RFC 5506)."""
    sctp_port: int | None
    """Of a data channel section."""
    max_message_bytes: int
    """The longest data channel message that the viewer takes; 0 is any."""
    ice: tuple[str, str] | None
    """ICE user name fragment and password, if it has some."""
    setup: str | None
    """The DTLS role that the viewer offers: ``auto``, ``client`` or ``server``; None if it offers none."""
    fingerprints: tuple[RTCDtlsFingerprint, ...]
    """Of the viewer's certificate; may be empty."""

    def receives(self, kind: str) -> bool:
        """True if ``video`` or ``audio`` can be sent to it."""
        return (
            self.kind == kind
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
    tagged: Section
    """The one that the bundle names first: it has what the others leave out (RFC 8843 section 7.2)."""
    candidates: tuple[RTCIceCandidate, ...]
    """UDP addresses that can be checked."""
    hidden_candidates: int
    """Candidates left out because mDNS hides their address."""
    dropped_candidates: int
    """Candidates left out because they cannot be used, or are too many."""

    def receivers(self, kind: str) -> tuple[Section, ...]:
        """The sections that ``video`` or ``audio`` can be sent to."""
        return tuple(section for section in self.sections if section.receives(kind))


@dataclass(frozen=True, slots=True)
class RemoteEnd:
    """The viewer's end of the connection."""

    ice_ufrag: str
    """Its ICE user name fragment."""
    ice_password: str
    """Its ICE password."""
    fingerprints: tuple[RTCDtlsFingerprint, ...]
    """Of its certificate; all of a supported hash must match."""


@dataclass(frozen=True, slots=True)
class Track:
    """How video or audio will be sent to a viewer."""

    section: Section
    """The section that gets it."""
    codec: Codec
    """Its payload type."""
    rtx_payload_type: int | None
    """Payload type of retransmissions (RFC 4588); None where the offer has none."""
    extensions: Mapping[str, int]
    """The header extensions that will be written: URI to id."""
    feedback: tuple[str, ...]
    """The RTCP feedback that the viewer may send."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be sent to a viewer, and how."""

    offer: Offer
    """What it answers."""
    video: Track
    """The video."""
    audio: Track | None
    """The audio; None if the stream has none, or the viewer wants none."""
    data: Section | None
    """The section of the data channel."""
    remote: RemoteEnd
    """The viewer's end of the transport that all of it shares."""

    @property
    def extensions(self) -> Mapping[str, int]:
        """The header extensions of the whole bundle, in which an id means one thing only (RFC 8843 section 9.1)."""
        return {**(self.audio.extensions if self.audio is not None else {}), **self.video.extensions}


@dataclass(frozen=True, slots=True)
class LocalEnd:
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
    audio_ssrc: int
    """SSRC of the audio."""
