"""The facts that the log tells, one statement a kind; deeds and keys are told in their own way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.store import db, statements

SQL = statements.of("facts")
KINDS = tuple(SQL)


def facts(conn: db.Connection, name: str, ids: Sequence[int] | None) -> list[dict[str, Any]]:
    """{ref_id, ref_no, salt, public, row} of facts of a kind, by id; None: all. salt: None of whom was erased."""
    return db.dicts(conn, SQL[name], ids=None if ids is None else list(ids))
