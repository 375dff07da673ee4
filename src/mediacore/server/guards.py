"""What a request must pass before its route sees it: Host, Origin, content type, size and time of its body.

The port listens without sign-in, so two things keep foreign web pages away from the devices: only ``Host`` names that
mean this machine are served (a page that rebinds its DNS name to 127.0.0.1 still sends its own name), and a request
that a browser marks as coming from another origin is refused.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from mediacore.errors import SdpTooLargeError
from mediacore.server.problems import ProblemError
from mediacore.server.settings import is_loopback

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/@\s]+))(?::(?P<port>[0-9]{1,5}))?")
"""``Host`` (RFC 9110 section 7.2): a bracketed IPv6 address or a name, and perhaps a port."""


def check_host(request: web.Request) -> None:
    """Refuse any ``Host`` but one that means this machine; raises ``ProblemError`` (403)."""
    hosts = request.headers.getall("Host", [])
    match = HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if match is None or not is_loopback(match["v6"] or match["name"]):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "host_not_allowed",
            "this service answers only to 127.0.0.1, [::1] and localhost: open it under one of these names",
        )


def check_origin(request: web.Request) -> None:
    """Refuse what a browser says comes from another site's page; raises ``ProblemError`` (403).

    Programs send neither ``Origin`` nor ``Sec-Fetch-Site`` and pass. A link that leads here from elsewhere may be
    followed (a GET navigation); everything else needs our own origin.
    """
    origins = request.headers.getall("Origin", [])
    own = f"{request.scheme}://{request.headers.get('Host', '')}".lower()
    foreign = any(origin.lower() != own for origin in origins)
    if not foreign:
        site = request.headers.get("Sec-Fetch-Site", "none")
        followed_link = request.method in {"GET", "HEAD"} and request.headers.get("Sec-Fetch-Mode") == "navigate"
        foreign = site not in {"same-origin", "none"} and not followed_link
    if foreign:
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "origin_not_allowed", "only this service's own page may send this request"
        )


@web.middleware
async def guards(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Host and Origin, before anything else is looked at."""
    check_host(request)
    check_origin(request)
    return await handler(request)


@web.middleware
async def options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer OPTIONS on every route with what is allowed there."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        if request.method != "OPTIONS":
            raise
        headers = {"Allow": ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))}
        if "POST" in error.allowed_methods:
            headers["Accept-Post"] = "application/sdp"
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=headers)


def require_content_type(request: web.Request, wanted: str) -> None:
    """Refuse a body of another type; raises ``ProblemError`` (415)."""
    if "Content-Type" not in request.headers or request.content_type != wanted:
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content_type", f"the body must be sent with Content-Type: {wanted}"
        )


async def read_sdp(request: web.Request, *, max_bytes: int, timeout_s: float) -> str:
    """The body as text, read within its own deadline and limit.

    Raises ``SdpTooLargeError`` (413) and ``ProblemError`` (400 for bytes that are not UTF-8 or a body that ends early,
    408 past the deadline).
    """
    too_large = SdpTooLargeError(f"the offer is longer than {max_bytes} bytes")
    if (request.content_length or 0) > max_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > max_bytes:
                    raise too_large
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT, "body_timeout", f"the body was not here within {timeout_s:g} s"
        ) from None
    except (web.RequestPayloadError, ConnectionError):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "body_incomplete", "the body ended before its length") from None
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "sdp", f"the offer is not UTF-8 at byte {error.start}") from None
