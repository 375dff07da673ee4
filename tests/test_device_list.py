"""Devices and recordings as one list."""

from pathlib import Path

import pytest

from mediacore.device_list import DeviceList, recording_serials
from mediacore.errors import DeviceNotFoundError
from mediacore.media import DeviceState


def test_recordings_of_equal_stems_get_numbers() -> None:
    paths = [Path("a/clip.h264"), Path("b/clip.mp4"), Path("c/clip.tar.264"), Path("d/clip")]
    assert list(recording_serials(paths)) == ["file:clip", "file:clip-2", "file:clip.tar", "file:clip-3"]


async def test_recordings_need_no_adb() -> None:
    devices = DeviceList(None, {"file:clip": Path("clip.h264")})
    (device,) = devices.list()
    assert device.state is DeviceState.DEVICE
    assert device.size is None
    assert await devices.require("file:clip") == device
    with pytest.raises(DeviceNotFoundError, match="there are: file:clip"):
        await devices.require("file:other")
    await devices.close()
