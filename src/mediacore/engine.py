"""The engine: what an embedder or the bundled server holds. It owns media loop, adb client, streams and sessions."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hmac
import logging
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mediacore.adb.client import AdbClient
from mediacore.capture.choice import device_sources
from mediacore.capture.publication import Publication
from mediacore.capture.recording import Recording, picture_of
from mediacore.device_list import PUBLISHED_PREFIX, DeviceList, recording_serials
from mediacore.errors import (
    CaptureError,
    DeviceNotFoundError,
    LimitError,
    NoLocalAddressError,
    NotGrantedError,
    SetupError,
)
from mediacore.media import CloseReason, Device, DeviceState, EngineStats, Grants, Wanted
from mediacore.media_loop import MediaLoop
from mediacore.rtc.identity import Identity
from mediacore.rtc.port import host_addresses
from mediacore.session import Session
from mediacore.sessions import SessionMap
from mediacore.settings import EngineSettings, StreamSettings
from mediacore.stream.encoder_limit import EncoderLimit
from mediacore.stream.stream import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from types import TracebackType

    from mediacore.capture.frame_source import FrameSource
    from mediacore.capture.source import Source

log = logging.getLogger(__name__)

SCREENSHOT_TIMEOUT_S = 10.0
"""`screencap` takes 0.5 to 3 s on real devices."""
LEAST_END_S = 0.2
"""What streams get to end even when the sessions before them have used up the time."""
PNG = b"\x89PNG"


async def _within(deadline_s: float, *work: Coroutine[None, None, None]) -> None:
    """Do all of it side by side; what fails is logged, what is not done by the deadline is cancelled."""
    try:
        async with asyncio.timeout(deadline_s):
            for result in await asyncio.gather(*work, return_exceptions=True):
                if isinstance(result, BaseException):
                    log.error("something did not end cleanly", exc_info=result)
    except TimeoutError:
        log.warning("not everything has ended within %.1f s", deadline_s)


@dataclass(slots=True)
class _Running:
    """One stream and how many hold it."""

    stream: Stream
    grace_s: float
    holders: int = 0
    grace: asyncio.Task[None] | None = None


class Engine:
    """Async context manager. Everything happens on the asyncio loop that enters it.

    adb is started at the first use of a device. ``async with Engine() as engine`` is all that is needed.
    """

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self.settings = settings or EngineSettings()
        """What the engine was built from."""
        self._recordings = recording_serials(Path(path) for path in self.settings.recordings)
        self._adb = AdbClient(self.settings.adb) if self.settings.use_adb else None
        self.devices = DeviceList(self._adb, self._recordings)
        """The devices: ``.list()`` now, ``async for change in engine.devices`` afterwards."""
        self._loop: MediaLoop | None = None
        self._opening = 0  # streams that are being opened
        self._streams: dict[str, _Running] = {}
        # Held while the stream of a serial is opened or ended; it lives as long as somebody holds or awaits it.
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._sessions: SessionMap[Session] = SessionMap()
        self._identity = Identity()
        self._encoders = EncoderLimit(self.settings.max_encoders)
        self._sessions_total = 0
        self._sessions_failed = 0
        self._open = False
        self._expiry: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self.settings.rtc.port:
            await self._running_loop()  # a port that is taken is told now, not to the first viewer
        self._open = True
        self._expiry = asyncio.create_task(self._expire_sessions())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with contextlib.AsyncExitStack() as rest:
            rest.push_async_callback(self._close_loop)
            if self._adb is not None:
                rest.push_async_callback(self._adb.close)
            rest.push_async_callback(self.devices.close)
            if self._expiry is not None:
                self._expiry.cancel()
                await asyncio.wait([self._expiry])
            await self.drain(self.settings.rtc.close_timeout_s * 2)

    @property
    def ready(self) -> bool:
        """True while new viewers are taken."""
        return self._open

    # ------------------------------------------------------------------------------------ streams

    @contextlib.asynccontextmanager
    async def stream(self, serial: str, settings: StreamSettings | None = None) -> AsyncIterator[Stream]:
        """The stream of a device, started if it is not running, and kept a grace period after its last holder.

        It is shared by all who ask: ``settings`` count for whoever starts it. Raises ``DeviceNotFoundError``,
        ``DeviceOfflineError``, ``DeviceUnauthorizedError``, ``CaptureError``, ``RecordingError`` or an ``AdbError``.
        """
        running = await self._hold(serial, settings or self.settings.stream)
        try:
            yield running.stream
        finally:
            self._let_go(serial, running)

    async def _hold(self, serial: str, settings: StreamSettings) -> _Running:
        self._check_open()
        await self.devices.require(serial)
        async with self._turn(serial):
            self._check_open()
            running = self._streams.get(serial)
            if running is not None and running.stream.ended:
                await self._end(serial, running)
                running = None
            if running is None:
                stream = await self._new_stream(serial, settings)
                running = _Running(stream, settings.grace_s)
                self._streams[serial] = running
            running.holders += 1
            if running.grace is not None:
                running.grace.cancel()
                running.grace = None
            return running

    def _check_open(self) -> None:
        if not self._open:
            raise SetupError("the engine is not open: use it as `async with Engine() as engine`, and before its drain")

    def _turn(self, serial: str) -> asyncio.Lock:
        return self._turns.setdefault(serial, asyncio.Lock())

    async def _new_stream(self, serial: str, settings: StreamSettings) -> Stream:
        if serial in self._recordings:
            return await self._open_stream(serial, Recording(self._recordings[serial]), settings)
        if serial.startswith(PUBLISHED_PREFIX):
            raise DeviceNotFoundError(serial, "it is not published any more")
        assert self._adb is not None
        first, *others = device_sources(self._adb, serial, settings)
        return await self._open_stream(serial, first(), settings, others)

    async def _open_stream(
        self,
        serial: str,
        source: Source | FrameSource,
        settings: StreamSettings,
        fallbacks: Sequence[Callable[[], Source | FrameSource]] = (),
    ) -> Stream:
        rtc = self.settings.rtc
        published = serial.startswith(PUBLISHED_PREFIX)
        stream = Stream(
            serial,
            source,
            settings,
            replay_bytes=rtc.start_rate_bps * rtc.replay_ms // 8000,
            screenshot=None if published else functools.partial(self._screenshot, serial),
            fallbacks=fallbacks,
            encoders=self._encoders,
        )
        loop = await self._running_loop()
        self._opening += 1
        try:
            await stream.open(loop)
            self._check_open()  # a drain meanwhile did not know of this stream
        except BaseException:
            await stream.close()
            raise
        finally:
            self._opening -= 1
        return stream

    def _let_go(self, serial: str, running: _Running) -> None:
        running.holders -= 1
        if running.holders == 0 and self._streams.get(serial) is running:
            running.grace = asyncio.create_task(self._end_after_grace(serial, running))

    async def _end_after_grace(self, serial: str, running: _Running) -> None:
        await asyncio.sleep(running.grace_s if self._open and not running.stream.ended else 0)
        async with self._turn(serial):
            if running.holders == 0:
                running.grace = None
                await self._end(serial, running)

    async def _end(self, serial: str, running: _Running) -> None:
        if self._streams.get(serial) is running:
            del self._streams[serial]
        if running.grace is not None:
            running.grace.cancel()
        await running.stream.close()

    async def _end_now(self, serial: str) -> None:
        async with self._turn(serial):
            running = self._streams.get(serial)
            if running is not None:
                await self._end(serial, running)

    # ------------------------------------------------------------------------------------ streams of one's own

    @contextlib.asynccontextmanager
    async def publish(
        self,
        name: str,
        settings: StreamSettings | None = None,
        *,
        codec: str = "h264",
        audio: bool = False,
        on_key_frame_request: Callable[[], None] | None = None,
    ) -> AsyncIterator[Stream]:
        """A stream that is fed by ``await stream.push(packet)`` and watched like a device of serial ``publish:NAME``.

        Frames may be pushed instead of video packets; they are encoded here, to ``codec``.

        It ends, and its viewers with it, when the context is left.

        Args:
            name: unique among those that are published now.
            settings: ``key_frame_interval_s`` merges requests; ``size`` tells the size of codecs whose packets do not.
            codec: of the video packets: ``h264``, ``vp8``, ``vp9`` or ``av1``.
            audio: True if Opus packets are pushed as well.
            on_key_frame_request: called on the asyncio loop when a viewer needs a key frame, at most once per
                ``key_frame_interval_s``; must not block. Without it late viewers get what came since the last one.

        Raises ``UnsupportedError`` for another codec, ``SetupError`` if the name is taken or the engine is not open.
        """
        settings = settings or self.settings.stream
        serial = f"{PUBLISHED_PREFIX}{name}"
        source = Publication(
            serial, codec=codec, has_audio=audio, size=settings.size, on_key_frame_request=on_key_frame_request
        )
        async with self._turn(serial):
            self._check_open()
            if serial in self._streams:
                raise SetupError(f"{serial} is published already; choose another name")
            stream = await self._open_stream(serial, source, settings)
            self._streams[serial] = running = _Running(stream, grace_s=0, holders=1)
            self.devices.add(Device(serial, name, "published", DeviceState.DEVICE))
        try:
            yield stream
        finally:
            self.devices.remove(serial)
            async with self._turn(serial):
                await self._end(serial, running)

    # ------------------------------------------------------------------------------------ sessions

    async def connect(
        self,
        serial: str,
        offer_sdp: str,
        *,
        grants: Grants = Grants.ALL,
        wanted: Wanted = Wanted(),  # noqa: B008  # it is frozen
    ) -> Session:
        """Answer a viewer's WebRTC offer; the connection is made in the background and ends by itself.

        ``wanted``: preferred codecs, largest size and frame rate; what it gets is shared by all who want the same.

        Raises a ``DeviceError``, ``AdbError``, ``WantedError`` (``wanted`` cannot be), ``SdpError``,
        ``NoCommonCodecError``, ``UnsupportedError``, ``EncoderError``, ``ConnectTimeoutError``, ``ConnectFailedError``,
        ``NotGrantedError``, ``LimitError`` (of viewers, encodings or encoders) or ``SetupError``; nothing is left
        behind then. Without ``Grants.CONTROL`` the viewer's input is dropped and counted.
        """
        if Grants.VIEW not in grants:
            raise NotGrantedError(f"{serial} may not be watched by this viewer: it lacks the grant `view`")
        await self.devices.require(serial)
        if len(self._sessions) >= self.settings.max_sessions:
            raise LimitError(f"there are {len(self._sessions)} viewers already, which is the limit (max_sessions)")
        loop = await self._running_loop()
        if not loop.addresses:
            raise NoLocalAddressError(
                "no network address was up when the first stream began: end the streams, or restart, now that one is"
            )
        session = Session(
            serial,
            self.settings.rtc,
            loop,
            identity=self._identity,
            grants=grants,
            wanted=wanted,
            on_closed=self._session_closed,
        )
        self._sessions.put(session.id, session)
        self._sessions_total += 1
        await session.start(offer_sdp, self.stream(serial))
        return session

    def session(self, secret: str) -> Session | None:
        """The session that this secret opens; None if there is none. A public id opens nothing."""
        session = self._sessions.get(secret.partition(".")[0])
        if session is None or not hmac.compare_digest(session.secret.encode(), secret.encode()):
            return None
        return session

    async def _expire_sessions(self) -> None:
        while True:
            await asyncio.sleep(self.settings.session_idle_check_s)
            expired = self._sessions.expire(self.settings.session_idle_s)
            await _within(
                2 * self.settings.rtc.close_timeout_s, *(session.close(CloseReason.IDLE) for _, _, session in expired)
            )

    def _session_closed(self, session: Session) -> None:
        self._sessions.remove(session.id)
        if session.stats().connect_ms is None:
            self._sessions_failed += 1

    # ------------------------------------------------------------------------------------ the media loop

    async def _running_loop(self) -> MediaLoop:
        """The media loop, started at its first use, and anew if the machine's addresses changed while nobody needs it.

        A machine without addresses can still capture: ``connect`` fails then.
        """
        try:
            addresses = tuple(host_addresses())
        except NoLocalAddressError:
            addresses = ()
        idle = not self._streams and not self._opening and not len(self._sessions)
        if self._loop is not None and idle and self._loop.addresses != addresses:
            await self._close_loop()
        if self._loop is None:
            rtc = self.settings.rtc
            self._loop = MediaLoop(
                threads=rtc.media_threads, port=rtc.port, last_port=rtc.last_port or 0, sessions=self._sessions
            )
            try:
                await self._loop.start(addresses)
            except BaseException:
                self._loop = None
                raise
        return self._loop

    async def _close_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            await loop.close()

    # ------------------------------------------------------------------------------------ the rest

    async def screenshot(self, serial: str) -> tuple[bytes, str]:
        """The device's screen now, and its content type. Raises ``DeviceError``, ``AdbError`` or ``RecordingError``."""
        await self.devices.require(serial)
        running = self._streams.get(serial)
        data = await (running.stream.screenshot() if running is not None else self._screenshot(serial))
        return data, "image/png" if data.startswith(PNG) else "image/jpeg"

    async def _screenshot(self, serial: str) -> bytes:
        """Without a stream."""
        if serial in self._recordings:
            return await asyncio.to_thread(picture_of, self._recordings[serial])
        if self._adb is None or serial.startswith(PUBLISHED_PREFIX):
            raise DeviceNotFoundError(serial, "it is not published any more")
        output = await self._adb.exec_out(serial, "screencap -p", timeout_s=SCREENSHOT_TIMEOUT_S)
        start = output.find(PNG)  # warnings of devices with several displays come first
        if start < 0:
            raise CaptureError(serial, f"screencap gave no picture: {output[:120].decode(errors='replace').strip()!r}")
        return output[start:]

    async def drain(self, deadline_s: float) -> None:
        """Take no new viewers, tell those who are there, and end sessions and streams within ``deadline_s`` seconds."""
        self._open = False
        now_s = asyncio.get_running_loop().time
        end_s = now_s() + deadline_s
        sessions = [session for _, _, session in self._sessions.snapshot()]
        await _within(deadline_s, *(session.close(CloseReason.DRAIN) for session in sessions))
        # Those that are being opened or ended by somebody are waited for.
        serials = {*self._streams, *self._turns}
        await _within(max(LEAST_END_S, end_s - now_s()), *(self._end_now(serial) for serial in serials))

    def stats(self) -> EngineStats:
        """Figures of everything that runs."""
        return EngineStats(
            streams=tuple(running.stream.stats() for running in self._streams.values()),
            sessions=tuple(session.stats() for _, _, session in self._sessions.snapshot()),
            sessions_total=self._sessions_total,
            sessions_failed=self._sessions_failed,
            media_loop=self._loop.native.loop_figures() if self._loop is not None and self._loop.running else {},
        )
