"""Prices: which rule holds for a batch, and which tier for a quantity."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rewards import pricing
from rewards.pricing import Goods, Rule

NOW = datetime(2026, 8, 1, tzinfo=UTC)
MONTH = date(2026, 6, 1)
SHENZHEN = Goods(7, "440300", "cycling", MONTH, 6000)


def rule(
    number: int, price: int, *, days: int = 0, tiers: list[tuple[int, int]] | None = None, **scope: object
) -> Rule:
    named = {"batch_id": None, "region": None, "pack_code": None, "vintage_month": None} | scope
    return Rule(number, tiers=[(1, price)] if tiers is None else tiers, valid_from=NOW + timedelta(days=days), **named)  # type: ignore[arg-type]


def price(*rules: Rule, goods: Goods = SHENZHEN, quantity_g: int = 1) -> int:
    return pricing.price(pricing.tiers_of(goods, rules, NOW), quantity_g)


def test_without_a_rule_the_price_at_issue_holds() -> None:
    assert price() == 6000
    assert price(rule(1, 1, pack_code="metro"), rule(2, 2, region="310000"), rule(3, 3, days=1)) == 6000


def test_the_rule_that_names_more_holds_whenever_it_was_made() -> None:
    whole, province, city = rule(4, 4), rule(3, 3, region="440000"), rule(2, 2, region="440300")
    both, batch = rule(1, 1, region="440000", pack_code="cycling"), rule(0, 9, batch_id=7)
    assert price(whole) == 4
    assert price(whole, province) == 3
    assert price(whole, province, city) == 2
    assert price(whole, province, city, both) == 1
    assert price(whole, province, city, both, batch) == 9


def test_of_rules_for_the_same_the_newest_that_has_begun_holds_and_an_empty_one_takes_it_back() -> None:
    old, new, later = rule(1, 1, days=-2), rule(2, 2, days=-1), rule(3, 3, days=1)
    assert price(old, new, later) == 2
    assert price(old, new, rule(4, 0, tiers=[])) == 6000
    assert price(rule(5, 5, region="440000"), rule(6, 6), rule(7, 0, region="440000", tiers=[])) == 6


def test_a_larger_order_pays_its_own_tier() -> None:
    tiers = [(1, 9000), (1_000_000, 8000), (100_000_000, 7000)]
    assert [price(rule(1, 0, tiers=tiers), quantity_g=g) for g in (1, 999_999, 1_000_000, 10**9)] == [
        9000,
        9000,
        8000,
        7000,
    ]


def test_tiers_begin_at_one_gram_and_ascend() -> None:
    assert pricing.tiers_mistake([]) is None
    assert pricing.tiers_mistake([(1, 5), (2, 4)]) is None
    for wrong in ([(2, 5)], [(1, 5), (1, 4)], [(1, 5), (3, 4), (2, 3)]):
        assert pricing.tiers_mistake(wrong)


@given(numbers=st.permutations(range(5)))
def test_the_order_in_which_rules_are_read_does_not_matter(numbers: list[int]) -> None:
    rules = [rule(0, 1), rule(1, 2, region="440000"), rule(2, 3, days=-1), rule(3, 4, pack_code="cycling"), rule(4, 5)]
    assert price(*(rules[n] for n in numbers)) == price(*rules)
