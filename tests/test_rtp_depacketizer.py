"""What all depacketizers share: order, loss, ends of frames, limits, hostile payloads."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.errors import BitstreamError
from mediacore.rtp import (
    Av1Depacketizer,
    DepacketizedFrame,
    H264Depacketizer,
    H264Packetizer,
    OpusDepacketizer,
    Vp8Depacketizer,
    Vp9Depacketizer,
)

ALL = [H264Depacketizer, Vp8Depacketizer, Vp9Depacketizer, Av1Depacketizer, OpusDepacketizer]
CODE = b"\0\0\0\1"
PICTURE = b"\x41" + b"p" * 2999


class Receiver:
    """A depacketizer of H.264 that keeps what it gives and what it raises."""

    def __init__(self, **limits: int) -> None:
        self.depacketizer = H264Depacketizer(**limits)
        self.frames: list[DepacketizedFrame] = []
        self.errors: list[str] = []

    def push(self, payload: bytes, number: int, timestamp: int = 0, *, marker: bool = False) -> None:
        try:
            self.frames += self.depacketizer.push(
                payload, sequence_number=number & 0xFFFF, timestamp=timestamp, marker=marker
            )
        except BitstreamError as error:
            self.errors.append(error.what)

    def push_frames(self, count: int, *, lose: tuple[int, ...] = (), begin: int = 0) -> None:
        """Frames of three packets each; those whose number is in `lose` do not come."""
        number = begin
        for frame in range(count):
            payloads = H264Packetizer().packetize(CODE + PICTURE)
            for index, payload in enumerate(payloads):
                if number - begin not in lose:
                    self.push(payload, number, frame * 3000, marker=index == 2)
                number += 1

    @property
    def timestamps(self) -> list[int]:
        return [frame.timestamp // 3000 for frame in self.frames]

    @property
    def counts(self) -> dict[str, int]:
        stats = self.depacketizer.stats()
        return {name: getattr(stats, name) for name in ("frames", "damaged", "lost", "late", "malformed")}


def test_the_sequence_number_wraps() -> None:
    receiver = Receiver()
    receiver.push_frames(4, begin=65531)
    assert receiver.timestamps == [0, 1, 2, 3]
    assert [frame.packets for frame in receiver.frames] == [3] * 4
    assert receiver.counts == {"frames": 4, "damaged": 0, "lost": 0, "late": 0, "malformed": 0}


@pytest.mark.parametrize(
    ("lose", "given", "errors"),
    [
        ((4,), [0, 2, 3], ["packets of the frame were lost"]),
        ((3,), [0, 2, 3], ["continuation of something whose start is missing"]),
        ((5,), [0, 2, 3], ["packets of the frame were lost"]),  # the marker: shown by the next frame
        ((3, 4, 5), [0, 2, 3], []),  # all of a frame: only the count tells
        ((5, 6), [0, 3], ["packets of the frame were lost"]),  # and the next frame has lost its start
    ],
    ids=["middle", "start", "end", "all", "end and start"],
)
def test_a_frame_that_lost_a_packet_is_not_given(lose: tuple[int, ...], given: list[int], errors: list[str]) -> None:
    receiver = Receiver()
    receiver.push_frames(4, lose=lose)
    assert receiver.timestamps == given
    assert receiver.errors[:1] == errors
    assert receiver.counts["lost"] == len(lose)
    after = receiver.frames[1]
    assert (after.lost_before, receiver.frames[-1].lost_before) == (
        len(lose),
        0 if after is not receiver.frames[-1] else 2,
    )


def test_late_and_doubled_packets_are_counted_and_not_used() -> None:
    receiver = Receiver()
    receiver.push_frames(2)
    receiver.push(b"\x41late", 2)
    receiver.push(b"\x41twice", 5, marker=True)
    assert receiver.timestamps == [0, 1]
    assert receiver.counts["late"] == 2


def test_a_sender_that_starts_anew_is_followed() -> None:
    receiver = Receiver()
    receiver.push_frames(1, begin=1000)
    receiver.push_frames(1, begin=30_000)
    receiver.push_frames(1, begin=200)
    assert [frame.lost_before for frame in receiver.frames] == [0, 1, 1]


def test_a_new_timestamp_ends_a_frame_without_marker() -> None:
    receiver = Receiver()
    receiver.push(b"\x41one", 0, 0)
    receiver.push(b"\x41two", 1, 0)
    receiver.push(b"\x41three", 2, 3000)
    assert [frame.data for frame in receiver.frames] == [CODE + b"\x41one" + CODE + b"\x41two"]
    receiver.push(b"\x41four", 3, 6000, marker=True)
    assert receiver.timestamps == [0, 1, 2]


def test_frames_that_a_raising_push_completed_come_with_the_next() -> None:
    receiver = Receiver()
    receiver.push(b"\x41one", 0, 0)
    receiver.push(b"\x1f", 1, 3000)
    assert (receiver.timestamps, len(receiver.errors)) == ([], 1)
    receiver.push(b"\x41three", 2, 6000, marker=True)
    assert receiver.timestamps == [0, 2]


def test_one_error_for_each_damaged_frame() -> None:
    receiver = Receiver()
    for number in range(5):
        receiver.push(b"\x1f", number, marker=number == 4)
    receiver.push(b"\x41", 5, 3000, marker=True)
    assert len(receiver.errors) == 1
    assert receiver.counts == {"frames": 1, "damaged": 1, "lost": 0, "late": 0, "malformed": 1}


def test_padding_alone_is_an_error_that_damages_nothing() -> None:
    receiver = Receiver()
    receiver.push(b"\x41one", 0)
    receiver.push(b"", 1)
    receiver.push(b"\x41two", 2, marker=True)
    assert receiver.errors == ["nothing to read"]
    assert receiver.timestamps == [0]


@pytest.mark.parametrize(
    ("payloads", "what"),
    [
        (["7c85aa", "7c85bb"], "new start"),
        (["7c85aa", "41bb"], "new start"),
        (["7c85aa", "7c01bb"], "does not belong"),
        (["7c85aa", "7c05bb"], "ends inside"),
    ],
    ids=["start twice", "another packet", "another type", "no end"],
)
def test_fragments_that_do_not_follow_each_other(payloads: list[str], what: str) -> None:
    receiver = Receiver()
    for number, payload in enumerate(payloads):
        receiver.push(bytes.fromhex(payload), number, marker=number + 1 == len(payloads))
    assert receiver.frames == []
    assert what in receiver.errors[0]


def test_the_limit_of_a_frame() -> None:
    receiver = Receiver(max_frame_bytes=3004)
    receiver.push_frames(1)
    assert receiver.timestamps == [0]
    receiver = Receiver(max_frame_bytes=3003)
    receiver.push_frames(2)
    assert receiver.frames == []
    assert receiver.errors == ["frame is larger than the limit"] * 2


def test_fragments_without_end_stop_at_the_limit() -> None:
    receiver = Receiver(max_frame_bytes=1 << 20)
    receiver.push(b"\x7c\x85", 0)
    for number in range(1, 3000):
        receiver.push(b"\x7c\x05" + b"x" * 1000, number)
    assert receiver.errors == ["frame is larger than the limit"]


@pytest.mark.parametrize("limit", [0, (1 << 30) + 1])
@pytest.mark.parametrize("depacketizer", ALL)
def test_limits_that_make_no_sense(depacketizer: Any, limit: int) -> None:
    with pytest.raises(ValueError):
        depacketizer(limit)


def test_fields_have_their_ranges() -> None:
    for numbers in ({"sequence_number": 65536}, {"sequence_number": 1, "timestamp": 1 << 32}):
        with pytest.raises(TypeError):
            H264Depacketizer().push(b"\x41", marker=True, **numbers)


PUSHES = st.lists(
    st.tuples(st.binary(max_size=24), st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=1, max_size=30
)
HEADS = st.sampled_from(
    [
        b"",
        b"\x7c\x85",
        b"\x7c\x45",
        b"\x7c\x05",
        b"\x78\0\2",
        b"\x10",
        b"\x90\x80",
        b"\x90\xf0\x80\x01",
        b"\x88",
        b"\xce",
        b"\x08",
        b"\x50\x30",
        b"\xd0",
    ]
)


@pytest.mark.parametrize("depacketizer", ALL)
@settings(deadline=None)
@given(pushes=PUSHES, heads=st.lists(HEADS, min_size=30, max_size=30))
def test_any_payloads_give_frames_or_the_one_error(depacketizer: Any, pushes: list[Any], heads: list[bytes]) -> None:
    receiver, number, timestamp, taken = depacketizer(200), 65520, 0, 0
    frames: list[DepacketizedFrame] = []
    for head, (payload, gap, step, marker) in zip(heads, pushes, strict=False):
        number, timestamp = number + gap, timestamp + step // 2
        taken += 1
        with contextlib.suppress(BitstreamError):
            frames += receiver.push(head + payload, sequence_number=number & 0xFFFF, timestamp=timestamp, marker=marker)
    stats = receiver.stats()
    assert stats.packets == taken
    assert len(frames) <= stats.frames <= len(frames) + 2
    assert all(0 < len(frame.data) <= 200 for frame in frames)
