"""Statements of pools and batches."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("pools")
NEWEST = db.NEWEST


def pools(
    conn: db.Connection,
    *,
    region: str | None = None,
    pack_code: str | None = None,
    pack_version: str | None = None,
    vintage_month: date | None = None,
    after: str = "",
    limit: int = 1,
) -> list[dict[str, Any]]:
    """Pools with deeds in no batch yet, by id, with the totals of what closing would take now."""
    return db.dicts(
        conn, SQL["pools"], region=region, pack_code=pack_code, pack_version=pack_version,
        vintage_month=vintage_month, after=after, limit=limit,
    )  # fmt: skip


def close(conn: db.Connection, **batch: Any) -> int | None:
    """Make a batch of all poolable deeds of a key; its id, None when there are none. Ingest waits till the end."""
    conn.execute(SQL["hold_ingest_out"])
    made = db.one(conn, SQL["close"], **batch)
    if made is None:
        return None
    conn.execute(SQL["add_partners"], made)
    return int(made["batch_id"])


def add_cap(conn: db.Connection, **cap: Any) -> bool:
    """False when there is no such partner, or that month has a cap."""
    return db.run(conn, SQL["add_cap"], **cap) == 1


def caps(conn: db.Connection, client_id: str | None) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["caps"], client_id=client_id)


def batches(conn: db.Connection, before: int = NEWEST, limit: int = 1) -> list[dict[str, Any]]:
    """Batches with their last attestation and their issue, newest first."""
    return db.dicts(conn, SQL["batches"], batch_id=None, before=before, limit=limit)


def batch(conn: db.Connection, batch_id: int) -> dict[str, Any] | None:
    return db.one(conn, SQL["batches"], batch_id=batch_id, before=NEWEST, limit=1)


def is_frozen(conn: db.Connection, batch_id: int) -> bool:
    return bool(db.rows(conn, SQL["is_frozen"], batch_id=batch_id)[0][0])


def locked_batch(conn: db.Connection, batch_id: int) -> dict[str, Any] | None:
    """The batch, nobody else's to attest or issue till commit."""
    conn.execute(SQL["lock_batch"], {"batch_id": batch_id})
    return batch(conn, batch_id)


def add_attestation(
    conn: db.Connection, batch_id: int, verifier: str, statement: dict[str, Any], attested_at: datetime
) -> int:
    values = statement | {"sample": json.dumps(statement["sample"], ensure_ascii=False)}
    values |= {"batch_id": batch_id, "verifier": verifier, "attested_at": attested_at}
    return int(db.rows(conn, SQL["add_attestation"], **values)[0][0])


def find_carried(conn: db.Connection, batch_id: int) -> tuple[int | None, int]:
    """(batch, mg) of the remainder that waits in the batch's series; (None, 0) for the first. Others wait."""
    conn.execute(SQL["hold_issues_out"])
    found = db.one(conn, SQL["find_carried"], batch_id=batch_id)
    return (found["batch_id"], found["remainder_mg"]) if found else (None, 0)


def add_issue(conn: db.Connection, **issue: Any) -> None:
    conn.execute(SQL["add_issue"], issue)
