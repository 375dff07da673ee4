"""What can be chosen about a simulated device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from mediacore.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

Scene = Literal["static", "scroll", "video", "rotation", "patches"]
Encode = Literal["live", "loop"]
Rotation = Literal["project", "cut"]
Profile = Literal["baseline", "main", "high"]
Colours = Literal["untold", "bt601", "bt709"]
ShotFormat = Literal["raw", "png", "jpeg"]

FEATURES = ("shell_v2", "delayed_ack")
"""What a simulated device tells the adb server it can do."""
MIN_PAYLOAD = 4096
"""Least MAXDATA of the ADB transport protocol (adb.h: MAX_PAYLOAD_V1)."""


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """Everything that can be chosen about a simulated device, checked when it is made.

    Raises:
        SettingsError: a value is outside its limits.
    """

    port: int = 0
    """TCP port of its adbd; 0 takes a free one. Further devices of the same process take the ports after it."""
    host: str = "127.0.0.1"
    """Address to listen on. Whoever reaches it has a shell on the simulated device: keep it on loopback."""
    size: tuple[int, int] = (720, 1280)
    """(width, height) of the display in pixels as it is held naturally; even, each 128 to 4096."""
    fps: int = 30
    """Frames drawn per second while the scene moves, 1 to 240."""
    scene: Scene = "scroll"
    """What is shown: ``static`` (only touches change it), ``scroll`` (lists and text move), ``video`` (a detailed
    moving area that uses its bit rate), ``rotation`` (scroll, and the display turns every ``rotation_period_s``) or
    ``patches`` (the colours of ``mediacore.testing.scenes.PATCHES``, under a bar code that counts on)."""
    encode: Encode = "live"
    """``live`` encodes each drawn frame, so a touch shows. ``loop`` sends pictures encoded once, again and again; frame
    number and time stand in an SEI message of each access unit (``mediacore.testing.sei``), touches and
    rotations do not show in it, and fifty devices cost next to nothing."""
    loop_s: float = 10.0
    """Length of the loop in seconds, 1 to 10; it begins with its only key frame."""
    rotation_period_s: float = 4.0
    """How long the scene ``rotation`` stays in one orientation."""
    rotation: Rotation = "project"
    """What a running screenrecord does when the display turns: ``project`` fits the turned picture into the old size
    with black borders (newer Android), ``cut`` goes on with the old frame of the display (older Android)."""
    profile: Profile = "baseline"
    """H.264 profile of screenrecord."""
    colours: Colours = "bt601"
    """Matrix of screenrecord's H.264, in limited range: ``bt601`` and ``bt709`` are told in its VUI, ``untold`` is
    BT.601 without a word of it, which browsers take for BT.709."""
    sdk: int = 34
    """``ro.build.version.sdk``. ``input motionevent`` needs 30, its CANCEL needs 31."""
    model: str = "SimPhone"
    """``ro.product.model``; letters, digits, ``-``, ``_`` and ``.``."""
    serial: str = "SIM0001"
    """``ro.serialno``; further devices of the same process count it up."""
    unlimited_screenrecord: bool = True
    """True: ``screenrecord --time-limit 0`` means no limit, and ``--help`` says so. False: 1 to 180 s."""
    screencap_header: Literal[12, 16] = 16
    """Length of the header of a raw ``screencap``: older devices 12 bytes, newer 16."""
    screencap_jpeg: bool = False
    """True: ``screencap -j`` gives a JPEG, as from Android 16 on."""
    screencap_s: Mapping[ShotFormat, float] = field(default_factory=dict)
    """Seconds that a ``screencap`` takes at least, by its format, 0 to 60: ``{"raw": 0.2, "png": 0.9}``."""
    video_encoder: bool = True
    """False: ``screenrecord`` finds no encoder; its raw frames need none."""
    screenrecord_frames: bool = True
    """False: ``screenrecord`` knows no ``--output-format=frames``."""
    link_bps: int = 0
    """Bit rate of the way to adb servers, for each of them, 1 Mb/s to 100 Gb/s; 0: as fast as it goes."""
    features: tuple[str, ...] = FEATURES
    """Features told to the adb server."""
    protocol_version: int = 0x01000001
    """Version of the ADB transport protocol: 0x01000001, or 0x01000000 which still checks check sums."""
    max_payload: int = 1 << 20
    """MAXDATA of the ADB transport protocol, 4 KiB to 1 MiB."""
    authorized: bool = True
    """False: adb shows the device as ``unauthorized`` until ``SimulatedDevice.authorize``."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float, float]] = {
            "port": (self.port, 0, 65535),
            "width": (self.size[0], 128, 4096),
            "height": (self.size[1], 128, 4096),
            "fps": (self.fps, 1, 240),
            "loop_s": (self.loop_s, 1, 10),
            "rotation_period_s": (self.rotation_period_s, 0.2, 3600),
            "sdk": (self.sdk, 21, 99),
            "max_payload": (self.max_payload, MIN_PAYLOAD, 1 << 20),
        }
        if self.link_bps:
            limits["link_bps"] = (self.link_bps, 1_000_000, 100_000_000_000)
        for shot_format, seconds in self.screencap_s.items():
            if shot_format not in get_args(ShotFormat):
                raise SettingsError(f"screencap_s knows no {shot_format!r}, only {', '.join(get_args(ShotFormat))}")
            limits[f"screencap_s of {shot_format}"] = (seconds, 0, 60)
        for name, (value, low, high) in limits.items():
            if not low <= value <= high:
                raise SettingsError(f"{name} is {value}, it must be between {low} and {high}")
        choices = {"scene": Scene, "encode": Encode, "rotation": Rotation, "profile": Profile, "colours": Colours}
        for name, choice in choices.items():
            if getattr(self, name) not in get_args(choice):
                raise SettingsError(
                    f"{name} is {getattr(self, name)!r}, it must be one of {', '.join(get_args(choice))}"
                )
        if self.size[0] % 2 or self.size[1] % 2:
            raise SettingsError(f"size is {self.size[0]}x{self.size[1]}, both sides must be even")
        if self.scene == "rotation" and self.encode == "loop":
            raise SettingsError("the scene rotation cannot be a loop, its picture changes its size: encode it live")
        if self.protocol_version not in (0x01000000, 0x01000001):
            raise SettingsError("protocol_version must be 0x01000000 or 0x01000001")
        if self.screencap_header not in (12, 16):
            raise SettingsError("screencap_header must be 12 or 16")
        if not self.model or not all(letter.isalnum() or letter in "-_." for letter in self.model):
            raise SettingsError("model must be of letters, digits, '-', '_' and '.'")
