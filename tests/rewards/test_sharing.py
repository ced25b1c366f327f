"""Sharing a sale: nobody loses by rounding, every fen is somebody's, and ties do not always favour the same people."""

from __future__ import annotations

from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from rewards import sharing

shares = st.tuples(*[st.integers(0, 1_000_000)] * 3).map(
    lambda cuts: tuple(b - a for a, b in zip((0, *sorted(cuts)), (*sorted(cuts), 1_000_000), strict=True))
)
sales = st.lists(st.tuples(st.integers(1, 10**9), shares), min_size=1, max_size=12)
weights = st.dictionaries(st.integers(1, 50), st.integers(-(10**6), 10**9), min_size=1, max_size=20).filter(
    lambda found: any(weight > 0 for weight in found.values())
)


def test_terms_add_up_to_a_million() -> None:
    assert sharing.shares_mistake((700_000, 100_000, 150_000, 50_000)) is None
    for wrong in ((700_000, 100_000, 150_000), (1_000_001, -1, 0, 0), (1, 1, 1, 1), (0, 0, 0, 999_999)):
        assert sharing.shares_mistake(wrong)


def test_terms_bind_after_their_days() -> None:
    assert sharing.binds_from(date(2026, 1, 31), 30) == date(2026, 3, 2)


@given(sales=sales)
def test_the_pots_of_all_sales_are_never_more_than_the_income_and_lack_less_than_four_fen(sales: list) -> None:
    entitled = sharing.entitled_micro(sales)
    income_fen = sum(fen for fen, _ in sales)
    assert sum(entitled) == income_fen * sharing.PPM
    assert 0 <= income_fen - sharing.whole_fen(entitled, is_last=False).total < len(sharing.POTS)
    assert sharing.whole_fen(entitled, is_last=True).total == income_fen


@given(sales=sales, extra=sales)
def test_a_pot_never_shrinks_when_more_is_sold(sales: list, extra: list) -> None:
    before = sharing.whole_fen(sharing.entitled_micro(sales), is_last=False)
    for is_last in (False, True):
        more = sharing.whole_fen(sharing.entitled_micro(sales + extra), is_last=is_last).less(before)
        assert min(more.citizens, more.partners, more.platform, more.fund) >= 0


@given(weights=weights, pots=st.lists(st.integers(0, 10**7), min_size=1, max_size=6), salt=st.text(max_size=4))
def test_however_often_it_is_settled_everybody_ends_with_the_same_and_every_fen_is_given_out(
    weights: dict[int, int], pots: list[int], salt: str
) -> None:
    paid: Counter[int] = Counter()
    total = 0
    for place, pot in enumerate(pots):
        total += pot
        now = sharing.allot(total, weights, paid, salt, is_last=place == len(pots) - 1)
        assert all(fen > 0 for fen in now.values())
        paid.update(now)
    assert sum(paid.values()) == total
    assert dict(paid) == sharing.allot(total, weights, {}, salt, is_last=True)
    whole = sum(weight for weight in weights.values() if weight > 0)
    for who, weight in weights.items():
        exact = total * max(weight, 0)
        assert exact // whole <= paid[who] <= exact // whole + 1
        assert weight > 0 or not paid[who]


@given(weights=weights, pot=st.integers(0, 10**7))
def test_before_the_end_nobody_gets_more_than_the_exact_share(weights: dict[int, int], pot: int) -> None:
    now = sharing.allot(pot, weights, {}, "1", is_last=False)
    whole = sum(weight for weight in weights.values() if weight > 0)
    assert all(fen * whole <= pot * weights[who] for who, fen in now.items())
    assert pot - sum(now.values()) < len(weights)


def test_equal_people_are_favoured_in_another_order_in_every_batch() -> None:
    favoured = Counter(
        who
        for batch in range(300)
        for who in sharing.allot(1, dict.fromkeys(range(10), 7), {}, str(batch), is_last=True)
    )
    assert sum(favoured.values()) == 300
    assert set(favoured) == set(range(10))
    assert max(favoured.values()) < 60  # 30 on average
