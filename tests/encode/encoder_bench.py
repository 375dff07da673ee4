"""A worker with a real encoder, what goes into it and what comes out; what gets stuck or fails is put around it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from screen_frames import screen

from mediacore.encode.choice import open_encoder
from mediacore.encode.worker import EncoderWorker
from mediacore.errors import EncoderError
from mediacore.media import Frame, QueueStats, Target
from mediacore.ring import FrameRing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mediacore.encode.encoder import EncodedFrame, EncoderSettings

PATIENCE_S = 20.0
DEADLINE_S = 0.15


class Bench:
    """A worker, what went in and what came out."""

    def __init__(self, **arguments: Any) -> None:
        self.ring: FrameRing[Frame] = FrameRing(2)
        self.came = threading.Condition()
        self.encoded: list[EncodedFrame] = []
        self.times: list[float] = []
        self.opened: list[tuple[tuple[int, int], str]] = []
        self.failures: list[EncoderError] = []
        self.queue_us = 0
        self.takes = True
        self.number = 0
        arguments = {"codec": "h264", "target": Target(1_000_000, 60.0), "ceiling_bps": 2_000_000} | arguments
        self.worker = EncoderWorker(
            self.ring,
            push=self.push,
            queue_us=lambda: self.queue_us,
            on_opened=lambda size, name: self.opened.append((size, name)),
            on_failed=self.fail,
            **arguments,
        )

    def push(self, encoded: EncodedFrame) -> bool:
        with self.came:
            self.encoded.append(encoded)
            self.times.append(time.monotonic())
            self.came.notify_all()
        return self.takes

    def fail(self, error: EncoderError) -> None:
        with self.came:
            self.failures.append(error)
            self.came.notify_all()

    def show(self, frame: Frame | None = None) -> Frame:
        frame = frame or screen(self.number)
        self.number += 1
        self.ring.push(frame)
        self.worker.wake()
        return frame

    def until(self, what: Callable[[], bool]) -> None:
        with self.came:
            assert self.came.wait_for(what, PATIENCE_S), (self.worker.stats(), self.failures)

    def until_encoded(self, count: int) -> EncodedFrame:
        self.until(lambda: len(self.encoded) >= count)
        return self.encoded[count - 1]

    @property
    def frames(self) -> QueueStats:
        return self.worker.stats().frames


class Unwell:
    """An encoder that does to some frames what ``ails`` does."""

    def __init__(self, encoder: Any, ails: Callable[[], None], name: str) -> None:
        self._encoder, self._ails = encoder, ails
        self.name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(self, frame: Frame, *, key: bool = False) -> list[EncodedFrame]:
        self._ails()
        encoded: list[EncodedFrame] = self._encoder.encode(frame, key=key)
        return encoded


def unwell(ails: Callable[[], None]) -> Callable[..., Any]:
    """As ``open_encoder``, with x264 alone, and unwell."""

    def open_one(settings: EncoderSettings, **more: Any) -> tuple[Unwell, tuple[()]]:
        encoder, _ = open_encoder(settings, "libx264", **more)
        return Unwell(encoder, ails, encoder.name), ()

    return open_one


def well() -> None:
    """What ails an encoder that nothing ails."""


class TwoEncoders:
    """As ``open_encoder``, with two candidates: ``first``, which may be unwell, and ``second``, which is well."""

    def __init__(self, ails: Callable[[], None] = well, opening: Callable[[], None] = well) -> None:
        self._ails, self._opening = ails, opening
        self.tried: list[str] = []

    def __call__(
        self, settings: EncoderSettings, *, without: Collection[str], trying: Callable[[str], None]
    ) -> tuple[Unwell, tuple[()]]:
        for name, opening, ails in (("first", self._opening, self._ails), ("second", well, well)):
            if name not in without:
                trying(name)
                self.tried.append(name)
                opening()
                return Unwell(open_encoder(settings, "libx264")[0], ails, name), ()
        raise EncoderError("none is left")
