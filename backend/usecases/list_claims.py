"""What other mechanisms have claimed: the lists, and the deeds that were credited before they came."""

from __future__ import annotations

from typing import Any

from backend import auth
from backend.platform import Platform
from backend.store import claims
from rules.claims import CONFLICTS

PAGE = 1000


def list_lists(platform: Platform, after: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """Imported lists, oldest first, and the place of the next page."""
    with platform.db.transaction() as conn:
        found = claims.list_lists(conn, after, limit + 1)
    return found[:limit], found[limit - 1]["list_id"] if len(found) > limit else None


def list_conflicts(
    platform: Platform, operator_id: str, after: int, limit: int, list_id: int | None = None
) -> tuple[list[dict[str, Any]], int | None]:
    """Deeds credited before they were found to be claimed, oldest first, and the place of the next page."""
    with platform.db.transaction() as conn:
        found = claims.list_conflicts(conn, after, limit + 1, list_id)
    page = [_shown(platform, operator_id, row) for row in found[:limit]]
    return page, found[limit - 1]["conflict_id"] if len(found) > limit else None


def all_conflicts(platform: Platform, operator_id: str, list_id: int) -> list[dict[str, Any]]:
    """All of one list."""
    shown: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page, after = list_conflicts(platform, operator_id, after, PAGE, list_id)
        shown += page
    return shown


def _shown(platform: Platform, operator_id: str, row: dict[str, Any]) -> dict[str, Any]:
    deed = auth.handle(platform.settings.secret, operator_id, row["deed_id"])
    return row | {"deed": deed, "conflict": CONFLICTS[row["kind"]], "pooled": row["batch_id"] is not None}
