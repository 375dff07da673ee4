import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.control.mapping import PictureMapping

FULL = 65535
MIDDLE = 32768


@pytest.mark.parametrize(
    ("video", "display", "place", "pixel"),
    [
        # the same size: corners and middle
        ((720, 1280), (720, 1280), (0, 0), (0, 0)),
        ((720, 1280), (720, 1280), (FULL, FULL), (719, 1279)),
        ((720, 1280), (720, 1280), (MIDDLE, MIDDLE), (360, 640)),
        # encoded smaller than the display
        ((360, 640), (1080, 1920), (MIDDLE, MIDDLE), (540, 960)),
        ((360, 640), (1080, 1920), (FULL, 0), (1079, 0)),
        # black left and right: an upright display in a square picture covers its middle half
        ((1000, 1000), (500, 1000), (MIDDLE, MIDDLE), (250, 500)),
        ((1000, 1000), (500, 1000), (65536 // 4, 0), (0, 0)),
        ((1000, 1000), (500, 1000), (65536 // 2, 0), (250, 0)),
        ((1000, 1000), (500, 1000), (0, MIDDLE), (0, 500)),  # on the border: the nearest pixel
        ((1000, 1000), (500, 1000), (FULL, MIDDLE), (499, 500)),
        # black above and below
        ((1000, 1000), (1000, 500), (MIDDLE, MIDDLE), (500, 250)),
        ((1000, 1000), (1000, 500), (MIDDLE, 0), (500, 0)),
        ((1000, 1000), (1000, 500), (MIDDLE, FULL), (500, 499)),
    ],
)
def test_places_map_to_pixels(
    video: tuple[int, int], display: tuple[int, int], place: tuple[int, int], pixel: tuple[int, int]
) -> None:
    assert PictureMapping(video, display).to_display(*place) == pixel


SIDES = st.integers(2, 4096)
SIZES = st.tuples(SIDES, SIDES)


@given(SIZES, SIZES, st.integers(0, FULL), st.integers(0, FULL))
def test_every_place_is_on_the_display(video: tuple[int, int], display: tuple[int, int], x: int, y: int) -> None:
    column, row = PictureMapping(video, display).to_display(x, y)
    assert 0 <= column < display[0]
    assert 0 <= row < display[1]


@given(SIZES, st.data())
def test_every_pixel_can_be_reached(size: tuple[int, int], data: st.DataObject) -> None:
    """The page sends the middle of a pixel as a fraction of 65536: it comes out as that pixel."""
    pixel = data.draw(st.tuples(st.integers(0, size[0] - 1), st.integers(0, size[1] - 1)))
    x, y = (int((pixel[axis] + 0.5) / size[axis] * 65536) for axis in (0, 1))
    assert PictureMapping(size, size).to_display(x, y) == pixel


@pytest.mark.parametrize(
    ("seen", "matches"),
    [
        ((720, 1280), True),
        ((360, 640), True),  # the same picture before a change of its size
        ((1280, 720), False),
        ((500, 500), True),
        ((0, 0), False),
        ((0, 1280), False),
    ],
)
def test_orientation_of_the_picture_seen(seen: tuple[int, int], matches: bool) -> None:
    assert PictureMapping((720, 1280), (1080, 1920)).matches(*seen) is matches


def test_a_square_picture_has_no_orientation() -> None:
    assert PictureMapping((500, 500), (500, 500)).matches(720, 1280)
    assert PictureMapping((500, 500), (500, 500)).matches(1280, 720)
