"""The packets since the last key frame, so that a late consumer can begin at once.

Policy: above ``max_bytes`` the cache is given up until the next key frame; it never holds part of a group of pictures.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mediacore.media import Packet

MAX_BYTES = 16 << 20
"""16 s at 8 Mb/s: more than an Android encoder's 10 s between key frames."""
REPLAY_STEP_US = 1000
"""Distance of replayed pictures in time, so that a player shows them all at once, yet in order."""


class GopCache:
    """One group of pictures: a key frame and what followed it in its epoch."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._packets: list[Packet] = []
        self.bytes = 0
        """Sizes of the cached packets, summed; 0 if there is nothing to begin with."""

    def add(self, packet: Packet) -> None:
        """Append a packet; a key frame begins anew."""
        if packet.is_key:
            self._packets.clear()
            self.bytes = 0
        elif not self._packets:
            return
        self._packets.append(packet)
        self.bytes += len(packet.data)
        if self.bytes > self._max_bytes:
            self._packets.clear()
            self.bytes = 0

    def packets(self) -> list[Packet]:
        """The cached packets with their own times."""
        return list(self._packets)

    def at_once(self) -> list[Packet]:
        """The cached packets for a player that shall catch up: times end at the last packet's, 1 ms apart at most."""
        count = len(self._packets)
        if count == 0:
            return []
        last_us = self._packets[-1].pts_us
        return [
            dataclasses.replace(packet, pts_us=max(packet.pts_us, last_us - (count - 1 - n) * REPLAY_STEP_US))
            for n, packet in enumerate(self._packets)
        ]
