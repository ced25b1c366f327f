"""Refresh tokens, by their digests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("sessions")


def keep(
    conn: db.Connection, digest: bytes, family: bytes, person_id: int, now: datetime, expires_at: datetime
) -> None:
    db.run(conn, SQL["keep"], digest=digest, family=family, person_id=person_id, now=now, expires_at=expires_at)


def take(conn: db.Connection, digest: bytes) -> dict[str, Any] | None:
    """The token's row {family, person_id, expires_at, used_at, revoked_at}, locked; None when there is none."""
    return db.one(conn, SQL["take"], digest=digest)


def mark_used(conn: db.Connection, digest: bytes, now: datetime) -> None:
    db.run(conn, SQL["mark_used"], digest=digest, now=now)


def revoke_family(conn: db.Connection, family: bytes, now: datetime) -> None:
    db.run(conn, SQL["revoke_family"], family=family, now=now)


def forget_expired(conn: db.Connection, person_id: int, now: datetime) -> None:
    db.run(conn, SQL["forget_expired"], person_id=person_id, now=now)
