"""Where the server listens and how patient it is, as a frozen dataclass."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from mediacore.errors import SettingsError


def is_loopback(host: str) -> bool:
    """True if ``host`` (a name or an address without port or brackets) can only mean this machine.

    Names other than ``localhost`` are never looked up: what DNS says is not ours to trust.
    """
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Everything the HTTP side is built from. WebRTC's own addresses are not governed by it."""

    host: str = "127.0.0.1"
    """Where HTTP listens. Only loopback: without sign-in an open port would be a shell on every device."""
    port: int = 8080
    """TCP port of HTTP; 0 takes a free one."""
    body_timeout_s: float = 5.0
    """A request's body must be here within this time."""
    max_sdp_bytes: int = 65_536
    """Longest offer that is read."""
    screenshot_timeout_s: float = 10.0
    """Deadline of one screenshot."""
    shutdown_s: float = 8.0
    """What sessions and streams get to end in an orderly way when the service stops."""

    def __post_init__(self) -> None:
        if not is_loopback(self.host):
            raise SettingsError(
                f"host is {self.host}, and only loopback addresses (127.0.0.1, ::1, localhost) are served: there is no "
                "sign-in yet, and whoever reaches the port controls every device. "
                "From another machine, use a tunnel: ssh -L 8080:127.0.0.1:8080 THIS_MACHINE"
            )
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port is {self.port}, it must be between 0 and 65535")
