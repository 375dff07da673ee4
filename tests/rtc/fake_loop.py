"""A media loop made of asyncio's UDP endpoints: it carries ICE and DTLS as the native one does, and no media."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aioice.stun import Class, Message, parse_message


@dataclass
class Known:
    """One viewer."""

    sink: Any
    ufrag: str
    quiet_us: int
    silent_us: int
    addresses: set[tuple[int, str, int]] = field(default_factory=set)
    transactions: set[bytes] = field(default_factory=set)
    heard_s: float = 0.0
    destination: tuple[int, str, int, int] | None = None
    watching: asyncio.TimerHandle | None = None


class Socket(asyncio.DatagramProtocol):
    """One socket of the loop."""

    def __init__(self, loop: "FakeMediaLoop", index: int) -> None:
        self.loop, self.index = loop, index

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.loop.received(self.index, addr[0], addr[1], data)


class FakeMediaLoop:
    """The asyncio face and, as ``native``, the calls that pass through."""

    def __init__(self) -> None:
        self.native = self
        self.viewers: dict[int, Known] = {}
        self.transports: list[asyncio.DatagramTransport] = []
        self.calls: list[tuple[Any, ...]] = []
        self.number = 0

    async def open(self, addresses: list[str]) -> None:
        loop = asyncio.get_running_loop()
        for index, address in enumerate(addresses):
            transport, _ = await loop.create_datagram_endpoint(
                lambda index=index: Socket(self, index), local_addr=(address, 0)
            )
            self.transports.append(transport)

    def close(self) -> None:
        for transport in self.transports:
            transport.close()

    def sockets(self, rendition: int) -> list[tuple[str, int]]:
        return [transport.get_extra_info("sockname")[:2] for transport in self.transports]

    def add_viewer(self, rendition: int, sink: Any, *, ufrag: str, password: str, quiet_us: int, silent_us: int) -> int:
        self.number += 1
        self.viewers[self.number] = Known(sink, ufrag, quiet_us, silent_us)
        return self.number

    async def remove(self, number: int) -> None:
        known = self.viewers.pop(number)
        if known.watching is not None:
            known.watching.cancel()
        await asyncio.sleep(0)

    def send_datagram(self, viewer: int, socket: int, host: str, port: int, data: bytes) -> bool:
        known = self.viewers[viewer]
        if data[0] < 4:
            known.transactions.add(data[8:20])
        self.transports[socket].sendto(data, (host, port))
        return True

    def received(self, index: int, host: str, port: int, data: bytes) -> None:
        try:
            message = parse_message(data)
        except ValueError:
            known = next((k for k in self.viewers.values() if (index, host, port) in k.addresses), None)
        else:
            known = self.owner(message)
            if known is not None:
                self.heard(known, message, index, host, port)
        if known is not None and (data[0] < 4 or 20 <= data[0] < 64):
            known.sink.datagram(index, host, port, data)

    def owner(self, message: Message) -> Known | None:
        if message.message_class == Class.REQUEST:
            ufrag = message.attributes.get("USERNAME", "").partition(":")[0]
            return next((k for k in self.viewers.values() if k.ufrag == ufrag), None)
        return next((k for k in self.viewers.values() if message.transaction_id in k.transactions), None)

    def heard(self, known: Known, message: Message, index: int, host: str, port: int) -> None:
        known.addresses.add((index, host, port))
        loop = asyncio.get_running_loop()
        known.heard_s = loop.time()
        if known.watching is not None:
            known.watching.cancel()
        known.watching = loop.call_later(known.quiet_us / 1e6, self.silent, known)
        if "USE-CANDIDATE" in message.attributes and known.destination != (index, host, port, 0):
            known.destination = (index, host, port, 0)
            known.sink.destination_changed()

    def silent(self, known: Known) -> None:
        loop = asyncio.get_running_loop()
        known.watching = loop.call_later(0.5, self.silent, known)
        known.sink.silent(int((loop.time() - known.heard_s) * 1e6))

    def viewer_figures(self, viewer: int) -> dict[str, float]:
        known = self.viewers[viewer]
        return {"silent_us": int((asyncio.get_running_loop().time() - known.heard_s) * 1e6)}

    def destination(self, viewer: int) -> tuple[int, str, int, int] | None:
        return self.viewers[viewer].destination

    def start_viewer(self, viewer: int, config: Any) -> None:
        self.calls.append(("start_viewer", config))

    def attach(self, viewer: int, rendition: int, audio: int = 0) -> None:
        self.calls.append(("attach", rendition, audio))

    def detach(self, viewer: int) -> None:
        self.calls.append(("detach",))
