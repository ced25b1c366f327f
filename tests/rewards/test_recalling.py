"""Recalls: rounded once, drawn in order, said in words that fit."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from rewards import certificates, recalling, serials
from rewards.recalling import Source


@given(st.lists(st.integers(0, 5_000)), st.integers(0, 5_000))
def test_grams_are_rounded_up_once_over_all_recalls(recalls_mg: list[int], before_mg: int) -> None:
    grams = recalling.needed_g(before_mg + sum(recalls_mg), before_mg)
    assert 1000 * (grams - 1) < sum(recalls_mg) <= 1000 * grams


def test_what_a_deed_gained_recalls_nothing() -> None:
    assert [recalling.counted_mg(c) for c in ([700], [700, -700], [-700], [700, -900, 500])] == [700, 0, 0, 300]


@given(st.integers(-5, 50), st.lists(st.builds(Source, st.integers(1, 9), st.just("reserve"), st.integers(0, 20))))
def test_sources_are_drawn_in_their_order_and_never_beyond_what_is_needed(wanted: int, sources: list[Source]) -> None:
    taken, owed = recalling.draw(wanted, sources)
    assert sum(s.quantity_g for s in taken) + owed == max(wanted, 0)
    assert owed == 0 or sum(s.quantity_g for s in taken) == sum(s.quantity_g for s in sources)
    useful = [s for s in sources if s.quantity_g]
    assert taken[:-1] == useful[: len(taken)][:-1]


def test_an_amendment_says_what_was_recalled_what_replaced_it_and_what_is_owed() -> None:
    spans = [serials.Span(3, 4), serials.Span(5, 9)]
    other = recalling.Cancelled(4, "310000", "cycling", date(2026, 5, 1), "reserve", 7, spans)
    body = recalling.amendment(
        batch_id=7, made_on=date(2026, 11, 20), version=2, made_at=datetime(2026, 11, 20, 4, tzinfo=UTC),
        issuer="https://tanpuhui.example.org", recalled_mg=8_200, before_mg=1_000, owed_g=2, cancelled=[other],
        previous_sha256=None,
    )  # fmt: skip
    assert (body["number"], body["made_at"]) == ("TPH-A-000007-20261120-2", "2026-11-20T04:00:00Z")
    assert (body["recalled_mg"], body["recalled_in_all_mg"], body["recalled_in_all_g"]) == (7_200, 8_200, 9)
    assert body["replaced_by"] == [
        {"batch": 4, "reason": "replacement", "from": "reserve", "quantity_g": 7,
         "serials": ["TPH-310000-cycling-202605-4-3-9"]},
    ]  # fmt: skip
    assert (body["covered"], "2 g" in body["statement"]["en"], "2 克" in body["statement"]["zh"]) == (False, True, True)
    assert "covered" in recalling.statement(0)["en"]
    assert certificates.canonical(body).startswith(b'{"batch":7,')
