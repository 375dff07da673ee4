"""The pictures of one screen: what did not change is not decoded, and what did is told."""

from __future__ import annotations

import gzip
import struct
import threading

import numpy as np
import pytest
from png_files import RGB, Png

from mediacore.picture import Frame, PictureError, ScreenDecoder, decode_png

SIZE = (40, 30)


def screen(*changes: tuple[int, int]) -> np.ndarray:
    """(height, width, 3), with some pixels (x, y) changed."""
    rgb = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for x, y in changes:
        rgb[y, x] ^= 0xFF
    return rgb


def png(rgb: np.ndarray, **options: int) -> bytes:
    return Png(rgb, colour=RGB, **options).file()  # type: ignore[arg-type]


def address(frame: Frame) -> int:
    return int(frame.y.__array_interface__["data"][0])


def test_the_same_bytes_give_the_same_planes() -> None:
    decoder = ScreenDecoder()
    first = decoder.decode_png(png(screen()), pts_us=1)
    second = decoder.decode_png(bytearray(png(screen())), pts_us=2)
    assert (first.dirty_rows, second.dirty_rows) == (None, (0, 0))
    assert address(first) == address(second)
    assert (first.pts_us, second.pts_us) == (1, 2)


def test_the_same_pixels_in_other_bytes_are_not_dirty() -> None:
    decoder = ScreenDecoder()
    first = decoder.decode_png(png(screen(), level=1))
    second = decoder.decode_png(png(screen(), level=9))
    assert second.dirty_rows == (0, 0)
    assert (first.y == second.y).all()


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ([(0, 0)], (0, 2)),
        ([(39, 29)], (28, 30)),
        ([(5, 7)], (6, 8)),
        ([(5, 7), (20, 12)], (6, 14)),
        ([(0, 0), (0, 29)], (0, 30)),
    ],
)
def test_dirty_rows(changes: list[tuple[int, int]], rows: tuple[int, int]) -> None:
    decoder = ScreenDecoder()
    decoder.decode_png(png(screen()))
    frame = decoder.decode_png(png(screen(*changes)))
    assert frame.dirty_rows == rows
    expected = decode_png(png(screen(*changes)))
    assert (frame.y == expected.y).all()
    assert decoder.decode_png(png(screen())).dirty_rows == rows


def test_dirty_rows_of_an_odd_height_end_with_the_picture() -> None:
    decoder = ScreenDecoder()
    decoder.decode_png(png(screen()[:29]))
    assert decoder.decode_png(png(screen((3, 28))[:29])).dirty_rows == (28, 29)


def test_another_size_is_all_dirty() -> None:
    decoder = ScreenDecoder()
    decoder.decode_png(png(screen()))
    assert decoder.decode_png(png(screen()[:20])).dirty_rows == (0, 20)


def test_scaled_down() -> None:
    decoder = ScreenDecoder(size=(20, 15), matrix="bt601")
    first = decoder.decode_png(png(screen()))
    assert (first.size, first.matrix) == ((20, 15), "bt601")
    assert decoder.decode_png(png(screen((0, 29)))).dirty_rows == (14, 15)
    with pytest.raises(ValueError, match="10x10"):
        decoder.decode_png(png(screen()[:10, :10]))


def test_a_bad_picture_leaves_the_last_one() -> None:
    decoder = ScreenDecoder()
    good = png(screen())
    first = decoder.decode_png(good)
    for bad in (good[:-1], b"", good[:60] + b"?" + good[61:]):
        with pytest.raises(PictureError):
            decoder.decode_png(bad)
    again = decoder.decode_png(good)
    assert again.dirty_rows == (0, 0)
    assert address(again) == address(first)


def test_screencaps() -> None:
    def raw(rgb: np.ndarray) -> bytes:
        return struct.pack("<4I", *SIZE, 3, 1) + rgb.tobytes()

    decoder = ScreenDecoder()
    decoder.decode_screencap(raw(screen()))
    assert decoder.decode_screencap(raw(screen())).dirty_rows == (0, 0)
    assert decoder.decode_screencap(gzip.compress(raw(screen((0, 9))))).dirty_rows == (8, 10)
    assert decoder.decode_screencap(gzip.compress(raw(screen((0, 9))), mtime=0)).dirty_rows == (0, 0)
    # What is a screencap is no PNG, even the very same bytes.
    with pytest.raises(PictureError):
        decoder.decode_png(raw(screen()))


def test_threads_take_turns() -> None:
    decoder = ScreenDecoder()
    pictures = [png(screen((x, x))) for x in range(4)]
    expected = [decode_png(data).y for data in pictures]
    wrong: list[int] = []

    def work(n: int) -> None:
        wrong.extend(n for _ in range(30) if (decoder.decode_png(pictures[n]).y != expected[n]).any())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
