"""What a person has, and the days it came from. The lines add up to the balance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from backend.platform import Platform
from backend.store import me
from rewards import ledger


@dataclass(frozen=True, slots=True)
class Statement:
    """`lines`: {on_day, points, reduction_mg}, newest first. `next_before`: where the next page begins, if any."""

    balance: int
    reduction_mg: int
    lines: list[dict[str, Any]]
    next_before: date | None


def check_points(platform: Platform, person_id: int, before: date | None, limit: int) -> Statement:
    """The balances, and up to `limit` days with movements before the day `before` (None: from the newest)."""
    with platform.db.transaction(snapshot=True) as conn:
        totals = me.totals(conn, person_id)
        lines = me.days(conn, person_id, (ledger.DEED, ledger.RESETTLED), before or date.max, limit + 1)
    more = len(lines) > limit
    lines = lines[:limit]
    return Statement(totals["points"], totals["reduction_mg"], lines, lines[-1]["on_day"] if more else None)
