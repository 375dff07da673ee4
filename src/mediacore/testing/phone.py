"""One simulated device inside its process: it listens as adbd, and owns the display, files and settings."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import deque
from typing import TYPE_CHECKING

from mediacore.testing.adb_transport import AdbConnection, TransportOptions
from mediacore.testing.commands import PROGRAMS
from mediacore.testing.faults import MediaLink, Spoils
from mediacore.testing.input_command import InputEvent
from mediacore.testing.screen import Display
from mediacore.testing.shell import Shell
from mediacore.testing.shell_service import shell_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mediacore.testing.adb_transport import Service
    from mediacore.testing.options import DeviceOptions
    from mediacore.testing.shared_pictures import SharedPictures

MAX_INPUTS = 10_000
"""Events that are remembered; the oldest are forgotten."""
RELEASES = {
    21: "5.0",
    24: "7.0",
    26: "8.0",
    28: "9",
    29: "10",
    30: "11",
    31: "12",
    33: "13",
    34: "14",
    35: "15",
    36: "16",
}


class Phone:
    """A simulated device on the running event loop.

    Args:
        options: what it is like.
        pictures: what it shares with the other devices of its process.
    """

    def __init__(self, options: DeviceOptions, pictures: SharedPictures) -> None:
        self.options = options
        self.pictures = pictures
        self.display = Display(options.size, options.fps, options.scene, options.rotation_period_s, pictures)
        self.link = MediaLink(self.offline)
        self.spoils = {"screencap": Spoils(), "screenrecord": Spoils()}
        """What shall go wrong with their pictures, by program."""
        self.files: dict[str, bytes] = {}
        self.settings = {"system accelerometer_rotation": "1", "system user_rotation": "0"}
        self.abstract_sockets: dict[str, Service] = {}
        """What listens on ``localabstract:NAME``, by name; anything else is refused."""
        self.unfrozen = asyncio.Event()
        """Cleared while the picture must not change."""
        self.unfrozen.set()
        self.inputs: deque[InputEvent] = deque(maxlen=MAX_INPUTS)
        self.inputs_total = 0
        self.frames_sent = 0
        self.frames_dropped = 0
        self.screencaps = 0
        """How often ``screencap`` was run."""
        self.port = 0
        """The port it listens on; 0 before ``start``."""
        self._authorized = options.authorized
        self._server: asyncio.Server | None = None
        self._connections: set[AdbConnection] = set()
        self._drawing: asyncio.Task[None] | None = None
        self._recorded = asyncio.Event()
        self.recordings = 0
        """How many ``screenrecord`` run."""
        self._recordings_changed = asyncio.Event()
        self._programs = {name: functools.partial(program, self) for name, program in PROGRAMS.items()}

    # -- life

    async def start(self) -> None:
        """Listens and begins to draw.

        Raises:
            OSError: the port is taken.
        """
        await self._listen(self.options.port)
        self._drawing = asyncio.create_task(self.display.run(), name="display")

    async def close(self) -> None:
        """Drops all connections, stops listening and waits until nothing of it is left."""
        connections = tuple(self._connections)
        self.offline()
        for connection in connections:
            await connection.wait_closed()
        if self._drawing is not None:
            self._drawing.cancel()
            await asyncio.wait((self._drawing,))

    async def _listen(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self.options.host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _connection(self) -> AdbConnection:
        options = TransportOptions(
            banner=self._banner(),
            version=self.options.protocol_version,
            max_payload=self.options.max_payload,
            delayed_ack="delayed_ack" in self.options.features,
            link_bps=self.options.link_bps,
        )
        connection = AdbConnection(
            options,
            authorized=lambda: self._authorized,
            find_service=self._find_service,
            on_closed=self._connections.discard,
        )
        self._connections.add(connection)
        return connection

    def _banner(self) -> bytes:
        model = self.options.model
        return (
            f"device::ro.product.name=sim;ro.product.model={model};ro.product.device=sim0;"
            f"features={','.join(self.options.features)}"
        ).encode()

    def _find_service(self, name: str) -> Service | None:
        kind, _, rest = name.partition(":")
        if kind == "localabstract":
            return self.abstract_sockets.get(rest)
        return shell_service(self.new_shell, name)

    def new_shell(self) -> Shell:
        """A shell on the device."""
        return Shell(self._programs, self.files)

    def properties(self) -> dict[str, str]:
        """What ``getprop`` knows."""
        sdk = self.options.sdk
        return {
            "ro.build.version.release": RELEASES.get(sdk, str(sdk - 20)),
            "ro.build.version.sdk": str(sdk),
            "ro.product.device": "sim0",
            "ro.product.manufacturer": "mediacore",
            "ro.product.model": self.options.model,
            "ro.product.name": "sim",
            "ro.serialno": self.options.serial,
            "sys.boot_completed": "1",
        }

    # -- what happens to it

    def record(self, event: InputEvent) -> None:
        """Remembers an event."""
        self.inputs.append(event)
        self.inputs_total += 1
        self._recorded.set()

    async def wait_for_inputs(self, count: int) -> None:
        """Returns when ``count`` events have come since the start."""
        while self.inputs_total < count:
            self._recorded.clear()
            await self._recorded.wait()

    def touch(self, action: str, x: float, y: float, pointer: int = 0) -> None:
        """A finger on the screen: ``down``, ``move``, ``up`` or ``cancel`` at display pixels (x, y)."""
        if action != "cancel":
            self.display.touch(pointer, x, y, down=action == "down")

    def touch_by_hand(self, action: str, x: float, y: float, pointer: int) -> None:
        """A touch that no program on the device made; recorded as ``touch``."""
        self.record(InputEvent(time.time_ns() // 1000, "touch", (action, f"{x:g}", f"{y:g}", str(pointer))))
        if action == "tap":
            self.touch("down", x, y, pointer)
            self.touch("up", x, y, pointer)
        else:
            self.touch(action, x, y, pointer)

    async def rotate(self, rotation: int) -> None:
        """Turns the display to ``rotation`` quarter turns and locks it there."""
        self.settings["system accelerometer_rotation"] = "0"
        self.settings["system user_rotation"] = str(rotation % 4)
        await self.display.rotate(rotation)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """The block is a recording that gets what is drawn from now on."""
        self.recordings += 1
        self._recordings_changed.set()
        try:
            yield
        finally:
            self.recordings -= 1
            self._recordings_changed.set()

    async def wait_for_recordings(self, count: int) -> None:
        """Returns when exactly ``count`` recordings run."""
        while self.recordings != count:
            self._recordings_changed.clear()
            await self._recordings_changed.wait()

    def count_frame(self) -> None:
        """One more access unit has left."""
        self.frames_sent += 1

    def count_dropped(self, count: int) -> None:
        """Frames that a recording never sent, because it was behind."""
        self.frames_dropped += count

    # -- faults

    def freeze(self, *, frozen: bool) -> None:
        """The picture stops changing, or goes on."""
        self.display.freeze(frozen=frozen)
        if frozen:
            self.unfrozen.clear()
        else:
            self.unfrozen.set()

    def offline(self) -> None:
        """Drops every adb connection and refuses new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()

    def drop(self) -> None:
        """Drops every adb connection; new ones are accepted."""
        for connection in tuple(self._connections):
            connection.abort()

    async def online(self) -> None:
        """Listens again, on the same port."""
        if self._server is None:
            await self._listen(self.port)

    def authorize(self, *, authorized: bool) -> None:
        """Accepts adb servers that wait, or (False) drops all and accepts nobody any more."""
        self._authorized = authorized
        if not authorized:
            self.drop()
            return
        for connection in tuple(self._connections):
            connection.authorize()
