"""Sessions and figures: ending a session by its secret, and lists that name sessions by their public ids alone."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from mediacore.errors import SessionNotFoundError
from mediacore.media import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.engine import Engine

log = logging.getLogger(__name__)


class SessionRoutes:
    """``/api/v1/sessions``, ``/api/v1/streams`` and ``/api/v1/stats``."""

    def __init__(self, engine: Engine, loop_lag_s: Callable[[], float]) -> None:
        self._engine = engine
        self._loop_lag_s = loop_lag_s

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Register the routes."""
        router.add_get("/api/v1/sessions", self.sessions)
        router.add_delete("/api/v1/sessions/{secret}", self.end)
        router.add_get("/api/v1/streams", self.streams)
        router.add_get("/api/v1/stats", self.stats)

    async def sessions(self, request: web.Request) -> web.Response:
        """The sessions that have not ended, by their public ids."""
        del request
        return web.json_response({"sessions": [dataclasses.asdict(each) for each in self._engine.stats().sessions]})

    async def streams(self, request: web.Request) -> web.Response:
        """The running streams."""
        del request
        return web.json_response({"streams": [dataclasses.asdict(each) for each in self._engine.stats().streams]})

    async def stats(self, request: web.Request) -> web.Response:
        """All figures of the engine, and the event loop's lateness."""
        del request
        return web.json_response(
            {**dataclasses.asdict(self._engine.stats()), "loop_lag_ms": round(self._loop_lag_s() * 1e3, 2)}
        )

    async def end(self, request: web.Request) -> web.Response:
        """End a session. Only its secret opens it; the public id is unknown here."""
        session = self._engine.session(request.match_info["secret"])
        if session is None:
            raise SessionNotFoundError("there is no such session, or it has ended")
        await session.close(CloseReason.REQUESTED)
        log.info("session %s of %s: ended by its viewer", session.id, session.serial)
        return web.Response()
