"""From a viewer's offer to a plan to our answer (RFC 8829, RFC 8843, RFC 8839, WHEP); pure text and data, no I/O.

``parse_offer`` reads, ``plan_answer`` decides, ``write_answer`` writes. The grammar itself is read by aiortc's parser,
which has no error type of its own: whatever it raises becomes an ``SdpError`` that names the line.

Policy: one video section is sent to, a data channel is taken, everything else is rejected. Limits are checked before
anything is parsed. Names that mDNS hides (RFC 8828 section 4) are never looked up: that costs a second, and the
viewer's address is learnt from its first check anyway.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from aiortc.sdp import SessionDescription, candidate_to_sdp

from mediacore.errors import NoCommonCodecError, SdpError, SdpTooLargeError
from mediacore.rtc.description import MAX_MESSAGE_BYTES, SCTP_PORT, Codec, Offer, Plan, Section
from mediacore.rtc.h264_profile import preference, profile_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiortc import RTCDtlsFingerprint, RTCIceCandidate
    from aiortc.sdp import MediaDescription

    from mediacore.rtc.description import Transport

MAX_LINES: Final = 2048
"""A browser's offer with audio, video and data has about 200 lines."""
MAX_PREFIXED_LINES: Final = {
    "m=": 32,
    "a=rtpmap:": 256,
    "a=fmtp:": 256,
    "a=rtcp-fb:": 512,
    "a=rtcp-fb:*": 16,
    "a=ssrc:": 256,
}
"""The parser compares these with each other: without a limit its time and memory grow with their product."""
MAX_EXTENSION_ID: Final = 14
"""The last id of the one-byte form of header extensions (RFC 8285 section 4.2)."""

MID: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
EXTENSIONS: Final = (MID, ABS_SEND_TIME)
"""The header extensions that the sender fills."""
FEEDBACK: Final = ("nack", "nack pli", "ccm fir")
"""The RTCP feedback that the sender acts upon."""
HASHES: Final = ("sha-256", "sha-384", "sha-512")
"""Hash functions of certificate fingerprints that can be compared (RFC 8122)."""

_PARSER_ERRORS: Final = (
    AssertionError, AttributeError, IndexError, KeyError, OverflowError, StopIteration, TypeError, ValueError,
)  # fmt: skip
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_ICE_CHARS: Final = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")


def parse_offer(text: str, *, max_bytes: int, max_candidates: int) -> Offer:
    """Read and check an offer.

    Args:
        text: the SDP.
        max_bytes: longest offer, in bytes of UTF-8.
        max_candidates: how many of its ICE candidates are taken; the rest is counted and left.

    Raises:
        SdpTooLargeError: it is longer than ``max_bytes``.
        SdpError: it is not SDP, or asks for what we do not do.
    """
    _check_size(text, max_bytes)
    lines = text.splitlines()
    description = _parse(lines)
    bundle = next((g.items for g in description.group if g.semantic == "BUNDLE"), None)
    if not bundle:
        raise SdpError("the offer has no a=group:BUNDLE: audio, video and data must share one transport")
    if "a=ice-lite" in (line.strip() for line in lines):
        raise SdpError("the offer says a=ice-lite: a viewer must be a full ICE agent")
    bundle_only = _bundle_only(lines)
    sections = tuple(
        _section(media, usable=media.rtp.muxId in bundle and (media.port != 0 or only))
        for media, only in zip(description.media, bundle_only, strict=True)
    )
    _check_mids(sections)
    if not any(section.can_receive for section in sections):
        raise SdpError("the offer has no bundled video section with a=recvonly or a=sendrecv")
    in_bundle = [m for m, s in zip(description.media, sections, strict=True) if s.mid in bundle]
    if not any(media.rtcp_mux for media in in_bundle):
        raise SdpError("the offer has no a=rtcp-mux: RTP and RTCP must share one port")
    # The first section that is accepted carries the transport (RFC 8843 section 7.3); what it leaves out is in the one
    # that the group names first (section 7.2).
    carrier = next(m for m, s in zip(description.media, sections, strict=True) if s.can_receive or s.is_data_channel)
    tagged = next((media for media in in_bundle if media.rtp.muxId == bundle[0]), carrier)
    ufrag, password, fingerprints = _credentials(carrier, tagged)
    offered = [candidate for media in in_bundle for candidate in media.ice_candidates]
    candidates, hidden, dropped = _usable_candidates(offered, max_candidates)
    return Offer(sections, ufrag, password, fingerprints, candidates, hidden, dropped)


def plan_answer(offer: Offer, profile_level_id: str | None) -> Plan:
    """Choose what to send to a viewer.

    Args:
        offer: what it asks for.
        profile_level_id: the stream's H.264 profile and level as 6 hexadecimal digits; None if it is not known yet.

    Raises:
        NoCommonCodecError: the viewer takes no H.264 that we can send.
    """
    wanted = preference(profile_level_id)
    for profile in wanted:
        for section in offer.receivers:
            for codec in section.codecs:
                if codec.usable and profile_of(codec.profile_level_id) == profile:
                    return _plan(offer, section, codec)
    offered = dict.fromkeys(
        str(codec) for section in offer.receivers for codec in section.codecs if codec.name not in _NOT_CODECS
    )
    available = dict.fromkeys(
        f"H264 {name} packetization-mode=1" for name in (profile_level_id, "4d001f", "42e01f") if name is not None
    )
    raise NoCommonCodecError(tuple(offered), tuple(available))


def write_answer(plan: Plan, transport: Transport) -> str:
    """The answer as SDP: complete, with all candidates and the end of candidates."""
    accepted = [section for section in plan.offer.sections if section is plan.video or section is plan.data]
    lines = [
        "v=0",
        f"o=- {transport.session_id} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(section.mid for section in accepted),
        f"a=msid-semantic:WMS {transport.cname}",
    ]
    for section in plan.offer.sections:
        if section is plan.video:
            lines += _video_lines(plan, transport)
        elif section is plan.data:
            lines += _data_lines(section, transport)
        else:
            lines += _rejected_lines(section, transport)
        if section is accepted[0]:
            lines += [f"a=candidate:{candidate_to_sdp(candidate)}" for candidate in transport.candidates]
            lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


_NOT_CODECS: Final = ("RTX", "RED", "ULPFEC", "FLEXFEC-03")


def _check_size(text: str, max_bytes: int) -> None:
    size = len(text)
    if size <= max_bytes:
        size = len(text.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        raise SdpTooLargeError(f"the offer has {size} bytes, at most {max_bytes} are read")


def _parse(lines: Sequence[str]) -> SessionDescription:
    if not lines or lines[0].strip() != "v=0":
        raise SdpError("the offer does not begin with v=0: it is not SDP")
    if len(lines) > MAX_LINES:
        raise SdpError(f"the offer has {len(lines)} lines, at most {MAX_LINES} are read")
    for prefix, limit in MAX_PREFIXED_LINES.items():
        count = sum(line.startswith(prefix) for line in lines)
        if count > limit:
            raise SdpError(f"the offer has {count} lines {prefix}..., at most {limit} are read")
    try:
        return SessionDescription.parse("\r\n".join(lines))
    except _PARSER_ERRORS as error:
        number = _first_bad_line(lines)
        reason = str(error) or type(error).__name__
        raise SdpError(f"line {number} of the offer is malformed: {lines[number - 1][:100]!r} ({reason})") from None


def _first_bad_line(lines: Sequence[str]) -> int:
    """The number of a line without which the lines before it can be parsed; it bisects, so it costs a dozen parses."""
    good, bad = 0, len(lines)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            SessionDescription.parse("\r\n".join(lines[:middle]))
        except _PARSER_ERRORS:
            bad = middle
        else:
            good = middle
    return bad


def _bundle_only(lines: Iterable[str]) -> list[bool]:
    """For each media section, if it says a=bundle-only: then its port 0 is no rejection (RFC 8843 section 6)."""
    found: list[bool] = []
    for line in lines:
        if line.startswith("m="):
            found.append(False)
        elif found and line.strip() == "a=bundle-only":
            found[-1] = True
    return found


def _section(media: MediaDescription, *, usable: bool) -> Section:
    return Section(
        kind=media.kind,
        protocol=media.profile,
        formats=tuple(str(format_id) for format_id in media.fmt),
        mid=media.rtp.muxId,
        direction=media.direction or "sendrecv",
        usable=usable,
        codecs=_codecs(media) if media.kind == "video" else (),
        extensions={e.uri: e.id for e in media.rtp.headerExtensions},
        sctp_port=media.sctp_port,
        max_message_bytes=media.sctpCapabilities.maxMessageSize if media.sctpCapabilities else MAX_MESSAGE_BYTES,
    )


def _codecs(media: MediaDescription) -> tuple[Codec, ...]:
    """In the order of the m= line, which is the order of preference (RFC 3264 section 5.1)."""
    described = {
        codec.payloadType: Codec(
            payload_type=codec.payloadType,
            name=codec.name.upper(),
            parameters={
                key.strip().lower(): "" if value is None else str(value).strip()
                for key, value in codec.parameters.items()
            },
            feedback=frozenset(" ".join(filter(None, (f.type, f.parameter))) for f in codec.rtcpFeedback),
        )
        for codec in media.rtp.codecs
        if codec.payloadType is not None and codec.clockRate == 90_000
    }
    return tuple(described[number] for number in dict.fromkeys(media.fmt) if number in described and number < 128)


def _check_mids(sections: Iterable[Section]) -> None:
    seen: set[str] = set()
    for number, section in enumerate(sections, 1):
        if not section.mid and not section.usable:
            continue
        if not _TOKEN.fullmatch(section.mid):
            raise SdpError(f"section {number} of the offer has the bad name a=mid:{section.mid[:64]!r}")
        if section.mid in seen:
            raise SdpError(f"two sections of the offer have the name a=mid:{section.mid}")
        seen.add(section.mid)


def _credentials(
    carrier: MediaDescription, tagged: MediaDescription
) -> tuple[str, str, tuple[RTCDtlsFingerprint, ...]]:
    """ICE user name fragment and password, and fingerprints; what the first section leaves out is the second's."""
    ice = carrier.ice if carrier.ice is not None and carrier.ice.usernameFragment else tagged.ice
    ufrag, password = (ice.usernameFragment, ice.password) if ice is not None else (None, None)
    if not ufrag or not _ICE_CHARS.fullmatch(ufrag):
        raise SdpError("the offer has no valid a=ice-ufrag")
    if not password or not _ICE_CHARS.fullmatch(password):
        raise SdpError("the offer has no valid a=ice-pwd")
    dtls = carrier.dtls if carrier.dtls is not None and carrier.dtls.fingerprints else tagged.dtls
    if dtls is None:
        raise SdpError("the offer has no a=setup: media must be protected by DTLS-SRTP")
    if dtls.role == "server":
        raise SdpError("the offer says a=setup:passive: the DTLS server is this side (offer actpass or active)")
    fingerprints = tuple(f for f in dtls.fingerprints if f.algorithm.lower() in HASHES)
    if not fingerprints:
        raise SdpError(f"the offer has no a=fingerprint of a supported hash ({', '.join(HASHES)})")
    return ufrag, password, fingerprints


def _usable_candidates(offered: Iterable[RTCIceCandidate], limit: int) -> tuple[tuple[RTCIceCandidate, ...], int, int]:
    taken: dict[tuple[str, int], RTCIceCandidate] = {}
    hidden = dropped = 0
    for candidate in offered:
        if candidate.ip.lower().endswith(".local"):
            hidden += 1
        elif (candidate.ip, candidate.port) in taken:
            continue  # the same in each section of the bundle
        elif len(taken) >= limit or not _can_check(candidate):
            dropped += 1
        else:
            taken[candidate.ip, candidate.port] = candidate
    return tuple(taken.values()), hidden, dropped


def _can_check(candidate: RTCIceCandidate) -> bool:
    if (
        candidate.protocol.lower() != "udp"
        or candidate.component != 1
        or candidate.type not in ("host", "srflx", "relay")
        or not 1 <= candidate.port <= 65_535
    ):
        return False
    try:
        address = ipaddress.ip_address(candidate.ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    return not (address.is_unspecified or address.is_multicast or address.is_link_local)


def _plan(offer: Offer, section: Section, codec: Codec) -> Plan:
    rtx = (
        c.payload_type for c in section.codecs if c.name == "RTX" and c.parameters.get("apt") == str(codec.payload_type)
    )
    return Plan(
        offer=offer,
        video=section,
        codec=codec,
        rtx_payload_type=next(rtx, None),
        extensions={
            uri: section.extensions[uri]
            for uri in EXTENSIONS
            if 1 <= section.extensions.get(uri, 0) <= MAX_EXTENSION_ID
        },
        feedback=tuple(name for name in FEEDBACK if name in codec.feedback),
        data=next((s for s in offer.sections if s.is_data_channel), None),
    )


def _media_lines(section: Section, formats: str, transport: Transport) -> list[str]:
    """The beginning of an accepted section, with the default candidate as its address (RFC 8839 section 4.2.1.2)."""
    default = next((c for c in transport.candidates if ":" not in c.ip), transport.candidates[0])
    family = "IP6" if ":" in default.ip else "IP4"
    return [
        f"m={section.kind} {default.port} {section.protocol} {formats}",
        f"c=IN {family} {default.ip}",
        f"a=mid:{section.mid}",
        *_security_lines(transport),
    ]


def _security_lines(transport: Transport) -> list[str]:
    return [
        f"a=ice-ufrag:{transport.ice_ufrag}",
        f"a=ice-pwd:{transport.ice_password}",
        f"a=fingerprint:{transport.fingerprint.algorithm} {transport.fingerprint.value}",
        "a=setup:passive",
    ]


def _video_lines(plan: Plan, transport: Transport) -> list[str]:
    number, rtx = plan.codec.payload_type, plan.rtx_payload_type
    formats = str(number) if rtx is None else f"{number} {rtx}"
    asymmetry = "level-asymmetry-allowed=1;" if plan.codec.parameters.get("level-asymmetry-allowed") == "1" else ""
    lines = [
        *_media_lines(plan.video, formats, transport),
        "a=sendonly",
        "a=rtcp-mux",
        f"a=msid:{transport.cname} video",
        f"a=rtpmap:{number} H264/90000",
        f"a=fmtp:{number} {asymmetry}packetization-mode=1;profile-level-id={plan.codec.profile_level_id}",
        *(f"a=rtcp-fb:{number} {name}" for name in plan.feedback),
    ]
    ssrcs = [transport.ssrc]
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={number}"]
        lines.append(f"a=ssrc-group:FID {transport.ssrc} {transport.rtx_ssrc}")
        ssrcs.append(transport.rtx_ssrc)
    lines += [f"a=extmap:{extension_id} {uri}" for uri, extension_id in plan.extensions.items()]
    lines += [f"a=ssrc:{ssrc} cname:{transport.cname}" for ssrc in ssrcs]
    return lines


def _data_lines(section: Section, transport: Transport) -> list[str]:
    return [
        *_media_lines(section, "webrtc-datachannel", transport),
        f"a=sctp-port:{SCTP_PORT}",
        f"a=max-message-size:{MAX_MESSAGE_BYTES}",
    ]


def _rejected_lines(section: Section, transport: Transport) -> list[str]:
    lines = [
        f"m={section.kind} 0 {section.protocol} {' '.join(section.formats)}",
        "c=IN IP4 0.0.0.0",
        "a=inactive",
    ]
    if section.mid:
        lines.append(f"a=mid:{section.mid}")
    # A rejected section needs none of this, but aiortc's clients refuse an answer without it.
    return [*lines, *_security_lines(transport), "a=rtcp-mux"]
