"""What measuring costs an event, all packs mixed: `.venv/bin/python -m tests.perf.bench_measure`. Limits nothing.

Ratios only: to reading the facts out of an event's data, which every event needs whatever it is worth.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import date, timedelta

from rules import quantification, standard, verification
from rules.model import Pack, Region

EVENTS = 100_000
TIERS = ("order", "device", "self_declared")
Deed = tuple[Pack, Region, dict[str, int | str], date, str]


def deeds(loaded: standard.Standard, packs: list[Pack]) -> list[Deed]:
    """Believable deeds of these packs anywhere in three years, in random order."""
    rng = random.Random(1)
    regions = list(loaded.regions.values())
    made = []
    for _ in range(5000):
        pack = rng.choice(packs)
        facts: dict[str, int | str] = {
            f.name: rng.choice(sorted(f.values))
            if f.kind == "choice"
            else rng.randint(f.minimum or 0, f.maximum or 9999)
            for f in pack.facts
        }
        on = date(2024, 1, 1) + timedelta(days=rng.randrange(1000))
        made.append((pack, rng.choice(regions), facts, on, rng.choice(TIERS)))
    return made


def seconds(run: Callable[[Deed], object], made: list[Deed]) -> float:
    for deed in made:  # plans are built once
        run(deed)
    started = time.perf_counter()
    for number in range(EVENTS):
        run(made[number % len(made)])
    return time.perf_counter() - started


def main() -> None:
    loaded = standard.load()
    first = [pack for pack in loaded.packs if pack.code in ("cycling", "metro", "recycling", "plastic_substitution")]
    for name, packs in (("the first four packs", first), (f"all {len(loaded.packs)} packs mixed", list(loaded.packs))):
        made = deeds(loaded, packs)
        reading = seconds(lambda d: verification.read_facts(d[0], d[2]), made)
        measuring = seconds(lambda d: quantification.measure(loaded, *d), made)
        plans = sum(map(len, loaded._plans.values()))
        print(f"{name}: measuring / reading the facts = {measuring / reading:.2f}, {plans} plans built")


if __name__ == "__main__":
    main()
