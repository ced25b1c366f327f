"""Serial numbers: printed, parsed, split, joined."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import serials
from rewards.serials import SerialRange, Span

NUMBER = st.integers(1, 10**17)
SPANS = st.lists(st.integers(1, 50), min_size=1, max_size=8).map(
    lambda lengths: [Span(1000 * i + 1, 1000 * i + n) for i, n in enumerate(lengths)]
)


@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii),
    st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
    st.dates(min_value=date(2000, 1, 1)),
    NUMBER,
    NUMBER,
    st.integers(0, 10**6),
)
def test_a_range_that_is_printed_is_parsed_back(
    region: str, pack: str, day: date, batch: int, first: int, more: int
) -> None:
    one = SerialRange(region, pack, day.replace(day=1), batch, Span(first, first + more))
    assert serials.parse(str(one)) == one


def test_a_range_is_printed_as_the_design_says() -> None:
    one = SerialRange("310000", "cycling", date(2026, 6, 1), 7, Span(1, 1000))
    assert str(one) == "TPH-310000-cycling-202606-7-1-1000"
    assert one.span.quantity_g == 1000


@pytest.mark.parametrize(
    "text",
    [
        "", "TPH-310000-cycling-202606-7-1000-1", "TPH-310000-cycling-202613-7-1-2", "TPH-310000-cycling-202606-0-1-2",
        "TPH-310000-cycling-202606-7-1-2\n", "tph-310000-cycling-202606-7-1-2", "TPH-310000-cycling-202606-7-01-2",
        "TPH-３10000-cycling-202606-7-1-2",
    ],
)  # fmt: skip
def test_what_is_no_range_is_not_parsed(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|month"):
        serials.parse(text)


@given(SPANS, st.data())
def test_taking_grams_splits_the_last_span_and_loses_none(spans: list[Span], data: st.DataObject) -> None:
    total_g = sum(s.quantity_g for s in spans)
    wanted_g = data.draw(st.integers(0, total_g))
    taken, left = serials.take(spans, wanted_g)
    assert sum(s.quantity_g for s in taken) == wanted_g
    assert serials.joined(taken + left) == serials.joined(spans)
    assert not taken or not left or max(taken) < min(left)


def test_more_grams_than_there_are_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="1 g too few"):
        serials.take([Span(1, 9)], 10)
