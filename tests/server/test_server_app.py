"""Coming up and going down."""

import asyncio
import socket

import pytest

from mediacore.errors import SettingsError
from mediacore.media import CloseReason
from mediacore.server.app import Server
from mediacore.server.settings import ServerSettings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_only_loopback_addresses_are_listened_on(host: str) -> None:
    with pytest.raises(SettingsError, match="loopback"):
        ServerSettings(host=host)


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_ports(port: int) -> None:
    with pytest.raises(SettingsError, match="port"):
        ServerSettings(port=port)


async def test_a_port_that_is_taken_is_told_in_words(site) -> None:
    before = asyncio.all_tasks()
    with pytest.raises(SettingsError, match=f"port {site.server.port}.*--port"):
        async with Server(site.engine, ServerSettings(port=site.server.port)):
            pass
    assert asyncio.all_tasks() == before


async def test_ipv6_addresses_have_brackets(serve) -> None:
    async with serve(host="::1") as site:
        assert site.server.url == f"http://[::1]:{site.server.port}"
        async with site.request("GET", "/livez") as response:
            assert response.status == 200


async def test_going_down_refuses_new_viewers_and_tells_the_others(serve) -> None:
    """Unready first, then sessions are closed, while HTTP still answers; at the end the port is closed."""
    draining = asyncio.Event()
    finish = asyncio.Event()
    seen: dict[str, object] = {}
    async with serve() as site:
        drain = site.engine.drain

        async def slow_drain(deadline_s: float) -> None:
            draining.set()
            await finish.wait()
            await drain(deadline_s)

        site.engine.drain = slow_drain
        await site.offer()
        [session] = site.engine.sessions.values()

        async def look() -> None:
            await draining.wait()
            async with site.request("GET", "/readyz") as response:
                seen["ready"] = response.status
            async with site.request("GET", "/livez") as response:
                seen["alive"] = response.status
            response = await site.offer()
            seen["offer"] = response.status, response.headers["Retry-After"], (await response.json())["code"]
            await site.client.close()
            finish.set()

        looking = asyncio.create_task(look())
        await site.server.__aexit__(None, None, None)
        await looking
    assert seen == {"ready": 503, "alive": 200, "offer": (503, "2", "draining")}
    assert session.closed == CloseReason.DRAIN
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", site.server.port)) != 0
