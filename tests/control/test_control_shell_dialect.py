import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mediacore.control.mapping import PictureMapping
from mediacore.control.messages import (
    Clipboard,
    Command,
    CommandCode,
    Key,
    KeyAction,
    Message,
    Ping,
    Scroll,
    Text,
    Touch,
    TouchAction,
)
from mediacore.control.shell_dialect import STALE_FINGER_US, ShellDialect, rotate_lines, text_lines
from mediacore.errors import UnsupportedError
from mediacore.media import DropCause

MAPPING = PictureMapping((360, 640), (720, 1280))
TURNED = PictureMapping((640, 360), (1280, 720))
MS = 1000


def place(pixel: int, side: int) -> int:
    """The 16 bit position of the middle of a display's pixel."""
    return int((pixel + 0.5) / side * 65536)


def touch(action: TouchAction, x: int, y: int, pointer: int = 0, size: tuple[int, int] = (360, 640)) -> Touch:
    return Touch(action, pointer, place(x, 720), place(y, 1280), 65535, *size)


DOWN, MOVE, UP, CANCEL = TouchAction.DOWN, TouchAction.MOVE, TouchAction.UP, TouchAction.CANCEL


def lines(dialect: ShellDialect, *messages: Message, mapping: PictureMapping | None = MAPPING) -> list[str]:
    found: list[str] = []
    for at, message in enumerate(messages):
        if dialect.admit(message, at * 100 * MS) is None:
            found += dialect.translate(message, mapping, at * 100 * MS).lines
    return found


def test_a_finger_is_followed_where_the_device_can() -> None:
    assert lines(ShellDialect(34), touch(DOWN, 10, 20), touch(MOVE, 30, 40), touch(UP, 50, 60)) == [
        "input motionevent DOWN 10 20",
        "input motionevent MOVE 30 40",
        "input motionevent UP 50 60",
    ]


@pytest.mark.parametrize(("sdk", "line"), [(34, "input motionevent CANCEL 30 40"), (30, "input motionevent UP 30 40")])
def test_a_cancelled_gesture_ends_where_the_finger_was(sdk: int, line: str) -> None:
    dialect = ShellDialect(sdk)
    assert lines(dialect, touch(DOWN, 10, 20), touch(MOVE, 30, 40), touch(CANCEL, 0, 0))[-1] == line
    assert dialect.release() == ()


def test_a_finger_that_is_down_can_be_released() -> None:
    dialect = ShellDialect(34)
    lines(dialect, touch(DOWN, 10, 20))
    assert dialect.release() == ("input motionevent CANCEL 10 20",)
    assert dialect.release() == ()


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ([(DOWN, 100, 100, 0), (UP, 105, 100, 80)], "input tap 100 100"),
        ([(DOWN, 100, 100, 0), (MOVE, 104, 100, 300), (UP, 100, 100, 900)], "input swipe 100 100 100 100 900"),
        ([(DOWN, 100, 100, 0), (MOVE, 300, 100, 50), (UP, 500, 200, 120)], "input swipe 100 100 500 200 120"),
        ([(DOWN, 100, 100, 0), (UP, 500, 200, 1)], "input swipe 100 100 500 200 50"),
        ([(DOWN, 100, 100, 0), (UP, 500, 200, 60_000)], "input swipe 100 100 500 200 3000"),
    ],
)
@pytest.mark.parametrize("sdk", [0, 29])
def test_before_android_11_a_gesture_is_one_command(
    sdk: int, steps: list[tuple[TouchAction, int, int, int]], line: str
) -> None:
    dialect = ShellDialect(sdk)
    found: list[str] = []
    for action, x, y, now_ms in steps:
        found += dialect.translate(touch(action, x, y), MAPPING, now_ms * MS).lines
    assert found == [line]


def test_before_android_11_a_cancelled_gesture_never_was() -> None:
    assert lines(ShellDialect(29), touch(DOWN, 10, 20), touch(CANCEL, 10, 20), touch(UP, 10, 20)) == []


def test_a_turned_picture_cancels_the_gesture() -> None:
    dialect = ShellDialect(34)
    assert lines(dialect, touch(DOWN, 10, 20)) == ["input motionevent DOWN 10 20"]
    turned = dialect.translate(touch(MOVE, 30, 40), TURNED, 0)
    assert turned.lines == ("input motionevent CANCEL 10 20",)
    assert turned.dropped == DropCause.GESTURE_CANCELLED
    for action in (MOVE, UP):  # the page sees the new picture, but the gesture is over
        late = dialect.translate(touch(action, 1, 1, size=(640, 360)), TURNED, 0)
        assert late.lines == ()
        assert late.dropped == DropCause.GESTURE_CANCELLED
    assert dialect.translate(touch(DOWN, 0, 0, size=(640, 360)), TURNED, 0).lines == ("input motionevent DOWN 0 0",)


def test_before_the_first_picture_there_is_nothing_to_touch() -> None:
    dialect = ShellDialect(34)
    for message in (touch(DOWN, 1, 1), Scroll(1, 1, 256, 0, 360, 640)):
        assert dialect.translate(message, None, 0).dropped == DropCause.GESTURE_CANCELLED


def test_a_second_finger_is_refused_once_per_touch() -> None:
    dialect = ShellDialect(34)
    assert dialect.admit(touch(DOWN, 1, 1, pointer=5), 0) is None
    with pytest.raises(UnsupportedError, match="second finger"):
        dialect.admit(touch(DOWN, 1, 1, pointer=6), 0)
    assert dialect.admit(touch(MOVE, 1, 1, pointer=6), 0) == DropCause.UNSUPPORTED
    assert dialect.admit(touch(UP, 1, 1, pointer=6), 0) == DropCause.UNSUPPORTED
    assert dialect.admit(touch(UP, 1, 1, pointer=5), 0) is None
    assert dialect.admit(touch(DOWN, 1, 1, pointer=6), 0) is None


def test_a_finger_that_a_viewer_left_behind_gives_way() -> None:
    dialect = ShellDialect(34)
    assert lines(dialect, touch(DOWN, 1, 1, pointer=5)) == ["input motionevent DOWN 1 1"]
    other = touch(DOWN, 2, 2, pointer=6)
    with pytest.raises(UnsupportedError):
        dialect.admit(other, STALE_FINGER_US)
    assert dialect.admit(other, STALE_FINGER_US + 1) is None
    assert dialect.translate(other, MAPPING, 0).lines == ("input motionevent CANCEL 1 1", "input motionevent DOWN 2 2")


def test_a_lost_end_is_made_up_for_at_the_next_begin() -> None:
    again = [touch(DOWN, 1, 1), touch(DOWN, 2, 2), touch(UP, 2, 2)]
    assert lines(ShellDialect(34), *again) == [
        "input motionevent DOWN 1 1",
        "input motionevent CANCEL 1 1",
        "input motionevent DOWN 2 2",
        "input motionevent UP 2 2",
    ]
    assert lines(ShellDialect(29), *again) == ["input tap 2 2"]


@pytest.mark.parametrize(
    ("sdk", "h", "v", "line"),
    [
        (35, 0, 256, "input touchscreen scroll 360 640 --axis VSCROLL,1"),
        (35, -128, 0, "input touchscreen scroll 360 640 --axis HSCROLL,-0.5"),
        (36, 256, -512, "input touchscreen scroll 360 640 --axis HSCROLL,1 --axis VSCROLL,-2"),
        (34, 0, 256, "input swipe 360 640 360 760 200"),  # up: the finger drags the picture down
        (34, 0, -256, "input swipe 360 640 360 520 200"),
        (34, 256, 0, "input swipe 360 640 240 640 200"),  # right: the finger drags the picture left
        (34, 32767, 0, "input swipe 360 640 0 640 200"),  # no further than the edge
        (34, 0, -32768, "input swipe 360 640 360 0 200"),
        (21, 0, 32767, "input swipe 360 640 360 1279 200"),
    ],
)
def test_the_wheel(sdk: int, h: int, v: int, line: str) -> None:
    message = Scroll(place(360, 720), place(640, 1280), h, v, 360, 640)
    assert lines(ShellDialect(sdk), message) == [line]


def test_a_wheel_that_did_not_turn_and_a_turned_picture() -> None:
    assert lines(ShellDialect(34), Scroll(0, 0, 0, 0, 360, 640)) == []
    assert ShellDialect(34).translate(Scroll(0, 0, 1, 1, 640, 360), MAPPING, 0).dropped == DropCause.GESTURE_CANCELLED


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (CommandCode.BACK, "input keyevent 4"),
        (CommandCode.HOME, "input keyevent 3"),
        (CommandCode.RECENTS, "input keyevent 187"),
        (CommandCode.POWER, "input keyevent 26"),
        (CommandCode.VOLUME_UP, "input keyevent 24"),
        (CommandCode.VOLUME_DOWN, "input keyevent 25"),
        (CommandCode.WAKE, "input keyevent 224"),
        (CommandCode.NOTIFICATIONS, "cmd statusbar expand-notifications"),
    ],
)
def test_commands(command: CommandCode, line: str) -> None:
    assert lines(ShellDialect(34), Command(command)) == [line]


@pytest.mark.parametrize(("now", "then"), [(0, 1), (90, 0), (180, 1), (270, 0)])
def test_rotate_changes_between_upright_and_sideways(now: int, then: int) -> None:
    assert rotate_lines(now) == (
        "settings put system accelerometer_rotation 0",
        f"settings put system user_rotation {then}",
    )


def test_a_key_is_injected_once() -> None:
    assert lines(ShellDialect(34), Key(KeyAction.DOWN, 66, 0), Key(KeyAction.UP, 66, 0)) == ["input keyevent 66"]


SHIFT, CTRL, CAPS_LOCK = 0x1, 0x1000, 0x100000


@pytest.mark.parametrize(
    "message",
    [
        Clipboard("secret"),
        Command(CommandCode.SCREEN_OFF),
        Key(KeyAction.DOWN, 31, CTRL),
        Text("Grüße"),
        Text("bell \x07"),
        Text("null \0"),
        Ping(1),
    ],
    ids=repr,
)
def test_what_the_shell_cannot_do_has_a_reason(message: Message) -> None:
    with pytest.raises(UnsupportedError) as caught:
        ShellDialect(34).admit(message, 0)
    assert len(str(caught.value)) > 20
    assert "secret" not in str(caught.value)


def test_shift_and_locks_do_not_keep_a_key_from_working() -> None:
    assert lines(ShellDialect(34), Key(KeyAction.DOWN, 61, SHIFT | CAPS_LOCK)) == ["input keyevent 61"]
    assert ShellDialect(34).admit(Key(KeyAction.UP, 31, CTRL), 0) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("abc", ["input text abc"]),
        ("two words", ["input text two%swords"]),
        ("a\nb", ["input text a", "input keyevent 66", "input text b"]),
        ("a\r\n\tb", ["input text a", "input keyevent 66", "input keyevent 61", "input text b"]),
        ("100%s", ["input text 100%", "input text s"]),  # %s in one piece would be a blank
        ("% s", ["input text %%ss"]),
        ("$(reboot)", ["input text '$(reboot)'"]),
        ("it's", ["""input text 'it'"'"'s'"""]),
        ("-x", ["input text -x"]),
    ],
)
def test_text(text: str, expected: list[str]) -> None:
    assert text_lines(text) == expected


def typed(found: list[str]) -> str:
    """What a device would type: POSIX splitting, then what InputShellCommand.sendText does with ``%s``."""
    text = ""
    for line in found:
        assert "\n" not in line
        assert "\0" not in line
        words = shlex.split(line)
        assert words[0] == "input"
        assert len(words) == 3
        if words[1] == "keyevent":
            text += {"66": "\n", "61": "\t"}[words[2]]
            continue
        assert words[1] == "text"
        letters = list(words[2])
        escaped = False
        at = 0
        while at < len(letters):
            if escaped:
                escaped = False
                if letters[at] == "s":
                    letters[at] = " "
                    at -= 1
                    del letters[at]
            if letters[at] == "%":
                escaped = True
            at += 1
        text += "".join(letters)
    return text


ASCII = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.sampled_from("\n\t%s '\"\\$`;|&"), max_size=400
)


@given(ASCII)
@example("%s%s %%s s% %")
@example("'; reboot; '")
@example("$(id) `id` ${HOME} \\ \" ' # ~ * ? [a] {b} ! < > | & ;")
@example("%" * 300 + "s" * 300)
def test_any_text_arrives_as_it_is_and_as_one_argument(text: str) -> None:
    assert typed(text_lines(text)) == text


@given(st.text(max_size=60))
def test_any_text_at_all_is_typed_or_refused(text: str) -> None:
    try:
        found = text_lines(text)
    except UnsupportedError:
        assert not all(letter in "\r\n\t" or (letter.isascii() and letter.isprintable()) for letter in text)
    else:
        assert typed(found) == text.replace("\r\n", "\n").replace("\r", "\n")


def test_a_message_for_somebody_else_is_not_translated() -> None:
    assert ShellDialect(34).translate(Clipboard("a"), MAPPING, 0).dropped == DropCause.UNSUPPORTED
