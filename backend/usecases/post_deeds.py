"""Write what was judged and settled: events, changed verdicts, deed versions, transfers. One statement a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from backend import auth
from backend.platform import Platform
from backend.store import db, events
from backend.usecases.judge_events import Judged
from backend.usecases.settle_deeds import DeedChange, Settlement
from rewards import ledger


def post_arrivals(
    conn: db.Connection, platform: Platform, judged: Sequence[Judged], settlement: Settlement,
    firsts: Mapping[int, dict[str, Any]], client_id: str, now: datetime,
) -> None:  # fmt: skip
    """Write a settled batch. Raises ClaimLost when another transaction took one of its numbers first."""
    _keep_packs(conn, platform, judged)
    events.add_act_claims(conn, [_act_claim(j) for j in settlement.act_claims])
    secret = platform.settings.secret
    events.add_events(conn, [_event(j, firsts.get(j.event_id), secret, client_id, now) for j in judged])
    events.add_reverdicts(conn, [_reverdict(e, settlement, now) for e in settlement.changed])
    by_id = {j.event_id: j for j in judged}
    versions = events.find_deed_versions(conn, [c.deed_id for c in settlement.deeds if c.deed_id not in by_id])
    events.add_deeds(conn, [_deed(platform, c, by_id, settlement, versions, now) for c in settlement.deeds])
    events.add_transfers(conn, [t for c in settlement.deeds for t in _transfers(c, by_id, settlement, now)])


def _keep_packs(conn: db.Connection, platform: Platform, judged: Iterable[Judged]) -> None:
    """Keep the canonical text of each pack that judged something, under its hash."""
    for pack in {j.pack.content_sha256: j.pack for j in judged if j.pack}.values():
        if pack.content_sha256 not in platform.kept_packs:
            events.add_pack_version(conn, pack.content_sha256, pack.code, pack.version, pack.document.decode())
            platform.kept_packs.add(pack.content_sha256)


def _act_claim(j: Judged) -> tuple[str, bytes, int, str, int, datetime]:
    assert j.record
    assert j.record.act
    assert j.person_id is not None
    assert j.klass
    return (*j.record.act, j.person_id, j.klass.code, j.event_id, j.message.started_at)


def _event(j: Judged, first: Mapping[str, Any] | None, secret: str, client_id: str, now: datetime) -> tuple[Any, ...]:
    m, r = j.message, j.record
    verdict = first or {"verdict": "refused", "code": j.code, "stands_event": None, "deed_id": None,
                        "reduction_mg": 0, "points": 0, "field": j.field}  # fmt: skip
    settled = r is not None and verdict["verdict"] != "in_review"
    return (
        j.event_id, m.started_at, m.ended_at, now, client_id, m.ref, m.event_type, j.person_id,
        j.klass.code if j.klass and settled else None, *((j.pack.code, j.pack.version) if j.pack else (None, None)),
        j.region.code if j.region else None, r.day if r else None, j.evidence,
        *(r.act if r and r.act else (None, None)),
        auth.digest(secret, "asset", m.asset_ref) if m.asset_ref else None, events.as_json(j.facts),
        r.refusal if r else "", r.measured_mg if r else 0, r.points_micro if r else 0, r.cap_mg if r else None,
        verdict["verdict"], verdict["code"], verdict["stands_event"], verdict["deed_id"],
        verdict["reduction_mg"], verdict["points"], verdict["field"],
    )  # fmt: skip


def _reverdict(event_id: int, settlement: Settlement, now: datetime) -> tuple[Any, ...]:
    fate, before = settlement.changed[event_id], settlement.known[event_id]
    o = fate.outcome
    return (
        event_id, before.version + 1, before.person_id, o.verdict, o.code, o.stands, fate.deed_id,
        o.reduction_mg, o.points, now,
    )  # fmt: skip


def _deed(
    platform: Platform, change: DeedChange, by_id: Mapping[int, Judged], settlement: Settlement,
    versions: Mapping[int, int], now: datetime,
) -> tuple[Any, ...]:  # fmt: skip
    person_id, started_at, ended_at, klass, code, version, region, evidence, client_id, day = _holder(
        change, by_id, settlement
    )
    pack = platform.standard.pack_version(code, version)
    assert pack is not None
    return (
        change.deed_id, versions.get(change.deed_id, 0) + 1, person_id, started_at, ended_at, klass, code, version,
        pack.gas_basis, region, day.replace(day=1), evidence, change.holder, client_id,
        change.reduction_mg, change.points, change.stands, now,
    )  # fmt: skip


def _holder(
    change: DeedChange, by_id: Mapping[int, Judged], settlement: Settlement
) -> tuple[int, datetime, datetime, str, str, str, str, str, str, date]:
    """The facts of the event that holds a deed, from this batch or from the books."""
    if (j := by_id.get(change.holder)) is not None:
        assert j.record
        assert j.klass
        assert j.pack
        assert j.region
        assert j.evidence
        assert j.person_id is not None
        return (
            j.person_id, j.message.started_at, j.message.ended_at, j.klass.code, j.pack.code, j.pack.version,
            j.region.code, j.evidence, j.record.client_id, j.record.day,
        )  # fmt: skip
    k = settlement.known[change.holder]
    return (
        k.person_id, k.started_at, k.ended_at, k.klass, k.record.pack, k.pack_version, k.region, k.evidence,
        k.record.client_id, k.record.day,
    )  # fmt: skip


def _transfers(
    change: DeedChange, by_id: Mapping[int, Judged], settlement: Settlement, now: datetime
) -> Iterable[tuple[Any, ...]]:
    person_id = _holder(change, by_id, settlement)[0]
    reason = ledger.DEED if change.is_new else ledger.RESETTLED
    for book, amount in ((ledger.REDUCTIONS, change.reduction_diff_mg), (ledger.POINTS, change.points_diff)):
        if amount > 0:
            yield (now, book, ledger.MEASURED, 0, ledger.PERSON, person_id, amount, reason, change.deed_id, person_id)
        elif amount < 0:
            yield (now, book, ledger.PERSON, person_id, ledger.MEASURED, 0, -amount, reason, change.deed_id, person_id)
