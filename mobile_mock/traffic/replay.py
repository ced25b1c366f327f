"""Trips sent as signed batches, a bounded number in flight, and the totals of what the platform said."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import tzinfo
from itertools import islice
from pathlib import Path
from typing import Any

from mobile_mock.traffic import client, files, trips
from mobile_mock.traffic.moving import Mover
from mobile_mock.traffic.trips import Reading, Trip

Event = dict[str, Any]


@dataclass(slots=True)
class Totals:
    """What was sent and what was said about it. Amounts are integers; `repeated` verdicts carry none."""

    sent: int = 0
    batches: int = 0
    undelivered: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    originals: Counter[str] = field(default_factory=Counter)
    reduction_mg: int = 0
    points: int = 0
    credited_distance_m: int = 0
    problem: str = ""

    def report(self) -> dict[str, Any]:
        """The fields by name; counters as plain dicts."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: dict(value) if isinstance(value, Counter) else value for name, value in values}

    def add(self, batch: Sequence[Event], said: Sequence[client.Verdict]) -> None:
        for event, verdict in zip(batch, said, strict=True):
            self.sent += 1
            self.verdicts[verdict.verdict] += 1
            self.codes[verdict.code] += 1
            if verdict.original:
                self.originals[verdict.original.verdict] += 1
            self.reduction_mg += verdict.reduction_mg or 0
            self.points += verdict.points or 0
            distance_m = event["data"].get("distance_m")
            if verdict.verdict == "credited" and isinstance(distance_m, int):
                self.credited_distance_m += distance_m


@dataclass(frozen=True, slots=True)
class Placing:
    """Where, when and by whom the trips are said to have been made.

    region: '' leaves the region to the row. days: None keeps the source's own times. reissue: another issuer's refs.
    mover: gives the coordinates to send; None sends none.
    """

    region: str
    zone: tzinfo | None
    days: int | None
    delay_s: int
    issuer: str
    reissue: bool
    mover: Mover | None = None


def events(read: Iterable[Trip], subjects: dict[str, str], placing: Placing, reading: Reading) -> Iterator[Event]:
    """The trips as events; those of people without a subject are counted (`no_subject`) and not sent."""
    source = f"urn:partner:{placing.issuer}"
    for trip in read:
        subject = trip.subject or subjects.get(trip.partner_ref)
        if not subject:
            reading.skipped["no_subject"] += 1
            continue
        if placing.days is not None:
            trip = trips.shifted(trip, placing.zone, placing.days)
        if placing.delay_s:
            trip = trips.delayed(trip, placing.delay_s)
        if placing.reissue:
            trip = trips.reissued(trip, placing.issuer)
        if placing.mover:
            trip = placing.mover(trip)
        yield trips.cloud_event(trip, subject, source, placing.region)


def send(to_send: Iterable[Event], platform: client.Platform, batch: int, concurrency: int) -> Totals:
    """Send all events, `concurrency` batches at a time, answers counted in order.

    Stops at the first batch that cannot be delivered: `problem` says why, `undelivered` counts the events that were
    read and not answered. The same command run again is harmless.
    """
    totals = Totals()
    pending = iter(to_send)
    in_flight: deque[tuple[list[Event], Future[bytes]]] = deque()
    with ThreadPoolExecutor(concurrency) as pool:
        while True:
            while len(in_flight) <= concurrency and not totals.problem and (chunk := list(islice(pending, batch))):
                in_flight.append((chunk, pool.submit(platform.send, chunk)))
            if not in_flight:
                return totals
            chunk, answer = in_flight.popleft()
            if totals.problem and answer.cancel():
                totals.undelivered += len(chunk)
                continue
            try:
                totals.add(chunk, client.verdicts(answer.result(), len(chunk)))
                totals.batches += 1
            except client.Undelivered as fault:
                totals.problem = totals.problem or str(fault)
                totals.undelivered += len(chunk)


def subjects_in(path: Path) -> dict[str, str]:
    """partner_ref -> subject from what `tanpuhui people add` printed. Raises InputError without those columns."""
    return dict(files.table(path, ("partner_ref", "subject")))
