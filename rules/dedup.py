"""One deed, one credit: which record of a deed stands, and for how much.

`settle` is the one function that says so. It is pure and takes records, not history: ingest, correction, withdrawal,
merge and appeal call it with a person's records of one exclusion class and post the difference to what the books say
now. Because it never sees the order of arrival, the order of arrival changes nothing.

The rules, in the order in which a record meets them (a record met by none stands):

1. same_act     the same order, gate or weighing number as a better record.
2. same_record  start and end both within the class's clock jitter of a better record, whatever that one's fate.
3. (its own)    a record refused for itself (no distance, too fast, ...) takes no place in anybody's time.
4. overlap      more than the class's tolerance of overlap with a deed that stands.

"Better" is `precedence`: deeds fixed in a closed pool first, then the evidence tier, then the earlier start, then
client and event reference.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from rules.model import CREDITED, DUPLICATE_OF, REFUSED, ExclusionClass

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """What one event says of a deed, as far as settling needs it. Instants are microseconds since 1970 (UTC).

    refusal: the code that this record earns for itself, '' when it is plausible.
    day: the civil day of the start in the deed's region; caps and point rounding are per person, class and day.
    measured_mg, points_micro: what it is worth before the day's cap. cap_mg: that cap, per pack and day; None: no cap.
    fixed_mg, fixed_points: set when a closed pool holds the deed that this record made; nothing changes them.
    """

    event_id: int
    tier: int
    client_id: str
    event_ref: str
    started_us: int
    ended_us: int
    day: date
    pack: str
    act: tuple[str, bytes] | None = None
    same_facts: tuple[str | int, ...] = ()
    refusal: str = ""
    measured_mg: int = 0
    points_micro: int = 0
    cap_mg: int | None = None
    fixed_mg: int | None = None
    fixed_points: int = 0

    @property
    def precedence(self) -> tuple[bool, int, int, str, str]:
        return (self.fixed_mg is None, self.tier, self.started_us, self.client_id, self.event_ref)

    @property
    def by_time(self) -> tuple[bool, int, str, str]:
        return (self.fixed_mg is None, self.started_us, self.client_id, self.event_ref)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one record. `stands`: the event id of the record that stands for the deed, None when refused."""

    verdict: str
    code: str
    stands: int | None
    reduction_mg: int = 0
    points: int = 0


@dataclass(slots=True)
class _Group:
    """A record that leads, and the others that tell of the same record of the same act."""

    leader: Record
    acts: set[tuple[str, bytes]] = field(default_factory=set)
    members: list[tuple[Record, str]] = field(default_factory=list)


def settle(records: Iterable[Record], klass: ExclusionClass) -> dict[int, Outcome]:
    """Say what becomes of each record of one person and class: event id -> Outcome.

    The records must be closed under `related`: whoever overlaps or repeats a given record is given too. Amounts are
    right for the days of which all records are given.
    """
    groups = _group(sorted(records, key=lambda r: r.precedence), klass)
    standing: dict[int, Record] = {}
    outcomes: dict[int, Outcome] = {}
    timeline = _Timeline(klass)
    for group in groups:
        leader = group.leader
        if leader.refusal:
            fate = Outcome(REFUSED, leader.refusal, None)
            member_fates = [fate] * len(group.members)
        elif (other := timeline.met_by(leader)) is not None:
            fate = Outcome(DUPLICATE_OF, "overlap", other.event_id)
            member_fates = [Outcome(DUPLICATE_OF, rule, other.event_id) for _, rule in group.members]
        else:
            timeline.add(leader)
            standing[leader.event_id] = leader
            fate = Outcome(CREDITED, "ok", leader.event_id)
            member_fates = [Outcome(DUPLICATE_OF, rule, leader.event_id) for _, rule in group.members]
        outcomes[leader.event_id] = fate
        outcomes.update((m.event_id, f) for (m, _), f in zip(group.members, member_fates, strict=True))
    outcomes.update(_amounts(standing.values()))
    return outcomes


def _group(ordered: Sequence[Record], klass: ExclusionClass) -> list[_Group]:
    """Gather the records of one act behind the best of them. `ordered` is by precedence."""
    groups: list[_Group] = []
    by_act: dict[tuple[str, bytes], _Group] = {}
    placed: list[tuple[int, int, Record, _Group]] = []  # by start
    for place, record in enumerate(ordered):
        group = by_act.get(record.act) if record.act else None
        rule = "same_act"
        if group is None:
            group, rule = _nearest(record, placed, klass), "same_record"
        if group is None:
            group = _Group(record)
            groups.append(group)
        else:
            group.members.append((record, rule))
        insort(placed, (record.started_us, place, record, group))
        if record.act:
            by_act.setdefault(record.act, group)
            group.acts.add(record.act)
    return groups


def _nearest(record: Record, placed: list[tuple[int, int, Record, _Group]], klass: ExclusionClass) -> _Group | None:
    """The group that holds the same record as this one, None if there is none.

    A clock that is off moves both ends alike, so among several the one of the most equal duration is taken.
    """
    jitter_us = klass.jitter_s * MICRO
    best: tuple[tuple[int, int, int], _Group] | None = None
    i = bisect_left(placed, (record.started_us - jitter_us, -1))
    while i < len(placed) and placed[i][0] <= record.started_us + jitter_us:
        _, place, other, group = placed[i]
        if same_record(record, other, klass) and not _distinct(record, group, klass):
            start_off, end_off = record.started_us - other.started_us, record.ended_us - other.ended_us
            rank = (abs(start_off - end_off), abs(start_off) + abs(end_off), place)
            if best is None or rank < best[0]:
                best = (rank, group)
        i += 1
    return best[1] if best else None


def same_record(a: Record, b: Record, klass: ExclusionClass) -> bool:
    """True when the clocks cannot tell two records apart and the facts that must agree do agree."""
    jitter_us = klass.jitter_s * MICRO
    return (
        abs(a.started_us - b.started_us) <= jitter_us
        and abs(a.ended_us - b.ended_us) <= jitter_us
        and a.same_facts == b.same_facts
    )


def overlap(a: Record, b: Record, klass: ExclusionClass) -> bool:
    """True when two plausible deeds share more of a person's time than the class tolerates."""
    if klass.overlap_tolerance_s is None:
        return False
    shared_us = min(a.ended_us, b.ended_us) - max(a.started_us, b.started_us)
    return shared_us > klass.overlap_tolerance_s * MICRO


def related(a: Record, b: Record, klass: ExclusionClass) -> bool:
    """True when the fate of one record may depend on the other."""
    if a.act is not None and a.act == b.act:
        return True
    return same_record(a, b, klass) or (not a.refusal and not b.refusal and overlap(a, b, klass))


def _distinct(record: Record, group: _Group, klass: ExclusionClass) -> bool:
    """True when the same issuer gave this record and the group different numbers, where that proves two deeds."""
    if not klass.distinct_act_refs or record.act is None:
        return False
    return any(issuer == record.act[0] and digest != record.act[1] for issuer, digest in group.acts)


class _Timeline:
    """The deeds that stand, in time. They never overlap by more than the tolerance, so few can meet a new one."""

    def __init__(self, klass: ExclusionClass) -> None:
        self._klass = klass
        self._standing: list[tuple[int, int, Record]] = []

    def met_by(self, record: Record) -> Record | None:
        """The first standing deed that the record overlaps."""
        if self._klass.overlap_tolerance_s is None:
            return None
        met: Record | None = None
        i = bisect_left(self._standing, (record.ended_us,)) - 1
        while i >= 0:
            other = self._standing[i][2]
            if overlap(record, other, self._klass):
                met = other
            elif other.ended_us <= record.started_us:
                break
            i -= 1
        return met

    def add(self, record: Record) -> None:
        insort(self._standing, (record.started_us, record.event_id, record))


def _amounts(standing: Iterable[Record]) -> dict[int, Outcome]:
    """Cut each deed to its pack's cap of the day, and round points down once a day; fixed deeds come first."""
    outcomes: dict[int, Outcome] = {}
    days: dict[date, list[Record]] = defaultdict(list)
    for record in standing:
        days[record.day].append(record)
    for records in days.values():
        left_mg: dict[str, int] = {}
        micro = 0
        for r in sorted(records, key=lambda r: r.by_time):
            if r.fixed_mg is not None:
                left_mg[r.pack] = left_mg.get(r.pack, r.cap_mg or 0) - max(r.fixed_mg, 0)
                outcomes[r.event_id] = Outcome(CREDITED, "ok", r.event_id, r.fixed_mg, r.fixed_points)
                continue
            reduction_mg = r.measured_mg
            if r.cap_mg is not None:
                reduction_mg = min(reduction_mg, max(left_mg.get(r.pack, r.cap_mg), 0))
                left_mg[r.pack] = left_mg.get(r.pack, r.cap_mg) - max(reduction_mg, 0)
            before = micro // MICRO
            micro += _points_micro(r, reduction_mg)
            code = "no_reduction" if r.measured_mg <= 0 else "capped" if reduction_mg < r.measured_mg else "ok"
            outcomes[r.event_id] = Outcome(CREDITED, code, r.event_id, reduction_mg, micro // MICRO - before)
    return outcomes


def _points_micro(record: Record, reduction_mg: int) -> int:
    """Points of a deed in millionths: none for no reduction, cut in the proportion in which a cap cut the deed."""
    if record.measured_mg <= 0:
        return 0
    return record.points_micro * reduction_mg // record.measured_mg


def closure(seeds: Sequence[Record], others: Iterable[Record], klass: ExclusionClass) -> list[Record]:
    """The records among `others` on which the fate of the seeds depends, with the seeds: the connected group."""
    group, pending = list(seeds), list(others)
    frontier = list(seeds)
    while frontier:
        found = [r for r in pending if any(related(r, f, klass) for f in frontier)]
        taken = {r.event_id for r in found}
        pending = [r for r in pending if r.event_id not in taken]
        group += found
        frontier = found
    return group
