"""Statements of keyed requests: the answer stands in the transaction of its effect."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("idempotency")


def claim(conn: db.Connection, client_id: str, key: str, route: str, digest: bytes, made_at: datetime) -> bool:
    """Take the key; False when it is taken. Waits for a transaction that is taking it just now."""
    taken = db.run(
        conn, SQL["claim"], client_id=client_id, key=key, route=route, digest=digest, made_at=made_at
    )  # fmt: skip
    return taken == 1


def find(conn: db.Connection, client_id: str, key: str) -> tuple[str, bytes, Any]:
    """(route, request digest, answer) of a key that is taken."""
    route, digest, answer = db.rows(conn, SQL["find"], client_id=client_id, key=key)[0]
    return route, bytes(digest), answer


def keep(conn: db.Connection, client_id: str, key: str, answer: str) -> None:
    conn.execute(SQL["keep"], {"client_id": client_id, "key": key, "answer": answer})
