"""Statements of a batch's dossier."""

from __future__ import annotations

from typing import Any

from backend.store import db, statements

SQL = statements.of("dossier")


def tiers(conn: db.Connection, batch_id: int) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["tiers"], batch_id=batch_id)


def partners(conn: db.Connection, batch_id: int) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["partners"], batch_id=batch_id)


def spread(conn: db.Connection, batch_id: int) -> dict[str, Any]:
    return _one(conn, "spread", batch_id=batch_id)


def people(conn: db.Connection, batch_id: int) -> dict[str, Any]:
    return _one(conn, "people", batch_id=batch_id)


def quality(conn: db.Connection, batch_id: int) -> dict[str, Any]:
    return _one(conn, "quality", batch_id=batch_id)


def verdicts(conn: db.Connection, batch_id: int) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["verdicts"], batch_id=batch_id)


def outliers(conn: db.Connection, batch_id: int, beyond_mg: int) -> dict[str, Any]:
    return _one(conn, "outliers", batch_id=batch_id, beyond_mg=beyond_mg)


def repeats(conn: db.Connection, batch_id: int) -> dict[str, Any]:
    return _one(conn, "repeats", batch_id=batch_id)


def busy(conn: db.Connection, batch_id: int, a_day: int) -> dict[str, Any]:
    return _one(conn, "busy", batch_id=batch_id, a_day=a_day)


def sample(conn: db.Connection, batch_id: int, seed: str, size: int) -> list[dict[str, Any]]:
    """{deed_id, version, person_id, reduction_mg} of deeds drawn by a seed."""
    return db.dicts(conn, SQL["sample"], batch_id=batch_id, seed=seed, size=size)


def _one(conn: db.Connection, name: str, **values: Any) -> dict[str, Any]:
    found = db.one(conn, SQL[name], **values)
    assert found is not None
    return found
