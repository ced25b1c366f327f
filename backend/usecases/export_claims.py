"""Our own deeds as a claim list for another mechanism: digests under the key shared with it, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from backend import auth
from backend.errors import field_problem
from backend.platform import Platform
from backend.store import claims
from backend.usecases import find_claims, import_claims
from rules.claims import prefix

COLUMNS = ("kind", "act_digest", "document")


@dataclass(frozen=True, slots=True)
class Exported:
    """A page: rows of COLUMNS. unnumbered: deeds that nobody numbered, so that they cannot be named to others."""

    items: list[dict[str, str]]
    unnumbered: int
    following: int | None


def export_claims(platform: Platform, mechanism: str, region: str, month: date, after: int, limit: int) -> Exported:
    """The deeds of a region (and below) and vintage month that reduced something, up to `limit` after a place.

    `issued` where credits were issued for a deed, else `counted`. Raises Problem request_invalid.
    """
    import_claims.check_mechanism(mechanism)
    standard, secret = platform.standard, platform.settings.secret
    if region != standard.nation.code and standard.region(region) is None:
        raise field_problem("region", "field_invalid", f"no region of GB/T 2260; {standard.nation.code}: the nation")
    with platform.db.transaction() as conn:
        key = find_claims.key_of(secret, mechanism, claims.find_key(conn, mechanism))
        deeds = claims.list_deeds(conn, prefix(region), month, after, limit + 1)
    items = [
        {"kind": "issued" if deed["issued"] else "counted",
         "act_digest": auth.exchange_digest(key, auth.unseal(secret, sealed)).hex(),
         "document": f"batch {deed['batch_id']}" if deed["batch_id"] else ""}
        for deed in deeds[:limit] for sealed in deed["sealed"]
    ]  # fmt: skip
    unnumbered = sum(not deed["sealed"] for deed in deeds[:limit])
    items.sort(key=lambda item: item["act_digest"])  # so that the order says nothing of which numbers share a deed
    return Exported(items, unnumbered, deeds[limit - 1]["deed_id"] if len(deeds) > limit else None)
