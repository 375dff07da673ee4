"""The two adb programs that the tests run against, and simulated devices for them."""

import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import adbutils
import hypothesis
import pytest

from mediacore.adb.client import AdbClient
from mediacore.settings import AdbSettings
from mediacore.testing import SimulatedDevice

# Property tests are not timed: the machine may be busy with something else.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

BUNDLED = Path(adbutils.__file__).parent / "binaries" / "adb"


@pytest.fixture(params=["system", "bundled"])
def program(request: pytest.FixtureRequest) -> str:
    """Path of an adb program: the system's (adb 29 on Debian 12) and that of adbutils (adb 36)."""
    found = shutil.which("adb") if request.param == "system" else str(BUNDLED)
    if found is None:
        pytest.skip("this machine has no adb program of its own")
    return found


@pytest.fixture(scope="session")
def device() -> Iterator[SimulatedDevice]:
    """A device that all tests share; none changes it."""
    with SimulatedDevice(size=(128, 256), scene="static") as shared:
        yield shared


@pytest.fixture(scope="session")
def old_device() -> Iterator[SimulatedDevice]:
    """A device without shell_v2, as before Android 7."""
    with SimulatedDevice(size=(128, 256), scene="static", sdk=23, features=()) as shared:
        yield shared


@pytest.fixture
async def client(program: str) -> AsyncIterator[AdbClient]:
    """A client with a private server, no device connected."""
    async with AdbClient(AdbSettings(private=True, program=program)) as started:
        yield started


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives ports that nobody listened on a moment ago."""

    def pick() -> int:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return int(sock.getsockname()[1])

    return pick
