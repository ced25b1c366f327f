"""What measuring costs an event: `.venv/bin/python -m tests.perf.bench_measure`. Prints, limits nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta

from rules import quantification, standard

EVENTS = 200_000


def microseconds(run: Callable[[int], object], times: int) -> float:
    started = time.perf_counter()
    for number in range(times):
        run(number)
    return (time.perf_counter() - started) / times * 1e6


def main() -> None:
    started = time.perf_counter()
    loaded = standard.load()
    milliseconds = 1000 * (time.perf_counter() - started)
    print(f"load {milliseconds:.0f} ms, {len(loaded.packs)} packs, {len(loaded.regions)} regions")
    regions = [loaded.regions[code] for code in ("310000", "420100", "440300", "110000")]
    days = [date(2025, 6, 1) + timedelta(days=number) for number in range(400)]
    examples: dict[str, dict[str, int | str]] = {
        "cycling.v1": {"distance_m": 2310},
        "metro.v1": {"distance_m": 12_345},
        "recycling.v1": {"material": "PET", "mass_g": 730},
        "plastic_substitution.v1": {"item": "box_pla", "count": 2},
    }
    for event_type, facts in examples.items():

        def one(number: int, event_type: str = event_type, facts: dict[str, int | str] = facts) -> object:
            on = days[number % len(days)]
            pack = loaded.pack(event_type, on)
            assert pack
            return quantification.measure(loaded, pack, regions[number % len(regions)], facts, on)

        microseconds(one, 2000)
        print(f"{event_type:26} {microseconds(one, EVENTS):5.2f} us an event, pack, plan and lines included")


if __name__ == "__main__":
    main()
