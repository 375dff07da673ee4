"""The routes in front of a real engine that plays a recording: real SDP, real sessions, real figures."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest
from aiortc import RTCPeerConnection, RTCRtpReceiver

from mediacore import Engine, EngineSettings, StreamSettings
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings
from mediacore.testing.viewer import BuiltInViewer

WHEP = "/api/v1/devices/file%3Amoving/whep"


async def until(done: Callable[[], bool]) -> None:
    """Waits until something that happens in callbacks of the loop is done."""
    for _ in range(500):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not done within 5 s")


class Service:
    """A server in front of a real engine, and a client."""

    def __init__(self, server: Server, engine: Engine, client: aiohttp.ClientSession) -> None:
        self.server = server
        self.engine = engine
        self.client = client
        self.whep = server.url + WHEP

    async def json(self, path: str) -> dict[str, object]:
        """What GET gives."""
        async with self.client.get(urljoin(self.server.url, path)) as response:
            assert response.status == 200
            return dict(await response.json())

    async def offer(self, sdp: str) -> tuple[int, dict[str, object]]:
        """Status and problem document of an offer that is refused."""
        headers = {"Content-Type": "application/sdp"}
        async with self.client.post(self.whep, data=sdp, headers=headers) as response:
            return response.status, json.loads(await response.text())


@pytest.fixture
async def service(recordings: Callable[..., Path]) -> AsyncIterator[Service]:
    """Plays ``file:moving``."""
    settings = EngineSettings(recordings=(str(recordings("moving.h264")),), use_adb=False)
    async with (
        Engine(settings) as engine,
        Server(engine, ServerSettings(port=0)) as server,
        aiohttp.ClientSession() as client,
    ):
        yield Service(server, engine, client)


async def offer_of(*codecs: str) -> str:
    """An offer that takes these video codecs alone."""
    connection = RTCPeerConnection()
    try:
        transceiver = connection.addTransceiver("video", direction="recvonly")
        capabilities = RTCRtpReceiver.getCapabilities("video").codecs
        transceiver.setCodecPreferences([codec for codec in capabilities if codec.mimeType in codecs])
        return (await connection.createOffer()).sdp
    finally:
        await connection.close()


async def test_a_viewer_comes_and_goes(service: Service) -> None:
    async with BuiltInViewer(service.whep) as viewer:
        await viewer.wait_frames(10)
        [session] = (await service.json("/api/v1/sessions"))["sessions"]  # type: ignore[misc]
        assert session["serial"] == "file:moving"
        assert session["state"] == "live"
        [stream] = (await service.json("/api/v1/streams"))["streams"]  # type: ignore[misc]
        assert stream["source"] == "recording"
        assert stream["description"]["width"] == 160
        stats = await service.json("/api/v1/stats")
        assert len(stats["sessions"]) == len(stats["streams"]) == 1  # type: ignore[arg-type]
        [device] = (await service.json("/api/v1/devices"))["devices"]  # type: ignore[misc]
        assert device["size"] == [160, 128]
        assert device["streaming"] is True
        assert device["viewers"] == 1
        held = service.engine.session(next(s.secret for _, _, s in service.engine._sessions.snapshot()))
        assert held is not None
        assert held.secret not in json.dumps(await service.json("/api/v1/stats"))
    async with asyncio.timeout(5):
        await held.wait_closed()
    assert (await service.json("/api/v1/sessions"))["sessions"] == []


@pytest.mark.parametrize(
    "sdp", ["", "hello", "v=0\r\n", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "\0" * 100, "v=0\n" * 9000]
)
async def test_malformed_offers(service: Service, sdp: str) -> None:
    status, problem = await service.offer(sdp)
    assert status == 400
    assert problem["code"] == "sdp"
    assert service.engine.stats().sessions == ()


async def test_an_offer_without_a_common_codec(recordings: Callable[..., Path]) -> None:
    settings = EngineSettings(
        recordings=(str(recordings("moving.h264")),), use_adb=False, stream=StreamSettings(transcode_codecs=("vp9",))
    )
    async with (
        Engine(settings) as engine,
        Server(engine, ServerSettings(port=0)) as server,
        aiohttp.ClientSession() as client,
    ):
        headers = {"Content-Type": "application/sdp"}
        async with client.post(server.url + WHEP, data=await offer_of("video/VP8"), headers=headers) as response:
            assert response.status == 406
            problem = await response.json()
        assert "vp8" in json.dumps(problem["offered"]).lower()
        available = json.dumps(problem["available"]).lower()
        assert "h264" in available
        assert "vp9" in available
        assert engine.stats().sessions == ()


async def test_an_offer_without_h264_gets_another_codec(service: Service) -> None:
    headers = {"Content-Type": "application/sdp"}
    offer = await offer_of("video/VP8")
    async with service.client.post(service.whep, data=offer, headers=headers) as response:
        assert response.status == 201
    (stream,) = service.engine.stats().streams
    assert [rendition.codec for rendition in stream.renditions] == ["vp8"]


async def test_the_wall_picture_of_a_recording(service: Service) -> None:
    async with service.client.get(service.whep.replace("whep", "screenshot")) as response:
        assert response.status == 200
        assert response.content_type in {"image/jpeg", "image/png"}
        assert len(await response.read()) > 500


async def test_more_viewers_than_allowed(recordings: Callable[..., Path]) -> None:
    settings = EngineSettings(recordings=(str(recordings("moving.h264")),), use_adb=False, max_sessions=1)
    async with (
        Engine(settings) as engine,
        Server(engine, ServerSettings(port=0)) as server,
        BuiltInViewer(server.url + WHEP) as viewer,
        aiohttp.ClientSession() as client,
    ):
        await viewer.wait_frames(1)
        headers = {"Content-Type": "application/sdp"}
        async with client.post(server.url + WHEP, data=await offer_of("video/H264"), headers=headers) as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "2"
            assert (await response.json())["code"] == "limit"


async def test_nothing_is_left_when_the_server_goes(recordings: Callable[..., Path]) -> None:
    """Tasks are counted here; descriptors and threads of whole sessions are counted with the engine."""
    before = asyncio.all_tasks()
    settings = EngineSettings(recordings=(str(recordings("moving.h264")),), use_adb=False)
    async with Engine(settings) as engine:
        async with Server(engine, ServerSettings(port=0)) as server:
            viewer = BuiltInViewer(server.url + WHEP)
            await viewer.__aenter__()
            await viewer.wait_frames(3)
        assert engine.stats().sessions == ()
        told = {"v": 1, "type": "closing", "reason": "drain"}
        await until(lambda: told in viewer.events)
        await viewer.close()
    await until(lambda: len(asyncio.all_tasks()) <= len(before))
