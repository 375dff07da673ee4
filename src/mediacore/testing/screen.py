"""The display of a simulated device: it draws a frame when something changes and somebody looks.

A frame is drawn at most once per period of the frame rate, on a fixed grid like vertical synchronisation, and offered
to all feeds at once; a feed keeps the newest frame only and counts what it never got to. Nobody looking, or nothing
changing, costs nothing. Everything runs on one event loop; only scenes are painted in a thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mediacore.testing import barcode
from mediacore.testing.scenes import Planes, TouchDots

if TYPE_CHECKING:
    import numpy.typing as npt

    from mediacore.testing.options import Scene as SceneName
    from mediacore.testing.scenes import Scene
    from mediacore.testing.shared_pictures import SharedPictures


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One drawn frame; never changed afterwards, so recordings share it."""

    block: npt.NDArray[np.uint8]
    """I420 in one block of shape (height * 3 / 2, width)."""
    frame_number: int
    """As in the bar code."""
    time_us: int
    """As in the bar code: CLOCK_REALTIME in µs."""
    rotation: int
    """Quarter turns of the display, 0 to 3."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.block.shape[1], self.block.shape[0] * 2 // 3


class PictureFeed:
    """The newest frame for one recording."""

    def __init__(self) -> None:
        self._newest: Picture | None = None
        self._offered = asyncio.Event()
        self.dropped = 0
        """Frames that a newer one replaced before they were taken."""

    def offer(self, picture: Picture) -> None:
        """Replaces the waiting frame."""
        self.dropped += self._newest is not None
        self._newest = picture
        self._offered.set()

    async def next(self) -> Picture:
        """Waits for a frame that was not taken yet; on a static screen that is until something changes."""
        while self._newest is None:
            self._offered.clear()
            await self._offered.wait()
        picture, self._newest = self._newest, None
        return picture


class Display:
    """The screen: a scene, fingers on it, and which way it is held.

    Args:
        size: (width, height) as it is held naturally.
        fps: frames per second while the scene moves.
        scene: the scene's name.
        rotation_period_s: how often the scene ``rotation`` turns.
        pictures: where scenes are painted.
    """

    def __init__(
        self, size: tuple[int, int], fps: int, scene: SceneName, rotation_period_s: float, pictures: SharedPictures
    ) -> None:
        self._natural_size = size
        self._fps = fps
        self._scene_name: SceneName = scene
        self._turn_every = max(1, round(rotation_period_s * fps))
        self._scenes: dict[tuple[SceneName, tuple[int, int]], Scene] = {}
        self._dots = TouchDots(*size)
        self._touches: dict[int, tuple[float, float]] = {}
        self._feeds: set[PictureFeed] = set()
        self._changed = asyncio.Event()
        self._damaged = False
        self._frozen = False
        self._frame_number = 0
        self._picture: Picture | None = None
        self._pictures = pictures
        self._changing = asyncio.Lock()
        self.rotation = 0
        """Quarter turns counted as Android does: 1 is 90 degrees."""

    @property
    def natural_size(self) -> tuple[int, int]:
        """(width, height) as it is held naturally; rotation does not change it."""
        return self._natural_size

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as it is held now."""
        return self._size(self.rotation)

    @property
    def fps(self) -> int:
        """Frames per second while the scene moves."""
        return self._fps

    @property
    def scene(self) -> SceneName:
        """The name of the scene shown."""
        return self._scene_name

    @property
    def frame_number(self) -> int:
        """Number of the last frame drawn."""
        return self._frame_number

    # -- what changes the picture

    async def show(self, scene: SceneName) -> None:
        """Switches to another scene."""
        async with self._changing:
            await self._paint(scene, self.rotation)
            self._scene_name = scene
            self._damage()

    async def rotate(self, rotation: int) -> None:
        """Turns the display to ``rotation`` quarter turns; fingers leave it."""
        async with self._changing:
            if rotation % 4 == self.rotation:
                return
            await self._paint(self._scene_name, rotation)
            self.rotation = rotation % 4
            self._touches.clear()
            self._damage()

    def touch(self, pointer: int, x: float, y: float, *, down: bool) -> None:
        """Puts a finger at (x, y); ``down`` begins a new gesture, which wipes the dots of the last one off."""
        if down:
            self._touches.clear()
        self._touches[pointer] = (x, y)
        self._damage()

    def freeze(self, *, frozen: bool) -> None:
        """While frozen no frame is drawn, whatever happens."""
        self._frozen = frozen
        self._wake()

    # -- who looks at it

    async def watch(self) -> PictureFeed:
        """A new feed. It gets the frames drawn from now on: of a static screen, nothing until it changes."""
        await self._paint(self._scene_name, self.rotation)
        if not self._feeds and self._damaged:
            self._draw()  # what changed while nobody looked is no news
        feed = PictureFeed()
        self._feeds.add(feed)
        self._wake()
        return feed

    def unwatch(self, feed: PictureFeed) -> None:
        """Ends a feed."""
        self._feeds.discard(feed)
        self._wake()

    async def snapshot(self) -> Picture:
        """What the screen shows now; drawn for the purpose unless a frame that still holds was drawn before."""
        await self._paint(self._scene_name, self.rotation)
        if self._picture is not None and (self._frozen or self._holds(self._picture)):
            return self._picture
        return self._draw()

    async def run(self) -> None:
        """Draws until cancelled."""
        await self._paint(self._scene_name, self.rotation)
        loop = asyncio.get_running_loop()
        start, period = loop.time(), 1 / self._fps
        self._wake()
        while True:
            await self._changed.wait()
            tick = math.floor((loop.time() - start) / period) + 1
            await asyncio.sleep(start + tick * period - loop.time())
            if not self._changed.is_set():
                continue
            if self._scene_name == "rotation":
                await self.rotate((self._frame_number + 1) // self._turn_every % 2)
            self._draw()

    # -- inside

    def _size(self, rotation: int) -> tuple[int, int]:
        width, height = self._natural_size
        return (height, width) if rotation % 2 else (width, height)

    async def _paint(self, scene: SceneName, rotation: int) -> None:
        """Has the scene ready for one way of holding the display."""
        size = self._size(rotation)
        if (scene, size) not in self._scenes:
            self._scenes[scene, size] = await self._pictures.scene(scene, size)

    def _holds(self, picture: Picture) -> bool:
        """Whether the screen still looks like its last frame: nothing moved, or a feed has just got it."""
        if self._damaged:
            return False
        age_us = time.time_ns() // 1000 - picture.time_us
        recent = bool(self._feeds) and 0 <= age_us < 2_000_000 / self._fps
        return recent or not self._scenes[self._scene_name, self.size].moving

    def _damage(self) -> None:
        self._damaged = True
        self._wake()

    def _wake(self) -> None:
        current = self._scenes.get((self._scene_name, self.size))
        moving = current is not None and current.moving
        if self._feeds and current is not None and not self._frozen and (self._damaged or moving):
            self._changed.set()
        else:
            self._changed.clear()

    def _draw(self) -> Picture:
        """Draws the next frame, for whoever asked and for all feeds."""
        width, height = self.size
        block = np.empty((height * 3 // 2, width), np.uint8)
        planes = Planes.of(block)
        time_us = time.time_ns() // 1000
        self._frame_number = (self._frame_number + 1) & 0xFFFFFFFF
        self._scenes[self._scene_name, self.size].draw(planes, self._frame_number)
        for x, y in self._touches.values():
            self._dots.draw(planes, x, y)
        planes.u[: height // barcode.STRIP // 2 + 1] = 128
        planes.v[: height // barcode.STRIP // 2 + 1] = 128
        barcode.draw(planes.y, self._frame_number, time_us)
        self._picture = picture = Picture(block, self._frame_number, time_us, self.rotation)
        self._damaged = False
        self._wake()
        for feed in self._feeds:
            feed.offer(picture)
        return picture
