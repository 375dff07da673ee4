import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.adb.devices import AdbDevice, parse_devices


@pytest.mark.parametrize(
    ("line", "device"),
    [
        (
            "127.0.0.1:15555        device product:sim model:SimPhone device:sim0 transport_id:1",
            AdbDevice("127.0.0.1:15555", "device", "SimPhone", "sim", 1),
        ),
        (  # a USB device has its place on the bus first
            "0123456789ABCDEF       device usb:1-4.2 product:oriole model:Pixel_6 device:oriole transport_id:12",
            AdbDevice("0123456789ABCDEF", "device", "Pixel_6", "oriole", 12),
        ),
        ("emulator-5554          offline transport_id:3", AdbDevice("emulator-5554", "offline", transport_id=3)),
        (
            "R58M123             unauthorized usb:1-1 transport_id:4",
            AdbDevice("R58M123", "unauthorized", transport_id=4),
        ),
        (
            "192.168.1.5:5555       connecting transport_id:9",
            AdbDevice("192.168.1.5:5555", "connecting", transport_id=9),
        ),
        (
            "ABC    no permissions (user in plugdev group; are your udev rules wrong?); see "
            "[http://developer.android.com/tools/device.html] usb:1-1 transport_id:5",
            AdbDevice("ABC", "no permissions", transport_id=5),
        ),
        ("(no serial number)     device product:x model:y", AdbDevice("(no serial number)", "device", "y", "x")),
        ("short\tdevice", AdbDevice("short", "device")),  # host:devices, without -l
        ("x device transport_id:many", AdbDevice("x", "device")),
        ("x device transport_id:²", AdbDevice("x", "device")),
    ],
)
def test_lines(line: str, device: AdbDevice) -> None:
    assert parse_devices(line + "\n") == [device]


def test_several_lines_keep_their_order() -> None:
    assert [device.serial for device in parse_devices("b device\na offline\n\n* daemon\n")] == ["b", "a", "*"]


@pytest.mark.parametrize("text", ["", "\n", "lonely\n", "   \n"])
def test_no_devices(text: str) -> None:
    assert parse_devices(text) == []


@given(st.text(max_size=200))
def test_any_text_is_a_list(text: str) -> None:
    for device in parse_devices(text):
        assert device.serial
        assert device.state
