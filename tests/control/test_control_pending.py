import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.control.messages import (
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
from mediacore.control.pending import MAX_HELD, PendingInput
from mediacore.media import DropCause


def down(pointer: int = 0, x: int = 0) -> Touch:
    return Touch(TouchAction.DOWN, pointer, x, 0, 0, 2, 3)


def move(pointer: int = 0, x: int = 0) -> Touch:
    return Touch(TouchAction.MOVE, pointer, x, 0, 0, 2, 3)


def up(pointer: int = 0, x: int = 0) -> Touch:
    return Touch(TouchAction.UP, pointer, x, 0, 0, 2, 3)


def scroll(v: int, width: int = 2) -> Scroll:
    return Scroll(0, 0, 1, v, width, 3)


A_KEY = Key(KeyAction.DOWN, 4, 0)


def drain(pending: PendingInput) -> list[Message]:
    messages = []
    while (message := pending.pop()) is not None:
        messages.append(message)
    return messages


@pytest.mark.parametrize(
    ("put", "expected"),
    [
        ([down(), move(0, 1), move(0, 2), move(0, 3), up()], [down(), move(0, 3), up()]),
        # fingers move independently, and both keep their last place
        (
            [down(0), down(1), move(0, 1), move(1, 1), move(0, 2), move(1, 2)],
            [down(0), down(1), move(0, 2), move(1, 2)],
        ),
        # a finger that comes or goes stays where it is among the moves of others
        (
            [down(0), move(0, 1), down(1), move(0, 2), up(1), move(0, 3)],
            [down(0), move(0, 1), down(1), move(0, 2), up(1), move(0, 3)],
        ),
        # two gestures are two
        (
            [down(), move(0, 1), up(), down(), move(0, 2), up()],
            [down(), move(0, 1), up(), down(), move(0, 2), up()],
        ),
        # other input is not overtaken
        ([down(), move(0, 1), Text("a"), move(0, 2)], [down(), move(0, 1), Text("a"), move(0, 2)]),
        # the wheel adds up
        ([scroll(1), scroll(2), scroll(-5)], [Scroll(0, 0, 3, -2, 2, 3)]),
        ([scroll(32000), scroll(32000)], [Scroll(0, 0, 2, 32767, 2, 3)]),
        ([scroll(1), Text("a"), scroll(1)], [scroll(1), Text("a"), scroll(1)]),
        ([scroll(1), scroll(1, width=4)], [scroll(1), scroll(1, width=4)]),
    ],
)
def test_moves_merge_and_nothing_else(put: list[Message], expected: list[Message]) -> None:
    pending = PendingInput(64)
    for message in put:
        pending.put(message)
    assert drain(pending) == expected
    assert pending.dropped[DropCause.MERGED] == len(put) - len(expected)


def test_a_full_queue_refuses_what_begins_and_takes_what_ends() -> None:
    pending = PendingInput(3)
    for message in (down(0), A_KEY, Text("a")):
        assert pending.put(message) is None
    assert pending.put(Text("b")) == DropCause.SLOW_CONSUMER
    assert pending.put(Command(CommandCode.HOME)) == DropCause.SLOW_CONSUMER
    assert pending.put(move(0)) == DropCause.SLOW_CONSUMER
    assert pending.put(down(1)) == DropCause.SLOW_CONSUMER
    assert pending.put(move(1)) == DropCause.GESTURE_CANCELLED
    assert pending.put(up(1)) == DropCause.GESTURE_CANCELLED
    assert pending.put(up(0)) is None
    assert pending.put(Key(KeyAction.UP, 4, 0)) is None
    assert drain(pending) == [down(0), A_KEY, Text("a"), up(0), Key(KeyAction.UP, 4, 0)]


def test_a_finger_that_never_came_cannot_leave() -> None:
    """A client's shortcut can leave a lone key-up behind."""
    pending = PendingInput(8)
    for orphan in (up(), move(), Touch(TouchAction.CANCEL, 0, 0, 0, 0, 2, 3), Key(KeyAction.UP, 4, 0)):
        assert pending.put(orphan) == DropCause.GESTURE_CANCELLED
    assert len(pending) == 0


def test_a_lost_end_is_made_up_for_when_too_much_is_down() -> None:
    """A viewer that vanishes leaves its fingers and keys down; the next viewer must still get through."""
    pending = PendingInput(1000)
    pending.put(down(100))
    for keycode in range(MAX_HELD):
        pending.put(Key(KeyAction.DOWN, keycode, 0))
    pending.put(down(101))
    assert drain(pending) == [
        down(100),
        *[Key(KeyAction.DOWN, keycode, 0) for keycode in range(MAX_HELD - 1)],
        Touch(TouchAction.CANCEL, 100, 0, 0, 0, 2, 3),
        Key(KeyAction.DOWN, MAX_HELD - 1, 0),
        Key(KeyAction.UP, 0, 0),
        down(101),
    ]
    assert pending.put(up(100)) == DropCause.GESTURE_CANCELLED


def test_clear_counts_what_waited() -> None:
    pending = PendingInput(8)
    pending.put(Text("a"))
    pending.put(down())
    pending.clear()
    assert pending.dropped == {DropCause.CLOSED: 2}
    assert pending.pop() is None
    assert pending.put(up()) == DropCause.GESTURE_CANCELLED


POINTERS = st.integers(0, 20)
PLACES = st.integers(0, 9)
MESSAGES = st.one_of(
    st.builds(down, POINTERS, PLACES),
    st.builds(move, POINTERS, PLACES),
    st.builds(up, POINTERS, PLACES),
    st.builds(Key, st.sampled_from(KeyAction), st.integers(0, 2), st.just(0)),
    st.builds(scroll, st.integers(-9, 9)),
    st.just(Text("a")),
)


@given(st.integers(1, 6), st.lists(st.one_of(MESSAGES, st.none()), max_size=60))
def test_fingers_come_and_go_in_pairs_whatever_is_full(capacity: int, steps: list[Message | None]) -> None:
    """None stands for the device taking one message."""
    pending = PendingInput(capacity)
    out: list[Message] = []
    for step in steps:
        if step is not None:
            pending.put(step)
        elif (message := pending.pop()) is not None:
            out.append(message)
        assert len(pending) <= capacity + MAX_HELD + 1
        assert pending.pushed == pending.delivered + len(pending) + pending.dropped.total()
    out += drain(pending)
    fingers: set[int] = set()
    for message in out:
        if isinstance(message, Touch):
            if message.action == TouchAction.DOWN:
                fingers.add(message.pointer)
            else:
                assert message.pointer in fingers
            if message.action in (TouchAction.UP, TouchAction.CANCEL):
                fingers.discard(message.pointer)
