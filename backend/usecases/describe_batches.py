"""The public record of a batch: what was issued, where every gram is, who attested it, what was recalled since."""

from __future__ import annotations

import json
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import registry
from backend.usecases import list_batches, search_registry
from rewards import certificates, ledger, serials

SPANS_MAX = 200  # serial ranges shown of a batch
RETIREMENTS_MAX = 20  # shown with a batch
_ATTESTATION = ("verifier", "assurance", "materiality_ppm", "sample", "findings", "independence", "attested_at")
Row = dict[str, Any]


def describe_batches(
    platform: Platform, wish: Row, demonstration: bool | None, before: int | None, limit: int
) -> tuple[list[Row], int | None]:
    """Up to `limit` issued batches before a number, newest first, and the number to go on before, if any.

    wish: of batch, pack_code, region (a province holds its cities), vintage_month.
    """
    lists = search_registry.batch_lists(platform, wish)
    with platform.db.transaction(snapshot=True) as conn:
        rows = registry.batches(
            conn, lists, before=before or registry.NEWEST, limit=limit + 1, demonstration=demonstration
        )
    following = rows[limit - 1]["batch_id"] if len(rows) > limit else None
    return [_record(platform, row) for row in rows[:limit]], following


def describe_batch(platform: Platform, batch_id: int) -> Row:
    """The same of one batch, with `serials` by place, `amendments`, and the newest `retirements` out of it.

    No owner of what is held is told. Raises Problem not_found, also for a batch that is not issued.
    """
    with platform.db.transaction(snapshot=True) as conn:
        rows = registry.batches(conn, {"batch": [batch_id]})
        spans = registry.spans(conn, batch_id, SPANS_MAX + 1)
        amended = registry.amendments(conn, batch_id)
    if not rows:
        raise Problem("not_found", "没有这个已签发的批次 · no such batch has been issued")
    [row] = rows
    retirements, more = search_registry.search_registry(platform, {"batch": batch_id}, None, RETIREMENTS_MAX)
    return _record(platform, row) | {
        "serials": [_range(row, place, span) for place, span in spans[:SPANS_MAX]],
        "serials_complete": len(spans) <= SPANS_MAX,
        "amendments": [json.loads(canonical) for canonical in amended],
        "retirements": retirements,
        "retirements_complete": more is None,
    }


def _record(platform: Platform, row: Row) -> Row:
    few, places = row["people"] < certificates.PEOPLE_SHOWN_FROM, row["places"] or {}
    base = platform.settings.public_url
    names = ("gas_basis", "approval", "issued_at", "issued_g", "owed_g", "members_root")
    return {
        "id": row["batch_id"],
        "url": f"{base}/v1/registry/batches/{row['batch_id']}",
        "retirements_url": f"{base}/v1/registry?batch={row['batch_id']}",
        **list_batches.origin(platform, row),
        **{name: row[name] for name in names},
        **{f"{place}_g": int(places.get(place, 0)) for place in ledger.PLACES},
        "frozen": row["frozen_at"] is not None,
        "people": None if few else row["people"],
        "deeds": None if few else row["deeds"],
        "attestation": {name: row[name] for name in _ATTESTATION} | ({"sample": None} if few else {}),
    }


def _range(row: Row, place: str, span: serials.Span) -> Row:
    named = serials.SerialRange(row["region"], row["pack_code"], row["vintage_month"], row["batch_id"], span)
    return {"place": place, "serial": str(named), "quantity_g": span.quantity_g}
