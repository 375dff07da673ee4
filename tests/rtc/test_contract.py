"""The names of aiortc and aioice that are relied on, and that nothing but our own instances is changed."""

import asyncio
import importlib.metadata
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import aioice
import aioice.ice
import aiortc
import pytest
from aiortc import RTCConfiguration, RTCIceGatherer, RTCPeerConnection, VideoStreamTrack, rtcsctptransport
from aiortc.codecs import CODECS, HEADER_EXTENSIONS

from mediacore.errors import DependencyMismatchError
from mediacore.rtc import contract


@pytest.fixture
def fresh() -> Iterator[None]:
    """The check forgets that it has run."""
    contract._check_once.cache_clear()
    yield
    contract._check_once.cache_clear()


async def test_the_installed_libraries_are_the_ones_we_know(fresh: None) -> None:
    contract.check()


@pytest.mark.parametrize("version", ["1.15.2", "1.17.0", "2.0", "1.160"])
async def test_another_release_is_refused_by_name(fresh: None, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    stock = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version if name == "aiortc" else stock(name))
    with pytest.raises(DependencyMismatchError, match=rf"aiortc 1\.16\.x .*installed are aiortc {version} "):
        contract.check()


async def test_a_missing_name_is_found(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(aioice.Connection, "check_incoming")
    with pytest.raises(DependencyMismatchError, match=r"Connection\.check_incoming"):
        contract.check()


async def test_a_part_that_cannot_be_made_is_reported(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiortc.RTCIceGatherer, "__init__", lambda self: None)
    with pytest.raises(DependencyMismatchError, match="iceServers"):
        contract.check()


async def test_only_listed_names_can_be_replaced() -> None:
    with pytest.raises(LookupError):
        contract.override(RTCIceGatherer(iceServers=[]), "gather", lambda stock: stock)


def shape() -> dict[str, Any]:
    """What a change of the libraries would show in."""
    classes = {
        # __slotnames__ is copyreg's cache
        f"{kind.__module__}.{kind.__qualname__}": {k: v for k, v in vars(kind).items() if k != "__slotnames__"}
        for module in (aioice, aioice.ice, aiortc, rtcsctptransport)
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__.startswith(("aiortc", "aioice"))
    }
    constants = {
        f"{module.__name__}.{name}": value
        for module in (aioice.ice, rtcsctptransport, aiortc.rtp, aiortc.codecs.h264, aiortc.rtcdtlstransport)
        for name, value in vars(module).items()
        if name.isupper()
    }
    return classes | constants | {"codecs": repr(CODECS), "extensions": repr(HEADER_EXTENSIONS)}


async def test_an_ordinary_peer_connection_behaves_as_without_us(
    connect: Callable[..., AbstractAsyncContextManager[Any]],
) -> None:
    if not any(host for host in aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)):
        pytest.skip("aioice uses no loopback address, and this machine has no other")
    before = shape()
    async with connect() as both:
        both.play()
        await both.client.wait_frames(2)
        first, second = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
        first.addTrack(VideoStreamTrack())
        received = asyncio.get_running_loop().create_future()
        second.on("track", lambda track: received.done() or received.set_result(track))
        await first.setLocalDescription(await first.createOffer())
        await second.setRemoteDescription(first.localDescription)
        await second.setLocalDescription(await second.createAnswer())
        await first.setRemoteDescription(second.localDescription)
        offered = first.localDescription.sdp
        assert [line for line in offered.splitlines() if "H264" in line]
        assert "64001f" not in offered
        frame = await asyncio.wait_for((await asyncio.wait_for(received, 5)).recv(), 10)
        assert (frame.width, frame.height) == (640, 480)
        await asyncio.gather(first.close(), second.close())
    assert shape() == before
