"""What a device says of its display, and what it cannot mean."""

import pytest

from mediacore.adb.shell import ShellResult
from mediacore.capture.display import Display, read_display
from mediacore.errors import CaptureError


class Says:
    """A shell whose device gives these answers."""

    def __init__(self, size: bytes, orientation: int = 0) -> None:
        self._answers = {"wm size": size, "dumpsys display": b"DisplayViewport{orientation=%d}\n" % orientation}

    async def run(self, command: str, *, timeout_s: float) -> ShellResult:
        del timeout_s
        return ShellResult(self._answers[command.split(" |", maxsplit=1)[0]], b"", 0)


@pytest.mark.parametrize(
    ("said", "size"),
    [
        (b"Physical size: 1080x2400\n", (1080, 2400)),
        (b"Physical size: 1080x2400\r\nOverride size: 720x1600\r\n", (720, 1600)),
        (b"Physical size: 16384x4096\n", (16384, 4096)),
    ],
)
async def test_a_display_has_the_size_that_is_shown(said: bytes, size: tuple[int, int]) -> None:
    display = await read_display(Says(said, 1), "a device")  # type: ignore[arg-type]
    assert display == Display(size, 90)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"/system/bin/sh: wm: not found\n",
        b"Physical size: 0x0\n",
        b"Physical size: 1080x0\n",
        b"Physical size: 99999x99999\n",
        b"Physical size: 16384x16384\n",
        b"Physical size: 1x16385\n",
        b"Physical size: " + b"9" * 5000 + b"x1\n",
        b"Physical size: 1080x2400\nOverride size: 0x0\n",
    ],
)
async def test_a_size_that_no_display_has_is_the_devices_fault(said: bytes) -> None:
    """It was taken for one, and became a ValueError that ended the capture without a word."""
    with pytest.raises(CaptureError, match="wm size"):
        await read_display(Says(said), "a device")  # type: ignore[arg-type]
