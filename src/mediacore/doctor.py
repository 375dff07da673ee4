"""What ``mediacore doctor`` looks at: whether this machine and this installation have what is needed.

Each check gives a finding; the worst one is the exit code: 0 all is well, 1 something is limited (the finding says what
still works), 2 nothing can be served.
"""

from __future__ import annotations

import asyncio
import enum
import importlib
import importlib.metadata
import platform
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediacore.adb.client import AdbClient
from mediacore.adb.server import AdbServer, find_program
from mediacore.errors import AdbError, DependencyMismatchError, NoLocalAddressError
from mediacore.rtc import contract
from mediacore.rtc.port import host_addresses

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mediacore.settings import AdbSettings

PYTHON = (3, 11)
LIBRARIES = ("aiortc", "aioice", "av", "numpy", "adbutils", "aiohttp")
NATIVE_MODULES = ("mediacore.h264", "mediacore.picture", "mediacore.ring", "mediacore.rtp", "mediacore.sessions")
TIMEOUT_S = 10.0


class Health(enum.IntEnum):
    """How bad a finding is; its value is the exit code."""

    GOOD = 0
    LIMITED = 1
    BROKEN = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    """What was looked at."""
    health: Health
    """How bad it is."""
    words: str
    """What was found, and what to do about it."""


async def examine(settings: AdbSettings) -> list[Finding]:
    """All checks, in the order in which things are needed. Nothing is started; each check has a deadline."""
    checks: list[tuple[str, Callable[[], Awaitable[Finding]]]] = [
        ("Python", _python),
        ("libraries", _libraries),
        ("native modules", _native),
        ("addresses", _addresses),
        ("adb program", lambda: _adb_program(settings)),
        ("adb server", lambda: _adb_server(settings)),
    ]
    findings = []
    for name, check in checks:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                findings.append(await check())
        except TimeoutError:
            findings.append(Finding(name, Health.LIMITED, f"no answer within {TIMEOUT_S:g} s"))
    return findings


async def _python() -> Finding:
    found = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    if sys.version_info < PYTHON or sys.platform != "linux":
        return Finding("Python", Health.BROKEN, f"{found}; needed: {'.'.join(map(str, PYTHON))} or newer on Linux")
    return Finding("Python", Health.GOOD, found)


async def _libraries() -> Finding:
    missing = []
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        words = f"{', '.join(missing)} not installed: pip install 'mediacore[server]'"
        return Finding("libraries", Health.BROKEN, words)
    try:
        contract.check()
    except DependencyMismatchError as error:
        return Finding("libraries", Health.BROKEN, str(error))
    return Finding("libraries", Health.GOOD, ", ".join(found))


async def _native() -> Finding:
    for name in NATIVE_MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            words = f"{name} cannot be loaded ({error}): build the package again with pip install"
            return Finding("native modules", Health.BROKEN, words)
    return Finding("native modules", Health.GOOD, ", ".join(NATIVE_MODULES))


async def _addresses() -> Finding:
    try:
        addresses = host_addresses()
    except NoLocalAddressError as error:
        return Finding("addresses", Health.BROKEN, str(error))
    return Finding("addresses", Health.GOOD, f"viewers can reach {', '.join(addresses)}")


async def _adb_program(settings: AdbSettings) -> Finding:
    try:
        return Finding("adb program", Health.GOOD, await find_program(settings.program))
    except AdbError as error:
        return Finding("adb program", Health.LIMITED, f"{error}. Without it only recordings can be played")


async def _adb_server(settings: AdbSettings) -> Finding:
    server = AdbServer.of(settings)
    where = f"{server.host}:{server.port}"
    if not await server.listens():
        return Finding("adb server", Health.GOOD, f"none runs at {where}; it is started when it is needed")
    try:
        async with AdbClient(settings) as client:
            version = await client.version()
            devices = await client.devices()
    except AdbError as error:
        return Finding("adb server", Health.LIMITED, str(error))
    unusable = [f"{device.serial} is {device.state}" for device in devices if device.state != "device"]
    words = f"version {version} at {where}, {len(devices)} devices"
    if unusable:
        return Finding("adb server", Health.LIMITED, f"{words}; {', '.join(unusable)}")
    return Finding("adb server", Health.GOOD, words)
