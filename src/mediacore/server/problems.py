"""Errors on the wire: RFC 9457 problem documents, and the one table that says which error is which status.

Each document also carries ``success`` (false), ``code`` (a stable word), ``message``, ``timestamp``, ``path`` and
``method``. Codec mismatches add the lists ``offered`` and ``available``.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from mediacore import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
"""When to come back after a limit, a drain or an adb server that is being started again."""

STATUS_OF: Mapping[type[errors.MediacoreError], HTTPStatus] = {
    errors.MediacoreError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SetupError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.NoLocalAddressError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.AdbError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeviceError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeviceNotFoundError: HTTPStatus.NOT_FOUND,
    errors.DeviceTimeoutError: HTTPStatus.GATEWAY_TIMEOUT,
    errors.CommandError: HTTPStatus.BAD_GATEWAY,
    errors.CaptureError: HTTPStatus.BAD_GATEWAY,
    errors.BitstreamError: HTTPStatus.BAD_GATEWAY,
    errors.EncoderError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ViewerError: HTTPStatus.BAD_REQUEST,
    errors.SdpTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.NoCommonCodecError: HTTPStatus.NOT_ACCEPTABLE,
    errors.ConnectTimeoutError: HTTPStatus.GATEWAY_TIMEOUT,
    errors.SessionNotFoundError: HTTPStatus.NOT_FOUND,
    errors.NotGrantedError: HTTPStatus.FORBIDDEN,
    errors.LimitError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UnsupportedError: HTTPStatus.NOT_IMPLEMENTED,
}
"""Status of each error class; a class that is not listed has its nearest base's."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as the client will see it."""

    status: HTTPStatus
    """The HTTP status."""
    code: str
    """A stable word for programs."""
    detail: str
    """What was wrong and what to do, for people."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Additional response headers."""
    members: Mapping[str, object] = field(default_factory=dict)
    """Additional members of the document."""


class ProblemError(Exception):
    """A request that is refused by the HTTP side itself."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.problem = Problem(status, code, detail, headers or {})


def problem_of(error: errors.MediacoreError) -> Problem:
    """What a client is told of one of our errors."""
    status = next(STATUS_OF[base] for base in type(error).__mro__ if base in STATUS_OF)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    members: dict[str, object] = {}
    if isinstance(error, errors.NoCommonCodecError):
        members = {"offered": list(error.offered), "available": list(error.available)}
    return Problem(status, error.code, str(error), headers, members)


def response_of(problem: Problem, request: web.Request) -> web.Response:
    """The problem document (RFC 9457 section 3) with the project's own members."""
    document = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
        "instance": request.rel_url.raw_path,
        "success": False,
        "code": problem.code,
        "message": problem.detail,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "path": request.rel_url.raw_path,
        "method": request.method,
        **problem.members,
    }
    response = web.Response(
        status=problem.status, text=json.dumps(document), content_type=CONTENT_TYPE, headers=dict(problem.headers)
    )
    if problem.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
        response.force_close()  # the rest of the body is not waited for
    return response


def route_of(request: web.Request) -> str:
    """The route's pattern, for logs: the path itself may hold a session's secret."""
    resource = request.match_info.route.resource
    return "(no route)" if resource is None else resource.canonical


def _routing_problem(error: web.HTTPException, request: web.Request) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allow = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        detail = f"{request.method} is not possible here; allowed: {allow}"
        return Problem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", detail, {"Allow": allow})
    status = HTTPStatus(error.status)
    if status == HTTPStatus.NOT_FOUND:
        return Problem(status, "not_found", "there is nothing at this address")
    return Problem(status, status.phrase.lower().replace(" ", "_"), error.reason)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure of a request into its problem document; the outermost frame of each request."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        problem = _routing_problem(error, request)
    except ProblemError as error:
        problem = error.problem
    except errors.MediacoreError as error:
        problem = problem_of(error)
        level = logging.WARNING if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
        log.log(level, "%s %s refused: %s (%s)", request.method, route_of(request), problem.code, problem.detail)
    except Exception:
        log.exception("%s %s failed", request.method, route_of(request))
        problem = Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the service made a mistake; its log has the details"
        )
    return response_of(problem, request)
