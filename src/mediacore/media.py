"""The types that media and control are made of: small, frozen, a sentence per field, units in their names."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import av
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Buffer

MICROSECONDS = 1_000_000


class DropCause(enum.StrEnum):
    """Why something was not delivered; one list for the whole product."""

    BEFORE_KEY_FRAME = "before-key-frame"
    """An access unit before the first random access point: nobody could decode it."""
    SLOW_CONSUMER = "slow-consumer"
    """A consumer's queue was full; it goes on at the next key frame."""
    CORRUPT = "corrupt"
    """The bytes do not parse."""
    OVERSIZE = "oversize"
    """An access unit above the limit."""
    SUPERSEDED = "superseded"
    """A newer run of the source took over."""
    CLOSED = "closed"
    """The consumer or the stream had ended."""
    MERGED = "merged"
    """A touch move that a later move of the same pointer replaced."""
    UNSUPPORTED = "unsupported"
    """The device or the dialect cannot do it."""
    NOT_GRANTED = "not-granted"
    """The viewer may not do it."""
    MALFORMED = "malformed"
    """A message that does not follow its format."""
    GESTURE_CANCELLED = "gesture-cancelled"
    """The picture turned while a finger was down, or the gesture's begin was not let in."""
    DEVICE_FAILED = "device-failed"
    """The device took it and did not carry it out."""
    OVERFLOW = "overflow"
    """A newer frame took its place."""
    DEADLINE = "deadline"
    """There was no room in time."""
    POOL_EXHAUSTED = "pool-exhausted"
    """There was no memory to put a frame in: readers keep too many."""
    TRUNCATED = "truncated"
    """A picture ended before its last byte."""
    UNCHANGED = "unchanged"
    """A picture like the one before: encoding it would show nothing new."""
    RATE = "rate"
    """It came sooner than the frame rate that is wanted."""
    NETWORK_BUSY = "network-busy"
    """It was not encoded, because too much was on its way to the viewers already."""
    ENCODER_FAILED = "encoder-failed"
    """The encoder did not give it back in time, or refused it."""
    DECODER_FAILED = "decoder-failed"
    """The decoder refused it."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded access unit (video) or one encoded audio packet."""

    kind: Literal["video", "audio"]
    """What it carries."""
    codec: str
    """``h264``, ``vp8``, ``vp9``, ``av1`` or ``opus``."""
    data: bytes | memoryview
    """The access unit as Annex B, or the audio packet; a read-only buffer that keeps its owner alive."""
    pts_us: int
    """Presentation time in µs, on the monotonic clock for live sources."""
    is_key: bool
    """True if decoding can start here."""
    epoch: int
    """Grows at each restart of the source; within one epoch the parameter sets fit."""
    received_us: int
    """When its first byte arrived, in µs of the monotonic clock."""

    def to_av(self) -> av.Packet[av.stream.Stream]:
        """The same as an ``av.Packet`` with a time base of 1 µs (copies the data)."""
        from fractions import Fraction  # noqa: PLC0415

        import av  # noqa: PLC0415

        packet = av.Packet(bytes(self.data))
        packet.pts = packet.dts = self.pts_us
        packet.time_base = Fraction(1, MICROSECONDS)
        packet.is_keyframe = self.is_key
        return packet


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One raw picture, I420, 8 bits. The planes are views of one block that they keep alive; nobody writes to it.

    The block holds Y, then U, then V, with S, S/2 and S/2 bytes from one row to the next, S even.
    """

    width: int
    """Width in pixels."""
    height: int
    """Height in pixels."""
    matrix: Literal["bt709", "bt601"]
    """How colours became luma and chroma; an encoder has to tell its viewers the same."""
    full_range: bool
    """False: luma is 16 to 235 and chroma 16 to 240."""
    pts_us: int
    """Presentation time in µs, on the monotonic clock for live sources."""
    y: NDArray[np.uint8]
    """Luma, (height, width)."""
    u: NDArray[np.uint8]
    """Blue chroma, half of each, rounded up."""
    v: NDArray[np.uint8]
    """Red chroma, half of each, rounded up."""
    dirty_rows: tuple[int, int] | None = None
    """Rows that differ from the frame before, the second excluded; (0, 0) if none does, None if that is not known."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    @classmethod
    def of_block(
        cls,
        block: Buffer,
        size: tuple[int, int],
        stride: int,
        *,
        matrix: Literal["bt709", "bt601"],
        pts_us: int = 0,
        dirty_rows: tuple[int, int] | None = None,
    ) -> Frame:
        """The frame whose planes are ``block``; ``stride`` is S. Copies nothing."""
        import numpy as np  # noqa: PLC0415

        width, height = size
        half_width, half_height = (width + 1) // 2, (height + 1) // 2
        luma, chroma = stride * height, stride // 2 * half_height
        planes = np.frombuffer(memoryview(block), np.uint8, luma + 2 * chroma)
        planes.flags.writeable = False
        y = planes[:luma].reshape(height, stride)[:, :width]
        u = planes[luma : luma + chroma].reshape(half_height, stride // 2)[:, :half_width]
        v = planes[luma + chroma :].reshape(half_height, stride // 2)[:, :half_width]
        return cls(width, height, matrix, full_range=False, pts_us=pts_us, y=y, u=u, v=v, dirty_rows=dirty_rows)

    def to_av(self) -> av.VideoFrame:
        """The same as an ``av.VideoFrame`` with a time base of 1 µs.

        Even sizes are not copied (before PyAV 18, if the height is one of fours): the ``av.VideoFrame`` keeps the block
        alive, and is to be read only. Odd sizes are copied.
        """
        from fractions import Fraction  # noqa: PLC0415

        from av.video.reformatter import ColorRange, Colorspace  # noqa: PLC0415

        frame = self._av_view() or self._av_copy()
        frame.colorspace = Colorspace.ITU709 if self.matrix == "bt709" else Colorspace.ITU601
        frame.color_range = ColorRange.JPEG if self.full_range else ColorRange.MPEG
        frame.pts = self.pts_us
        frame.time_base = Fraction(1, MICROSECONDS)
        return frame

    def _av_view(self) -> av.VideoFrame | None:
        """None if PyAV cannot take planes of this size as they are."""
        import av  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415

        if self.width % 2 or self.height % 2:
            return None
        if self.height % 4 == 0:
            # The quickest way; for other heights it would count wrong.
            stride = self.y.strides[0]
            block = np.lib.stride_tricks.as_strided(
                self.y, (self.height // 2 * 3, stride), (stride, 1), writeable=False
            )
            return av.VideoFrame.from_numpy_buffer(block, "yuv420p", width=self.width)

        from mediacore._core import plane_capsule  # noqa: PLC0415

        try:
            return av.VideoFrame.from_dlpack(
                [plane_capsule(plane.data) for plane in (self.y, self.u, self.v)], "yuv420p"
            )
        except NotImplementedError:
            return None

    def _av_copy(self) -> av.VideoFrame:
        import av  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415

        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        for plane, to in zip((self.y, self.u, self.v), frame.planes, strict=True):
            height, width = plane.shape
            np.frombuffer(memoryview(to), np.uint8).reshape(-1, to.line_size)[:height, :width] = plane
        return frame


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """What a stream is now. Replaced as a whole, never changed; told before the first frame of a new size."""

    codec: str
    """``h264``."""
    width: int
    """Width of the picture in pixels."""
    height: int
    """Height of the picture in pixels."""
    profile_level_id: str
    """profile_idc, constraint flags and level_idc of the active SPS as 6 hex digits (RFC 6184 section 8.1)."""
    rotation: int
    """Rotation of the device's display in degrees: 0, 90, 180 or 270."""
    epoch: int
    """The epoch of the packets it describes."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted of a source or encoder now; None leaves a value as it is."""

    bitrate_bps: int | None = None
    """Video bit rate in bit/s."""
    fps: float | None = None
    """Frames per second at most."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels."""
    key_frame: bool = False
    """True asks for a key frame as soon as possible."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a viewer, or a consumer in this process, wants of a stream; who wants the same shares one rendition."""

    codecs: tuple[str, ...] = ()
    """Codecs it prefers, the best first: ``h264``, ``vp8``, ``vp9``, ``av1``. Empty: what costs the stream least."""
    size: tuple[int, int] | None = None
    """Largest (width, height) in pixels; the picture keeps its shape and is never enlarged. None: the stream's own."""
    fps: float | None = None
    """Frames per second at most. None: the stream's own."""

    @property
    def as_it_comes(self) -> bool:
        """True if neither size nor rate is to be less than the stream's."""
        return self.size is None and self.fps is None


@dataclass(frozen=True, slots=True)
class Applied:
    """The target is, or is about to be, in force."""

    target: Target
    """What the source really does now; it may be rounded."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The source cannot follow the target."""

    reason: str
    """Why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the way to one viewer looks like."""

    estimate_bps: int | None
    """The bandwidth that is there, in bit/s; None as long as nothing is known."""
    loss: float
    """Share of packets lost, 0 to 1."""
    rtt_us: int | None
    """Round-trip time in µs; None before the first report."""
    queue_us: int
    """How long what is queued for the viewer will take, in µs."""


class DeviceState(enum.StrEnum):
    """State of a device as the HTTP interface names it."""

    DEVICE = "device"
    OFFLINE = "offline"
    UNAUTHORIZED = "unauthorized"
    CONNECTING = "connecting"


@dataclass(frozen=True, slots=True)
class Device:
    """A device that can be watched, or a recording that is played as one."""

    serial: str
    """The adb serial, or ``file:STEM`` for a recording."""
    name: str
    """A name for people."""
    model: str
    """The device's model, empty if unknown."""
    state: DeviceState
    """Only ``device`` can be streamed."""
    size: tuple[int, int] | None = None
    """(width, height) of the display in pixels; None until known."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change in the list of devices."""

    kind: Literal["added", "changed", "removed"]
    """What happened."""
    device: Device
    """The device as it is now; as it last was when removed."""


class Grants(enum.Flag):
    """What a viewer may do."""

    NONE = 0
    VIEW = 1
    CONTROL = 2
    AUDIO = 4
    ALL = VIEW | CONTROL | AUDIO


class CloseReason(enum.StrEnum):
    """Why a session ended."""

    REQUESTED = "requested"
    """By this side: ``close`` or DELETE."""
    VIEWER_LEFT = "viewer-left"
    """The viewer closed its connection."""
    VIEWER_LOST = "viewer-lost"
    """The viewer went silent."""
    CONNECT_TIMEOUT = "connect-timeout"
    """ICE and DTLS were not done within the deadline."""
    CONNECT_FAILED = "connect-failed"
    """ICE or DTLS failed."""
    STREAM_ENDED = "stream-ended"
    """The device went away for good, or its stream failed."""
    IDLE = "idle"
    """Nothing was heard of it for ``session_idle_s``."""
    DRAIN = "drain"
    """The service shuts down."""


def no_drops() -> dict[DropCause, int]:
    """An empty count of drops by cause."""
    return {}


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Counts of one bounded queue: pushed = delivered + queued + the sum of dropped."""

    pushed: int = 0
    """Items that came in."""
    delivered: int = 0
    """Items that went out."""
    queued: int = 0
    """Items waiting now."""
    dropped: Mapping[DropCause, int] = field(default_factory=no_drops)
    """Items dropped, by cause."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How long one step takes, over the last few seconds of one viewer."""

    p50_us: float
    """Median in µs."""
    p95_us: float
    """95th percentile in µs."""


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """The way that a viewer's media takes (RFC 8445 section 2.2)."""

    local: str
    """Our ``ADDRESS:PORT``; of a relay, the one that it gave us."""
    local_type: str
    """``host`` or ``relay``."""
    remote: str
    """The viewer's ``ADDRESS:PORT``, or that of its relay."""
    remote_type: str
    """``host``, ``srflx``, ``prflx`` or ``relay``; ``prflx`` is an address that only its checks told of."""

    @property
    def relayed(self) -> bool:
        """True if it goes through a TURN server."""
        return "relay" in (self.local_type, self.remote_type)


@dataclass(frozen=True, slots=True)
class RenditionStats:
    """Figures of one encoding that is made here, since it began."""

    codec: str
    """``h264``, ``vp8``, ``vp9`` or ``av1``."""
    encoder: str
    """Name of the encoder in use, as FFmpeg has it; empty while none is open."""
    size: tuple[int, int] | None
    """(width, height) in pixels of what is encoded; None before the first frame."""
    fps: float | None
    """Frames per second at most; None: as they come."""
    bitrate_bps: int
    """What the encoder is told to give, in bit/s."""
    viewers: int
    """Who takes its packets now: viewers, and consumers in this process."""
    frames: QueueStats
    """Frames that came in, were encoded, wait, or were skipped, by cause."""
    refined: int
    """Frames encoded again, for a static screen to become sharp or to show that the stream lives."""
    key_frames: int
    """Key frames among what was encoded."""
    encode: Delay | None
    """Time in the encoder per frame; None before the first one."""
    encoders: int
    """Encoders opened so far: one, and one more for each change that could not be made live, and each failure."""
    failure: str | None = None
    """Why it gives nothing any more; None while it works."""


@dataclass(frozen=True, slots=True)
class StreamStats:
    """Figures of one stream since it started."""

    serial: str
    """The device."""
    source: str
    """The kind of source: ``screenrecord``, ``screenrecord-frames``, ``screencap``, ``recording`` or ``publish``."""
    description: StreamDescription | None
    """What is streamed now; None before the first key frame."""
    viewers: int
    """Who takes its packets now: viewers, and consumers in this process."""
    frames: int
    """Access units that the source gave."""
    bytes: int
    """Their sizes, summed."""
    key_frames: int
    """How many of them were key frames."""
    key_frame_requests: int
    """Requests for a key frame that reached the source, after merging."""
    restarts: int
    """Times the source was started again."""
    fps: float
    """Frames per second over the last two seconds."""
    bitrate_bps: float
    """Bit rate over the last two seconds."""
    dropped: Mapping[DropCause, int] = field(default_factory=no_drops)
    """Access units or pictures that the source itself dropped, by cause."""
    capture: str = ""
    """How pictures come, where there is a choice, and why: ``raw (12.1 ms; png 48.0 ms)``."""
    renditions: tuple[RenditionStats, ...] = ()
    """The encodings that are made here now."""


@dataclass(frozen=True, slots=True)
class SessionStats:
    """Figures of one viewer since it connected."""

    id: str
    """The session's public id."""
    serial: str
    """The device it watches."""
    state: str
    """The state of its life cycle."""
    age_s: float
    """Seconds since the offer came."""
    connect_ms: float | None
    """From the offer to LIVE, in ms; None before."""
    first_packet_ms: float | None
    """From the offer to the first packet sent, in ms; None before."""
    queue: QueueStats
    """The viewer's queue of access units."""
    packets_sent: int
    """RTP packets, retransmissions included."""
    bytes_sent: int
    """Their sizes, summed."""
    key_frame_requests: int
    """PLI and FIR from the viewer."""
    server_us: float | None
    """Median time from an access unit's first byte to its last packet handed to the kernel, in µs."""
    control: Mapping[DropCause, int] = field(default_factory=no_drops)
    """Control messages that were not carried out, by cause."""
    viewer: Mapping[str, float] = field(default_factory=dict)
    """What the viewer last reported of itself: ``fps``, ``latency_ms`` and others; empty for plain WHEP players."""
    feedback: Feedback | None = None
    """What the viewer's RTCP tells of the way to it; None before the first report."""
    retransmitted: int = 0
    """RTP packets that were sent again."""
    replays: int = 0
    """Times that it got cached pictures."""
    stages: Mapping[str, Delay] = field(default_factory=dict)
    """By stage: ``arrival_to_sent`` (an access unit's first byte → its last packet handed to the kernel),
    ``complete_to_sent`` (the unit is whole → the same) and ``nack_to_resent``; those that were measured."""
    pair: CandidatePair | None = None
    """The way its media takes; None before there is one."""
    codec: str = ""
    """Of its video, as negotiated: ``h264``, ``vp8``, ``vp9`` or ``av1``; empty before."""
    wanted: Wanted = field(default_factory=Wanted)
    """What it asked for."""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Figures of an engine."""

    streams: tuple[StreamStats, ...]
    """One entry per running stream."""
    sessions: tuple[SessionStats, ...]
    """One entry per session that has not ended."""
    sessions_total: int
    """Sessions that were ever started."""
    sessions_failed: int
    """Sessions that ended before they were LIVE."""
    media_loop: Mapping[str, int] = field(default_factory=dict)
    """The media loop's own counts: time on the processor, wake-ups, datagrams, drops by cause; empty if none runs."""
