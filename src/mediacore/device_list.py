"""The devices that can be watched: what the adb server lists, recordings played as devices, and what is published.

Policy: a consumer of changes that does not keep up gets the newest state of each device, not every step towards it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import weakref
from typing import TYPE_CHECKING

from mediacore.adb.shell import PersistentShell
from mediacore.capture.display import read_display
from mediacore.errors import AdbError, DeviceError, DeviceNotFoundError, DeviceOfflineError, DeviceUnauthorizedError
from mediacore.media import Change, Device, DeviceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mediacore.adb.client import AdbClient
    from mediacore.adb.devices import AdbDevice

log = logging.getLogger(__name__)

RECORDING_PREFIX = "file:"
PUBLISHED_PREFIX = "publish:"
_STATES = {
    "device": DeviceState.DEVICE,
    "unauthorized": DeviceState.UNAUTHORIZED,
    "authorizing": DeviceState.CONNECTING,
    "connecting": DeviceState.CONNECTING,
}
"""adb's words; every other one (recovery, bootloader, no permissions, …) means that it cannot be streamed."""


def recording_serials(paths: Iterable[Path]) -> dict[str, Path]:
    """``file:STEM`` for each path; the second recording of an equal stem is ``file:STEM-2``, and so on."""
    serials: dict[str, Path] = {}
    for path in paths:
        serial, n = f"{RECORDING_PREFIX}{path.stem}", 1
        while serial in serials:
            n += 1
            serial = f"{RECORDING_PREFIX}{path.stem}-{n}"
        serials[serial] = path
    return serials


class _Changes:
    """One consumer's view of the changes: at most one pending change per device."""

    def __init__(self) -> None:
        self._pending: dict[str, Change] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def push(self, change: Change) -> None:
        self._pending.pop(change.device.serial, None)
        self._pending[change.device.serial] = change
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> _Changes:
        return self

    async def __anext__(self) -> Change:
        while not self._pending:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._pending.pop(next(iter(self._pending)))


class DeviceList:
    """``list()`` now; ``async for change in devices`` afterwards. adb is first used by ``refresh`` or by iterating."""

    def __init__(self, adb: AdbClient | None, recordings: dict[str, Path]) -> None:
        self._adb = adb
        self._devices = {
            serial: Device(serial, path.name, "recording", DeviceState.DEVICE) for serial, path in recordings.items()
        }
        self._ours = set(recordings)  # those that adb knows nothing of
        self._consumers: weakref.WeakSet[_Changes] = weakref.WeakSet()
        self._watch: asyncio.Task[None] | None = None
        self._sizing: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def list(self) -> list[Device]:
        """The devices known now, in the order in which they appeared."""
        return list(self._devices.values())

    async def refresh(self) -> Sequence[Device]:
        """Ask the adb server now, starting it if needed. Raises ``AdbError`` if there is none to be had."""
        if self._adb is not None:
            await self._adb.start()
            self._take(await self._adb.devices())
            self._begin_watching()
        return self.list()

    async def require(self, serial: str) -> Device:
        """The device of this serial if it can be streamed; otherwise the ``DeviceError`` that says why not."""
        device = self._devices.get(serial)
        if device is None or device.state is not DeviceState.DEVICE:
            await self.refresh()
            device = self._devices.get(serial)
        if device is None:
            known = ", ".join(sorted(self._devices)) or "none"
            raise DeviceNotFoundError(serial, f"there is no such device; there are: {known}")
        if device.state is DeviceState.UNAUTHORIZED:
            raise DeviceUnauthorizedError(serial, "accept this machine's key on the device's screen, then try again")
        if device.state is not DeviceState.DEVICE:
            raise DeviceOfflineError(
                serial, f"its state is {device.state}: check the cable or the network, or restart adbd on it"
            )
        return device

    def add(self, device: Device) -> None:
        """List one that adb knows nothing of, until ``remove``."""
        self._ours.add(device.serial)
        self._put(device)

    def remove(self, serial: str) -> None:
        """Take back what ``add`` listed."""
        self._ours.discard(serial)
        gone = self._devices.pop(serial, None)
        if gone is not None:
            self._tell(Change("removed", dataclasses.replace(gone, state=DeviceState.OFFLINE)))

    async def close(self) -> None:
        """Stop watching; iterations end."""
        self._closed = True
        tasks = [task for task in (self._watch, *self._sizing.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for consumer in list(self._consumers):
            consumer.close()

    def __aiter__(self) -> _Changes:
        changes = _Changes()
        self._consumers.add(changes)
        self._begin_watching()
        if self._closed:
            changes.close()
        return changes

    # ------------------------------------------------------------------------------------

    def _begin_watching(self) -> None:
        if self._adb is not None and not self._closed and (self._watch is None or self._watch.done()):
            self._watch = asyncio.create_task(self._follow(self._adb))

    async def _follow(self, adb: AdbClient) -> None:
        try:
            async for listed in adb.watch():
                self._take(listed)
        except AdbError as error:
            log.warning("devices are not watched any more: %s", error)
            self._take([])

    def _take(self, listed: Sequence[AdbDevice]) -> None:
        seen = {device.serial: device for device in listed}
        for serial in [s for s in self._devices if s not in seen and s not in self._ours]:
            gone = self._devices.pop(serial)
            self._tell(Change("removed", dataclasses.replace(gone, state=DeviceState.OFFLINE)))
        for serial, found in seen.items():
            model = found.model.replace("_", " ")
            known = self._devices.get(serial)
            self._put(
                Device(
                    serial,
                    model or serial,
                    model,
                    _STATES.get(found.state, DeviceState.OFFLINE),
                    known.size if known is not None else None,
                )
            )

    def _put(self, device: Device) -> None:
        known = self._devices.get(device.serial)
        if device == known:
            return
        self._devices[device.serial] = device
        self._tell(Change("added" if known is None else "changed", device))
        if device.state is DeviceState.DEVICE and device.size is None and device.serial not in self._ours:
            self._find_size(device.serial)

    def _tell(self, change: Change) -> None:
        for consumer in list(self._consumers):
            consumer.push(change)

    def _find_size(self, serial: str) -> None:
        if self._adb is not None and not self._closed and serial not in self._sizing:
            task = asyncio.create_task(self._read_size(self._adb, serial))
            self._sizing[serial] = task
            task.add_done_callback(lambda _: self._sizing.pop(serial, None))

    async def _read_size(self, adb: AdbClient, serial: str) -> None:
        shell = PersistentShell(adb, serial)
        try:
            display = await read_display(shell, serial)
            if serial in self._devices:
                self._put(dataclasses.replace(self._devices[serial], size=display.size))
        except (DeviceError, AdbError) as error:
            log.info("the size of %s is not known: %s", serial, error)
        finally:
            await shell.close()
