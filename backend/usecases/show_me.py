"""Who am I here: since when, linked to which partners, what I agreed to, and what it comes to."""

from __future__ import annotations

from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import me, people

PURPOSES = ("points", "pool", "budget", "statistics")  # each is its own choice, off by default


def show_me(platform: Platform, person_id: int) -> dict[str, Any]:
    """{person_id, since, partners, consents (every purpose, given or not), totals}.

    Raises Problem `token_invalid` when the person is no longer there.
    """
    with platform.db.transaction(snapshot=True) as conn:
        person = people.by_id(conn, person_id)
        if person is None:
            raise Problem("token_invalid", "this account no longer exists")
        given = {c["purpose"]: c for c in people.consents(conn, person_id)}
        return {
            "person_id": person_id,
            "since": person["created_at"],
            "partners": people.partners(conn, person_id),
            "consents": [_consent(purpose, given.get(purpose)) for purpose in PURPOSES],
            "totals": me.totals(conn, person_id),
        }


def _consent(purpose: str, latest: dict[str, Any] | None) -> dict[str, Any]:
    shown = {"purpose": purpose, "given": latest is not None and latest["withdrawn_at"] is None}
    if latest is not None:
        shown |= {name: latest[name] for name in ("given_at", "withdrawn_at", "text_version", "source")}
    return shown
