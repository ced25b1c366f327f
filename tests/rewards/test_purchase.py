"""Prices and plans: exact, rounded once, never free."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rewards import purchase
from rewards.purchase import Offer

OFFERS = st.lists(
    st.builds(Offer, st.integers(1, 99), st.integers(0, 5_000_000), st.integers(1, 20_000)),
    max_size=6,
    unique_by=lambda offer: offer.batch_id,
)


@given(OFFERS, st.integers(1, 20_000_000))
def test_a_plan_takes_the_cheapest_grams_and_is_rounded_once(offers: list[Offer], quantity_g: int) -> None:
    lines = purchase.plan(offers, quantity_g)
    if lines is None:
        assert sum(o.available_g for o in offers) < quantity_g
        return
    assert sum(line.quantity_g for line in lines) == quantity_g
    left = {o.batch_id: o for o in offers}
    assert all(0 < line.quantity_g <= left[line.batch_id].available_g for line in lines)
    dearest = max(line.price_fen_per_tonne for line in lines)
    taken = {line.batch_id: line.quantity_g for line in lines}
    assert all(
        taken.get(o.batch_id) == o.available_g for o in offers if o.available_g and o.price_fen_per_tonne < dearest
    )
    exact = sum(Fraction(line.quantity_g * line.price_fen_per_tonne, 1_000_000) for line in lines)
    paid = sum(line.amount_fen for line in lines)
    assert exact <= paid < exact + 1
    assert all(line.amount_fen >= 0 for line in lines)


def test_a_gram_is_never_free() -> None:
    assert purchase.amount_fen([(1, 1)]) == 1
    assert purchase.amount_fen([(1_000_000, 6000)]) == 6000
    assert purchase.amount_fen([(166, 6000), (1, 6000)]) == 2  # 1.002 fen


def test_an_order_that_has_ended_goes_nowhere() -> None:
    actions = {action for _, action in purchase.TRANSITIONS}
    for state in set(purchase.STATES) - set(purchase.OPEN_STATES):
        assert all(purchase.next_state(state, action) is None for action in actions - {"refund"})
        assert purchase.next_state(state, "refund") == ("refunded" if state == "paid" else None)
    for state in purchase.OPEN_STATES:
        assert purchase.next_state(state, "confirm") == "paid"
        assert purchase.next_state(state, "expire") == "expired"
