"""Recordings that change while they play, and files that are unusual without being wrong."""

import asyncio
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from taken import taken

from mediacore.capture import recording
from mediacore.capture.recording import Recording, picture_of, read_recording
from mediacore.errors import RecordingError
from mediacore.media_loop import monotonic_us


@pytest.fixture
def short(recordings: Callable[..., Path], tmp_path: Path) -> Path:
    """A recording of two pictures that may be changed."""
    path = tmp_path / "short.h264"
    path.write_bytes(recordings(frames=2, fps=60).read_bytes())
    return path


@pytest.mark.parametrize("content", [b"", b"no pictures any more\n"], ids=["emptied", "overwritten"])
async def test_a_file_that_loses_its_pictures_ends_the_source(
    short: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read again and again without a pause, and nobody was told."""
    monkeypatch.setattr(recording, "AHEAD_US", recording.BATCH_US + 500_000)
    async with taken(Recording(short)) as sink:
        await sink.take()
        await asyncio.to_thread(short.write_bytes, content)
        error = await asyncio.wait_for(asyncio.shield(sink.error), 5)
    assert isinstance(error, RecordingError)
    assert "no H.264 key frame" in str(error)


async def test_a_file_that_vanishes_ends_the_source_when_what_was_read_has_been_played(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "AHEAD_US", recording.BATCH_US + 500_000)
    async with taken(Recording(short)) as sink:
        last = await sink.take()
        await asyncio.to_thread(short.unlink)
        error = await asyncio.wait_for(sink.error, 5)
        at_us = monotonic_us()
        while sink.tap.stats().queued:
            last = await sink.take()
    assert isinstance(error, RecordingError)
    assert "cannot be read" in str(error)
    assert at_us >= last.pts_us


async def test_a_reader_that_fails_in_its_own_way_ends_the_source(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task died, the stream stood still, and nobody was told."""

    def broken(path: Path) -> None:
        raise ValueError("something that was not thought of")

    async with taken(Recording(short)) as sink:
        monkeypatch.setattr(recording, "read_recording", broken)
        os.utime(short, (0, 0))  # it is read again when it has changed
        error = await asyncio.wait_for(sink.error, 5)
    assert isinstance(error, RecordingError)
    assert "not thought of" in str(error)


@pytest.mark.parametrize("name", ["moving.h264", "moving.mp4"])
async def test_one_picture_is_played_again_and_again(recordings: Callable[..., Path], name: str) -> None:
    async with taken(Recording(recordings(name, frames=1))) as sink:
        packets = [await sink.take() for _ in range(3)]
    assert [packet.epoch for packet in packets] == [1, 2, 3]
    assert [round((b.pts_us - a.pts_us) / 1000) for a, b in itertools.pairwise(packets)] == [33, 33]


async def test_after_a_standstill_playing_goes_on_from_now(
    recordings: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept would catch up with all that it missed."""
    behind_us = 3_600_000_000
    monkeypatch.setattr(recording, "monotonic_us", lambda: monotonic_us() - behind_us)
    async with taken(Recording(recordings(frames=30, fps=30, gop=10))) as sink:
        assert (await sink.take()).pts_us < monotonic_us() - behind_us / 2
        behind_us = 0
        woken_us = monotonic_us()
        missed = 0
        while (packet := await sink.take()).pts_us < woken_us:
            missed += 1
        assert missed <= 30 * recording.AHEAD_US / 1e6, "what was read ahead, and no more"
        assert packet.pts_us < woken_us + recording.AHEAD_US + 1_000_000


def test_pictures_that_are_shown_in_another_order_keep_the_order_and_pace_of_the_file(
    recordings: Callable[..., Path],
) -> None:
    """With B frames the times went back and forth, and pictures came in bursts."""
    path = recordings("moving.mp4", frames=12, tune="film", bf="2", **{"x264-params": "bframes=2:b-adapt=0:keyint=12"})
    times = [timed.time_us for timed in read_recording(path)]
    assert [round(time / 1000) for time in times] == [round(n * 1000 / 30) for n in range(12)]


def test_an_absurd_rate_is_taken_for_a_mistake(recordings: Callable[..., Path]) -> None:
    times = [timed.time_us for timed in read_recording(recordings(frames=4, fps=60_000))]
    assert [round(time / 1000) for time in times] == [0, 33, 67, 100]


@pytest.mark.parametrize("size", [(130, 66), (162, 130)])
def test_sizes_that_are_cropped_have_a_picture(recordings: Callable[..., Path], size: tuple[int, int]) -> None:
    path = recordings(frames=1, size=size)
    (timed,) = read_recording(path)
    assert timed.unit.sps is not None
    assert (timed.unit.sps.width, timed.unit.sps.height) == size
    assert picture_of(path).startswith(b"\xff\xd8\xff")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A pipe without a writer held a worker thread for ever."""
    path = tmp_path / "pipe.h264"
    os.mkfifo(path)
    with pytest.raises(RecordingError, match="not a regular file"):
        next(read_recording(path))


def test_a_key_frame_that_cannot_be_decoded_has_no_picture(recordings: Callable[..., Path], tmp_path: Path) -> None:
    """The decoder's own error came out."""
    data = recordings(frames=1).read_bytes()
    at = data.index(b"\0\0\1\x65") + 4
    path = tmp_path / "damaged.h264"
    path.write_bytes(data[:at] + b"\xff" * (len(data) - at))
    with pytest.raises(RecordingError):
        picture_of(path)
