"""A stand-in engine, for what a real one cannot be made to do at will: every kind of error, sessions without media."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from mediacore.errors import DeviceNotFoundError, MediacoreError
from mediacore.media import CloseReason, Device, DeviceState, EngineStats, QueueStats, SessionStats, Wanted
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings

ANSWER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n"
DEVICES = [
    Device("emulator-5554", "Pixel", "Pixel", DeviceState.DEVICE, (1080, 2400)),
    Device("127.0.0.1:5555", "SimPhone", "SimPhone", DeviceState.DEVICE),
    Device("file:demo", "demo", "", DeviceState.DEVICE, (640, 360)),
    Device("odd/%2F serial", "odd", "", DeviceState.OFFLINE),
]


@dataclass
class StubSession:
    id: str
    secret: str
    serial: str
    on_closed: Callable[["StubSession"], None]
    answer: str = ANSWER
    closed: CloseReason | None = None

    async def close(self, reason: CloseReason = CloseReason.REQUESTED) -> None:
        self.closed = reason
        self.on_closed(self)


@dataclass
class StubEngine:
    """Answers every offer; ``refusal`` is raised instead, where it is set."""

    devices: Any = None
    sessions: dict[str, StubSession] = field(default_factory=dict)
    offers: list[str] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    refusal: MediacoreError | None = None
    adb_error: MediacoreError | None = None
    ready: bool = True
    drained: float | None = None
    picture: Callable[[str], Any] | None = None
    settings: Any = field(default_factory=lambda: SimpleNamespace(use_adb=True))
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.devices = SimpleNamespace(list=lambda: list(DEVICES), refresh=self._refresh, require=self._require)

    async def _refresh(self) -> list[Device]:
        if self.adb_error is not None:
            raise self.adb_error
        return list(DEVICES)

    async def _require(self, serial: str) -> Device:
        await self._refresh()
        for device in DEVICES:
            if device.serial == serial:
                return device
        raise DeviceNotFoundError(serial, "there is no such device")

    async def connect(self, serial: str, offer_sdp: str, *, wanted: Wanted) -> StubSession:
        if self.refusal is not None:
            raise self.refusal
        self.wanted.append(wanted)
        self.offers.append(offer_sdp)
        number = next(self.numbers)
        session = StubSession(f"public{number}", f"canarysecret{number}", serial, self._closed)
        self.sessions[session.secret] = session
        return session

    def _closed(self, session: StubSession) -> None:
        self.sessions.pop(session.secret, None)

    def session(self, secret: str) -> StubSession | None:
        return self.sessions.get(secret)

    async def screenshot(self, serial: str) -> tuple[bytes, str]:
        if self.refusal is not None:
            raise self.refusal
        if self.picture is not None:
            await self.picture(serial)
        return b"\x89PNG" + serial.encode(), "image/png"

    async def drain(self, deadline_s: float) -> None:
        self.drained = deadline_s
        for session in list(self.sessions.values()):
            await session.close(CloseReason.DRAIN)

    def stats(self) -> EngineStats:
        sessions = tuple(
            SessionStats(s.id, s.serial, "live", 1.0, 2.0, 3.0, QueueStats(), 4, 5, 6, None)
            for s in self.sessions.values()
        )
        return EngineStats((), sessions, len(sessions), 0)


@dataclass
class Site:
    """A running server, its engine, and a client whose requests go there."""

    server: Server
    engine: StubEngine
    client: aiohttp.ClientSession

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        from yarl import URL

        return self.client.request(method, URL(self.server.url + path, encoded=True), **arguments)

    async def offer(self, serial: str = "emulator-5554", **arguments: Any) -> aiohttp.ClientResponse:
        arguments.setdefault("data", "v=0\r\n")
        arguments.setdefault("headers", {"Content-Type": "application/sdp"})
        return await self.request("POST", f"/api/v1/devices/{serial}/whep", **arguments)


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[Site]]:
    """Starts a server on a free port: ``async with serve(body_timeout_s=0.1) as site``."""

    @asynccontextmanager
    async def start(engine: StubEngine | None = None, **settings: Any) -> AsyncIterator[Site]:
        engine = engine or StubEngine()
        server = Server(engine, ServerSettings(port=0, **settings))  # type: ignore[arg-type]
        async with server, aiohttp.ClientSession() as client:
            yield Site(server, engine, client)
        await asyncio.sleep(0)

    return start


@pytest.fixture
async def site(serve: Callable[..., AbstractAsyncContextManager[Site]]) -> AsyncIterator[Site]:
    """A server with default settings."""
    async with serve() as running:
        yield running
