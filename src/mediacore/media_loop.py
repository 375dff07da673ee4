"""The media loop's asyncio face: native threads move the media; from here they are told what to move, and heard.

The loop owns the sources' sockets and the UDP sockets of the viewers. A *rendition* is one encoding; a *source* fills
it from a socket, or packets are pushed into it; *viewers* send it over the network, *taps* hand its packets to Python.

Policy: a command never waits, it travels in a bounded queue, and a full one is a ``LimitError``. Events come in batches
through one descriptor and go to the sink that was given with their id; a sink that fails is logged and costs the others
nothing. Figures are read directly and need no event. Thread rule: all of it belongs to the asyncio loop that ran
``start``; only ``discard`` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import logging
import socket
import time
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from mediacore import _core
from mediacore.drop_log import INTERVAL_S, DropLog
from mediacore.errors import LimitError, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mediacore.sessions import SessionMap

log = logging.getLogger(__name__)

REMOVE_TIMEOUT_S = 2.0
"""How long a removal may take; it is a matter of one wake-up of the loop's thread."""
GOP_BYTES = 16 << 20
"""What is kept of the pictures since the last key frame: ten seconds, the interval of screenrecord, at 13 Mb/s."""
RETRY_S = 0.01
"""Pause before a removal that found the queue of commands full is tried again."""


def monotonic_us() -> int:
    """Now, in µs of the monotonic clock (the clock of ``Packet.received_us`` and of the asyncio loop)."""
    return time.monotonic_ns() // 1000


class RenditionSink(Protocol):
    """Hears of one rendition."""

    def described(self, width: int, height: int, profile_level_id: str, epoch: int, pts_us: int) -> None:
        """What the pictures from ``pts_us`` on are; the profile is empty where the codec has none."""

    def key_frame_wanted(self) -> None:
        """Somebody waits for a key frame; told at most once until the next one, or every 250 ms."""


class SourceSink(Protocol):
    """Hears of one source's socket."""

    def current(self, epoch: int) -> None:
        """Its first key frame is there: what it gives is what the rendition gives from now on."""

    def damaged(self) -> None:
        """An access unit was cut or dropped: what follows cannot be decoded until a key frame."""

    def ended(self, error_number: int, head: bytes, reason: str) -> None:
        """Nothing follows, and the socket is closed.

        ``error_number`` is the system's, 0 at the end of the stream. ``head`` is what came first if no access unit ever
        came: words, perhaps. ``reason`` is for people.
        """


class ViewerSink(Protocol):
    """Hears of one viewer."""

    def datagram(self, socket: int, host: str, port: int, data: bytes) -> None:
        """STUN or DTLS that the loop does not deal with itself; ``socket`` is an index into ``sockets``."""

    def destination_changed(self) -> None:
        """Media goes somewhere, or somewhere else."""

    def silent(self, silent_us: int) -> None:
        """Nothing authenticated was heard for so long."""

    def said_bye(self) -> None:
        """RTCP BYE: the viewer has left."""


class TapSink(Protocol):
    """Hears of one tap. The loop keeps no tap alive."""

    def ready(self) -> None:
        """There are packets again, after there were none."""

    def finished(self) -> None:
        """Its rendition is gone: after what is queued nothing follows."""


class MediaLoop:
    """Owns one native loop, from ``start`` to ``close``; another start needs another ``MediaLoop``.

    Args:
        threads: native threads; a rendition and its viewers stay on one.
        port: UDP port of the first thread; 0: any free one.
        last_port: with ``port``, the last one of the range that threads take theirs from; 0: ``port`` alone.
        sessions: viewers are let in while the session before the ``+`` of their ufrag is in it, and their activity is
            noted there (``touch``), both without the GIL. None: all viewers are let in.
    """

    def __init__(
        self, *, threads: int = 1, port: int = 0, last_port: int = 0, sessions: SessionMap[Any] | None = None
    ) -> None:
        self._threads = threads
        self._sessions = sessions
        self._port = port
        self._last_port = last_port
        self._native: _core.MediaLoop | None = None
        self._started = False
        self._asyncio: asyncio.AbstractEventLoop | None = None
        self._drop_log = DropLog()
        self._next_line: asyncio.TimerHandle | None = None
        self._tokens = itertools.count(1)
        self._removals: dict[int, asyncio.Future[str | None]] = {}
        self._renditions: dict[int, RenditionSink] = {}
        self._sources: dict[int, SourceSink] = {}
        self._viewers: dict[int, ViewerSink] = {}
        self._taps: weakref.WeakValueDictionary[int, TapSink] = weakref.WeakValueDictionary()
        self.addresses: tuple[str, ...] = ()
        """The local addresses that it was started with; none before ``start``."""

    # ------------------------------------------------------------------------------------ its life

    @property
    def running(self) -> bool:
        """True between ``start`` and ``close``."""
        return self._native is not None

    @property
    def native(self) -> _core.MediaLoop:
        """The native loop, for figures and for commands without an answer. Raises ``SetupError`` if it does not run."""
        if self._native is None:
            raise SetupError("the media loop does not run: it has not been started, or the engine is closed")
        return self._native

    async def start(self, addresses: Sequence[str]) -> None:
        """Open the sockets, one per address and thread, and start the threads.

        An address that cannot be had (IPv6 needs a second until it may be used, interfaces come and go) is left out.
        Raises ``SetupError`` if a socket cannot be opened; nothing is left then.
        """
        if self._started:
            raise RuntimeError("a media loop is started once")
        try:
            self._native = _core.MediaLoop(
                addresses=_usable(addresses),
                threads=self._threads,
                port=self._port,
                last_port=self._last_port,
                sessions=self._sessions.capsule() if self._sessions is not None else None,
            )
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE and self._port
            hint = "; rtc.port is in use: free it, or choose another" if taken else ""
            raise SetupError(f"no UDP socket for viewers: {error.strerror or error}{hint}") from error
        self._started = True
        self.addresses = tuple(addresses)
        self._asyncio = asyncio.get_running_loop()
        self._asyncio.add_reader(self._native.event_fd, self._readable)
        self._next_line = self._asyncio.call_later(INTERVAL_S, self._tell_drops)

    async def close(self) -> None:
        """End the threads and close everything; no sink hears anything more. May be repeated."""
        native, self._native = self._native, None
        if native is None:
            return
        assert self._asyncio is not None
        assert self._next_line is not None
        self._next_line.cancel()
        self._asyncio.remove_reader(native.event_fd)
        for done in self._removals.values():
            if not done.done():
                done.set_result(None)
        for sinks in (self._renditions, self._sources, self._viewers, self._taps):
            sinks.clear()
        # It waits for the threads; they do not wait for Python, so this is short, but it may need a core to run on.
        await asyncio.shield(asyncio.to_thread(native.close))

    # ------------------------------------------------------------------------------------ commands

    def add_rendition(
        self, sink: RenditionSink, *, codec: str, replay_bytes: int, gop_bytes: int = GOP_BYTES, beside: int = 0
    ) -> int:
        """A new encoding; its id.

        Args:
            sink: hears of it.
            codec: ``h264``, ``vp8``, ``vp9``, ``av1`` or ``opus``.
            replay_bytes: a late viewer gets the pictures since the last key frame if they are no more than this.
            gop_bytes: no more of them than this are kept; a tap that comes later waits for a key frame.
            beside: a rendition whose thread it shares, so that a viewer can take both; 0: any thread.
        """
        with command():
            rendition = self.native.add_rendition(
                codec=codec, replay_bytes=replay_bytes, gop_bytes=gop_bytes, beside=beside
            )
        self._renditions[rendition] = sink
        return rendition

    def add_source(
        self, sock: socket.socket, rendition: int, sink: SourceSink, *, idle_us: int, learnt_from: int = 0
    ) -> int:
        """Read raw Annex B from a connected socket, which belongs to the loop from now on, whatever happens.

        The first source of a rendition is current with its first key frame. A further one waits for its own beside it,
        and takes over then: the former ends.

        Args:
            sock: the socket.
            rendition: what it fills.
            sink: hears of it.
            idle_us: pause that ends an access unit; it adapts upwards.
            learnt_from: a source over the same link, whose pauses this one knows of from the start; 0: none.
        """
        try:
            with command():
                source = self.native.add_source(rendition, sock.fileno(), idle_us=idle_us, learnt_from=learnt_from)
        except BaseException:
            sock.close()
            raise
        sock.detach()
        self._sources[source] = sink
        return source

    def add_viewer(
        self, rendition: int, sink: ViewerSink, *, ufrag: str, password: str, quiet_us: int, silent_us: int
    ) -> int:
        """A viewer on the rendition's thread; its id. From now on what it sends comes up.

        Args:
            rendition: what it will be attached to.
            sink: hears of it.
            ufrag: our ICE user fragment, by which its checks are told from others'.
            password: the ICE password that belongs to it.
            quiet_us: after so long without anything authenticated, ``silent`` is told, and each 0.5 s from then on.
            silent_us: after so long it is told for the last time: the viewer is gone.
        """
        with command():
            viewer = self.native.add_viewer(
                rendition, ufrag=ufrag, password=password, quiet_us=quiet_us, silent_us=silent_us
            )
        self._viewers[viewer] = sink
        return viewer

    def add_tap(self, rendition: int, sink: TapSink, *, capacity: int, replay: bool) -> int:
        """A bounded queue of packets for Python; its id. With ``replay`` it begins with those since the key frame."""
        with command():
            tap = self.native.add_tap(rendition, capacity, replay=replay)
        self._taps[tap] = sink
        return tap

    def sockets(self, rendition: int) -> list[tuple[str, int]]:
        """(address, port) of the UDP sockets that the viewers of a rendition are reached from, by socket index."""
        return self.native.sockets(self.native.thread_of(rendition))

    async def remove(self, id: int) -> None:
        """Remove a rendition, source, viewer or tap, and wait until nothing of it is left; its sink hears nothing more.

        What has gone already is no error. Cancelling this does not stop the removal.
        """
        self._forget(id)
        if self._native is None:
            return
        token = next(self._tokens)
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._removals[token] = done
        try:
            async with asyncio.timeout(REMOVE_TIMEOUT_S):
                while not self._remove(id, token):  # noqa: ASYNC110  # time makes room, nothing tells of it
                    await asyncio.sleep(RETRY_S)
                failure = await done
            if failure is not None:
                log.error("the media loop could not remove %d: %s", id, failure)
        except TimeoutError:
            log.error("the media loop has not removed %d within %.1f s", id, REMOVE_TIMEOUT_S)
        finally:
            self._removals.pop(token, None)

    def discard(self, id: int) -> None:
        """As ``remove``, without waiting. May be called from any thread, a finalizer too."""
        self._forget(id)
        if not self._remove(id, 0):
            assert self._asyncio is not None
            with contextlib.suppress(RuntimeError):  # the asyncio loop is closed, and the native one soon
                self._asyncio.call_soon_threadsafe(self._discard_later, id)

    # ------------------------------------------------------------------------------------ events

    def _readable(self) -> None:
        for event in self.native.take_events():
            try:
                self._dispatch(event)
            except Exception:  # the top frame of whatever a sink does
                log.exception("a sink failed with event %s of the media loop", event[:2])

    def _dispatch(self, event: tuple[Any, ...]) -> None:
        match event:
            case (_core.EVENT_DONE, token, error):
                if (done := self._removals.get(token)) is not None and not done.done():
                    done.set_result(error)
                elif error is not None:
                    log.error("the media loop could not carry out a command: %s", error)
            case (_core.EVENT_DESCRIPTION, id, width, height, profile, epoch, pts_us):
                if (rendition := self._renditions.get(id)) is not None:
                    rendition.described(width, height, profile, epoch, pts_us)
            case (_core.EVENT_KEY_FRAME_WANTED, id):
                if (rendition := self._renditions.get(id)) is not None:
                    rendition.key_frame_wanted()
            case (_core.EVENT_SOURCE_CURRENT, id, epoch):
                if (source := self._sources.get(id)) is not None:
                    source.current(epoch)
            case (_core.EVENT_SOURCE_DAMAGED, id):
                if (source := self._sources.get(id)) is not None:
                    source.damaged()
            case (_core.EVENT_SOURCE_ENDED, id, error_number, head, reason):
                if (source := self._sources.pop(id, None)) is not None:
                    source.ended(error_number, head, reason)
            case (_core.EVENT_TAP_READY, id):
                if (tap := self._taps.get(id)) is not None:
                    tap.ready()
            case (_core.EVENT_TAP_ENDED, id):
                if (tap := self._taps.get(id)) is not None:
                    tap.finished()
            case (_, id, *rest):
                if (viewer := self._viewers.get(id)) is not None:
                    _tell_viewer(viewer, event[0], rest)

    def _tell_drops(self) -> None:
        assert self._asyncio is not None
        self._next_line = self._asyncio.call_later(INTERVAL_S, self._tell_drops)
        if (news := self._drop_log.news(self.native.loop_figures())) is not None:
            log.warning("the media loop has dropped within the last second: %s", news)

    # ------------------------------------------------------------------------------------ removal

    def _forget(self, id: int) -> None:
        for sinks in (self._renditions, self._sources, self._viewers):
            sinks.pop(id, None)
        self._taps.pop(id, None)

    def _remove(self, id: int, token: int) -> bool:
        """False if the queue of commands is full."""
        native = self._native
        if native is None:
            return True
        try:
            native.remove(id, token)
        except RuntimeError:
            return False
        return True

    def _discard_later(self, id: int) -> None:
        assert self._asyncio is not None
        self._asyncio.call_later(RETRY_S, self.discard, id)


def _usable(addresses: Sequence[str]) -> list[str]:
    usable = []
    for address in addresses:
        try:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((address, 0))
        except OSError as error:
            log.warning("viewers cannot be offered the address %s: %s", address, error.strerror)
        else:
            usable.append(address)
    return usable


def _tell_viewer(viewer: ViewerSink, kind: int, fields: Sequence[Any]) -> None:
    told: dict[int, Callable[..., None]] = {
        _core.EVENT_DATAGRAM: viewer.datagram,
        _core.EVENT_DESTINATION: viewer.destination_changed,
        _core.EVENT_VIEWER_SILENT: viewer.silent,
        _core.EVENT_VIEWER_BYE: viewer.said_bye,
    }
    told[kind](*fields)


@contextlib.contextmanager
def command() -> Iterator[None]:
    """Around calls of the native loop: ``LimitError`` if it takes no more now, ``SetupError`` if it is closed."""
    try:
        yield
    except _core.LoopClosedError as error:
        raise SetupError(f"{error}: the engine has been closed") from error
    except (_core.QueueFullError, _core.TooManyError) as error:
        raise LimitError(f"the media loop takes no more now: {error}") from error
