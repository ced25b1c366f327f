"""Statements of the audit that hold the tables against one another; each can be run by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backend.store import audit, db, statements

SQL = statements.of("audit_books")


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of tables that do not fit, `<table> <key>`, and what of them. rows None: how many were looked at.

    found None: it is missing. expected None: nothing explains it.
    """

    rows: list[str] | None
    what: str
    found: str | None
    expected: str | None


def differences(conn: db.Connection, name: str) -> Iterator[Difference]:
    for row in audit.stream(conn, SQL[name]):
        yield Difference(*row)
