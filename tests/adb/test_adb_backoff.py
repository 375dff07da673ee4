import random

from hypothesis import given
from hypothesis import strategies as st

from mediacore.adb.backoff import Backoff


def test_pauses_double_up_to_the_cap() -> None:
    backoff = Backoff(0.1, 1.0, random=lambda: 1.0)
    assert [round(backoff.next_s(), 3) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next_s() == 0.1


@given(st.integers(0, 1000), st.integers(1, 50))
def test_jitter_takes_up_to_half(seed: int, count: int) -> None:
    jittered = Backoff(0.1, 5.0, random=random.Random(seed).random)
    whole = Backoff(0.1, 5.0, random=lambda: 1.0)
    for _ in range(count):
        pause_s, longest_s = jittered.next_s(), whole.next_s()
        assert longest_s / 2 <= pause_s <= longest_s <= 5.0
