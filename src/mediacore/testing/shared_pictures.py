"""What the devices of one process share: painted scenes and encoded loops, so that the fiftieth costs little."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mediacore.testing.loop_encoder import EncodedLoop
from mediacore.testing.scenes import build_scene

if TYPE_CHECKING:
    from mediacore.testing.loop_encoder import LoopKey
    from mediacore.testing.options import Scene as SceneName
    from mediacore.testing.scenes import Scene

MAX_SCENES = 16
"""Painted scenes that are kept, 2 to 15 MB each; the oldest is forgotten."""
MAX_LOOPS = 8
"""Encoded loops that are kept, 0.3 to 10 MB each; the oldest is forgotten."""


class SharedPictures:
    """The scenes and loops of one process. Everything runs on one event loop."""

    def __init__(self) -> None:
        self._scenes: dict[tuple[SceneName, tuple[int, int]], Scene] = {}
        self._painting = asyncio.Lock()
        self._loops: dict[LoopKey, EncodedLoop] = {}

    async def scene(self, name: SceneName, size: tuple[int, int]) -> Scene:
        """A scene of this size, painted in a thread if nobody had it before."""
        async with self._painting:
            scene = self._scenes.get((name, size))
            if scene is None:
                if len(self._scenes) >= MAX_SCENES:
                    self._scenes.pop(next(iter(self._scenes)))
                scene = self._scenes[name, size] = await asyncio.to_thread(build_scene, name, *size)
            return scene

    async def loop(self, key: LoopKey) -> EncodedLoop:
        """The loop of a key, being encoded if nobody had it before."""
        scene = await self.scene(key.scene, key.display)
        loop = self._loops.get(key)
        if loop is None:
            if len(self._loops) >= MAX_LOOPS:
                self._loops.pop(next(iter(self._loops)))
            loop = self._loops[key] = EncodedLoop(key, scene)
        return loop
