"""The score for people (tables) and for programs (one JSON object)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Table

from mobile_mock.traffic.trips import Trip
from mobile_mock.traffic.truth import copies, score
from mobile_mock.traffic.truth.copies import Copy, Real
from mobile_mock.traffic.truth.deliver import Told
from mobile_mock.traffic.truth.score import DENIED, FOUND, MISSED, STANDS, WRONG, Judged, Tally

WORST_AT_LEAST = 30
EXAMPLES = 10
WIDTH = 150  # of the tables in a file
OUTCOMES = (STANDS, FOUND, MISSED, WRONG, DENIED, score.REFUSED, score.HELD)


def summary(judged: Sequence[Judged]) -> dict[str, Any]:
    """All figures of a run, ready for JSON. Shares are None where there is nothing to count."""
    levels = score.tally(judged, lambda one: one.level_s)
    pairs = score.tally(judged, lambda one: one.pair)
    total = score.tally(judged, lambda one: "all").get("all", Tally(Counter(), Counter()))
    worst = score.worst(judged, WORST_AT_LEAST)
    refused = Counter(one.told.code for one in judged if one.outcome == score.REFUSED)
    return {
        "aims": _aims(levels, total),
        "all": _figures(total),
        "by_jitter_s": {str(level): _figures(levels[level]) for level in sorted(levels)},
        "by_tiers": {pair: _figures(pairs[pair]) for pair in sorted(pairs) if pair},
        "worst": worst and dict(zip(("jitter_s", "tiers", "duration"), worst[0], strict=True)) | _figures(worst[1]),
        "refused_for_themselves": dict(refused),
    }  # fmt: skip


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        **{name: tally.counts[name] for name in OUTCOMES},
        "found_proved": tally.proved,
        "recall": tally.recall,
        "precision": tally.precision,
        "precision_if_none_by_count": tally.precision_at_worst,
        "credited_mg": tally.mg[STANDS] + tally.mg[MISSED],
        "credited_twice_mg": tally.mg[MISSED],
        "wrongly_denied_mg": tally.mg[DENIED],
    }


def _aims(levels: Mapping[int, Tally], total: Tally) -> dict[str, bool | None]:
    """Every level alone must reach its aim. None where the run has nothing to hold against it."""

    def reached(shares: Iterable[float | None], aim: float) -> bool | None:
        told = [share for share in shares if share is not None]
        return min(told) >= aim if told else None

    return {
        "recall_99.5_to_30_s": reached((t.recall for s, t in levels.items() if s <= 30), 0.995),
        "recall_98_to_90_s": reached((t.recall for s, t in levels.items() if 30 < s <= 90), 0.98),
        "precision_99.9": reached([total.precision], 0.999),
    }


def left_out(reals: Sequence[Real], made: Iterable[Copy], fates: Mapping[int, Told]) -> dict[str, dict[str, int]]:
    """What became of the trips that are double in the source: by kind, the verdicts of their copies."""
    counts: dict[str, Counter[str]] = {}
    for copy in made:
        if kind := reals[copy.trip].left_out:
            told = fates[copy.number]
            counts.setdefault(kind, Counter())[f"{told.verdict} {told.code}"] += 1
    return {kind: dict(count.most_common()) for kind, count in counts.items()}


def show(console: Console, figures: Mapping[str, Any]) -> None:
    """The figures as tables."""
    console = console if console.is_terminal else Console(file=console.file, width=WIDTH)
    columns = ("should be found", "found", "proved", "missed", "wrong", "denied", "recall", "precision", "twice mg",
               "denied mg")  # fmt: skip
    for title, rows in (("jitter, s", figures["by_jitter_s"]), ("stands / copy", figures["by_tiers"])):
        table = Table(title, *columns)
        for name, row in [*rows.items(), ("all", figures["all"])]:
            table.add_row(name, *_cells(row))
        console.print(table)
    if worst := figures["worst"]:
        where = f"jitter {worst['jitter_s']} s, {worst['tiers']}, {worst['duration']}"
        console.print(
            f"worst of the strata with {WORST_AT_LEAST} copies or more: {where}: recall {_share(worst['recall'])}"
        )


def _cells(row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{row[FOUND] + row[MISSED] + row[WRONG]:,}"
    yield from (f"{row[name]:,}" for name in (FOUND, "found_proved", MISSED, WRONG, DENIED))
    yield from (_share(row[name]) for name in ("recall", "precision"))
    yield from (f"{row[name]:,}" for name in ("credited_twice_mg", "wrongly_denied_mg"))


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3%}"


def show_examples(
    console: Console, reals: Sequence[Real], judged: Sequence[Judged], fates: Mapping[int, Told], made: Sequence[Copy]
) -> None:
    """Some trips of each kind of mistake, and those of the same person within reach, with all that was said of them."""
    for outcome in (MISSED, WRONG, DENIED):
        numbers = dict.fromkeys(one.copy.trip for one in judged if one.outcome == outcome)
        if numbers:
            console.print(f"{outcome}: {len(numbers)} trips, of which")
        for number in islice(numbers, EXAMPLES):
            _show_trip(console, number, reals, fates, made, "  ")
            trip = reals[number].trip
            for other, real in enumerate(reals):
                if other != number and real.trip.partner_ref == trip.partner_ref and _within_reach(trip, real.trip):
                    _show_trip(console, other, reals, fates, made, "    beside ")


def _within_reach(a: Trip, b: Trip) -> bool:
    return max(a.started_at, b.started_at) - min(a.ended_at, b.ended_at) <= copies.REACH


def _show_trip(
    console: Console, number: int, reals: Sequence[Real], fates: Mapping[int, Told], made: Sequence[Copy], lead: str
) -> None:
    real = reals[number]
    left_out = f", left out: {real.left_out}" if real.left_out else ""
    console.print(f"{lead}{trip_line(real.trip)}, jitter {real.level_s} s{left_out}")
    for copy in made:
        if copy.trip == number:
            told = fates[copy.number]
            console.print(
                f"      partner {copy.partner}, {copy.tier}, clock {copy.offset_s:+d} s: {told.verdict} {told.code},"
                f" deed {(told.deed or '-')[:6]}, {told.reduction_mg} mg"
            )


def trip_line(trip: Trip) -> str:
    """A trip on a line, with its clock as the source has it."""
    metres, asset = trip.facts.get("distance_m", "?"), f", {trip.asset_ref}" if trip.asset_ref else ""
    return (
        f"{trip.event_id} of {trip.partner_ref}{asset}: {trip.started_at:%Y-%m-%d %H:%M:%S} to"
        f" {trip.ended_at:%H:%M:%S}, {metres} m"
    )


def lines(judged: Iterable[Judged], reals: Sequence[Real]) -> Iterator[dict[str, Any]]:
    """Every judged copy, for those who want to look closer."""
    for one in judged:
        trip, copy = reals[one.copy.trip].trip, one.copy
        yield {
            "trip": trip.event_id, "person": trip.partner_ref, "started_at": trip.started_at.isoformat(),
            "ended_at": trip.ended_at.isoformat(), "partner": copy.partner, "tier": copy.tier, "level_s": one.level_s,
            "offset_s": copy.offset_s, "outcome": one.outcome, "proved": one.proved, "verdict": one.told.verdict,
            "code": one.told.code, "deed": one.told.deed, "reduction_mg": one.told.reduction_mg,
        }  # fmt: skip
