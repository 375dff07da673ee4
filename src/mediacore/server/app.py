"""The server as a whole: wires the routes, opens the port last, and closes in order.

Shutting down: not ready any more → viewers told and sessions closed → streams ended (``Engine.drain``) → HTTP closed.
What the server was given (the engine, devices) is closed by whoever opened it.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Self

from aiohttp import web

from mediacore.errors import SettingsError
from mediacore.server.devices import DeviceRoutes
from mediacore.server.guards import guards, options
from mediacore.server.health import HealthRoutes, LoopLag, Readiness
from mediacore.server.page import PageRoutes, strict_headers
from mediacore.server.problems import problems
from mediacore.server.screenshots import Screenshots
from mediacore.server.sessions import SessionRoutes

if TYPE_CHECKING:
    from types import TracebackType

    from mediacore.engine import Engine
    from mediacore.server.settings import ServerSettings

log = logging.getLogger(__name__)

LINGER_S = 1.0
"""How long an unread body is drained after its answer."""
CONNECTIONS_CLOSE_S = 1.0
"""What requests under way get when HTTP closes."""


class Server:
    """HTTP in front of an engine that is already open. Async context manager: entered, it listens."""

    def __init__(self, engine: Engine, settings: ServerSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._draining = False
        self._port = 0
        self._stack = contextlib.AsyncExitStack()

    @property
    def port(self) -> int:
        """The TCP port that is listened on; 0 before."""
        return self._port

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host = self._settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            lag = LoopLag()
            await stack.enter_async_context(lag.measuring())
            screenshots = Screenshots(self._engine, self._settings.screenshot_timeout_s)
            stack.push_async_callback(screenshots.close)
            app = self._app(lag, screenshots)
            runner = web.AppRunner(
                app,
                access_log=None,
                handle_signals=False,
                lingering_time=LINGER_S,
                shutdown_timeout=CONNECTIONS_CLOSE_S,
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.SockSite(runner, self._bind())
            await site.start()
            stack.push_async_callback(self._drain)
            self._stack = stack.pop_all()
        log.info("listening on %s", self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _drain(self) -> None:
        self._draining = True
        log.info("shutting down: no new viewers, closing sessions")
        await self._engine.drain(self._settings.shutdown_s)

    def _is_draining(self) -> bool:
        return self._draining

    def _app(self, lag: LoopLag, screenshots: Screenshots) -> web.Application:
        app = web.Application(middlewares=[problems, guards, options], client_max_size=self._settings.max_sdp_bytes)
        app.on_response_prepare.append(strict_headers)
        for routes in (
            PageRoutes(),
            DeviceRoutes(
                self._engine,
                screenshots,
                draining=self._is_draining,
                max_sdp_bytes=self._settings.max_sdp_bytes,
                body_timeout_s=self._settings.body_timeout_s,
            ),
            SessionRoutes(self._engine, lambda: lag.last_s),
            HealthRoutes(lag, Readiness(self._engine, self._is_draining)),
        ):
            routes.add_to(app.router)
        return app

    def _bind(self) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            listener.close()
            raise SettingsError(
                f"cannot listen on {host} port {port}: {error.strerror}. "
                "Choose another port with --port, or 0 for any free one"
            ) from None
        self._port = listener.getsockname()[1]
        return listener
