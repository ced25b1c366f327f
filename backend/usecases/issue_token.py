"""client_credentials with an RFC 7523 client assertion."""

from __future__ import annotations

from datetime import datetime

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import clients


def issue_token(platform: Platform, assertion: str, now: datetime) -> str:
    """A short-lived access token for the client that signed the assertion. An assertion works once.

    Raises Problem assertion_invalid.
    """
    client_id = auth.assertion_subject(assertion)
    audiences = _audiences(platform.settings.public_url)
    with platform.db.transaction() as conn:
        client = clients.find_client(conn, client_id)
        if client is None:
            raise Problem("assertion_invalid", "sub names no client of this platform")
        expires_s, once = auth.check_assertion(assertion, client_id, clients.find_keys(conn, client_id), audiences)
        if not clients.use_assertion(conn, once, expires_s + auth.LEEWAY_S):
            raise Problem("assertion_invalid", "this assertion was used before: sign a new one, with a new jti")
    return auth.issue_token(platform.keys, client["role"], client_id, now)


def _audiences(public_url: str) -> list[str]:
    """What `aud` may say: our own address or its token route. Never what the Host header says."""
    bases = {public_url}
    for name, other in (("//127.0.0.1", "//localhost"), ("//localhost", "//127.0.0.1")):
        if name in public_url:  # the two names of this machine, for a platform that serves nobody else
            bases.add(public_url.replace(name, other, 1))
    return [base + path for base in sorted(bases) for path in ("", "/", "/v1/oauth/token")]
