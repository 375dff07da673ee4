"""The open encoder of a thread: when it stays, when it is replaced, and what is encoded with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from screen_frames import PATCHES, SIZE, decode, patches, screen

from mediacore.encode.choice import open_encoder
from mediacore.encode.desk import EncoderDesk, Order, encoded_size
from mediacore.errors import EncoderError
from mediacore.media import Frame
from mediacore.picture import fitted, reshape

if TYPE_CHECKING:
    from mediacore.encode.encoder import EncoderSettings

ORDER = Order("h264", 1_000_000, 2_000_000, 30.0, None, None)


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((1080, 2400), None, (1080, 2400)),
        ((1079, 2399), None, (1078, 2398)),
        ((1080, 2400), (540, 1200), (540, 1200)),
        ((1080, 2400), (540, 540), (242, 540)),
        ((1080, 2400), (5000, 5000), (1080, 2400)),
        ((2400, 1080), (540, 1200), (540, 242)),
        ((720, 1280), (360, 640), (360, 640)),
        ((3, 3), (64, 64), (2, 2)),
        ((4000, 100), (64, 64), (64, 2)),
        ((4000, 100), (4, 4), (64, 2)),
        ((1, 1000), (64, 64), (2, 64)),
    ],
)
def test_encoded_size(size: tuple[int, int], box: tuple[int, int] | None, expected: tuple[int, int]) -> None:
    assert encoded_size(size, box) == expected


@pytest.mark.parametrize("size", [(4000, 100), (129, 2), (130, 8191), (97, 3), (1, 640)])
@pytest.mark.parametrize("box", [(1, 1), (2, 2), (64, 64), (63, 5000)])
def test_what_is_fitted_can_be_reshaped(size: tuple[int, int], box: tuple[int, int]) -> None:
    """What encodes had a function of its own, which forgot that a picture becomes 64 times smaller at most."""
    width, height = size
    half = (width + 1) // 2, (height + 1) // 2
    frame = Frame.of_block(bytes(half[0] * 2 * height + 2 * half[0] * half[1]), size, half[0] * 2, matrix="bt709")
    is_fitted = fitted(size, box)
    assert reshape(frame, size=is_fitted).size == is_fitted
    assert is_fitted == size or all(side % 2 == 0 or side == 1 for side in is_fitted)
    if width > 1:
        assert reshape(frame, size=encoded_size(size, box)).size == is_fitted


class Anything:
    """Opens for every size."""

    name = "anything"

    def __init__(self, settings: EncoderSettings) -> None:
        self.settings = settings


def test_a_frame_that_no_encoder_can_have() -> None:
    """It ended the encoder's thread as a fault of ours."""
    thin = Frame.of_block(bytes(2 * 64 + 2 * 32), (1, 64), 2, matrix="bt709")
    desk = EncoderDesk(lambda settings, **_: (Anything(settings), ()))  # type: ignore[arg-type,return-value]
    desk.prepare(ORDER, thin, key=True)
    with pytest.raises(EncoderError, match=r"anything cannot have a frame of \(1, 64\): size must be"):
        desk.encode(thin, key=True)


@pytest.mark.parametrize("codec", ["h264", "vp8", "vp9", "av1"])
def test_sizes_and_colours_of_the_viewer(codec: str) -> None:
    """A frame of BT.709 becomes half as large, and BT.601 unless it is H.264: the decoder's RGB is the same."""
    desk = EncoderDesk(open_encoder)
    order = replace(ORDER, codec=codec, box=(160, 120))
    encoder = desk.prepare(order, screen(0), key=True)
    assert encoder is not None
    assert encoder.settings.size == (160, 120)
    assert encoder.settings.matrix == ("bt709" if codec == "h264" else "bt601")
    encoded = [packet for number in range(4) for packet in desk.encode(screen(0), key=number == 0)]
    found = patches(decode(codec, encoded)[-1])
    for is_now, was in zip(found, PATCHES, strict=True):
        matrix = "bt709" if codec == "h264" else "bt601"
        difference = [abs(a - b) for a, b in zip(rgb(is_now, matrix), rgb(was, "bt709"), strict=True)]
        # Colours that no RGB has are cut off by the change of the matrix.
        assert max(difference) <= 3 or not all(0 <= channel <= 255 for channel in rgb(was, "bt709"))


def rgb(colour: tuple[float, ...], matrix: str) -> list[float]:
    red, blue = (0.2126, 0.0722) if matrix == "bt709" else (0.299, 0.114)
    y, u, v = (colour[0] - 16) * 255 / 219, (colour[1] - 128) * 255 / 224, (colour[2] - 128) * 255 / 224
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return [r, (y - red * r - blue * b) / (1 - red - blue), b]


def test_an_encoder_stays_while_it_fits() -> None:
    desk = EncoderDesk(open_encoder)
    assert desk.prepare(ORDER, screen(0), key=True) is not None
    same = [ORDER, replace(ORDER, bitrate_bps=500_000), replace(ORDER, bitrate_bps=2_000_000), replace(ORDER, fps=15.0)]
    for order in same:
        assert desk.prepare(order, screen(0), key=False) is None
    other = [replace(ORDER, box=(160, 120)), replace(ORDER, ceiling_bps=3_000_000), replace(ORDER, without=["libx264"])]
    for before, order in pairwise([ORDER, *other[:2]]):
        assert desk.prepare(before, screen(0), key=False) is None or before is ORDER
        assert desk.prepare(order, screen(0), key=False) is not None
    assert desk.prepare(replace(ORDER, ceiling_bps=3_000_000), screen(0, (160, 160)), key=False) is not None
    desk.close()
    desk.close()


def test_another_frame_rate_is_taken_over_with_the_next_key_frame() -> None:
    desk = EncoderDesk(open_encoder)
    desk.prepare(ORDER, screen(0), key=True)
    slower = replace(ORDER, fps=10.0)
    assert desk.prepare(slower, screen(0), key=False) is None
    encoder = desk.prepare(slower, screen(0), key=True)
    assert encoder is not None
    assert encoder.settings.fps == 10.0


def test_vp8_is_opened_again_for_another_rate_only_when_it_is_worth_it() -> None:
    desk = EncoderDesk(open_encoder)
    vp8 = replace(ORDER, codec="vp8")
    desk.prepare(vp8, screen(0), key=True)
    assert desk.prepare(replace(vp8, bitrate_bps=950_000), screen(0), key=False) is None
    assert desk.prepare(replace(vp8, bitrate_bps=500_000), screen(0), key=False) is None, "it was opened just now"
    encoder = desk.prepare(replace(vp8, bitrate_bps=950_000), screen(0), key=True)
    assert encoder is not None
    assert encoder.settings.bitrate_bps == 950_000


def test_odd_frames_lose_a_row_and_a_column() -> None:
    odd = Frame.of_block(bytes(66 * 65 + 2 * 33 * 33), (65, 65), 66, matrix="bt709")
    desk = EncoderDesk(open_encoder)
    desk.prepare(ORDER, odd, key=True)
    (picture,) = decode("h264", desk.encode(odd, key=True))
    assert (picture.width, picture.height) == (64, 64)
    assert SIZE
