"""From a pool's milligrams to a batch's grams.

A pool is the signed sum of its deeds. Whole grams are issued; what is left over, also a debt, goes to the next batch
of the series: same region, methodology, gas basis and standing (demonstration or not).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

MG_PER_G = 1000
MILLION = 1_000_000
_YEARS = frozenset(map(str, range(1971, 2200)))  # those in which a deed can be
_POOL_ID = re.compile(r"([0-9]{6})\.([a-z][a-z0-9_]*)\.([A-Za-z0-9][A-Za-z0-9._-]*)\.([0-9]{4})(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class PoolKey:
    """What a pool's deeds have in common. Its text is `<region>.<pack_code>.<pack_version>.<yyyymm>`."""

    region: str
    pack_code: str
    pack_version: str
    vintage_month: date

    def __str__(self) -> str:
        return f"{self.region}.{self.pack_code}.{self.pack_version}.{self.vintage_month:%Y%m}"


def parse_pool_id(text: str) -> PoolKey:
    """The key that a pool's id names. Raises ValueError when it is not one."""
    match = _POOL_ID.fullmatch(text)
    if match is None or match[4] not in _YEARS:
        raise ValueError(f"not a pool id: {text!r}")
    return PoolKey(match[1], match[2], match[3], date(int(match[4]), int(match[5]), 1))


def closable_on(vintage_month: date, close_after_days: int) -> date:
    """The first civil day on which a pool of that month may be closed: strictly ex post."""
    following = (vintage_month.replace(day=1) + timedelta(days=32)).replace(day=1)
    return following + timedelta(days=close_after_days)


@dataclass(frozen=True, slots=True)
class Minting:
    """issued_g = for_sale_g + reserve_g, and 1000 x issued_g + remainder_mg = what was attested, less, plus carried."""

    issued_g: int
    reserve_g: int
    remainder_mg: int

    @property
    def for_sale_g(self) -> int:
        return self.issued_g - self.reserve_g


def mint(attested_mg: int, adjustments_mg: int, carried_mg: int, reserve_ppm: int) -> Minting:
    """Whole grams of what was attested less adjustments plus the remainder carried in.

    A total below one gram, or below zero, issues nothing and is carried whole. The correction reserve is
    ceil(issued x ppm / 1,000,000) grams, rounded up so that it is never too small.
    """
    total_mg = attested_mg - adjustments_mg + carried_mg
    issued_g = max(total_mg, 0) // MG_PER_G
    reserve_g = -(-issued_g * reserve_ppm // MILLION)
    return Minting(issued_g, reserve_g, total_mg - issued_g * MG_PER_G)
