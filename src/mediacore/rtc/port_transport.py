"""One UDP socket of the media loop, as asyncio's protocols see it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class PortTransport(asyncio.DatagramTransport):
    """One socket of the media loop, as a protocol sees it.

    Args:
        protocol: what is told of the end.
        address: the socket's address and port.
        send: sends a datagram to (host, port).
    """

    def __init__(
        self, protocol: asyncio.DatagramProtocol, address: tuple[str, int], send: Callable[[str, int, bytes], None]
    ) -> None:
        super().__init__({"sockname": address})
        self._protocol = protocol
        self._send = send
        self._closing = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send ``data`` to ``addr``, a pair of host and port; nothing once it is closed."""
        if not self._closing:
            self._send(addr[0], addr[1], bytes(data))

    def is_closing(self) -> bool:
        """True from ``close`` on."""
        return self._closing

    def close(self) -> None:
        """Send nothing more; the protocol hears ``connection_lost`` soon."""
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """As ``close``: nothing is buffered here."""
        self.close()
