"""Settle new records among a person's other deeds, and find the difference to what the books say.

The neighbourhood of a record is its civil day (caps and point rounding) and whatever overlaps or repeats a record of
that day; it is read in one statement for the whole batch and widened only where a chain of deeds leaves the window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from functools import cache

from backend.store import db, events
from backend.store.events import Known
from backend.usecases.judge_events import Judged, micros
from rules import dedup
from rules.dedup import MICRO, Outcome, Record
from rules.model import CREDITED, IN_REVIEW, ExclusionClass
from rules.standard import Standard

Key = tuple[int, str]  # person, exclusion class
Window = tuple[int, int]  # microseconds since 1970, half open


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an event, and the deed it tells of."""

    outcome: Outcome
    deed_id: int | None


@dataclass(frozen=True, slots=True)
class DeedChange:
    """A new version of a deed: who holds it now and for how much, and the difference to post."""

    deed_id: int
    holder: int  # event id
    is_new: bool
    stands: bool
    reduction_mg: int
    points: int
    reduction_diff_mg: int
    points_diff: int


@dataclass(slots=True)
class Settlement:
    """The fates of the new events, the changed fates of known ones, and the deeds to write."""

    fates: dict[int, Fate] = field(default_factory=dict)
    changed: dict[int, Fate] = field(default_factory=dict)
    deeds: list[DeedChange] = field(default_factory=list)
    known: dict[int, Known] = field(default_factory=dict)
    act_claims: list[Judged] = field(default_factory=list)


def settle_deeds(conn: db.Connection, standard: Standard, judged: Sequence[Judged]) -> Settlement:
    """Settle judged events that carry a record. Persons must be locked. Reads only; the caller writes."""
    result = Settlement()
    fresh, instants = _meet_act_claims(conn, judged, result)
    classes = {j.klass.code: j.klass for j in judged if j.klass}
    known = _neighbourhoods(conn, standard, classes, fresh, instants)
    for key, newcomers in fresh.items():
        _settle_one(newcomers, known[key], classes[key[1]], result)
    return result


def _meet_act_claims(
    conn: db.Connection, judged: Sequence[Judged], result: Settlement
) -> tuple[dict[Key, list[Judged]], dict[Key, list[datetime]]]:
    """Split off the events whose act_ref names another person's deed; where a claimed act was, for the others."""
    acts = sorted({j.record.act for j in judged if j.record and j.record.act})
    claims = events.find_act_claims(conn, acts)
    fresh: dict[Key, list[Judged]] = defaultdict(list)
    instants: dict[Key, list[datetime]] = defaultdict(list)
    for j in judged:
        if j.record is None or j.person_id is None or j.klass is None:
            continue
        key = (j.person_id, j.klass.code)
        if j.record.act:
            if j.record.act not in claims:
                claims[j.record.act] = events.ActClaim(*key, j.event_id, j.message.started_at)
                result.act_claims.append(j)
            claim = claims[j.record.act]
            if (claim.person_id, claim.klass) != key:
                result.fates[j.event_id] = Fate(Outcome(IN_REVIEW, "act_ref_conflict", None), None)
                continue
            instants[key].append(claim.started_at)
        fresh[key].append(j)
    return fresh, instants


def _neighbourhoods(
    conn: db.Connection, standard: Standard, classes: Mapping[str, ExclusionClass],
    fresh: Mapping[Key, list[Judged]], instants: Mapping[Key, list[datetime]],
) -> dict[Key, list[Known]]:  # fmt: skip
    """The known records around the new ones, by person and class, closed as `dedup.settle` wants them."""
    reach_us = {code: (standard.max_duration_s(code) + k.jitter_s) * MICRO for code, k in classes.items()}
    windows: dict[Key, Window] = {}
    for key, newcomers in fresh.items():
        hull = _hull(_days(newcomers), reach_us[key[1]])
        at = [micros(i) for i in instants[key]]
        windows[key] = (min([hull[0], *at]), max([hull[1], *(i + 1 for i in at)]))
    known = events.find_neighbours(conn, standard, windows)
    while wider := {
        key: window
        for key in fresh
        if (window := _needed(fresh[key], known[key], classes[key[1]], reach_us[key[1]], windows[key])) != windows[key]
    }:
        windows |= wider
        known |= events.find_neighbours(conn, standard, wider)
    return known


def _needed(
    fresh: Sequence[Judged], known: Sequence[Known], klass: ExclusionClass, reach_us: int, window: Window
) -> Window:
    """The window that holds every record on which a fate or an amount can depend, as far as is known yet."""
    if not known:
        return window
    zones = {k.record.event_id: k.timezone for k in known} | {j.event_id: _zone(j) for j in fresh}
    others = [k.record for k in known]
    group = dedup.closure(_records(fresh), others, klass)
    days = {(r.day, zones[r.event_id]) for r in group}
    first_us, last_us = _hull(days, reach_us)
    dates = {day for day, _ in days}
    mates = [r for r in others if r.day in dates]
    for r in dedup.closure(mates, others, klass):
        first_us, last_us = min(first_us, r.started_us - reach_us), max(last_us, r.ended_us + reach_us)
    return (min(window[0], first_us), max(window[1], last_us))


def _settle_one(newcomers: Sequence[Judged], known: Sequence[Known], klass: ExclusionClass, result: Settlement) -> None:
    """Settle one person's records of one class and note what is new and what has changed."""
    fresh = _records(newcomers)
    others = [k.record for k in known]
    outcomes = dedup.settle([*others, *fresh], klass)
    touched = {r.day for r in dedup.closure(fresh, others, klass)}
    by_id = {k.record.event_id: k for k in known}
    affected = [r.event_id for r in (*others, *fresh) if r.day in touched]
    deed_of, superseded = _name_deeds(affected, outcomes, by_id)
    for event_id in affected:
        outcome = outcomes[event_id]
        fate = Fate(outcome, _deed_of(outcome, deed_of, by_id))
        before = by_id.get(event_id)
        if before is None:
            result.fates[event_id] = fate
        elif before.fate != (
            outcome.verdict,
            outcome.code,
            outcome.stands,
            fate.deed_id,
            outcome.reduction_mg,
            outcome.points,
        ):
            result.changed[event_id] = fate
            result.known[event_id] = before
    holders = {deed: known_one for known_one in known if known_one.verdict == CREDITED and (deed := known_one.deed_id)}
    for event_id, deed_id in deed_of.items():
        _note_deed(deed_id, event_id, outcomes[event_id], holders.get(deed_id), result)
    for deed_id in superseded:
        holder = holders[deed_id]
        result.known[holder.record.event_id] = holder
        result.deeds.append(
            DeedChange(deed_id, holder.record.event_id, False, False, 0, 0, -holder.reduction_mg, -holder.points)
        )


def _name_deeds(
    affected: Iterable[int], outcomes: Mapping[int, Outcome], by_id: Mapping[int, Known]
) -> tuple[dict[int, int], list[int]]:
    """Which deed each standing event holds: its own, else one it takes over, else a new one named after it.

    Also the deeds that nobody holds any longer.
    """
    affected = list(affected)
    standing = [e for e in affected if outcomes[e].verdict == CREDITED]
    deed_of: dict[int, int] = {}
    free: dict[int, list[int]] = defaultdict(list)  # standing event -> deeds of the events it displaces
    for event_id in affected:
        before, after = by_id.get(event_id), outcomes[event_id]
        if before is None or before.verdict != CREDITED or before.deed_id is None:
            continue
        if after.verdict == CREDITED:
            deed_of[event_id] = before.deed_id
        else:
            free[after.stands or 0].append(before.deed_id)
    for event_id in standing:
        if event_id not in deed_of:
            taken = sorted(free.get(event_id, ()))
            deed_of[event_id] = taken[0] if taken else event_id
    held = set(deed_of.values())
    return deed_of, sorted(d for deeds in free.values() for d in deeds if d not in held)


def _deed_of(outcome: Outcome, deed_of: Mapping[int, int], by_id: Mapping[int, Known]) -> int | None:
    if outcome.stands is None:
        return None
    return deed_of[outcome.stands] if outcome.stands in deed_of else by_id[outcome.stands].deed_id


def _note_deed(deed_id: int, event_id: int, now: Outcome, holder: Known | None, result: Settlement) -> None:
    before_mg, before_points = (holder.reduction_mg, holder.points) if holder else (0, 0)
    if holder and holder.record.event_id == event_id and (before_mg, before_points) == (now.reduction_mg, now.points):
        return
    result.deeds.append(
        DeedChange(
            deed_id, event_id, holder is None, True, now.reduction_mg, now.points,
            now.reduction_mg - before_mg, now.points - before_points,
        )
    )  # fmt: skip


def _records(judged: Iterable[Judged]) -> list[Record]:
    return [j.record for j in judged if j.record]


def _zone(judged: Judged) -> tzinfo:
    assert judged.region is not None
    return judged.region.timezone


def _days(judged: Iterable[Judged]) -> set[tuple[date, tzinfo]]:
    return {(j.record.day, _zone(j)) for j in judged if j.record}


def _hull(days: Iterable[tuple[date, tzinfo]], reach_us: int) -> Window:
    bounds = [_day_bounds(day, zone) for day, zone in days]
    return (min(b[0] for b in bounds) - reach_us, max(b[1] for b in bounds) + reach_us)


@cache
def _day_bounds(day: date, zone: tzinfo) -> Window:
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + timedelta(days=1)
    return (micros(start), micros(datetime(following.year, following.month, following.day, tzinfo=zone)))
