"""adbd's end of the transport protocol, against a host made of bytes."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mediacore.testing.adb_transport import (
    AUTH,
    CLSE,
    CNXN,
    GRANTED_WINDOW,
    HEADER,
    OKAY,
    OPEN,
    WRTE,
    AdbStream,
    StreamClosedError,
)
from mediacore.testing.options import DeviceOptions
from mediacore.testing.phone import Phone
from mediacore.testing.shared_pictures import SharedPictures

OLD, NEW = 0x01000000, 0x01000001


class Host:
    """An adb server of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, command: int, arg0: int, arg1: int, data: bytes = b"", *, checksum: int | None = None) -> None:
        summed = sum(data) & 0xFFFFFFFF if checksum is None else checksum
        self.writer.write(HEADER.pack(command, arg0, arg1, len(data), summed, command ^ 0xFFFFFFFF) + data)

    async def receive(self) -> tuple[int, int, int, bytes]:
        async with asyncio.timeout(5):
            head = await self.reader.readexactly(HEADER.size)
            command, arg0, arg1, length, checksum, magic = HEADER.unpack(head)
            assert magic == command ^ 0xFFFFFFFF
            data = await self.reader.readexactly(length)
            self.checksum_is_right = checksum == sum(data) & 0xFFFFFFFF
            return command, arg0, arg1, data

    async def dropped(self) -> bool:
        """True when the connection ends; what is still on the way is read."""
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                await self.reader.read()
        return True

    async def introduce(self, *, version: int = NEW, max_payload: int = 1 << 20, features: str = "shell_v2") -> None:
        self.send(CNXN, version, max_payload, b"host::features=" + features.encode())
        command, _, _, banner = await self.receive()
        assert command == CNXN
        assert banner.startswith(b"device::ro.product.name=sim;")

    async def open(self, service: str, *, window: int = 0) -> tuple[int, int, bytes]:
        """(command of the answer, id on the device, its payload)."""
        self.send(OPEN, 77, window, service.encode() + b"\0")
        command, arg0, arg1, data = await self.receive()
        assert arg1 == 77
        return command, arg0, data


@asynccontextmanager
async def host(phone: Phone) -> AsyncIterator[Host]:
    reader, writer = await asyncio.open_connection("127.0.0.1", phone.port)
    try:
        yield Host(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def connected(**options: object) -> AsyncIterator[tuple[Phone, Host]]:
    phone = Phone(DeviceOptions(size=(128, 256), scene="static", **options), SharedPictures())  # type: ignore[arg-type]
    await phone.start()
    try:
        async with host(phone) as peer:
            yield phone, peer
    finally:
        await phone.close()


async def test_a_stream_from_open_to_close() -> None:
    async with connected() as (_, peer):
        await peer.introduce()
        command, device, _ = await peer.open("exec:echo hello")
        assert command == OKAY
        assert await peer.receive() == (WRTE, device, 77, b"hello\n")
        peer.send(OKAY, 77, device)
        assert await peer.receive() == (CLSE, device, 77, b"")


@pytest.mark.parametrize("service", ["localabstract:none", "sync:", "tcp:80", "shell", "nothing:at all", ""])
async def test_an_unknown_service_is_refused(service: str) -> None:
    async with connected() as (_, peer):
        await peer.introduce()
        assert (await peer.open(service))[:2] == (CLSE, 0)


async def test_a_registered_abstract_socket_is_served() -> None:
    async with connected() as (phone, peer):

        async def upper(stream: AdbStream) -> None:
            while data := await stream.read():
                await stream.write(data.upper())

        phone.abstract_sockets["echo"] = upper
        await peer.introduce()
        _, device, _ = await peer.open("localabstract:echo")
        peer.send(WRTE, 77, device, b"abc")
        assert {await peer.receive(), await peer.receive()} == {(OKAY, device, 77, b""), (WRTE, device, 77, b"ABC")}
        peer.send(CLSE, 77, device)
        assert await peer.receive() == (CLSE, device, 77, b"")


async def test_without_delayed_ack_one_piece_is_under_way_and_no_longer_than_the_peer_takes() -> None:
    async with connected() as (_, peer):
        await peer.introduce(max_payload=5000)
        _, device, _ = await peer.open("exec:head -c 12000 /dev/zero")
        sizes = []
        for _ in range(3):
            command, _, _, data = await peer.receive()
            assert command == WRTE
            sizes.append(len(data))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await peer.reader.readexactly(1)
            peer.send(OKAY, 77, device)
        assert sizes == [5000, 5000, 2000]


async def test_delayed_ack_counts_bytes_both_ways() -> None:
    async with connected() as (_, peer):
        await peer.introduce(max_payload=4096, features="shell_v2,delayed_ack")
        command, device, window = await peer.open("exec:cat", window=6000)
        assert (command, window) == (OKAY, struct.pack("<i", GRANTED_WINDOW))
        for _ in range(3):
            peer.send(WRTE, 77, device, bytes(4096))
        received = acknowledged = 0
        while received < 8192 or acknowledged < 12288:  # the window is overdrawn by the piece that opens it
            command, _, _, data = await peer.receive()
            if command == WRTE:
                received += len(data)
            else:
                acknowledged += int.from_bytes(data, "little", signed=True)
        peer.send(OKAY, 77, device, struct.pack("<i", 8192))
        command, _, _, data = await peer.receive()
        assert (command, len(data)) == (WRTE, 4096)


@pytest.mark.parametrize(("features", "window"), [("shell_v2,delayed_ack", 0), ("shell_v2", 4096)])
async def test_a_window_that_does_not_fit_the_mode_is_refused(features: str, window: int) -> None:
    async with connected() as (_, peer):
        await peer.introduce(features=features)
        assert (await peer.open("exec:echo", window=window))[0] == CLSE


async def test_the_old_version_checks_sums() -> None:
    async with connected(protocol_version=OLD) as (_, peer):
        await peer.introduce()
        _, device, _ = await peer.open("exec:cat")
        assert peer.checksum_is_right
        peer.send(WRTE, 77, device, b"abc")
        await peer.receive()
        peer.send(WRTE, 77, device, b"abc", checksum=1)
        assert await peer.dropped()


async def test_the_new_version_ignores_sums() -> None:
    async with connected() as (_, peer):
        await peer.introduce()
        _, device, _ = await peer.open("exec:cat")
        peer.send(WRTE, 77, device, b"abc", checksum=1)
        assert (await peer.receive())[0] in (OKAY, WRTE)


BAD = {
    "magic": HEADER.pack(CNXN, NEW, 4096, 0, 0, CNXN),
    "payload too long": HEADER.pack(CNXN, NEW, 4096, (1 << 20) + 1, 0, CNXN ^ 0xFFFFFFFF),
    "open before the introduction": HEADER.pack(OPEN, 1, 0, 0, 0, OPEN ^ 0xFFFFFFFF),
    "no ADB at all": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
async def test_bytes_that_break_the_protocol_end_the_connection(data: bytes) -> None:
    async with connected() as (_, peer):
        peer.writer.write(data)
        assert await peer.dropped()


async def test_an_unknown_command_ends_the_connection() -> None:
    async with connected() as (_, peer):
        await peer.introduce()
        peer.send(0x12345678, 0, 0)
        assert await peer.dropped()


async def test_a_peer_that_does_not_wait_is_dropped() -> None:
    async with connected() as (_, peer):
        await peer.introduce()
        _, device, _ = await peer.open("exec:sleep 100")
        peer.send(WRTE, 77, device, b"a")
        peer.send(WRTE, 77, device, b"b")
        assert await peer.dropped()


async def test_a_peer_beyond_its_window_is_dropped() -> None:
    async with connected() as (_, peer):
        await peer.introduce(features="delayed_ack")
        _, device, _ = await peer.open("exec:sleep 100", window=1000)
        for _ in range(3):
            peer.send(WRTE, 77, device, bytes(1 << 20))
        assert await peer.dropped()


async def test_bytes_for_a_stream_that_is_gone_are_answered_with_a_close() -> None:
    async with connected() as (_, peer):
        await peer.introduce()
        peer.send(OKAY, 77, 999)
        peer.send(CLSE, 77, 999)
        peer.send(WRTE, 77, 999, b"late")
        assert await peer.receive() == (CLSE, 0, 77, b"")


async def test_any_pieces_of_the_bytes_give_the_same() -> None:
    async with connected() as (_, peer):
        data = b"host::features=shell_v2"
        packet = HEADER.pack(CNXN, NEW, 4096, len(data), sum(data), CNXN ^ 0xFFFFFFFF) + data
        for byte in packet:
            peer.writer.write(bytes((byte,)))
            await peer.writer.drain()
        assert (await peer.receive())[0] == CNXN


async def test_a_device_that_does_not_know_the_host_challenges_it() -> None:
    async with connected(authorized=False) as (phone, peer):
        peer.send(CNXN, NEW, 4096, b"host::")
        command, kind, _, token = await peer.receive()
        assert (command, kind, len(token)) == (AUTH, 1, 20)
        peer.send(AUTH, 2, 0, bytes(256))
        assert (await peer.receive())[0] == AUTH
        peer.send(AUTH, 3, 0, b"a public key\0")
        phone.authorize(authorized=True)
        assert (await peer.receive())[0] == CNXN
        phone.authorize(authorized=False)
        assert await peer.dropped()


async def test_a_challenged_host_opens_nothing() -> None:
    async with connected(authorized=False) as (_, peer):
        peer.send(CNXN, NEW, 4096, b"host::")
        await peer.receive()
        peer.send(OPEN, 77, 0, b"shell:id\0")
        assert await peer.dropped()


async def test_services_end_with_their_connection() -> None:
    ended = asyncio.Event()
    async with connected() as (phone, peer):

        async def serve(stream: AdbStream) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                assert stream.closed
                with pytest.raises(StreamClosedError):
                    await stream.write(b"too late")
                ended.set()

        phone.abstract_sockets["x"] = serve
        await peer.introduce()
        await peer.open("localabstract:x")
        peer.writer.close()
        async with asyncio.timeout(5):
            await ended.wait()
