"""client_credentials with an RFC 7523 client assertion."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import clients


def issue_token(platform: Platform, assertion: str, audiences: Sequence[str], now: datetime) -> str:
    """A short-lived access token for the client that signed the assertion. An assertion works once.

    Raises Problem assertion_invalid.
    """
    client_id = auth.assertion_subject(assertion)
    with platform.db.transaction() as conn:
        client = clients.find_client(conn, client_id)
        if client is None:
            raise Problem("assertion_invalid", "sub names no client of this platform")
        expires_s = auth.check_assertion(assertion, client_id, clients.find_keys(conn, client_id), audiences)
        if not clients.use_assertion(conn, hashlib.sha256(assertion.encode()).digest(), expires_s + auth.LEEWAY_S):
            raise Problem("assertion_invalid", "this assertion was used before: sign a new one, with a new jti")
    return auth.issue_token(platform.keys, client["role"], client_id, now)
