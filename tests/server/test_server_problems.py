"""Each error's status, and the shape of problem documents."""

import inspect
import logging
from datetime import datetime

import pytest

from mediacore import errors
from mediacore.server.problems import STATUS_OF, problem_of

SERIAL = "emulator-5554"
CASES = [
    (errors.DeviceNotFoundError(SERIAL, "gone"), 404),
    (errors.SessionNotFoundError("none"), 404),
    (errors.SdpError("bad"), 400),
    (errors.SdpTooLargeError("long"), 413),
    (errors.WantedError("fps is 0"), 400),
    (errors.EncoderError("libx264 is not there"), 503),
    (errors.NoCommonCodecError(("VP8",), ("H264 42e01f",)), 406),
    (errors.DeviceOfflineError(SERIAL, "off"), 503),
    (errors.DeviceUnauthorizedError(SERIAL, "accept"), 503),
    (errors.DeviceDisconnectedError(SERIAL, "left"), 503),
    (errors.DeviceTimeoutError(SERIAL, "slow"), 504),
    (errors.CaptureError(SERIAL, "no picture"), 502),
    (errors.AdbNotFoundError("no adb"), 503),
    (errors.AdbUnavailableError("no server"), 503),
    (errors.NotGrantedError("no"), 403),
    (errors.LimitError("full"), 503),
    (errors.ConnectTimeoutError("late"), 504),
    (errors.UnsupportedError("cannot"), 501),
    (errors.NoLocalAddressError("no address"), 503),
    (errors.MediacoreError("?"), 500),
]


@pytest.mark.parametrize(("error", "status"), CASES, ids=lambda case: getattr(case, "code", case))
async def test_errors_become_problem_documents(site, error: errors.MediacoreError, status: int) -> None:
    site.engine.refusal = error
    response = await site.offer()
    assert response.status == status
    assert response.content_type == "application/problem+json"
    problem = await response.json()
    assert problem["status"] == status
    assert problem["detail"] == problem["message"] == str(error)
    assert problem["code"] == error.code
    assert problem["success"] is False
    assert problem["path"] == problem["instance"] == "/api/v1/devices/emulator-5554/whep"
    assert problem["method"] == "POST"
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert datetime.fromisoformat(problem["timestamp"]).tzinfo is not None
    assert ("Retry-After" in response.headers) == (status == 503)


async def test_a_codec_mismatch_names_both_lists(site) -> None:
    site.engine.refusal = errors.NoCommonCodecError(("VP8", "VP9"), ("H264 42e01f",))
    problem = await (await site.offer()).json()
    assert problem["offered"] == ["VP8", "VP9"]
    assert problem["available"] == ["H264 42e01f"]


def test_every_error_class_has_a_status() -> None:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.MediacoreError):
            assert any(base in STATUS_OF for base in kind.__mro__), kind


def test_the_nearest_base_decides() -> None:
    class NewDeviceError(errors.DeviceNotFoundError):
        pass

    assert problem_of(NewDeviceError(SERIAL, "x")).status == 404


async def test_a_bug_is_logged_and_told_without_its_details(site, caplog: pytest.LogCaptureFixture) -> None:
    site.engine.refusal = ZeroDivisionError("inner detail")
    with caplog.at_level(logging.ERROR):
        response = await site.offer()
    assert response.status == 500
    assert "inner detail" not in await response.text()
    assert "inner detail" in caplog.text


async def test_what_is_not_there_and_what_is_not_possible(site) -> None:
    async with site.request("GET", "/nothing") as response:
        assert response.status == 404
        assert (await response.json())["code"] == "not_found"
    for method in ("GET", "HEAD", "PUT", "PATCH"):
        async with site.request(method, "/api/v1/devices/emulator-5554/whep") as response:
            assert response.status == 405
            assert response.headers["Allow"] == "OPTIONS, POST"
    async with site.request("OPTIONS", "/api/v1/devices/emulator-5554/whep") as response:
        assert response.status == 204
        assert response.headers["Allow"] == "OPTIONS, POST"
        assert response.headers["Accept-Post"] == "application/sdp"
        assert "Access-Control-Allow-Origin" not in response.headers
    async with site.request("OPTIONS", "/nothing") as response:
        assert response.status == 404
