"""Statements of what clients are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("notices")
NEWEST = (datetime(9999, 1, 1, tzinfo=UTC), 0)


def add_notice(
    conn: db.Connection, client_id: str, kind: str, subject: str | None, body: dict[str, Any], at: datetime
) -> None:  # fmt: skip
    """Tell a client; a second notice of the same subject takes the first one's place."""
    text = json.dumps(body, ensure_ascii=False)
    conn.execute(SQL["add_notice"], {"client_id": client_id, "kind": kind, "subject": subject, "body": text, "at": at})


def notices(conn: db.Connection, client_id: str, before: tuple[datetime, int], limit: int) -> list[dict[str, Any]]:
    """{notice_id, kind, body, made_at}, newest first, before a place in the list."""
    return db.dicts(
        conn, SQL["notices"], client_id=client_id, made_at=before[0], notice_id=before[1], limit=limit
    )  # fmt: skip
