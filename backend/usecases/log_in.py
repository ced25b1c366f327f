"""A citizen comes in: the provider's one-time code becomes a person and our own tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend import auth, identity
from backend.platform import Platform
from backend.store import db, erasure, people, sessions


@dataclass(frozen=True, slots=True)
class Session:
    """What the app keeps: a short-lived access token, and a refresh token that is good for one use."""

    access_token: str
    refresh_token: str
    person_id: int
    since: datetime
    expires_in: int = auth.ACCESS_S
    token_type: str = "Bearer"


def log_in(platform: Platform, provider: str, code: str, now: datetime) -> Session:
    """Exchange the code and open a session; the first login of an identity makes its person.

    Raises Problem `code_invalid`, `provider_unavailable`.
    """
    who = identity.exchange(platform.settings, provider, code)
    key_digest = auth.person_digest(platform.settings.secret, who.stable_id)

    def open_session(conn: db.Connection) -> Session:
        person = people.by_key(conn, key_digest) or people.create(conn, key_digest, now)
        sessions.forget_expired(conn, person["person_id"], now)
        return grant(conn, platform.keys, secrets.token_bytes(16), person["person_id"], person["created_at"], now)

    return platform.db.retrying(open_session)


def grant(
    conn: db.Connection,
    keys: Sequence[auth.SigningKey],
    family: bytes,
    person_id: int,
    since: datetime,
    now: datetime,
) -> Session:
    """New tokens of one family of sessions; the refresh token is kept as a digest only.

    Raises ClaimLost when the person was erased meanwhile: whoever comes with the same login now opens a new account.
    """
    if not erasure.hold_person(conn, person_id):
        raise db.ClaimLost
    refresh_token = secrets.token_urlsafe(32)
    expires_at = now + timedelta(seconds=auth.REFRESH_S)
    sessions.keep(conn, token_digest(refresh_token), family, person_id, now, expires_at)
    return Session(auth.issue_token(keys, auth.CITIZEN, str(person_id), now), refresh_token, person_id, since)


def token_digest(refresh_token: str) -> bytes:
    """What is kept of a refresh token. The token is 256 random bits, so a plain hash hides it."""
    return hashlib.sha256(refresh_token.encode()).digest()
