"""Persons and what is known of them: keys, linked partners, consents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("people")


def by_key(conn: db.Connection, key_digest: bytes) -> dict[str, Any] | None:
    """{person_id, created_at} of whom the key leads to."""
    return db.one(conn, SQL["by_key"], key_digest=key_digest)


def by_id(conn: db.Connection, person_id: int) -> dict[str, Any] | None:
    """{person_id, created_at}; None once erased."""
    return db.one(conn, SQL["by_id"], person_id=person_id)


def create(conn: db.Connection, key_digest: bytes, now: datetime) -> dict[str, Any]:
    """A new person under a key: {person_id, created_at}. Raises db.ClaimLost when another made it first."""
    conn.execute(SQL["beside_imports"])
    person = db.one(conn, SQL["create"], now=now)
    assert person is not None
    if not db.run(conn, SQL["add_key"], key_digest=key_digest, person_id=person["person_id"], now=now):
        raise db.ClaimLost
    return person


def partners(conn: db.Connection, person_id: int) -> list[dict[str, Any]]:
    """{client_id, name, linked_at} of each partner the person is linked to now."""
    return db.dicts(conn, SQL["partners"], person_id=person_id)


def consents(conn: db.Connection, person_id: int) -> list[dict[str, Any]]:
    """{purpose, given_at, withdrawn_at, text_version, source}, one a purpose: the latest."""
    return db.dicts(conn, SQL["consents"], person_id=person_id)
