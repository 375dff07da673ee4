"""H.264 as a phone's encoder gives it: x264 tamed to a single slice per frame, no B frames, no look-ahead."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.video.frame import PictureType

from mediacore.testing.scenes import Planes

if TYPE_CHECKING:
    import numpy.typing as npt

    from mediacore.testing.options import Colours, Profile, Rotation

    Block = npt.NDArray[np.uint8]

LEAST_QUANTIZER = 16
"""Pictures that are easy to encode do not fill the bit rate, as with a phone's encoder."""
NAL_SPS, NAL_PPS, NAL_SEI = 7, 8, 6
BLACK = (16, 128, 128)
FROM_BT601 = ((-0.11555, -0.20794), (1.01864, 0.11462), (0.07505, 1.02533))
"""What BT.601's (u, v) add to luma, and make of u and v, in BT.709 (ITU-R BT.601-7, BT.709-6)."""


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream, each with the start code as it stands there."""
    starts, at = [], data.find(b"\0\0\1")
    while at >= 0:
        starts.append(at - 1 if at > 0 and data[at - 1] == 0 else at)
        at = data.find(b"\0\0\1", at + 3)
    return [data[start:end] for start, end in itertools.pairwise((*starts, len(data)))]


def nal_type(unit: bytes) -> int:
    """nal_unit_type of a NAL unit that begins with a start code."""
    return unit[unit.index(1) + 1] & 31


def as_bt709(block: Block) -> Block:
    """A BT.601 block as BT.709, both in limited range; grey stays grey, so luma changes by what chroma says only."""
    width, height = block.shape[1], block.shape[0] * 2 // 3
    chroma = block[height:].reshape(2, height // 2, width // 2).astype(np.float32) - 128
    luma, u, v = (np.rint(row[0] * chroma[0] + row[1] * chroma[1]) for row in FROM_BT601)
    changed = np.empty_like(block)
    changed[:height] = np.clip(block[:height] + luma.repeat(2, 0).repeat(2, 1), 0, 255)
    changed[height:] = np.clip(np.stack((u, v)) + 128, 0, 255).reshape(height // 2, width)
    return changed


def _told(colours: Colours) -> str:
    """x264's words for what the VUI says (ITU-T H.264 section E.2.1)."""
    name = {"untold": "", "bt601": "smpte170m", "bt709": "bt709"}[colours]
    return f":range=tv:colorprim={name}:transfer={name}:colormatrix={name}" if name else ""


class H264Encoder:
    """One encoder; calls must not overlap, but may come from any thread.

    Args:
        size: (width, height) of the video in pixels, both even.
        fps: nominal frame rate, for the rate control.
        bitrate_bps: what it may use, on average.
        profile: the H.264 profile.
        colours: the matrix, and whether it is told.

    Raises:
        ValueError: x264 refuses these values.
    """

    def __init__(
        self, size: tuple[int, int], fps: int, bitrate_bps: int, profile: Profile, colours: Colours = "bt601"
    ) -> None:
        self.size = size
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.bit_rate = bitrate_bps
        context.framerate = Fraction(fps)
        context.time_base = Fraction(1, fps)
        context.thread_count = 1
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": profile,
            "forced-idr": "1",
            "maxrate": str(bitrate_bps),
            "bufsize": str(bitrate_bps // 2),
            "x264-params": f"keyint=infinite:scenecut=0:sliced-threads=0:threads=1:qpmin={LEAST_QUANTIZER}"
            f":repeat-headers=1:annexb=1{_told(colours)}",
        }
        self._context = context
        self._colours = colours
        self._count = 0
        self._headers_sent = False

    def encode(self, block: Block, *, key: bool) -> bytes:
        """One access unit from one I420 block (BT.601, limited range) of the encoder's size.

        ``key`` asks for an IDR picture. SPS and PPS stand before the first one only.
        """
        if self._colours == "bt709":
            block = as_bt709(block)
        frame = av.VideoFrame.from_numpy_buffer(block, "yuv420p")
        frame.pts = self._count
        frame.pict_type = PictureType.I if key else PictureType.NONE
        self._count += 1
        data = b"".join(bytes(packet) for packet in self._context.encode(frame))
        if key:
            data = self._without_extras(data)
        return data

    def _without_extras(self, data: bytes) -> bytes:
        """Drops x264's own SEI, and the parameter sets when they were sent before."""
        dropped = {NAL_SEI} | ({NAL_SPS, NAL_PPS} if self._headers_sent else set())
        self._headers_sent = True
        return b"".join(unit for unit in nal_units(data) if nal_type(unit) not in dropped)


def project(block: Block, rotation: int, onto: tuple[int, int], started: tuple[int, int], habit: Rotation) -> Block:
    """Brings a frame of the display to the size of the video.

    Args:
        block: the frame, I420.
        rotation: quarter turns of the display since the recording began; only odd ones change the shape.
        onto: (width, height) of the video.
        started: (width, height) of the display when the recording began.
        habit: what happens when the shape has changed since.
    """
    width, height = block.shape[1], block.shape[0] * 2 // 3
    if habit == "cut" and rotation % 2:
        block = _cut(block, started)
        width, height = started
    if (width, height) == onto:
        return block
    scale = min(onto[0] / width, onto[1] / height)
    inner = min(onto[0], round(width * scale / 2) * 2), min(onto[1], round(height * scale / 2) * 2)
    frame = av.VideoFrame.from_numpy_buffer(block, "yuv420p").reformat(*inner, interpolation="AREA")
    scaled = cast("Block", frame.to_ndarray())
    return scaled if inner == onto else _centred(scaled, onto)


def _canvas(size: tuple[int, int]) -> tuple[Block, Planes]:
    block = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
    planes = Planes.of(block)
    planes.fill(0, 0, size[0], size[1], BLACK)
    return block, planes


def _cut(block: Block, size: tuple[int, int]) -> Block:
    canvas, into = _canvas(size)
    _copy(Planes.of(block), into, 0, 0)
    return canvas


def _centred(block: Block, size: tuple[int, int]) -> Block:
    canvas, into = _canvas(size)
    width, height = block.shape[1], block.shape[0] * 2 // 3
    _copy(Planes.of(block), into, (size[0] - width) // 4 * 2, (size[1] - height) // 4 * 2)
    return canvas


def _copy(source: Planes, into: Planes, left: int, top: int) -> None:
    """Copies as much as fits, from the upper left corner of ``source`` to (left, top), both even."""
    for name, part in (("y", 1), ("u", 2), ("v", 2)):
        plane, target = getattr(source, name), getattr(into, name)[top // part :, left // part :]
        height, width = min(plane.shape[0], target.shape[0]), min(plane.shape[1], target.shape[1])
        target[:height, :width] = plane[:height, :width]
