"""Which encoder is used: the first that opens; what is hardware must also encode a test frame well.

FFmpeg lists encoders whose driver or device is not there, so that only trying tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np

from mediacore.encode import hardware
from mediacore.encode.av_encoder import AvEncoder, Tuning
from mediacore.encode.svt_av1 import svt_av1
from mediacore.encode.vpx import vp8, vp9
from mediacore.encode.x264 import x264
from mediacore.errors import EncoderError
from mediacore.media import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mediacore.encode.encoder import EncodedFrame, Encoder, EncoderSettings

TEST_COLOUR = (96, 160, 88)
"""Y, U and V of the frame that hardware has to give back."""
TEST_TOLERANCE = 6
"""How far the decoded frame may be from that; a wrong order of planes is off by 70."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One encoder that may be there."""

    name: str
    """As FFmpeg has it."""
    tuning: Callable[[EncoderSettings], Tuning]
    """What it is told."""
    hardware: bool = False
    """It is used only after a test frame came out right."""


CANDIDATES: Mapping[str, tuple[Candidate, ...]] = {
    "h264": (
        Candidate("h264_nvenc", hardware.nvenc, hardware=True),
        Candidate("h264_qsv", hardware.quick_sync, hardware=True),
        Candidate("h264_amf", hardware.amf, hardware=True),
        Candidate("h264_v4l2m2m", hardware.v4l2, hardware=True),
        Candidate("libx264", x264),
    ),
    "vp8": (Candidate("vp8_v4l2m2m", hardware.v4l2, hardware=True), Candidate("libvpx", vp8)),
    "vp9": (Candidate("vp9_qsv", hardware.quick_sync, hardware=True), Candidate("libvpx-vp9", vp9)),
    "av1": (
        Candidate("av1_nvenc", hardware.nvenc, hardware=True),
        Candidate("av1_qsv", hardware.quick_sync, hardware=True),
        Candidate("av1_amf", hardware.amf, hardware=True),
        Candidate("libsvtav1", svt_av1),
    ),
}
"""By codec, the best first."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One encoder that was tried in vain."""

    name: str
    """As FFmpeg has it."""
    reason: str
    """Why it is not used."""


def encodable(codec: str) -> bool:
    """True if there is an encoder for it that needs no hardware: one that can be relied on."""
    return any(
        candidate.name in av.codecs_available for candidate in CANDIDATES.get(codec, ()) if not candidate.hardware
    )


def open_encoder(
    settings: EncoderSettings,
    only: str | None = None,
    *,
    without: Collection[str] = (),
    trying: Callable[[str], None] = lambda _name: None,
    candidates: Mapping[str, tuple[Candidate, ...]] = CANDIDATES,
) -> tuple[Encoder, tuple[Refusal, ...]]:
    """Open the first encoder for ``settings.codec`` that works; what was tried before it comes as well.

    ``only`` names the one to take, if it is one for this codec; one for another codec is ignored. ``without`` names
    those that have failed at work. ``trying`` is told the name of each one just before it is tried, as it may not come
    back from that; what it raises ends the search. Takes 5 to 100 ms, so it belongs into a thread. Raises
    ``EncoderError`` with all reasons if none works.
    """
    known = {candidate.name for several in candidates.values() for candidate in several}
    if only is not None and only not in known:
        raise EncoderError(f"{only} is no encoder that can be used here; there are {', '.join(sorted(known))}")
    several = candidates.get(settings.codec, ())
    if only in {candidate.name for candidate in several}:
        several = tuple(candidate for candidate in several if candidate.name == only)
    refusals: list[Refusal] = []
    for candidate in several:
        if candidate.name in without:
            refusals.append(Refusal(candidate.name, "it failed at work"))
            continue
        trying(candidate.name)
        try:
            return _open(candidate, settings), tuple(refusals)
        except EncoderError as error:
            refusals.append(Refusal(candidate.name, str(error)))
    width, height = settings.size
    reasons = "; ".join(f"{refusal.name}: {refusal.reason}" for refusal in refusals) or "none is known"
    raise EncoderError(f"no encoder for {settings.codec} at {width}x{height}: {reasons}")


def _open(candidate: Candidate, settings: EncoderSettings) -> Encoder:
    encoder = AvEncoder(candidate.name, settings, candidate.tuning(settings))
    if candidate.hardware:
        try:
            _test(encoder)
        except BaseException:
            encoder.close()
            raise
    return encoder


def _test(encoder: Encoder) -> None:
    """Raises ``EncoderError`` unless a key frame and another come back at once and look as they went in."""
    width, height = encoder.settings.size
    luma, chroma = width * height, width // 2 * (height // 2)
    block = np.repeat(np.array(TEST_COLOUR, np.uint8), (luma, chroma, chroma))
    frame = Frame.of_block(block.data, (width, height), width, matrix=encoder.settings.matrix)
    first, second = encoder.encode(frame, key=True), encoder.encode(frame)
    if [packet.is_key for packet in (*first, *second)] != [True, False]:
        raise EncoderError(f"{encoder.name} gives {len(first)} and {len(second)} packets for a key frame and another")
    decoded_frames = _decode(encoder.settings.codec, [*first, *second])
    if len(decoded_frames) != 2:
        raise EncoderError(f"{encoder.name} gives what cannot be decoded")
    for decoded in decoded_frames:
        planes = [
            float(np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width].mean())
            for plane in decoded.planes
        ]
        if (decoded.width, decoded.height) != (width, height) or not _close(planes):
            raise EncoderError(f"{encoder.name} gives a picture of {decoded.width}x{decoded.height} with {planes}")


def _close(planes: list[float]) -> bool:
    return all(abs(plane - colour) <= TEST_TOLERANCE for plane, colour in zip(planes, TEST_COLOUR, strict=True))


def _decode(codec: str, encoded: list[EncodedFrame]) -> list[av.VideoFrame]:
    try:
        decoder = av.CodecContext.create("libdav1d" if codec == "av1" else codec, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        frames = [frame for packet in encoded for frame in decoder.decode(av.Packet(bytes(packet.data)))]
        return frames + decoder.decode(None)
    except av.FFmpegError as error:
        raise EncoderError(f"what it gives cannot be decoded: {error.strerror}") from error
