"""Input that waits for the device."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque

from mediacore.control.messages import Key, KeyAction, Message, Scroll, Touch, TouchAction
from mediacore.media import DropCause

MAX_HELD = 16
"""Fingers and keys that may be down at once; people have ten of each."""
SCROLL_LIMIT = 32767


class PendingInput:
    """A bounded queue between a viewer and a slow device. Not a thread's business: one loop uses it.

    Policy: a move waits only until the next move of the same finger replaces it, and turns of the wheel add up; both
    count as ``merged``. Every other message keeps its place. When the queue is full, moves and whatever begins
    something (a finger or key that goes down, text, a command) are refused as ``slow-consumer``, and so is the rest of
    a gesture that was refused (``gesture-cancelled``). What ends something that was let in is always taken, so a finger
    or key that went down goes up again. When more than ``MAX_HELD`` are down, the end of the oldest was lost on its way
    and is made up for. At most ``capacity + MAX_HELD + 1`` messages wait.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._queue: deque[Message] = deque()
        self._held: dict[tuple[type[Message], int], Touch | Key] = {}
        self.dropped: Counter[DropCause] = Counter()
        """Messages that were not delivered, by cause."""
        self.pushed = 0
        """Messages that came in, or were made up for lost ones."""
        self.delivered = 0
        """Messages that went out."""

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, message: Message) -> DropCause | None:
        """Take a message. What became of it if it does not wait as it is: ``merged``, or why it was refused."""
        self.pushed += 1
        cause = self._place(message)
        if cause is not None:
            self.dropped[cause] += 1
        return cause

    def pop(self) -> Message | None:
        """The next message for the device; None if nothing waits."""
        if not self._queue:
            return None
        self.delivered += 1
        return self._queue.popleft()

    def clear(self) -> None:
        """Drop what waits, as ``closed``."""
        self.dropped[DropCause.CLOSED] += len(self._queue)
        self._queue.clear()
        self._held.clear()

    def _place(self, message: Message) -> DropCause | None:
        if self._merge(message):
            return DropCause.MERGED
        full = len(self._queue) >= self._capacity
        match message:
            case Touch(action=TouchAction.DOWN, pointer=number) | Key(action=KeyAction.DOWN, keycode=number):
                name = (type(message), number)
                if full:
                    return DropCause.SLOW_CONSUMER
                if name not in self._held and len(self._held) >= MAX_HELD:
                    self._lift(next(iter(self._held)))
                self._held[name] = message
            case Touch(action=TouchAction.MOVE, pointer=pointer):
                if (Touch, pointer) not in self._held:
                    return DropCause.GESTURE_CANCELLED
                if full:
                    return DropCause.SLOW_CONSUMER
            case Touch(pointer=number) | Key(keycode=number):
                name = (type(message), number)
                if name not in self._held:
                    return DropCause.GESTURE_CANCELLED
                del self._held[name]
            case _:
                if full:
                    return DropCause.SLOW_CONSUMER
        self._queue.append(message)
        return None

    def _lift(self, name: tuple[type[Message], int]) -> None:
        """End what has been down the longest."""
        down = self._held.pop(name)
        self.pushed += 1
        if isinstance(down, Touch):
            self._queue.append(dataclasses.replace(down, action=TouchAction.CANCEL))
        else:
            self._queue.append(dataclasses.replace(down, action=KeyAction.UP))

    def _merge(self, message: Message) -> bool:
        """Put the message into one that waits. What it replaces is gone, so one of the two counts as merged."""
        if isinstance(message, Scroll):
            last = self._queue[-1] if self._queue else None
            if not isinstance(last, Scroll) or (last.width, last.height) != (message.width, message.height):
                return False
            self._queue[-1] = dataclasses.replace(
                message, h=_limited(last.h + message.h), v=_limited(last.v + message.v)
            )
            return True
        if not isinstance(message, Touch) or message.action != TouchAction.MOVE:
            return False
        for at in range(len(self._queue) - 1, -1, -1):
            waiting = self._queue[at]
            if not isinstance(waiting, Touch):
                return False  # a key or text in between keeps its place
            if waiting.pointer == message.pointer:
                if waiting.action != TouchAction.MOVE:
                    return False
                self._queue[at] = message
                return True
            if waiting.action != TouchAction.MOVE:
                return False  # another finger came or went: their order is part of the gesture
        return False


def _limited(value: int) -> int:
    return min(max(value, -SCROLL_LIMIT), SCROLL_LIMIT)
