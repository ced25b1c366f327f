"""What is for sale."""

from __future__ import annotations

from typing import Any

from backend.platform import Platform
from backend.store import credits
from backend.usecases import list_batches


def list_offers(
    platform: Platform, wanted: dict[str, Any], after: int, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` batches with grams to sell, and the id to go on after. wanted: region, pack_code, vintage_month."""
    standing = None if platform.settings.demonstration else False
    with platform.db.transaction(snapshot=True) as conn:
        rows = credits.offers(conn, **wanted, demonstration=standing, after=after, limit=limit + 1)
    following = rows[limit - 1]["batch_id"] if len(rows) > limit else None
    return [_shown(platform, row) for row in rows[:limit]], following


def _shown(platform: Platform, row: dict[str, Any]) -> dict[str, Any]:
    names = ("gas_basis", "available_g", "price_fen_per_tonne")
    return {"batch": row["batch_id"], **list_batches.origin(platform, row), **{n: row[n] for n in names}}
