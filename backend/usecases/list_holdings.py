"""What a company holds and has retired."""

from __future__ import annotations

from typing import Any

from backend.platform import Platform
from backend.store import credits
from backend.usecases import list_batches
from rewards import serials


def list_holdings(platform: Platform, client_id: str) -> dict[str, Any]:
    """{held_g, retired_g, batches: [{batch, origin, held_g, retired_g, serials}]}."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = credits.holdings(conn, client_id)
    lines = [_shown(platform, row) for row in rows]
    return {
        "held_g": sum(line["held_g"] for line in lines),
        "retired_g": sum(line["retired_g"] for line in lines),
        "batches": lines,
    }


def _shown(platform: Platform, row: dict[str, Any]) -> dict[str, Any]:
    spans = serials.joined(serials.Span(first, last) for first, last in row["held"])
    place = (row["region"], row["pack_code"], row["vintage_month"], row["batch_id"])
    return {
        "batch": row["batch_id"],
        **list_batches.origin(platform, row),
        "held_g": sum(span.quantity_g for span in spans),
        "retired_g": row["retired_g"],
        "serials": [str(serials.SerialRange(*place, span)) for span in spans],
    }
