"""The key of real trips, and how each of their copies is told: by whom, with which clock, distance, evidence, when."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import exp, log
from typing import Any

from mobile_mock.traffic import moving, trips
from mobile_mock.traffic.moving import Mover
from mobile_mock.traffic.trips import Trip

TIERS = ("order", "device", "screenshot", "self_declared")  # best first
FORWARDED_TIERS = TIERS[1:]  # a number is an order only when its own issuer reports it
SECONDS_APART = timedelta(seconds=60)
RESTART = timedelta(minutes=5)  # the same bike again: a gap of two minutes, and the clocks between two copies
REACH = timedelta(minutes=10)  # farther apart, no clock of this world brings two trips together


@dataclass(frozen=True, slots=True)
class Real:
    """A real trip. left_out: why the key does not hold it, '' when it does. alone: no other trip is within reach."""

    trip: Trip
    level_s: int
    left_out: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """A report of a real trip. partner: the place of its reporter; the first is the operator of the trips.

    own: the operator's own record, exact but for its clock. forwards: carries the operator's act_ref.
    datum: in which it tells coordinates, '' when it tells none.
    noise: what the distance is multiplied by. due_at: when it would have been sent; only the order counts.
    """

    trip: int
    partner: int
    number: int
    tier: str
    offset_s: int
    noise: float
    own: bool
    forwards: bool
    datum: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the copies may differ. copies: at most so many a trip. clocks: `uniform` draws each copy's offset from
    -level to level seconds, `edge` takes either end. late_days: up to so many days between end and sending."""

    copies: int
    levels_s: Sequence[int]
    noise: float
    late_days: float
    forwarded_share: float
    clocks: str


def reals(
    read: Sequence[Trip], levels_s: Sequence[int], tolerance: timedelta, rng: random.Random
) -> tuple[list[Real], Counter[str]]:
    """The trips with a level of clock jitter, and how many the key leaves out and why.

    All trips of a person have one level, or one whose clocks are right would suffer from the clocks of the next.
    """
    left_out, near = _left_out(read, tolerance), _near(read)
    levels = {person: rng.choice(levels_s) for person in dict.fromkeys(trip.partner_ref for trip in read)}
    made = [Real(trip, levels[trip.partner_ref], left_out.get(i, ""), i not in near) for i, trip in enumerate(read)]
    return made, Counter(left_out.values())


def _by_person(read: Sequence[Trip]) -> Iterator[list[int]]:
    people: dict[str, list[int]] = defaultdict(list)
    for i, trip in enumerate(read):
        people[trip.partner_ref].append(i)
    for places in people.values():
        yield sorted(places, key=lambda i: (read[i].started_at, read[i].ended_at))


def pairs_within(read: Sequence[Trip], reach: timedelta) -> Iterator[tuple[int, int]]:
    """Places of two trips of one person of which the later begins before, or within `reach` after, the other's end."""
    for places in _by_person(read):
        for n, i in enumerate(places):
            for j in places[n + 1 :]:
                if read[j].started_at - read[i].ended_at > reach:
                    break
                yield i, j


def double_kind(a: Trip, b: Trip, tolerance: timedelta) -> str:
    """Why two trips of a person may be one deed, '' when they are two. `b` does not begin before `a`."""
    if b.started_at - a.started_at <= SECONDS_APART and abs(b.ended_at - a.ended_at) <= SECONDS_APART:
        return "seconds_apart"
    if min(a.ended_at, b.ended_at) - b.started_at > tolerance:
        return "overlap"
    if a.asset_ref and a.asset_ref == b.asset_ref and b.started_at - a.ended_at <= RESTART:
        return "restart"
    return ""


def _left_out(read: Sequence[Trip], tolerance: timedelta) -> dict[int, str]:
    found: dict[int, str] = {}
    for i, j in pairs_within(read, RESTART):
        if kind := double_kind(read[i], read[j], tolerance):
            found.setdefault(i, kind)
            found.setdefault(j, kind)
    return found


def _near(read: Sequence[Trip]) -> set[int]:
    return {place for pair in pairs_within(read, REACH) for place in pair}


def copies(real: Sequence[Real], bounds: Bounds, partners: int, rng: random.Random) -> list[Copy]:
    """1 to `bounds.copies` copies a trip, each through another partner."""
    made: list[Copy] = []
    for i, one in enumerate(real):
        count = rng.randint(1, min(bounds.copies, partners))
        for partner in rng.sample(range(partners), count):
            made.append(_copy(i, one, partner, len(made), bounds, rng))
    return made


def _copy(i: int, real: Real, partner: int, number: int, bounds: Bounds, rng: random.Random) -> Copy:
    level_s = real.level_s
    offset_s = rng.choice((-level_s, level_s)) if bounds.clocks == "edge" else rng.randint(-level_s, level_s)
    noise = 1 + rng.uniform(-bounds.noise, bounds.noise)
    tier = rng.choice(FORWARDED_TIERS)
    forwards = rng.random() < bounds.forwarded_share
    datum = rng.choice(("", *moving.DATUMS))
    due_at = real.trip.ended_at + timedelta(days=rng.uniform(0, bounds.late_days))
    if partner:
        return Copy(i, partner, number, tier, offset_s, noise, False, forwards, datum, due_at)
    return Copy(i, partner, number, real.trip.evidence or "device", offset_s, 1.0, True, True, datum, due_at)


def batches(made: Sequence[Copy], partners: int, rng: random.Random) -> list[list[list[Copy]]]:
    """What each partner sends, in its order, in batches of 1 to 1,000, small ones as often as large ones."""
    sent: list[list[list[Copy]]] = []
    for partner in range(partners):
        queue = sorted((copy for copy in made if copy.partner == partner), key=lambda copy: (copy.due_at, copy.number))
        cut: list[list[Copy]] = []
        while queue:
            size = round(exp(rng.uniform(0, log(1000))))
            cut.append(queue[:size])
            queue = queue[size:]
        sent.append(cut)
    return sent


def event(
    real: Real, copy: Copy, tag: str, subject: str, source: str, region: str, movers: Mapping[str, Mover]
) -> dict[str, Any]:
    """The copy as the event that its partner sends. tag: sets the ids of one run apart from those of another."""
    trip = trips.delayed(real.trip, copy.offset_s)
    facts = dict(trip.facts)
    metres = facts.get("distance_m")
    if isinstance(metres, int) and not copy.own:
        facts["distance_m"] = max(1, round(metres * copy.noise))
    told = replace(
        trip,
        event_id=event_ref(tag, copy),
        evidence=copy.tier,
        act_ref=trip.act_ref if copy.forwards else None,
        asset_ref=trip.asset_ref if copy.forwards else None,
        facts=facts,
    )
    if copy.datum in movers:
        told = movers[copy.datum](told)
    return trips.cloud_event(told, subject, source, region)


def event_ref(tag: str, copy: Copy) -> str:
    """The id under which the copy is sent: it says nothing of the trip."""
    return f"{tag}-{copy.number}"
