"""Statements of frozen batches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from backend.store import db, statements

SQL = statements.of("freezes")


def freeze(conn: db.Connection, reasons: Mapping[int, str], at: datetime) -> list[int]:
    """Freeze these batches, batch -> why; those that were not frozen, nor lifted from the same reason, before."""
    rows = db.rows(conn, SQL["freeze"], batches=list(reasons), reasons=list(reasons.values()), at=at)
    return [batch_id for (batch_id,) in rows]


def lift(conn: db.Connection, batch_id: int, by: str, note: str, at: datetime) -> bool:
    """False when the batch was not frozen."""
    return db.run(conn, SQL["lift"], batch_id=batch_id, by=by, note=note, at=at) == 1
