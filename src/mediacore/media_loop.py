"""The media loop: reads the sources' sockets, splits them into access units and hands those on.

Policy: reading never waits for a consumer (each consumer has a bounded queue of its own), and TCP_QUICKACK is armed
again after every read, because the adb server sends with Nagle's algorithm and the kernel's delayed ACK would hold back
a frame for up to 40 ms. Thread rule: everything runs on the asyncio loop that adds the source.

The seam is ``MediaLoop.add_source``: a connected socket goes in and belongs to the loop, access units come out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
import weakref
from typing import Protocol

from mediacore.errors import BitstreamError
from mediacore.h264 import AccessUnit, AccessUnitParser, BurstFlush, ParserStats

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
"""One read takes a whole key frame of a 1080p stream in most cases."""
READS_PER_WAKEUP = 8
"""So that one source that floods cannot keep the others waiting."""
HEAD_BYTES = 512
"""What is kept of a stream's beginning: if it is no H.264 at all, it is an error message in plain words."""


def monotonic_us() -> int:
    """Now, in µs of the monotonic clock (the clock of ``Packet.received_us`` and of the asyncio loop)."""
    return time.monotonic_ns() // 1000


class UnitSink(Protocol):
    """What takes the access units of one socket. Called on the loop; must not block."""

    def unit(self, unit: AccessUnit, received_us: int) -> None:
        """One access unit; its first byte arrived at ``received_us`` of the monotonic clock."""

    def damaged(self) -> None:
        """An access unit was handed on before its end, or dropped because it passed a limit.

        What follows cannot be decoded until a key frame.
        """

    def ended(self, error: OSError | None) -> None:
        """The socket is at its end, or failed. Nothing follows, and the socket is closed."""


class SourceReader:
    """One source's socket, made by ``MediaLoop.add_source``. ``close`` is quiet: the sink hears nothing more."""

    def __init__(self, sock: socket.socket, sink: UnitSink, flush: BurstFlush) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._sink = sink
        self._parser = AccessUnitParser()
        self._flush = flush
        self._cut_units = 0
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._timer: asyncio.TimerHandle | None = None
        self._first_byte_us: int | None = None
        self._closed = False
        self.head = b""
        """The first bytes of the stream, for an error message."""
        self.bytes_received = 0
        """Bytes read so far."""
        sock.setblocking(False)
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def stats(self) -> ParserStats:
        """Counts of the parser: units, corrupt and oversize ones."""
        return self._parser.stats()

    def close(self) -> None:
        """Stop reading and close the socket."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(READS_PER_WAKEUP):
            try:
                count = self._socket.recv_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._end(error)
                return
            if count == 0:
                self._end(None)
                return
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            self._received(self._view[:count])
            if self._closed or count < READ_BYTES:
                return

    def _received(self, data: memoryview) -> None:
        now_us = monotonic_us()
        self.bytes_received += len(data)
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(data[: HEAD_BYTES - len(self.head)])
        deadline_us = self._flush.observe(now_us, data)
        units = self._split(data)
        cut_units = self._parser.stats().cut_units
        if cut_units != self._cut_units:
            self._cut_units = cut_units
            self._sink.damaged()
        first_us = self._first_byte_us if self._first_byte_us is not None else now_us
        # What is left in the parser began in this read if a unit was completed by it.
        self._first_byte_us = now_us if units else first_us
        for unit in units:
            if self._closed:
                return
            self._sink.unit(unit, first_us)
            first_us = now_us
        if not self._closed:
            self._arm(deadline_us)

    def _split(self, data: memoryview) -> list[AccessUnit]:
        try:
            return self._parser.push(data)
        except BitstreamError as error:
            log.info("an access unit is dropped: %s", error)
            self._sink.damaged()
            return self._parser.push(b"")  # the units that are whole

    def _arm(self, deadline_us: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline_us is not None:
            self._timer = self._loop.call_at(deadline_us / 1e6, self._idle)

    def _idle(self) -> None:
        self._timer = None
        # Bytes may have come while this loop was busy elsewhere: then it was not the link that paused.
        received = self.bytes_received
        self._readable()
        if self._closed or self.bytes_received != received:
            return
        now_us = monotonic_us()
        self._flush.observe(now_us, b"")
        unit = self._parser.flush()
        if unit is not None:
            self._flush.flushed(now_us)
            first_us = self._first_byte_us
            self._first_byte_us = None
            self._sink.unit(unit, now_us if first_us is None else first_us)

    def _end(self, error: OSError | None) -> None:
        # What is still pending may be cut in the middle of a NAL unit: a complete unit would have been flushed
        # when the burst ended. It is not handed on.
        self.close()
        self._sink.ended(error)


class MediaLoop:
    """Owns the readers of all sources of one engine."""

    def __init__(self) -> None:
        # The asyncio loop keeps those that are open.
        self._readers: weakref.WeakSet[SourceReader] = weakref.WeakSet()

    def add_source(self, sock: socket.socket, sink: UnitSink, flush: BurstFlush) -> SourceReader:
        """Read Annex B from a connected socket, which belongs to the loop from now on.

        ``flush`` says which pause ends an access unit; it learns from the pauses of this socket.
        """
        reader = SourceReader(sock, sink, flush)
        self._readers.add(reader)
        return reader

    def close(self) -> None:
        """Close every source's socket."""
        for reader in list(self._readers):
            reader.close()
        self._readers.clear()
