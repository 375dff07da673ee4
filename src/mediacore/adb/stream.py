"""A connection to the adb server, and through it to one service of a device.

Nothing is ever read ahead: what was not asked for stays in the kernel, so that the socket can be given away
(``detach``) right after a handshake. TCP_QUICKACK is armed again after each read, because the adb server sends with
Nagle's algorithm and our kernel's delayed ACK would hold its data back for up to 40 ms; the kernel clears the option.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Self

from mediacore.adb.wire import LENGTH_DIGITS, STATUS_BYTES, encode_request, failure, is_accepted, parse_length
from mediacore.errors import AdbUnavailableError, DeviceDisconnectedError, MediacoreError

if TYPE_CHECKING:
    from types import TracebackType


def quick_ack(sock: socket.socket) -> None:
    """Acknowledge what comes next at once. To be repeated after each read."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def dial(host: str, port: int) -> AdbStream:
    """Connect to an adb server. Raises ``AdbUnavailableError`` if nothing listens there."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
        quick_ack(sock)
    except OSError as error:
        sock.close()
        raise AdbUnavailableError(
            f"no adb server at {host}:{port} ({error.strerror or error}); start one with `adb start-server`"
        ) from error
    except BaseException:
        sock.close()
        raise
    return AdbStream(sock)


class AdbStream:
    """A connection with plain reads and writes; an async context manager that closes it.

    One reader and one writer at a time. Cancelling a call loses no bytes that were read. There are no deadlines here:
    the caller sets them. A connection that breaks raises ``DeviceDisconnectedError`` once it belongs to a device,
    and ``AdbUnavailableError`` before.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._pending = b""
        self._waiters: set[asyncio.Future[None]] = set()
        self._open = True
        self.serial: str | None = None
        """The device at the other end; None as long as it is the adb server itself."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # ------------------------------------------------------------------------------------ bytes

    async def read(self, n: int = 65536) -> bytes:
        """Up to ``n`` bytes as soon as there are any; empty at the end."""
        if self._pending:
            data, self._pending = self._pending[:n], self._pending[n:]
            return data
        while True:
            self._check_open()
            try:
                data = self._socket.recv(n)
            except (BlockingIOError, InterruptedError):
                await self._ready(writing=False)
                continue
            except OSError as error:
                raise self._lost(error.strerror or str(error)) from error
            quick_ack(self._socket)
            return data

    async def readexactly(self, n: int) -> bytes:
        """Exactly ``n`` bytes. An end before that raises as a broken connection does."""
        parts: list[bytes] = []
        missing = n
        try:
            while missing:
                data = await self.read(missing)
                if not data:
                    raise self._lost(f"closed {missing} bytes too early")
                parts.append(data)
                missing -= len(data)
        except asyncio.CancelledError:
            self._pending = b"".join(parts) + self._pending
            raise
        return b"".join(parts)

    async def readable(self, *, timeout_s: float) -> bool:
        """Wait until there is something to read (or the end); False if the time is up before."""
        if self._pending:
            return True
        self._check_open()
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready(writing=False)
        except TimeoutError:
            return False
        return True

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write everything; returns when the kernel has taken it."""
        view = memoryview(data)
        while view:
            self._check_open()
            try:
                view = view[self._socket.send(view) :]
            except (BlockingIOError, InterruptedError):
                await self._ready(writing=True)
            except OSError as error:
                raise self._lost(error.strerror or str(error)) from error

    def ended(self) -> bool:
        """True if it is known without waiting that the other end has closed, or that this one has."""
        if not self._open:
            return True
        if self._pending:
            return False
        try:
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    # ------------------------------------------------------------------------------------ smart socket

    async def request(self, service: str, *, serial: str | None = None) -> None:
        """Ask for a service and wait for OKAY; a FAIL raises the typed error for its text.

        ``serial`` is the device that it is about, for the error.
        """
        await self.write(encode_request(service))
        if not is_accepted(await self.readexactly(STATUS_BYTES)):
            text = await self.read_block()
            raise failure(serial, service, text.decode(errors="replace"))

    async def read_block(self) -> bytes:
        """Four hex digits of length, and that many bytes."""
        return await self.readexactly(parse_length(await self.readexactly(LENGTH_DIGITS)))

    # ------------------------------------------------------------------------------------ end

    def detach(self) -> socket.socket:
        """Give the socket away: non-blocking, TCP_NODELAY and TCP_QUICKACK set, nothing read ahead."""
        if self._pending:
            raise RuntimeError("bytes of this stream were read already")
        self._check_open()
        self._forget()
        quick_ack(self._socket)
        return self._socket

    async def close(self) -> None:
        """Close at once; a call that waits on the stream fails. May be repeated."""
        if self._open:
            self._forget()
            self._socket.close()

    def _forget(self) -> None:
        self._open = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(self._lost("closed by this side"))

    def _check_open(self) -> None:
        if not self._open:
            raise self._lost("closed by this side")

    async def _ready(self, *, writing: bool) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        add = self._loop.add_writer if writing else self._loop.add_reader
        remove = self._loop.remove_writer if writing else self._loop.remove_reader
        add(self._socket.fileno(), _wake, waiter)
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if self._open:  # else the number may be another socket's by now
                remove(self._socket.fileno())

    def _lost(self, why: str) -> MediacoreError:
        if self.serial is not None:
            return DeviceDisconnectedError(self.serial, f"the connection ended ({why})")
        return AdbUnavailableError(f"the connection to the adb server ended ({why})")


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
