"""The client against both adb servers, with simulated devices behind them."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator

import pytest

from mediacore.adb.client import AdbClient
from mediacore.adb.devices import AdbDevice
from mediacore.errors import (
    AdbError,
    AdbNotFoundError,
    AdbUnavailableError,
    CommandError,
    DeviceDisconnectedError,
    DeviceError,
    DeviceNotFoundError,
    DeviceOfflineError,
    DeviceTimeoutError,
    DeviceUnauthorizedError,
)
from mediacore.settings import AdbSettings
from mediacore.testing import SimulatedDevice

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def connected(client: AdbClient, device: SimulatedDevice) -> AdbClient:
    await client.connect(device.address)
    return client


def kill(pid: int | None) -> None:
    """Kill a child and wait until it is dead; somebody else takes its exit code."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def state_becomes(client: AdbClient, serial: str, state: str) -> None:
    async with asyncio.timeout(20), contextlib.aclosing(client.watch()) as watch:
        async for devices in watch:
            if any(found.serial == serial and found.state == state for found in devices):
                return


async def test_the_list_of_devices(connected: AdbClient, device: SimulatedDevice) -> None:
    assert await connected.version() == 41
    [found] = await connected.devices()
    assert found == AdbDevice(device.address, "device", "SimPhone", found.product, found.transport_id)
    assert found.transport_id is not None
    assert "shell_v2" in await connected.features(device.address)


async def test_the_real_program_sees_the_same_server(
    connected: AdbClient, device: SimulatedDevice, program: str
) -> None:
    listed = await asyncio.to_thread(
        subprocess.run, [program, "-P", str(connected.port), "devices"], capture_output=True, timeout=10, check=True
    )
    assert f"{device.address}\tdevice".encode() in listed.stdout


async def test_outputs_and_exit_code_come_apart(connected: AdbClient, device: SimulatedDevice) -> None:
    result = await connected.shell(device.address, "echo out; echo err >&2; exit 7")
    assert (result.stdout, result.stderr, result.exit_code) == (b"out\n", b"err\n", 7)


@pytest.mark.parametrize(
    ("command", "stdout", "code"),
    [
        ("echo out; echo err >&2; false", b"out\nerr\n", 1),
        ("echo -n unfinished", b"unfinished", 0),
        ("true # a comment", b"", 0),
    ],
)
async def test_devices_without_shell_v2(
    client: AdbClient, old_device: SimulatedDevice, command: str, stdout: bytes, code: int
) -> None:
    await client.connect(old_device.address)
    result = await client.shell(old_device.address, command)
    assert (result.stdout, result.stderr, result.exit_code) == (stdout, b"", code)


async def test_raw_bytes_pass_unchanged(connected: AdbClient, device: SimulatedDevice) -> None:
    png = await connected.exec_out(device.address, "screencap -p")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    raw = await connected.exec_out(device.address, "screencap")
    assert len(raw) == 128 * 256 * 4 + 16


async def test_output_is_bounded(connected: AdbClient, device: SimulatedDevice) -> None:
    endless = "head -c 100000000 /dev/zero"
    with pytest.raises(CommandError, match="more than 1000000 bytes"):
        await connected.exec_out(device.address, endless, max_bytes=1_000_000)
    with pytest.raises(CommandError, match="more than 67108864 bytes"):
        await connected.shell(device.address, endless)


async def test_a_device_that_is_not_there(client: AdbClient) -> None:
    for call in (client.open, client.shell, client.exec_out):
        with pytest.raises(DeviceNotFoundError, match="adb devices"):
            await call("nowhere", "exec:true")
    with pytest.raises(DeviceNotFoundError):
        await client.features("nowhere")


async def test_a_service_that_is_not_there(connected: AdbClient, device: SimulatedDevice) -> None:
    with pytest.raises(DeviceDisconnectedError, match="localabstract:nobody"):
        await connected.open(device.address, "localabstract:nobody")


async def test_an_unauthorized_device(client: AdbClient) -> None:
    async with SimulatedDevice(size=(128, 256), scene="static", authorized=False) as device:
        with pytest.raises(DeviceUnauthorizedError, match="accept this computer's key on its screen"):
            await client.connect(device.address)
        await state_becomes(client, device.address, "unauthorized")
        with pytest.raises(DeviceUnauthorizedError, match="accept this computer's key on its screen"):
            await client.shell(device.address, "true")
        await device.authorize()
        await state_becomes(client, device.address, "device")
        assert (await client.shell(device.address, "echo welcome")).stdout == b"welcome\n"


async def test_a_device_that_comes_back_after_a_restart(client: AdbClient) -> None:
    """adb 29 answers "already connected" for the dead connection of a device that has restarted."""
    async with SimulatedDevice(size=(128, 256), scene="static") as device:
        await client.connect(device.address)
        await device.offline()
        await state_becomes(client, device.address, "offline")
        with pytest.raises(DeviceOfflineError, match="does not answer"):
            await client.open(device.address, "exec:true")
        await device.online()
        await client.connect(device.address)
        assert (await client.shell(device.address, "echo back")).stdout == b"back\n"


async def test_a_device_that_goes_away_in_mid_stream(client: AdbClient) -> None:
    async with SimulatedDevice(size=(128, 256), scene="static") as device:
        await client.connect(device.address)
        async with await client.open(device.address, "exec:cat") as stream:
            await stream.write(b"here")
            assert await stream.readexactly(4) == b"here"
            await device.offline()
            with pytest.raises(DeviceDisconnectedError):
                await stream.readexactly(1)


async def test_nothing_answers_at_an_address(client: AdbClient) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(DeviceOfflineError, match="adb over network"):
            await client.connect(address)
    await client.disconnect(address)  # what is not connected is no error


async def test_disconnect(connected: AdbClient, device: SimulatedDevice) -> None:
    await connected.disconnect(device.address)
    assert await connected.devices() == []


async def test_deadlines(connected: AdbClient, device: SimulatedDevice) -> None:
    for call in (connected.shell, connected.exec_out):
        with pytest.raises(DeviceTimeoutError, match=r"0\.05 s"):
            await call(device.address, "sleep 60", timeout_s=0.05)


async def test_a_server_that_hangs(connected: AdbClient) -> None:
    assert connected.server_pid is not None
    client = AdbClient(AdbSettings(port=connected.port, start=False, request_timeout_s=0.1))
    await client.start()
    os.kill(connected.server_pid, signal.SIGSTOP)
    try:
        with pytest.raises(AdbUnavailableError, match=r"does not answer 'host:version' within 0\.1 s"):
            await client.version()
    finally:
        os.kill(connected.server_pid, signal.SIGCONT)


async def test_a_socket_for_the_media_path(connected: AdbClient, device: SimulatedDevice) -> None:
    with await connected.open_socket(device.address, "exec:echo media; cat") as sock:
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        data = b""
        while len(data) < 6:
            data += await asyncio.get_running_loop().sock_recv(sock, 6)
        assert data == b"media\n"


async def test_streams_of_two_devices_do_not_mix(
    connected: AdbClient, device: SimulatedDevice, old_device: SimulatedDevice
) -> None:
    await connected.connect(old_device.address)
    assert {found.serial for found in await connected.devices()} == {device.address, old_device.address}
    versions = await asyncio.gather(
        *(
            connected.shell(serial, "getprop ro.build.version.sdk")
            for serial in (device.address, old_device.address) * 5
        )
    )
    assert [result.stdout for result in versions] == [b"34\n", b"23\n"] * 5


@pytest.fixture
async def watch(connected: AdbClient) -> AsyncIterator[AsyncIterator[list[AdbDevice]]]:
    async with contextlib.aclosing(connected.watch()) as watching:
        yield watching


async def test_a_watch_outlives_its_server(
    connected: AdbClient, device: SimulatedDevice, watch: AsyncIterator[list[AdbDevice]]
) -> None:
    """A server that is killed: one empty list, a new server, the network device connected again."""
    pid = connected.server_pid
    async with asyncio.timeout(20):
        assert [found.serial for found in await anext(watch)] == [device.address]
        kill(pid)
        assert await anext(watch) == []
        async for devices in watch:
            if [found.state for found in devices] == ["device"]:
                break
    assert connected.server_pid not in (None, pid)
    assert (await connected.shell(device.address, "echo again")).stdout == b"again\n"


async def test_a_watch_outlives_a_server_that_others_start(connected: AdbClient, program: str) -> None:
    """Where no server may be started, the watch waits for one, and says once that there are no devices."""
    second = AdbClient(AdbSettings(port=connected.port, start=False), random=lambda: 0.0)
    await second.start()
    async with asyncio.timeout(20), contextlib.aclosing(second.watch()) as watch:
        assert len(await anext(watch)) == 1
        kill(connected.server_pid)
        assert await anext(watch) == []
        with pytest.raises(AdbUnavailableError):
            await second.version()
        following = asyncio.ensure_future(anext(watch))
        await connected.version()  # this one may, and does
        while not await following:
            following = asyncio.ensure_future(anext(watch))


async def test_a_watch_notices_a_server_that_hangs(connected: AdbClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediacore.adb.watch.PROBE_S", 0.05)
    second = AdbClient(AdbSettings(port=connected.port, start=False, request_timeout_s=0.1))
    await second.start()
    assert connected.server_pid is not None
    async with asyncio.timeout(20), contextlib.aclosing(second.watch()) as watch:
        assert len(await anext(watch)) == 1
        os.kill(connected.server_pid, signal.SIGSTOP)
        try:
            assert await anext(watch) == []
        finally:
            os.kill(connected.server_pid, signal.SIGCONT)
        assert len(await anext(watch)) == 1


async def test_a_watch_sees_devices_come_and_go(connected: AdbClient, device: SimulatedDevice) -> None:
    async with asyncio.timeout(20), contextlib.aclosing(connected.watch()) as watch:
        assert len(await anext(watch)) == 1
        await connected.disconnect(device.address)
        while await anext(watch):
            pass
        await connected.connect(device.address)
        async for devices in watch:
            if [found.state for found in devices] == ["device"]:
                break


async def test_a_server_that_cannot_be_started_again_is_not_tried_all_the_time(
    connected: AdbClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def fails(*_: object) -> None:
        nonlocal tries
        tries += 1
        raise AdbNotFoundError("gone")

    monkeypatch.setattr("mediacore.adb.server.AdbServer.start", fails)
    kill(connected.server_pid)
    results = await asyncio.gather(*(connected.version() for _ in range(10)), return_exceptions=True)
    assert all(isinstance(result, AdbError) for result in results)
    assert tries == 1


def open_fds() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


async def test_cancelled_calls_leave_nothing(connected: AdbClient, device: SimulatedDevice) -> None:
    """Each call is cancelled at each of its waits, until one gets through."""
    fds, tasks = open_fds(), len(asyncio.all_tasks())

    async def watch() -> None:
        async with contextlib.aclosing(connected.watch()) as watching:
            await anext(watching)

    async def use() -> None:
        async with await connected.open(device.address, "exec:cat") as stream:
            await stream.read()

    calls = (
        connected.version,
        connected.devices,
        lambda: connected.features(device.address),
        lambda: connected.shell(device.address, "true"),
        lambda: connected.exec_out(device.address, "true"),
        lambda: connected.connect(device.address),
        watch,
        use,
    )
    for call in calls:
        for turns in range(12):
            task = asyncio.ensure_future(call())
            for _ in range(turns):
                await asyncio.sleep(0)
            await asyncio.sleep(turns / 10_000)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    assert len(asyncio.all_tasks()) == tasks
    assert open_fds() == fds


async def test_failed_calls_leave_nothing(connected: AdbClient, device: SimulatedDevice) -> None:
    fds, tasks = open_fds(), len(asyncio.all_tasks())
    for _ in range(20):
        with pytest.raises(DeviceError):
            await connected.open("nowhere", "exec:true")
        with pytest.raises(DeviceError):
            await connected.open_socket(device.address, "bogus:")
        with pytest.raises(DeviceError):
            await connected.shell(device.address, "sleep 9", timeout_s=0.001)
    assert len(asyncio.all_tasks()) == tasks
    assert open_fds() == fds


async def test_starting_at_once_starts_one_server(program: str) -> None:
    client = AdbClient(AdbSettings(private=True, program=program))
    try:
        await asyncio.gather(*(client.start() for _ in range(5)))
        assert await client.version() == 41
    finally:
        pid = client.server_pid
        await client.close()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_addresses_of_the_settings_are_connected_at_start(program: str, device: SimulatedDevice) -> None:
    settings = AdbSettings(private=True, program=program, connect=(device.address, "127.0.0.1:1"))
    async with AdbClient(settings) as client:
        assert [found.serial for found in await client.devices() if found.state == "device"] == [device.address]
