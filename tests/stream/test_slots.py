"""A source has memory for all who may hold a frame of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mediacore.capture import shots
from mediacore.decode import decoder as decoder_module
from mediacore.decode.decoder import VideoDecoder
from mediacore.h264 import AccessUnitParser
from mediacore.media import Frame, Packet
from mediacore.slots import HELD, TAKEN
from mediacore.stream import encoded
from mediacore.stream.frame_fan import FrameFan
from mediacore.stream.frame_tap import MOST_WAITING, FrameTap
from mediacore.stream.renditions import MAX_RENDITIONS

READER = 2 + 2
"""Pictures that wait in a reader, and its own."""


@pytest.fixture(scope="module")
def key_frame(recordings: Callable[..., Path]) -> Packet:
    (unit, *_) = AccessUnitParser().push(recordings(frames=2, gop=2).read_bytes())
    return Packet("video", "h264", bytes(unit.data), 1, True, 1, 1)


async def test_frames_come_whatever_all_who_take_them_hold(key_frame: Packet) -> None:
    """There were ten slots: nine encoders that each kept another frame stopped the stream for everybody."""
    decoder, fan = VideoDecoder("h264"), FrameFan(lambda _: None)
    times = iter(range(1, 1000))

    def push() -> Frame:
        frame = decoder.decode(replace(key_frame, pts_us=next(times)))
        assert frame is not None, f"no slot was left: {decoder.dropped}"
        fan.push(frame)
        return frame

    rings = [fan.add(capacity=encoded.RING, fps=30, failed=lambda _: None).ring for _ in range(MAX_RENDITIONS + 1)]
    tap = FrameTap(fan, size=None, capacity=MOST_WAITING, fps=30)
    held: list[Frame] = []
    for ring in rings:  # each encodes another one
        push()
        while (frame := ring.pop()) is not None:
            newest = frame
        held.append(newest)
    for _ in range(TAKEN):
        for _ in range(MOST_WAITING + 1):
            push()
        held.append(await anext(tap))
    for _ in range(3 * MOST_WAITING):
        push()
    assert len({frame.pts_us for frame in held}) == MAX_RENDITIONS + 1 + TAKEN
    tap.close()


def test_the_sum_of_each_source() -> None:
    assert encoded.RING <= MOST_WAITING
    assert decoder_module.SLOTS == HELD + 1
    assert shots.SLOTS == HELD + READER
