"""Settings as frozen dataclasses: plain values, units in the names, checked when they are made."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from mediacore.errors import SettingsError

BITRATE_BPS = (100_000, 50_000_000)
"""What `screenrecord` encodes sensibly; its own limits are 100 kb/s and 200 Mb/s."""
SIZE_PX = (64, 7680)
"""Smallest and largest side of a picture."""


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}, it must be between {low} and {high}")


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How one device is captured."""

    bitrate_bps: int = 8_000_000
    """Video bit rate in bit/s, 100 kb/s to 50 Mb/s."""
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
        _between("bitrate_bps", self.bitrate_bps, *BITRATE_BPS)
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
    queue_packets: int = 64
    """Access units that wait for one viewer at most; past that it goes on at the next key frame."""
    replay_ms: int = 300
    """A late viewer gets the cached pictures if they take at most this long at ``start_rate_bps``."""
    start_rate_bps: int = 10_000_000
    """What a new viewer's way is assumed to carry until it tells otherwise."""

    def __post_init__(self) -> None:
        for name in ("negotiation_timeout_s", "connect_timeout_s", "close_timeout_s", "silence_timeout_s"):
            _between(f"rtc.{name}", getattr(self, name), 0.05, 300)
        _between("rtc.max_sdp_bytes", self.max_sdp_bytes, 1024, 1 << 20)
        _between("rtc.max_candidates", self.max_candidates, 1, 1000)
        _between("rtc.queue_packets", self.queue_packets, 2, 4096)


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

    def __post_init__(self) -> None:
        _between("max_sessions", self.max_sessions, 1, 100_000)

    def replace(self, **changes: object) -> EngineSettings:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
