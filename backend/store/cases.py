"""Statements of reviews and appeals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("cases")


def open_cases(conn: db.Connection, roots: Sequence[int], kind: str, opened_by: str, words: str, now: datetime) -> int:
    """Open a case about each event (as first sent) that has none open; how many were opened."""
    if not roots:
        return 0
    return db.run(
        conn, SQL["open_cases"], roots=list(roots), kind=kind, opened_by=opened_by, words=words, now=now
    )  # fmt: skip


def list_cases(conn: db.Connection, after: int, limit: int) -> list[dict[str, Any]]:
    """Open cases, oldest first."""
    return db.dicts(conn, SQL["list_cases"], after=after, limit=limit)


def lock_case(conn: db.Connection, case_id: int) -> dict[str, Any] | None:
    return db.one(conn, SQL["lock_case"], case_id=case_id)


def decide_case(conn: db.Connection, case_id: int, decision: str, decided_by: str, note: str, now: datetime) -> None:
    values = {"case_id": case_id, "decision": decision, "decided_by": decided_by, "note": note, "now": now}
    conn.execute(SQL["decide_case"], values)


def find_own_event(conn: db.Connection, person_id: int, event_id: int) -> int | None:
    """The root of an event of this person, None when it is not theirs."""
    found = db.one(conn, SQL["find_own_event"], person_id=person_id, event_id=event_id)
    return found["root_id"] if found else None
