"""A partner's batch, from bytes to verdicts: the hot path of the platform.

One transaction holds claim, verdict, deed and transfer, so an event is either wholly in or not at all, and a retry gets
the first answer back. The number of statements does not depend on the size of the batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend import auth, metrics
from backend.platform import Platform
from backend.store import db, erasure, events
from backend.usecases import find_claims, judge_events, keep_packs, post_deeds, read_events, settle_deeds
from backend.usecases.judge_events import Judged, Person, Reporter
from backend.usecases.read_events import Malformed, Message
from backend.usecases.settle_deeds import Settlement
from rules import claims, explain
from rules.model import CLAIMED_ELSEWHERE, CODES, DUPLICATE_OF, MALFORMED, REFUSED, REPEATED

Verdict = dict[str, Any]
ERASED = 0  # the original of what repeats an erased event
_NAMED = ("pack_code", "pack_version", "region", "day", "started_at", "received_at", "claim_kind",
          "claim_mechanism")  # what explains a verdict  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prefetched:
    """What the database knows of a batch: the reporter, the people (locked), new ids, ids in use, claims of others.

    erased: the ids of messages whose events were erased.
    """

    reporter: Reporter
    people: Mapping[str, Person]
    event_ids: Sequence[int]
    taken: Mapping[bytes, events.Claim]
    firsts: Mapping[int, dict[str, Any]]
    erased: set[bytes]
    claimed: claims.Book


def ingest_events(platform: Platform, client_id: str, body: bytes, now: datetime) -> tuple[list[Verdict], bool]:
    """Judge a body of events; one verdict an event in order, and whether the body was a single event.

    Raises Problem json_invalid, batch_empty, batch_too_large.
    """
    items, single = read_events.read_events(body, platform.settings.batch_max, platform.standard.fact_names)
    keep_packs.keep_packs(platform)
    verdicts = platform.db.retrying(lambda conn: _ingest(conn, platform, client_id, items, now))
    metrics.count_verdicts(Counter((v["verdict"], v["code"]) for v in verdicts))
    return verdicts, single


def _ingest(
    conn: db.Connection, platform: Platform, client_id: str, items: Sequence[Message | Malformed], now: datetime
) -> list[Verdict]:
    secret, standard = platform.settings.secret, platform.standard
    messages = [item for item in items if isinstance(item, Message)]
    digests = [auth.digest(secret, "event", client_id, m.ref) for m in messages]
    have = _prefetch(conn, platform, client_id, messages, digests)
    distinct, repeated = _part_repeated(messages, digests, have)
    judged = [
        judge_events.judge_event(
            standard, secret, have.reporter, have.people.get(m.subject), m, event_id, now, have.claimed
        )
        for m, event_id in ((messages[i], event_id) for i, event_id in distinct.items())
    ]
    settlement = settle_deeds.settle_deeds(conn, standard, judged)
    now = settlement.moment(now)
    firsts = {j.event_id: first_of(j, settlement, now) for j in judged}
    ids = [(digests[i], messages[i].content_digest, e, messages[i].started_at) for i, e in distinct.items()]
    events.add_claims(conn, client_id, ids)
    reused = [_reused(messages[i], have.event_ids[i]) for i, original in repeated.items() if original is None]
    kept = firsts | {j.event_id: first_of(j, settlement, now) for j in reused}
    post_deeds.post_deeds(conn, platform, [*judged, *reused], settlement, kept, client_id, now)
    answer = _Answer(platform, client_id)
    told = iter(range(len(messages)))
    return [
        answer.malformed(item)
        if isinstance(item, Malformed)
        else answer.message(next(told), item, distinct, repeated, firsts, have)
        for item in items
    ]


def _prefetch(
    conn: db.Connection, platform: Platform, client_id: str, messages: Sequence[Message], digests: Sequence[bytes]
) -> Prefetched:
    """Lock the people in id order, then read; nothing read here can change before the commit."""
    events.begin(conn)
    reporter = Reporter(*events.find_reporter(conn, client_id))
    found = events.find_people(conn, client_id, {m.subject for m in messages})
    events.lock_people(conn, found.values())
    if events.find_merged(conn, found.values()):  # between the look and the lock
        raise db.ClaimLost
    ids = events.find_claims(conn, client_id, digests)
    firsts = events.find_events(conn, {(c.event_id, c.started_at) for c in ids.values()})
    erased = erasure.find_erased(conn, found.values(), client_id, digests)  # last: it says of what vanished meanwhile
    if erased.people:
        raise db.ClaimLost
    consents = events.find_consents(conn, found.values())
    people = {subject: Person(p, consents.get(p, ()), erased.opened.get(p)) for subject, p in found.items()}
    claimed = find_claims.find_claims(conn, platform, client_id, messages, found.values())
    return Prefetched(reporter, people, events.take_ids(conn, len(messages)), ids, firsts, erased.ids, claimed)


def _part_repeated(
    messages: Sequence[Message], digests: Sequence[bytes], have: Prefetched
) -> tuple[dict[int, int], dict[int, int | None]]:
    """Places of the new messages -> event id, and of the known ones -> original event id.

    None: of other content. ERASED: it is gone with its person.
    """
    distinct: dict[int, int] = {}
    repeated: dict[int, int | None] = {}
    seen = {digest: (c.content_digest, c.event_id) for digest, c in have.taken.items()}
    for i, (message, digest) in enumerate(zip(messages, digests, strict=True)):
        if digest in have.erased:
            repeated[i] = ERASED
        elif digest not in seen:
            distinct[i] = have.event_ids[i]
            seen[digest] = (message.content_digest, have.event_ids[i])
        else:
            content, original = seen[digest]
            repeated[i] = original if content == message.content_digest else None
    return distinct, repeated


def _reused(message: Message, event_id: int) -> Judged:
    """Another content under a used id: kept for audit, judged no further."""
    return Judged(message, event_id, "id_reused", "id")


def first_of(judged: Judged, settlement: Settlement, now: datetime) -> dict[str, Any]:
    """The first verdict of an event, as it is stored and answered."""
    fate = settlement.fates.get(judged.event_id)
    pack, region, record = judged.pack, judged.region, judged.record
    named = {
        "pack_code": pack.code if pack else None, "pack_version": pack.version if pack else None,
        "region": region.code if region else None, "day": record.day if record else None,
        "started_at": judged.message.started_at, "received_at": now,
        "claim_kind": judged.claim.kind if judged.claim else None,
        "claim_mechanism": judged.claim.mechanism if judged.claim else None,
    }  # fmt: skip
    if fate is None:
        return row(CODES[judged.code], judged.code, field=judged.field) | named
    o = fate.outcome
    field = judged.field if o.verdict == REFUSED else ""
    return row(o.verdict, o.code, o.stands, fate.deed_id, o.reduction_mg, o.points, field) | named


def row(
    verdict: str, code: str, stands: int | None = None, deed_id: int | None = None, reduction_mg: int = 0,
    points: int = 0, field: str = "",
) -> dict[str, Any]:  # fmt: skip
    """A verdict as it is stored, and as `verdict_of` takes it."""
    return {
        "verdict": verdict, "code": code, "stands_event": stands, "deed_id": deed_id,
        "reduction_mg": reduction_mg, "points": points, "field": field,
    }  # fmt: skip


class _Answer:
    """Verdicts as the partner sees them: deed names are handles that mean something to this partner only."""

    def __init__(self, platform: Platform, client_id: str) -> None:
        self._platform = platform
        self._client_id = client_id

    def malformed(self, item: Malformed) -> Verdict:
        return self._verdict(item.ref, row(MALFORMED, item.code, field=item.field)) | {"detail": item.detail}

    def message(
        self, place: int, message: Message, distinct: Mapping[int, int], repeated: Mapping[int, int | None],
        firsts: Mapping[int, dict[str, Any]], have: Prefetched,
    ) -> Verdict:  # fmt: skip
        if place in distinct:
            return self._verdict(message.ref, firsts[distinct[place]])
        original = repeated[place]
        if original is None:
            return self._verdict(message.ref, row(REFUSED, "id_reused", field="id"))
        if original == ERASED:  # as for anybody who is not known; under another subject it is another message
            known = message.subject in have.people
            code, field = ("id_reused", "id") if known else ("subject_unknown", "subject")
            return self._verdict(message.ref, row(REFUSED, code, field=field))
        first = firsts.get(original) or original_row(have.firsts[original])
        again = row(REPEATED, "resent", deed_id=first["deed_id"])
        again |= {name: first[name] for name in _NAMED}
        return self._verdict(message.ref, again) | {"original": self._verdict(message.ref, first)}

    def _verdict(self, ref: str | None, row: Mapping[str, Any]) -> Verdict:
        return verdict_of(self._platform, self._client_id, ref, row)


def original_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The first verdict of a stored event."""
    names = ("verdict", "code", "deed_id", "reduction_mg", "points", "field")
    return {name: row[f"first_{name}"] for name in names} | {name: row[name] for name in _NAMED}


def verdict_of(platform: Platform, client_id: str, ref: str | None, row: Mapping[str, Any]) -> Verdict:
    """The fixed shape of a verdict (design, section 9), without its reason, which depends on the reader's language."""
    deed = auth.handle(platform.settings.secret, client_id, row["deed_id"])
    verdict = {
        "id": ref,
        "verdict": row["verdict"],
        "code": row["code"],
        "deed": deed,
        "duplicate_of": deed if row["verdict"] == DUPLICATE_OF else None,
        "reduction_mg": row["reduction_mg"],
        "points": row["points"],
        "methodology": row.get("pack_code"),
        "version": row.get("pack_version"),
        "rule": explain.rule_of(platform.standard, row),
    }
    if row["code"] == CLAIMED_ELSEWHERE and row.get("claim_kind"):
        verdict |= {"conflict": claims.CONFLICTS[row["claim_kind"]], "mechanism": row["claim_mechanism"]}
    return verdict | ({"field": row["field"]} if row.get("field") else {})
