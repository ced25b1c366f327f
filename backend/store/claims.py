"""Statements of other mechanisms' claims: lists, what they meet, keys, and what is exported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import tuple_row

from backend.store import db, statements

SQL = statements.of("claims")

Met = tuple[int, int, datetime]  # a claim, an event that it meets, and when that began


@dataclass(frozen=True, slots=True)
class Row:
    """A claim as it is stored: by a number's digest, or by a span of days."""

    line: int
    mechanism: str
    kind: str
    row_digest: bytes
    document: str
    act_issuer: str | None = None
    act_digest: bytes | None = None
    exchange_digest: bytes | None = None
    client_id: str | None = None
    asset_digest: bytes | None = None
    event_type: str | None = None
    region_prefix: str | None = None
    from_on: date | None = None
    to_on: date | None = None


def hold_ingest_out(conn: db.Connection) -> None:
    """Wait for the batches that are being judged, and let none begin until the commit."""
    conn.execute(SQL["hold_ingest_out"])


def find_mechanisms(conn: db.Connection) -> list[tuple[str, bool, bytes | None]]:
    """Mechanisms with a list in force: (name, by exchange digests, sealed key they gave us)."""
    return [(name, by_exchange, sealed) for name, by_exchange, sealed in db.rows(conn, SQL["find_mechanisms"])]


def find_claims(
    conn: db.Connection, client_id: str, types: Sequence[str], first_on: date, last_on: date,
    acts: Iterable[bytes], exchanged: Iterable[bytes], assets: Iterable[bytes],
) -> list[dict[str, Any]]:  # fmt: skip
    """Claims in force that may meet events of this client, these types, days, numbers and assets."""
    return db.dicts(
        conn, SQL["find_claims"], client_id=client_id, types=list(types), first_on=first_on, last_on=last_on,
        acts=list(acts), exchanged=list(exchanged), assets=list(assets),
    )  # fmt: skip


def find_known(
    conn: db.Connection, claims: Iterable[int], people: Iterable[int]
) -> list[tuple[int, int, datetime, datetime]]:
    """(claim, person, started_at, ended_at) of deeds credited before these claims came."""
    found = db.rows(conn, SQL["find_known"], claims=list(claims), people=list(people))
    return [(claim_id, person_id, start, end) for claim_id, person_id, start, end in found]


def find_rows(conn: db.Connection, digests: Iterable[bytes]) -> set[bytes]:
    return {d for (d,) in db.rows(conn, SQL["find_rows"], digests=list(digests))}


def find_operators(conn: db.Connection) -> dict[str, str]:
    """Client id and issuer name -> client id, of all partners."""
    found = db.rows(conn, SQL["find_operators"])
    return {issuer: client_id for client_id, issuer in found if issuer} | {
        client_id: client_id for client_id, _ in found
    }


def add_list(
    conn: db.Connection, mechanism: str, source: str, rows: Sequence[Row], imported_by: str, now: datetime
) -> int:
    """A list with its rows; its id."""
    values = {"mechanism": mechanism, "source": source, "imported_by": imported_by, "now": now}
    by_exchange = any(r.exchange_digest is not None for r in rows)
    [(list_id,)] = db.rows(conn, SQL["add_list"], by_exchange=by_exchange, **values)
    db.copy(conn, SQL["add_claims"], [(
        list_id, r.line, r.mechanism, r.kind, r.row_digest, r.act_issuer, r.act_digest, r.exchange_digest, r.client_id,
        r.asset_digest, r.event_type, r.region_prefix, r.from_on, r.to_on, r.document,
    ) for r in rows])  # fmt: skip
    return int(list_id)


def find_unscanned(conn: db.Connection) -> list[tuple[int, str, bool]]:
    """Lists whose credited deeds have not been looked for: (list, mechanism, by exchange digests)."""
    conn.execute(SQL["take_time"])
    return [(list_id, mechanism, exchanged) for list_id, mechanism, exchanged in db.rows(conn, SQL["find_unscanned"])]


def find_by_number(conn: db.Connection, list_id: int) -> list[tuple[int, str, bytes]]:
    return [(c, issuer, digest) for c, issuer, digest in db.rows(conn, SQL["find_by_number"], list_id=list_id)]


def find_by_exchange(conn: db.Connection, list_id: int) -> dict[bytes, int]:
    return dict(db.rows(conn, SQL["find_by_exchange"], list_id=list_id))


def stream_sealed(conn: db.Connection) -> Iterator[tuple[str, bytes, bytes]]:
    """(issuer, digest, sealed) of every number in use, without holding them all."""
    with conn.cursor("sealed", row_factory=tuple_row) as cursor:
        cursor.itersize = 10_000
        yield from cursor.execute(SQL["stream_sealed"])


def find_events_by_number(conn: db.Connection, named: Sequence[tuple[int, str, bytes]]) -> list[Met]:
    """Events that count, or repeat one that counts, under these numbers."""
    if not named:
        return []
    claims, issuers, digests = (list(column) for column in zip(*named, strict=True))
    found = db.rows(conn, SQL["find_events_by_number"], claims=claims, issuers=issuers, digests=digests)
    return [(claim_id, event_id, started_at) for claim_id, event_id, started_at in found]


def find_spans(conn: db.Connection, list_id: int) -> list[dict[str, Any]]:
    """The claims of a list that are of a span of days."""
    return db.dicts(conn, SQL["find_spans"], list_id=list_id)


def stream_events(
    conn: db.Connection, first_on: date, last_on: date, clients: Sequence[str] | None, types: Sequence[str] | None,
    assets: Sequence[bytes] | None,
) -> Iterator[tuple[int, datetime, str, str, str, date, bytes | None]]:  # fmt: skip
    """(event, started_at, client, type, region, day, asset) of what counts, or repeats what counts; None: any."""
    values = {"first_on": first_on, "last_on": last_on, "clients": clients, "types": types, "assets": assets}
    with conn.cursor("counted", row_factory=tuple_row) as cursor:
        cursor.itersize = 10_000
        yield from cursor.execute(SQL["stream_events"], values)


def add_conflicts(conn: db.Connection, met: Sequence[Met], now: datetime) -> list[tuple[int, int]]:
    """Note the credited deeds behind these events; the new ones as (claim, event as first sent)."""
    values = {"claims": [m[0] for m in met], "events": [m[1] for m in met], "starts": [m[2] for m in met], "now": now}
    return [(claim_id, root_id) for claim_id, root_id in db.rows(conn, SQL["add_conflicts"], **values)]


def find_kinds(conn: db.Connection, claims: Iterable[int]) -> dict[int, str]:
    return dict(db.rows(conn, SQL["find_kinds"], claims=list(claims)))


def add_scan(conn: db.Connection, list_id: int, now: datetime) -> None:
    conn.execute(SQL["add_scan"], {"list_id": list_id, "now": now})


def list_conflicts(conn: db.Connection, after: int, limit: int, list_id: int | None = None) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["list_conflicts"], after=after, limit=limit, list_id=list_id)


def find_claim_on(conn: db.Connection, root_id: int) -> dict[str, Any] | None:
    return db.one(conn, SQL["find_claim_on"], root_id=root_id)


def list_lists(conn: db.Connection, after: int, limit: int) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["list_lists"], after=after, limit=limit)


def list_exists(conn: db.Connection, list_id: int) -> bool:
    return db.one(conn, SQL["find_list"], list_id=list_id) is not None


def add_withdrawal(conn: db.Connection, list_id: int, reason: str, withdrawn_by: str, now: datetime) -> bool:
    """False when it was withdrawn before."""
    values = {"list_id": list_id, "reason": reason, "withdrawn_by": withdrawn_by, "now": now}
    return db.run(conn, SQL["add_withdrawal"], **values) == 1


def find_key(conn: db.Connection, mechanism: str) -> bytes | None:
    """The sealed key that a mechanism gave us."""
    found = db.one(conn, SQL["find_key"], mechanism=mechanism)
    return found["sealed"] if found else None


def has_exchanged(conn: db.Connection, mechanism: str) -> bool:
    return db.one(conn, SQL["has_exchanged"], mechanism=mechanism) is not None


def add_key(conn: db.Connection, mechanism: str, sealed: bytes, now: datetime) -> bool:
    return db.run(conn, SQL["add_key"], mechanism=mechanism, sealed=sealed, now=now) == 1


def list_deeds(conn: db.Connection, prefix: str, month: date, after: int, limit: int) -> list[dict[str, Any]]:
    """Deeds that stand: deed_id, batch_id, issued, and the sealed numbers of all their records."""
    conn.execute(SQL["take_time"])
    return db.dicts(conn, SQL["list_deeds"], prefix=prefix, month=month, after=after, limit=limit)
