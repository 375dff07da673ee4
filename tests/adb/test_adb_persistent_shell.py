"""One shell process on the device for many commands."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import pytest

from mediacore.adb.client import AdbClient
from mediacore.adb.shell import PersistentShell, ShellResult
from mediacore.errors import CommandError, DeviceDisconnectedError, DeviceNotFoundError, DeviceTimeoutError
from mediacore.testing import SimulatedDevice

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def shell(client: AdbClient, device: SimulatedDevice) -> AsyncIterator[PersistentShell]:
    await client.connect(device.address)
    async with PersistentShell(client, device.address) as opened:
        yield opened


async def test_each_command_has_its_own_result(shell: PersistentShell) -> None:
    assert await shell.run("echo one") == ShellResult(b"one\n", b"", 0)
    assert await shell.run("echo out; echo err >&2; false") == ShellResult(b"out\n", b"err\n", 1)
    assert await shell.run("nonsense 2>/dev/null") == ShellResult(b"", b"", 127)
    assert await shell.run("echo -n unfinished") == ShellResult(b"unfinished", b"", 0)
    assert await shell.run("") == ShellResult(b"", b"", 0)


async def test_it_is_one_process_on_the_device(shell: PersistentShell) -> None:
    await shell.run("kept=here")
    assert (await shell.run("echo $kept")).stdout == b"here\n"


async def test_devices_without_shell_v2(client: AdbClient, old_device: SimulatedDevice) -> None:
    await client.connect(old_device.address)
    async with PersistentShell(client, old_device.address) as shell:
        assert await shell.run("echo out; echo err >&2; false") == ShellResult(b"out\nerr\n", b"", 1)
        await shell.run("kept=here")
        assert (await shell.run("echo $kept")).stdout == b"here\n"
        with pytest.raises(DeviceDisconnectedError, match="shell ended"):
            await shell.run("exit 3")
        assert (await shell.run("echo again")).stdout == b"again\n"


async def test_commands_take_turns(shell: PersistentShell) -> None:
    results = await asyncio.gather(*(shell.run(f"echo {n}; echo {n} >&2") for n in range(20)))
    assert [(result.stdout, result.stderr) for result in results] == [(b"%d\n" % n,) * 2 for n in range(20)]


async def test_large_outputs_and_long_lines(shell: PersistentShell) -> None:
    assert len((await shell.run("head -c 1000000 /dev/zero")).stdout) == 1_000_000
    words = "x" * 20_000
    assert (await shell.run(f"echo {words}")).stdout == words.encode() + b"\n"


async def test_output_is_bounded(shell: PersistentShell) -> None:
    with pytest.raises(CommandError, match="more than 1000 bytes"):
        await shell.run("head -c 100000000 /dev/zero", max_bytes=1000)
    assert (await shell.run("echo next")).stdout == b"next\n"


async def test_a_command_that_does_not_end(shell: PersistentShell) -> None:
    await shell.run("kept=here")
    with pytest.raises(DeviceTimeoutError, match="'sleep 60' did not end within"):
        await shell.run("sleep 60", timeout_s=0.05)
    # what comes next has a shell of its own, and no output of the old one
    assert (await shell.run("echo [$kept]")).stdout == b"[]\n"


async def test_an_open_quote_swallows_no_later_command(shell: PersistentShell) -> None:
    with pytest.raises(DeviceTimeoutError):
        await shell.run("echo 'open", timeout_s=0.1)
    assert (await shell.run("echo fine")).stdout == b"fine\n"


async def test_waiting_for_the_turn_counts(shell: PersistentShell) -> None:
    slow = asyncio.create_task(shell.run("sleep 0.3; echo slow"))
    await asyncio.sleep(0)
    with pytest.raises(DeviceTimeoutError):
        await shell.run("echo fast", timeout_s=0.05)
    assert (await slow).stdout == b"slow\n"


async def test_a_line_that_ends_the_shell(shell: PersistentShell) -> None:
    assert await shell.run("echo bye; exit 9") == ShellResult(b"bye\n", b"", 9)
    assert (await shell.run("echo again")).stdout == b"again\n"


@pytest.mark.parametrize("line", ["two\nlines", "carriage\rreturn", "nothing\0"])
async def test_what_is_no_line(shell: PersistentShell, line: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        await shell.run(line)


async def test_cancelling_leaves_nothing(shell: PersistentShell) -> None:
    await shell.run("true")
    fds = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        task = asyncio.create_task(shell.run("sleep 60"))
        await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert (await shell.run("echo fine")).stdout == b"fine\n"
    assert len(os.listdir("/proc/self/fd")) == fds


async def test_closing_ends_a_command_at_any_moment(client: AdbClient, device: SimulatedDevice) -> None:
    await client.connect(device.address)
    fds = len(os.listdir("/proc/self/fd"))
    for turns in range(15):
        shell = PersistentShell(client, device.address)
        task = asyncio.create_task(shell.run("sleep 60"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.sleep(turns / 10_000)
        await shell.close()
        with pytest.raises(DeviceDisconnectedError):
            await task
        with pytest.raises(DeviceDisconnectedError, match="was closed"):
            await shell.run("true")
        assert len(os.listdir("/proc/self/fd")) == fds


async def test_an_unknown_device(client: AdbClient) -> None:
    async with PersistentShell(client, "nowhere") as shell:
        with pytest.raises(DeviceNotFoundError):
            await shell.run("true")


async def test_a_device_that_goes_away_and_comes_back(client: AdbClient) -> None:
    async with SimulatedDevice(size=(128, 256), scene="static") as device:
        await client.connect(device.address)
        async with PersistentShell(client, device.address) as shell:
            assert (await shell.run("echo here")).stdout == b"here\n"
            running = asyncio.create_task(shell.run("input keyevent 4; sleep 60"))
            assert len(await device.wait_for_inputs(1)) == 1
            await device.offline()
            with pytest.raises(DeviceDisconnectedError, match="still there"):
                await running
            await device.online()
            await client.connect(device.address)
            assert (await shell.run("echo back")).stdout == b"back\n"
