"""Settings as frozen dataclasses: plain values, units in the names, checked when they are made."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from mediacore.errors import SettingsError

BITRATE_BPS = (100_000, 50_000_000)
"""What `screenrecord` encodes sensibly; its own limits are 100 kb/s and 200 Mb/s."""
SIZE_PX = (64, 7680)
"""Smallest and largest side of a picture."""


FPS = (1.0, 60.0)
"""Frame rates that pictures are captured and encoded at."""
SourceName = Literal["auto", "screenrecord", "screenrecord-frames", "screencap"]
SOURCES = get_args(SourceName)
"""What a device can be captured by."""
CODECS = ("h264", "vp8", "vp9", "av1")
"""What pictures can be encoded to."""
PLAYOUT_DELAY_MS = 40_950
"""12 bits of 10 ms."""
MAX_ENCODERS = 32
"""Each costs a thread and, at 720p30, a good part of a core: more are too many for most machines."""
MEDIA_THREADS = 64
"""More than one per core gains nothing."""


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}, it must be between {low} and {high}")


def _one_of(name: str, value: str, values: tuple[str, ...]) -> None:
    if value not in values:
        raise SettingsError(f"{name} is {value!r}, it must be one of {', '.join(values)}")


def _address(name: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}, it must be an IP address") from None


def host_and_port(text: str, default_port: int) -> tuple[str, int]:
    """``HOST``, ``HOST:PORT``, or ``[ADDRESS]:PORT`` for IPv6; raises ``SettingsError``."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]/]+))(?::(\d{1,5}))?", text)
    if match is None or not 1 <= int(match[3] or default_port) <= 65_535:
        raise SettingsError(f"{text!r} is no server: it must be HOST or HOST:PORT, with [] around an IPv6 address")
    return match[1] or match[2], int(match[3] or default_port)


def _server(name: str, text: str | None) -> None:
    try:
        if text is not None:
            host_and_port(text, 3478)
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How one device is captured."""

    source: SourceName = "auto"
    """What captures the device: its own H.264 encoder, raw pictures of screenrecord, or screencap again and again.
    ``auto`` takes the first of them that gives a picture."""
    bitrate_bps: int = 8_000_000
    """Video bit rate in bit/s, 100 kb/s to 50 Mb/s."""
    fps: float = 30.0
    """Frames per second at most, 1 to 60, of what is captured as pictures or encoded here."""
    transcode_codecs: tuple[str, ...] = ("h264", "av1", "vp9", "vp8")
    """Codecs that are encoded here for viewers who do not take the stream as it comes, in order of preference; the
    viewer's own order decides among them only if it asks. Empty: nothing is ever encoded for it."""
    encoder: str | None = None
    """Name of the one encoder to use for its codec, as FFmpeg has it (``libx264``); None: the first that works."""
    size: tuple[int, int] | None = None
    """(width, height) to encode in pixels, even numbers; None is the display's own size."""
    idle_flush_us: int = 2_000
    """Pause on the socket after which an access unit counts as complete, where nothing frames it; it adapts upwards."""
    key_frame_interval_s: float = 0.3
    """Requests for key frames are merged into at most one per this time."""
    grace_s: float = 5.0
    """A stream without consumers is kept this long."""
    rotation_poll_s: float = 1.0
    """How often the display's rotation is looked at, for sources that do not tell of it."""

    def __post_init__(self) -> None:
        _one_of("source", self.source, SOURCES)
        for codec in self.transcode_codecs:
            _one_of("transcode_codecs", codec, CODECS)
        _between("bitrate_bps", self.bitrate_bps, *BITRATE_BPS)
        _between("fps", self.fps, *FPS)
        _between("idle_flush_us", self.idle_flush_us, 100, 100_000)
        _between("key_frame_interval_s", self.key_frame_interval_s, 0.05, 60)
        _between("grace_s", self.grace_s, 0, 3600)
        _between("rotation_poll_s", self.rotation_poll_s, 0.05, 60)
        for side in self.size or ():
            _between("size", side, *SIZE_PX)
            if side % 2:
                raise SettingsError(f"size is {self.size}, both sides must be even")


@dataclass(frozen=True, slots=True)
class AdbSettings:
    """Which adb server is used and how long it may take."""

    host: str = "127.0.0.1"
    """Where the adb server listens."""
    port: int | None = None
    """Its TCP port; None: what ``ANDROID_ADB_SERVER_PORT`` says, else 5037. A private server takes a free one."""
    start: bool = True
    """Start the server if nothing listens there."""
    private: bool = False
    """A server of our own: it takes no USB device, no emulator and asks no mDNS, and is stopped with us."""
    program: str | None = None
    """Path of the adb program; None takes the one that adbutils finds."""
    connect: tuple[str, ...] = ()
    """``HOST:PORT`` of network devices that are connected at start."""
    request_timeout_s: float = 5.0
    """Deadline of one request to the server."""

    def __post_init__(self) -> None:
        if self.port is not None:
            _between("adb.port", self.port, 1, 65535)
        _between("adb.request_timeout_s", self.request_timeout_s, 0.1, 60)


@dataclass(frozen=True, slots=True)
class RtcSettings:
    """Deadlines and limits of WebRTC sessions."""

    negotiation_timeout_s: float = 5.0
    """From the offer to our answer."""
    connect_timeout_s: float = 15.0
    """From our answer to the end of ICE and DTLS."""
    close_timeout_s: float = 2.0
    """For an orderly close; after it things are dropped."""
    silence_timeout_s: float = 5.0
    """A viewer that sends nothing for this long, though we send, is dead."""
    max_sdp_bytes: int = 65_536
    """Longest offer that is read."""
    max_candidates: int = 50
    """Remote candidates that are taken from one viewer."""
    max_queue_ms: int = 1000
    """A viewer for whom more waits than is sent in this time loses what waits and goes on at the next key frame."""
    replay_ms: int = 300
    """A late viewer gets the cached pictures if they take at most this long at ``start_rate_bps``."""
    start_rate_bps: int = 10_000_000
    """What a new viewer's way is assumed to carry until it tells otherwise."""
    pacing: bool = True
    """Spread out pictures that are larger than what the way takes at once; False sends all as soon as it is there."""
    playout_delay_ms: tuple[int, int] = (0, 0)
    """(least, most) delay that a viewer's browser should show pictures with, 0 to 40950 ms; (0, 0) is at once."""
    port: int = 0
    """UDP port of the media loop; 0 is any free one."""
    last_port: int | None = None
    """The media loop takes the first free port from ``port`` to this one; None: ``port`` and no other."""
    media_threads: int = 1
    """Threads of the media loop; each has a UDP port of its own."""
    advertised_addresses: tuple[str, ...] = ()
    """Addresses outside of a NAT that forwards each of our UDP ports to the same port here."""
    stun_server: str | None = None
    """``HOST`` or ``HOST:PORT`` of a STUN server that tells our address outside of a NAT; None asks nobody."""
    turn_server: str | None = None
    """``HOST`` or ``HOST:PORT`` of a TURN server that relays for viewers who reach us no other way, over UDP."""
    turn_username: str | None = None
    """Name at the TURN server."""
    turn_password: str | None = field(default=None, repr=False)
    """Password at the TURN server."""

    def __post_init__(self) -> None:
        self._check_ports()
        for address in self.advertised_addresses:
            _address("rtc.advertised_addresses", address)
        for name in ("stun_server", "turn_server"):
            _server(f"rtc.{name}", getattr(self, name))
        if (self.turn_username is None) != (self.turn_password is None):
            raise SettingsError("rtc.turn_username and rtc.turn_password must be given both or not at all")
        least_ms, most_ms = self.playout_delay_ms
        _between("rtc.playout_delay_ms", most_ms, 0, PLAYOUT_DELAY_MS)
        _between("rtc.playout_delay_ms", least_ms, 0, most_ms)
        _between("rtc.start_rate_bps", self.start_rate_bps, 10_000, 1_000_000_000)
        for name in ("negotiation_timeout_s", "connect_timeout_s", "close_timeout_s", "silence_timeout_s"):
            _between(f"rtc.{name}", getattr(self, name), 0.05, 300)
        _between("rtc.max_sdp_bytes", self.max_sdp_bytes, 1024, 1 << 20)
        _between("rtc.max_candidates", self.max_candidates, 1, 1000)
        _between("rtc.max_queue_ms", self.max_queue_ms, 50, 10_000)

    def _check_ports(self) -> None:
        _between("rtc.port", self.port, 0, 65_535)
        _between("rtc.media_threads", self.media_threads, 1, MEDIA_THREADS)
        last = self.port if self.last_port is None else self.last_port
        if self.port == 0:
            if self.last_port is not None:
                raise SettingsError("rtc.last_port is given without rtc.port, where the range begins")
            return
        _between("rtc.last_port", last, self.port, 65_535)
        if last - self.port + 1 < self.media_threads:
            raise SettingsError(
                f"rtc.port {self.port} to rtc.last_port {last} are too few for rtc.media_threads "
                f"{self.media_threads}: each takes one"
            )


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything an engine is built from."""

    adb: AdbSettings = field(default_factory=AdbSettings)
    """The adb server."""
    stream: StreamSettings = field(default_factory=StreamSettings)
    """Capture, unless a stream is asked for with settings of its own."""
    rtc: RtcSettings = field(default_factory=RtcSettings)
    """WebRTC sessions."""
    recordings: tuple[str, ...] = ()
    """Paths of files that are played as devices ``file:STEM``."""
    use_adb: bool = True
    """False: only recordings; adb is never started."""
    max_sessions: int = 256
    """Viewers at one time."""
    max_encoders: int = MAX_ENCODERS
    """Encoders at one time, over all streams; who would need one more is refused. What a device encodes itself needs
    none, unless it is wanted in another codec, size or rate."""
    session_idle_s: float = 1800.0
    """A session is closed after so many seconds without an authentic STUN message from its viewer: a last resort, as a
    viewer that is silent is closed after ``rtc.silence_timeout_s`` already."""
    session_idle_check_s: float = 300.0
    """How often idle sessions are looked for."""

    def __post_init__(self) -> None:
        _between("max_sessions", self.max_sessions, 1, 100_000)
        _between("max_encoders", self.max_encoders, 1, 10_000)
        _between("session_idle_s", self.session_idle_s, 0, 1e9)
        _between("session_idle_check_s", self.session_idle_check_s, 0.01, 1e9)

    def replace(self, **changes: object) -> EngineSettings:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
