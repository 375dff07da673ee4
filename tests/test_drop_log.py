"""What was dropped becomes a line only when it is much, and then what is new alone."""

from mediacore import _core
from mediacore.drop_log import CAUSES, LEAST, DropLog


def test_what_has_grown_is_told_by_cause() -> None:
    told = DropLog()
    assert told.news({"unknown_ufrag": LEAST - 1}) is None
    line = told.news({"unknown_ufrag": 2 * LEAST, "quota_drops": 500, "malformed": LEAST - 1, "datagrams_in": 10_000})
    assert line == f"{LEAST + 1} {CAUSES['unknown_ufrag']}, 500 {CAUSES['quota_drops']}"
    assert told.news({"unknown_ufrag": 2 * LEAST, "quota_drops": 500}) is None


def test_every_cause_is_a_count_of_the_media_loop() -> None:
    native = _core.MediaLoop(addresses=[])
    try:
        assert set(native.loop_figures()) >= set(CAUSES)
    finally:
        native.close()
