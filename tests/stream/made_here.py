"""Sources of pictures and encoders that do what a test says."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np

from mediacore.capture.source import SourceStats
from mediacore.encode.encoder import EncodedFrame
from mediacore.errors import EncoderError, MediacoreError
from mediacore.media import Applied, Frame, QueueStats, RenditionStats, Target, Unsupported
from mediacore.media_loop import monotonic_us
from mediacore.ring import FrameRing
from mediacore.stream.encoding import Outlet


def picture(n: int = 0, size: tuple[int, int] = (64, 48), pts_us: int | None = None) -> Frame:
    """One grey; ``n`` is its luma."""
    luma = size[0] * size[1]
    block = np.full(luma * 3 // 2, 128, np.uint8)
    block[:luma] = n
    return Frame.of_block(
        block.data, size, size[0], matrix="bt709", pts_us=monotonic_us() if pts_us is None else pts_us
    )


async def until(true: Callable[[], object], deadline_s: float = 5.0) -> None:
    """Waits for what nothing tells of."""
    async with asyncio.timeout(deadline_s):
        while not true():
            await asyncio.sleep(0.001)


class FakeFrames:
    """A source of pictures: the test calls ``give``, and looks at what was asked."""

    control = None

    def __init__(self, kind: str = "screencap", *, on_open: MediacoreError | None = None) -> None:
        self.kind = kind
        self.rotation = 0
        self.rates: list[float] = []
        self.repeats = 0
        self.opened = asyncio.Event()
        self.closed = False
        self.targets: list[Target] = []
        self.fails_to_open = on_open
        self.shows: Frame | None = None
        """What is on the screen: given again by ``repeat``."""

    async def open(
        self, push: Callable[[Frame], None], on_end: Callable[[MediacoreError | None], None], *, fps: float
    ) -> None:
        if self.fails_to_open is not None:
            raise self.fails_to_open
        self._push, self.end = push, on_end
        self.rates.append(fps)
        self.opened.set()
        if self.shows is not None:
            self.repeat()

    def give(self, frame: Frame) -> None:
        """As the capture does, from a thread of its own."""
        self.shows = frame
        thread = threading.Thread(target=self._push, args=(frame,))
        thread.start()
        thread.join(5)

    def set_fps(self, fps: float) -> None:
        self.rates.append(fps)

    def repeat(self) -> None:
        self.repeats += 1
        if self.shows is not None:
            self.give(self.shows)

    async def set_target(self, target: Target) -> Applied | Unsupported:
        self.targets.append(target)
        return Unsupported("it gives what there is")

    async def close(self) -> None:
        self.closed = True

    def stats(self) -> SourceStats:
        return SourceStats(capture="by hand")


class FakeEncoding:
    """An encoder of packets whose first byte tells a key frame, as VP8 has it, and whose second is the luma."""

    def __init__(self, ring: FrameRing[Frame], outlet: Outlet, *, codec: str, target: Target, ceiling_bps: int) -> None:
        self.ring, self.outlet, self.codec, self.target, self.ceiling_bps = ring, outlet, codec, target, ceiling_bps
        self.keys_asked = 0
        self.encoded = 0
        self.closed = threading.Event()
        self.may_close = threading.Event()
        self.may_close.set()
        self._key = True
        self._opened = False

    def wake(self) -> None:
        while (frame := self.ring.pop()) is not None:
            if not self._opened:
                self.outlet.opened(frame.size, "fake")
                self._opened = True
            data = bytes([not self._key, frame.y[0, 0]])
            assert self.outlet.push(EncodedFrame(data, frame.pts_us, self._key)) is not self.closed.is_set()
            self._key = False
            self.encoded += 1

    def request_key_frame(self) -> None:
        self.keys_asked += 1
        self._key = True

    def set_target(self, target: Target) -> None:
        self.target = target

    def fail(self, reason: str) -> None:
        """As an encoder does, from its own thread."""
        thread = threading.Thread(target=self.outlet.failed, args=(EncoderError(reason),))
        thread.start()
        thread.join(5)

    def stats(self, viewers: int = 0) -> RenditionStats:
        counts = QueueStats(self.encoded, self.encoded)
        bitrate_bps = self.target.bitrate_bps or 0
        return RenditionStats(self.codec, "fake", None, self.target.fps, bitrate_bps, viewers, counts, 0, 0, None, 1)

    def close(self) -> None:
        self.may_close.wait(10)
        self.closed.set()


class Encoders:
    """Starts fakes, and keeps them."""

    def __init__(self) -> None:
        self.started: list[FakeEncoding] = []
        self.refuses = False

    def __call__(
        self, ring: FrameRing[Frame], outlet: Outlet, *, codec: str, target: Target, ceiling_bps: int
    ) -> FakeEncoding:
        if self.refuses:
            raise RuntimeError("can't start new thread")
        self.started.append(FakeEncoding(ring, outlet, codec=codec, target=target, ceiling_bps=ceiling_bps))
        return self.started[-1]
