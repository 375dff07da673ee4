"""Input reaches a simulated device through the real adb server and the device's shell."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator

import pytest

from mediacore.adb.client import AdbClient
from mediacore.capture.shell_control import ShellControl
from mediacore.control.mapping import PictureMapping
from mediacore.control.messages import (
    Clipboard,
    Command,
    CommandCode,
    Key,
    KeyAction,
    Message,
    Scroll,
    Text,
    Touch,
    TouchAction,
)
from mediacore.errors import DeviceDisconnectedError, UnsupportedError
from mediacore.media import DropCause
from mediacore.settings import AdbSettings
from mediacore.testing import SimulatedDevice

DISPLAY = (320, 640)
PICTURE = (160, 320)


class Setting:
    """A device, the control over it, and the mapping that the control asks for."""

    def __init__(self, device: SimulatedDevice, client: AdbClient, sdk: int) -> None:
        self.device = device
        self.mapping: PictureMapping | None = PictureMapping(PICTURE, DISPLAY)
        self.control = ShellControl(client, device.address, sdk=sdk, mapping=lambda: self.mapping)

    async def send(self, *messages: Message) -> None:
        for message in messages:
            await self.control.send(message)

    async def arrived(self, count: int) -> list[tuple[str, ...]]:
        return [(event.kind, *event.args) for event in await self.device.wait_for_inputs(count)]


@contextlib.asynccontextmanager
async def controlled(sdk: int = 34) -> AsyncIterator[Setting]:
    async with (
        SimulatedDevice(size=DISPLAY, scene="static", sdk=sdk) as device,
        AdbClient(AdbSettings(private=True, connect=(device.address,))) as client,
    ):
        setting = Setting(device, client, sdk)
        try:
            yield setting
        finally:
            await setting.control.close()


def touch(action: TouchAction, x: float, y: float, pointer: int = 0) -> Touch:
    """A touch at shares of the picture."""
    return Touch(action, pointer, round(x * 65535), round(y * 65535), 65535, *PICTURE)


async def test_a_touch_on_the_picture_arrives_at_its_pixel() -> None:
    async with controlled() as setting:
        await setting.send(touch(TouchAction.DOWN, 0.5, 0.25))
        await setting.arrived(1)
        await setting.send(touch(TouchAction.MOVE, 1, 1))
        await setting.arrived(2)
        await setting.send(touch(TouchAction.UP, 0, 1))
        assert await setting.arrived(3) == [
            ("motionevent", "DOWN", "160", "160"),
            ("motionevent", "MOVE", "319", "639"),
            ("motionevent", "UP", "0", "639"),
        ]
        assert not setting.control.drops()


async def test_before_android_11_a_tap_is_one_command() -> None:
    async with controlled(sdk=28) as setting:
        await setting.send(touch(TouchAction.DOWN, 0.5, 0.5), touch(TouchAction.UP, 0.5, 0.5))
        assert await setting.arrived(1) == [("tap", "160", "320")]


async def test_the_black_border_is_not_part_of_the_display() -> None:
    async with controlled() as setting:
        setting.mapping = PictureMapping((640, 640), DISPLAY)
        await setting.send(Touch(TouchAction.DOWN, 0, 32768, 32768, 0, 640, 640))
        assert await setting.arrived(1) == [("motionevent", "DOWN", "160", "320")]


async def test_text_keys_and_commands() -> None:
    text = "50%s 'off'; $(reboot)\n"
    async with controlled() as setting:
        await setting.send(
            Text(text),
            Key(KeyAction.DOWN, 67, 0),
            Key(KeyAction.UP, 67, 0),
            Command(CommandCode.HOME),
            Command(CommandCode.NOTIFICATIONS),
            Scroll(32768, 32768, 0, 256, *PICTURE),
        )
        assert await setting.arrived(7) == [
            ("text", "50%"),
            ("text", "s%s'off';%s$(reboot)"),
            ("keyevent", "66"),
            ("keyevent", "67"),
            ("keyevent", "3"),
            ("command", "statusbar", "expand-notifications"),
            ("swipe", "160", "320", "160", "373", "200"),
        ]


async def test_rotate_turns_the_display_and_back() -> None:
    async with controlled() as setting:
        for expected in (90, 0):
            await setting.send(Command(CommandCode.ROTATE), Command(CommandCode.BACK))
            await setting.arrived(1)
            await setting.device.clear_inputs()
            assert (await setting.device.stats())["rotation"] == expected


@pytest.mark.parametrize("message", [Clipboard("x"), Command(CommandCode.SCREEN_OFF), Text("ü")], ids=repr)
async def test_what_cannot_be_done_is_told_at_once(message: Message) -> None:
    async with controlled() as setting:
        with pytest.raises(UnsupportedError):
            await setting.send(message)
        assert setting.control.drops() == {DropCause.UNSUPPORTED: 1}


async def test_a_second_finger_is_refused_and_the_first_goes_on() -> None:
    async with controlled() as setting:
        await setting.send(touch(TouchAction.DOWN, 0, 0, pointer=1))
        with pytest.raises(UnsupportedError, match="second finger"):
            await setting.send(touch(TouchAction.DOWN, 1, 1, pointer=2))
        await setting.send(touch(TouchAction.UP, 1, 1, pointer=2), touch(TouchAction.UP, 0, 0, pointer=1))
        assert [event[1] for event in await setting.arrived(2)] == ["DOWN", "UP"]
        assert setting.control.drops() == {DropCause.UNSUPPORTED: 2}


async def test_moves_merge_while_the_device_is_busy() -> None:
    async with controlled() as setting:
        moves = [touch(TouchAction.MOVE, n / 100, 0) for n in range(1, 100)]
        await setting.send(touch(TouchAction.DOWN, 0, 0), *moves, touch(TouchAction.UP, 1, 1))
        assert await setting.arrived(3) == [
            ("motionevent", "DOWN", "0", "0"),
            ("motionevent", "MOVE", "316", "0"),
            ("motionevent", "UP", "319", "639"),
        ]
        assert setting.control.drops() == {DropCause.MERGED: 98}


async def test_a_turned_picture_lifts_the_finger() -> None:
    async with controlled() as setting:
        await setting.send(touch(TouchAction.DOWN, 0, 0))
        await setting.arrived(1)
        setting.mapping = PictureMapping((320, 160), (640, 320))
        await setting.send(
            touch(TouchAction.MOVE, 0.5, 0.5), touch(TouchAction.UP, 0.5, 0.5), Command(CommandCode.BACK)
        )
        assert await setting.arrived(3) == [
            ("motionevent", "DOWN", "0", "0"),
            ("motionevent", "CANCEL", "0", "0"),
            ("keyevent", "4"),
        ]
        assert setting.control.drops() == {DropCause.GESTURE_CANCELLED: 2}


async def test_closing_lifts_a_finger_that_is_down() -> None:
    async with controlled() as setting:
        await setting.send(touch(TouchAction.DOWN, 0, 0))
        await setting.arrived(1)
        await setting.control.close()
        assert (await setting.arrived(2))[1] == ("motionevent", "CANCEL", "0", "0")
        with pytest.raises(DeviceDisconnectedError):
            await setting.send(Text("late"))


async def test_a_device_that_went_away_costs_input_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async with controlled() as setting:
        await setting.send(touch(TouchAction.DOWN, 0, 0))
        await setting.arrived(1)
        await setting.device.offline()
        with caplog.at_level(logging.DEBUG):
            await setting.send(Text("my password"), Command(CommandCode.BACK))
            async with asyncio.timeout(10):
                while setting.control.drops().get(DropCause.DEVICE_FAILED, 0) < 2:
                    await asyncio.sleep(0.01)
            await asyncio.wait_for(setting.control.close(), 2)
        assert "password" not in caplog.text


async def test_a_command_that_the_device_refuses_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with controlled(sdk=30) as setting:
        setting.control = ShellControl(
            setting.control._shell._client, setting.device.address, sdk=35, mapping=lambda: setting.mapping
        )
        await setting.send(Scroll(32768, 32768, 0, 256, *PICTURE), Command(CommandCode.BACK))
        assert await setting.arrived(1) == [("keyevent", "4")]
        assert setting.control.drops() == {DropCause.DEVICE_FAILED: 1}
        assert "`input touchscreen`" in caplog.text


async def test_open_and_close_leave_nothing() -> None:
    async with controlled() as setting:
        client = setting.control._shell._client
        fds, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        for _ in range(5):
            control = ShellControl(client, setting.device.address, sdk=34, mapping=lambda: setting.mapping)
            await control.send(Text("a"))
            await control.close()
            await control.close()
        assert (len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())) == (fds, tasks)
