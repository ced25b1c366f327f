"""A citizen leaves: the session's refresh tokens end. The access token runs out by itself within minutes."""

from __future__ import annotations

from datetime import datetime

from backend.platform import Platform
from backend.store import sessions
from backend.usecases import log_in


def log_out(platform: Platform, refresh_token: str, now: datetime) -> None:
    """End the session of a refresh token; nothing to do, and no error, for one that is not known."""
    with platform.db.transaction() as conn:
        token = sessions.take(conn, log_in.token_digest(refresh_token))
        if token is not None:
            sessions.revoke_family(conn, token["family"], now)
