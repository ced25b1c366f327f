"""Statements about clients, their keys, and the people they bring."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("clients")


def add_client(conn: db.Connection, client_id: str, role: str, name: str, issuer: str | None) -> None:
    conn.execute(SQL["add_client"], {"client_id": client_id, "role": role, "name": name, "issuer": issuer})


def issuer_taken(conn: db.Connection, issuer: str) -> bool:
    return db.one(conn, SQL["issuer_taken"], issuer=issuer) is not None


def add_key(conn: db.Connection, client_id: str, jwk: Mapping[str, str]) -> None:
    conn.execute(SQL["add_key"], {"client_id": client_id, "kid": jwk["kid"], "jwk": json.dumps(jwk)})


def add_waiver(conn: db.Connection, client_id: str, waived_from: datetime, document: str) -> None:
    conn.execute(SQL["add_waiver"], {"client_id": client_id, "waived_from": waived_from, "document": document})


def add_ceiling(conn: db.Connection, client_id: str, event_type: str, tier: str) -> None:
    conn.execute(SQL["add_ceiling"], {"client_id": client_id, "event_type": event_type, "tier": tier})


def find_client(conn: db.Connection, client_id: str) -> dict[str, Any] | None:
    return db.one(conn, SQL["find_client"], client_id=client_id)


def list_clients(conn: db.Connection) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["list_clients"])


def find_keys(conn: db.Connection, client_id: str) -> list[dict[str, str]]:
    """The client's public keys that are not revoked, newest first."""
    return [jwk for (jwk,) in db.rows(conn, SQL["find_keys"], client_id=client_id)]


def all_keys(conn: db.Connection, client_id: str) -> list[tuple[dict[str, str], bool]]:
    """The client's public keys, each with whether it is revoked."""
    return [(jwk, is_revoked) for jwk, is_revoked in db.rows(conn, SQL["all_keys"], client_id=client_id)]


def revoke_key(conn: db.Connection, client_id: str, kid: str) -> bool:
    """False when it is no key in force of this client."""
    return db.run(conn, SQL["revoke_key"], client_id=client_id, kid=kid) == 1


def use_assertion(conn: db.Connection, digest: bytes, expires_s: int) -> bool:
    """True the first time an assertion is used."""
    return db.run(conn, SQL["use_assertion"], digest=digest, expires_s=expires_s) == 1


def lock_imports(conn: db.Connection) -> None:
    """One import of people at a time."""
    conn.execute(SQL["lock_imports"])


def find_links(conn: db.Connection, client_id: str, digests: Sequence[bytes]) -> dict[bytes, tuple[int, str]]:
    """partner_ref digest -> (person id, subject)."""
    rows = db.rows(conn, SQL["find_links"], client_id=client_id, digests=list(digests))
    return {digest: (person_id, subject) for digest, person_id, subject in rows}


def find_person_keys(conn: db.Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    return dict(db.rows(conn, SQL["find_person_keys"], digests=list(digests)))


def add_people(conn: db.Connection, n: int) -> list[int]:
    return [person_id for (person_id,) in db.rows(conn, SQL["add_people"], n=n)]


def add_person_keys(conn: db.Connection, keys: Mapping[bytes, int]) -> None:
    if keys:
        conn.execute(SQL["add_person_keys"], {"digests": list(keys), "people": list(keys.values())})


def add_links(conn: db.Connection, client_id: str, links: Mapping[bytes, tuple[int, str]]) -> None:
    if links:
        people, subjects = zip(*links.values(), strict=True)
        values = {"client_id": client_id, "digests": list(links), "people": list(people), "subjects": list(subjects)}
        conn.execute(SQL["add_links"], values)


def add_consents(
    conn: db.Connection, people: Sequence[int], purposes: Sequence[str], given_at: datetime, text_version: str,
    source: str, evidence_digest: str,
) -> None:  # fmt: skip
    """Record a choice for each person and purpose that has none in force."""
    values = {"people": list(people), "purposes": list(purposes), "given_at": given_at, "text_version": text_version,
              "source": source, "evidence_digest": evidence_digest}  # fmt: skip
    conn.execute(SQL["add_consents"], values)
