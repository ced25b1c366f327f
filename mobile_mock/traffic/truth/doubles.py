"""The records that are double in the source itself, by kind. A person is an account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from mobile_mock.traffic.geo import great_circle_m
from mobile_mock.traffic.trips import Trip
from mobile_mock.traffic.truth.copies import SECONDS_APART, pairs_within

RESTART = timedelta(seconds=120)
NONE = timedelta()
NEAR_M = 100
COMPARED = (timedelta(seconds=60), timedelta(hours=3))
Found = dict[str, list[tuple[Trip, ...]]]

MEANING = {
    "later_than_an_end": "begins before an earlier trip of the same person has ended",
    "later_than_an_end_60s_3h": "the same among the trips of 60 s to 3 h",
    "same_start": "pairs of one person that begin in the same second",
    "seconds_apart": "pairs of one person whose starts and ends both differ by 60 s at most",
    "restart": "pairs of one person and one bike, the second begun within 120 s of the end of the first",
    "many_assets": "pairs of one person on different bikes at once",
    "twins": "trips of different persons, equal to the second and from and to the same place (trips are counted)",
    "side_by_side": "pairs of different persons within 60 s and 100 m at both ends: two people riding together, not "
    "doubles, but a rule could take them for such",
}
# What the facts call a count that is made in the same way, and the section of a source.
FACTS = {
    "mibici": {
        "later_than_an_end": "user_overlap_trips",
        "later_than_an_end_60s_3h": "user_overlap_trips_60s_3h",
        "same_start": "dup_user_start",
        "twins": "rows_identical_times_and_OD_other_user",
    },
    "valleybike": {"side_by_side": "group_ride_pairs"},
}
SECTIONS = {"valleybike": "valleybike_raw", "shenzhen": "shenzhen_card"}


def count(kind: str, cases: Sequence[tuple[Trip, ...]]) -> int:
    """How many there are: of twins every trip, of all else every case."""
    return sum(map(len, cases)) if kind == "twins" else len(cases)


def find(trips: Sequence[Trip]) -> Found:
    """The doubles of every kind, with the trips of each; trips of `trips` by their start."""
    ordered = sorted(trips, key=lambda trip: trip.started_at)
    found: Found = {
        "later_than_an_end": _later_than_an_end(ordered),
        "later_than_an_end_60s_3h": _later_than_an_end([t for t in ordered if _compared(t)]),
        "same_start": [],
        "seconds_apart": [],
        "restart": [],
        "many_assets": [],
    }
    for i, j in pairs_within(ordered, RESTART):
        a, b = ordered[i], ordered[j]
        for kind in _kinds(a, b):
            found[kind].append((a, b))
    return found | _of_different_persons(ordered)


def _compared(trip: Trip) -> bool:
    return COMPARED[0] <= trip.ended_at - trip.started_at <= COMPARED[1]


def _later_than_an_end(ordered: Sequence[Trip]) -> list[tuple[Trip, ...]]:
    last: dict[str, Trip] = {}
    found: list[tuple[Trip, ...]] = []
    for trip in ordered:
        before = last.get(trip.partner_ref)
        if before and trip.started_at < before.ended_at:
            found.append((before, trip))
        if not before or trip.ended_at > before.ended_at:
            last[trip.partner_ref] = trip
    return found


def _kinds(a: Trip, b: Trip) -> list[str]:
    kinds = []
    if a.started_at == b.started_at:
        kinds.append("same_start")
    if b.started_at - a.started_at <= SECONDS_APART and abs(b.ended_at - a.ended_at) <= SECONDS_APART:
        kinds.append("seconds_apart")
    if a.asset_ref and b.asset_ref:
        gap = b.started_at - a.ended_at
        if a.asset_ref == b.asset_ref and gap >= NONE:
            kinds.append("restart")
        elif a.asset_ref != b.asset_ref and gap < NONE:
            kinds.append("many_assets")
    return kinds


def _of_different_persons(ordered: Sequence[Trip]) -> Found:
    alike: dict[tuple[object, ...], list[Trip]] = defaultdict(list)
    for trip in ordered:
        alike[trip.started_at, trip.ended_at, trip.origin, trip.destination].append(trip)
    groups = [tuple(group) for group in alike.values() if len({t.partner_ref for t in group}) > 1]
    return {"twins": groups, "side_by_side": _side_by_side(ordered)}


def _side_by_side(ordered: Sequence[Trip]) -> list[tuple[Trip, ...]]:
    found: list[tuple[Trip, ...]] = []
    for i, a in enumerate(ordered):
        for b in ordered[i + 1 :]:
            if b.started_at - a.started_at > SECONDS_APART:
                break
            if a.partner_ref != b.partner_ref and abs(b.ended_at - a.ended_at) <= SECONDS_APART and _same_way(a, b):
                found.append((a, b))
    return found


def _same_way(a: Trip, b: Trip) -> bool:
    ends = ((a.origin, b.origin), (a.destination, b.destination))
    return all(p and q and great_circle_m(*p, *q) <= NEAR_M for p, q in ends)
