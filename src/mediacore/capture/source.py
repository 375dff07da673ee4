"""What every source of media is: the protocol that one file per source in this folder implements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mediacore.media import DropCause, no_drops

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mediacore.control.messages import Message
    from mediacore.errors import MediacoreError
    from mediacore.media import Applied, Packet, StreamDescription, Target, Unsupported
    from mediacore.media_loop import MediaLoop


class Control(Protocol):
    """The way back to the device."""

    async def send(self, message: Message) -> None:
        """Carry out an input message; raises ``UnsupportedError`` if this device or dialect cannot."""

    def drops(self) -> Mapping[DropCause, int]:
        """Messages that were not carried out, by cause."""


@dataclass(frozen=True, slots=True)
class SourceStats:
    """Counts of one source."""

    restarts: int = 0
    """Times it was started again after the first."""
    wrong_flushes: int = 0
    """Access units that were taken for complete too early."""
    dropped: Mapping[DropCause, int] = field(default_factory=no_drops)
    """Access units or pictures that were not handed on, by cause."""
    capture: str = ""
    """How pictures come, where there is a choice, and why."""


class Source(Protocol):
    """Fills one rendition of the media loop from a device, a file or a publisher.

    It gives the loop sockets, or pushes packets ahead of their time: no packet waits for Python.
    """

    @property
    def kind(self) -> str:
        """``screenrecord``, ``recording`` or ``publish``."""

    @property
    def codec(self) -> str:
        """``h264``, ``vp8``, ``vp9`` or ``av1``."""

    @property
    def has_audio(self) -> bool:
        """True if it gives sound as well, as Opus."""

    @property
    def key_frames_on_request(self) -> bool:
        """False if ``request_key_frame`` never succeeds: late viewers live on what is cached then."""

    @property
    def push(self) -> Callable[[Packet], None] | None:
        """Takes packets from outside, if that is where this source gets them."""

    @property
    def description(self) -> StreamDescription | None:
        """What is being captured; None before the first key frame."""

    @property
    def control(self) -> Control | None:
        """The way back to the device, if there is one."""

    async def open(
        self, loop: MediaLoop, rendition: int, audio: int, on_end: Callable[[MediacoreError | None], None]
    ) -> None:
        """Start; returns when the device has accepted. Pictures may come later: a static screen gives none.

        ``audio`` is a second rendition for sound, 0 if there is none. ``on_end`` is called on the asyncio loop, once,
        when the source gives nothing more: the device is gone, or capture failed for good.
        """

    def described(self, width: int, height: int, profile_level_id: str, epoch: int) -> StreamDescription:
        """The loop has found out what the pictures of an epoch are; gives the whole description, to be kept."""

    async def request_key_frame(self) -> bool:
        """Ask for a key frame soon. False if this source cannot give one before its time."""

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Follow a new target as well as the source can."""

    async def close(self) -> None:
        """Stop and free everything; ``on_end`` is not called any more."""

    def stats(self) -> SourceStats:
        """Counts so far."""
