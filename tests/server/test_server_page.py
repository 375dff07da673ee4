"""The page's files and the headers around them."""

import re
from importlib import resources

import pytest

STATIC = resources.files("mediacore.server") / "static"


async def test_the_page_is_strict(site) -> None:
    async with site.request("GET", "/") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "aiohttp" not in response.headers["Server"]


async def test_data_is_neither_cached_nor_embedded(site) -> None:
    for path in ("/api/v1/devices", "/api/v1/devices/emulator-5554/screenshot", "/nothing"):
        async with site.request("GET", path) as response:
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_every_file_that_is_named_is_served(site) -> None:
    named = set()
    for file in STATIC.iterdir():
        text = file.read_text()
        named |= set(re.findall(r"/static/([\w.-]+)", text))
        named |= set(re.findall(r'from "\./([\w.-]+)"', text))
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), file
    assert "app.js" in named
    for name in named:
        async with site.request("GET", f"/static/{name}") as response:
            assert response.status == 200, name


async def test_a_file_that_is_known_is_not_sent_again(site) -> None:
    async with site.request("GET", "/static/app.js") as response:
        assert response.content_type == "text/javascript"
        etag = response.headers["ETag"]
        assert response.headers["Cache-Control"] == "no-cache"
    async with site.request("GET", "/static/app.js", headers={"If-None-Match": etag}) as response:
        assert response.status == 304


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/../app.py",
        "/static/app.py",
        "/static/",
        "/static/%00",
        "/static/app.js%00.css",
        "/static/..%5capp.py",
        "/static//etc/passwd",
    ],
)
async def test_no_path_leads_elsewhere(site, path: str) -> None:
    async with site.request("GET", path) as response:
        assert response.status in {400, 404}
        assert "import" not in await response.text()
