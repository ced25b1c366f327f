"""What connectors read and what is sent: a trip, moving it in time, giving it another reporter, its CloudEvent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

CHINA = timezone(timedelta(hours=8))
Facts = dict[str, int | float | str]
Point = tuple[float, float]  # latitude, longitude


class InputError(Exception):
    """Something the caller gave cannot be used; the message says what to do. Exit code 2."""


@dataclass(slots=True)
class Trip:
    """One deed as its source tells it. Refs are 'issuer:number'; instants are aware, with their own fixed offset.

    partner_ref: the source's own name of the user, '' when the source already gives the platform's `subject`.
    facts: distance_m and the like; a fact that the source does not know is absent, never zero.
    origin, destination: WGS-84 as read. They are sent only with a `datum`, and then are in it.
    """

    event_id: str
    partner_ref: str
    type: str
    started_at: datetime
    ended_at: datetime
    evidence: str | None
    act_ref: str | None = None
    asset_ref: str | None = None
    facts: Facts = field(default_factory=dict)
    subject: str = ""
    region: str = ""
    origin: Point | None = None
    destination: Point | None = None
    datum: str = ""


@dataclass(slots=True)
class Reading:
    """What a connector met on the way: counts of rows, of what it skipped and why, and what it found out."""

    files: int = 0
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    source: Counter[str] = field(default_factory=Counter)
    metres: dict[str, float] = field(default_factory=dict)
    on_bytes: Callable[[int], None] = lambda _: None
    on_problem: Callable[[str], None] = lambda _: None

    def add_metres(self, name: str, metres: float) -> None:
        self.metres[name] = self.metres.get(name, 0.0) + metres

    def source_report(self) -> dict[str, int | float]:
        """Counts, and lengths in kilometres to the metre."""
        return {
            **self.source,
            **{name.removesuffix("_m") + "_km": round(m / 1000, 3) for name, m in self.metres.items()},
        }


def local_start(trip: Trip, zone: tzinfo | None) -> datetime:
    """The wall clock at the start, in `zone` or, without one, as the source wrote it."""
    started_at = trip.started_at.astimezone(zone) if zone else trip.started_at
    return started_at.replace(tzinfo=None)


def first_and_last_date(trips: Iterable[Trip], zone: tzinfo | None) -> tuple[date, date] | None:
    """The earliest and the latest local date on which one of the trips begins, None without trips."""
    starts = (local_start(trip, zone) for trip in trips)
    first = last = next(starts, None)
    for start in starts:
        first, last = min(first or start, start), max(last or start, start)
    return (first.date(), last.date()) if first and last else None


def shifted(trip: Trip, zone: tzinfo | None, days: int) -> Trip:
    """The trip moved by whole days into China's civil time (+08:00): wall clock at the start and duration are kept."""
    started_at = (local_start(trip, zone) + timedelta(days=days)).replace(tzinfo=CHINA)
    return replace(trip, started_at=started_at, ended_at=started_at + (trip.ended_at - trip.started_at))


def delayed(trip: Trip, seconds: int) -> Trip:
    """The trip as a reporter with a slow clock tells it: both ends `seconds` later."""
    delay = timedelta(seconds=seconds)
    return replace(trip, started_at=trip.started_at + delay, ended_at=trip.ended_at + delay)


def reissued(trip: Trip, issuer: str) -> Trip:
    """The trip as another reporter names it: event id and act_ref under that issuer's prefix."""
    act_ref = trip.act_ref and _under(issuer, trip.act_ref)
    return replace(trip, event_id=_under(issuer, trip.event_id), act_ref=act_ref)


def _under(issuer: str, ref: str) -> str:
    return f"{issuer}:{ref.partition(':')[2] or ref}"


def cloud_event(trip: Trip, subject: str, source: str, region: str) -> dict[str, Any]:
    """The trip in a CloudEvents 1.0 envelope; what the source does not know is left out."""
    ended_at = trip.ended_at.isoformat()
    data: dict[str, Any] = {"started_at": trip.started_at.isoformat(), "ended_at": ended_at}
    stated = {
        "region": region or trip.region,
        "evidence": trip.evidence,
        "act_ref": trip.act_ref,
        "asset_ref": trip.asset_ref,
    }
    data.update((name, value) for name, value in stated.items() if value)
    data.update(trip.facts)
    if trip.datum:
        ends = {"origin": trip.origin, "destination": trip.destination}
        data.update((name, {"lat": point[0], "lon": point[1]}) for name, point in ends.items() if point)
        data["datum"] = trip.datum
    return {
        "specversion": "1.0",
        "id": trip.event_id,
        "source": source,
        "type": trip.type,
        "subject": subject,
        "time": ended_at,
        "data": data,
    }
