"""adbd's end of the ADB transport protocol over TCP (AOSP adb: docs/dev/protocol.md, docs/dev/delayed_ack.md).

Guarantees: both protocol versions, flow control with and without ``delayed_ack``, MAXDATA of the peer kept, unknown
services refused with CLSE, and a header or payload that breaks the protocol ends the connection. What a peer sends is
held only within the window it was granted (one payload without ``delayed_ack``). Everything runs on one event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

logger = logging.getLogger(__name__)

Service = Callable[["AdbStream"], Awaitable[None]]
"""Serves one stream; the stream is closed when it returns."""


def _command(name: bytes) -> int:
    return int.from_bytes(name, "little")


CNXN, AUTH, OPEN, OKAY, CLSE, WRTE, STLS = map(
    _command, (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE", b"STLS")
)
HEADER = struct.Struct("<6I")
VERSION_WITHOUT_CHECKSUM = 0x01000001
FIRST_PAYLOAD = 4096
"""MAX_PAYLOAD_V1: what may be sent before CNXN has told more."""
GRANTED_WINDOW = 1 << 20
"""Bytes that a peer with delayed_ack may have under way on one stream."""
WRITE_HIGH_WATER = 256 << 10
"""Bytes in the socket's user-space buffer from which on writers wait."""
AUTH_TOKEN, AUTH_SIGNATURE = 1, 2
TOKEN = bytes(range(1, 21))
"""The challenge of a device that never accepts the answer; 20 bytes as adbd sends."""


class StreamClosedError(ConnectionError):
    """The other end closed the stream, or the connection is gone."""


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """What one end of the protocol tells the other."""

    banner: bytes
    """The text of CNXN: ``device::key=value;...``."""
    version: int = VERSION_WITHOUT_CHECKSUM
    """Highest protocol version that is spoken."""
    max_payload: int = 1 << 20
    """Longest payload that is accepted, in bytes."""
    delayed_ack: bool = True
    """Whether the banner offers ``delayed_ack``."""
    link_bps: int = 0
    """Bit rate of this end's way out; 0: as fast as it goes."""


class AdbStream:
    """One stream of an ADB connection, as the service behind it sees it."""

    def __init__(self, connection: AdbConnection, local_id: int, remote_id: int, window: int | None) -> None:
        self._connection = connection
        self.local_id = local_id
        self.remote_id = remote_id
        self._window = window
        self._acknowledged = True
        self._writable = asyncio.Event()
        self._writable.set()
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._readable = asyncio.Event()
        self._write_lock = asyncio.Lock()
        self._closed = asyncio.Event()

    @property
    def closed(self) -> bool:
        """True once either end has closed the stream."""
        return self._closed.is_set()

    async def wait_closed(self) -> None:
        """Returns when either end has closed the stream."""
        await self._closed.wait()

    async def read(self) -> bytes:
        """The next bytes in the pieces they came in; ``b""`` once the stream is closed and all is read."""
        while not self._chunks:
            if self.closed:
                return b""
            self._readable.clear()
            await self._readable.wait()
        data = self._chunks.popleft()
        self._held -= len(data)
        if not self.closed:
            self._connection.acknowledge(self, len(data))
        return data

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of ``data``; returns when the last piece is handed to the socket.

        Without ``delayed_ack`` one piece is under way at a time, so the next call waits for the acknowledgement. Calls
        from several tasks do not mix their bytes.

        Raises:
            StreamClosedError: the stream is closed.
        """
        view = memoryview(data)
        async with self._write_lock:
            while view.nbytes:
                while not self.closed and not self._may_write():
                    self._writable.clear()
                    await self._writable.wait()
                if self.closed:
                    raise StreamClosedError("the ADB stream is closed")
                limit = self._connection.max_payload
                part, view = view[:limit], view[limit:]
                await self._connection.carried(part.nbytes)
                if self._window is None:
                    self._acknowledged = False
                else:
                    self._window -= part.nbytes
                self._connection.send(WRTE, self.local_id, self.remote_id, part)
                await self._connection.drain()

    async def flush(self) -> None:
        """Waits until the last piece is acknowledged or the stream closed; nothing to wait for with ``delayed_ack``."""
        while not self.closed and not self._acknowledged:
            self._writable.clear()
            await self._writable.wait()

    def close(self) -> None:
        """Ends the stream and tells the other end; closing twice does nothing."""
        if not self.closed:
            self.ended()
            self._connection.forget(self)

    def _may_write(self) -> bool:
        return self._acknowledged if self._window is None else self._window > 0

    # -- called by the connection

    def received(self, data: bytes) -> bool:
        """Takes one WRTE; False if the peer sent more than it was granted."""
        self._held += len(data)
        if self._chunks and self._window is None:
            return False
        if self._held > GRANTED_WINDOW + self._connection.options.max_payload:
            return False
        self._chunks.append(data)
        self._readable.set()
        return True

    def okayed(self, credit: int) -> None:
        """Takes one OKAY; ``credit`` counts only with delayed_ack."""
        if self._window is None:
            self._acknowledged = True
        else:
            self._window += credit
        self._writable.set()

    def ended(self) -> None:
        """The stream is over: readers get what is left, writers an error."""
        self._closed.set()
        self._readable.set()
        self._writable.set()


class AdbConnection(asyncio.Protocol):
    """One adb server connected to the device.

    Args:
        options: what this end tells the other.
        authorized: asked when the peer introduces itself; False challenges it and leaves it waiting.
        find_service: the service of a name, or None to refuse it.
        on_closed: called once when the connection is gone.
    """

    def __init__(
        self,
        options: TransportOptions,
        *,
        authorized: Callable[[], bool],
        find_service: Callable[[str], Service | None],
        on_closed: Callable[[AdbConnection], None],
    ) -> None:
        self.options = options
        self._authorized = authorized
        self._find_service = find_service
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._streams: dict[int, AdbStream] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._ids = itertools.count(1)
        self._drained = asyncio.Event()
        self._drained.set()
        self._free_at_s = 0.0
        self._lost = asyncio.Event()
        self._version = 0x01000000
        self.max_payload = FIRST_PAYLOAD
        """Longest payload that may be sent, in bytes."""
        self._delayed_ack = False
        self._state: Literal["new", "challenged", "connected"] = "new"

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= HEADER.size:
            command, arg0, arg1, length, checksum, magic = HEADER.unpack_from(self._buffer, at)
            if magic != command ^ 0xFFFFFFFF or length > self.options.max_payload:
                self.abort()
                return
            end = at + HEADER.size + length
            if len(self._buffer) < end:
                break
            payload = bytes(memoryview(self._buffer)[at + HEADER.size : end])
            at = end
            checked = self._state == "connected" and self._version < VERSION_WITHOUT_CHECKSUM
            if checked and checksum != _checksum(payload):
                self.abort()
                return
            self._received(command, arg0, arg1, payload)
            if self._transport is None or self._transport.is_closing():
                return
        del self._buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        for stream in self._streams.values():
            stream.ended()
        self._streams.clear()
        self._drained.set()
        for task in self._tasks.values():
            task.cancel()
        self._transport = None
        self._lost.set()
        self._on_closed(self)

    # -- for streams and the device

    def send(self, command: int, arg0: int, arg1: int, payload: bytes | memoryview = b"") -> None:
        """Puts one packet into the socket's buffer."""
        if self._transport is None or self._transport.is_closing():
            return
        needed = self._version < VERSION_WITHOUT_CHECKSUM or command == CNXN
        checksum = _checksum(payload) if needed else 0
        header = HEADER.pack(command, arg0, arg1, len(payload), checksum, command ^ 0xFFFFFFFF)
        self._transport.write(b"".join((header, payload)))

    async def drain(self) -> None:
        """Waits while the socket's buffer is full."""
        await self._drained.wait()

    async def carried(self, count: int) -> None:
        """Waits for as long as the link takes for so many bytes, after all that came before."""
        if self.options.link_bps:
            now = asyncio.get_running_loop().time()
            self._free_at_s = max(now, self._free_at_s) + count * 8 / self.options.link_bps
            await asyncio.sleep(self._free_at_s - now)

    def acknowledge(self, stream: AdbStream, count: int) -> None:
        """Tells the peer that ``count`` bytes of a stream were used."""
        self.send(OKAY, stream.local_id, stream.remote_id, self._credit(count))

    def forget(self, stream: AdbStream) -> None:
        """Sends CLSE for a stream that this end closed."""
        if self._streams.pop(stream.local_id, None) is not None:
            self.send(CLSE, stream.local_id, stream.remote_id)

    def authorize(self) -> None:
        """Lets a peer in that waits for it."""
        if self._state == "challenged":
            self._introduce()

    def abort(self) -> None:
        """Drops the connection at once, without a word, as a pulled cable does."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Returns when the connection is gone and its services have ended."""
        await self._lost.wait()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))

    # -- the protocol

    def _credit(self, count: int) -> bytes:
        return struct.pack("<i", count) if self._delayed_ack else b""

    def _introduce(self) -> None:
        self._state = "connected"
        self.send(CNXN, self.options.version, self.options.max_payload, self.options.banner)

    def _received(self, command: int, arg0: int, arg1: int, payload: bytes) -> None:
        if command == CNXN:
            self._received_cnxn(arg0, arg1, payload)
        elif command == AUTH and self._state == "challenged":
            if arg0 == AUTH_SIGNATURE:  # not accepted, so the peer may try its next key
                self.send(AUTH, AUTH_TOKEN, 0, TOKEN)
        elif self._state != "connected":
            self.abort()
        elif command == OPEN:
            self._received_open(arg0, arg1, payload)
        elif command == WRTE:
            stream = self._streams.get(arg1)
            if stream is None:
                self.send(CLSE, 0, arg0)
            elif not stream.received(payload):
                self.abort()
        elif command == OKAY:
            stream = self._streams.get(arg1)
            if stream is not None:
                credit = int.from_bytes(payload[:4], "little", signed=True) if len(payload) == 4 else 0
                stream.okayed(credit)
        elif command == CLSE:
            self._received_clse(arg1)
        else:
            self.abort()

    def _received_cnxn(self, version: int, max_payload: int, banner: bytes) -> None:
        self._version = min(version, self.options.version)
        # Both ends keep to the smaller of the two: adb drops a device that sends more than it says it takes.
        self.max_payload = max(FIRST_PAYLOAD, min(max_payload, self.options.max_payload))
        offered = banner.rstrip(b"\0").decode(errors="replace").rpartition("features=")[2].split(";")[0].split(",")
        self._delayed_ack = self.options.delayed_ack and "delayed_ack" in offered
        if self._authorized():
            self._introduce()
        else:
            self._state = "challenged"
            self.send(AUTH, AUTH_TOKEN, 0, TOKEN)

    def _received_open(self, remote_id: int, window: int, payload: bytes) -> None:
        name = payload.rstrip(b"\0").decode(errors="replace")
        service = self._find_service(name) if bool(window) == self._delayed_ack else None
        if service is None:
            self.send(CLSE, 0, remote_id)
            return
        stream = AdbStream(self, next(self._ids), remote_id, window if self._delayed_ack else None)
        self._streams[stream.local_id] = stream
        self.send(OKAY, stream.local_id, remote_id, self._credit(GRANTED_WINDOW))
        task = asyncio.get_running_loop().create_task(self._serve(service, stream), name=f"adb service {name[:40]}")
        self._tasks[stream.local_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(stream.local_id, None))

    def _received_clse(self, local_id: int) -> None:
        stream = self._streams.pop(local_id, None)
        if stream is not None:
            stream.ended()
            self.send(CLSE, stream.local_id, stream.remote_id)
            task = self._tasks.get(local_id)
            if task is not None:
                task.cancel()

    async def _serve(self, service: Service, stream: AdbStream) -> None:
        try:
            try:
                await service(stream)
                await stream.flush()  # adbd sees the end of a program's output only after it
            except* StreamClosedError:  # also out of a pipe, whose programs are a group
                pass
        except Exception:
            logger.exception("an ADB service failed")
        finally:
            stream.close()


def _checksum(payload: bytes | memoryview) -> int:
    return sum(payload) & 0xFFFFFFFF
