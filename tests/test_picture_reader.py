"""The picture reader's typed face on a socket pair; its ways are tried in tests/native/io/picture_reader_test.cpp."""

from __future__ import annotations

import gc
import gzip
import secrets
import socket
import struct
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mediacore.media import DropCause
from mediacore.picture import convert
from mediacore.picture_reader import Damaged, Ended, FrameStream, PictureReader, Shot, Shots, slot_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAILER = secrets.token_hex(16).encode()
LONG_S = 20.0
SIZE = (48, 40)


def pixels(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)


def raw(rgba: np.ndarray) -> bytes:
    return struct.pack("<4I", rgba.shape[1], rgba.shape[0], 1, 1) + rgba.tobytes()


def shot(body: bytes) -> bytes:
    return body + b"\n" + TRAILER + b"\n"


@contextmanager
def opened(framing: Shots | FrameStream, **options: object) -> Iterator[tuple[PictureReader, socket.socket]]:
    ours, device = socket.socketpair()
    with device:
        reader = PictureReader(ours, framing, slot_bytes=slot_bytes(*SIZE), **options)  # type: ignore[arg-type]
        try:
            yield reader, device
        finally:
            reader.close()


def test_each_form_of_a_screen() -> None:
    rgba = pixels()
    expected = convert(rgba.tobytes(), *SIZE)
    with opened(Shots(TRAILER)) as (reader, device):
        for form, body in (("raw", raw(rgba)), ("gzip", gzip.compress(raw(rgba)))):
            assert reader.request()
            assert device.recv(8) == b"\n"
            before_us = time.monotonic_ns() // 1000
            device.sendall(shot(body))
            got = reader.next(LONG_S)
            assert isinstance(got, Shot)
            assert (got.format, got.wire_bytes) == (form, len(shot(body)))
            assert before_us <= got.first_byte_us <= got.complete_us <= got.decoded_us
            frame = got.frame
            assert (frame.size, frame.matrix, frame.pts_us) == (SIZE, "bt709", got.first_byte_us)
            assert (frame.y == expected.y).all()
            assert (frame.u == expected.u).all()
            assert (frame.v == expected.v).all()
            assert not frame.y.flags.writeable
        assert frame.dirty_rows == (0, 0)
        assert reader.wire_bytes == sum(len(shot(body)) for body in (raw(rgba), gzip.compress(raw(rgba))))


def test_the_frames_of_screenrecord() -> None:
    rgb = np.ascontiguousarray(pixels()[..., :3])
    data = struct.pack("<5I", 16 + rgb.nbytes, *SIZE, 3 * SIZE[0], 3) + rgb.tobytes()
    with opened(FrameStream(), matrix="bt601") as (reader, device):
        device.sendall(data)
        got = reader.next(LONG_S)
        assert isinstance(got, Shot)
        assert (got.format, got.frame.matrix) == ("rgb888", "bt601")
        assert (got.frame.y == convert(rgb.data, *SIZE, pixel_format="rgb888", matrix="bt601").y).all()
        device.sendall(b"ERROR: unable to configure codec\n")
        assert reader.next(LONG_S) == Ended(0, b"ERROR: unable to configure codec\n", "damaged")


def test_what_is_damaged_has_a_cause_and_counts_add_up() -> None:
    with opened(Shots(TRAILER), capacity=8, slots=24) as (reader, device):
        good = raw(pixels())
        device.sendall(
            shot(good[:99]) + shot(b"") + shot(b"no display \xff\n") + shot(raw(pixels(0, (60, 60)))) + shot(good)
        )
        causes = []
        while isinstance(report := reader.next(LONG_S), Damaged):
            causes.append(report.cause)
            if report.cause is DropCause.DEVICE_FAILED:
                assert report.detail in {"there is no picture", "there is no picture: no display \\xff\n"}
        assert isinstance(report, Shot)
        assert causes == [
            DropCause.TRUNCATED,
            DropCause.DEVICE_FAILED,
            DropCause.DEVICE_FAILED,
            DropCause.OVERSIZE,
        ]
        for seed in range(12):
            device.sendall(shot(raw(pixels(seed))))
        device.shutdown(socket.SHUT_WR)
        while not isinstance(report := reader.next(LONG_S), Ended):
            assert isinstance(report, Shot)
        assert report == Ended(0, b"", "closed")
        stats = reader.stats
        assert stats.pushed == 17
        assert stats.pushed == stats.delivered + stats.queued + sum(stats.dropped.values())
        assert stats.dropped[DropCause.DEVICE_FAILED] == 2
        assert reader.skipped_bytes == len(b"no display \xff\n")


def test_a_size_may_be_changed_while_it_runs() -> None:
    with opened(Shots(TRAILER), size=(24, 24)) as (reader, device):
        sizes = []
        for size in ((24, 24), (12, 40), None):
            reader.set_size(size)
            device.sendall(shot(raw(pixels())))
            got = reader.next(LONG_S)
            assert isinstance(got, Shot)
            sizes.append(got.frame.size)
        assert sizes == [(24, 20), (14, 12), SIZE]


def test_frames_outlive_the_reader_and_give_their_slots_back() -> None:
    with opened(Shots(TRAILER), slots=3, capacity=1) as (reader, device):
        kept = []
        for seed in range(3):
            device.sendall(shot(raw(pixels(seed))))
            got = reader.next(LONG_S)
            assert isinstance(got, Shot)
            kept.append(got.frame)
        device.sendall(shot(raw(pixels(4))))
        report = reader.next(LONG_S)
        assert isinstance(report, Damaged)
        assert report.cause is DropCause.POOL_EXHAUSTED
        expected = convert(pixels(1).tobytes(), *SIZE)
        del kept[0], got, report
        gc.collect()
        device.sendall(shot(raw(pixels(5))))
        assert isinstance(reader.next(LONG_S), Shot)
    assert (kept[0].y == expected.y).all()


def test_nothing_comes_in_time() -> None:
    with opened(Shots(TRAILER)) as (reader, _):
        assert reader.next(0) is None
        begin = time.monotonic()
        assert reader.next(0.05) is None
        assert time.monotonic() - begin >= 0.05


def test_close_wakes_who_waits_and_gives_nothing_more() -> None:
    with opened(Shots(TRAILER)) as (reader, device):
        got: list[object] = []
        waiting = threading.Thread(target=lambda: got.append(reader.next(LONG_S)))
        waiting.start()
        reader.close()
        waiting.join(LONG_S)
        assert got == [None]
        assert device.recv(1) == b""
        assert not reader.request()
        assert reader.next(LONG_S) is None


def test_it_is_closed_before_anybody_is_woken() -> None:
    with opened(FrameStream()) as (reader, _):
        seen: list[bool] = []

        def take() -> None:
            reader.next(LONG_S)
            seen.append(reader.closed)

        waiting = threading.Thread(target=take)
        waiting.start()
        assert not reader.closed
        reader.close()
        waiting.join(LONG_S)
        assert seen == [True]


def test_python_goes_on_while_it_waits() -> None:
    with opened(Shots(TRAILER)) as (reader, device):
        timer = threading.Timer(0.05, lambda: device.sendall(shot(raw(pixels()))))
        timer.start()
        assert isinstance(reader.next(LONG_S), Shot)
        timer.join()


@pytest.mark.parametrize(
    ("framing", "options"),
    [
        (Shots(b"short"), {}),
        (Shots(b"two\nlines of it"), {}),
        (Shots(TRAILER * 9), {}),
        (FrameStream(), {"slots": 0}),
        (FrameStream(), {"slots": -1}),
        (FrameStream(), {"slots": 5000}),
        (FrameStream(), {"capacity": 0}),
        (FrameStream(), {"matrix": "bt2020"}),
        (FrameStream(), {"size": (0, 5)}),
    ],
)
def test_numbers_out_of_range_are_refused_and_the_socket_is_closed(
    framing: Shots | FrameStream, options: dict[str, object]
) -> None:
    ours, device = socket.socketpair()
    with device:
        with pytest.raises(ValueError, match=r"trailer|slots|capacity|matrix|size"):
            PictureReader(ours, framing, slot_bytes=1000, **options)  # type: ignore[arg-type]
        assert ours.fileno() == -1
        assert device.recv(1) == b""


def test_a_socket_that_is_closed_is_told() -> None:
    ours, device = socket.socketpair()
    ours.close()
    with device, pytest.raises(OSError, match="Bad file descriptor"):
        PictureReader(ours, FrameStream(), slot_bytes=1000)


def test_slots_hold_a_picture_either_way_up() -> None:
    assert slot_bytes(1080, 2400) == slot_bytes(2400, 1080) >= 1080 * 2400 * 3 // 2
    for size in ((0, 1), (1, -1), (16385, 1)):
        with pytest.raises(ValueError, match="no picture"):
            slot_bytes(*size)


def test_a_reader_that_is_forgotten_closes_its_connection() -> None:
    ours, device = socket.socketpair()
    with device:
        reader = PictureReader(ours, FrameStream(), slot_bytes=1000)
        del reader
        gc.collect()
        assert device.recv(1) == b""
