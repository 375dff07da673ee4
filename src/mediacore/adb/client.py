"""The client of one adb server: devices, and services of devices.

Every call has a deadline: ``timeout_s``, or the settings' ``request_timeout_s``. A server that is gone is started again
by the next call (if the settings allow to start one), and network devices are connected to it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random as _random
from typing import TYPE_CHECKING, Self

from mediacore.adb.backoff import Backoff
from mediacore.adb.devices import AdbDevice, parse_devices
from mediacore.adb.server import AdbServer
from mediacore.adb.shell import ShellResult, run_once
from mediacore.adb.stream import AdbStream, dial
from mediacore.adb.watch import watch_devices
from mediacore.adb.wire import parse_length
from mediacore.errors import (
    AdbError,
    AdbUnavailableError,
    CommandError,
    DeviceOfflineError,
    DeviceTimeoutError,
    DeviceUnauthorizedError,
    MediacoreError,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from types import TracebackType

    from mediacore.settings import AdbSettings

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
MAX_OUTPUT_BYTES = 64 << 20
"""A raw picture of an 8K display has 132 MB; nothing that this client fetches whole comes near 64 MiB."""
STALE_PAUSE_S = 0.05
RESTART_PAUSE_S = 1.0
"""After a failed attempt to start a server, calls fail at once for this long instead of trying again each."""


class AdbClient:
    """Talks to one adb server; an async context manager. Bound to the asyncio loop that it is started on."""

    def __init__(self, settings: AdbSettings, *, random: Callable[[], float] = _random.random) -> None:
        self._settings = settings
        self._server = AdbServer.of(settings)
        self._random = random
        self._starting = asyncio.Lock()
        self._started = False
        self._addresses = set(settings.connect)
        self._reconnecting: set[asyncio.Task[None]] = set()
        self._failed_start: tuple[float, AdbError] | None = None

    @property
    def host(self) -> str:
        """Where the server listens."""
        return self._server.host

    @property
    def port(self) -> int:
        """The server's TCP port. A private server has one of its own choice, from ``start`` on."""
        return self._server.port

    @property
    def server_pid(self) -> int | None:
        """Process id of a private server that runs, else None."""
        return self._server.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Make sure that a server answers, and connect the network devices of the settings. May be repeated.

        Raises ``AdbUnavailableError`` or ``AdbNotFoundError``. A network device that does not answer is only logged.
        """
        async with self._starting:
            if self._started:
                return
            if not await self._server.listens():
                if not (self._settings.start or self._settings.private):
                    raise AdbUnavailableError(
                        f"no adb server answers at {self.host}:{self.port}; start one with "
                        f"`adb -P {self.port} start-server`, or allow it to be started (adb.start)"
                    )
                await self._server.start()
            self._started = True
        await self._connect_all()

    async def close(self) -> None:
        """Stop what this client started: its tasks and a private server. Streams belong to those who opened them."""
        self._started = False
        for task in self._reconnecting:
            task.cancel()
        await asyncio.gather(*self._reconnecting, return_exceptions=True)
        await self._server.stop()

    # ------------------------------------------------------------------------------------ the server

    async def version(self) -> int:
        """The server's protocol version (41 for all current ones)."""
        return parse_length((await self._query("host:version")).encode())

    async def devices(self) -> list[AdbDevice]:
        """The devices that the server knows now, in any state."""
        return parse_devices(await self._query("host:devices-l"))

    def watch(self) -> AsyncGenerator[list[AdbDevice], None]:
        """The devices now, then again at each change, without end (``host:track-devices-l``).

        A server that dies or hangs gives one empty list; the watch goes on with the next server, which is started if
        the settings allow it, after pauses that grow from 0.1 s to 5 s. Close the iterator to free its connection.
        """
        return watch_devices(self, Backoff(random=self._random))

    async def connect(self, address: str) -> None:
        """Connect a network device, ``HOST:PORT``; it is connected again whenever the server had to be restarted.

        Raises ``DeviceOfflineError`` if nothing answers there, ``DeviceUnauthorizedError``, ``DeviceTimeoutError``.
        """
        async with self._deadline(address, "connect", None):
            answer = await self._query(f"host:connect:{address}", serial=address)
            while answer.startswith("already connected") and await self._is_stale(address):
                # After a restart of the device, adb 29 keeps the dead connection and calls it connected. It needs a
                # moment to let go of it, without telling when.
                with contextlib.suppress(AdbError):
                    await self._query(f"host:disconnect:{address}")
                await asyncio.sleep(STALE_PAUSE_S)
                answer = await self._query(f"host:connect:{address}", serial=address)
        if answer.startswith("failed to authenticate"):
            self._addresses.add(address)  # the server keeps the connection until somebody accepts the key
            raise DeviceUnauthorizedError(
                address, "not authorized: unlock the device and accept this computer's key on its screen"
            )
        if not answer.startswith(("connected to", "already connected")):
            raise DeviceOfflineError(
                address, f"{answer or 'no answer'}; is the device on, and its adb over network enabled?"
            )
        self._addresses.add(address)

    async def disconnect(self, address: str) -> None:
        """Let go of a network device. One that is not connected is no error."""
        self._addresses.discard(address)
        try:
            await self._query(f"host:disconnect:{address}")
        except AdbUnavailableError:
            raise
        except AdbError as error:
            log.debug("disconnect %s: %s", address, error)

    # ------------------------------------------------------------------------------------ one device

    async def features(self, serial: str) -> frozenset[str]:
        """What the device's adbd can do, such as ``shell_v2``."""
        text = await self._query(f"host-serial:{serial}:features", serial=serial)
        return frozenset(filter(None, text.strip().split(",")))

    async def open(self, serial: str, service: str, *, timeout_s: float | None = None) -> AdbStream:
        """A stream to a service of the device, such as ``exec:screencap`` or ``localabstract:name``.

        The deadline is for the handshake only. Raises the ``DeviceError`` for the device's state;
        ``DeviceDisconnectedError`` if it refuses the service.
        """
        async with self._deadline(serial, service, timeout_s):
            stream = await self._dial()
            try:
                await stream.request(f"host:transport:{serial}", serial=serial)
                stream.serial = serial
                await stream.request(service, serial=serial)
            except BaseException:
                await stream.close()
                raise
        return stream

    async def open_socket(self, serial: str, service: str, *, timeout_s: float | None = None) -> socket.socket:
        """As ``open``, but the bare socket after the handshake: non-blocking, TCP_NODELAY, TCP_QUICKACK armed.

        It belongs to the caller, who arms TCP_QUICKACK again after each read: the kernel clears it.
        """
        return (await self.open(serial, service, timeout_s=timeout_s)).detach()

    async def shell(self, serial: str, command: str, *, timeout_s: float | None = None) -> ShellResult:
        """Run a command and wait for its end; the deadline covers all of it.

        Devices without the feature ``shell_v2`` (before Android 7) merge stderr into stdout.
        Output above 64 MiB raises ``CommandError``. A device process per command: for many use ``PersistentShell``.
        """
        async with self._deadline(serial, command, timeout_s):
            return await run_once(self, serial, command, max_bytes=MAX_OUTPUT_BYTES)

    async def exec_out(
        self, serial: str, command: str, *, timeout_s: float | None = None, max_bytes: int = MAX_OUTPUT_BYTES
    ) -> bytes:
        """All that a command writes, as raw bytes with stderr in between; the deadline covers all of it.

        Raises ``CommandError`` if it is more than ``max_bytes``.
        """
        async with self._deadline(serial, command, timeout_s), await self.open(serial, f"exec:{command}") as stream:
            parts: list[bytes] = []
            size = 0
            while data := await stream.read(READ_BYTES):
                size += len(data)
                if size > max_bytes:
                    raise CommandError(serial, f"{command!r} writes more than {max_bytes} bytes")
                parts.append(data)
            return b"".join(parts)

    # ------------------------------------------------------------------------------------ inside

    async def host_stream(self, service: str, *, serial: str | None = None) -> AdbStream:
        """A connection after the server has accepted a request to itself; ``serial`` is the device it is about."""
        async with self._deadline(serial, service, None):
            stream = await self._dial()
            try:
                await stream.request(service, serial=serial)
            except BaseException:
                await stream.close()
                raise
        return stream

    async def _query(self, service: str, *, serial: str | None = None) -> str:
        async with self._deadline(serial, service, None), await self.host_stream(service, serial=serial) as stream:
            return (await stream.read_block()).decode(errors="replace")

    @contextlib.asynccontextmanager
    async def _deadline(self, serial: str | None, what: str, timeout_s: float | None) -> AsyncIterator[None]:
        limit_s = self._settings.request_timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError as error:
            if serial is None:
                raise AdbUnavailableError(
                    f"the adb server at {self.host}:{self.port} does not answer {what!r} within {limit_s:g} s"
                ) from error
            raise DeviceTimeoutError(serial, f"no answer to {what[:80]!r} within {limit_s:g} s") from error

    async def _dial(self) -> AdbStream:
        try:
            return await dial(self.host, self.port)
        except AdbUnavailableError:
            if not (self._started and (self._settings.start or self._settings.private)):
                raise
        await self._revive()
        return await dial(self.host, self.port)

    async def _revive(self) -> None:
        """Start the server again, once for all who miss it."""
        now = asyncio.get_running_loop().time
        async with self._starting:
            if await self._server.listens():
                return
            if self._failed_start is not None and now() - self._failed_start[0] < RESTART_PAUSE_S:
                raise AdbUnavailableError(str(self._failed_start[1])) from self._failed_start[1]
            log.warning("the adb server at %s:%d is gone, starting it again", self.host, self.port)
            try:
                await self._server.start()
            except AdbError as error:
                self._failed_start = now(), error
                raise
            self._failed_start = None
        task = asyncio.create_task(self._connect_all())
        self._reconnecting.add(task)
        task.add_done_callback(self._reconnecting.discard)

    async def _connect_all(self) -> None:
        async def connect(address: str) -> None:
            try:
                await self.connect(address)
            except MediacoreError as error:
                log.warning("%s", error)

        async with asyncio.TaskGroup() as group:
            for address in sorted(self._addresses):
                group.create_task(connect(address))

    async def _is_stale(self, address: str) -> bool:
        """True if what is "already connected" is no working connection, or is gone by now."""
        states = [device.state for device in await self.devices() if device.serial == address]
        return states in ([], ["offline"])
