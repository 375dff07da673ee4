"""Every name of aiortc and aioice that is relied on without being documented, in one list, and the check of it.

Only instances that this package made are touched: no class, module table or constant of either library is changed, so
an application's own aiortc connections in the same process behave as if we were not there. ``override`` is the one way
to replace a method, and refuses names that the list does not have.
"""

from __future__ import annotations

import functools
import importlib.metadata
from typing import TYPE_CHECKING, Any, Final

from aioice.ice import StunProtocol
from aioice.turn import TurnClientUdpProtocol, TurnTransport
from aiortc import (
    RTCCertificate,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceTransport,
    RTCRtpReceiver,
    RTCSctpTransport,
)

from mediacore.errors import DependencyMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aioice import Connection

VERSIONS: Final = {"aiortc": "1.16", "aioice": "0.13"}
"""The releases that the names below were read in."""

NAMES: Final[dict[str, tuple[str, ...]]] = {
    # the ICE connection behind a gatherer
    "RTCIceGatherer": ("_connection",),
    "Connection": (
        "get_component_candidates",  # replaced: the sockets are the media loop's
        "check_incoming",  # replaced: bounds the addresses that are learnt
        "data_received",  # replaced: bounds what waits for DTLS
        "build_request",  # a check of our own
        "_nominated",  # the pair in use
        "_protocols",  # the sockets
        "_queue",  # datagrams that wait for DTLS
    ),
    "StunProtocol": (
        "connection_made",
        "datagram_received",
        "connection_lost",
        "request",
        "transport",
        "local_candidate",
    ),
    "RTCDtlsTransport": (
        "_set_role",  # be the server
        "_ssl",  # the keys for SRTP
        "_task",  # what reads the transport
        "_send_data",  # replaced: sending on a closed transport is no error
    ),
    "RTCSctpTransport": (
        "_handle_data",  # replaced: checks packets before they are parsed
        "_receive_data_chunk",  # replaced: bounds what is being put together
        "_set_state",  # replaced: sets the first timeout
        "_update_rto",  # replaced: a lower least timeout
        "_t3_expired",  # replaced: the timeout doubles when it expires
        "_advertised_rwnd",
        "_rto",
        "_srtt",
        "_rttvar",
    ),
    "TurnClientUdpProtocol": (
        "connection_made",
        "datagram_received",
        "channel_bind",  # replaced: the media loop is told of the channel
        "delete",  # replaced: bounds the wait for a server that has gone
        "server",
        "relayed_address",
        "mapped_address",
    ),
    "TurnTransport": ("_connect",),
    # of the built-in viewer alone
    "RTCRtpReceiver": ("_RTCRtpReceiver__jitter_buffer",),  # replaced: a frame is complete at its marker bit
}


def check() -> None:
    """See that the installed libraries are the ones we know; needs a running event loop, works once per process.

    Raises:
        DependencyMismatchError: another release is installed, or one of the names is not there.
    """
    _check_once()


def ice_connection(gatherer: RTCIceGatherer) -> Connection:
    """The aioice connection behind a gatherer."""
    return gatherer._connection


def override(target: object, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Replace a method of one object of aiortc or aioice.

    Args:
        target: the object; it must be ours.
        name: the method; it must be in ``NAMES``.
        make: gets the stock method, gives the new one.
    """
    kind = type(target).__name__
    if name not in NAMES.get(kind, ()):
        raise LookupError(f"{kind}.{name} is not in the list of names that may be replaced")
    setattr(target, name, make(getattr(target, name)))


@functools.cache
def _check_once() -> None:
    installed = {name: importlib.metadata.version(name) for name in VERSIONS}
    found = " and ".join(f"{name} {version}" for name, version in installed.items())
    wanted = " and ".join(f"{name} {version}.x" for name, version in VERSIONS.items())
    advice = f"this version of mediacore needs {wanted}, installed are {found}: reinstall mediacore to get them"
    if any(not f"{installed[name]}.".startswith(f"{version}.") for name, version in VERSIONS.items()):
        raise DependencyMismatchError(advice)
    if missing := _missing():
        raise DependencyMismatchError(f"{advice} (not found: {', '.join(missing)})")


def _missing() -> list[str]:
    """Names that throwaway objects, which open no socket and start no task, do not have."""
    try:
        gatherer = RTCIceGatherer(iceServers=[])
        connection = gatherer._connection
        dtls = RTCDtlsTransport(RTCIceTransport(gatherer), [RTCCertificate.generateCertificate()])
        protocol = StunProtocol(connection)
        turn = TurnClientUdpProtocol(("", 0), username=None, password=None, lifetime=0, channel_refresh_time=0)
        objects = [
            gatherer,
            connection,
            protocol,
            dtls,
            RTCSctpTransport(dtls),
            turn,
            TurnTransport(turn),
            RTCRtpReceiver("video", dtls),
        ]
    except (AttributeError, TypeError) as error:
        return [str(error)]
    known = {type(item).__name__: item for item in objects}
    return [
        f"{kind}.{name}"
        for kind, names in NAMES.items()
        for name in names
        if not (hasattr(known.get(kind), name) or name in getattr(type(known.get(kind)), "__annotations__", {}))
    ]
