"""One rendition's encoder at work, in a thread of its own, watched by another.

    worker = EncoderWorker(ring, codec="vp8", target=Target(2_000_000, 30.0), ceiling_bps=4_000_000, push=push, ...)
    ring.push(frame); worker.wake()              # any thread, never waits
    worker.request_key_frame()
    worker.close()

- What is encoded when is ``Cadence``'s business, what is passed over ``Intake``'s, the encoder ``EncoderDesk``'s.
- A call that does not come back in time is given up: its thread ends by itself whenever the call does, and a new thread
  with a new encoder goes on at once with the newest frame. An encoder that fails again and again, or that too many
  threads are stuck in, is passed over; when no other is left the rendition fails with the reason.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mediacore.encode.cadence import Cadence, Hold, Later, Now, Why
from mediacore.encode.choice import open_encoder
from mediacore.encode.desk import EncoderDesk, Order
from mediacore.encode.frame_times import FrameTimes
from mediacore.encode.intake import Intake
from mediacore.encode.stuck_calls import STUCK_HERE, StuckCalls
from mediacore.encode.trust import Trust
from mediacore.encode.watchdog import Call, now_us, watch
from mediacore.errors import EncoderError
from mediacore.media import Delay, DropCause, Frame, RenditionStats, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediacore.encode.desk import Open
    from mediacore.encode.encoder import EncodedFrame
    from mediacore.ring import FrameRing

_log = logging.getLogger(__name__)

DEADLINE_S = 0.3
"""For one frame; a viewer sees such a pause, but no longer one."""
OPENING_DEADLINE_S = 3.0
"""For opening an encoder the first time, and for its first frame; each candidate has as much."""
SLOWER = 8
"""A frame may take so many times as long as 95 % do, and an opening as the one before it: where encoding is slow, slow
is not stuck."""
AGAIN_AFTER_S = 0.02
"""After an error, before another encoder is opened."""
TIMES = 256
"""Encode times that the figures are made of."""
DEFAULT_FPS, DEFAULT_BPS = 30.0, 4_000_000


@dataclass(slots=True, eq=False)
class _Turn:
    """One thread's time at the encoder; it ends when another begins."""

    thread: threading.Thread | None = None
    call: Call = field(default_factory=Call)
    """What it does at the encoder."""
    why: Why = "fresh"
    """What it encodes."""


@dataclass(slots=True)
class _Counts:
    refined: int = 0
    key_frames: int = 0
    encoders: int = 0
    opening_us: int | None = None
    """Time that the last opening took, or the first frame after it if that took longer."""
    times_us: deque[int] = field(default_factory=lambda: deque(maxlen=TIMES))

    def quantile_us(self, share: float) -> int:
        times = sorted(self.times_us)
        return times[min(len(times) - 1, int(len(times) * share))] if times else 0


class EncoderWorker:
    """Encodes what comes through ``ring`` until it is closed.

    Args:
        ring: the frames, any size, I420 in limited range; give it a capacity of 2. The worker closes it in the end.
        codec: ``h264``, ``vp8``, ``vp9`` or ``av1``.
        target: bit rate, frame rate, and the largest size, whose shape the frames keep.
        ceiling_bps: the most that ``set_target`` will ask for.
        push: takes each encoded frame; False: not taken, so the next one will be a key frame. Called in the worker's
            threads, one at a time, with a lock held: it must not wait.
        queue_us: how long what was encoded waits in the network. As ``push``.
        on_opened: called with the size and the encoder's name before the first frame of each encoder. As ``push``.
        on_failed: called once when nothing will be encoded any more. As ``push``.
        profile_level_id: as ``EncoderSettings``.
        open: ``open_encoder``, or what behaves like it.
        deadline_s: how long a frame may take before its encoder is given up; more, where encoding is slow.
        stuck: counts threads that do not come back.

    Raises ``EncoderError`` if there is no thread for it.
    """

    def __init__(
        self,
        ring: FrameRing[Frame],
        *,
        codec: str,
        target: Target,
        ceiling_bps: int,
        push: Callable[[EncodedFrame], bool],
        on_failed: Callable[[EncoderError], None],
        queue_us: Callable[[], int] = lambda: 0,
        on_opened: Callable[[tuple[int, int], str], None] = lambda _size, _name: None,
        profile_level_id: str | None = None,
        open: Open = open_encoder,  # noqa: A002 - it is what it does
        deadline_s: float = DEADLINE_S,
        stuck: StuckCalls = STUCK_HERE,
    ) -> None:
        self._push, self._queue_us, self._on_opened, self._on_failed = push, queue_us, on_opened, on_failed
        self._open, self._deadline_us = open, round(deadline_s * 1e6)
        self._codec, self._ceiling_bps, self._profile_level_id = codec, ceiling_bps, profile_level_id
        self._target = Target(target.bitrate_bps or DEFAULT_BPS, target.fps or DEFAULT_FPS, target.size)
        self._lock = threading.Condition()
        self._cadence, self._intake = Cadence(self._target.fps or DEFAULT_FPS), Intake(ring)
        self._hold: Hold | None = None
        self._last: Frame | None = None
        self._opened: tuple[tuple[int, int], str] | None = None
        self._counts = _Counts()
        self._times, self._trust, self._stuck = FrameTimes(), Trust(), stuck
        self._trouble = ""
        self._failure: str | None = None
        self._closed = threading.Event()
        self._turn = _Turn()
        self._watch = threading.Thread(
            target=watch, args=(self._look, self._deadline_us, self._closed.wait), name=f"watch-{codec}", daemon=True
        )
        try:
            self._watch.start()
            self._begin_turn()
        except RuntimeError as error:
            self.close()
            raise EncoderError(f"there is no thread to encode {codec} in: {error}") from error

    def wake(self) -> None:
        """There is something in the ring."""
        with self._lock:
            self._lock.notify()

    def request_key_frame(self) -> None:
        """Encode a key frame now, of the newest frame there is or of the next one."""
        with self._lock:
            self._cadence.want_key(now_us())
            self._lock.notify()

    def set_target(self, target: Target) -> None:
        """Follow it from the next frame on; None leaves a value as it is."""
        with self._lock:
            old = self._target
            size_changes = target.size is not None and target.size != old.size
            self._target = Target(target.bitrate_bps or old.bitrate_bps, target.fps or old.fps, target.size or old.size)
            self._cadence.fps = self._target.fps or DEFAULT_FPS
            if target.key_frame or size_changes:
                self._cadence.want_key(now_us())
            self._lock.notify()

    def stats(self, viewers: int = 0) -> RenditionStats:
        """Figures since it was made; ``viewers`` is what the caller knows of them."""
        with self._lock:
            size, name = self._opened or (None, "")
            counts = self._counts
            return RenditionStats(
                codec=self._codec,
                encoder=name,
                size=size,
                fps=self._target.fps,
                bitrate_bps=self._target.bitrate_bps or 0,
                viewers=viewers,
                frames=self._intake.stats(),
                refined=counts.refined,
                key_frames=counts.key_frames,
                encode=Delay(counts.quantile_us(0.5), counts.quantile_us(0.95)) if counts.times_us else None,
                encoders=counts.encoders,
                failure=self._failure,
            )

    def close(self) -> None:
        """Stop; waits for the frame that is being encoded, but not longer than the deadline. May be repeated."""
        with self._lock:
            self._end()
            thread = self._turn.thread
            name = self._turn.call.name
        for waited_for in (thread, self._watch):
            if waited_for is not None and waited_for.ident is not None and waited_for is not threading.current_thread():
                waited_for.join(self._deadline_us / 1e6)
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            self._stuck.add(name, thread)

    def _end(self) -> None:
        self._closed.set()
        self._intake.close()
        self._last = None
        self._lock.notify_all()

    # The thread that encodes.

    def _begin_turn(self) -> None:
        """Raises RuntimeError if there is no thread."""
        self._turn = turn = _Turn()
        turn.thread = threading.Thread(target=self._run, args=(turn,), name=f"encode-{self._codec}", daemon=True)
        turn.thread.start()

    def _run(self, turn: _Turn) -> None:
        desk = EncoderDesk(self._open, trying=functools.partial(self._trying, turn))
        try:
            while (work := self._next(turn)) is not None:
                try:
                    self._encode(turn, desk, *work)
                except EncoderError as error:
                    desk.close()
                    self._failed(turn, error)
        except Exception as error:  # noqa: BLE001 - the thread's top frame
            _log.exception("the encoder of %s ends", self._codec)
            self._failed(turn, EncoderError(f"{self._codec}: {error!r}"), final=True)
        finally:
            desk.close()

    def _next(self, turn: _Turn) -> tuple[Now, Frame, Order] | None:
        """Wait for something to encode. None: the turn is over."""
        with self._lock:
            while self._turn is turn and not self._closed.is_set():
                asked_us = now_us()
                self._intake.collect(self._hold)
                what = self._cadence.next(
                    asked_us, waiting=self._intake.waiting, again=self._last is not None, queue_us=self._queue_us()
                )
                if isinstance(what, Now):
                    return self._take(turn, what)
                self._hold = what.hold
                self._lock.wait(self._pause_s(what, asked_us))
        return None

    @staticmethod
    def _pause_s(later: Later, asked_us: int) -> float | None:
        return None if later.until_us is None else max(0, later.until_us - asked_us) / 1e6

    def _take(self, turn: _Turn, now: Now) -> tuple[Now, Frame, Order]:
        began_us = now_us()
        if now.why == "fresh":
            self._last = self._intake.take()
            frame = self._times.fresh(self._last, began_us)
        else:
            assert self._last is not None
            frame = self._times.again(self._last, began_us)
        self._hold = None
        target = self._target
        order = Order(
            self._codec,
            target.bitrate_bps or DEFAULT_BPS,
            self._ceiling_bps,
            target.fps or DEFAULT_FPS,
            target.size,
            self._profile_level_id,
            # What is open and well here stays, wherever else threads are stuck in it.
            self._trust.lost() + [name for name in self._stuck.full() if name != turn.call.name],
        )
        turn.call.begin(began_us, self._opening_allowed_us(turn.call.name))
        turn.why = now.why
        return now, frame, order

    def _trying(self, turn: _Turn, name: str) -> None:
        """The thread is about to open this encoder. Raises ``EncoderError`` if nobody waits for that any more."""
        with self._lock:
            if self._turn is not turn or self._closed.is_set():
                raise EncoderError(f"{name} is not wanted any more")
            turn.call.name, turn.call.opening = name, True
            turn.call.begin(now_us(), self._opening_allowed_us(name))

    def _opening_allowed_us(self, name: str) -> int:
        longest_us = round(OPENING_DEADLINE_S * 1e6)
        known_us = self._counts.opening_us if self._trust.knows(name) else None
        return max(self._deadline_us, longest_us if known_us is None else min(longest_us, SLOWER * known_us))

    def _encode(self, turn: _Turn, desk: EncoderDesk, now: Now, frame: Frame, order: Order) -> None:
        """Raises ``EncoderError``."""
        begun_us = now_us()
        try:
            opened = desk.prepare(order, frame, key=now.key)
        except EncoderError as error:
            # All candidates were tried.
            self._failed(turn, error, final=True)
            return
        with self._lock:
            if self._turn is not turn:
                return
            encoding_us = now_us()
            if opened is None:
                allowed_us = max(self._deadline_us, SLOWER * self._counts.quantile_us(0.95))
            else:
                allowed_us = self._opening_allowed_us(opened.name)
                turn.call.name, turn.call.opening = opened.name, False
                self._trust.opened(opened.name)
                self._opened = opened.settings.size, opened.name
                self._counts.encoders += 1
                self._on_opened(*self._opened)
            turn.call.begin(encoding_us, allowed_us)
        encoded = desk.encode(frame, key=now.key)
        with self._lock:
            if self._turn is not turn or self._closed.is_set():
                # Another encoder goes on; what this one gives would be a picture of another stream.
                return
            turn.call.end()
            self._trust.worked(turn.call.name)
            self._trouble = ""
            ended_us = now_us()
            if opened is None:
                self._counts.times_us.append(ended_us - encoding_us)
            else:
                self._counts.opening_us = max(encoding_us - begun_us, ended_us - encoding_us)
            self._encoded(now, encoded, ended_us)

    def _encoded(self, now: Now, encoded: list[EncodedFrame], ended_us: int) -> None:
        key = any(each.is_key for each in encoded)
        self._counts.key_frames += key
        self._cadence.encoded(ended_us, now.why, key=key)
        taken = [self._push(each) for each in encoded]
        if not all(taken):
            self._cadence.want_key(ended_us)
        if now.why != "fresh":
            self._counts.refined += now.why != "key"
        elif all(taken):
            self._intake.encoded()
        else:
            self._intake.lost(DropCause.SLOW_CONSUMER)

    # What goes wrong.

    def _failed(self, turn: _Turn, error: EncoderError, *, final: bool = False) -> None:
        """The encoder gave an error; ``final``: there is no other."""
        with self._lock:
            if self._turn is not turn or self._closed.is_set():
                return
            self._give_up(turn)
            if final:
                self._fail(EncoderError(f"{error}; before that, {self._trouble}") if self._trouble else error)
                return
            self._trouble = str(error)
        _log.warning("%s; another one is opened", error)
        # Nothing is gained by another attempt in the same instant.
        self._closed.wait(AGAIN_AFTER_S)

    def _give_up(self, turn: _Turn) -> None:
        """Without the frame that is in work; the next one, or the same once more, becomes a key frame."""
        turn.call.end()
        if turn.why == "fresh":
            self._intake.lost(DropCause.ENCODER_FAILED)
        if turn.call.name:
            self._trust.failed(turn.call.name)
        self._cadence.want_key(now_us())

    def _fail(self, error: EncoderError) -> None:
        self._failure = str(error)
        self._turn = _Turn(self._turn.thread, self._turn.call)  # over for that thread; closing waits for it
        self._end()
        self._on_failed(error)

    def _look(self, woken_us: int, late_us: int) -> int | None:
        """The thread that watches looks at the call that is going on; what is left to it."""
        with self._lock:
            turn = self._turn
            left_us = turn.call.left_us(woken_us, late_us)
            if left_us is None or left_us > 0:
                return left_us
            if not self._closed.is_set():
                self._replace(turn)
        return None

    def _replace(self, turn: _Turn) -> None:
        """A call is stuck: a new thread, with a new encoder, goes on with the newest frame."""
        assert turn.thread is not None
        name = turn.call.name or f"the encoder of {self._codec}"
        does = "could not be opened" if turn.call.opening else "did not come back"
        stuck = f"{name} {does} within {turn.call.allowed_us / 1000:.0f} ms"
        self._stuck.add(turn.call.name, turn.thread)
        self._give_up(turn)
        self._trouble = stuck
        _log.warning("%s; another one is opened", stuck)
        try:
            self._begin_turn()
        except RuntimeError as error:
            self._fail(EncoderError(f"{stuck}, and there is no thread for another one: {error}"))
