"""How the process of simulated devices is told what to do: JSON objects, one a line, on its standard streams.

A request is ``{"id": 1, "device": 0, "method": "touch", "args": {"x": 10, "y": 20}}``; the answer to it
``{"id": 1, "result": ...}`` or ``{"id": 1, "error": "..."}``. Answers come in the order in which requests are done.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Any, get_args

from mediacore.testing.faults import MAX_SPOILS, Spoil
from mediacore.testing.options import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mediacore.testing.phone import Phone

MAX_LINE_BYTES = 1 << 20
MAX_WAIT_S = 3600.0
TOUCH_ACTIONS = ("tap", "down", "move", "up", "cancel")


class RequestError(ValueError):
    """A request that cannot be carried out; the text goes back as its error."""


class PhoneControl:
    """The requests that one device understands; each public method is one."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    async def stats(self) -> dict[str, int]:
        """Counts since the start."""
        phone = self._phone
        return {
            "frame_number": phone.display.frame_number,
            "frames_sent": phone.frames_sent,
            "frames_dropped": phone.frames_dropped,
            "screencaps": phone.screencaps,
            "inputs": phone.inputs_total,
            "rotation": phone.display.rotation * 90,
            "port": phone.port,
        }

    async def inputs(self, *, count: int, timeout_s: float) -> list[dict[str, Any]]:
        """All events remembered, once there were ``count`` since the start or the time is up."""
        try:
            async with asyncio.timeout(min(timeout_s, MAX_WAIT_S)):
                await self._phone.wait_for_inputs(count)
        except TimeoutError:
            pass
        return [dataclasses.asdict(event) for event in self._phone.inputs]

    async def recordings(self, *, count: int, timeout_s: float) -> int:
        """How many run, once they are ``count`` or the time is up."""
        try:
            async with asyncio.timeout(min(timeout_s, MAX_WAIT_S)):
                await self._phone.wait_for_recordings(count)
        except TimeoutError:
            pass
        return self._phone.recordings

    async def clear_inputs(self) -> None:
        """Forgets the events; counting begins again at 0."""
        self._phone.inputs.clear()
        self._phone.inputs_total = 0

    async def show(self, *, scene: str) -> None:
        """Another scene."""
        for name in get_args(Scene):
            if name == scene:
                await self._phone.display.show(name)
                return
        raise RequestError(f"there is no scene {scene!r}, only {', '.join(get_args(Scene))}")

    async def rotate(self, *, degrees: int) -> None:
        """0, 90, 180 or 270."""
        if degrees not in (0, 90, 180, 270):
            raise RequestError(f"degrees is {degrees!r}, it must be 0, 90, 180 or 270")
        await self._phone.rotate(degrees // 90)

    async def touch(self, *, x: float, y: float, action: str = "tap", pointer: int = 0) -> None:
        """A finger."""
        if action not in TOUCH_ACTIONS:
            raise RequestError(f"action is {action!r}, it must be one of {', '.join(TOUCH_ACTIONS)}")
        self._phone.touch_by_hand(action, x, y, pointer)

    async def stall(self, *, seconds: float) -> None:
        """No pictures leave."""
        self._phone.link.stall(seconds)

    async def cut(self, *, unplug: bool) -> None:
        """The next access unit breaks off."""
        self._phone.link.cut(unplug=unplug)

    async def pause(self, *, pause_ms: float) -> None:
        """Pauses inside access units."""
        self._phone.link.pause(pause_ms / 1000)

    async def spoil(self, *, kind: str, count: int, program: str) -> None:
        """The next pictures of a program are spoilt."""
        if program not in self._phone.spoils:
            raise RequestError(f"program is {program!r}, it must be one of {', '.join(self._phone.spoils)}")
        if not 1 <= count <= MAX_SPOILS:
            raise RequestError(f"count is {count!r}, it must be between 1 and {MAX_SPOILS}")
        for name in get_args(Spoil):
            if name == kind:
                self._phone.spoils[program].add(name, count)
                return
        raise RequestError(f"kind is {kind!r}, it must be one of {', '.join(get_args(Spoil))}")

    async def freeze(self, *, frozen: bool) -> None:
        """The picture stops or goes on."""
        self._phone.freeze(frozen=frozen)

    async def offline(self) -> None:
        """Gone from adb."""
        self._phone.offline()

    async def online(self) -> None:
        """There again."""
        await self._phone.online()

    async def authorize(self, *, authorized: bool) -> None:
        """Lets adb in, or not."""
        self._phone.authorize(authorized=authorized)


async def answer(controls: Sequence[PhoneControl], line: bytes) -> bytes:
    """The answer to one line."""
    number: Any = None
    try:
        request = json.loads(line)
        number = request["id"]
        name = request["method"]
        if name.startswith("_") or not hasattr(PhoneControl, name):
            raise RequestError(f"there is no request {name!r}")
        method = getattr(controls[request.get("device", 0)], name)
        reply = {"id": number, "result": await method(**request.get("args", {}))}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError) as error:
        reply = {"id": number, "error": f"{error}"}
    return json.dumps(reply).encode() + b"\n"


async def serve_requests(
    controls: Sequence[PhoneControl], reader: asyncio.StreamReader, write: Callable[[bytes], None]
) -> None:
    """Answers requests until the reader ends, which is when the parent is gone."""

    async def carry_out(line: bytes) -> None:
        write(await answer(controls, line))

    async with asyncio.TaskGroup() as group:
        while line := await reader.readline():
            group.create_task(carry_out(line))
        raise asyncio.CancelledError
