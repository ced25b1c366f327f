"""What waits for an operator's eye."""

from __future__ import annotations

from typing import Any

from backend.platform import Platform
from backend.store import cases


def list_cases(platform: Platform, after: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """Open cases, oldest first, and the place of the next page."""
    with platform.db.transaction() as conn:
        found = cases.list_cases(conn, after, limit + 1)
    page = found[:limit]
    return page, page[-1]["case_id"] if len(found) > limit else None
