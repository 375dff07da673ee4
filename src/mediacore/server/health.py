"""Liveness (how late the event loop runs) and readiness (whether new viewers should be sent here)."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from mediacore.errors import AdbError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mediacore.engine import Engine

SAMPLE_S = 0.25
"""How often the loop's lateness is measured."""
WINDOW = 40
"""Samples that are kept: ten seconds."""
MAX_LAG_S = 1.0
"""A loop that is later than this serves nobody: not alive."""
ADB_FRESH_S = 1.0
"""However often readiness is asked for, the adb server is asked at most this often."""
ADB_TIMEOUT_S = 3.0
"""An adb server that takes longer is not ready; below the time-outs of usual probes."""


class LoopLag:
    """Measures how late timers fire on the running loop; the last ten seconds are kept."""

    def __init__(self) -> None:
        self._samples = collections.deque[float]([0.0], maxlen=WINDOW)

    @property
    def last_s(self) -> float:
        """Lateness of the newest timer, in seconds."""
        return self._samples[-1]

    @property
    def max_s(self) -> float:
        """The worst of the window, in seconds."""
        return max(self._samples)

    @contextlib.asynccontextmanager
    async def measuring(self) -> AsyncIterator[None]:
        """Measure as long as the context is open."""
        task = asyncio.create_task(self._measure(), name="loop lag")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self._samples.append(max(0.0, loop.time() - due))


class Readiness:
    """Whether new viewers can be served: the engine takes them, adb answers (where it is used), nothing shuts down."""

    def __init__(self, engine: Engine, draining: Callable[[], bool]) -> None:
        self._engine = engine
        self._draining = draining
        self._adb: tuple[float, bool] | None = None

    async def checks(self) -> dict[str, bool]:
        """Each check by name. The adb server is asked at most once per ``ADB_FRESH_S``, and started if it is gone."""
        checks = {"engine": self._engine.ready, "not_draining": not self._draining()}
        if self._engine.settings.use_adb:
            checks["adb"] = await self._adb_answers()
        return checks

    async def _adb_answers(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._adb is None or now - self._adb[0] > ADB_FRESH_S:
            try:
                async with asyncio.timeout(ADB_TIMEOUT_S):
                    await self._engine.devices.refresh()
                answers = True
            except (AdbError, TimeoutError):
                answers = False
            self._adb = (now, answers)
        return self._adb[1]


class HealthRoutes:
    """``/livez``, ``/readyz`` and ``/health`` (readiness under the name that registries use)."""

    def __init__(self, lag: LoopLag, readiness: Readiness) -> None:
        self._lag = lag
        self._readiness = readiness

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Register the routes."""
        router.add_get("/livez", self.live)
        router.add_get("/readyz", self.ready)
        router.add_get("/health", self.ready)

    async def live(self, request: web.Request) -> web.Response:
        """200 while the loop is in time, 503 when its timers are more than a second late."""
        del request
        alive = self._lag.last_s <= MAX_LAG_S
        return web.json_response(
            {
                "status": "alive" if alive else "late",
                "loop_lag_ms": round(self._lag.last_s * 1e3, 2),
                "loop_lag_max_ms": round(self._lag.max_s * 1e3, 2),
            },
            status=HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    async def ready(self, request: web.Request) -> web.Response:
        """200 if every check holds, else 503; the body names the checks."""
        del request
        checks = await self._readiness.checks()
        ready = all(checks.values())
        return web.json_response(
            {"status": "ready" if ready else "not ready", "checks": checks},
            status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE,
        )
