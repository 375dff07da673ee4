"""From an offer to a plan to our answer (RFC 8829, RFC 8843, RFC 8839, WHEP); pure text and data, no I/O.

``plan_answer`` decides, ``write_answer`` writes.

Policy: the first of the stream's video formats that the viewer takes is sent, to one video section; to one audio
section if the stream has audio; a data channel is taken, everything else is rejected. The viewer's reports on each
packet's arrival (transport-cc) are preferred to its own estimate (REMB), which comes late and grows slowly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiortc.sdp import candidate_to_sdp

from mediacore.errors import NoCommonCodecError, SdpError
from mediacore.rtc.description import MAX_MESSAGE_BYTES, SCTP_PORT, Plan, RemoteEnd, Track
from mediacore.rtc.h264_profile import preference, profile_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mediacore.rtc.description import Codec, LocalEnd, Offer, Offered, Section, VideoFormat

MAX_EXTENSION_ID: Final = 14
"""The last id of the one-byte form of header extensions (RFC 8285 section 4.2)."""

MID: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
PLAYOUT_DELAY: Final = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
ABS_CAPTURE_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
EXTENSIONS: Final = {
    "video": (MID, ABS_SEND_TIME, TRANSPORT_CC, PLAYOUT_DELAY, ABS_CAPTURE_TIME),
    "audio": (MID, ABS_SEND_TIME, TRANSPORT_CC, ABS_CAPTURE_TIME),
}
"""The header extensions that are filled."""
FEEDBACK: Final = {"video": ("nack", "nack pli", "ccm fir"), "audio": ()}
"""The RTCP feedback that is acted upon, besides that on the way's capacity."""
HASHES: Final = ("sha-256", "sha-384", "sha-512")
"""Hash functions of certificate fingerprints that can be compared (RFC 8122)."""
OPUS_PARAMETERS: Final = "minptime=10;useinbandfec=1"

_NOT_CODECS: Final = ("RTX", "RED", "ULPFEC", "FLEXFEC-03")
_NUMBER: Final = re.compile(r"[0-9]{1,2}")
_ICE_CHARS: Final = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")
_SPELLING: Final = {"OPUS": "opus"}
_CLOCKS: Final = {"video": "90000", "audio": "48000/2"}


def plan_answer(offer: Offer, media: Offered) -> Plan:
    """Choose what to send to a viewer.

    Args:
        offer: what it asks for.
        media: what the stream can send.

    Raises:
        NoCommonCodecError: the viewer takes no video that we can send.
        SdpError: the offer lacks what the transport needs, or has it in a form that we do not take.
    """
    chosen = _choose_video(offer, media)
    if chosen is None:
        raise NoCommonCodecError(_offered_codecs(offer), _available_codecs(media))
    video = _track(*chosen, taken={})
    audio = None
    if media.audio:
        opus = ((s, c) for s in offer.receivers("audio") for c in s.codecs if c.name == "OPUS")
        audio = next((_track(section, codec, taken=video.extensions) for section, codec in opus), None)
    data = next((section for section in offer.sections if section.is_data_channel), None)
    accepted = _accepted(offer, video, audio, data)
    return Plan(offer, video, audio, data, _remote_end(accepted[0], offer.tagged))


def write_answer(plan: Plan, local: LocalEnd) -> str:
    """The answer as SDP: complete, with all candidates and the end of candidates."""
    accepted = _accepted(plan.offer, plan.video, plan.audio, plan.data)
    lines = [
        "v=0",
        f"o=- {local.session_id} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(section.mid for section in accepted),
        f"a=msid-semantic:WMS {local.cname}",
    ]
    for section in plan.offer.sections:
        if section is plan.video.section:
            lines += _video_lines(plan.video, local)
        elif plan.audio is not None and section is plan.audio.section:
            lines += _audio_lines(plan.audio, local)
        elif section is plan.data:
            lines += _data_lines(section, local)
        else:
            lines += _rejected_lines(section, local)
        if section is accepted[0]:
            lines += [f"a=candidate:{candidate_to_sdp(candidate)}" for candidate in local.candidates]
            lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


def _choose_video(offer: Offer, media: Offered) -> tuple[Section, Codec] | None:
    """What the stream prefers of what the viewer takes."""
    return next((chosen for video in media.video if (chosen := _choose_format(offer, video)) is not None), None)


def _choose_format(offer: Offer, video: VideoFormat) -> tuple[Section, Codec] | None:
    """For H.264 the best profile that is offered anywhere; else the payload type that the viewer prefers."""
    fitting = [
        (section, codec)
        for section in offer.receivers("video")
        for codec in section.codecs
        if codec.name == video.name and codec.usable
    ]
    if video.name != "H264":
        return next(iter(fitting), None)
    for profile in preference(video.profile_level_id):
        for section, codec in fitting:
            if profile_of(codec.profile_level_id) == profile:
                return section, codec
    return None


def _offered_codecs(offer: Offer) -> tuple[str, ...]:
    codecs = (codec for section in offer.receivers("video") for codec in section.codecs)
    return tuple(dict.fromkeys(str(codec) for codec in codecs if codec.name not in _NOT_CODECS))


def _available_codecs(media: Offered) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for video in media.video for name in _names(video)))


def _names(video: VideoFormat) -> tuple[str, ...]:
    """As ``Codec`` writes those that would do."""
    if video.name == "VP9":
        return ("VP9 profile-id=0",)
    if video.name != "H264":
        return (video.name,)
    profiles = (video.profile_level_id, "4d001f", "42e01f")
    return tuple(f"H264 {profile} packetization-mode=1" for profile in profiles if profile is not None)


def _track(section: Section, codec: Codec, *, taken: Mapping[str, int]) -> Track:
    """``taken``: ids that have a meaning in the bundle already."""
    rtx = (
        c.payload_type for c in section.codecs if c.name == "RTX" and c.parameters.get("apt") == str(codec.payload_type)
    )
    extensions: dict[str, int] = {}
    for uri in EXTENSIONS[section.kind]:
        number = section.extensions.get(uri, 0)
        known = {**taken, **extensions}
        if 1 <= number <= MAX_EXTENSION_ID and known.get(uri, number) == number and number not in _others(known, uri):
            extensions[uri] = number
    if "transport-cc" not in codec.feedback:
        extensions.pop(TRANSPORT_CC, None)
    feedback = [name for name in FEEDBACK[section.kind] if name in codec.feedback]
    if TRANSPORT_CC in extensions:
        feedback.append("transport-cc")
    elif "goog-remb" in codec.feedback:
        feedback.append("goog-remb")
    return Track(section, codec, next(rtx, None), extensions, tuple(feedback))


def _others(known: Mapping[str, int], uri: str) -> set[int]:
    return {number for name, number in known.items() if name != uri}


def _accepted(offer: Offer, video: Track, audio: Track | None, data: Section | None) -> list[Section]:
    taken = (video.section, audio.section if audio is not None else None, data)
    return [section for section in offer.sections if any(section is one for one in taken)]


def _remote_end(carrier: Section, tagged: Section) -> RemoteEnd:
    """The first section that is accepted carries the transport (RFC 8843 section 7.3); what it leaves out is in the
    one that the group names first (section 7.2).
    """
    ufrag, password = carrier.ice or tagged.ice or ("", "")
    if not _ICE_CHARS.fullmatch(ufrag):
        raise SdpError("the offer has no valid a=ice-ufrag")
    if not _ICE_CHARS.fullmatch(password):
        raise SdpError("the offer has no valid a=ice-pwd")
    secured = carrier if carrier.fingerprints else tagged
    if secured.setup is None:
        raise SdpError("the offer has no a=setup: media must be protected by DTLS-SRTP")
    if secured.setup == "server":
        raise SdpError("the offer says a=setup:passive: the DTLS server is this side (offer actpass or active)")
    fingerprints = tuple(f for f in secured.fingerprints if f.algorithm.lower() in HASHES)
    if not fingerprints:
        raise SdpError(f"the offer has no a=fingerprint of a supported hash ({', '.join(HASHES)})")
    return RemoteEnd(ufrag, password, fingerprints)


def _section_lines(section: Section, formats: str, local: LocalEnd) -> list[str]:
    """The beginning of an accepted section, with the default candidate as its address (RFC 8839 section 4.2.1.2)."""
    default = next((c for c in local.candidates if ":" not in c.ip), local.candidates[0])
    family = "IP6" if ":" in default.ip else "IP4"
    return [
        f"m={section.kind} {default.port} {section.protocol} {formats}",
        f"c=IN {family} {default.ip}",
        f"a=mid:{section.mid}",
        *_security_lines(local),
    ]


def _security_lines(local: LocalEnd) -> list[str]:
    return [
        f"a=ice-ufrag:{local.ice_ufrag}",
        f"a=ice-pwd:{local.ice_password}",
        f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}",
        "a=setup:passive",
    ]


def _track_lines(track: Track, formats: str, fmtp: str | None, stream: str, local: LocalEnd) -> list[str]:
    """``stream``: the MediaStream that the browser is told of."""
    kind, number = track.section.kind, track.codec.payload_type
    name = _SPELLING.get(track.codec.name, track.codec.name)
    return [
        *_section_lines(track.section, formats, local),
        "a=sendonly",
        "a=rtcp-mux",
        *(["a=rtcp-rsize"] if track.section.reduced_rtcp else []),
        f"a=msid:{stream} {kind}",
        f"a=rtpmap:{number} {name}/{_CLOCKS[kind]}",
        *([f"a=fmtp:{number} {fmtp}"] if fmtp else []),
        *(f"a=rtcp-fb:{number} {name}" for name in track.feedback),
    ]


def _video_lines(track: Track, local: LocalEnd) -> list[str]:
    number, rtx = track.codec.payload_type, track.rtx_payload_type
    formats = str(number) if rtx is None else f"{number} {rtx}"
    lines = _track_lines(track, formats, _video_parameters(track.codec), local.cname, local)
    ssrcs = [local.ssrc]
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={number}"]
        lines.append(f"a=ssrc-group:FID {local.ssrc} {local.rtx_ssrc}")
        ssrcs.append(local.rtx_ssrc)
    return [*lines, *_extension_and_source_lines(track, ssrcs, local)]


def _video_parameters(codec: Codec) -> str | None:
    if codec.name == "H264":
        asymmetry = "level-asymmetry-allowed=1;" if codec.parameters.get("level-asymmetry-allowed") == "1" else ""
        return f"{asymmetry}packetization-mode=1;profile-level-id={codec.profile_level_id}"
    if codec.name == "AV1":
        # Level and tier are the viewer's, told back as it told them (RTP payload format for AV1, section 7.2.3):
        # browsers announce level 3.1 whatever they can decode.
        told = ((name, codec.parameters.get(name, "")) for name in ("level-idx", "tier"))
        known = {name: value for name, value in told if _NUMBER.fullmatch(value)}
        return ";".join(f"{name}={value}" for name, value in sorted({**known, "profile": "0"}.items()))
    return "profile-id=0" if codec.name == "VP9" else None


def _audio_lines(track: Track, local: LocalEnd) -> list[str]:
    # A stream of its own: a browser delays video to the audio of the same stream.
    lines = _track_lines(track, str(track.codec.payload_type), OPUS_PARAMETERS, f"{local.cname}-audio", local)
    return [*lines, *_extension_and_source_lines(track, [local.audio_ssrc], local)]


def _extension_and_source_lines(track: Track, ssrcs: Sequence[int], local: LocalEnd) -> list[str]:
    return [
        *(f"a=extmap:{number} {uri}" for uri, number in track.extensions.items()),
        *(f"a=ssrc:{ssrc} cname:{local.cname}" for ssrc in ssrcs),
    ]


def _data_lines(section: Section, local: LocalEnd) -> list[str]:
    return [
        *_section_lines(section, "webrtc-datachannel", local),
        f"a=sctp-port:{SCTP_PORT}",
        f"a=max-message-size:{MAX_MESSAGE_BYTES}",
    ]


def _rejected_lines(section: Section, local: LocalEnd) -> list[str]:
    lines = [
        f"m={section.kind} 0 {section.protocol} {' '.join(section.formats)}",
        "c=IN IP4 0.0.0.0",
        "a=inactive",
    ]
    if section.mid:
        lines.append(f"a=mid:{section.mid}")
    # A rejected section needs none of this, but aiortc's clients refuse an answer without it.
    return [*lines, *_security_lines(local), "a=rtcp-mux"]
