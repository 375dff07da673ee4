"""Types of the native core; use the typed modules (`mediacore.h264`)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, final

from typing_extensions import Buffer

class NalUnit(NamedTuple):
    """One NAL unit of an access unit (H.264 7.3.1)."""

    type: int
    """nal_unit_type, table 7-1."""
    ref_idc: int
    """nal_ref_idc: 0 if no other picture refers to it."""
    offset: int
    """Of the header byte in the access unit's data."""
    size: int
    """Bytes, the header byte included, trailing zeros excluded."""

@final
class FrameCropping:
    """Offsets in crop units (H.264 7.4.2.1.1); `Sps.width` and `Sps.height` have them taken off."""

    @property
    def left(self) -> int: ...
    @property
    def right(self) -> int: ...
    @property
    def top(self) -> int: ...
    @property
    def bottom(self) -> int: ...

@final
class TimingInfo:
    """Timing of the VUI (H.264 E.2.1); a frame is two ticks."""

    @property
    def num_units_in_tick(self) -> int: ...
    @property
    def time_scale(self) -> int: ...
    @property
    def fixed_frame_rate_flag(self) -> bool: ...

@final
class HrdSchedule:
    """One entry of the HRD parameters (H.264 E.1.2)."""

    @property
    def bit_rate_value_minus1(self) -> int: ...
    @property
    def cpb_size_value_minus1(self) -> int: ...
    @property
    def cbr_flag(self) -> bool: ...

@final
class HrdParameters:
    """HRD parameters (H.264 E.1.2)."""

    @property
    def schedules(self) -> list[HrdSchedule]: ...
    @property
    def bit_rate_scale(self) -> int: ...
    @property
    def cpb_size_scale(self) -> int: ...
    @property
    def initial_cpb_removal_delay_length_minus1(self) -> int: ...
    @property
    def cpb_removal_delay_length_minus1(self) -> int: ...
    @property
    def dpb_output_delay_length_minus1(self) -> int: ...
    @property
    def time_offset_length(self) -> int: ...

@final
class BitstreamRestriction:
    """bitstream_restriction of the VUI (H.264 E.2.1)."""

    @property
    def motion_vectors_over_pic_boundaries_flag(self) -> bool: ...
    @property
    def max_bytes_per_pic_denom(self) -> int: ...
    @property
    def max_bits_per_mb_denom(self) -> int: ...
    @property
    def log2_max_mv_length_horizontal(self) -> int: ...
    @property
    def log2_max_mv_length_vertical(self) -> int: ...
    @property
    def max_num_reorder_frames(self) -> int: ...
    @property
    def max_dec_frame_buffering(self) -> int: ...

@final
class Vui:
    """Video usability information (H.264 E.1.1). Names are the standard's; absent parts have the inferred values."""

    @property
    def aspect_ratio_info_present_flag(self) -> bool: ...
    @property
    def aspect_ratio_idc(self) -> int: ...
    @property
    def sar_width(self) -> int: ...
    @property
    def sar_height(self) -> int: ...
    @property
    def overscan_info_present_flag(self) -> bool: ...
    @property
    def overscan_appropriate_flag(self) -> bool: ...
    @property
    def video_signal_type_present_flag(self) -> bool: ...
    @property
    def video_format(self) -> int: ...
    @property
    def video_full_range_flag(self) -> bool: ...
    @property
    def colour_description_present_flag(self) -> bool: ...
    @property
    def colour_primaries(self) -> int: ...
    @property
    def transfer_characteristics(self) -> int: ...
    @property
    def matrix_coefficients(self) -> int: ...
    @property
    def chroma_loc_info_present_flag(self) -> bool: ...
    @property
    def chroma_sample_loc_type_top_field(self) -> int: ...
    @property
    def chroma_sample_loc_type_bottom_field(self) -> int: ...
    @property
    def timing_info(self) -> TimingInfo | None: ...
    @property
    def nal_hrd(self) -> HrdParameters | None: ...
    @property
    def vcl_hrd(self) -> HrdParameters | None: ...
    @property
    def low_delay_hrd_flag(self) -> bool: ...
    @property
    def pic_struct_present_flag(self) -> bool: ...
    @property
    def bitstream_restriction(self) -> BitstreamRestriction | None: ...

@final
class Sps:
    """A sequence parameter set (H.264 7.3.2.1.1). Never changes; equal if all fields are equal."""

    @property
    def profile_idc(self) -> int: ...
    @property
    def constraint_flags(self) -> int:
        """constraint_set0_flag is the top bit of 8; the two lowest are reserved."""
    @property
    def level_idc(self) -> int: ...
    @property
    def profile_level_id(self) -> str:
        """The three bytes above as 6 lower-case hex digits (RFC 6184 section 8.1)."""
    @property
    def id(self) -> int:
        """seq_parameter_set_id, 0 to 31."""
    @property
    def width(self) -> int:
        """Of the cropped picture in luma samples."""
    @property
    def height(self) -> int:
        """Of the cropped picture in luma samples."""
    @property
    def fps(self) -> float | None:
        """Frames per second by the VUI; None if it has no timing. Not to be trusted for live streams."""
    @property
    def chroma_format_idc(self) -> int: ...
    @property
    def separate_colour_plane_flag(self) -> bool: ...
    @property
    def bit_depth_luma(self) -> int: ...
    @property
    def bit_depth_chroma(self) -> int: ...
    @property
    def qpprime_y_zero_transform_bypass_flag(self) -> bool: ...
    @property
    def seq_scaling_matrix_present_flag(self) -> bool: ...
    @property
    def log2_max_frame_num(self) -> int: ...
    @property
    def pic_order_cnt_type(self) -> int: ...
    @property
    def log2_max_pic_order_cnt_lsb(self) -> int: ...
    @property
    def delta_pic_order_always_zero_flag(self) -> bool: ...
    @property
    def offset_for_non_ref_pic(self) -> int: ...
    @property
    def offset_for_top_to_bottom_field(self) -> int: ...
    @property
    def offset_for_ref_frame(self) -> list[int]: ...
    @property
    def max_num_ref_frames(self) -> int: ...
    @property
    def gaps_in_frame_num_value_allowed_flag(self) -> bool: ...
    @property
    def pic_width_in_mbs(self) -> int:
        """pic_width_in_mbs_minus1 + 1."""
    @property
    def pic_height_in_map_units(self) -> int:
        """pic_height_in_map_units_minus1 + 1."""
    @property
    def frame_mbs_only_flag(self) -> bool: ...
    @property
    def mb_adaptive_frame_field_flag(self) -> bool: ...
    @property
    def direct_8x8_inference_flag(self) -> bool: ...
    @property
    def frame_cropping(self) -> FrameCropping | None: ...
    @property
    def vui(self) -> Vui | None: ...
    @property
    def vui_truncated(self) -> bool:
        """True if the data ends inside the VUI: `vui` then has what stands before, and the rest inferred."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class AccessUnit:
    """One access unit, with bytes of its own: it outlives the parser."""

    @property
    def data(self) -> memoryview:
        """Annex B, from the first NAL unit's start code to the last byte of the last one.

        Read-only; keeps the bytes alive.
        """
    @property
    def nal_units(self) -> list[NalUnit]:
        """In the order of the stream; a new list at each access."""
    @property
    def position(self) -> int:
        """Bytes that had been pushed before the first one of `data`: tells in which read the unit began."""
    @property
    def is_idr(self) -> bool:
        """True if the picture is an IDR picture."""
    @property
    def is_random_access(self) -> bool:
        """True if decoding can start here: an IDR picture, or a recovery point SEI stands before the picture."""
    @property
    def sps(self) -> Sps | None:
        """What the picture refers to; None if its parameter sets were never seen. The same object until it changes."""

@final
class ParserStats:
    """Counts of a parser since it was made. What came in = units + corrupt + oversize + dropped."""

    @property
    def bytes(self) -> int:
        """Pushed."""
    @property
    def nal_units(self) -> int:
        """NAL units that are not empty."""
    @property
    def units(self) -> int:
        """Access units given."""
    @property
    def corrupt(self) -> int:
        """Access units dropped because one of their NAL units did not parse."""
    @property
    def oversize(self) -> int:
        """Access units dropped because they passed a limit."""
    @property
    def dropped(self) -> int:
        """Access units dropped while waiting for a random access point after a corrupt, oversize or cut one."""
    @property
    def cut_units(self) -> int:
        """Units that a flush gave before they were whole, as the following bytes proved."""
    @property
    def skipped_bytes(self) -> int:
        """Bytes before the first start code, and the rest of cut NAL units."""

@final
class AccessUnitParser:
    """Annex B bytes in, access units out: the same units for any chunking (H.264 annex B, 7.4.1.2.3, 7.4.1.2.4).

    Gives the bytes that came in and inserts nothing. A unit is given when the first bytes of the next one tell that it
    ended. Units that do not parse are dropped and counted, as are all after them up to a random access point.
    Memory stays below `max_access_unit_bytes` + 64 KiB.
    """

    def __init__(self, max_access_unit_bytes: int = 8 << 20, max_nal_units: int = 16384) -> None:
        """Limits of one access unit. ValueError if they are 0, or above 1 GiB and 2^24."""
    def push(self, data: Buffer, *, complete: bool = False) -> list[AccessUnit]:
        """Take all of `data` and return the units that are complete.

        With `complete` the frame ends with this data: its unit is returned now. Parameter sets without a picture
        stay, as the head of the next unit.

        Raises BitstreamError when a unit passes a limit. The parser stays usable: all data was taken, the unit is
        dropped, the stream goes on at the next random access point, and units that this push completed come with the
        next call.
        """
    def flush(self) -> AccessUnit | None:
        """Return the unit received so far; None if there is no picture in it, or if it may not be given.

        For streams that went idle or ended. Half a start code, and a NAL unit whose header is not complete, stay. If
        what follows continues the unit, it was cut: its rest and the units up to a random access point are dropped,
        and `stats().cut_units` grows.
        """
    def stats(self) -> ParserStats:
        """The counts so far."""

@final
class ParameterSets:
    """Keeps the SPS and PPS of a stream, all ids, and puts them before random access points that lack them.

    A set that does not parse, or is larger than 64 KiB, is not kept.
    """

    def __init__(self) -> None: ...
    def observe(self, unit: AccessUnit) -> None:
        """Keep the sets of this unit; those of the same id are replaced."""
    def complete(self, unit: AccessUnit) -> bytes | memoryview:
        """The unit as Annex B with the sets it lacks, if it is a random access point; else just its data.

        SPS before PPS; an access unit delimiter stays first; the unit's own sets are neither moved nor repeated.
        """

@final
class BurstFlush:
    """When to flush a stream without frame boundaries. Times are µs of any monotonic clock.

    The first eight units wait `max_idle_us`, and so do eight after a flush that came too early. Others wait `idle_us`,
    or one and a half times the longest pause inside an access unit that is to be expected, up to `max_idle_us`: one
    that stayed alone is expected for 3 s, one that comes back within 20 s for as long as it does.
    """

    def __init__(self, idle_us: int = 2000, max_idle_us: int = 50_000) -> None: ...
    def observe(self, now_us: int, data: Buffer) -> int | None:
        """Bytes were read at `now_us`, or none were there. Return when to flush if none follow.

        None if nothing came since a flush. Bytes that are read long after a deadline at which the caller did not look
        teach nothing: they may have come at any time.
        """
    def flushed(self, now_us: int) -> None:
        """The parser gave a unit by a flush at `now_us`. If that was before the deadline it cannot count as wrong."""
    def for_new_stream(self) -> BurstFlush:
        """One for another stream over the same link; it knows the pauses seen here."""
    @property
    def idle_us(self) -> int:
        """Time without bytes that now ends a unit, in µs."""
    @property
    def wrong_flushes(self) -> int:
        """Flushes at their deadline that came too early."""

class ProfileLevelId:
    """Profile and level that a `profile-level-id` names (RFC 6184 section 8.1), compared as libwebrtc does."""

    def __init__(self, profile: str, level: str) -> None:
        """`profile` is constrained-baseline, baseline, main, constrained-high, high or predictive-high-444; `level` as
        table A-1 writes it: 1, 1b, 1.1 to 5.2. Raises ValueError for others."""
    @staticmethod
    def parse(text: str) -> ProfileLevelId | None:
        """Of six hexadecimal digits; None if they name no profile or level that WebRTC knows."""
    @property
    def profile(self) -> str:
        """The profile's name; several patterns of bytes are the same profile."""
    @property
    def level(self) -> str:
        """The level's name."""
    @property
    def text(self) -> str | None:
        """The canonical six digits; None for level 1b of a profile that cannot say it."""
    def answered(self, theirs: ProfileLevelId, *, both_allow_asymmetry: bool) -> ProfileLevelId:
        """Ours with the level of an answer: the lower one, unless both allow asymmetry (RFC 6184 section 8.2.2)."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

def guaranteed_level(max_pixels: int, max_fps: float) -> str | None:
    """The highest level whose pictures a decoder of these limits takes in any case; None if there is none."""

def required_level(width: int, height: int, fps: float) -> str | None:
    """The lowest level that a stream of this size in pixels and rate fits into (H.264 A.3.1); None if none does."""

def find_start_codes(data: Buffer) -> list[int]:
    """Offset of the first byte of each 00 00 01 (H.264 B.1.1)."""

def parse_sps(nal: Buffer) -> Sps:
    """Parse an SPS NAL unit: header byte first, no start code, emulation prevention in place.

    Raises BitstreamError with what is wrong and the byte in `nal`.
    """

def low_delay_sps(nal: Buffer, *, colour: tuple[int, int, int, bool] | None = None) -> bytes:
    """The SPS NAL unit with a VUI that lets decoders give each picture at once (bitstream_restriction, H.264 E.2.1).

    Reorder 0 and a buffer of max_num_ref_frames, as libwebrtc; unchanged if it says so already; bit-exact elsewhere.
    Only for streams whose pictures are shown in the order they come in. `colour` (primaries, transfer, matrix, full
    range; tables E-3 to E-5, 2 is unspecified) sets what the VUI tells of the colour; None leaves it.

    Raises BitstreamError if the SPS does not parse or its VUI is cut off.
    """

_ExtensionValues: TypeAlias = tuple[
    str | None,
    str | None,
    str | None,
    int | None,
    int | None,
    tuple[int, int] | None,
    tuple[int, int | None] | None,
    tuple[bool, int] | None,
]

EXTENSION_URIS: dict[str, str]
"""URI, as `a=extmap` names it, of each field of `mediacore.rtp.HeaderExtensions`."""

def abs_send_time(now_us: int) -> int:
    """The 24 bits of the abs-send-time extension for a time in µs of any clock; they wrap after 64 s."""

def parse_rtp_packet(
    data: Buffer, extension_ids: dict[str, int]
) -> tuple[bytes, int, int, int, int, bool, tuple[int, ...], _ExtensionValues, int]:
    """The parts of an RTP packet, in the order of `mediacore.rtp.RtpPacket`; see `mediacore.rtp.parse_packet`."""

def write_rtp_packet(
    payload: Buffer,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    marker: bool,
    csrcs: Sequence[int],
    extensions: _ExtensionValues,
    padding_bytes: int,
    extension_ids: dict[str, int],
) -> bytes:
    """The bytes of an RTP packet; see `mediacore.rtp.write_packet`."""

@final
class H264Packetizer:
    """H.264 access units to RTP payloads (RFC 6184), packetization mode 0 or 1.

    Mode 1 puts NAL units that fit together into one packet (STAP-A), and cuts those that do not fit (FU-A). Access unit
    delimiters, filler data, NAL unit types 24 to 31 and empty NAL units are left out, all others are carried in order.
    """

    def __init__(
        self,
        max_payload_bytes: int = 1200,
        mode: int = 1,
        *,
        first_reduction: int = 0,
        last_reduction: int = 0,
        single_reduction: int | None = None,
        balanced: bool = False,
    ) -> None:
        """`max_payload_bytes` without RTP header: leave room for header extensions and the SRTP tag.

        ValueError if it is not 5 to 65495, if a reduction takes more than a quarter of it, or for another mode.
        """
    def packetize(self, unit: Buffer | AccessUnit) -> list[bytes]:
        """The payloads of one access unit, without RTP headers; the last one's packet gets the marker.

        Raises BitstreamError, with nothing done, if bytes other than zeros stand before the first start code, or, in
        mode 0, if a NAL unit does not fit into a packet.
        """

@final
class Vp8Packetizer:
    """VP8 frames to RTP payloads (RFC 7741), one temporal layer."""

    def __init__(
        self,
        max_payload_bytes: int = 1200,
        *,
        picture_id: int | None = 0,
        tl0_pic_idx: int | None = None,
        first_reduction: int = 0,
        last_reduction: int = 0,
        single_reduction: int | None = None,
        balanced: bool = False,
    ) -> None:
        """`picture_id` (15 bits) and `tl0_pic_idx` (8 bits) of the first frame; they grow and wrap; None: not sent.

        ValueError if `max_payload_bytes` is not 64 to 65495 or a reduction takes more than a quarter of it.
        """
    def packetize(self, frame: Buffer) -> list[bytes]:
        """The payloads of one frame; none of an empty one."""

@final
class Vp9Packetizer:
    """VP9 frames to RTP payloads (RFC 9628), one spatial and one temporal layer.

    Key frames carry the scalability structure with the size of the picture.
    """

    def __init__(
        self,
        max_payload_bytes: int = 1200,
        *,
        flexible: bool = False,
        picture_id: int = 0,
        tl0_pic_idx: int = 0,
        first_reduction: int = 0,
        last_reduction: int = 0,
        single_reduction: int | None = None,
        balanced: bool = False,
    ) -> None:
        """Flexible mode names references in each packet, non-flexible mode counts base layer frames (TL0PICIDX).

        ValueError as for Vp8Packetizer.
        """
    def packetize(self, frame: Buffer) -> list[bytes]:
        """The payloads of one frame; none of an empty one. BitstreamError if it does not begin as a VP9 frame."""

@final
class Av1Packetizer:
    """AV1 temporal units to RTP payloads (RTP Payload Format For AV1).

    OBUs travel without size fields; temporal delimiters, tile lists and padding are left out.
    """

    def __init__(
        self,
        max_payload_bytes: int = 1200,
        *,
        first_reduction: int = 0,
        last_reduction: int = 0,
        single_reduction: int | None = None,
    ) -> None:
        """ValueError as for Vp8Packetizer."""
    def packetize(self, unit: Buffer) -> list[bytes]:
        """The payloads of one temporal unit in low-overhead format. BitstreamError if its OBUs do not add up."""

@final
class OpusPayload:
    """How an Opus packet is to be sent; the payload is the packet itself."""

    @property
    def marker(self) -> bool:
        """True for the first packet after a pause."""
    @property
    def send(self) -> bool:
        """False for a packet of a pause, if those are left out."""
    @property
    def ticks(self) -> int:
        """Duration at 48 kHz; what the RTP timestamp grows by, sent or not."""

@final
class OpusPacketizer:
    """Opus packets to RTP (RFC 7587): one packet is one payload."""

    def __init__(self, *, skip_dtx: bool = False) -> None:
        """With `skip_dtx` packets of a pause (discontinuous transmission: one or two bytes) are left out."""
    def packetize(self, packet: Buffer) -> OpusPayload:
        """How this packet is to be sent. BitstreamError if it is empty, cut, or promises more than 120 ms."""

@final
class DepacketizedFrame:
    """One frame, put together from its packets."""

    @property
    def data(self) -> bytes:
        """H.264: Annex B with 4-byte start codes. AV1: OBUs with sizes. Others: the frame or packet itself."""
    @property
    def timestamp(self) -> int:
        """RTP timestamp."""
    @property
    def is_key(self) -> bool:
        """True if decoding can start here (IDR picture, key frame, coded video sequence; all Opus packets)."""
    @property
    def packets(self) -> int:
        """How many it came in."""
    @property
    def lost_before(self) -> int:
        """Packets lost since the frame before. If not 0, frames may be missing; with H.264 also NAL units at the
        beginning of this one, because packets do not tell where an access unit begins."""

@final
class DepacketizerStats:
    """Counts of a depacketizer since it was made."""

    @property
    def packets(self) -> int:
        """Pushed."""
    @property
    def frames(self) -> int:
        """Given."""
    @property
    def damaged(self) -> int:
        """Frames dropped because packets were lost inside, or a payload did not parse."""
    @property
    def lost(self) -> int:
        """Packets that never came, or too late."""
    @property
    def late(self) -> int:
        """Packets not used: they came after a later one, or twice."""
    @property
    def malformed(self) -> int:
        """Payloads that did not parse."""

@final
class H264Depacketizer:
    """H.264 payloads to access units (RFC 6184, modes 0 and 1)."""

    def __init__(self, max_frame_bytes: int = 8 << 20) -> None:
        """The limit of one frame: 1 byte to 1 GiB, else ValueError."""
    def push(
        self, payload: Buffer, *, sequence_number: int, timestamp: int = 0, marker: bool
    ) -> list[DepacketizedFrame]:
        """Take one payload and return the frames that are complete, two at most.

        A frame is complete at its marker, or when a payload of another timestamp comes. Raises BitstreamError once
        for each frame that is dropped, because packets were lost inside it or a payload does not parse. The
        depacketizer stays usable; frames that this push completed come with the next one. Late packets give nothing.
        """
    def stats(self) -> DepacketizerStats:
        """The counts so far."""

@final
class Vp8Depacketizer:
    """VP8 payloads to frames (RFC 7741)."""

    def __init__(self, max_frame_bytes: int = 8 << 20) -> None:
        """As H264Depacketizer."""
    def push(
        self, payload: Buffer, *, sequence_number: int, timestamp: int = 0, marker: bool
    ) -> list[DepacketizedFrame]:
        """As H264Depacketizer."""
    def stats(self) -> DepacketizerStats:
        """The counts so far."""

@final
class Vp9Depacketizer:
    """VP9 payloads to frames (RFC 9628); the layers of a picture come as one super frame."""

    def __init__(self, max_frame_bytes: int = 8 << 20) -> None:
        """As H264Depacketizer."""
    def push(
        self, payload: Buffer, *, sequence_number: int, timestamp: int = 0, marker: bool
    ) -> list[DepacketizedFrame]:
        """As H264Depacketizer."""
    def stats(self) -> DepacketizerStats:
        """The counts so far."""

@final
class Av1Depacketizer:
    """AV1 payloads to temporal units (RTP Payload Format For AV1)."""

    def __init__(self, max_frame_bytes: int = 8 << 20) -> None:
        """As H264Depacketizer."""
    def push(
        self, payload: Buffer, *, sequence_number: int, timestamp: int = 0, marker: bool
    ) -> list[DepacketizedFrame]:
        """As H264Depacketizer."""
    def stats(self) -> DepacketizerStats:
        """The counts so far."""

@final
class OpusDepacketizer:
    """Opus payloads to packets (RFC 7587): each payload is one."""

    def __init__(self, max_frame_bytes: int = 8 << 20) -> None:
        """As H264Depacketizer."""
    def push(
        self, payload: Buffer, *, sequence_number: int, timestamp: int = 0, marker: bool
    ) -> list[DepacketizedFrame]:
        """As H264Depacketizer."""
    def stats(self) -> DepacketizerStats:
        """The counts so far."""

@final
class SrtpSealer:
    """Seals RTP packets (RFC 3711, RFC 7714).

    `profile` is the number of the DTLS extension use_srtp: 1 (AES128_CM_SHA1_80), 7 or 8 (AEAD_AES_128_GCM and 256).
    Master key and salt have 16 and 14, 16 and 12, 32 and 12 bytes; else ValueError.
    """

    def __init__(self, profile: int, key: Buffer, salt: Buffer) -> None: ...
    def seal(self, packet: Buffer, *, header_bytes: int, index: int) -> bytes:
        """The sealed packet; its first `header_bytes` (CSRCs and extension included) stay readable.

        `index` is the rollover counter * 2**16 + sequence number and must not be used twice for an SSRC. ValueError
        if it is not that of the packet.
        """

@final
class SrtpOpener:
    """Opens RTP packets of up to 32 SSRCs, each with its rollover counter and replay window."""

    def __init__(self, profile: int, key: Buffer, salt: Buffer) -> None:
        """As SrtpSealer."""
    def open(self, packet: Buffer) -> bytes:
        """The plain packet; ValueError with the reason: malformed, forged, repeated, too old, too many sources."""

@final
class SrtcpSealer:
    """Seals RTCP packets and counts their index."""

    def __init__(self, profile: int, key: Buffer, salt: Buffer, *, first_index: int = 0) -> None:
        """As SrtpSealer."""
    def seal(self, packet: Buffer) -> bytes:
        """The sealed packet; ValueError if it has less than 8 bytes, or the 2**31 indexes are used up."""

@final
class SrtcpOpener:
    """Opens RTCP packets of up to 32 senders, each with its replay window."""

    def __init__(self, profile: int, key: Buffer, salt: Buffer) -> None:
        """As SrtpSealer."""
    def open(self, packet: Buffer) -> bytes:
        """The plain packet; ValueError with the reason, as SrtpOpener, or: not encrypted."""

# ---- the media loop (use mediacore.media_loop)

EVENT_DONE: int
"""(token, error: str | None): the command with this token was carried out; token 0: a command without one failed."""
EVENT_DESCRIPTION: int
"""(rendition, width, height, profile_level_id, epoch, pts_us): told before the first packet that it holds for."""
EVENT_KEY_FRAME_WANTED: int
"""(rendition): at most one until the next key frame, or 250 ms."""
EVENT_SOURCE_CURRENT: int
"""(source, epoch): the source has taken over; its first key frame follows."""
EVENT_SOURCE_DAMAGED: int
"""(source): an access unit was cut or dropped; only a key frame heals that."""
EVENT_SOURCE_ENDED: int
"""(source, errno, head: bytes, reason): its socket is closed. errno 0: the end of the stream. `head`: the first bytes,
at most 512, if no access unit came. Reasons: end, error, superseded, removed (with its rendition), no rendition,
no memory."""
EVENT_DATAGRAM: int
"""(viewer, socket, host, port, data: bytes): STUN or DTLS; at most 64 wait per viewer, 4096 in all."""
EVENT_DESTINATION: int
"""(viewer): media goes somewhere else now, or nowhere any more."""
EVENT_VIEWER_SILENT: int
"""(viewer, silent_us): nothing authenticated was heard for so long."""
EVENT_VIEWER_BYE: int
"""(viewer): it said that it goes, or its state could not be kept."""
EVENT_TAP_READY: int
"""(tap): there are packets again, after `take_packets` gave none."""
EVENT_TAP_ENDED: int
"""(tap): its rendition is gone; what is queued can still be taken."""

@final
class PacketData:
    """The bytes of one packet, read-only, through the buffer protocol; keeps them alive."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class ViewerConfig:
    """What a viewer is sent with: keys, SSRCs, payload types, extensions, pace. A value; `start_viewer` copies it."""

    def __init__(
        self,
        *,
        profile: int,
        exported: Buffer,
        video_ssrc: int,
        video_payload_type: int,
        rtx_ssrc: int = 0,
        rtx_payload_type: int = 0,
        audio_ssrc: int = 0,
        audio_payload_type: int = 0,
        video_mid: str = "",
        audio_mid: str = "",
        extension_ids: Mapping[str, int] = ...,
        playout_delay_ms: tuple[int, int] | None = None,
        cname: str = "",
        video_timestamp_origin: int = 0,
        audio_timestamp_origin: int = 0,
        first_sequences: Sequence[int] = (0, 0, 0),
        pacing: Mapping[str, float] = ...,
    ) -> None:
        """Raises `ValueError` for a value out of range.

        Args:
            profile: the number of DTLS's use_srtp: 1 (AES-128-CM, SHA1-80), 7 (AES-128-GCM), 8 (AES-256-GCM).
            exported: keying material of "EXTRACTOR-dtls_srtp" (RFC 5764 4.2); we are the DTLS server.
            video_ssrc: of the pictures.
            video_payload_type: of the pictures.
            rtx_ssrc: of retransmissions (RFC 4588).
            rtx_payload_type: 0: lost packets are sent again as they were.
            audio_ssrc: of the sound.
            audio_payload_type: 0: no sound.
            video_mid: for the header extension.
            audio_mid: for the header extension.
            extension_ids: negotiated ids of header extensions by URI; unknown URIs are left out.
            playout_delay_ms: least and most; None: not told.
            cname: of the sender reports.
            video_timestamp_origin: RTP timestamp of the time 0.
            audio_timestamp_origin: RTP timestamp of the time 0.
            first_sequences: of video, retransmissions, audio; below 2^15.
            pacing: as `MediaLoop.set_pacing`.
        """

class LoopClosedError(RuntimeError):
    """The media loop is closed."""

class QueueFullError(RuntimeError):
    """Too many commands wait."""

class TooManyError(RuntimeError):
    """A limit on how many there may be."""

@final
class MediaLoop:
    """Threads that read sources and talk to viewers, without Python.

    Every call may be made from any thread and waits for nobody, but for `close`. After `close` all raise
    `LoopClosedError`; commands raise `QueueFullError` when 4096 of them wait. Commands ignore an id that no
    longer stands for anything; figures and `take_packets` raise `KeyError` for it. A process that forks has the loop in
    the parent only.
    """

    def __init__(
        self,
        *,
        addresses: Sequence[str],
        threads: int = 1,
        port: int = 0,
        last_port: int = 0,
        coalesce_us: int = 1000,
        gso: bool = True,
        sessions: object | None = None,
    ) -> None:
        """Open the sockets and start the threads.

        Raises `OSError` with the address in its text if a socket cannot be opened, and `ValueError`.

        Args:
            addresses: local ones; each thread has a UDP socket for each. None: taps alone, no viewers.
            threads: 1 to 64.
            port: 0: any free one for each socket. Else thread n takes the first that is free on all addresses from
                here on.
            last_port: the last one that may be taken; 0: `port` alone.
            coalesce_us: what is due within this time leaves in one wake-up.
            gso: let the kernel cut packets (UDP GSO) where it can.
            sessions: capsule of the `SessionMap` whose sessions' viewers are let in; None: all viewers are.
        """
    @property
    def event_fd(self) -> int:
        """Readable when there are events; owned by the loop."""
    @property
    def threads(self) -> int:
        """How many there are."""
    def close(self) -> None:
        """BYE to all viewers, then join the threads and close everything. May be repeated."""
    def sockets(self, thread: int) -> list[tuple[str, int]]:
        """(address, port) by socket index. `IndexError` for a thread that is not there."""
    def take_events(self) -> list[tuple[Any, ...]]:
        """All there are: tuples that begin with one of the constants above."""
    def add_rendition(self, *, codec: str, replay_bytes: int, gop_bytes: int = 16777216, beside: int = 0) -> int:
        """One encoding; returns its id.

        Args:
            codec: h264, vp8, vp9, av1 or opus.
            replay_bytes: the cached pictures are replayed to a late viewer if they are no more than that.
            gop_bytes: the cache is given up until the next key frame when it would be larger.
            beside: a rendition whose thread it shall be on (sound with its pictures); 0: the least loaded one.
        """
    def thread_of(self, rendition: int) -> int:
        """The thread that it, and so its viewers, are on."""
    def push(
        self, rendition: int, data: Buffer, *, pts_us: int, is_key: bool, due_us: int = 0, received_us: int = 0
    ) -> bool:
        """Give one access unit, which is copied; False, and nothing taken, if 4096 or 16 MiB are ahead.

        Args:
            rendition: where it goes.
            data: Annex B with parameter sets before key frames; a frame of VP8 or VP9; a temporal unit of AV1; an
                Opus packet.
            pts_us: its time, of the monotonic clock for live media.
            is_key: decoding can begin with it.
            due_us: when it is sent, of the monotonic clock; 0: at once, but not before those pushed earlier.
            received_us: when its first byte arrived; 0: when it is sent.
        """
    def push_all(self, rendition: int, units: Sequence[tuple[Buffer, int, bool]]) -> int:
        """Give access units ahead of their times; how many were taken, in order: all, or those before 4096 or 16 MiB.

        Each is (data, at_us, is_key) and is pushed with ``at_us`` as the time of its picture, of its arrival and of its
        sending. If it raises, none was pushed.
        """
    def describe(self, rendition: int, *, width: int, height: int) -> None:
        """The size of what is pushed next, in pixels; told with its next key frame. H.264 carries its own."""
    def new_epoch(self, rendition: int) -> None:
        """What is pushed next belongs to a new epoch; the first one is 1."""
    def key_frame_unavailable(self, rendition: int) -> None:
        """A wished key frame cannot be had: viewers that wait get the cached pictures, whatever their size."""
    def request_key_frame(self, rendition: int) -> None:
        """As if a viewer had asked: EVENT_KEY_FRAME_WANTED, unless one is wanted already."""
    def add_source(self, rendition: int, fd: int, *, idle_us: int, learnt_from: int = 0) -> int:
        """Read raw Annex B from a connected socket; returns the source's id.

        The descriptor is the loop's from then on, and is closed by it; it stays the caller's if this raises. The source
        waits for its first random access point with an SPS; then it is current, and the former one ends (superseded).

        Args:
            rendition: what it fills.
            fd: the socket.
            idle_us: pause that ends an access unit, at first.
            learnt_from: a source over the same link, also one that has ended, whose pauses are taken over; 0: none.
        """
    def add_viewer(self, rendition: int, *, ufrag: str, password: str, quiet_us: int, silent_us: int) -> int:
        """A viewer on the rendition's thread; returns its id. From now on its STUN and DTLS come up.

        Args:
            rendition: one of the thread.
            ufrag: our ICE user fragment for it; no other viewer has it.
            password: ours for it.
            quiet_us: once it has its keys, EVENT_VIEWER_SILENT when nothing authenticated came for so long, and again
                each 0.5 s; 0: never.
            silent_us: once more, at this time; 0: not.
        """
    def send_datagram(self, viewer: int, socket: int, host: str, port: int, data: Buffer) -> bool:
        """Send STUN, DTLS or TURN. False if there is no such viewer, too much waits, or it is above 2048 bytes.

        Transactions of requests are noted. Success responses to binding requests that were answered natively are not
        sent. What goes to a peer with a bound channel is sent through it.
        """
    def open_relay_socket(self, viewer: int, host: str, relay_host: str, relay_port: int) -> tuple[int, int]:
        """A UDP socket bound to `host` for a viewer's traffic with this TURN server alone: (socket index, port).

        Closed with the viewer; indices are 0x8000 and above. `OSError` if it cannot be opened; `TooManyError` above 4
        per viewer. What comes from a peer in a bound channel is told as from the peer.
        """
    def add_relay(self, viewer: int, socket: int, host: str, port: int) -> None:
        """A TURN server of the viewer, on a socket."""
    def bind_channel(
        self, viewer: int, socket: int, host: str, port: int, channel: int, peer_host: str, peer_port: int
    ) -> None:
        """A channel of the viewer's TURN server, and the peer that it leads to."""
    def start_viewer(self, viewer: int, config: ViewerConfig) -> None:
        """Give it its keys; once. STUN that changes nothing is no longer handed up."""
    def attach(self, viewer: int, rendition: int, audio: int = 0) -> None:
        """Media flows, as soon as there are keys and a destination. Again with others: moved, on one RTP timeline.

        `ValueError` for a rendition of another thread, or sound in the pictures' place. 0: none.
        """
    def detach(self, viewer: int) -> None:
        """Media stops; the viewer stays."""
    def set_pacing(self, viewer: int, pacing: Mapping[str, float]) -> None:
        """Replace how it is paced: enabled, start_rate_bps, start_factor, factor, bucket_bytes, max_queue_us.

        What is left out has its default. `ValueError` for other names and values out of range.
        """
    def viewer_figures(self, viewer: int) -> dict[str, int | float]:
        """Counts and last values, by name; delays in µs, -1 where there is none yet."""
    def destination(self, viewer: int) -> tuple[int, str, int, int] | None:
        """(socket, host, port, channel) that media goes to; of a TURN server if the channel is not 0."""
    def add_tap(self, rendition: int, capacity: int, *, replay: bool = True) -> int:
        """A bounded queue of the rendition's packets; returns its id. When full, the oldest group of pictures goes.

        With `replay` it begins with the cached pictures, which do not count.
        """
    def take_packets(self, tap: int, max_count: int = 64) -> list[tuple[memoryview, int, bool, int, int]]:
        """(data, pts_us, is_key, epoch, received_us) of what waits. None: EVENT_TAP_READY will follow."""
    def tap_figures(self, tap: int) -> dict[str, int]:
        """pushed = delivered + queued + dropped_slow + dropped_before_key."""
    def rendition_figures(self, rendition: int) -> dict[str, int | float]:
        """Counts, and rates over the last two seconds.

        least_queue_us and most_queue_us: how long what waits for one of its viewers will take at its pace; -1 and 0
        without a viewer whose media flows.
        """
    def source_figures(self, source: int) -> dict[str, int]:
        """Counts; the last ones after its end, until it or its rendition is removed."""
    def loop_figures(self) -> dict[str, int]:
        """Counts over all threads; cpu_ns is their CPU time."""
    def remove(self, id: int, token: int = 0) -> None:
        """End a rendition, source, viewer or tap: quietly, but EVENT_DONE with the token when nothing of it is left.

        A viewer is told BYE. A rendition's sources and taps end with their events, its viewers get nothing more.
        """

RtcpBlock: TypeAlias = tuple[int, int, int, int, int, int, int]
"""A report block: SSRC, fraction lost of 256, lost in all, highest sequence number, jitter, last SR, delay since it."""
RtcpArrivals: TypeAlias = Sequence[tuple[int, int | None]]
"""Sequence numbers and deltas in units of 250 us to the arrival before; None: not received."""

def read_rtcp(data: Buffer) -> tuple[list[tuple[Any, ...]], int]:
    """The items of a compound packet, and how many packets of unknown types were skipped.

    Items: ("sr", ssrc, ntp, rtp_timestamp, packets, octets, blocks), ("rr", ssrc, blocks), ("nack", media_ssrc,
    numbers), ("pli", media_ssrc), ("fir", media_ssrc, number), ("remb", bitrate_bps), ("twcc", reference_time in units
    of 64 ms, feedback_count, arrivals) and ("bye", ssrc). Raises BitstreamError if a packet is malformed.
    """

def write_rtcp_sr(
    ssrc: int, ntp: int, rtp_timestamp: int, packets: int, octets: int, reports: Sequence[RtcpBlock], /
) -> bytes:
    """A sender report; this and the others raise ValueError if the values have no place in a packet."""

def write_rtcp_rr(ssrc: int, reports: Sequence[RtcpBlock], /) -> bytes:
    """A receiver report."""

def write_rtcp_sdes(ssrc: int, cname: str, /) -> bytes:
    """A source description with a CNAME of up to 255 bytes."""

def write_rtcp_bye(ssrcs: Sequence[int], /) -> bytes:
    """The end of these sources, 31 at most."""

def write_rtcp_nack(sender_ssrc: int, media_ssrc: int, lost: Sequence[int], /) -> bytes:
    """A generic NACK; sequence numbers in order of sending."""

def write_rtcp_pli(sender_ssrc: int, media_ssrc: int, /) -> bytes:
    """A picture loss indication."""

def write_rtcp_fir(sender_ssrc: int, media_ssrc: int, number: int, /) -> bytes:
    """A full intra request."""

def write_rtcp_remb(sender_ssrc: int, bitrate_bps: int, ssrcs: Sequence[int], /) -> bytes:
    """The receiver's estimated maximum bit rate, rounded down to 18 bits."""

def write_rtcp_twcc(
    sender_ssrc: int, media_ssrc: int, reference_time: int, feedback_count: int, arrivals: RtcpArrivals, /
) -> bytes:
    """Transport-wide feedback about consecutive sequence numbers; the reference time in units of 64 ms."""

def read_stun(data: Buffer, password: str) -> dict[str, Any]:
    """The fields of a STUN message by name; `authentic`: its MESSAGE-INTEGRITY was made with the short-term password.

    Raises BitstreamError if the message is malformed or its FINGERPRINT wrong.
    """

def write_stun_answer(transaction_id: bytes, ip: bytes, port: int, password: str) -> bytes:
    """A binding success response; the address in network byte order. ValueError if a size is wrong."""

@final
class PictureBlock:
    """The planes of one picture: a read-only buffer, recycled when nobody holds it."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class PictureSlot:
    """The planes of one picture of a reader: a read-only buffer that keeps its slot."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class PictureReader:
    """Pictures of a socket, read and decoded on a thread of its own. `mediacore.picture_reader` documents it."""

    def __init__(
        self,
        fd: int,
        trailer: bytes | None,
        slots: int,
        slot_bytes: int,
        capacity: int,
        matrix: str,
        size: tuple[int, int] | None,
    ) -> None: ...
    def request(self) -> bool:
        """Asks for one more shot; False if that cannot be sent."""

    def next(self, timeout_s: float) -> tuple[Any, ...] | None:
        """What was reported next.

        ("shot", PictureSlot, (width, height), stride, dirty rows or None, (first byte, complete, decoded in us), wire
        bytes, format), ("damaged", cause, detail) or ("ended", error number, head, reason).
        """

    def set_size(self, size: tuple[int, int] | None) -> None:
        """The largest size, from the next picture on. ValueError."""

    def close(self) -> None:
        """Ends the thread and closes the socket."""

    def counts(self) -> dict[str, Any]:
        """pictures, delivered, queued, overflown, damaged (by cause), wire_bytes, skipped_bytes."""

def picture_slot_bytes(width: int, height: int) -> int:
    """What a slot needs for a picture of this size, either way up. ValueError."""

@final
class ScreenDecoder:
    """The pictures of one screen, one after the other. Any thread, one at a time."""

    def __init__(self, size: tuple[int, int] | None, matrix: str) -> None: ...
    def decode_png(self, data: Buffer) -> tuple[PictureBlock, int, int, int, tuple[int, int] | None]:
        """(block, width, height, stride, dirty rows) of a PNG. PictureError, ValueError."""

    def decode_jpeg(self, data: Buffer) -> tuple[PictureBlock, int, int, int, tuple[int, int] | None]:
        """(block, width, height, stride, dirty rows) of a JPEG. PictureError, ValueError."""

    def decode(self, data: Buffer) -> tuple[PictureBlock, int, int, int, tuple[int, int] | None]:
        """The same of any of these, told by its first bytes. PictureError, ValueError."""

    def decode_screencap(self, data: Buffer) -> tuple[PictureBlock, int, int, int, tuple[int, int] | None]:
        """(block, width, height, stride, dirty rows) of a raw screencap. PictureError, ValueError."""

def plane_capsule(rows: Buffer) -> object:
    """A DLPack capsule of rows of bytes, which it keeps alive."""

def decode_png(data: Buffer, size: tuple[int, int] | None, matrix: str) -> tuple[PictureBlock, int, int, int]:
    """A PNG as (block, width, height, stride) of I420. PictureError, ValueError."""

def decode_jpeg(data: Buffer, size: tuple[int, int] | None, matrix: str) -> tuple[PictureBlock, int, int, int]:
    """A JPEG as (block, width, height, stride) of I420. PictureError, ValueError."""

def decode_screencap(data: Buffer, size: tuple[int, int] | None, matrix: str) -> tuple[PictureBlock, int, int, int]:
    """A raw screencap as (block, width, height, stride) of I420. PictureError, ValueError."""

def convert_picture(
    data: Buffer,
    width: int,
    height: int,
    pixel_format: str,
    stride: int | None,
    size: tuple[int, int] | None,
    matrix: str,
) -> tuple[PictureBlock, int, int, int]:
    """Raw pixels as (block, width, height, stride) of I420. PictureError, ValueError."""

def reshape_picture(
    y: Buffer, u: Buffer, v: Buffer, from_matrix: str, full_range: bool, size: tuple[int, int] | None, matrix: str
) -> tuple[PictureBlock, int, int, int]:
    """Planes as (block, width, height, stride) of limited I420. ValueError."""

def decode_png_rgba(data: Buffer) -> tuple[bytes, int, int]:
    """A PNG as (R G B A, width, height): for tests. PictureError."""
