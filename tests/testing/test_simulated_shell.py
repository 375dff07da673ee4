"""The shell of a simulated device, without adb: the language, and the programs that need no picture."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.testing.options import DeviceOptions
from mediacore.testing.phone import Phone
from mediacore.testing.shared_pictures import SharedPictures
from mediacore.testing.shell import Io, LineSource
from mediacore.testing.shell_syntax import IncompleteError, ShellSyntaxError, parse


class Chunks:
    """Standard input in pieces, and an output that is remembered."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.written = b""

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def write(self, data: bytes) -> None:
        self.written += data


@dataclass(frozen=True)
class Done:
    code: int
    stdout: str
    stderr: str


Run = Callable[..., Awaitable[Done]]


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    phone = Phone(DeviceOptions(size=(360, 640), scene="static"), SharedPictures())
    await phone.start()
    yield phone
    await phone.close()


@pytest.fixture
def run(phone: Phone) -> Run:
    async def run_line(line: str | None, *stdin: bytes) -> Done:
        source, out, err = Chunks(*stdin), Chunks(), Chunks()
        io = Io(LineSource(source), out, err)
        shell = phone.new_shell()
        async with asyncio.timeout(5):
            code = await (shell.run_lines(io) if line is None else shell.run(line, io))
        return Done(code, out.written.decode(), err.written.decode())

    return run_line


LANGUAGE = {
    "echo a  b": "a b\n",
    "echo 'a  b' \"c  d\" e\\ f": "a  b c  d e f\n",
    "echo 'it'\\''s'": "it's\n",
    "echo a; echo b": "a\nb\n",
    "echo a;": "a\n",
    "true && echo yes || echo no": "yes\n",
    "false && echo yes || echo no": "no\n",
    "false; echo $?": "1\n",
    "! false; echo $?": "0\n",
    "x=5; echo $x ${x}1 '$x' \"$x\"": "5 51 $x 5\n",
    'x=; echo a $x "$x" b': "a  b\n",
    "CLASSPATH=/x echo a": "a\n",
    "echo a # b": "a\n",
    "echo a#b": "a#b\n",
    'echo "a;b" "\\$x" "\\n"': "a;b $x \\n\n",
    "echo a >/dev/null; echo b": "b\n",
    "echo a >/sdcard/f; cat /sdcard/f; echo b >>/sdcard/f; cat /sdcard/f": "a\na\nb\n",
    "cat </sdcard/none || echo $?": "1\n",
    "nothing 2>&1": "/system/bin/sh: nothing: inaccessible or not found\n",
    "nothing 2>/dev/null; echo $?": "127\n",
    "echo a | cat | cat": "a\n",
    "echo a b | head -c 1": "a",
    "head -c 10000000 /dev/zero | head -c 3 >/dev/null; echo $?": "0\n",
    "echo one | grep -q two; echo $?": "1\n",
    "{ echo a; echo b; } | grep b": "b\n",
    "(echo a; false); echo $?": "a\n1\n",
    "if true; then echo a; else echo b; fi": "a\n",
    "if false; then echo a; else echo b; fi": "b\n",
    "if false; then echo a; fi; echo $?": "0\n",
    "echo a | while read x; do echo got $x; done": "got a\n",
    "sh -c 'echo in; exit 3'; echo $?": "in\n3\n",
    "echo a; exit 4; echo b": "a\n",
    "/system/bin/echo a": "a\n",
    "printf '%s-%d\\n' x 5": "x-5\n",
    "echo -n a": "a",
    "echo $": "$\n",
    "which sh echo": "/system/bin/sh\n/system/bin/echo\n",
    "which nothing || echo none": "none\n",
    "echo a >&2 2>/dev/null": "",
}


@pytest.mark.parametrize("line", LANGUAGE)
async def test_the_language(run: Run, line: str) -> None:
    assert (await run(line)).stdout == LANGUAGE[line]


@pytest.mark.parametrize(
    "line", [")", "echo a; done", "| a", "echo a &", "echo `id`", "echo $(id)", "a > ; b", "; ; }"]
)
async def test_what_is_not_in_the_language_is_an_error(run: Run, line: str) -> None:
    done = await run(line)
    assert done.code == 2
    assert done.stderr.startswith("/system/bin/sh: ")


@pytest.mark.parametrize("text", ["echo 'a", 'echo "a', "echo a &&", "echo a |", "{ echo a", "while true; do", "a\\"])
def test_an_unfinished_line_is_told_from_a_wrong_one(text: str) -> None:
    with pytest.raises(IncompleteError):
        parse(text)


@given(st.text("ab '\"\\;&|(){}<>$?!#=\n12whiledone", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse(text)
    except ShellSyntaxError:
        pass


async def test_one_shell_takes_many_lines_in_any_pieces(run: Run) -> None:
    text = b"echo a\nx=1\necho 'b\nc'; ech"
    assert await run(None, text, b"o $x\n", b"fal", b"se\n") == Done(1, "a\nb\nc\n1\n", "")
    assert await run(None, b"echo a\nexit 7\necho b\n") == Done(7, "a\n", "")
    assert await run(None, b")\necho $?\n") == Done(0, "2\n", "/system/bin/sh: syntax error: unexpected ')'\n")


async def test_a_command_reads_what_follows_its_line(run: Run) -> None:
    assert await run(None, b"cat\nline two\n", b"line three") == Done(0, "line two\nline three", "")


async def test_exit_codes(run: Run) -> None:
    assert (await run("exit")).code == 0
    assert (await run("false; exit")).code == 1
    assert (await run("exit x")).code == 1
    assert (await run("rm /none")).code == 1
    assert (await run("rm -f /none")).code == 0


async def test_properties_and_display(run: Run, phone: Phone) -> None:
    assert (await run("getprop ro.product.model")).stdout == "SimPhone\n"
    assert "[ro.build.version.sdk]: [34]\n" in (await run("getprop")).stdout
    assert (await run("getprop no.such")).stdout == "\n"
    assert (await run("wm size")).stdout == "Physical size: 360x640\n"
    assert (await run("wm density")).stdout == "Physical density: 320\n"
    assert "orientation=0, logicalFrame=Rect(0, 0 - 360, 640)" in (await run("dumpsys display")).stdout
    await run("settings put system accelerometer_rotation 0; settings put system user_rotation 1")
    assert phone.display.size == (640, 360)
    assert "orientation=1, logicalFrame=Rect(0, 0 - 640, 360)" in (await run("dumpsys display")).stdout
    assert (await run("wm size")).stdout == "Physical size: 360x640\n"
    assert (await run("settings get system user_rotation")).stdout == "1\n"
    assert (await run("settings delete system user_rotation")).stdout == "Deleted 1 rows\n"
    assert (await run("wm user-rotation lock 0; cmd window user-rotation")).stdout == "lock\n"
    assert phone.display.size == (360, 640)
    for service in ("input", "window displays", "power", "SurfaceFlinger --display-id"):
        assert (await run(f"dumpsys {service}")).stdout


@pytest.mark.parametrize(
    "line",
    [
        "wm",
        "settings",
        "cmd nothing",
        "head",
        "head -c 1 /none",
        "cat /none",
        "sleep x",
        "grep",
        "screencap -x",
        "input",
        "input tap 1",
        "input tap a b",
        "input motionevent NONE 1 1",
        "input keyevent",
        "input text é",
    ],
)
async def test_bad_arguments_fail_with_a_word(run: Run, phone: Phone, line: str) -> None:
    done = await run(line)
    assert done.code != 0
    assert done.stderr
    assert not phone.inputs


async def test_inputs_are_recorded_with_their_effect(run: Run, phone: Phone) -> None:
    await run("input tap 10 20; input touchscreen swipe 0 0 100 200 40; input text 'a b'; input keyevent 4 26")
    await run("input motionevent DOWN 5 6; input -d 0 motionevent CANCEL 0 0; cmd statusbar expand-notifications")
    assert [(event.kind, event.args) for event in phone.inputs] == [
        ("tap", ("10", "20")),
        ("swipe", ("0", "0", "100", "200", "40")),
        ("text", ("a b",)),
        ("keyevent", ("4", "26")),
        ("motionevent", ("DOWN", "5", "6")),
        ("motionevent", ("CANCEL", "0", "0")),
        ("command", ("statusbar", "expand-notifications")),
    ]
    times = [event.time_us for event in phone.inputs]
    assert times == sorted(times)


@pytest.mark.parametrize(("sdk", "down", "cancel"), [(29, 255, 255), (30, 0, 255), (31, 0, 0)])
async def test_motion_events_need_their_api_level(sdk: int, down: int, cancel: int) -> None:
    phone = Phone(DeviceOptions(size=(128, 256), scene="static", sdk=sdk), SharedPictures())
    out = Chunks()
    io = Io(LineSource(Chunks()), out, Chunks())
    assert await phone.new_shell().run("input motionevent DOWN 1 1", io) == down
    assert await phone.new_shell().run("input motionevent CANCEL 1 1", io) == cancel
