"""The common part of everything that changes what was said: corrections, reviews, appeals, merges.

Old events stop counting, new rows of the same root may take their place, settling says what stands, the difference is
posted, and what it does to points and to pooled reductions is charged and recalled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.platform import Platform
from backend.store import corrections, db, erasure, events
from backend.usecases import ingest_events, log_facts, post_deeds, recall_credits, settle_deeds
from backend.usecases.judge_events import Judged, Person
from backend.usecases.settle_deeds import Change, Key, Settlement
from rewards import ledger


@dataclass(frozen=True, slots=True)
class Step:
    """One event that stops counting as it was, and the row that counts in its place, if any.

    code: what the old row is refused with from now on. charged_to: who bears points that the person loses by it;
    'person' only for the person's own fraud.
    """

    old: corrections.Latest
    root_id: int
    seq: int
    kind: str
    code: str
    new: Judged | None
    by_client: str
    reason: str
    charged_to: str
    content_digest: bytes | None = None


def lock(conn: db.Connection, accounts: Iterable[int | None]) -> dict[int, Person]:
    """Hold pool closing out and lock the persons behind these accounts: account -> person, with points consents.

    Raises ClaimLost when one was merged or erased meanwhile.
    """
    events.begin(conn)
    people = corrections.find_persons(conn, sorted({a for a in accounts if a is not None}))
    events.lock_people(conn, people.values())
    erased = erasure.find_erased(conn, people.values())
    if erased.people or events.find_merged(conn, people.values()):
        raise db.ClaimLost
    consents = events.find_consents(conn, set(people.values()))
    return {a: Person(p, consents.get(p, ()), erased.opened.get(p)) for a, p in people.items()}


def change_deeds(
    conn: db.Connection, platform: Platform, steps: Sequence[Step], client_id: str, now: datetime,
    whole: frozenset[Key] = frozenset(), charged_to: str = "platform",
) -> Settlement:  # fmt: skip
    """Settle and write the steps (and whole persons after a merge). Persons must be locked."""
    settled = [s for s in steps if s.old.klass is not None]
    new = [s.new for s in steps if s.new is not None]
    change = Change(
        removed={s.old.event_id: s.code for s in settled},
        replaced={s.old.event_id: s.new.event_id for s in settled if s.new is not None},
        around=[((s.old.holder_id, s.old.klass), s.old.started_at) for s in settled if s.old.klass is not None],
        whole=whole,
        believed=frozenset(s.new.event_id for s in steps if s.new is not None and s.kind != "replace"),
    )
    settlement = settle_deeds.settle_deeds(conn, platform.standard, new, change)
    now = settlement.moment(now)
    firsts = {j.event_id: ingest_events.first_of(j, settlement, now) for j in new}
    corrections.add_corrections(conn, [_correction(s, now) for s in steps])
    log_facts.log_facts(conn, "correction", [s.old.event_id for s in steps])
    post_deeds.post_deeds(conn, platform, new, settlement, firsts, client_id, now)
    unsettled = [s for s in steps if s.old.klass is None and s.old.person_id is not None]
    events.add_reverdicts(conn, [_refused(s, now) for s in unsettled])
    payers = {s.old.holder_id: s for s in steps if s.old.person_id is not None}
    charges = _charges(settlement, payers, charged_to, now)
    events.add_transfers(conn, charges)
    recalled = recall_credits.recall_all(conn, platform, _lowered(settlement), now)
    if any(s.charged_to == ledger.PARTNER for s in steps):
        points = sum(t.amount for t in charges if t.debit == ledger.PARTNER)
        recall_credits.tell_cost(conn, client_id, points, recalled, now)
    return settlement


def _correction(step: Step, now: datetime) -> tuple[object, ...]:
    new = (step.new.event_id, step.new.message.started_at) if step.new else (None, None)
    return (
        step.old.event_id, step.root_id, step.seq, *new, step.kind, step.by_client, step.reason, step.charged_to,
        step.content_digest, now,
    )  # fmt: skip


def _refused(step: Step, now: datetime) -> tuple[object, ...]:
    """An event that was never settled gets its last verdict without settling."""
    old = step.old
    return (old.event_id, old.version + 1, old.person_id, "refused", step.code, None, None, 0, 0, now)


def _charges(
    settlement: Settlement, payers: Mapping[int, Step], charged_to: str, now: datetime
) -> list[ledger.Transfer]:
    """Points that people would lose through no fraud of their own are given back, at the cost of who erred."""
    lost: dict[int, int] = defaultdict(int)
    for deed in settlement.deeds:
        lost[deed.holder.person_id] += deed.before_points - deed.points
    rows: list[ledger.Transfer] = []
    for account, points in sorted(lost.items()):
        step = payers.get(account)
        who = step.charged_to if step else charged_to
        if points > 0 and who != "person":
            root_id = step.root_id if step else None
            rows.append(
                ledger.Transfer(
                    now, ledger.POINTS, who, 0, ledger.PERSON, account, points, ledger.CHARGED, root_id, account
                )
            )
    return rows


def _lowered(settlement: Settlement) -> list[recall_credits.Lowered]:
    """What is already in a batch cannot leave it: its credits are recalled."""
    return [
        recall_credits.Lowered(deed.before.batch_id, deed.deed_id, deed.before_mg - deed.reduction_mg)
        for deed in settlement.deeds
        if deed.before is not None and deed.before.batch_id is not None and deed.reduction_mg != deed.before_mg
    ]
