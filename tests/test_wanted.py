"""What a viewer may want, and how it is told what it may not."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.errors import WantedError
from mediacore.media import Wanted
from mediacore.wanted import checked, from_event, from_query, shared


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, Wanted()),
        ({"other": "x"}, Wanted()),
        ({"codec": "vp8"}, Wanted(("vp8",))),
        ({"codec": "AV1,vp8,av1"}, Wanted(("av1", "vp8"))),
        ({"size": "540x1200"}, Wanted(size=(540, 1200))),
        ({"size": "64x7680", "fps": "60"}, Wanted(size=(64, 7680), fps=60)),
        ({"fps": "1"}, Wanted(fps=1)),
        ({"fps": "29.97"}, Wanted(fps=29.97)),
    ],
)
def test_a_query(query: dict[str, str], wanted: Wanted) -> None:
    assert from_query(query) == wanted


@pytest.mark.parametrize(
    ("query", "field", "possible"),
    [
        ({"codec": ""}, "codec is ''", "h264, vp8, vp9, av1"),
        ({"codec": "vp8,h265"}, "codec is 'h265'", "h264, vp8, vp9, av1"),
        ({"codec": "vp8, av1"}, "codec is ' av1'", "h264, vp8, vp9, av1"),
        ({"size": ""}, "size is ''", "64 to 7680"),
        ({"size": "540"}, "size is '540'", "64 to 7680"),
        ({"size": "540X1200"}, "size is '540X1200'", "540x1200"),
        ({"size": "63x1200"}, "size is (63, 1200)", "64 to 7680"),
        ({"size": "64x7681"}, "size is (64, 7681)", "64 to 7680"),
        ({"size": "\u0661\u0662\u0663x640"}, "size is ", "64 to 7680"),
        ({"fps": "0"}, "fps is 0", "1 to 60"),
        ({"fps": "61"}, "fps is 61", "1 to 60"),
        ({"fps": "nan"}, "fps is 'nan'", "1 to 60"),
        ({"fps": "1e1"}, "fps is '1e1'", "1 to 60"),
        ({"fps": "-1"}, "fps is '-1'", "1 to 60"),
        ({"fps": "9" * 5000}, "fps is '999", "1 to 60"),
    ],
)
def test_a_query_that_cannot_be_names_field_value_and_range(query: dict[str, str], field: str, possible: str) -> None:
    with pytest.raises(WantedError) as caught:
        from_query(query)
    assert str(caught.value).startswith(field)
    assert possible in str(caught.value)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ({}, Wanted()),
        ({"size": None, "fps": None}, Wanted()),
        ({"size": [960, 960], "fps": 15}, Wanted(size=(960, 960), fps=15)),
        ({"fps": 7.5, "codecs": ["vp8"]}, Wanted(fps=7.5)),
    ],
)
def test_an_event(event: dict[str, Any], wanted: Wanted) -> None:
    assert from_event(event) == wanted


@pytest.mark.parametrize(
    "event",
    [
        {"size": "540x1200"},
        {"size": []},
        {"size": [540]},
        {"size": [540, 1200, 1]},
        {"size": [540, None]},
        {"size": [540, True]},
        {"size": [540.5, 1200]},
        {"size": [540, 10**400]},
        {"size": {"w": 1}},
        {"fps": "15"},
        {"fps": True},
        {"fps": [15]},
        {"fps": math.nan},
        {"fps": math.inf},
        {"fps": 10**400},
        {"fps": 0.5},
    ],
    ids=repr,
)
def test_an_event_that_cannot_be(event: dict[str, Any]) -> None:
    with pytest.raises(WantedError):
        from_event(event)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional={"size": JSON, "fps": JSON}))
def test_any_event_is_a_wish_or_the_documented_error(event: dict[str, Any]) -> None:
    try:
        wanted = from_event(json.loads(json.dumps(event)))
    except WantedError:
        return
    assert checked(wanted) == wanted


@given(st.dictionaries(st.sampled_from(("codec", "size", "fps")), st.text("0123456789xvp8,.ah264-e", max_size=12)))
def test_any_query_is_a_wish_or_the_documented_error(query: dict[str, str]) -> None:
    try:
        wanted = from_query(query)
    except WantedError:
        return
    assert checked(wanted) == wanted


@pytest.mark.parametrize(
    ("wanted", "made"),
    [
        (Wanted(), Wanted()),
        (Wanted(("vp8",), (540, 1201), 29.97), Wanted(("vp8",), (540, 1200), 29)),
        (Wanted(size=(65, 79)), Wanted(size=(64, 78))),
        (Wanted(size=(7680, 7680), fps=1.0), Wanted(size=(7680, 7680), fps=1)),
        (Wanted(fps=1.999), Wanted(fps=1)),
    ],
)
def test_what_is_encoded_for_a_wish(wanted: Wanted, made: Wanted) -> None:
    assert shared(wanted) == made
    assert shared(made) == made
    assert checked(made) == made


def test_what_an_embedder_wants_is_checked_too() -> None:
    assert checked(Wanted(("vp9",), (640, 640), 10)) == Wanted(("vp9",), (640, 640), 10)
    for wrong in (Wanted(("H264",)), Wanted(size=(0, 0)), Wanted(fps=1000)):
        with pytest.raises(WantedError):
            checked(wrong)
