"""Statements of the scheduler."""

from __future__ import annotations

from datetime import datetime

from backend.store import db, statements

SQL = statements.of("maintenance")


def is_my_round(conn: db.Connection) -> bool:
    """True when no other scheduler is at work; holds others out till the transaction ends."""
    return bool(db.rows(conn, SQL["is_my_round"])[0][0])


def forget_assertions(conn: db.Connection, now: datetime) -> int:
    return db.run(conn, SQL["forget_assertions"], now=now)
