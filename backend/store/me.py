"""What a person sees of their own rows; every statement is bound to one person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("me")


def totals(conn: db.Connection, person_id: int) -> dict[str, int]:
    """{reduction_mg, points}: the person's balances, out of the transfers."""
    found = db.one(conn, SQL["totals"], person_id=person_id)
    assert found is not None
    return found


def days(
    conn: db.Connection, person_id: int, deed_reasons: Sequence[str], before: date, limit: int
) -> list[dict[str, Any]]:
    """{on_day, points, reduction_mg} of the days before `before` on which anything moved, newest first.

    deed_reasons: the reasons of transfers whose reference is a deed; they count on that deed's own day.
    """
    values = {"person_id": person_id, "deed_reasons": list(deed_reasons), "before": before, "limit": limit}
    return db.dicts(conn, SQL["days"], **values)


def deeds(conn: db.Connection, person_id: int, started_at: datetime, event_id: int, limit: int) -> list[dict[str, Any]]:
    """The person's events before the place (started_at, event_id), newest first, with their current verdict."""
    return db.dicts(conn, SQL["deeds"], person_id=person_id, started_at=started_at, event_id=event_id, limit=limit)


def deed_version(conn: db.Connection, person_id: int, deed_id: int) -> dict[str, Any] | None:
    """{deed_id, version, batch_id} of one of the person's standing deeds."""
    return db.one(conn, SQL["deed_version"], person_id=person_id, deed_id=deed_id)


def pack_json(conn: db.Connection, sha256: str) -> str | None:
    """The canonical text of a pack that has been used here, by its hash."""
    found = db.one(conn, SQL["pack_json"], sha256=sha256)
    return found["pack_json"] if found else None
