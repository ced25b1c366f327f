"""A list of claims is taken back: it blocks nothing from now on. What it refused can be sent again or appealed."""

from __future__ import annotations

from datetime import datetime

from backend.errors import Problem
from backend.platform import Platform
from backend.store import claims


def withdraw_claims(platform: Platform, list_id: int, reason: str, withdrawn_by: str, now: datetime) -> None:
    """Append the withdrawal of a list. Raises Problem not_found, conflict (withdrawn before)."""
    with platform.db.transaction() as conn:
        claims.hold_ingest_out(conn)
        if not claims.list_exists(conn, list_id):
            raise Problem("not_found", f"no list {list_id}")
        if not claims.add_withdrawal(conn, list_id, reason, withdrawn_by, now):
            raise Problem("conflict", f"list {list_id} was withdrawn before")
