"""Statements of corrections and merges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("corrections")


@dataclass(frozen=True, slots=True)
class Latest:
    """An event as first sent (root_id), as it stands: the row that counts now, or that counted last if withdrawn.

    holder_id: the person whose events it is settled among; person_id: the account, before any merge.
    """

    root_id: int
    event_id: int
    started_at: datetime
    ended_at: datetime
    received_at: datetime
    event_ref: str
    event_type: str
    client_id: str
    person_id: int | None
    holder_id: int
    klass: str | None
    region: str | None
    day: date | None
    evidence: str | None
    pack_code: str | None
    pack_version: str | None
    act_issuer: str | None
    act_digest: bytes | None
    prior_issuer: str | None
    prior_digest: bytes | None
    asset_digest: bytes | None
    facts: dict[str, int | str] | None
    refusal: str
    measured_mg: int
    points_micro: int
    cap_mg: int | None
    cap_points: int | None
    apart_roots: list[int] | None
    verdict: str
    code: str
    stands: int | None
    version: int
    seq: int
    content_digest: bytes | None
    withdrawn: bool


def find_latest(conn: db.Connection, roots: Iterable[int]) -> dict[int, Latest]:
    """root id -> what holds of it now, for events as first sent."""
    rows = db.dicts(conn, SQL["find_latest"], roots=list(roots))
    return {row["root_id"]: Latest(**row) for row in rows}


def find_standing(conn: db.Connection, roots: Iterable[int]) -> dict[int, dict[str, Any]]:
    """root id -> the verdict that holds, as `ingest_events.verdict_of` takes it."""
    return {row["root_id"]: row for row in db.dicts(conn, SQL["find_standing"], roots=list(roots))}


def find_persons(conn: db.Connection, accounts: Sequence[int]) -> dict[int, int]:
    """account -> the person it belongs to."""
    return dict(db.rows(conn, SQL["find_persons"], accounts=list(accounts)))


def add_corrections(conn: db.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    db.copy(conn, SQL["add_corrections"], rows)


def person_exists(conn: db.Connection, person_id: int) -> bool:
    return db.one(conn, SQL["find_person"], person_id=person_id) is not None


def add_aliases(
    conn: db.Connection, person_id: int, merged_id: int, by_client: str, reason: str, now: datetime
) -> None:
    """From now on `merged_id`, and whoever was merged into it, is `person_id`."""
    values = {"person_id": person_id, "merged_id": merged_id, "by_client": by_client, "reason": reason, "now": now}
    conn.execute(SQL["add_aliases"], values)


def find_classes(conn: db.Connection, person_id: int) -> list[str]:
    return [klass for (klass,) in db.rows(conn, SQL["find_classes"], person_id=person_id)]


def find_root(conn: db.Connection, event_id: int) -> int:
    """The event as first sent of which this is a row."""
    [(root_id,)] = db.rows(conn, SQL["find_root"], event_id=event_id)
    return int(root_id)
