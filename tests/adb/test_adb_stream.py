import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from mediacore.adb.stream import AdbStream, dial
from mediacore.errors import AdbProtocolError, AdbUnavailableError, DeviceDisconnectedError, DeviceNotFoundError


@pytest.fixture
async def pair() -> AsyncIterator[tuple[AdbStream, socket.socket]]:
    """A stream, and the blocking socket at its other end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        stream = await dial(*listener.getsockname())
        peer, _ = listener.accept()
    with peer:
        yield stream, peer
        await stream.close()


async def started(coroutine: object) -> asyncio.Task[object]:
    """A task that has run up to its first wait."""
    task = asyncio.ensure_future(coroutine)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return task


async def test_nothing_is_read_ahead(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, peer = pair
    peer.sendall(b"OKAYmedia")
    await stream.request("exec:x")
    with stream.detach() as sock:
        assert sock.recv(100) == b"media"
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    with pytest.raises(AdbUnavailableError, match="closed by this side"):
        await stream.read()


async def test_a_cancelled_read_loses_nothing(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, peer = pair
    peer.sendall(b"ab")
    assert await stream.readable(timeout_s=5)
    task = await started(stream.readexactly(4))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(RuntimeError, match="read already"):
        stream.detach()
    assert await stream.readable(timeout_s=0)
    assert not stream.ended()
    peer.sendall(b"cd")
    assert await stream.readexactly(4) == b"abcd"


async def test_closing_wakes_who_waits(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, _ = pair
    task = await started(stream.read())
    await stream.close()
    with pytest.raises(AdbUnavailableError, match="closed by this side"):
        await task
    assert stream.ended()
    await stream.close()


async def test_an_end_comes_as_nothing_or_as_an_error(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, peer = pair
    peer.sendall(b"abc")
    peer.close()
    assert await stream.read(1) == b"a"
    with pytest.raises(AdbUnavailableError, match="2 bytes too early"):
        await stream.readexactly(4)
    assert await stream.read() == b""
    assert stream.ended()


async def test_a_reset_is_a_lost_device(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, peer = pair
    stream.serial = "x"
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    with pytest.raises(DeviceDisconnectedError, match="x: "):
        await stream.read()
    with pytest.raises(DeviceDisconnectedError):
        await stream.write(b"a")


async def test_large_writes_wait_for_the_reader(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, peer = pair
    data = bytes(8 << 20)

    def drain() -> int:
        count = 0
        while count < len(data):
            count += len(peer.recv(1 << 20))
        return count

    task = await started(stream.write(data))
    assert not task.done()
    assert await asyncio.to_thread(drain) == len(data)
    await task


async def test_readable_gives_up_in_time(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, peer = pair
    assert not await stream.readable(timeout_s=0.01)
    assert not stream.ended()
    peer.close()
    assert await stream.readable(timeout_s=5)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"FAIL0014device 'x' not found", DeviceNotFoundError),
        (b"HTTP/1.1 400 Bad Request", AdbProtocolError),
        (b"FAILlong", AdbProtocolError),
        (b"OK", AdbUnavailableError),
    ],
)
async def test_answers_that_are_not_okay(
    pair: tuple[AdbStream, socket.socket], answer: bytes, error: type[Exception]
) -> None:
    stream, peer = pair
    peer.sendall(answer)
    peer.shutdown(socket.SHUT_WR)
    with pytest.raises(error):
        await stream.request("host:transport:x", serial="x")


async def test_a_block(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, peer = pair
    peer.sendall(b"0003abcrest")
    assert await stream.read_block() == b"abc"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_nobody_listens(host: str) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(AdbUnavailableError, match="adb start-server"):
            await dial(host, sock.getsockname()[1])


async def test_context_manager_closes(pair: tuple[AdbStream, socket.socket]) -> None:
    stream, peer = pair
    with contextlib.suppress(ZeroDivisionError):
        async with stream:
            raise ZeroDivisionError
    assert await asyncio.to_thread(peer.recv, 1) == b""
