"""One encoder on moving screens: what a frame costs, and what it looks like afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Literal

import av
import numpy as np

import moving_screens
from mediacore.encode.av_encoder import AvEncoder
from mediacore.encode.choice import CANDIDATES
from mediacore.encode.encoder import EncoderSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mediacore.encode.av_encoder import Tuning
    from mediacore.encode.encoder import EncodedFrame
    from moving_screens import Block

SOFTWARE = {codec: several[-1] for codec, several in CANDIDATES.items()}
DECODERS = {"av1": "libdav1d"}
PERIOD_MS = 1000 / moving_screens.FPS


@dataclass(frozen=True, slots=True)
class Variant:
    """What is changed of the tuning that the product has."""

    name: str
    options: Mapping[str, str | None] | None = None
    """Options of FFmpeg; None takes one away."""
    svt: Mapping[str, int] | None = None
    """Parameters of SVT-AV1."""
    threads: int | None = None
    instead: bool = False
    """``options`` are all that there are."""

    def of(self, tuning: Tuning) -> Tuning:
        options = {} if self.instead else dict(tuning.options)
        for name, value in (self.options or {}).items():
            if value is None:
                options.pop(name, None)
            else:
                options[name] = value
        if self.svt:
            parameters = dict(pair.split("=") for pair in options["svtav1-params"].split(":"))
            parameters |= {name: str(value) for name, value in self.svt.items()}
            options["svtav1-params"] = ":".join(f"{name}={value}" for name, value in parameters.items())
        return replace(tuning, options=options, threads=tuning.threads if self.threads is None else self.threads)


@dataclass(frozen=True, slots=True)
class Trial:
    """Figures of one clip; the key frame is asked for in the middle of it."""

    p50_ms: float
    p95_ms: float
    cpu_ms: float
    """Processor time of all threads per frame."""
    late: int
    """Frames that took longer than a frame's time."""
    kbit_s: float
    key_kb: float
    """The larger one of the first frame and of the key frame in the middle."""
    other_kb: float
    """The largest of the others."""
    ssim: float
    """Of luma, mean over the frames."""
    least_ssim: float

    HEAD = "   p50    p95    cpu  late  kbit/s  key kB  other   SSIM   least"

    def __str__(self) -> str:
        return (
            f"{self.p50_ms:6.1f} {self.p95_ms:6.1f} {self.cpu_ms:6.1f} {self.late:5} {self.kbit_s:7.0f} "
            f"{self.key_kb:7.1f} {self.other_kb:6.1f} {self.ssim:.4f} {self.least_ssim:.4f}"
        )


def settings(codec: str, bitrate_bps: int, ceiling_bps: int | None = None) -> EncoderSettings:
    """For the clips' size and rate."""
    matrix: Literal["bt709", "bt601"] = "bt709" if codec == "h264" else "bt601"
    return EncoderSettings(
        codec, moving_screens.SIZE, moving_screens.FPS, bitrate_bps, ceiling_bps or bitrate_bps, matrix
    )


def decode(codec: str, encoded: Iterable[EncodedFrame]) -> list[Block]:
    """Luma of each frame."""
    decoder = av.CodecContext.create(DECODERS.get(codec, codec), "r")
    decoder.thread_count = 1
    pictures = [picture for each in encoded for picture in decoder.decode(av.Packet(bytes(each.data)))]
    pictures += decoder.decode(None)
    return [
        np.frombuffer(memoryview(picture.planes[0]), np.uint8).reshape(picture.height, -1)[:, : picture.width]
        for picture in pictures
    ]


def run(codec: str, variant: Variant, blocks: list[Block], bitrate_bps: int) -> Trial:
    """Encode a clip. AssertionError unless each frame gives one packet, and all of it can be decoded."""
    wanted, candidate = settings(codec, bitrate_bps), SOFTWARE[codec]
    encoder = AvEncoder(candidate.name, wanted, variant.of(candidate.tuning(wanted)))
    key_at, times_ms, encoded, cpu_s = len(blocks) // 2, [], [], 0.0
    for number, block in enumerate(blocks):
        frame = moving_screens.frame_of(block, number, wanted.matrix)
        cpu_before, before = time.process_time(), time.perf_counter()
        packets = encoder.encode(frame, key=number == key_at)
        times_ms.append((time.perf_counter() - before) * 1e3)
        cpu_s += time.process_time() - cpu_before
        assert len(packets) == 1, f"{variant.name}: {len(packets)} packets for frame {number}"
        encoded += packets
    encoder.close()
    pictures = decode(codec, encoded)
    assert len(pictures) == len(blocks)
    assert encoded[0].is_key
    assert encoded[key_at].is_key
    height = moving_screens.SIZE[1]
    likeness = [
        moving_screens.ssim(block[:height], picture)
        for block, picture in list(zip(blocks, pictures, strict=True))[1::3]
    ]
    sizes = [len(each.data) for each in encoded]
    return Trial(
        median(times_ms[1:]),
        float(np.percentile(times_ms[1:], 95)),
        cpu_s * 1e3 / len(blocks),
        sum(each > PERIOD_MS for each in times_ms[1:]),
        sum(sizes) * 8 * moving_screens.FPS / len(sizes) / 1000,
        max(sizes[0], sizes[key_at]) / 1000,
        max(size for size, each in zip(sizes, encoded, strict=True) if not each.is_key) / 1000,
        sum(likeness) / len(likeness),
        min(likeness),
    )
