"""JPEG to I420: against PyAV's decoder and double precision; and what is damaged."""

from __future__ import annotations

import base64
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from png_files import Png, exact_planes

from mediacore.picture import Matrix, PictureError, ScreenDecoder, decode_jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = [(16, 16), (64, 48), (33, 17), (1, 1), (8, 130)]


def screen(size: tuple[int, int]) -> np.ndarray:
    """R G B that changes slowly."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    return np.dstack([x * 255 // size[0], y * 255 // size[1], (x + y) * 255 // sum(size)]).astype(np.uint8)


def jpeg(rgb: np.ndarray, pixel_format: str = "yuvj420p") -> bytes:
    codec: Any = av.CodecContext.create("mjpeg", "w")
    codec.height, codec.width = rgb.shape[:2]
    codec.pix_fmt, codec.time_base = pixel_format, Fraction(1, 25)
    codec.options = {"qmin": "1", "qmax": "1"}
    codec.thread_count = 1  # with more of them it numbers its restart markers wrong
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(
        format=pixel_format, dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG
    )
    frame.pts = 0
    return bytes([*codec.encode(frame), *codec.encode(None)][0])


FILE = jpeg(screen((64, 48)))


def planes_by_pyav(data: bytes) -> Iterator[np.ndarray]:
    """Y, U and V, as they are in the file."""
    codec: Any = av.CodecContext.create("mjpeg", "r")
    frame = [*codec.decode(av.Packet(data)), *codec.decode(None)][0]
    for number, plane in enumerate(frame.planes):
        width = frame.width if number == 0 else -(-frame.width // 2)
        height = frame.height if number == 0 else -(-frame.height // 2)
        yield np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width].astype(float)


@pytest.mark.parametrize("size", SIZES)
def test_planes_are_those_of_another_decoder(size: tuple[int, int]) -> None:
    """To BT.601, where only the range differs: no colour has to be mixed."""
    data = jpeg(screen(size))
    frame = decode_jpeg(data, matrix="bt601")
    assert (frame.size, frame.matrix, frame.full_range) == (size, "bt601", False)
    y, u, v = planes_by_pyav(data)
    # The decoders' cosines may round differently.
    assert np.abs(frame.y - (16 + y * 219 / 255)).max() <= 1.6
    assert np.abs(frame.u - (128 + (u - 128) * 224 / 255)).max() <= 1.6
    assert np.abs(frame.v - (128 + (v - 128) * 224 / 255)).max() <= 1.6


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
@pytest.mark.parametrize("pixel_format", ["yuvj420p", "yuvj422p", "yuvj444p"])
def test_every_sampling_shows_the_colours(pixel_format: str, matrix: Matrix) -> None:
    for size in ((64, 48), (97, 51)):
        rgb = screen(size)
        frame = decode_jpeg(jpeg(rgb, pixel_format), matrix=matrix)
        for name, plane, exact in zip("yuv", (frame.y, frame.u, frame.v), exact_planes(rgb, matrix), strict=True):
            assert np.abs(plane - exact).max() <= 6, name
            assert np.abs(plane - exact).mean() <= 1.5, name


GREY = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqm"
    "x5moq6T/wAALCAAIABABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAA/AJB//9k="
)
PROGRESSIVE = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8ybqm"
    "x5moq6T/wgALCAAIABABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/2gAIAQEAAAABi//EABQQAQAAAAAAAAAAAAAAAAAAABD/2gAIAQEAAQUC"
    "P//EABQQAQAAAAAAAAAAAAAAAAAAABD/2gAIAQEABj8CP//EABQQAQAAAAAAAAAAAAAAAAAAABD/2gAIAQEAAT8hP//aAAgBAQAAABD/AP/EABQQ"
    "AQAAAAAAAAAAAAAAAAAAABD/2gAIAQEAAT8QP//Z"
)
"""Both 16x8 pixels of 90, one scan and six."""
PRINT = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAbEhQXFBEbFxYXHhwbIChCKyglJShROj0wQmBVZWRfVV1baniZgWpxkHNbXYW1hpCeo6utq2eAvMm6pseZ"
    "qKuk/8AAFAgACAAQBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAAFBv/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsA"
    "AD8A0bQLq0AP/9k="
)
"""CMYK."""


@pytest.mark.parametrize("data", [GREY, PROGRESSIVE], ids=["baseline", "progressive"])
def test_grey_has_no_colour(data: bytes) -> None:
    frame = decode_jpeg(data)
    assert frame.size == (16, 8)
    assert np.unique(frame.u).tolist() == np.unique(frame.v).tolist() == [128]
    assert np.abs(frame.y - (16 + 90 * 219 / 255)).max() <= 2


def test_colours_of_print_are_refused() -> None:
    assert kind_of(PRINT) == "unsupported"


def test_scans_without_end_are_refused() -> None:
    """Each would cost as much as the whole picture."""
    last = PROGRESSIVE.rindex(b"\xff\xda")
    assert kind_of(PROGRESSIVE[:-2] + PROGRESSIVE[last:-2] * 600 + b"\xff\xd9") == "jpeg"


def test_a_smaller_picture() -> None:
    frame = decode_jpeg(FILE, size=(32, 24))
    assert frame.size == (32, 24)
    assert np.abs(frame.y - exact_planes(screen((64, 48))[::2, ::2], "bt709")[0]).max() <= 8
    with pytest.raises(ValueError, match="64x48"):
        decode_jpeg(FILE, size=(65, 48))


def kind_of(data: bytes) -> str:
    with pytest.raises(PictureError) as raised:
        decode_jpeg(data)
    return raised.value.kind


def test_a_file_that_ends_early_is_refused_wherever_it_ends() -> None:
    for end in range(len(FILE)):
        assert kind_of(FILE[:end]) == "truncated"
    assert decode_jpeg(FILE).size == (64, 48)


def test_damage_is_refused_or_shows_a_picture_of_the_same_size() -> None:
    rng = np.random.default_rng(2)
    kinds = []
    for at in rng.integers(0, len(FILE), 300):
        data = bytearray(FILE)
        data[at] ^= int(rng.integers(1, 256))
        try:
            decode_jpeg(data)
        except PictureError as error:
            kinds.append(error.kind)
    assert len(kinds) > 50
    assert set(kinds) <= {"jpeg", "header", "truncated", "unsupported", "too-large"}
    assert decode_jpeg(FILE).size == (64, 48)


def with_size(width: int, height: int) -> bytes:
    at = FILE.index(b"\xff\xc0") + 5
    return FILE[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + FILE[at + 4 :]


def test_a_size_beyond_the_limits_is_refused_before_it_is_decoded() -> None:
    assert kind_of(with_size(16385, 1)) == "too-large"
    assert kind_of(with_size(16384, 16384)) == "too-large"
    assert kind_of(with_size(64, 96)) == "jpeg"


def test_other_files_are_no_jpeg() -> None:
    assert kind_of(Png(np.zeros((2, 2, 4), np.uint8)).file() + b"\xff\xd9") == "header"
    assert kind_of(b"\xff\xd8\xff\xd9") == "header"


def test_a_screen_decoder_knows_the_same_jpeg_and_tells_files_apart() -> None:
    decoder = ScreenDecoder()
    assert decoder.decode(FILE).dirty_rows is None
    assert decoder.decode_jpeg(FILE).dirty_rows == (0, 0)
    other = Png(np.zeros((48, 64, 4), np.uint8)).file()
    assert decoder.decode(other).dirty_rows == (0, 48)
    assert decoder.decode_png(other).dirty_rows == (0, 0)
    raw = (64).to_bytes(4, "little") + (48).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(64 * 48 * 4)
    assert decoder.decode(raw).dirty_rows == (0, 0)
