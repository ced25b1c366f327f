"""Other mechanisms' claims that may meet a batch: two small statements when nobody claims anything, else three."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from backend import auth
from backend.platform import Platform
from backend.store import claims as store
from backend.store import db, events
from backend.usecases import judge_events
from backend.usecases.judge_events import Judged
from backend.usecases.read_events import Message
from rules import claims

_DAY = timedelta(days=1)  # wherever a region's midnight is


def find_claims(
    conn: db.Connection, platform: Platform, client_id: str, messages: Sequence[Message], people: Iterable[int]
) -> claims.Book:
    """The claims on the numbers, assets, operator, activities and days of these messages, of these persons' deeds.

    Ingest must have been begun (it holds imports out): what is read here holds until the commit.
    """
    mechanisms = store.find_mechanisms(conn) if messages else []
    if not mechanisms:
        return claims.NONE
    secret = platform.settings.secret
    numbers = {n for m in messages for n in (m.act, m.prior) if n}
    own = {number: judge_events.number_digest(secret, number)[1] for number in numbers}
    exchanged = _exchanged(secret, mechanisms, own)
    assets = {judge_events.asset_digest(secret, client_id, m.asset_ref) for m in messages}
    found = store.find_claims(
        conn, client_id, sorted({m.event_type for m in messages}),
        (min(m.started_at for m in messages) - _DAY).date(), (max(m.started_at for m in messages) + _DAY).date(),
        acts=[d for d in own.values() if d], exchanged=exchanged, assets=[a for a in assets if a],
    )  # fmt: skip
    return _book(conn, found, exchanged, people) if found else claims.NONE


def find_claims_on(conn: db.Connection, judged: Judged) -> claims.Book:
    """The claims on one record whose numbers are known as digests only: exchange digests cannot be compared."""
    record, person_id = judged.record, judged.person_id
    if record is None or person_id is None:
        return claims.NONE
    found = store.find_claims(
        conn, record.client_id, [judged.message.event_type], record.day, record.day,
        acts=[digest for _, digest in record.acts], exchanged=(), assets=[record.asset] if record.asset else (),
    )  # fmt: skip
    return _book(conn, found, {}, [person_id])


def key_of(secret: str, mechanism: str, sealed: bytes | None) -> bytes:
    """The key shared with a mechanism: the one it gave us, else the one we offer."""
    return auth.unseal(secret, sealed) if sealed else auth.exchange_key(secret, mechanism)


def _exchanged(
    secret: str, mechanisms: Iterable[tuple[str, bool, bytes | None]], own: dict[tuple[str, str], bytes | None]
) -> dict[bytes, bytes]:
    """Each number as each mechanism that lists exchange digests writes it -> as we write it."""
    keys = [key_of(secret, mechanism, sealed) for mechanism, by_exchange, sealed in mechanisms if by_exchange]
    names = {auth.act_name(*number): digest for number, digest in own.items()} if keys else {}
    return {auth.exchange_digest(key, name): digest for name, digest in names.items() for key in keys if digest}


def _book(
    conn: db.Connection, found: Sequence[dict[str, Any]], exchanged: dict[bytes, bytes], people: Iterable[int]
) -> claims.Book:
    by_number: dict[bytes, list[claims.Claim]] = defaultdict(list)
    for row in found:
        if row["from_on"] is None:
            claim = claims.Claim(row["claim_id"], row["mechanism"], row["kind"])
            by_number[row["act_digest"] or exchanged[row["exchange_digest"]]].append(claim)
    known: dict[int, list[claims.Known]] = defaultdict(list)
    for claim_id, person_id, started_at, ended_at in store.find_known(conn, [r["claim_id"] for r in found], people):
        known[claim_id].append(claims.Known(person_id, events.micros(started_at), events.micros(ended_at)))
    return claims.Book(by_number, spans([r for r in found if r["from_on"] is not None]), known)


def spans(rows: Iterable[dict[str, Any]]) -> dict[bytes | None, list[claims.Claim]]:
    """Claims on spans of days, by the asset they are of."""
    by_asset: dict[bytes | None, list[claims.Claim]] = defaultdict(list)
    for row in rows:
        scope = claims.Scope(
            row["client_id"], row["asset_digest"], row["event_type"], row["region_prefix"], row["from_on"], row["to_on"]
        )
        by_asset[scope.asset].append(claims.Claim(row["claim_id"], row["mechanism"], row["kind"], scope))
    return by_asset
