"""ICE of an ordinary aiortc client on every address of this machine, loopback too.

aioice leaves 127.0.0.1 and ::1 out, and a machine may have nothing else. Only the client's own objects are touched.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aioice.candidate import candidate_priority

from mediacore.rtc.contract import ice_connection, override
from mediacore.rtc.port import MAX_PREFERENCE, host_addresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from aioice import Candidate
    from aiortc import RTCIceGatherer

POLL_S: Final = 0.02
"""How often aioice's ``connect`` looks at its check list."""


def gather_everywhere(gatherer: RTCIceGatherer) -> None:
    """Let a fresh gatherer open a socket on each address that is up; raises ``NoLocalAddressError``."""
    override(ice_connection(gatherer), "get_component_candidates", _on(host_addresses()))


async def settle(gatherer: RTCIceGatherer) -> None:
    """To be called after a connection was closed while its ``connect`` was running elsewhere.

    aioice looks each 20 ms whether it is done; if it is closed just after the nomination, it begins its consent checks
    all the same, and they never end.
    """
    await asyncio.sleep(2 * POLL_S)
    await ice_connection(gatherer).close()


def _on(every: list[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(stock: Callable[..., Any]) -> Callable[..., Any]:
        async def get_component_candidates(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
            del addresses
            found: list[Candidate] = await stock(component, every, timeout)
            for rank, candidate in enumerate(found):  # distinct priorities (RFC 8445 section 5.1.2)
                candidate.priority = candidate_priority(component, candidate.type, MAX_PREFERENCE - rank)
            return found

        return get_component_candidates

    return make
