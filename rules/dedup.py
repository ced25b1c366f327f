"""One deed, one credit: which record of a deed stands, and for how much.

`settle` is the one function that says so. It is pure and takes records, not history: ingest, correction, withdrawal,
merge and appeal call it with a person's records of one exclusion class and post the difference to what the books say
now. Because it never sees the order of arrival, the order of arrival changes nothing.

The rules, in the order in which a record meets them (a record met by none stands):

1. same_act     the same order, gate or weighing number as a better record.
2. same_record  start and end both within the class's clock jitter of a better record, or shifted alike by a clock that
                is off, whatever that one's fate.
3. (its own)    a record refused for itself (no distance, too fast, ...) takes no place in anybody's time.
4. overlap      more overlap with a deed that stands than clocks that are off can make of two deeds in a row.

Deeds that stand and take up the same asset again within the class's gap go on with one deed (`continues`). Totals of a
day take no place in time; they count for what the deeds inside the day leave of them (`rest_of_day`).

"Better" is `precedence`: deeds fixed in a closed pool first, then what another mechanism has claimed (so that every
copy of it shares its refusal), then the evidence tier, then the earlier start, then client and event reference.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from rules.model import CLAIMED_ELSEWHERE, CREDITED, DUPLICATE_OF, REFUSED, ExclusionClass

MICRO = 1_000_000
Act = tuple[str, bytes]  # issuer, digest of its number


@dataclass(frozen=True, slots=True)
class Record:
    """What one event says of a deed, as far as settling needs it. Instants are microseconds since 1970 (UTC).

    refusal: the code that this record earns for itself, '' when it is plausible.
    day: the civil day of the start in the deed's region; caps and point rounding are per person, class and day.
    measured_mg, points_micro: what it is worth before the day's caps. cap_mg, cap_points: those, per pack and day;
    None: no cap.
    fixed_mg, fixed_points, fixed_deed: set when a closed pool holds the deed of this record; nothing changes them.
    acts: its own number (first) and those of earlier weighings of the same load. asset: the bike, the car.
    root_id: the event as first sent, the same over corrections; apart: roots that a ruling says are other deeds.
    """

    event_id: int
    tier: int
    client_id: str
    event_ref: str
    started_us: int
    ended_us: int
    day: date
    pack: str
    acts: tuple[Act, ...] = ()
    same_facts: tuple[str | int, ...] = ()
    refusal: str = ""
    measured_mg: int = 0
    points_micro: int = 0
    cap_mg: int | None = None
    cap_points: int | None = None
    fixed_mg: int | None = None
    fixed_points: int = 0
    fixed_deed: int = 0
    asset: bytes | None = None
    aggregate: bool = False
    root_id: int = 0
    apart: frozenset[int] = frozenset()

    @property
    def claimed(self) -> bool:
        return self.refusal == CLAIMED_ELSEWHERE

    @property
    def numbers(self) -> tuple[Act, ...]:
        """The numbers that it may claim a deed by: none, when it is refused for itself, and not for its deed."""
        return () if self.refusal and not self.claimed else self.acts

    @property
    def precedence(self) -> tuple[bool, bool, int, int, str, str]:
        return (self.fixed_mg is None, not self.claimed, self.tier, self.started_us, self.client_id, self.event_ref)

    @property
    def by_time(self) -> tuple[bool, int, str, str]:
        return (self.fixed_mg is None, self.started_us, self.client_id, self.event_ref)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one record. `stands`: the event id of the record that leads the deed, None when refused."""

    verdict: str
    code: str
    stands: int | None
    reduction_mg: int = 0
    points: int = 0


@dataclass(slots=True)
class _Group:
    """A record that leads, and the others that tell of the same record of the same act."""

    leader: Record
    acts: set[Act] = field(default_factory=set)
    members: list[tuple[Record, str]] = field(default_factory=list)
    roots: set[int] = field(default_factory=set)
    apart_roots: set[int] = field(default_factory=set)

    def take(self, record: Record) -> None:
        self.acts.update(record.numbers)
        self.roots.add(record.root_id)
        self.apart_roots |= record.apart

    def apart(self, record: Record) -> bool:
        """True when a ruling says that the record tells of another deed than somebody in the group."""
        return record.root_id in self.apart_roots or not record.apart.isdisjoint(self.roots)


def settle(records: Iterable[Record], klass: ExclusionClass) -> dict[int, Outcome]:
    """Say what becomes of each record of one person and class: event id -> Outcome.

    The records must be closed under `related`: whoever overlaps or repeats a given record is given too. Amounts are
    right for the days of which all records are given.
    """
    standing: list[Record] = []
    outcomes: dict[int, Outcome] = {}
    timeline = _Timeline(klass)
    for group in _group(sorted(records, key=lambda r: r.precedence), klass):
        leader = group.leader
        if leader.refusal:
            fates = [Outcome(REFUSED, leader.refusal, None)] * (1 + len(group.members))
        elif (other := timeline.met_by(leader)) is not None:
            rules = ("overlap", *(rule for _, rule in group.members))
            fates = [Outcome(DUPLICATE_OF, rule, other.event_id) for rule in rules]
        else:
            timeline.add(leader)
            standing.append(leader)
            fates = [Outcome(DUPLICATE_OF, rule, leader.event_id) for rule in ("", *(r for _, r in group.members))]
        told = (leader, *(member for member, _ in group.members))
        outcomes.update((r.event_id, fate) for r, fate in zip(told, fates, strict=True))
    heads = _heads(standing, klass)
    outcomes.update(_amounts(standing, heads))
    return {e: replace(o, stands=heads.get(o.stands, o.stands)) if o.stands else o for e, o in outcomes.items()}


def _group(ordered: Sequence[Record], klass: ExclusionClass) -> list[_Group]:
    """Gather the records of one act behind the best of them. `ordered` is by precedence."""
    groups: list[_Group] = []
    by_act: dict[Act, _Group] = {}
    placed: list[tuple[int, int, Record, _Group]] = []  # by start
    for place, record in enumerate(ordered):
        group = next((g for act in record.numbers if (g := by_act.get(act)) and not g.apart(record)), None)
        rule = "same_act"
        if group is None:
            group, rule = _nearest(record, placed, klass), "same_record"
        if group is None:
            group = _Group(record)
            groups.append(group)
        else:
            group.members.append((record, rule))
        insort(placed, (record.started_us, place, record, group))
        for act in record.numbers:
            by_act.setdefault(act, group)
        group.take(record)
    return groups


def _nearest(record: Record, placed: list[tuple[int, int, Record, _Group]], klass: ExclusionClass) -> _Group | None:
    """The group that holds the same record as this one, None if there is none.

    Among several the one that tells the same story is meant: refused for the same reason or for none, then of the most
    equal duration, since a clock that is off moves both ends alike. A record far off is compared with leaders only, or
    a row of short rides would be drawn together step by step.
    """
    reach_us = max(klass.jitter_s, klass.shift_s) * MICRO
    best: tuple[tuple[bool, int, int, int], _Group] | None = None
    i = bisect_left(placed, (record.started_us - reach_us, -1))
    while i < len(placed) and placed[i][0] <= record.started_us + reach_us:
        _, place, other, group = placed[i]
        i += 1
        if not same_record(record, other, klass) or _distinct(record, group, klass) or group.apart(record):
            continue
        if other is group.leader or _near(record, other, klass):
            start_off, end_off = record.started_us - other.started_us, record.ended_us - other.ended_us
            unlike = record.refusal != other.refusal
            rank = (unlike, abs(start_off - end_off), abs(start_off) + abs(end_off), place)
            if best is None or rank < best[0]:
                best = (rank, group)
    return best[1] if best else None


def _near(a: Record, b: Record, klass: ExclusionClass) -> bool:
    """True when both ends are within the clocks' jitter."""
    return max(abs(a.started_us - b.started_us), abs(a.ended_us - b.ended_us)) <= klass.jitter_s * MICRO


def same_record(a: Record, b: Record, klass: ExclusionClass) -> bool:
    """True when the clocks cannot tell two records apart and the facts that must agree do agree.

    Further apart than the jitter only two plausible records are one, by their equal durations.
    """
    if a.same_facts != b.same_facts or a.aggregate != b.aggregate:
        return False
    if _near(a, b, klass):
        return True
    duration_off = abs((a.ended_us - a.started_us) - (b.ended_us - b.started_us))
    shifted = abs(a.started_us - b.started_us) <= klass.shift_s * MICRO
    return shifted and duration_off <= klass.duration_jitter_s * MICRO and not a.refusal and not b.refusal


def overlap(a: Record, b: Record, klass: ExclusionClass) -> bool:
    """True when two plausible deeds share more of a person's time than clocks that are off explain."""
    if klass.overlap_tolerance_s is None or a.aggregate or b.aggregate:
        return False
    shared_us = min(a.ended_us, b.ended_us) - max(a.started_us, b.started_us)
    shorter_us = min(a.ended_us - a.started_us, b.ended_us - b.started_us)
    return shared_us > klass.overlap_tolerance_s * MICRO or shared_us * 100 > shorter_us * klass.overlap_share_percent


def continues(a: Record, b: Record, klass: ExclusionClass) -> bool:
    """True when one of two deeds takes up the other's asset within the class's gap."""
    if klass.continue_gap_s is None or a.asset is None or a.asset != b.asset or a.pack != b.pack:
        return False
    gap_us = max(a.started_us, b.started_us) - min(a.ended_us, b.ended_us)
    return gap_us <= klass.continue_gap_s * MICRO


def related(a: Record, b: Record, klass: ExclusionClass) -> bool:
    """True when the fate of one record may depend on the other."""
    if not set(a.numbers).isdisjoint(b.numbers):
        return True
    if same_record(a, b, klass):
        return True
    return not a.refusal and not b.refusal and (overlap(a, b, klass) or continues(a, b, klass))


def _apart(a: Record, b: Record) -> bool:
    return b.root_id in a.apart or a.root_id in b.apart


def _distinct(record: Record, group: _Group, klass: ExclusionClass) -> bool:
    """True when one issuer signed this record and the group under different numbers, where that proves two deeds."""
    if not klass.distinct_act_refs or not record.acts or record.tier or group.leader.tier:
        return False
    issuer, digest = record.acts[0]
    return any(i == issuer and d != digest for i, d in group.acts) and record.acts[0] not in group.acts


def _heads(standing: Iterable[Record], klass: ExclusionClass) -> dict[int, int]:
    """Standing deeds that go on with another: event id -> event id of the one that began it."""
    heads: dict[int, int] = {}
    last: Record | None = None
    for record in sorted(standing, key=lambda r: (r.started_us, r.event_id)):
        if record.aggregate:
            continue
        if (
            last
            and last.fixed_deed == record.fixed_deed
            and not _apart(last, record)
            and continues(last, record, klass)
        ):
            heads[record.event_id] = heads.get(last.event_id, last.event_id)
        last = record
    return heads


class _Timeline:
    """The deeds that stand, by start."""

    def __init__(self, klass: ExclusionClass) -> None:
        self._klass = klass
        self._standing: list[tuple[int, int, Record]] = []
        self._longest_us = 0

    def met_by(self, record: Record) -> Record | None:
        """The first standing deed that the record overlaps."""
        if self._klass.overlap_tolerance_s is None or record.aggregate:
            return None
        first = bisect_left(self._standing, (record.started_us - self._longest_us,))
        last = bisect_left(self._standing, (record.ended_us,))
        for _, _, other in self._standing[first:last]:
            if overlap(record, other, self._klass) and not _apart(record, other):
                return other
        return None

    def add(self, record: Record) -> None:
        if not record.aggregate:
            insort(self._standing, (record.started_us, record.event_id, record))
            self._longest_us = max(self._longest_us, record.ended_us - record.started_us)


def _amounts(standing: Iterable[Record], heads: Mapping[int, int]) -> dict[int, Outcome]:
    """Cut each deed to its pack's cap of the day, and round points down once a day; fixed deeds come first."""
    outcomes: dict[int, Outcome] = {}
    days: dict[date, list[Record]] = defaultdict(list)
    for record in standing:
        days[record.day].append(record)
    for records in days.values():
        used_mg: dict[str, int] = defaultdict(int)
        used_micro: dict[str, int] = defaultdict(int)
        micro, given, counted_mg = 0, 0, 0
        for r in sorted(records, key=lambda r: (r.aggregate, r.by_time)):
            rest_mg = _rest(r, counted_mg)
            reduction_mg = rest_mg if r.cap_mg is None else min(rest_mg, max(r.cap_mg - used_mg[r.pack], 0))
            if r.fixed_mg is not None:
                reduction_mg = r.fixed_mg
            used_mg[r.pack] += max(reduction_mg, 0)
            counted_mg += max(reduction_mg, 0)
            whole_micro = earned_micro = _points_micro(r, reduction_mg)
            if r.cap_points is not None:
                earned_micro = min(whole_micro, max(r.cap_points * MICRO - used_micro[r.pack], 0))
            used_micro[r.pack] += earned_micro
            micro += earned_micro
            points = max(micro // MICRO - given, 0) if r.fixed_mg is None else r.fixed_points
            given += points
            cut = reduction_mg < rest_mg or earned_micro < whole_micro
            code = _amount_code(r, rest_mg, cut, heads)
            outcomes[r.event_id] = Outcome(CREDITED, code, r.event_id, reduction_mg, points)
    return outcomes


def _rest(record: Record, counted_mg: int) -> int:
    """What a deed is worth: a day's total only what the deeds inside the day leave of it."""
    if not record.aggregate or record.measured_mg <= 0:
        return record.measured_mg
    return max(record.measured_mg - counted_mg, 0)


def _amount_code(record: Record, rest_mg: int, cut: bool, heads: Mapping[int, int]) -> str:
    if cut:
        return "capped"
    if record.measured_mg <= 0:
        return "points_only" if _points_micro(record, 0) else "no_reduction"
    if rest_mg < record.measured_mg:
        return "rest_of_day"
    return "continues" if record.event_id in heads else "ok"


def _points_micro(record: Record, reduction_mg: int) -> int:
    """Points of a deed in millionths, cut in the proportion in which a cap cut the deed.

    What was measured to reduce nothing has none, unless its methodology claims no reduction in the first place.
    """
    if record.measured_mg <= 0:
        return 0 if record.measured_mg else record.points_micro
    return record.points_micro * reduction_mg // record.measured_mg


def closure(seeds: Sequence[Record], others: Iterable[Record], klass: ExclusionClass) -> list[Record]:
    """The records among `others` on which the fate of the seeds depends, with the seeds: the connected group."""
    ordered = sorted(others, key=lambda r: r.started_us)
    starts = [r.started_us for r in ordered]
    by_act: dict[Act, list[Record]] = defaultdict(list)
    for r in ordered:
        for act in r.numbers:
            by_act[act].append(r)
    reach_us = max(klass.jitter_s, klass.shift_s, klass.continue_gap_s or 0) * MICRO
    longest_us = max((r.ended_us - r.started_us for r in ordered), default=0)
    group, seen = list(seeds), {r.event_id for r in seeds}
    for f in group:  # grows while it is walked
        first = bisect_left(starts, f.started_us - longest_us - reach_us)
        last = bisect_left(starts, f.ended_us + reach_us + 1)
        near = [*ordered[first:last], *(r for act in f.numbers for r in by_act[act])]
        for r in near:
            if r.event_id not in seen and related(r, f, klass):
                seen.add(r.event_id)
                group.append(r)
    return group
