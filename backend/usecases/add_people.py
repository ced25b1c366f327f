"""The operator imports the people of a partner: persons, links, and the consents the partner collected."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime

from backend import auth
from backend.platform import Platform
from backend.store import clients, db

CHUNK = 5000
Row = tuple[str, str | None]  # the partner's own id, and the login provider's id where known


def add_people(
    platform: Platform, client_id: str, rows: Sequence[Row], *, purposes: Sequence[str], consented_at: datetime,
    text_version: str, evidence: bytes,
) -> Iterator[tuple[str, int, str]]:  # fmt: skip
    """Yield (partner_ref, person id, subject) for each row, in order. Importing the same ids again changes nothing.

    evidence: the document of the consents; its digest is kept. Raises ValueError for a client that is no partner.
    """
    with platform.db.transaction() as conn:
        client = clients.find_client(conn, client_id)
    if client is None or client["role"] != "partner":
        raise ValueError(f"{client_id!r} is not a partner: see `tanpuhui clients list`")
    digest = hashlib.sha256(evidence).hexdigest()
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        with platform.db.transaction() as conn:
            clients.lock_imports(conn)
            linked = _link(conn, platform.settings.secret, client_id, chunk)
            people = sorted({person_id for person_id, _ in linked.values()})
            clients.add_consents(conn, people, purposes, consented_at, text_version, client_id, digest)
        for partner_ref, _ in chunk:
            yield partner_ref, *linked[partner_ref]


def _link(conn: db.Connection, secret: str, client_id: str, rows: Sequence[Row]) -> dict[str, tuple[int, str]]:
    """partner_ref -> (person id, subject), known or new."""
    refs = {ref: auth.digest(secret, "partner_ref", client_id, ref) for ref, _ in rows}
    keys = {ref: auth.person_digest(secret, provider_id) for ref, provider_id in rows if provider_id}
    links = clients.find_links(conn, client_id, list(refs.values()))
    people = clients.find_person_keys(conn, list(keys.values()))
    missing = [ref for ref, digest in refs.items() if digest not in links]
    wanted = list(dict.fromkeys(keys.get(ref, refs[ref]) for ref in missing if keys.get(ref) not in people))
    created = dict(zip(wanted, clients.add_people(conn, len(wanted)), strict=True))
    for ref, digest in refs.items():  # linked before without a login: now they can log in
        if ref in keys and digest in links and keys[ref] not in people:
            created[keys[ref]] = links[digest][0]
    known = set(keys.values())
    clients.add_person_keys(conn, {key: person for key, person in created.items() if key in known})
    people |= created
    fresh = {refs[ref]: (people[keys.get(ref, refs[ref])], _new_subject()) for ref in missing}
    clients.add_links(conn, client_id, fresh)
    links |= fresh
    return {ref: links[digest] for ref, digest in refs.items()}


def _new_subject() -> str:
    """A pairwise subject: random, stored, never reissued."""
    return base64.b32encode(secrets.token_bytes(15)).decode().lower()
