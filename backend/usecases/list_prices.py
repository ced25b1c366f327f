"""Prices for anybody: what was paid day by day, and every price rule that was ever made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from backend.platform import Platform
from backend.store import prices
from backend.usecases import set_price


def list_prices(platform: Platform, wanted: dict[str, Any], days: int, now: datetime) -> list[dict[str, Any]]:
    """[{on, quantity_g, amount_fen, low, high and average_fen_per_tonne}] of the last `days`, less refunds."""
    filters = {name: wanted.get(name) for name in ("region", "pack_code", "vintage_month")}
    filters["demonstration"] = wanted.get("demonstration", platform.settings.demonstration)
    with platform.db.transaction(snapshot=True) as conn:
        return prices.days(conn, **filters, since=now - timedelta(days=days))


def list_rules(platform: Platform, before: int | None, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` price rules before an id, newest first, and the id to go on before, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = prices.all_rules(conn, before or prices.NEWEST, limit + 1)
    following = rows[limit - 1]["rule_id"] if len(rows) > limit else None
    return [set_price.shown(row) for row in rows[:limit]], following
