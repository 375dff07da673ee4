"""Sound to Opus packets (RFC 6716) by libopus: in come pieces of any length, out go packets of one duration."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import av
import numpy as np

from mediacore.encode.encoder import EncodedFrame
from mediacore.errors import EncoderError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples: TypeAlias = NDArray[Any]

RATE_HZ = 48_000
FORMATS: dict[str, type[np.int16] | type[np.float32]] = {"s16": np.int16, "flt": np.float32}
"""Sample formats as FFmpeg has them, interleaved."""
GAP_US = 60_000
"""Samples that come so much later than the ones before would end do not continue them."""
SILK_LOSS = 5
"""Above this percentage libopus gives up music for speech with forward error correction."""


class OpusEncoder:
    """One sound track at 48 kHz. Any thread, one at a time.

    Args:
        channels: 1 or 2.
        sample_format: ``s16`` or ``flt`` (-1 to 1).
        bitrate_bps: 6 to 510 kb/s.
        packet_ms: 10 or 20; 10 is sooner there, 20 costs less.
        expected_loss: percentage of packets that the network loses. Each packet carries a coarse copy of the one before
            (in-band FEC) as far as libopus finds it worth it: not for music up to ``SILK_LOSS``.

    Raises:
        EncoderError: there is no libopus, or it refuses these values.
    """

    def __init__(
        self,
        channels: int = 2,
        sample_format: Literal["s16", "flt"] = "s16",
        *,
        bitrate_bps: int = 96_000,
        packet_ms: Literal[10, 20] = 20,
        expected_loss: int = SILK_LOSS,
    ) -> None:
        self._format, self._channels = sample_format, channels
        self._dtype = FORMATS[sample_format]
        self._packet_samples = RATE_HZ * packet_ms // 1000
        self._kept: Samples = np.empty((0, channels), self._dtype)
        self._next_us: int | None = None
        self._samples = 0
        try:
            context = av.CodecContext.create("libopus", "w")
            assert isinstance(context, av.AudioCodecContext)
            context.sample_rate = RATE_HZ
            context.layout = {1: "mono", 2: "stereo"}[channels]
            context.format = sample_format
            context.bit_rate = bitrate_bps
            context.time_base = Fraction(1, RATE_HZ)
            context.options = {
                "application": "audio",
                "frame_duration": str(packet_ms),
                "fec": "1",
                "packet_loss": str(expected_loss),
            }
            context.open()
        except (av.FFmpegError, ValueError, KeyError) as error:
            raise EncoderError(f"libopus cannot be opened: {error}") from error
        self._context = context

    def encode(self, samples: Samples, pts_us: int) -> list[EncodedFrame]:
        """Encode samples of shape (n, channels), the first of which was heard at ``pts_us``.

        What does not fill a packet is kept for the next call; after a gap it is dropped. Raises ``EncoderError``.
        """
        if samples.dtype != self._dtype or samples.ndim != 2 or samples.shape[1] != self._channels:
            raise EncoderError(
                f"libopus is open for (n, {self._channels}) of {np.dtype(self._dtype)}, not for "
                f"{samples.shape} of {samples.dtype}"
            )
        if self._next_us is None or abs(pts_us - self._next_us) > GAP_US:
            self._kept, begin_us = samples, pts_us
        else:
            # The samples are the clock; a few ms of jitter in the times are none.
            begin_us = self._next_us - _us(len(self._kept))
            self._kept = np.concatenate((self._kept, samples))
        packets = [
            packet
            for at in range(0, len(self._kept) - self._packet_samples + 1, self._packet_samples)
            for packet in self._encode(self._kept[at : at + self._packet_samples], begin_us + _us(at))
        ]
        whole = len(self._kept) // self._packet_samples * self._packet_samples
        self._next_us = begin_us + _us(len(self._kept))
        self._kept = self._kept[whole:].copy()
        return packets

    def _encode(self, samples: Samples, pts_us: int) -> list[EncodedFrame]:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples).reshape(1, -1), self._format, "mono" if self._channels == 1 else "stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._samples, Fraction(1, RATE_HZ)
        self._samples += len(samples)
        try:
            packets = self._context.encode(frame)
        except av.FFmpegError as error:
            raise EncoderError(f"libopus refuses samples: {error.strerror}") from error
        return [EncodedFrame(memoryview(packet).toreadonly(), pts_us, is_key=True) for packet in packets]


def _us(samples: int) -> int:
    return samples * 1_000_000 // RATE_HZ
