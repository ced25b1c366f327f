"""Write what was judged and settled: events, changed verdicts, deed versions, transfers. One statement a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from backend import auth
from backend.platform import Platform
from backend.store import cases, db, events, notices
from backend.usecases import log_deeds, tell_client
from backend.usecases.judge_events import Judged
from backend.usecases.settle_deeds import DeedChange, Settlement
from rewards import ledger
from rules.model import IN_REVIEW, Pack


def post_deeds(
    conn: db.Connection, platform: Platform, judged: Sequence[Judged], settlement: Settlement,
    firsts: Mapping[int, dict[str, Any]], client_id: str, now: datetime,
) -> None:  # fmt: skip
    """Write a settled batch. Raises ClaimLost when another transaction took one of its numbers first."""
    events.add_act_claims(conn, settlement.act_claims, _sealed(platform, judged, settlement))
    events.add_events(conn, [_event(j, firsts[j.event_id], client_id, now) for j in judged])
    events.add_reverdicts(conn, [_reverdict(e, settlement, now) for e in settlement.changed])
    held = [j.root_id or j.event_id for j in judged if firsts[j.event_id]["verdict"] == IN_REVIEW]
    cases.open_cases(conn, held, "held", "platform", "held at reception", now)
    cases.open_cases(conn, settlement.squatted, "held", "platform", "the number's own issuer says otherwise", now)
    versions = {deed_id: version for deed_id, (version, _) in settlement.versions.items()}
    numbered = [(c, versions.get(c.deed_id, 0) + 1, _pack(platform, c).gas_basis) for c in settlement.deeds]
    events.add_deeds(conn, [_deed(platform, c, version, now) for c, version, _ in numbered])
    log_deeds.log_deeds(conn, numbered)
    events.add_transfers(conn, [t for c in settlement.deeds for t in _transfers(c, now)])
    for reporter, told in _changes(settlement).items():
        body = {
            "events": told, "zh": f"贵方有 {len(told)} 条记录的判定已改变。",
            "en": f"The verdict of {len(told)} of your events has changed.",
        }  # fmt: skip
        notices.add_notice(conn, reporter, "verdicts", None, body, now)
        tell_client.tell_client(conn, reporter, "verdicts.changed", body, now)


def _changes(settlement: Settlement) -> dict[str, list[dict[str, str]]]:
    """Client -> its events that count no longer, or count now, because of what others sent; no times, no names."""
    told: dict[str, list[dict[str, str]]] = defaultdict(list)
    for before, fate in settlement.changed.values():
        outcome = fate.outcome
        if outcome.verdict != before.verdict and outcome.code not in ("corrected", "withdrawn"):
            now = {"id": before.record.event_ref, "verdict": outcome.verdict, "code": outcome.code}
            told[before.record.client_id].append(now)
    return told


def _event(j: Judged, first: Mapping[str, Any], client_id: str, now: datetime) -> tuple[Any, ...]:
    m, r = j.message, j.record
    settled = r is not None and first["verdict"] != IN_REVIEW
    return (
        j.event_id, m.started_at, m.ended_at, now, client_id, m.ref, m.event_type, j.person_id,
        j.klass.code if j.klass and settled else None, *((j.pack.code, j.pack.version) if j.pack else (None, None)),
        j.region.code if j.region else None, r.day if r else None, j.evidence, *j.numbers[0], *j.numbers[1],
        r.asset if r else None, events.as_json(j.facts), r.refusal if r else "",
        r.measured_mg if r else 0, r.points_micro if r else 0, r.cap_mg if r else None,
        first["verdict"], first["code"], first["stands_event"], first["deed_id"], first["reduction_mg"],
        first["points"], first["field"], j.root_id or j.event_id, sorted(r.apart) if r and r.apart else None,
        j.claim.claim_id if j.claim else None, bytes.fromhex(j.pack.content_sha256) if j.pack else None,
        r.cap_points if r else None,
    )  # fmt: skip


def _sealed(platform: Platform, judged: Sequence[Judged], settlement: Settlement) -> dict[bytes, bytes]:
    """The newly claimed numbers by digest, as they can be told to other mechanisms later."""
    new = {digest for _, digest, *_ in settlement.act_claims}
    told = {d: act for j in judged for act, (_, d) in zip((j.message.act, j.message.prior), j.numbers, strict=True)
            if act and d in new}  # fmt: skip
    secret = platform.settings.secret
    return {digest: auth.seal(secret, auth.act_name(*act)) for digest, act in told.items() if digest}


def _reverdict(event_id: int, settlement: Settlement, now: datetime) -> tuple[Any, ...]:
    before, fate = settlement.changed[event_id]
    o = fate.outcome
    return (
        event_id, before.version + 1, before.account, o.verdict, o.code, o.stands, fate.deed_id,
        o.reduction_mg, o.points, now,
    )  # fmt: skip


def _deed(platform: Platform, change: DeedChange, version: int, now: datetime) -> tuple[Any, ...]:
    h, pack = change.holder, _pack(platform, change)
    return (
        change.deed_id, version, h.account, h.started_at, change.ended_at, h.klass, pack.code, pack.version,
        pack.gas_basis, h.region, h.record.day.replace(day=1), h.evidence, h.record.event_id, h.record.client_id,
        change.reduction_mg, change.points, change.stands, now,
    )  # fmt: skip


def _pack(platform: Platform, change: DeedChange) -> Pack:
    pack = platform.standard.pack_version(change.holder.record.pack, change.holder.pack_version)
    assert pack is not None
    return pack


def _transfers(change: DeedChange, now: datetime) -> Iterable[tuple[Any, ...]]:
    """The difference; where the deed moves to another account of a merged person, out of one and into the other."""
    before, account = change.before, change.holder.account
    reason = ledger.RESETTLED if before else ledger.DEED
    was, now_is = (change.before_mg, change.before_points), (change.reduction_mg, change.points)
    moves = [(account, now_is[0] - was[0], now_is[1] - was[1])]
    if before and before.account != account:
        moves = [(before.account, -was[0], -was[1]), (account, *now_is)]
    for person_id, mg, points in moves:
        for book, amount in ((ledger.REDUCTIONS, mg), (ledger.POINTS, points)):
            person, measured = (ledger.PERSON, person_id), (ledger.MEASURED, 0)
            if amount:
                debit, credit = (measured, person) if amount > 0 else (person, measured)
                yield (now, book, *debit, *credit, abs(amount), reason, change.deed_id, person_id)
