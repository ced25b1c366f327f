"""Prices: the rule that holds for a batch, and the tier for a quantity. Fen per tonne, whole numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

TIERS_MAX = 20


@dataclass(frozen=True, slots=True)
class Goods:
    """What a rule looks at of a batch. `base_fen_per_tonne`: its price at issue, where no rule holds."""

    batch_id: int
    region: str
    pack_code: str
    vintage_month: date
    base_fen_per_tonne: int


@dataclass(frozen=True, slots=True)
class Rule:
    """tiers: (from how many grams, fen per tonne), ascending, the first from 1 g; none: the one before ends."""

    rule_id: int
    batch_id: int | None
    region: str | None
    pack_code: str | None
    vintage_month: date | None
    tiers: Sequence[tuple[int, int]]
    valid_from: datetime

    @property
    def scope(self) -> tuple[int | str | date | None, ...]:
        return (self.batch_id, self.region, self.pack_code, self.vintage_month)

    def fits(self, goods: Goods) -> bool:
        """A rule for a province holds for its cities too."""
        wanted = zip(self.scope, (goods.batch_id, goods.region, goods.pack_code, goods.vintage_month), strict=True)
        return all(one is None or one == other or is_within(other, one) for one, other in wanted)

    @property
    def rank(self) -> tuple[object, ...]:
        """The more a rule names the more it counts: a batch first, then how many things, a city above a province."""
        named = sum(one is not None for one in self.scope[1:])
        city = self.region is not None and not self.region.endswith("0000")
        return (self.batch_id is not None, named, city, self.valid_from, self.rule_id)


def is_within(place: object, whole: object) -> bool:
    """True for a city's code within its province's, e.g. 440300 within 440000."""
    return isinstance(place, str) and isinstance(whole, str) and whole.endswith("0000") and place[:2] == whole[:2]


def tiers_of(goods: Goods, rules: Iterable[Rule], now: datetime) -> list[tuple[int, int]]:
    """The price tiers of a batch at a moment: of the rule that counts most, else its price at issue."""
    newest: dict[tuple[object, ...], Rule] = {}
    for rule in sorted((r for r in rules if r.valid_from <= now), key=lambda r: (r.valid_from, r.rule_id)):
        newest[rule.scope] = rule
    fitting = [rule for rule in newest.values() if rule.tiers and rule.fits(goods)]
    best = max(fitting, key=lambda rule: rule.rank, default=None)
    return list(best.tiers) if best else [(1, goods.base_fen_per_tonne)]


def price(tiers: Sequence[tuple[int, int]], quantity_g: int) -> int:
    """Fen per tonne for an order of that many grams in all."""
    return next(fen for from_g, fen in reversed(tiers) if from_g <= quantity_g)


def tiers_mistake(tiers: Sequence[tuple[int, int]]) -> str | None:
    """What is wrong with tiers, in plain words; None when nothing is."""
    starts = [from_g for from_g, _ in tiers]
    if starts and (starts[0] != 1 or starts != sorted(set(starts))):
        return "阶梯须自 1 克起、由小到大 · tiers begin at 1 g and ascend"
    return None
