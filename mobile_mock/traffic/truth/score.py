"""The verdicts beside the truth. What is counted, and how handles are read, is said in the package's first lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from mobile_mock.traffic.truth.copies import REACH, TIERS, Copy, Real, pairs_within
from mobile_mock.traffic.truth.deliver import Told

STANDS, FOUND, MISSED, WRONG, DENIED = "stands", "found", "missed", "wrong", "denied"
REFUSED, HELD = "refused", "held"
BANDS_S = (100, 200, 300, 600)
UNKNOWN = "?"
SAME_WITHIN_S = 180  # clocks 90 s off to either side

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a copy of a clean trip came to. pair: the tier of the copy that stands (or should) and its own,
    '' when refused or held.

    mg: of `stands` what it earned, of `missed` what was credited twice, of `denied` what was wrongly denied.
    """

    copy: Copy
    told: Told
    outcome: str
    pair: str
    level_s: int
    band: str
    proved: bool = True
    mg: int = 0


@dataclass(slots=True)
class Tally:
    """Counts of outcomes, and milligrams of each."""

    counts: Counter[str]
    mg: Counter[str]
    proved: int = 0

    @property
    def expected(self) -> int:
        """Copies that should be called duplicates: all but the best of each trip."""
        return self.counts[FOUND] + self.counts[MISSED] + self.counts[WRONG]

    @property
    def recall(self) -> float | None:
        return self.counts[FOUND] / self.expected if self.expected else None

    @property
    def precision(self) -> float | None:
        return self.counts[FOUND] / self.said if self.said else None

    @property
    def precision_at_worst(self) -> float | None:
        """Were all that is right by count only wrong."""
        return self.proved / self.said if self.said else None

    @property
    def said(self) -> int:
        """Copies that are called duplicates."""
        return self.counts[FOUND] + self.counts[WRONG] + self.counts[DENIED]


def judge(reals: Sequence[Real], copies: Iterable[Copy], fates: Mapping[int, Told]) -> list[Judged]:
    """Every copy of a clean trip. `copies` holds all copies of each person in it, of trips left out as well."""
    of_trip: dict[int, list[Copy]] = defaultdict(list)
    of_handle: dict[tuple[int, str], list[Copy]] = defaultdict(list)
    for copy in copies:
        of_trip[copy.trip].append(copy)
        if deed := fates[copy.number].deed:
            of_handle[copy.partner, deed].append(copy)
    standing = {trip for trip, group in of_trip.items() if any(_is(fates, c, "credited") for c in group)}
    names = _Names(fates, of_handle, standing, _touching(reals, of_trip))
    mg_per_m = _mg_per_m(reals, of_trip, fates)
    return [
        judged
        for trip, group in of_trip.items()
        if not reals[trip].left_out
        for judged in _trip(reals[trip], group, fates, names, mg_per_m)
    ]


def _trip(
    real: Real, group: Sequence[Copy], fates: Mapping[int, Told], names: _Names, mg_per_m: Mapping[str, Fraction]
) -> Iterable[Judged]:
    live = [c for c in group if fates[c.number].verdict in ("credited", "duplicate_of")]
    live.sort(key=lambda c: (not _is(fates, c, "credited"), TIERS.index(c.tier), c.offset_s, c.partner))
    seconds = (real.trip.ended_at - real.trip.started_at).total_seconds()
    band = next((f"<{limit} s" for limit in BANDS_S if seconds < limit), f">={BANDS_S[-1]} s")

    def judged(copy: Copy, outcome: str, best: str, proved: bool = True, mg: int = 0) -> Judged:
        pair = f"{best} / {copy.tier}" if best else ""
        return Judged(copy, fates[copy.number], outcome, pair, real.level_s, band, proved, mg)

    for copy in group:
        if copy not in live:
            held = fates[copy.number].verdict == "in_review"
            yield judged(copy, HELD if held else REFUSED, "")
    for n, copy in enumerate(live):
        told = fates[copy.number]
        if told.verdict == "credited":
            yield judged(copy, MISSED if n else STANDS, live[0].tier, mg=told.reduction_mg)
        elif n == 0:
            yield judged(copy, DENIED, names.holder_tier(copy), mg=_worth_mg(real, mg_per_m))
        else:
            right, proved = names.right(copy)
            yield judged(copy, FOUND if right else WRONG, live[0].tier, proved)


def _is(fates: Mapping[int, Told], copy: Copy, verdict: str) -> bool:
    return fates[copy.number].verdict == verdict


def _touching(reals: Sequence[Real], of_trip: Mapping[int, Sequence[Copy]]) -> dict[int, set[int]]:
    """Trips of a person of which two copies, as their clocks tell them, overlap or lie within reach at both ends."""
    found: dict[int, set[int]] = defaultdict(set)
    for i, j in pairs_within([real.trip for real in reals], REACH):
        a, b = reals[i].trip, reals[j].trip
        start_s, end_s = ((y - x).total_seconds() for x, y in ((a.started_at, b.started_at), (a.ended_at, b.ended_at)))
        gap_s = (b.started_at - a.ended_at).total_seconds()
        shifts = {y.offset_s - x.offset_s for x in of_trip.get(i, ()) for y in of_trip.get(j, ())}
        if any(gap_s + s < 0 or max(abs(start_s + s), abs(end_s + s)) <= SAME_WITHIN_S for s in shifts):
            found[i].add(j)
            found[j].add(i)
    return found


class _Names:
    """Reads what a duplicate verdict names."""

    def __init__(
        self,
        fates: Mapping[int, Told],
        of_handle: Mapping[tuple[int, str], list[Copy]],
        standing: set[int],
        touching: Mapping[int, set[int]],
    ) -> None:
        self._fates, self._of_handle, self._standing, self._touching = fates, of_handle, standing, touching
        self._stood = {(c.partner, c.trip) for group in of_handle.values() for c in group if _is(fates, c, "credited")}

    def _others(self, copy: Copy) -> list[Copy]:
        """The partner's own other events under the same handle."""
        deed = self._fates[copy.number].deed
        return [c for c in self._of_handle.get((copy.partner, deed or ""), ()) if c.number != copy.number]

    def holder_tier(self, copy: Copy) -> str:
        """The tier of the record that it names, UNKNOWN when another partner's."""
        credited = [c for c in self._others(copy) if _is(self._fates, c, "credited")]
        return credited[0].tier if credited else UNKNOWN

    def right(self, copy: Copy) -> tuple[bool, bool]:
        """Whether the duplicate names a record of its own trip, and whether that is proved."""
        others = self._others(copy)
        if credited := [c for c in others if _is(self._fates, c, "credited")]:
            return any(c.trip == copy.trip for c in credited), True
        if copy.trip not in self._standing:
            return False, True
        rivals = {c.trip for c in others if c.trip in self._standing}
        if rivals:
            return copy.trip < min(rivals), False
        # The partner's own standing records of those trips carry other handles: it is not their deeds that are meant.
        unseen = [t for t in self._touching.get(copy.trip, ()) if (copy.partner, t) not in self._stood]
        return True, not unseen and not others


def _mg_per_m(
    reals: Sequence[Real], of_trip: Mapping[int, Sequence[Copy]], fates: Mapping[int, Told]
) -> dict[str, Fraction]:
    """What a metre of each type of trip earned where nothing cut it and the distance is known exactly."""
    mg: Counter[str] = Counter()
    metres: Counter[str] = Counter()
    for trip, group in of_trip.items():
        real = reals[trip].trip
        for copy in group:
            told, metre = fates[copy.number], real.facts.get("distance_m")
            if copy.own and told.verdict == "credited" and told.code == "ok" and isinstance(metre, int):
                mg[real.type] += told.reduction_mg
                metres[real.type] += metre
    return {kind: Fraction(mg[kind], metres[kind]) for kind in mg if metres[kind]}


def _worth_mg(real: Real, mg_per_m: Mapping[str, Fraction]) -> int:
    metres = real.trip.facts.get("distance_m")
    return round(metres * mg_per_m.get(real.trip.type, Fraction())) if isinstance(metres, int) else 0


def tally(judged: Iterable[Judged], key: Callable[[Judged], Key]) -> dict[Key, Tally]:
    """The outcomes counted by any property of the copies."""
    made: dict[Key, Tally] = {}
    for one in judged:
        into = made.setdefault(key(one), Tally(Counter(), Counter()))
        into.counts[one.outcome] += 1
        into.mg[one.outcome] += one.mg
        into.proved += one.outcome == FOUND and one.proved
    return made


def worst(judged: Iterable[Judged], at_least: int) -> tuple[tuple[int, str, str], Tally] | None:
    """The stratum (level, pair of tiers, duration) of the lowest recall among those with enough copies to tell."""
    strata = tally(judged, lambda one: (one.level_s, one.pair, one.band))
    told = [(key, t) for key, t in strata.items() if t.expected >= at_least]
    return min(told, key=lambda item: (item[1].recall or 0, -item[1].expected), default=None)
