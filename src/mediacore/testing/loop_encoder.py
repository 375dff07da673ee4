"""Pictures encoded once and sent for ever: what makes fifty devices cheap.

A loop begins with its only IDR picture. Each access unit carries a mark (``mediacore.testing.sei``) that is overwritten
when it is sent. The bar code in the pictures of a loop holds the frame number within the loop, counted from 1, and
time 0. The encoding goes on in a thread while the first pictures are sent already.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mediacore.testing import barcode, sei
from mediacore.testing.encoder import H264Encoder, nal_type, nal_units, project
from mediacore.testing.scenes import Planes

if TYPE_CHECKING:
    from mediacore.testing.options import Colours, Profile
    from mediacore.testing.options import Scene as SceneName
    from mediacore.testing.scenes import Scene

SLICES = (1, 5)


@dataclass(frozen=True, slots=True)
class LoopKey:
    """All that the bytes of a loop depend on."""

    scene: SceneName
    display: tuple[int, int]
    video: tuple[int, int]
    fps: int
    bitrate_bps: int
    profile: Profile
    colours: Colours
    frames: int


class EncodedLoop:
    """The access units of one loop, complete or on the way."""

    def __init__(self, key: LoopKey, scene: Scene) -> None:
        self.key = key
        self._scene = scene
        self.headers = b""
        """SPS and PPS; known once the first unit is."""
        self._units: list[tuple[bytes, int]] = []
        self._grown = asyncio.Event()
        self._failure: BaseException | None = None
        self._work: asyncio.Task[None] | None = None

    async def unit(self, number: int) -> tuple[bytes, int]:
        """(access unit, offset of its mark) of frame ``number % frames``; waits while it is being encoded.

        Raises:
            ValueError: x264 refuses the size.
        """
        if self._work is None:
            self._work = asyncio.create_task(self._encode(), name="loop encoder")
        number %= self.key.frames
        while len(self._units) <= number:
            if self._failure is not None:
                raise ValueError(str(self._failure)) from self._failure
            self._grown.clear()
            await self._grown.wait()
        return self._units[number]

    async def _encode(self) -> None:
        key = self.key
        try:
            encoder = H264Encoder(key.video, key.fps, key.bitrate_bps, key.profile, key.colours)
            width, height = key.display

            def encode(number: int) -> bytes:
                block = np.empty((height * 3 // 2, width), np.uint8)
                planes = Planes.of(block)
                self._scene.draw(planes, number)
                barcode.draw(planes.y, number + 1, 0)
                return encoder.encode(project(block, 0, key.video, key.display, "project"), key=number == 0)

            for number in range(key.frames):
                self._add(await asyncio.to_thread(encode, number))
        except (ValueError, OSError) as error:
            self._failure = error
        finally:
            self._grown.set()

    def _add(self, data: bytes) -> None:
        units = nal_units(data) if not self._units else [data]
        self.headers = self.headers or b"".join(unit for unit in units if nal_type(unit) not in SLICES)
        slices = b"".join(unit for unit in units if nal_type(unit) in SLICES)
        self._units.append((sei.mark(0, 0) + slices, 0))
        self._grown.set()
