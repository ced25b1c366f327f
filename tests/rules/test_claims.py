"""Other mechanisms' claims: what they cover, and what each conflict is called. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from rules import claims, dedup
from rules.dedup import MICRO, Record
from rules.model import CLAIMED_ELSEWHERE, ExclusionClass

KLASS = ExclusionClass("mobility", jitter_s=60, overlap_tolerance_s=10)
DAY = date(2026, 6, 3)
RIDE = Record(1, 1, "bikes", "r1", 0, 1200 * MICRO, DAY, "cycling", acts=(("bikes", b"one"),), asset=b"bike", root_id=1)
JUNE = claims.Scope("bikes", None, "cycling.v1", "31", date(2026, 6, 1), date(2026, 6, 30))


def on(book: claims.Book, record: Record = RIDE, person: int = 7) -> int | None:
    claim = book.on(record, person, "cycling.v1", "310000", KLASS)
    return claim.claim_id if claim else None


@pytest.mark.parametrize(
    ("region", "prefix"), [("CN", ""), ("310000", "31"), ("440000", "44"), ("440300", "4403"), ("429004", "429004")]
)
def test_a_region_claims_what_lies_inside_it(region: str, prefix: str) -> None:
    assert claims.prefix(region) == prefix


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (JUNE, True),
        (replace(JUNE, client_id=None, event_type=None, prefix=""), True),
        (replace(JUNE, from_on=DAY, to_on=DAY), True),
        (replace(JUNE, from_on=date(2026, 6, 4)), False),
        (replace(JUNE, to_on=date(2026, 6, 2)), False),
        (replace(JUNE, client_id="wallet"), False),
        (replace(JUNE, event_type="metro.v1"), False),
        (replace(JUNE, prefix="3101"), False),
        (replace(JUNE, asset=b"bike"), True),
        (replace(JUNE, asset=b"other"), False),
    ],
)
def test_a_span_covers_a_deed_only_with_all_it_says(scope: claims.Scope, covered: bool) -> None:
    book = claims.Book(by_asset={scope.asset: [claims.Claim(5, "ets", "counted", scope)]})
    assert (on(book) == 5) is covered


def test_the_number_goes_before_the_span_and_the_most_final_conflict_before_the_others() -> None:
    named = [claims.Claim(3, "ccer", "counted"), claims.Claim(4, "ccer", "issued"), claims.Claim(2, "ccer", "issued")]
    spanned = [claims.Claim(1, "ets", "used", JUNE)]
    assert on(claims.Book({b"one": named}, {None: spanned})) == 2
    assert on(claims.Book({b"one": [*named, claims.Claim(9, "ccer", "used")]})) == 9
    assert on(claims.Book({b"two": named}, {None: spanned})) == 1
    assert on(claims.Book({b"two": named})) is None
    assert on(claims.NONE) is None


def test_a_deed_known_before_its_claim_is_left_to_a_person_and_so_are_its_copies() -> None:
    span = {None: [claims.Claim(1, "ets", "counted", JUNE)]}
    known = {1: [claims.Known(7, 0, 1200 * MICRO)], 2: [claims.Known(7, 0, 1200 * MICRO)]}
    copy = replace(RIDE, event_id=2, started_us=50 * MICRO, ended_us=1230 * MICRO)
    later = replace(RIDE, started_us=7200 * MICRO, ended_us=9000 * MICRO)
    book = claims.Book({}, span, known)
    assert (on(book), on(book, copy), on(book, later), on(book, person=8)) == (None, None, 1, 1)
    numbered = claims.Book({b"one": [claims.Claim(2, "ccer", "issued")]}, {}, known)
    assert (on(numbered, later), on(numbered, later, person=8)) == (None, 2)


def test_a_claimed_record_leads_its_copies_into_its_refusal_but_not_a_pooled_one() -> None:
    claimed = replace(RIDE, tier=2, refusal=CLAIMED_ELSEWHERE, measured_mg=5)
    better = replace(RIDE, event_id=2, tier=0, client_id="wallet", acts=(), measured_mg=5)
    numbered = replace(better, event_id=3, acts=RIDE.acts, started_us=900 * MICRO, ended_us=2100 * MICRO)
    settled = dedup.settle([better, numbered, claimed], KLASS)
    assert {o.code for o in settled.values()} == {CLAIMED_ELSEWHERE}
    pooled = replace(better, fixed_mg=5, fixed_deed=2)
    settled = dedup.settle([pooled, claimed], KLASS)
    assert (settled[2].reduction_mg, settled[1].code) == (5, "same_record")
    beside = replace(better, started_us=300 * MICRO, ended_us=900 * MICRO)
    assert dedup.settle([beside, claimed], KLASS)[2].code == "ok"  # it takes no place in time
