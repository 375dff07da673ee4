"""What a viewer and we say to each other over the data channel: input one way, events both ways.

Policy: input is carried out in order, by one task; at most ``PENDING_MESSAGES`` wait. A malformed message is counted,
and ``MAX_MALFORMED`` of them end the dialogue. Unknown types are counted and ignored, so that newer pages keep working.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections import Counter
from typing import TYPE_CHECKING

from mediacore.control.messages import Ping, Touch, TouchAction, decode, encode_pong
from mediacore.errors import DeviceError, MalformedMessageError, MediacoreError, UnsupportedError, WantedError
from mediacore.media import DropCause, Grants
from mediacore.media_loop import monotonic_us
from mediacore.wanted import from_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mediacore.control.messages import Message
    from mediacore.media import Wanted

log = logging.getLogger(__name__)

MAX_MALFORMED = 10
PENDING_MESSAGES = 256
MAX_FINGERS = 10
"""Touches that are followed; Android itself takes ten."""
MAX_EVENT_CHARS = 4096
"""Longest JSON event that is read; the ones we know are below 300."""
REPORTED = ("fps", "latency_ms", "frames", "dropped", "width", "height", "rtt_ms", "jitter_buffer_ms")
"""Figures of a viewer's own that are kept."""
MAX_FIGURE = 2**53
"""Past it a figure is nonsense, and an integer may be more than a float holds."""


class Dialogue:
    """The data channel's messages of one session."""

    def __init__(
        self,
        send: Callable[[str | bytes], bool],
        carry_out: Callable[[Message], Awaitable[None]],
        *,
        grants: Grants,
        on_wanted: Callable[[Wanted], None],
        on_abuse: Callable[[str], None],
    ) -> None:
        self._send = send
        self._carry_out = carry_out
        self._grants = grants
        self._on_wanted = on_wanted
        self._on_abuse = on_abuse
        self._pending: asyncio.Queue[Message] = asyncio.Queue(PENDING_MESSAGES)
        self._fingers: dict[int, Touch] = {}
        self._malformed = 0
        self.reported: dict[str, float] = {}
        """What the viewer last said of itself."""
        self.dropped: Counter[DropCause] = Counter()
        """Messages that were not carried out, by cause."""

    def tell(self, kind: str, **fields: object) -> bool:
        """Send a JSON event; False if the channel is not open or cannot take it."""
        return self._send(json.dumps({"v": 1, "type": kind, **fields}, separators=(",", ":")))

    def receive(self, message: bytes | str) -> None:
        """Take one message of the viewer."""
        try:
            if isinstance(message, str):
                self._event(message)
            else:
                self._binary(message)
        except MalformedMessageError as error:
            self.dropped[DropCause.MALFORMED] += 1
            self._malformed += 1
            log.info("a viewer's message is malformed: %s", error)
            if self._malformed == MAX_MALFORMED:
                self._on_abuse(f"{MAX_MALFORMED} malformed messages, the last: {error}")

    async def run(self) -> None:
        """Carry out input, one message after the other, until cancelled."""
        while True:
            message = await self._pending.get()
            try:
                await self._carry_out(message)
                self._follow(message)
            except UnsupportedError as error:
                self.dropped[DropCause.UNSUPPORTED] += 1
                self.tell("unsupported", what=type(message).__name__.lower(), reason=str(error))
            except DeviceError as error:
                self.tell("unsupported", what=type(message).__name__.lower(), reason=str(error))
            except MediacoreError as error:
                log.warning("input was lost: %s", error)

    async def lift_fingers(self) -> None:
        """The viewer is gone: end the touches that it left on the screen."""
        for touch in list(self._fingers.values()):
            with contextlib.suppress(MediacoreError):
                await self._carry_out(dataclasses.replace(touch, action=TouchAction.CANCEL))
        self._fingers.clear()

    def _follow(self, message: Message) -> None:
        if not isinstance(message, Touch):
            return
        self._fingers.pop(message.pointer, None)
        if message.action in (TouchAction.DOWN, TouchAction.MOVE) and len(self._fingers) < MAX_FINGERS:
            self._fingers[message.pointer] = message

    def _binary(self, data: bytes) -> None:
        header, message = decode(data)
        if message is None:
            self.dropped[DropCause.UNSUPPORTED] += 1
        elif isinstance(message, Ping):
            self._send(encode_pong(message, monotonic_us(), header.seq))
        elif Grants.CONTROL not in self._grants:
            self.dropped[DropCause.NOT_GRANTED] += 1
        elif self._pending.full():
            self.dropped[DropCause.SLOW_CONSUMER] += 1
        else:
            self._pending.put_nowait(message)

    def _event(self, text: str) -> None:
        if len(text) > MAX_EVENT_CHARS:
            raise MalformedMessageError(f"an event of more than {MAX_EVENT_CHARS} characters", MAX_EVENT_CHARS)
        try:
            event = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedMessageError("an event that is not JSON", getattr(error, "pos", 0)) from error
        if not isinstance(event, dict):
            raise MalformedMessageError("an event that is not a JSON object", 0)
        if event.get("type") == "stats":
            self._report(event)
        elif event.get("type") == "want":
            try:
                self._on_wanted(from_event(event))
            except WantedError as error:
                raise MalformedMessageError(f"a wish that cannot be ({error})", 0) from error
        else:
            self.dropped[DropCause.UNSUPPORTED] += 1

    def _report(self, event: Mapping[str, object]) -> None:
        for name in REPORTED:
            value = event.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_FIGURE:
                self.reported[name] = float(value)
