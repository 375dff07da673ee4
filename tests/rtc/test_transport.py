"""What a viewer's transport makes of the media loop's answers, on a loop that exists in name only."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCCertificate

from mediacore import _core
from mediacore.errors import LimitError
from mediacore.media import CloseReason
from mediacore.rtc import transport as transport_module
from mediacore.rtc.transport import ViewerTransport
from mediacore.settings import RtcSettings


class NamedLoop:
    """Keeps what it is told; its queue of commands can be full."""

    def __init__(self) -> None:
        self.running = True
        self.full = False
        self.silent_us = 0
        self.told: list[tuple[Any, ...]] = []
        self.native = SimpleNamespace(
            send_datagram=lambda *_: True,
            viewer_figures=lambda _: {"silent_us": self.silent_us},
            destination=lambda _: (0, "192.0.2.9", 5000, 0),
            start_viewer=self._command,
            attach=self._command,
            detach=self._command,
        )

    def _command(self, *arguments: Any) -> None:
        if self.full:
            raise _core.QueueFullError("too many commands")
        self.told.append(arguments)

    def add_viewer(self, *arguments: Any, **options: Any) -> int:
        self.told.append((*arguments, options))
        return 7

    def sockets(self, rendition: int) -> list[tuple[str, int]]:
        return [("192.0.2.1", 4000)]

    async def remove(self, number: int) -> None:
        self.told.append((number,))


class Named:
    """One viewer's transport on such a loop."""

    def __init__(self, settings: RtcSettings | None = None) -> None:
        self.loop = NamedLoop()
        self.ends: list[CloseReason] = []
        self.transport = ViewerTransport(
            self.loop,  # type: ignore[arg-type]
            settings or RtcSettings(),
            certificate=RTCCertificate.generateCertificate(),
            ufrag="0123456789abcdef+1",
            on_end=self.ends.append,
        )

    async def __aenter__(self) -> "Named":
        await self.transport.open(3)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.close_ice()
        await self.transport.remove()


async def test_the_loop_gets_what_tells_the_viewers_checks_from_others() -> None:
    async with Named(RtcSettings(silence_timeout_s=10)) as named:
        ufrag, password = named.transport.ice_parameters
        assert ufrag == "0123456789abcdef+1"
        ((rendition, sink, options),) = named.loop.told
        assert (rendition, sink) == (3, named.transport)
        assert options == {"ufrag": ufrag, "password": password, "quiet_us": 4_000_000, "silent_us": 10_000_000}
    assert named.loop.told[-1] == (7,)


async def test_a_full_queue_of_commands_is_a_limit() -> None:
    async with Named() as named:
        named.loop.full = True
        for command in (
            lambda: named.transport.start(None),  # type: ignore[arg-type]
            lambda: named.transport.attach(1, 0),
            named.transport.detach,
        ):
            with pytest.raises(LimitError, match="too many commands"):
                command()


async def test_figures_stay_when_the_viewer_or_the_loop_has_gone() -> None:
    async with Named() as named:
        named.loop.silent_us = 5
        assert named.transport.figures() == {"silent_us": 5}
        assert named.transport.pair() is not None
        named.loop.running = False
        named.loop.silent_us = 6
        assert named.transport.figures() == {"silent_us": 5}
        assert named.transport.pair() is None
        named.transport.detach()


async def test_silence_before_the_connection_is_no_end() -> None:
    """A browser may take longer to begin than a viewer may be silent."""
    async with Named(RtcSettings(silence_timeout_s=0.05)) as named:
        named.loop.silent_us = 10**6
        named.transport.silent(10**6)
        assert named.transport._probing is None


async def test_a_viewer_that_is_heard_again_stays_and_a_silent_one_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "PROBE_S", 0.01)
    async with Named(RtcSettings(silence_timeout_s=1)) as named:
        monkeypatch.setattr(type(named.transport.dtls), "state", "connected")
        for silent_us, ends in ((100_000, []), (1_000_000, [CloseReason.VIEWER_LOST])):
            named.loop.silent_us = silent_us
            named.transport.silent(500_000)
            named.transport.silent(500_000)
            assert named.transport._probing is not None
            await asyncio.wait_for(named.transport._probing, 5)
            assert named.ends == ends
