"""A company's retirements and their certificates."""

from __future__ import annotations

from typing import Any

from backend.platform import Platform
from backend.store import db, retirements


def list_retirements(
    platform: Platform, client_id: str, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` retirements before an id, newest first, and the id to go on before, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = retirements.retirements(conn, client_id, before or db.NEWEST, limit + 1)
    following = rows[limit - 1]["retirement_id"] if len(rows) > limit else None
    return [_shown(row) for row in rows[:limit]], following


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    request = row["request"]
    entities = request.get("beneficiaries") or [request["beneficiary"]]
    return {
        **{name: row[name] for name in ("number", "quantity_g", "retired_at", "has_pdf", "demonstration")},
        "beneficiaries": entities,
        **{name: request[name] for name in ("purpose", "period_from", "period_to")},
    }
