"""The life of a session as a table."""

import pytest

from mediacore.session import SessionState, may_follow

ALLOWED = {
    ("new", "negotiating"),
    ("negotiating", "connecting"),
    ("connecting", "live"),
    ("new", "closing"),
    ("negotiating", "closing"),
    ("connecting", "closing"),
    ("live", "closing"),
    ("closing", "closed"),
}


@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("new", SessionState)
def test_transitions(state: SessionState, new: SessionState) -> None:
    assert may_follow(state, new) is ((state, new) in ALLOWED)
