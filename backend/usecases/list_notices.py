"""What a company or a partner was told: recalls of what it holds, and what its corrections cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.platform import Platform
from backend.store import notices

Place = tuple[datetime, int]


def list_notices(
    platform: Platform, client_id: str, before: Place | None, limit: int
) -> tuple[list[dict[str, Any]], Place | None]:
    """Up to `limit` notices before a place, newest first, and the place to go on before, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = notices.notices(conn, client_id, before or notices.NEWEST, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    items = [{"id": r["notice_id"], **{n: r[n] for n in ("kind", "body", "made_at")}} for r in rows[:limit]]
    return items, (last["made_at"], last["notice_id"]) if last else None
