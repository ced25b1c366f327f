"""Statements of conservation: each identity live from the tables."""

from __future__ import annotations

from typing import Any

from backend.store import db, statements

SQL = statements.of("conservation")


def identity(conn: db.Connection, name: str) -> list[tuple[str, int, int]]:
    """(scope, left, right) of each row of an identity; they are equal where it holds."""
    return [(str(scope), int(left), int(right)) for scope, left, right in db.rows(conn, SQL[name])]


def batches(conn: db.Connection) -> list[dict[str, Any]]:
    """The figures of each batch; `places` is account -> grams."""
    return db.dicts(conn, SQL["batches"])
