"""What grams cost, which grams an order takes, and what may become of an order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

GRAMS_PER_TONNE = 1_000_000
QUOTE_HOLDS = timedelta(minutes=15)
RESERVATION_HOLDS = timedelta(minutes=30)
DECLARED_HOLDS = timedelta(days=5)  # a bank transfer needs working days

# Unpaid orders keep grams from everybody else, and a declared one does so for days. 1,000 t is a large company's
# purchase; who wants more pays for the first part first.
UNPAID_MAX_G = 1000 * GRAMS_PER_TONNE

# State of an order and what is done to it -> the state after.
TRANSITIONS: dict[tuple[str, str], str] = {
    ("reserved", "declare"): "declared",
    ("reserved", "confirm"): "paid",
    ("declared", "confirm"): "paid",
    ("reserved", "cancel"): "cancelled",
    ("declared", "cancel"): "cancelled",
    ("reserved", "expire"): "expired",
    ("declared", "expire"): "expired",
    ("paid", "refund"): "refunded",
}
STATES = ("reserved", "declared", "paid", "refunded", "cancelled", "expired")
OPEN_STATES = ("reserved", "declared")


@dataclass(frozen=True, slots=True)
class Offer:
    """What is left to sell of a batch, and at what price."""

    batch_id: int
    available_g: int
    price_fen_per_tonne: int


@dataclass(frozen=True, slots=True)
class Line:
    """The part of an order that comes from one batch. amount_fen: its share of the order's one rounded amount."""

    batch_id: int
    quantity_g: int
    price_fen_per_tonne: int
    amount_fen: int


def amount_fen(parts: Iterable[tuple[int, int]]) -> int:
    """The price of (grams, fen per tonne) parts together: summed exactly, rounded once, up to the whole fen."""
    return -(-sum(grams * price for grams, price in parts) // GRAMS_PER_TONNE)


def plan(offers: Sequence[Offer], quantity_g: int, *, partial: bool = False) -> list[Line] | None:
    """Take grams from the cheapest offers, older batches first at one price; None when there are too few.

    partial: what there is will do, as long as there is anything. The lines' amounts add up to `amount_fen` of them all:
    each gets what the running total grows by.
    """
    parts: list[tuple[int, int, int]] = []
    wanted_g = quantity_g
    for offer in sorted(offers, key=lambda o: (o.price_fen_per_tonne, o.batch_id)):
        here_g = min(wanted_g, offer.available_g)
        if here_g:
            parts.append((offer.batch_id, here_g, offer.price_fen_per_tonne))
            wanted_g -= here_g
    if not parts or (wanted_g and not partial):
        return None
    totals = [amount_fen((g, p) for _, g, p in parts[:n]) for n in range(len(parts) + 1)]
    return [Line(b, g, p, totals[n + 1] - totals[n]) for n, (b, g, p) in enumerate(parts)]


def next_state(state: str, action: str) -> str | None:
    """The state after the action, None when the action is not possible in that state."""
    return TRANSITIONS.get((state, action))
