"""Send the copies, one pool of threads a partner, and read what holds in the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec

from mobile_mock.traffic import client
from mobile_mock.traffic.moving import Mover
from mobile_mock.traffic.truth import copies
from mobile_mock.traffic.truth.copies import Copy, Real

Fates = dict[int, "Told"]  # number of the copy -> what was said of it


class Told(msgspec.Struct, frozen=True):
    """What a verdict says, as far as the score needs it. `original`: the first verdict of a repeated event."""

    verdict: str
    code: str
    deed: str | None = None
    reduction_mg: int = 0
    original: Told | None = None


class _Answer(msgspec.Struct):
    verdicts: list[Told]


@dataclass(frozen=True, slots=True)
class Sender:
    """A partner as the platform knows it, and the subjects of its people."""

    client_id: str
    platform: client.Platform
    subjects: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """One delivery: what is true, who sends, under which ids and where."""

    reals: Sequence[Real]
    senders: Sequence[Sender]
    tag: str
    region: str
    movers: Mapping[str, Mover]  # datum -> what gives a copy its coordinates; those without one are told none
    threads: int  # a partner


def send(run: Run, batches: Sequence[Sequence[Sequence[Copy]]], on_sent: Callable[[int], None]) -> Fates:
    """Send each partner's batches and give the first verdict of each copy. Raises client.Undelivered."""
    first: Fates = {}
    with ExitStack() as pools:
        waiting: dict[Future[list[Told]], Sequence[Copy]] = {}
        for sender, queue in zip(run.senders, batches, strict=True):
            pool = pools.enter_context(ThreadPoolExecutor(run.threads))
            waiting |= {pool.submit(_send_batch, run, sender, batch): batch for batch in queue}
        for done in as_completed(waiting):
            _cancel_on_fault(done, waiting)
            batch = waiting[done]
            first |= {copy.number: told for copy, told in zip(batch, done.result(), strict=True)}
            on_sent(len(batch))
    return first


def _send_batch(run: Run, sender: Sender, batch: Sequence[Copy]) -> list[Told]:
    source = f"urn:partner:{sender.client_id}"
    events = []
    for copy in batch:
        real = run.reals[copy.trip]
        subject, region = sender.subjects[real.trip.partner_ref], run.region or real.trip.region
        events.append(copies.event(real, copy, run.tag, subject, source, region, run.movers))
    answer = sender.platform.send(events)
    client.verdicts(answer, len(batch))
    return [told.original or told for told in msgspec.json.decode(answer, type=_Answer).verdicts]


def _cancel_on_fault(done: Future[list[Told]], waiting: Iterable[Future[list[Told]]]) -> None:
    if done.exception():
        for other in waiting:
            other.cancel()


def unsettled(reals: Sequence[Real], made: Iterable[Copy], first: Fates) -> list[Copy]:
    """The copies whose first verdict may have changed since.

    It cannot where a lone trip has one copy, or where none of a lone trip's copies was anything but refused.
    """
    of_trip: dict[int, list[Copy]] = defaultdict(list)
    for copy in made:
        of_trip[copy.trip].append(copy)
    return [
        copy
        for trip, group in of_trip.items()
        if not reals[trip].alone or (len(group) > 1 and any(first[c.number].verdict != "refused" for c in group))
        for copy in group
    ]


def read_final(run: Run, asked: Sequence[Copy], on_read: Callable[[int], None]) -> Fates:
    """The verdicts that hold now, asked for one by one. Raises client.Undelivered."""

    def read(copy: Copy) -> Told:
        answer = run.senders[copy.partner].platform.verdict(copies.event_ref(run.tag, copy))
        on_read(1)
        return msgspec.json.decode(answer, type=Told)

    with ThreadPoolExecutor(run.threads * len(run.senders)) as pool:
        try:
            return {copy.number: told for copy, told in zip(asked, pool.map(read, asked), strict=True)}
        except client.Undelivered:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
