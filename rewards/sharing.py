"""How the money of a sale is shared: by published terms, in whole fen, so that nobody loses by rounding.

A batch's income is entitled exactly, in millionths of a fen; what is paid is the whole fen of the cumulative
entitlement less what was paid before. What rounding leaves over waits in the batch, and is given out, a fen each to
the largest remainders, when nothing of the batch is left to sell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

PPM = 1_000_000
POTS = ("citizens", "partners", "platform", "fund")

Shares = tuple[int, ...]  # parts per million, in the order of POTS


@dataclass(frozen=True, slots=True)
class Pots:
    """Fen by pot; of a batch's whole income, or of one payment."""

    citizens: int
    partners: int
    platform: int
    fund: int

    @property
    def total(self) -> int:
        return self.citizens + self.partners + self.platform + self.fund

    def less(self, paid: Pots) -> Pots:
        return Pots(*(getattr(self, pot) - getattr(paid, pot) for pot in POTS))


def shares_mistake(shares_ppm: Sequence[int]) -> str | None:
    """What is wrong with terms, in plain words; None when nothing is."""
    if len(shares_ppm) != len(POTS) or min(shares_ppm) < 0 or sum(shares_ppm) != PPM:
        return "四项须为非负整数，合计 1000000 · four whole numbers, none negative, that add up to 1000000"
    return None


def binds_from(published_on: date, notice_days: int) -> date:
    """The first day on which terms published that day may bind."""
    return published_on + timedelta(days=notice_days)


def entitled_micro(sales: Iterable[tuple[int, Sequence[int]]]) -> Shares:
    """What each pot is entitled to of (fen, shares of the terms then) sales: exactly, in millionths of a fen."""
    totals = [0] * len(POTS)
    for amount_fen, shares_ppm in sales:
        for place, ppm in enumerate(shares_ppm):
            totals[place] += amount_fen * ppm
    return tuple(totals)


def whole_fen(entitled: Sequence[int], *, is_last: bool) -> Pots:
    """The whole fen of each pot's entitlement. At the last settlement the fund gets what rounding left of the four."""
    citizens, partners, platform, fund = (micro // PPM for micro in entitled)
    if is_last:
        fund = sum(entitled) // PPM - citizens - partners - platform
    return Pots(citizens, partners, platform, fund)


def allot(
    pot_fen: int, weights: Mapping[int, int], paid_fen: Mapping[int, int], salt: str, *, is_last: bool
) -> dict[int, int]:
    """Who gets how many fen now: floor(pot x weight / all weights) less what was paid; nobody is asked to give back.

    pot_fen: cumulative. At the last settlement what is left goes to the largest remainders, a fen each, ties by a hash
    of salt and number, so that they are not always the same ones. `settle_people` in SQL does the same for millions.
    """
    heavy = {who: weight for who, weight in weights.items() if weight > 0}
    whole = sum(heavy.values())
    due = {who: pot_fen * weight // whole for who, weight in heavy.items()}
    if is_last:
        left = pot_fen - sum(due.values())
        order = sorted(heavy, key=lambda who: (-(pot_fen * heavy[who] % whole), tie(salt, who)))
        for who in order[:left]:
            due[who] += 1
    return {who: fen - paid_fen.get(who, 0) for who, fen in due.items() if fen > paid_fen.get(who, 0)}


def tie(salt: str, who: int) -> str:
    """What decides between equal remainders: an MD5, for SQL has it too and nothing depends on its strength."""
    return hashlib.md5(f"{salt}:{who}".encode(), usedforsecurity=False).hexdigest()
