"""WHEP, sessions and lists over HTTP."""

import asyncio
import logging
from urllib.parse import quote

import pytest

from mediacore.errors import AdbUnavailableError
from mediacore.media import CloseReason, Wanted


async def test_an_offer_is_answered(site) -> None:
    response = await site.offer(data="v=0\r\ns=offer\r\n")
    assert response.status == 201
    assert response.content_type == "application/sdp"
    assert (await response.text()).startswith("v=0")
    assert response.headers["Location"] == "/api/v1/sessions/canarysecret1"
    assert response.headers["ETag"] == '"public1-1"'
    assert "Link" not in response.headers
    assert site.engine.offers == ["v=0\r\ns=offer\r\n"]


@pytest.mark.parametrize("serial", ["127.0.0.1:5555", "file:demo", "odd/%2F serial"])
async def test_serials_are_percent_encoded(site, serial: str) -> None:
    response = await site.offer(quote(serial, safe=""))
    assert response.status == 201
    [session] = site.engine.sessions.values()
    assert session.serial == serial


async def test_a_viewer_says_what_it_wants(site) -> None:
    path = "/api/v1/devices/emulator-5554/whep"
    headers = {"Content-Type": "application/sdp"}
    for query in ("", "?token=x", "?codec=vp8,AV1&size=540x1200&fps=15", "?fps=7.5&x=1&x=2"):
        response = await site.request("POST", path + query, data="v=0\r\n", headers=headers)
        assert response.status == 201
    assert site.engine.wanted == [
        Wanted(),
        Wanted(),
        Wanted(("vp8", "av1"), (540, 1200), 15),
        Wanted(fps=7.5),
    ]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("codec=h265", ("codec", "'h265'", "h264, vp8, vp9, av1")),
        ("size=540x", ("size", "'540x'", "64 to 7680")),
        ("size=1x1", ("size", "(1, 1)", "64 to 7680")),
        ("fps=0.1", ("fps", "0.1", "1 to 60")),
        ("fps=", ("fps", "''", "1 to 60")),
        ("fps=1&fps=2", ("fps", "2 times", "once")),
    ],
)
async def test_a_wish_that_cannot_be_is_told_by_field_value_and_range(site, query: str, words: tuple[str, ...]) -> None:
    path = f"/api/v1/devices/emulator-5554/whep?{query}"
    response = await site.request("POST", path, data="v=0\r\n", headers={"Content-Type": "application/sdp"})
    assert response.status == 400
    problem = await response.json()
    assert problem["code"] == "wanted"
    assert all(word in problem["detail"] for word in words)
    assert site.engine.offers == []
    longer = await site.request("POST", path, data=b"v" * 65_537, headers={"Content-Type": "application/sdp"})
    assert longer.status == 413, "the body comes first"


async def test_a_session_ends_by_its_secret_alone(site) -> None:
    location = (await site.offer()).headers["Location"]
    [session] = site.engine.sessions.values()
    async with site.request("DELETE", f"/api/v1/sessions/{session.id}") as response:
        assert response.status == 404
    async with site.request("DELETE", location) as response:
        assert response.status == 200
    assert session.closed == CloseReason.REQUESTED
    async with site.request("DELETE", location) as response:
        assert response.status == 404
        assert (await response.json())["code"] == "session_not_found"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "application/sdp2", "application/trickle-ice-sdpfrag"]
)
async def test_other_content_types_are_refused(site, content_type: str) -> None:
    response = await site.offer(headers={"Content-Type": content_type})
    assert response.status == 415


async def test_a_missing_content_type_is_refused(site) -> None:
    response = await site.offer(headers={}, skip_auto_headers={"Content-Type"})
    assert response.status == 415


async def test_content_type_parameters_are_fine(site) -> None:
    assert (await site.offer(headers={"Content-Type": "application/sdp; charset=utf-8"})).status == 201


async def test_the_longest_offer_passes_and_one_byte_more_does_not(site) -> None:
    assert (await site.offer(data=b"v" * 65_536)).status == 201
    assert (await site.offer(data=b"v" * 65_537)).status == 413


async def test_a_long_body_without_a_length_is_cut_off(site) -> None:
    async def endless():  # type: ignore[no-untyped-def]
        for _ in range(20):
            yield b"v" * 8192

    response = await site.offer(data=endless())
    assert response.status == 413
    assert response.headers["Connection"] == "close"


@pytest.mark.parametrize("drip", [b"", b"v"], ids=["stalled", "dripping"])
async def test_a_body_that_does_not_come_ends_at_its_deadline(serve, drip: bytes) -> None:
    async with serve(body_timeout_s=0.2) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
        head = (
            "POST /api/v1/devices/emulator-5554/whep HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Type: application/sdp\r\nContent-Length: 1000\r\n\r\nv="
        )
        writer.write(head.encode())

        async def dripping() -> None:
            while True:
                writer.write(drip)
                await asyncio.sleep(0.05)  # a slow sender is what this is about

        dripper = asyncio.create_task(dripping())
        async with asyncio.timeout(5):
            answer = await reader.read()
        dripper.cancel()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"body_timeout" in answer
        assert site.engine.offers == []


async def test_a_body_that_breaks_off_leaves_nothing(site, caplog: pytest.LogCaptureFixture) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
    head = (
        "POST /api/v1/devices/emulator-5554/whep HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/sdp\r\nContent-Length: 1000\r\n\r\nv="
    )
    writer.write(head.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await site.offer()).status == 201
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_unknown_device_while_adb_is_down_is_no_404(site) -> None:
    site.engine.adb_error = AdbUnavailableError("no adb server answers")
    response = await site.offer("nonesuch")
    assert response.status == 503
    assert (await response.json())["code"] == "adb_unavailable"


async def test_lists_show_public_ids_alone(site) -> None:
    await site.offer()
    for path in ("/api/v1/sessions", "/api/v1/streams", "/api/v1/stats", "/api/v1/devices"):
        async with site.request("GET", path) as response:
            assert response.status == 200
            assert "canarysecret" not in await response.text()
    async with site.request("GET", "/api/v1/sessions") as response:
        assert [session["id"] for session in (await response.json())["sessions"]] == ["public1"]
    async with site.request("GET", "/api/v1/stats") as response:
        stats = await response.json()
        assert stats["sessions_total"] == 1
        assert stats["loop_lag_ms"] >= 0


async def test_the_devices_and_their_viewers(site) -> None:
    await site.offer("file%3Ademo")
    async with site.request("GET", "/api/v1/devices") as response:
        devices = (await response.json())["devices"]
    assert devices[0] == {
        "serial": "emulator-5554",
        "name": "Pixel",
        "model": "Pixel",
        "state": "device",
        "size": [1080, 2400],
        "streaming": False,
        "viewers": 0,
    }
    assert devices[1]["size"] is None
    assert devices[2]["viewers"] == 1
    assert devices[3]["state"] == "offline"


async def test_nothing_secret_is_logged(site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        response = await site.offer(data="v=0\r\na=ice-ufrag:canaryufrag\r\na=ice-pwd:canarypwd\r\n")
        location = response.headers["Location"]
        async with site.request("DELETE", location):
            pass
        async with site.request("DELETE", location):
            pass
        async with site.request("PUT", location):
            pass
    assert "public1" in caplog.text
    assert "canary" not in caplog.text
