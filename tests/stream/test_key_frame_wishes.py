"""When a key frame may be asked for after damage."""

from mediacore.stream.key_frame_wishes import FIRST_PAUSE_US, LONGEST_PAUSE_US, KeyFrameWishes

SECOND_US = 1_000_000


def granted(wishes: KeyFrameWishes, from_s: int, to_s: int) -> list[int]:
    """The seconds of those that were granted, of one wish ten times a second."""
    tenths = range(from_s * 10, to_s * 10)
    return [tenth // 10 for tenth in tenths if wishes.grants(tenth * SECOND_US // 10)]


def test_pauses_grow_while_it_goes_on_and_begin_anew_after_calm() -> None:
    """A stream that is damaged at once after each key frame had its source restarted as often as it could be."""
    wishes = KeyFrameWishes()
    assert (FIRST_PAUSE_US, LONGEST_PAUSE_US) == (SECOND_US, 32 * SECOND_US)
    assert granted(wishes, 0, 100) == [0, 1, 3, 7, 15, 31, 63, 95]
    assert granted(wishes, 159, 163) == [159, 160, 162]
