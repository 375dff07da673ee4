"""What every source of media is: the protocol that one file per source in this folder implements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mediacore.media import DropCause, no_drops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mediacore.control.messages import Message
    from mediacore.errors import MediacoreError
    from mediacore.media import Applied, Packet, StreamDescription, Target, Unsupported
    from mediacore.media_loop import MediaLoop


class PacketSink(Protocol):
    """What takes a source's packets. Called on the loop; must not block."""

    def described(self, description: StreamDescription) -> None:
        """What the packets that follow are; told before the first packet of a new epoch or size."""

    def packet(self, packet: Packet) -> None:
        """One access unit, complete and decodable with what came before it in its epoch."""

    def ended(self, error: MediacoreError | None) -> None:
        """The source gives nothing more: the device is gone, or capture failed for good."""


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
    """Access units that were not handed on, by cause."""


class Source(Protocol):
    """Turns a device, or a file, into packets."""

    @property
    def kind(self) -> str:
        """``screenrecord`` or ``recording``."""

    @property
    def description(self) -> StreamDescription | None:
        """What is being captured; None before the first key frame."""

    @property
    def control(self) -> Control | None:
        """The way back to the device, if there is one."""

    async def open(self, loop: MediaLoop, sink: PacketSink) -> None:
        """Start; returns when the device has accepted. Pictures may come later: a static screen gives none."""

    async def request_key_frame(self) -> bool:
        """Ask for a key frame soon. False if this source cannot give one before its time."""

    async def set_target(self, target: Target) -> Applied | Unsupported:
        """Follow a new target as well as the source can."""

    async def close(self) -> None:
        """Stop and free everything; the sink hears nothing more."""

    def stats(self) -> SourceStats:
        """Counts so far."""
