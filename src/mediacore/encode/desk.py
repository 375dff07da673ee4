"""One thread's open encoder: made for the frames that come, made anew when they, or what is wanted, change."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from mediacore import picture
from mediacore.encode.encoder import EncoderSettings
from mediacore.encode.rerate import Reopening
from mediacore.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mediacore.encode.choice import Refusal
    from mediacore.encode.encoder import EncodedFrame, Encoder
    from mediacore.media import Frame

    Open: TypeAlias = Callable[..., tuple[Encoder, tuple[Refusal, ...]]]


def encoded_size(size: tuple[int, int], box: tuple[int, int] | None) -> tuple[int, int]:
    """The size to encode pictures of ``size`` in: what fits into ``box``, and even, which encoders want."""
    width, height = picture.fitted(size, box)
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of the encoder now."""

    codec: str
    """``h264``, ``vp8``, ``vp9`` or ``av1``."""
    bitrate_bps: int
    """What it is to give."""
    ceiling_bps: int
    """The most that it will ever be asked for."""
    fps: float
    """Frames per second at most."""
    box: tuple[int, int] | None
    """Largest (width, height)."""
    profile_level_id: str | None
    """As ``EncoderSettings``."""
    without: Collection[str] = ()
    """Encoders that failed at work."""

    def settings(self, frame: Frame) -> EncoderSettings:
        """What to open for this frame."""
        # VP8 knows no other than BT.601, and Firefox takes it for granted of AV1. Where no GPU converts colours,
        # browsers do so more exactly from BT.601: their coefficients for BT.709 do not fit into 8 bits.
        matrix: Literal["bt709", "bt601"] = "bt709" if self.codec == "h264" else "bt601"
        return EncoderSettings(
            self.codec,
            encoded_size(frame.size, self.box),
            self.fps,
            self.bitrate_bps,
            self.ceiling_bps,
            matrix,
            self.profile_level_id,
        )


class EncoderDesk:
    """Belongs to one thread.

    ``now_us`` is the time, where it is another than the monotonic clock's; ``trying`` as ``open_encoder``.
    """

    def __init__(
        self,
        open_encoder: Open,
        now_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        trying: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._open, self._now_us, self._trying = open_encoder, now_us, trying
        self._encoder: Encoder | None = None
        self._reopening: Reopening | None = None

    def prepare(self, order: Order, frame: Frame, *, key: bool) -> Encoder | None:
        """Have the right encoder open; it is returned if it is a new one. Raises ``EncoderError``."""
        wanted, now_us = order.settings(frame), self._now_us()
        encoder = self._encoder
        if encoder is not None and self._fits(encoder, wanted, now_us, key=key) and encoder.name not in order.without:
            return None
        self.close()
        self._encoder, _ = self._open(wanted, without=order.without, trying=self._trying)
        self._reopening = Reopening(wanted.bitrate_bps, now_us)
        return self._encoder

    def _fits(self, encoder: Encoder, wanted: EncoderSettings, now_us: int, *, key: bool) -> bool:
        is_open = encoder.settings
        if replace(wanted, fps=is_open.fps, bitrate_bps=is_open.bitrate_bps) != is_open:
            return False
        # A rate is kept by frames of the rate that it was opened for.
        bitrate_bps = round(wanted.bitrate_bps * is_open.fps / wanted.fps)
        if encoder.set_bitrate(min(bitrate_bps, wanted.ceiling_bps)):
            return not (key and wanted.fps != is_open.fps)
        return self._reopening is None or not self._reopening.is_due(bitrate_bps, now_us, key=key)

    def encode(self, frame: Frame, *, key: bool) -> list[EncodedFrame]:
        """Encode it in the encoder's size and colours; ``prepare`` was called for it. Raises ``EncoderError``."""
        assert self._encoder is not None
        is_open = self._encoder.settings
        try:
            fitting = picture.reshape(frame, size=is_open.size, matrix=is_open.matrix)
        except ValueError as error:
            raise EncoderError(f"{self._encoder.name} cannot have a frame of {frame.size}: {error}") from error
        return self._encoder.encode(fitting, key=key)

    def close(self) -> None:
        """Free the encoder."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()
