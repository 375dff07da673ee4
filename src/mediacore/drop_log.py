"""What the media loop has refused or dropped, said in the log at most once a second.

Policy: counting is the media loop's; here the growth of its counts within a second becomes one line, if it is more than
what comes of a viewer that goes while its packets are still on their way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVAL_S: Final = 1.0
"""Between two lines."""
LEAST: Final = 20
"""Of one cause in one interval; fewer are not worth a line."""
CAUSES: Final = {
    "unknown_ufrag": "checks for nobody",
    "bad_integrity": "checks with a wrong password",
    "unknown_transaction": "answers to nothing that was asked",
    "unknown_address": "datagrams from unknown addresses",
    "malformed": "malformed datagrams",
    "rtp_in": "media that nobody wants",
    "no_keys": "RTCP before its keys",
    "rtcp_refused": "forged, repeated or malformed RTCP",
    "rtcp_limited": "RTCP beyond its viewer's share",
    "quota_drops": "STUN and DTLS beyond its viewer's share",
    "dropped_full": "packets for a full socket",
    "dropped_error": "packets that the system refused to send",
    "faults": "faults",
}
"""The media loop's counts, and what they are called."""


class DropLog:
    """Turns counts that only grow into what is new."""

    def __init__(self) -> None:
        self._before: dict[str, int] = dict.fromkeys(CAUSES, 0)

    def news(self, figures: Mapping[str, int]) -> str | None:
        """What has grown since the last call, in words; None if it is nothing to speak of."""
        now = {name: int(figures.get(name, 0)) for name in CAUSES}
        grown = {name: now[name] - self._before[name] for name in CAUSES}
        self._before = now
        told = [f"{grown[name]} {words}" for name, words in CAUSES.items() if grown[name] >= LEAST]
        return ", ".join(told) or None
