"""What every video encoder is: the protocol that one file per family of encoders in this folder implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from mediacore.media import Frame


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What an encoder is opened for; another size needs another encoder."""

    codec: str
    """``h264``, ``vp8``, ``vp9`` or ``av1``."""
    size: tuple[int, int]
    """(width, height) in pixels, both even."""
    fps: float
    """Frames per second at most; what rate control reckons with."""
    bitrate_bps: int
    """What it is to give, in bit/s."""
    ceiling_bps: int
    """The most that ``set_bitrate`` will ever be asked for."""
    matrix: Literal["bt709", "bt601"] = "bt709"
    """How the frames' colours became luma and chroma, in limited range; written into the stream where it has a place
    for it. VP8 is always ``bt601``."""
    profile_level_id: str | None = None
    """For H.264: profile that viewers have taken, as 6 hexadecimal digits; None: constrained baseline."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One encoded frame."""

    data: bytes | memoryview
    """H.264: an access unit in Annex B, SPS and PPS before each IDR picture. VP8, VP9: a frame. AV1: temporal unit."""
    pts_us: int
    """That of the frame."""
    is_key: bool
    """True if decoding can start here."""


class Encoder(Protocol):
    """One open encoder. Any thread, one at a time; the GIL is held only to enter and leave a call."""

    @property
    def name(self) -> str:
        """As FFmpeg has it, as ``libx264``."""

    @property
    def settings(self) -> EncoderSettings:
        """What it was opened for."""

    def encode(self, frame: Frame, *, key: bool = False) -> list[EncodedFrame]:
        """Encode one frame of the settings' size and matrix, as a key frame if ``key``; no frame is kept back.

        Raises ``EncoderError`` if it refuses the frame; it is then of no more use.
        """

    def set_bitrate(self, bitrate_bps: int) -> bool:
        """Change the rate from the next frame on, without a key frame. False if it must be opened anew for that."""

    def close(self) -> None:
        """Free it. May be repeated."""
