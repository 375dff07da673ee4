"""Simulated Android devices for tests of your own services.

A device is a process that speaks adbd's protocol over TCP, so everything between it and your code is real: ``adb
connect`` it, and record it, photograph it, type on it. What it shows is known: each picture carries its frame number
and the time it was drawn (``mediacore.testing.barcode``), and a touch leaves a red dot.

    async with SimulatedDevice(size=(720, 1280), scene="scroll") as device:
        ...                                           # adb connect device.address
        await device.touch(360, 640)
        [event] = await device.wait_for_inputs(1)
        await device.offline()                        # the cable is pulled
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any, Literal, Self

from mediacore.errors import SettingsError
from mediacore.testing.device_process import DeviceProcess
from mediacore.testing.input_command import InputEvent
from mediacore.testing.options import DeviceOptions, Scene
from mediacore.testing.simulate import MAX_DEVICES

if TYPE_CHECKING:
    from types import TracebackType

    from mediacore.testing.faults import Spoil

REQUEST_TIMEOUT_S = 5.0


class SimulatedDevice:
    """One simulated device, in a process of its own unless it is part of a ``SimulatedFleet``.

    Args:
        options: what it is like; without, ``changes`` to the default.
        changes: fields of ``DeviceOptions``, such as ``size=(1080, 1920)``, ``fps=60``, ``scene="static"``.

    Use it with ``async with``, with plain ``with``, or by ``start`` and ``stop``. Its methods are coroutines; programs
    without an event loop use ``call``. All of them raise ``SimulationError`` (``mediacore.testing.device_process``)
    when the process is gone or refuses, and TimeoutError when it does not answer within 5 s.

    Raises:
        SettingsError: an option is outside its limits.
    """

    def __init__(self, options: DeviceOptions | None = None, **changes: Any) -> None:
        self.options = _options(options, changes)
        self._process: DeviceProcess | None = None
        self._index = 0
        self._owner = True

    @classmethod
    def of_fleet(cls, options: DeviceOptions, process: DeviceProcess, index: int) -> Self:
        """One of several devices of a process that somebody else starts and stops."""
        device = cls(options)
        device._process, device._index, device._owner = process, index, False
        return device

    # -- life

    def start(self) -> None:
        """Starts the process; blocks until adb can connect, about half a second.

        Raises:
            SimulationError: it did not start; the message has its standard error.
        """
        if self._process is None:
            process = DeviceProcess(self.options, 1)
            process.start()
            self._process = process

    def stop(self) -> None:
        """Ends the process. Stopping twice does nothing."""
        process, self._process = self._process, None
        if process is not None and self._owner:
            process.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    @property
    def port(self) -> int:
        """TCP port of its adbd."""
        return self._running.ports[self._index]

    @property
    def address(self) -> str:
        """``HOST:PORT`` for ``adb connect``; also its serial there."""
        return f"{self.options.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Id of its process."""
        return self._running.pid

    @property
    def _running(self) -> DeviceProcess:
        if self._process is None:
            raise SettingsError("the simulated device is not started: use it with 'async with', or call start()")
        return self._process

    # -- asking it

    def call(self, method: str, /, deadline_s: float = REQUEST_TIMEOUT_S, **args: Any) -> Any:
        """The blocking form of the requests below: ``device.call("touch", x=1, y=2)``.

        The names and arguments are those of ``mediacore.testing.control.PhoneControl``.
        """
        return self._running.request(method, self._index, args).result(deadline_s)

    async def _ask(self, method: str, /, deadline_s: float = REQUEST_TIMEOUT_S, **args: Any) -> Any:
        async with asyncio.timeout(deadline_s):
            return await asyncio.wrap_future(self._running.request(method, self._index, args))

    async def inputs(self) -> list[InputEvent]:
        """What was done to it: the last 10 000 events, the oldest first."""
        return await self.wait_for_inputs(0)

    async def wait_for_inputs(self, count: int, timeout_s: float = 5.0) -> list[InputEvent]:
        """The same, once there are ``count`` events since the start (or ``clear_inputs``) or the time is up."""
        found = await self._ask("inputs", timeout_s + REQUEST_TIMEOUT_S, count=count, timeout_s=timeout_s)
        return [InputEvent(event["time_us"], event["kind"], tuple(event["args"])) for event in found]

    async def clear_inputs(self) -> None:
        """Forgets the events."""
        await self._ask("clear_inputs")

    async def wait_for_recordings(self, count: int, timeout_s: float = 5.0) -> int:
        """How many ``screenrecord`` run, once they are ``count`` or the time is up.

        On a static screen a recording gets only what changes after it has begun: wait for it, then touch.
        """
        wait = self._ask("recordings", timeout_s + REQUEST_TIMEOUT_S, count=count, timeout_s=timeout_s)
        return int(await wait)

    async def stats(self) -> dict[str, int]:
        """Counts since the start.

        ``frame_number`` (of the last one drawn), ``frames_sent``, ``frames_dropped`` (by recordings that were behind),
        ``screencaps`` (times that the program was run), ``inputs``, ``rotation`` (degrees) and ``port``.
        """
        result: dict[str, int] = await self._ask("stats")
        return result

    # -- using it

    async def touch(
        self,
        x: float,
        y: float,
        action: Literal["tap", "down", "move", "up", "cancel"] = "tap",
        pointer: int = 0,
    ) -> None:
        """A finger at display pixels (x, y), as the display is held now; ``tap`` is down and up.

        Recorded as ``touch``. The dot is in the next frame, and stays until the next finger comes down.
        """
        await self._ask("touch", x=x, y=y, action=action, pointer=pointer)

    async def rotate(self, degrees: int) -> None:
        """Turns the display to 0, 90, 180 or 270 degrees from its natural way; 90 and 270 swap its sides."""
        await self._ask("rotate", degrees=degrees)

    async def show(self, scene: Scene) -> None:
        """Switches to another scene. A recording that plays a loop goes on with it."""
        await self._ask("show", scene=scene)

    # -- faults

    async def stall(self, seconds: float) -> None:
        """No picture leaves the device for so long; frames that are drawn meanwhile are dropped. 0 ends it."""
        await self._ask("stall", seconds=seconds)

    async def cut(self, *, unplug: bool = False) -> None:
        """The next access unit of one recording breaks off in its middle and its stream is closed.

        ``unplug``: the whole device goes ``offline`` there, as when a cable is pulled.
        """
        await self._ask("cut", unplug=unplug)

    async def slow(self, pause_ms: float) -> None:
        """From now on each access unit pauses in its middle for ``pause_ms``; 0 ends it."""
        await self._ask("pause", pause_ms=pause_ms)

    async def spoil(
        self, kind: Spoil, count: int = 1, program: Literal["screencap", "screenrecord"] = "screencap"
    ) -> None:
        """Something is wrong with the next ``count`` shots of ``screencap``, or raw frames of ``screenrecord``.

        ``half``: they end in their middle. ``words``: a warning stands before them. ``resized``: their headers tell of
        twice the height that they have. ``cut``: the stream is closed in their middle.
        """
        await self._ask("spoil", kind=kind, count=count, program=program)

    async def freeze(self) -> None:
        """The picture stops changing, whatever happens."""
        await self._ask("freeze", frozen=True)

    async def unfreeze(self) -> None:
        """The picture goes on."""
        await self._ask("freeze", frozen=False)

    async def offline(self) -> None:
        """Drops the connections to adb servers and refuses new ones."""
        await self._ask("offline")

    async def online(self) -> None:
        """Listens again, on the same port; adb finds it within some seconds by itself, or at ``adb connect``."""
        await self._ask("online")

    async def unauthorize(self) -> None:
        """Drops the connections to adb servers; from then on they see it as ``unauthorized``."""
        await self._ask("authorize", authorized=False)

    async def authorize(self) -> None:
        """Somebody has accepted the key: adb servers that wait get in."""
        await self._ask("authorize", authorized=True)


class SimulatedFleet:
    """Many simulated devices in one process: ``async with SimulatedFleet(50, encode="loop") as fleet: fleet.devices``.

    Args:
        count: how many, 1 to 200.
        options: what each is like; serial numbers, and the port if one is given, count up.
        changes: fields of ``DeviceOptions`` that differ from it.

    Raises:
        SettingsError: an option is outside its limits.
    """

    def __init__(self, count: int, options: DeviceOptions | None = None, **changes: Any) -> None:
        if not 1 <= count <= MAX_DEVICES:
            raise SettingsError(f"count is {count}, it must be between 1 and {MAX_DEVICES}")
        self.options = _options(options, changes)
        self._count = count
        self._process: DeviceProcess | None = None
        self.devices: tuple[SimulatedDevice, ...] = ()
        """The devices, once started."""

    def start(self) -> None:
        """Starts the process; blocks until adb can connect to all devices.

        Raises:
            SimulationError: it did not start; the message has its standard error.
        """
        if self._process is not None:
            return
        process = DeviceProcess(self.options, self._count)
        process.start()
        self._process = process
        self.devices = tuple(SimulatedDevice.of_fleet(self.options, process, index) for index in range(self._count))

    def stop(self) -> None:
        """Ends the process. Stopping twice does nothing."""
        process, self._process = self._process, None
        for device in self.devices:
            device.stop()
        if process is not None:
            process.stop()

    @property
    def addresses(self) -> tuple[str, ...]:
        """``HOST:PORT`` of each device."""
        return tuple(device.address for device in self.devices)

    @property
    def pid(self) -> int:
        """Id of the process; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def _options(options: DeviceOptions | None, changes: dict[str, Any]) -> DeviceOptions:
    try:
        return dataclasses.replace(options or DeviceOptions(), **changes)
    except TypeError as error:
        raise SettingsError(f"there is no such option of a simulated device: {error}") from None
