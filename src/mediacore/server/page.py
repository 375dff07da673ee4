"""The viewer page and its files, and the headers that keep a browser strict with everything we send.

The files are read once when the server starts; only those names exist, so no path can lead anywhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

CONTENT_TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
PAGE_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
"""Content Security Policy of the page: everything from here, nothing inline, in nobody's frame."""
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""The policy of answers that are no pages."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of the page."""

    body: bytes
    """Its bytes."""
    content_type: str
    """Its media type."""
    etag: str
    """A digest of its bytes."""


def load_files(folder: Traversable) -> dict[str, StaticFile]:
    """The folder's files by name; those of unknown types are left out."""
    files: dict[str, StaticFile] = {}
    for entry in folder.iterdir():
        content_type = CONTENT_TYPES.get("." + entry.name.rpartition(".")[2])
        if content_type is not None and entry.is_file():
            body = entry.read_bytes()
            files[entry.name] = StaticFile(body, content_type, hashlib.sha256(body).hexdigest()[:16])
    return files


class PageRoutes:
    """``/`` and ``/static/NAME``."""

    def __init__(self) -> None:
        self._files = load_files(resources.files(__package__) / "static")

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Register the routes."""
        router.add_get("/", self.page)
        router.add_get("/static/{name}", self.static)

    async def page(self, request: web.Request) -> web.Response:
        """The viewer page."""
        return self._answer(request, "index.html", PAGE_POLICY)

    async def static(self, request: web.Request) -> web.Response:
        """One of its files."""
        return self._answer(request, request.match_info["name"], DATA_POLICY)

    def _answer(self, request: web.Request, name: str, policy: str) -> web.Response:
        file = self._files.get(name)
        if file is None:
            raise web.HTTPNotFound
        # "no-cache" lets a browser keep the file but ask each time: after an update no old module meets a new one.
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache", "ETag": f'"{file.etag}"'}
        if any(tag.value == file.etag for tag in request.if_none_match or ()):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(body=file.body, content_type=file.content_type, charset="utf-8", headers=headers)


async def strict_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add to every response what makes a browser take it literally and tell nobody."""
    del request
    response.headers.setdefault("Content-Security-Policy", DATA_POLICY)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Server"] = "mediacore"
