"""What is for sale, and at which prices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.platform import Platform
from backend.store import credits, prices
from backend.usecases import list_batches, quote_credits
from rewards import pricing, purchase


def list_offers(
    platform: Platform, wanted: dict[str, Any], after: int, limit: int, now: datetime
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` batches with grams to sell, and the id to go on after. wanted: region, pack_code, vintage_month."""
    standing = None if platform.settings.demonstration else False
    with platform.db.transaction(snapshot=True) as conn:
        rows = credits.offers(conn, **wanted, demonstration=standing, after=after, limit=limit + 1)
        rules = prices.rules(conn, now)
    following = rows[limit - 1]["batch_id"] if len(rows) > limit else None
    return [_shown(platform, row, rules, now) for row in rows[:limit]], following


def _shown(platform: Platform, row: dict[str, Any], rules: list[pricing.Rule], now: datetime) -> dict[str, Any]:
    """`price_fen_per_tonne` is that of a tonne, or of all there is when that is less."""
    tiers = pricing.tiers_of(quote_credits.goods(row), rules, now)
    usual_g = min(row["available_g"], purchase.GRAMS_PER_TONNE)
    return {
        "batch": row["batch_id"],
        **list_batches.origin(platform, row),
        "gas_basis": row["gas_basis"],
        "available_g": row["available_g"],
        "price_fen_per_tonne": pricing.price(tiers, usual_g),
        "prices": [{"from_g": from_g, "price_fen_per_tonne": fen} for from_g, fen in tiers],
    }
