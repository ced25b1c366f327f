"""A refresh token becomes new tokens, once. One that comes a second time was copied: its whole family ends."""

from __future__ import annotations

from datetime import datetime

from backend.errors import Problem
from backend.platform import Platform
from backend.store import db, people, sessions
from backend.usecases import log_in


def refresh_session(platform: Platform, refresh_token: str, now: datetime) -> log_in.Session:
    """New access and refresh tokens for an unused refresh token. Raises Problem `token_invalid` for any other."""
    digest = log_in.token_digest(refresh_token)

    def rotate(conn: db.Connection) -> log_in.Session | None:
        token = sessions.take(conn, digest)
        if token is None or token["revoked_at"] is not None or token["expires_at"] <= now:
            return None
        if token["used_at"] is not None:
            sessions.revoke_family(conn, token["family"], now)
            return None
        person = people.by_id(conn, token["person_id"])
        if person is None:
            return None
        sessions.mark_used(conn, digest, now)
        return log_in.grant(conn, platform.keys, token["family"], person["person_id"], person["created_at"], now)

    session = platform.db.retrying(rotate)  # the revocation is committed before anything is raised
    if session is None:
        raise Problem("token_invalid", "log in again")
    return session
