"""A viewer's offer, read and checked (RFC 8829, RFC 8843, RFC 8839, WHEP); pure text and data, no I/O.

The grammar itself is read by aiortc's parser, which has no error type of its own: whatever it raises becomes an
``SdpError`` that names the line.

Policy: limits are checked before anything is parsed. Names that mDNS hides (RFC 8828 section 4) are never looked up:
that costs a second, and the viewer's address is learnt from its first check anyway.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from aiortc.sdp import SessionDescription

from mediacore.errors import SdpError, SdpTooLargeError
from mediacore.rtc.description import MAX_MESSAGE_BYTES, Codec, Offer, Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiortc import RTCIceCandidate
    from aiortc.sdp import MediaDescription

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
_CLOCKS: Final = {"video": 90_000, "audio": 48_000}
"""RTP clocks of the codecs that we know."""
_PARSER_ERRORS: Final = (
    AssertionError, AttributeError, IndexError, KeyError, OverflowError, StopIteration, TypeError, ValueError,
)  # fmt: skip
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")


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
    bundle_only = _sections_with("a=bundle-only", lines)  # then port 0 is no rejection (RFC 8843 section 6)
    reduced_rtcp = _sections_with("a=rtcp-rsize", lines)
    sections = tuple(
        _section(media, usable=media.rtp.muxId in bundle and (media.port != 0 or only), reduced_rtcp=reduced)
        for media, only, reduced in zip(description.media, bundle_only, reduced_rtcp, strict=True)
    )
    _check_mids(sections)
    if not any(section.receives("video") for section in sections):
        raise SdpError("the offer has no bundled video section with a=recvonly or a=sendrecv")
    in_bundle = [m for m, s in zip(description.media, sections, strict=True) if s.mid in bundle]
    if not any(media.rtcp_mux for media in in_bundle):
        raise SdpError("the offer has no a=rtcp-mux: RTP and RTCP must share one port")
    offered = [candidate for media in in_bundle for candidate in media.ice_candidates]
    candidates, hidden, dropped = _usable_candidates(offered, max_candidates)
    bundled = [section for section in sections if section.mid in bundle]
    tagged = next((section for section in bundled if section.mid == bundle[0]), bundled[0])
    return Offer(sections, tagged, candidates, hidden, dropped)


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


def _sections_with(attribute: str, lines: Iterable[str]) -> list[bool]:
    """For each media section, if it has the attribute, which aiortc's parser does not know."""
    found: list[bool] = []
    for line in lines:
        if line.startswith("m="):
            found.append(False)
        elif found and line.strip() == attribute:
            found[-1] = True
    return found


def _section(media: MediaDescription, *, usable: bool, reduced_rtcp: bool) -> Section:
    ice, dtls = media.ice, media.dtls
    ufrag, password = (ice.usernameFragment, ice.password) if ice is not None else (None, None)
    return Section(
        kind=media.kind,
        protocol=media.profile,
        formats=tuple(str(format_id) for format_id in media.fmt),
        mid=media.rtp.muxId,
        direction=media.direction or "sendrecv",
        usable=usable,
        codecs=_codecs(media),
        extensions={e.uri: e.id for e in media.rtp.headerExtensions},
        reduced_rtcp=reduced_rtcp,
        sctp_port=media.sctp_port,
        max_message_bytes=media.sctpCapabilities.maxMessageSize if media.sctpCapabilities else MAX_MESSAGE_BYTES,
        ice=(ufrag, password or "") if ufrag else None,
        setup=dtls.role if dtls is not None else None,
        fingerprints=tuple(dtls.fingerprints) if dtls is not None else (),
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
        if codec.payloadType is not None and codec.clockRate == _CLOCKS.get(media.kind)
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
