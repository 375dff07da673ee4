"""When an encoder is opened again for a new rate."""

from __future__ import annotations

import pytest

from mediacore.encode.rerate import DOWN_AFTER_US, UP_AFTER_US, Reopening


@pytest.mark.parametrize(
    ("wanted_bps", "after_us", "key", "due"),
    [
        (1_000_000, 10**9, True, False),
        (990_000, 0, True, True),
        (990_000, 10**9, False, False),
        (500_000, DOWN_AFTER_US - 1, False, False),
        (500_000, DOWN_AFTER_US, False, True),
        (1_200_000, 10**9, False, False),
        (2_000_000, UP_AFTER_US - 1, False, False),
        (2_000_000, UP_AFTER_US, False, True),
    ],
)
def test_when(wanted_bps: int, after_us: int, key: bool, due: bool) -> None:
    assert Reopening(1_000_000, 7).is_due(wanted_bps, 7 + after_us, key=key) == due
