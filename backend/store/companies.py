"""Statements of companies: legal entities, partners inside their boundary, transfers of what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("companies")
NEWEST = db.NEWEST


def add_entity(
    conn: db.Connection, client_id: str, uscc: str, name: str, name_en: str | None, at: datetime
) -> bool:  # fmt: skip
    """Note an entity's first use; False when it is known."""
    values = {"client_id": client_id, "uscc": uscc, "name": name, "name_en": name_en, "at": at}
    return db.run(conn, SQL["add_entity"], **values) == 1


def entity(conn: db.Connection, uscc: str) -> dict[str, Any] | None:
    return db.one(conn, SQL["entities"], uscc=uscc, state=None, client_id=None, after="", limit=1)


def entities(
    conn: db.Connection, state: str | None, client_id: str | None, after: str, limit: int
) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["entities"], uscc=None, state=state, client_id=client_id, after=after, limit=limit)


def decide_entity(conn: db.Connection, **decision: Any) -> bool:
    return db.run(conn, SQL["decide_entity"], **decision) == 1


def add_own_partner(conn: db.Connection, client_id: str, partner_id: str, at: datetime) -> bool:
    """False when it is declared already, or no partner."""
    return db.run(conn, SQL["add_own_partner"], client_id=client_id, partner_id=partner_id, at=at) == 1


def end_own_partner(conn: db.Connection, client_id: str, partner_id: str, by: str, at: datetime) -> bool:
    return db.run(conn, SQL["end_own_partner"], client_id=client_id, partner_id=partner_id, by=by, at=at) == 1


def own_partners(conn: db.Connection, client_id: str) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["own_partners"], client_id=client_id)


def partners(conn: db.Connection) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["partners"])


def own_shares(conn: db.Connection, client_id: str, batches: Sequence[int]) -> dict[int, tuple[int, int]]:
    """batch -> (mg that came through the company's own partners, mg in all); batches without any are left out."""
    found = db.rows(conn, SQL["own_shares"], client_id=client_id, batches=list(batches))
    return {batch_id: (int(own_mg or 0), int(all_mg)) for batch_id, own_mg, all_mg in found}


def add_transfer(conn: db.Connection, **transfer: Any) -> int:
    return int(db.rows(conn, SQL["add_transfer"], **transfer)[0][0])


def company_exists(conn: db.Connection, client_id: str) -> bool:
    return bool(db.rows(conn, SQL["company_exists"], client_id=client_id)[0][0])


def transfers(conn: db.Connection, client_id: str, before: int, limit: int) -> list[dict[str, Any]]:
    """A company's transfers, given and received, newest first."""
    return db.dicts(conn, SQL["transfers"], client_id=client_id, before=before, limit=limit)
