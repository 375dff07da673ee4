"""The devices: their list, their screenshots, and WHEP on each of them (draft-ietf-wish-whep, after RFC 9725)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from mediacore.errors import WantedError
from mediacore.server.guards import read_sdp, require_content_type
from mediacore.server.problems import RETRY_AFTER_S, ProblemError
from mediacore.wanted import from_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.engine import Engine
    from mediacore.media import Device, EngineStats, Wanted
    from mediacore.server.screenshots import Screenshots
    from mediacore.session import Session

log = logging.getLogger(__name__)

SDP = "application/sdp"
WANTED_FIELDS = ("codec", "size", "fps")


def session_path(session: Session) -> str:
    """Where the viewer that has the secret finds its session."""
    return f"/api/v1/sessions/{session.secret}"


def wanted_of(request: web.Request) -> Wanted:
    """What the query asks for; other fields of it are left alone. Raises ``WantedError``."""
    for name in WANTED_FIELDS:
        if len(values := request.query.getall(name, [])) > 1:
            raise WantedError(f"{name} is given {len(values)} times, it must be given once")
    return from_query(request.query)


def entry(device: Device, stats: EngineStats) -> dict[str, object]:
    """One device as the list shows it."""
    stream = next((stream for stream in stats.streams if stream.serial == device.serial), None)
    size = stream.description.size if stream is not None and stream.description is not None else device.size
    return {
        "serial": device.serial,
        "name": device.name,
        "model": device.model,
        "state": device.state.value,
        "size": None if size is None else list(size),
        "streaming": stream is not None,
        "viewers": sum(session.serial == device.serial for session in stats.sessions),
    }


class DeviceRoutes:
    """``/api/v1/devices`` and what is below it."""

    def __init__(
        self,
        engine: Engine,
        screenshots: Screenshots,
        *,
        draining: Callable[[], bool],
        max_sdp_bytes: int,
        body_timeout_s: float,
    ) -> None:
        self._engine = engine
        self._screenshots = screenshots
        self._draining = draining
        self._max_sdp_bytes = max_sdp_bytes
        self._body_timeout_s = body_timeout_s

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Register the routes."""
        router.add_get("/api/v1/devices", self.list)
        router.add_get("/api/v1/devices/{serial}/screenshot", self.screenshot)
        router.add_post("/api/v1/devices/{serial}/whep", self.whep)

    async def list(self, request: web.Request) -> web.Response:
        """All devices, in the engine's order."""
        del request
        stats = self._engine.stats()
        return web.json_response({"devices": [entry(device, stats) for device in self._engine.devices.list()]})

    async def screenshot(self, request: web.Request) -> web.Response:
        """The device's screen now, PNG or JPEG."""
        serial = await self._known(request)
        body, content_type = await self._screenshots.take(serial)
        return web.Response(body=body, content_type=content_type)

    async def whep(self, request: web.Request) -> web.Response:
        """A viewer's offer; 201 with the answer and the session's address.

        The query may say what it wants: ``?codec=vp8,av1&size=540x1200&fps=15``.
        """
        serial = await self._known(request)
        require_content_type(request, SDP)
        offer = await read_sdp(request, max_bytes=self._max_sdp_bytes, timeout_s=self._body_timeout_s)
        wanted = wanted_of(request)
        if self._draining():
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "draining",
                "the service is shutting down and takes no new viewers",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        session = await self._engine.connect(serial, offer, wanted=wanted)
        log.info("session %s of %s: answered", session.id, serial)
        return web.Response(
            status=HTTPStatus.CREATED,
            text=session.answer,
            content_type=SDP,
            headers={"Location": session_path(session), "ETag": f'"{session.id}-1"'},
        )

    async def _known(self, request: web.Request) -> str:
        """The device's serial, if it is one; raises ``DeviceNotFoundError`` or ``AdbError``."""
        serial = request.match_info["serial"]
        if all(device.serial != serial for device in self._engine.devices.list()):
            await self._engine.devices.require(serial)
        return serial
