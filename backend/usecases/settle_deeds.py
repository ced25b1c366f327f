"""Settle records among a person's other deeds, and find the difference to what the books say.

The neighbourhood of a record is its civil day (caps and point rounding) and whatever overlaps or repeats a record of
that day; it is read in one statement for the whole batch and widened only where a chain of deeds leaves the window.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from functools import cache

from backend.store import db, events
from backend.store.events import Known
from backend.usecases.judge_events import Judged
from rules import dedup
from rules.dedup import MICRO, Outcome
from rules.model import CREDITED, IN_REVIEW, REFUSED, ExclusionClass
from rules.standard import Standard

Key = tuple[int, str]  # person, exclusion class
Window = tuple[int, int]  # microseconds since 1970, half open
ALWAYS: Window = (0, 2**53)


@dataclass(frozen=True, slots=True)
class Change:
    """What a settlement starts from, beside new events.

    removed: known events that no longer count -> the code they are refused with from now on.
    replaced: known events -> the new event that stands in their place. around: where the removed ones lie.
    whole: persons and classes to settle from the first deed to the last (a merge).
    believed: new events that an operator has looked into: no suspicion holds them again.
    """

    removed: Mapping[int, str] = field(default_factory=dict)
    replaced: Mapping[int, int] = field(default_factory=dict)
    around: Sequence[tuple[Key, datetime]] = ()
    whole: frozenset[Key] = frozenset()
    believed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an event, and the deed it tells of."""

    outcome: Outcome
    deed_id: int | None


HELD = Fate(Outcome(IN_REVIEW, "suspicious", None), None)


@dataclass(frozen=True, slots=True)
class DeedChange:
    """A new version of a deed: who holds it, since when and for how much, and what the books said before."""

    deed_id: int
    holder: Known
    ended_at: datetime
    stands: bool
    reduction_mg: int
    points: int
    before: Known | None  # the former holder; None: a new deed
    before_mg: int
    before_points: int
    members: Sequence[tuple[Known, Outcome]]  # its records and what of them is credited, by start


@dataclass(slots=True)
class Settlement:
    """The fates of the new events, the changed fates of known ones, and the deeds to write."""

    fates: dict[int, Fate] = field(default_factory=dict)
    changed: dict[int, tuple[Known, Fate]] = field(default_factory=dict)
    deeds: list[DeedChange] = field(default_factory=list)
    act_claims: list[events.NewActClaim] = field(default_factory=list)
    squatted: list[int] = field(
        default_factory=list
    )  # events that claimed a number before its issuer, for another deed
    versions: dict[int, tuple[int, datetime]] = field(default_factory=dict)  # of the known deeds: the last, and when
    latest: datetime | None = None  # of all that was said before of these persons, as far as it was read

    def moment(self, now: datetime) -> datetime:
        """Now, or just after the latest: a person's time never goes back, whatever a clock says. What was so at some
        moment is found again by its time (the leaves of the log, sql/log.sql).
        """
        return now if self.latest is None or now > self.latest else self.latest + timedelta(microseconds=1)


def settle_deeds(
    conn: db.Connection, standard: Standard, judged: Sequence[Judged], change: Change | None = None
) -> Settlement:
    """Settle judged events that carry a record. Persons must be locked. Reads only; the caller writes."""
    change = change or Change()
    result = Settlement()
    fresh, instants = _meet_act_claims(conn, standard, judged, result)
    for key, at in change.around:
        instants[key].append(at)
    keys = {*fresh, *instants, *change.whole}
    known = _neighbourhoods(conn, standard, keys, fresh, instants, change, result)
    for key in sorted(keys):
        klass = standard.exclusion_class(key[1], date.max)
        settling = _Settling(klass, fresh[key], known[key], change, key in change.whole)
        settling.run(result, lambda: events.take_ids(conn, 1)[0])
    new = {j.event_id for j in judged}
    result.versions = events.find_deed_versions(conn, [c.deed_id for c in result.deeds if c.deed_id not in new])
    said = [k.said_at for records in known.values() for k in records if k.said_at is not None]
    result.latest = max([*said, *(made_at for _, made_at in result.versions.values())], default=None)
    return result


def _meet_act_claims(
    conn: db.Connection, standard: Standard, judged: Sequence[Judged], result: Settlement
) -> tuple[dict[Key, list[Known]], dict[Key, list[datetime]]]:
    """Hold what is suspicious or names another person's deed by its act_ref; where a claimed act was, for the others.

    What is refused for itself claims nothing, and what no longer counts claims nothing any more. Where it is the issuer
    itself whose number was claimed for somebody else, the event that claimed it goes to review as well.
    """
    claims = events.find_act_claims(conn, sorted({a for j in judged if j.record for a in j.record.acts}))
    fresh: dict[Key, list[Known]] = defaultdict(list)
    instants: dict[Key, list[datetime]] = defaultdict(list)
    for j in judged:
        if j.record is None:
            continue
        if _suspicious(standard, j):
            result.fates[j.event_id] = HELD
            continue
        entry = _entry(j)
        key = (entry.person_id, entry.klass)
        numbers = [(act, j.issued and act == j.numbers[0]) for act in j.record.numbers]
        met = [c for act, _ in numbers for own in (True, False) if (c := claims.get((act, own))) and c.live]
        others = [claim for claim in met if (claim.person_id, claim.klass) != key]
        if others:
            result.fates[entry.record.event_id] = Fate(Outcome(IN_REVIEW, "act_ref_conflict", None), None)
            theirs = [
                claims[act, False]
                for act, _ in numbers
                if j.issued and (act, False) in claims and (act, True) not in claims
            ]
            result.squatted += [claim.event_id for claim in theirs if claim in others]
            continue
        instants[key] += [claim.started_at for claim in met]
        for act, own in numbers:
            if (act, own) not in claims:
                claims[act, own] = events.ActClaim(*key, entry.record.event_id, entry.started_at)
                result.act_claims.append((*act, own, *key, entry.record.event_id, entry.started_at))
        fresh[key].append(entry)
    return fresh, instants


def _suspicious(standard: Standard, j: Judged) -> bool:
    if not j.suspicion or j.record is None or j.record.refusal:
        return False
    return j.suspicion >= standard.parameter("suspicion_review_points", j.record.day)


def _hold_crowds(
    standard: Standard, fresh: dict[Key, list[Known]], known: Mapping[Key, Sequence[Known]], change: Change,
    result: Settlement,
) -> None:  # fmt: skip
    """Hold what goes beyond a person's records of a class and day that are judged at once.

    Nobody does a hundred deeds a day, and settling costs more than twice as much for twice as many. A record that is
    held here keeps its number.
    """
    for key, entries in fresh.items():
        full = Counter(k.record.day for k in known[key] if k.record.event_id not in change.removed)
        kept = []
        for entry in sorted(entries, key=lambda e: (e.record.event_id not in change.believed, e.record.precedence)):
            record = entry.record
            full[record.day] += 1
            most = standard.parameter("records_a_day_max", record.day)
            if full[record.day] <= most or record.event_id in change.believed:
                kept.append(entry)
            else:
                result.fates[record.event_id] = HELD
        fresh[key] = kept


def _entry(j: Judged) -> Known:
    """A new event beside the known ones: no verdict yet."""
    assert j.record and j.klass and j.pack and j.region and j.evidence and j.person_id is not None  # noqa: PT018
    return Known(
        j.record, j.person_id, j.person_id, j.klass.code, j.evidence, j.message.started_at, j.message.ended_at,
        j.pack.version, j.region.code, j.region.timezone, "", "", None, None, 0, 0, 0, None, events.as_json(j.facts),
        j.pack.content_sha256, None,
    )  # fmt: skip


def _neighbourhoods(
    conn: db.Connection, standard: Standard, keys: Iterable[Key], fresh: dict[Key, list[Known]],
    instants: Mapping[Key, list[datetime]], change: Change, result: Settlement,
) -> dict[Key, list[Known]]:  # fmt: skip
    """The known records around the new and the removed ones, by person and class, closed as `dedup.settle` wants."""
    windows = {
        key: ALWAYS if key in change.whole else _first_window(standard, key, fresh.get(key, ()), instants.get(key, ()))
        for key in keys
    }
    known = events.find_neighbours(conn, standard, windows)
    _hold_crowds(standard, fresh, known, change, result)
    asked: set[tuple[Key, dedup.Act]] = set()
    while True:
        needs = {
            key: _needed(standard, key, fresh.get(key, ()), known[key], change, windows[key], bool(instants.get(key)))
            for key in windows
        }
        acts = {(key, act) for key, need in needs.items() for act in need.acts} - asked
        wider = {key: need.window for key, need in needs.items()}
        for key, at in events.find_act_events(conn, sorted(acts)):
            wider[key] = (min(wider[key][0], events.micros(at)), max(wider[key][1], events.micros(at) + 1))
        asked |= acts
        wider = {key: window for key, window in wider.items() if window != windows[key]}
        if not wider:
            return known
        windows |= wider
        known |= events.find_neighbours(conn, standard, wider)


def _first_window(standard: Standard, key: Key, fresh: Sequence[Known], instants: Iterable[datetime]) -> Window:
    reach_us = _reach(standard, key[1])
    hulls = [_hull([(e.record.day, e.timezone)], reach_us) for e in fresh]
    hulls += [(events.micros(at), events.micros(at) + 1) for at in instants]
    return (min(first for first, _ in hulls), max(last for _, last in hulls))


@dataclass(frozen=True, slots=True)
class _Need:
    """The window that holds every record on which a fate or an amount can depend, as far as is known yet.

    acts: numbers that may be on further records, however far away in time.
    """

    window: Window
    acts: frozenset[dedup.Act] = frozenset()


def _needed(
    standard: Standard, key: Key, fresh: Sequence[Known], known: Sequence[Known], change: Change, window: Window,
    met: bool,
) -> _Need:  # fmt: skip
    if not known or window == ALWAYS:
        return _Need(window)
    klass, reach_us = standard.exclusion_class(key[1], date.max), _reach(standard, key[1])
    gone = [k for k in known if k.record.event_id in change.removed]
    others = [k.record for k in known if k.record.event_id not in change.removed]
    group = dedup.closure([e.record for e in (*fresh, *gone)], others, klass)
    zones = {e.record.event_id: e.timezone for e in (*known, *fresh)}
    first_us, last_us = _hull([(r.day, zones[r.event_id]) for r in group], reach_us) if group else window
    days = {r.day for r in group}
    mates = [r for r in others if r.day in days]
    for r in dedup.closure(mates, [r for r in others if r.day not in days], klass):
        first_us, last_us = min(first_us, r.started_us - reach_us), max(last_us, r.ended_us + reach_us)
    puzzling = [k for k in known if _puzzling(k, zones)] + _swayed(known, group, gone, klass) + gone
    if met:  # numbers of new records that were met before
        puzzling += fresh
    acts = frozenset(act for e in puzzling for act in e.record.acts)
    return _Need((min(window[0], first_us), max(window[1], last_us)), acts)


def _swayed(
    known: Sequence[Known], group: Sequence[dedup.Record], gone: Sequence[Known], klass: ExclusionClass
) -> list[Known]:
    """Those whose fate the new records change: others with their numbers, however far away, may share it."""
    ids = {r.event_id for r in group} - {k.record.event_id for k in gone}
    numbered = [k for k in known if k.record.acts and k.record.event_id in ids]
    if not numbered:
        return []
    outcomes = dedup.settle([r for r in group if r.event_id in ids], klass)
    return [
        k for k in numbered if (o := outcomes[k.record.event_id]) and (o.verdict, o.stands) != (k.verdict, k.stands)
    ]


def _puzzling(known: Known, seen: Mapping[int, object]) -> bool:
    """True when what was said of an event rests on a record that has not been read: one with the same number."""
    if known.stands is not None:
        return known.stands not in seen
    return known.verdict == REFUSED and known.code != known.record.refusal


class _Settling:
    """One person's records of one class: what stands now, what stood before, and the difference."""

    def __init__(
        self, klass: ExclusionClass, fresh: Sequence[Known], known: Sequence[Known], change: Change, whole: bool
    ) -> None:
        self.change = change
        self.entries = {e.record.event_id: e for e in (*known, *fresh)}
        self.gone = [k for k in known if k.record.event_id in change.removed]
        live = [e for i, e in self.entries.items() if i not in change.removed]
        self.outcomes = dedup.settle([e.record for e in live], klass)
        fresh_ids = {e.record.event_id for e in fresh}
        seeds = [e.record for e in (*fresh, *self.gone)]
        others = [e.record for e in live if e.record.event_id not in fresh_ids]
        days = {r.day for r in (others if whole else dedup.closure(seeds, others, klass))}
        self.affected = [e.record.event_id for e in live if e.record.day in days]

    def run(self, result: Settlement, new_id: Callable[[], int]) -> None:
        deed_of, vacant = self._name_deeds(new_id)
        for event_id in self.affected:
            entry, outcome = self.entries[event_id], self.outcomes[event_id]
            fate = Fate(outcome, self._deed_of(outcome, deed_of))
            if not entry.verdict:
                result.fates[event_id] = fate
            elif entry.record.fixed_mg is None and entry.fate != _told(fate):
                result.changed[event_id] = (entry, fate)
        for entry in self.gone:
            code = self.change.removed[entry.record.event_id]
            result.changed[entry.record.event_id] = (entry, Fate(Outcome(REFUSED, code, None), None))
        self._note_deeds(deed_of, vacant, result)

    def _name_deeds(self, new_id: Callable[[], int]) -> tuple[dict[int, int], list[int]]:
        """Which deed each leading event holds: its own, else one it takes over, else a new one.

        A new event names its deed; a revived one takes a new name, since its own may be another's by now. Also the
        deeds that nobody holds any longer.
        """
        heads = [e for e in self.affected if _leads(e, self.outcomes[e])]
        deed_of: dict[int, int] = {}
        free: dict[int, list[int]] = defaultdict(list)  # heir (0: none) -> deeds
        lost: list[int] = []
        for event_id in (*self.affected, *(k.record.event_id for k in self.gone)):
            entry = self.entries[event_id]
            if entry.verdict != CREDITED or entry.stands != event_id or entry.deed_id is None:
                continue
            if event_id in self.change.removed:
                heir = self.change.replaced.get(event_id, 0)
                (lost if entry.batch_id else free[heir]).append(entry.deed_id)
            elif _leads(event_id, self.outcomes[event_id]):
                deed_of[event_id] = entry.deed_id
            else:
                free[self.outcomes[event_id].stands or 0].append(entry.deed_id)
        vacant = {d for deeds in free.values() for d in deeds}
        for event_id in heads:
            if event_id not in deed_of:
                entry = self.entries[event_id]
                wanted = [entry.record.fixed_deed, *sorted(free.get(event_id, ())), entry.deed_id]
                taken = next((d for d in wanted if d and (d in vacant or d == entry.record.fixed_deed)), None)
                deed_of[event_id] = taken or (new_id() if entry.verdict else event_id)
                vacant.discard(deed_of[event_id])
        return deed_of, sorted({*lost, *vacant} - set(deed_of.values()))

    def _deed_of(self, outcome: Outcome, deed_of: Mapping[int, int]) -> int | None:
        if outcome.stands is None:
            return None
        return deed_of.get(outcome.stands, self.entries[outcome.stands].deed_id)

    def _note_deeds(self, deed_of: Mapping[int, int], vacant: Iterable[int], result: Settlement) -> None:
        """A version for each deed whose holder, records or amounts are not what the books say."""
        now, before = self._members_now(deed_of), self._members_before()
        for event_id, deed_id in deed_of.items():
            holder, was = self.entries[event_id], before.get(deed_id, [])
            members = sorted(now[deed_id], key=lambda m: (m[0].started_at, m[0].record.event_id))
            if not _same(was, holder, members):
                result.deeds.append(_deed_change(deed_id, holder, members, was))
        for deed_id in vacant:
            was = before[deed_id]
            result.deeds.append(_deed_change(deed_id, _holder(was), (), was))

    def _members_now(self, deed_of: Mapping[int, int]) -> dict[int, list[tuple[Known, Outcome]]]:
        """deed -> its events and their amounts; those of other days as they are in the books."""
        members: dict[int, list[tuple[Known, Outcome]]] = defaultdict(list)
        affected = set(self.affected)
        for event_id, outcome in self.outcomes.items():
            entry, head = self.entries[event_id], outcome.stands
            if outcome.verdict != CREDITED or head is None or head not in deed_of:
                continue
            if event_id not in affected or entry.record.fixed_mg is not None:
                outcome = Outcome(CREDITED, entry.code, head, entry.reduction_mg, entry.points)
            members[deed_of[head]].append((entry, outcome))
        return members

    def _members_before(self) -> dict[int, list[Known]]:
        members: dict[int, list[Known]] = defaultdict(list)
        for entry in self.entries.values():
            if entry.verdict == CREDITED and entry.deed_id is not None:
                members[entry.deed_id].append(entry)
        return members


def _leads(event_id: int, outcome: Outcome) -> bool:
    return outcome.verdict == CREDITED and outcome.stands == event_id


def _told(fate: Fate) -> tuple[str, str, int | None, int | None, int, int]:
    o = fate.outcome
    return (o.verdict, o.code, o.stands, fate.deed_id, o.reduction_mg, o.points)


def _holder(members: Sequence[Known]) -> Known:
    """The one that leads; where a correction took it, the first that is left."""
    return next((m for m in members if m.stands == m.record.event_id), members[0])


def _same(was: Sequence[Known], holder: Known, members: Sequence[tuple[Known, Outcome]]) -> bool:
    if not was or _holder(was).record.event_id != holder.record.event_id:
        return False
    before = {(k.record.event_id, k.code, k.reduction_mg, k.points) for k in was}
    return before == {(k.record.event_id, o.code, o.reduction_mg, o.points) for k, o in members}


def _deed_change(
    deed_id: int, holder: Known, members: Sequence[tuple[Known, Outcome]], was: Sequence[Known]
) -> DeedChange:
    """members: none where the deed no longer stands."""
    ended_at = max((k.ended_at for k, _ in members), default=holder.ended_at)
    mg, points = sum(o.reduction_mg for _, o in members), sum(o.points for _, o in members)
    before_mg, before_points = sum(m.reduction_mg for m in was), sum(m.points for m in was)
    former = _holder(was) if was else None
    return DeedChange(deed_id, holder, ended_at, bool(members), mg, points, former, before_mg, before_points, members)


def _reach(standard: Standard, klass: str) -> int:
    """How far before its own start a record can be met by another of the class, in microseconds."""
    rule = standard.exclusion_class(klass, date.max)
    return (standard.max_duration_s(klass) + max(rule.jitter_s, rule.shift_s, rule.continue_gap_s or 0)) * MICRO


def _hull(days: Iterable[tuple[date, tzinfo]], reach_us: int) -> Window:
    bounds = [_day_bounds(day, zone) for day, zone in days]
    return (min(b[0] for b in bounds) - reach_us, max(b[1] for b in bounds) + reach_us)


@cache
def _day_bounds(day: date, zone: tzinfo) -> Window:
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + timedelta(days=1)
    return (events.micros(start), events.micros(datetime(following.year, following.month, following.day, tzinfo=zone)))
