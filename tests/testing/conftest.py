"""A real adb server, and one of each adb program on this machine."""

from collections.abc import Iterator

import pytest
from real_adb import Adb, private_server, programs


@pytest.fixture(scope="session")
def adb() -> Iterator[Adb]:
    """A real adb server."""
    with private_server(next(iter(programs().values()))) as adb:
        yield adb


@pytest.fixture(scope="session", params=programs())
def each_adb(request: pytest.FixtureRequest) -> Iterator[Adb]:
    """A real adb server of each program on this machine in turn."""
    with private_server(programs()[request.param]) as adb:
        yield adb
