"""What was ever issued, by region and methodology: what a search of the registry can be narrowed to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from backend.platform import Platform
from backend.store import registry
from backend.usecases import list_batches


def list_series(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    """{"methodologies": [{code, zh, en}], "regions": [{code, zh, en}]}: regions by code, with the provinces of all."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = registry.series(conn, {}, None, datetime.max.replace(tzinfo=UTC))
    packs = {
        row["pack_code"]: list_batches.methodology(platform, row["pack_code"], row["pack_version"]) for row in rows
    }
    codes = {row["region"] for row in rows}
    known = [platform.standard.region(code) for code in codes]
    codes |= {region.parent for region in known if region and region.parent}
    return {
        "methodologies": sorted(packs.values(), key=lambda pack: pack["code"]),
        "regions": [list_batches.region(platform, code) for code in sorted(codes)],
    }
