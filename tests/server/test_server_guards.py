"""Host, Origin and the order of the checks."""

import pytest

from mediacore.server.settings import is_loopback

HOSTS = [
    ("127.0.0.1:{port}", 200),
    ("127.8.9.1", 200),
    ("localhost", 200),
    ("LocalHost:{port}", 200),
    ("localhost.:{port}", 200),
    ("[::1]:{port}", 200),
    ("evil.example:{port}", 403),
    ("127.0.0.1.evil.example", 403),
    ("localhost.evil.example", 403),
    ("192.168.1.2:{port}", 403),
    ("0.0.0.0", 403),
    ("[::]", 403),
    ("[::ffff:8.8.8.8]", 403),
    ("127.0.0.1:notaport", 403),
    ("user@127.0.0.1", 403),
    ("::1", 403),
    ("2130706433", 403),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
async def test_only_names_of_this_machine_are_served(site, host: str, status: int) -> None:
    for path in ("/", "/api/v1/devices", "/livez"):
        async with site.request("GET", path, headers={"Host": host.format(port=site.server.port)}) as response:
            assert response.status == status
            if status == 403:
                assert (await response.json())["code"] == "host_not_allowed"


async def test_a_foreign_host_hides_even_what_does_not_exist(site) -> None:
    async with site.request("GET", "/nothing", headers={"Host": "evil.example"}) as response:
        assert response.status == 403


ORIGINS = [
    ({}, 201),
    ({"Origin": "{own}"}, 201),
    ({"Origin": "{own}", "Sec-Fetch-Site": "same-origin"}, 201),
    ({"Sec-Fetch-Site": "none"}, 201),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Origin": "http://localhost:{port}"}, 403),
    ({"Origin": "https://127.0.0.1:{port}"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ({"Origin": "{own}", "Sec-Fetch-Site": "cross-site"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), ORIGINS)
async def test_state_changes_need_our_own_origin(site, headers: dict[str, str], status: int) -> None:
    sent = {name: value.format(own=site.server.url, port=site.server.port) for name, value in headers.items()}
    response = await site.offer(headers={"Content-Type": "application/sdp", **sent})
    assert response.status == status
    assert len(site.engine.offers) == (status == 201)


async def test_a_link_from_elsewhere_may_be_followed_but_not_embedded(site) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with site.request("GET", "/", headers=headers) as response:
        assert response.status == 200
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    async with site.request("GET", "/api/v1/devices/emulator-5554/screenshot", headers=headers) as response:
        assert response.status == 403


async def test_a_foreign_origin_may_not_end_a_session(site) -> None:
    location = (await site.offer()).headers["Location"]
    async with site.request("DELETE", location, headers={"Origin": "http://evil.example"}) as response:
        assert response.status == 403
    assert len(site.engine.sessions) == 1


async def test_checks_come_in_their_fixed_order(site) -> None:
    """Host and Origin 403, device 404, content type 415, size 413, SDP 400: the first that fails answers."""
    bad = {"Host": "evil.example", "Origin": "http://evil.example", "Content-Type": "text/plain"}
    huge = b"x" * 70_000
    statuses = []
    response = await site.offer("nonesuch", headers=bad, data=huge)
    statuses.append((response.status, (await response.json())["code"]))
    del bad["Host"]
    response = await site.offer("nonesuch", headers=bad, data=huge)
    statuses.append((response.status, (await response.json())["code"]))
    del bad["Origin"]
    response = await site.offer("nonesuch", headers=bad, data=huge)
    statuses.append((response.status, (await response.json())["code"]))
    response = await site.offer(headers=bad, data=huge)
    statuses.append((response.status, (await response.json())["code"]))
    response = await site.offer(data=huge)
    statuses.append((response.status, (await response.json())["code"]))
    response = await site.offer(data=b"\xff")
    statuses.append((response.status, (await response.json())["code"]))
    assert statuses == [
        (403, "host_not_allowed"),
        (403, "origin_not_allowed"),
        (404, "device_not_found"),
        (415, "content_type"),
        (413, "sdp_too_large"),
        (400, "sdp"),
    ]
    assert site.engine.offers == []


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", True), ("127.255.0.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("", False)],
)
def test_what_counts_as_loopback(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer
