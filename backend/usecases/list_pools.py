"""Pools: what stands in no batch yet, and whether it may be closed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import pools
from backend.usecases import close_pool, list_batches
from rewards import certificates, pooling

_FIGURES = ("open_deeds", "deeds", "over_cap_deeds", "people", "reduction_mg")


def list_pools(
    platform: Platform, role: str, wanted: dict[str, Any], after: str, limit: int, now: datetime
) -> tuple[list[dict[str, Any]], str | None]:
    """Up to `limit` pools after an id, and the id to go on after, if any. wanted: region, pack_code, vintage_month."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = pools.pools(conn, **wanted, after=after, limit=limit + 1)
    following = rows[limit - 1]["pool"] if len(rows) > limit else None
    return [_shown(platform, role, row, now) for row in rows[:limit]], following


def show_pool(platform: Platform, role: str, pool_id: str, now: datetime) -> dict[str, Any]:
    """One pool. Raises Problem not_found when nothing is in it."""
    key = close_pool.read_pool_id(pool_id)
    with platform.db.transaction(snapshot=True) as conn:
        rows = pools.pools(
            conn, region=key.region, pack_code=key.pack_code, pack_version=key.pack_version,
            vintage_month=key.vintage_month,
        )  # fmt: skip
    if not rows:
        raise Problem("not_found", f"no deed waits in pool {pool_id}")
    return _shown(platform, role, rows[0], now)


def _shown(platform: Platform, role: str, row: dict[str, Any], now: datetime) -> dict[str, Any]:
    key = pooling.PoolKey(row["region"], row["pack_code"], row["pack_version"], row["vintage_month"])
    obstacle = close_pool.obstacle(platform, key, now)
    if obstacle is None and not row["deeds"]:
        obstacle = Problem("conflict", close_pool.NOTHING)
    shown = {
        "id": row["pool"],
        "region": list_batches.region(platform, row["region"]),
        "methodology": list_batches.methodology(platform, row["pack_code"], row["pack_version"]),
        "vintage": f"{row['vintage_month']:%Y-%m}",
        "state": "open" if obstacle else "closable",
        "why_not": {"code": obstacle.code, "detail": obstacle.detail} if obstacle else None,
        "closable_on": close_pool.closable_on(platform, key),
        "demonstration": close_pool.approval(platform, key)[1],
        **{name: row[name] for name in _FIGURES},
    }
    few = role == "company" and row["people"] < certificates.PEOPLE_SHOWN_FROM
    return shown | (dict.fromkeys(_FIGURES) if few else {})
