"""SimulatedDevice and its process, as programs use them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pictures import decode
from real_adb import Adb

from mediacore.errors import SettingsError
from mediacore.testing import DeviceOptions, SimulatedDevice, SimulatedFleet, simulate
from mediacore.testing.control import PhoneControl, answer, serve_requests
from mediacore.testing.device_process import SimulationError
from mediacore.testing.phone import Phone
from mediacore.testing.shared_pictures import SharedPictures


def is_alive(pid: int) -> bool:
    """False also for a zombie: it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_device_is_used_and_leaves_nothing(adb: Adb) -> None:
    async with SimulatedDevice(size=(180, 320), scene="static") as device:
        pid = device.pid
        await adb.run("connect", device.address)
        async with adb.started(
            "-s", device.address, "exec-out", "screenrecord --output-format=h264 --time-limit 2 -"
        ) as process:
            assert await device.wait_for_recordings(1) == 1
            await device.touch(90, 200)
            stdout, _ = await asyncio.wait_for(process.communicate(), 20)
        (picture,) = decode(stdout)
        assert picture.dot is not None
        await device.touch(1, 2, "down", 3)
        await adb.run("-s", device.address, "shell", "input keyevent 4")
        events = await device.wait_for_inputs(3)
        assert [(event.kind, event.args) for event in events] == [
            ("touch", ("tap", "90", "200", "0")),
            ("touch", ("down", "1", "2", "3")),
            ("keyevent", ("4",)),
        ]
        await device.clear_inputs()
        assert await device.inputs() == []
        assert await device.wait_for_inputs(1, timeout_s=0.05) == []
        await device.rotate(90)
        stats = await device.stats()
        assert stats["rotation"] == 90
        assert stats["frames_sent"] == 1
        await adb.run("disconnect", device.address)
    assert not is_alive(pid)


async def test_each_fault_is_a_method(adb: Adb) -> None:
    async with SimulatedDevice(size=(180, 320), scene="static") as device:
        await device.show("scroll")
        await device.stall(0.01)
        await device.slow(1)
        await device.slow(0)
        await device.freeze()
        await device.unfreeze()
        await device.cut()
        await device.unauthorize()
        await adb.run("connect", device.address)
        await adb.wait_for(device.address, "unauthorized")
        await device.authorize()
        await adb.wait_for(device.address, "device")
        await device.offline()
        await adb.wait_for(device.address, "offline")
        await device.online()
        await adb.run("disconnect", device.address)


def test_a_device_without_an_event_loop() -> None:
    with SimulatedDevice(scene="static") as device:
        device.start()  # it runs already
        device.call("touch", x=5, y=6)
        assert device.call("stats")["inputs"] == 1
        with pytest.raises(SimulationError, match="there is no scene 'none', only static, scroll, video, rotation"):
            device.call("show", scene="none")
        with pytest.raises(SimulationError, match="degrees is 45"):
            device.call("rotate", degrees=45)
        with pytest.raises(SimulationError, match="action is 'poke'"):
            device.call("touch", x=0, y=0, action="poke")
        with pytest.raises(SimulationError, match="kind is 'burn', it must be one of half, words, resized, cut"):
            device.call("spoil", kind="burn", count=1, program="screencap")
        with pytest.raises(SimulationError, match="count is 0"):
            device.call("spoil", kind="half", count=0, program="screencap")
        with pytest.raises(SimulationError, match="program is 'cat'"):
            device.call("spoil", kind="half", count=1, program="cat")
        with pytest.raises(SimulationError, match="no request 'dance'"):
            device.call("dance")
    device.stop()  # it has stopped already
    with pytest.raises(SettingsError, match="not started"):
        device.call("stats")


def test_it_is_ready_within_a_second() -> None:
    """The best of three: 0.2 s on an idle machine, and others may keep this one busy."""
    times = []
    for _ in range(3):
        start = time.monotonic()
        with SimulatedDevice():
            times.append(time.monotonic() - start)
    assert min(times) < 1


async def test_a_fleet_shares_one_process(adb: Adb) -> None:
    async with SimulatedFleet(3, size=(180, 320), scene="static") as fleet:
        assert len({device.port for device in fleet.devices}) == 3
        assert {device.pid for device in fleet.devices} == {fleet.pid}
        await fleet.devices[1].touch(1, 2)
        assert [len(await device.inputs()) for device in fleet.devices] == [0, 1, 0]
        for number, address in enumerate(fleet.addresses):
            await adb.run("connect", address)
            done = await adb.run("-s", address, "shell", "getprop ro.serialno")
            assert done.stdout == b"SIM%04d\n" % (number + 1)
            await adb.run("disconnect", address)
        pid = fleet.pid
    assert not is_alive(pid)
    assert fleet.pid == 0


def test_a_fleet_without_an_event_loop() -> None:
    with SimulatedFleet(2, scene="static") as fleet:
        fleet.start()
        assert len(fleet.addresses) == 2
    fleet.stop()
    with pytest.raises(SettingsError, match="between 1 and 200"):
        SimulatedFleet(0)


def test_a_process_that_cannot_start_says_why() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SimulationError, match=f"cannot listen on 127.0.0.1:{port}"):
            SimulatedDevice(port=port).start()


def test_a_process_that_dies_fails_what_waits_for_it() -> None:
    with SimulatedDevice(scene="static") as device:
        os.kill(device.pid, signal.SIGKILL)
        with pytest.raises(SimulationError, match="has ended"):
            device.call("inputs", count=1, timeout_s=60.0)


def test_what_the_process_complains_of_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    with SimulatedDevice(scene="static") as device:
        process = device._process
        assert process is not None
        process._stderr.write(b"a complaint\n")
        process._stderr.flush()
    assert "a complaint" in caplog.text


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(
        "import os, sys\n"
        "from mediacore.testing import SimulatedDevice\n"
        "device = SimulatedDevice(scene='static')\n"
        "device.start()\n"
        "print(device.pid, flush=True)\n"
        "os._exit(0)\n"  # no clean-up of any kind
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, timeout=30, check=True)
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the process is not our child: nothing tells us of its end


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--size", "720"], "size is '720', it must be like 720x1280"),
        (["--size", "721x1280"], "both sides must be even"),
        (["--size", "10x10"], "width is 10"),
        (["--fps", "0"], "fps is 0, it must be between 1 and 240"),
        (["--devices", "0"], "devices is 0"),
        (["--scene", "rotation", "--encode", "loop"], "cannot be a loop"),
        (["--protocol-version", "5"], "protocol_version"),
        (["--screencap-header", "13"], "screencap_header"),
        (["--model", "a b"], "model"),
        (["--max-payload", "5"], "max_payload"),
        (["--screencap-s", "png"], "screencap_s is 'png', it must be like raw=0.1,png=0.5"),
    ],
)
def test_bad_options_are_refused_in_words(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(words) == 2
    assert text in capsys.readouterr().err


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(SettingsError, match="no such option"):
        SimulatedDevice(colour="red")
    with pytest.raises(SettingsError, match="must be one of static, scroll, video, rotation"):
        SimulatedDevice(scene="none")


def test_options_survive_the_command_line() -> None:
    options = DeviceOptions(
        port=5555,
        size=(1080, 1920),
        fps=60,
        scene="video",
        unlimited_screenrecord=False,
        features=("shell_v2",),
        sdk=30,
        screencap_jpeg=True,
        screencap_s={"raw": 0.25, "jpeg": 1.0},
        video_encoder=False,
        screenrecord_frames=False,
        link_bps=100_000_000,
    )
    assert simulate.parse_arguments(simulate.arguments(options)) == (options, 1, False)
    assert simulate.parse_arguments([]) == (DeviceOptions(), 1, False)
    assert simulate.parse_arguments(simulate.arguments(DeviceOptions(features=())))[0].features == ()


def test_ports_and_serial_numbers_count_up() -> None:
    each = simulate.options_of_each(DeviceOptions(port=6000, serial="X09"), 3)
    assert [(options.port, options.serial) for options in each] == [(6000, "X09"), (6001, "X10"), (6002, "X11")]
    assert [options.port for options in simulate.options_of_each(DeviceOptions(), 2)] == [0, 0]


async def test_the_program_runs_until_a_signal(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    task = asyncio.create_task(simulate.run(DeviceOptions(scene="static"), 2, controlled=False))
    said = b""
    async with asyncio.timeout(10):
        while b"\n" not in said:
            await asyncio.sleep(0.01)  # its line comes through a file descriptor
            said += capfdbinary.readouterr().out
    ready = json.loads(said)
    assert ready["ready"] is True
    assert ready["pid"] == os.getpid()
    assert len(ready["ports"]) == 2
    assert ready["port"] == ready["ports"][0]
    _, writer = await asyncio.open_connection("127.0.0.1", ready["port"])
    writer.close()
    await writer.wait_closed()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        await task


async def test_requests_are_answered_in_the_order_they_are_done() -> None:
    phone = Phone(DeviceOptions(size=(180, 320), scene="static"), SharedPictures())
    reader = asyncio.StreamReader()
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    requests = [
        {"id": 1, "method": "inputs", "args": {"count": 1, "timeout_s": 5}},
        {"id": 2, "method": "recordings", "args": {"count": 0, "timeout_s": 5}},
        {"id": 3, "method": "touch", "args": {"x": 1, "y": 2}},
    ]
    reader.feed_data(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
    task = asyncio.create_task(serve_requests([PhoneControl(phone)], reader, answers.put_nowait))
    async with asyncio.timeout(5):
        done = [json.loads(await answers.get()) for _ in requests]
        reader.feed_eof()
        await asyncio.wait((task,))
    assert {answer["id"] for answer in done} == {1, 2, 3}
    assert done[0] == {"id": 2, "result": 0}


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"id": 1}',
        b'{"id": 1, "method": "_phone"}',
        b'{"id": 1, "method": "stats", "device": 9}',
        b'{"id": 1, "method": "touch", "args": {"z": 1}}',
        b'{"id": 1, "method": "rotate", "args": {"degrees": "up"}}',
        b'{"id": 1, "method": 5}',
    ],
)
async def test_bad_requests_get_an_error(line: bytes) -> None:
    phone = Phone(DeviceOptions(size=(180, 320), scene="static"), SharedPictures())
    assert "error" in json.loads(await answer([PhoneControl(phone)], line))
