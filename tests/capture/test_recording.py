"""Recordings played as devices: times, loops, and files that are no recordings."""

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from taken import Taken, taken

from mediacore.capture.recording import Recording, picture_of, read_recording
from mediacore.errors import RecordingError
from mediacore.media import Packet, Target, Unsupported
from mediacore.media_loop import monotonic_us


async def play(path: Path, count: int) -> tuple[list[Packet], Taken]:
    async with taken(Recording(path)) as sink:
        return [await sink.take() for _ in range(count)], sink


async def test_it_loops_with_times_that_go_on(recordings: Callable[..., Path]) -> None:
    packets, sink = await play(recordings(frames=10, fps=60), 25)
    times = [packet.pts_us for packet in packets]
    steps = {round((b - a) / 1000) for a, b in itertools.pairwise(times)}
    assert steps == {17}
    assert [packet.epoch for packet in packets] == [1] * 10 + [2] * 10 + [3] * 5
    assert [n for n, packet in enumerate(packets) if packet.is_key] == [0, 10, 20]
    assert [description.epoch for description in sink.described_as] == [1, 2, 3]
    assert sink.described_as[0].size == (160, 128)


async def test_pictures_come_in_real_time(recordings: Callable[..., Path]) -> None:
    async with taken(Recording(recordings(frames=10, fps=60))) as sink:
        for _ in range(10):
            packet = await sink.take()
            assert monotonic_us() >= packet.pts_us - 1000, "a picture must not come before its time"


async def test_recordings_of_one_rate_have_their_pictures_due_together(recordings: Callable[..., Path]) -> None:
    """Each had a clock of its own, and the loop woke for each of them."""
    (first, *_), _ = await play(recordings(frames=10, fps=60), 1)
    await asyncio.sleep(0.005)  # another time of the day is what this is about
    (second, *_), _ = await play(recordings(frames=12, fps=60), 1)
    ticks = (second.pts_us - first.pts_us) / (1_000_000 / 60)
    assert abs(ticks - round(ticks)) < 0.001
    assert ticks > 0.5


async def test_pictures_are_handed_over_ahead_of_their_time(
    recordings: Callable[..., Path],
) -> None:
    """A busy interpreter must not hold up what is played: half a second of it is not seen."""
    async with taken(Recording(recordings(frames=60, fps=60))) as sink:
        await sink.take()
        await asyncio.sleep(0.2)  # it has had the time to read on
        time.sleep(0.5)  # noqa: ASYNC251  # the loop stands still
        figures = sink.loop.native.rendition_figures(sink.rendition)
        assert figures["units"] >= 36


async def test_what_is_handed_over_outlasts_eight_seconds_without_python(recordings: Callable[..., Path]) -> None:
    """The lead was two seconds: a GIL that was held once for 8 s stopped the pictures."""
    source = Recording(recordings(frames=30, fps=30))
    async with taken(source) as sink:
        await sink.take()
        async with asyncio.timeout(10):
            while source._ahead[-1][0] - monotonic_us() < 8_500_000:
                await asyncio.sleep(0.05)


async def test_a_file_that_has_changed_is_read_again(recordings: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "changing.h264"
    path.write_bytes(recordings(frames=2, fps=30).read_bytes())
    async with taken(Recording(path)) as sink:
        await sink.take()
        path.write_bytes(recordings(frames=2, fps=30, size=(320, 240)).read_bytes())
        async with asyncio.timeout(20):
            while sink.described_as[-1].size != (320, 240):
                await sink.take()


def test_mp4_and_annex_b_hold_the_same_pictures(recordings: Callable[..., Path]) -> None:
    annex_b = list(read_recording(recordings(frames=12)))
    mp4 = list(read_recording(recordings("moving.mp4", frames=12)))
    assert len(mp4) == len(annex_b) == 12
    assert [timed.unit.is_idr for timed in mp4] == [timed.unit.is_idr for timed in annex_b]
    assert [round(timed.time_us / 1000) for timed in mp4] == [round(n * 1000 / 30) for n in range(12)]


def test_its_first_picture_is_a_jpeg(recordings: Callable[..., Path]) -> None:
    assert picture_of(recordings()).startswith(b"\xff\xd8\xff")


async def test_a_recording_has_no_key_frames_on_request_and_one_bit_rate(recordings: Callable[..., Path]) -> None:
    source = Recording(recordings())
    assert await source.request_key_frame() is False
    assert isinstance(await source.set_target(Target(bitrate_bps=1_000_000)), Unsupported)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no H.264 key frame"),
        (b"this is text\n" * 100, "no H.264 key frame"),
        (b"\0\0\0\x18ftypisom" + bytes(64), "not a usable MP4"),
        (b"\0\0\0\1\x67\xff\xff\xff" * 10, "no H.264 key frame"),
    ],
    ids=["empty", "text", "broken mp4", "broken SPS"],
)
async def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "file.h264"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=says):
        await play(path, 0)


async def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        await play(tmp_path / "nothing.h264", 0)
