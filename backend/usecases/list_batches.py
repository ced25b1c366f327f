"""Batches and what became of them: closed, attested or rejected, issued."""

from __future__ import annotations

from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import pools
from rewards import certificates, pooling

_ATTESTATION = (
    "decision", "verifier_name", "assurance", "materiality_ppm", "sample", "findings", "independence", "adjustment_mg",
    "attested_at",
)  # fmt: skip
_ISSUE = (
    "issued_g", "reserve_g", "remainder_mg", "carried_from", "carried_mg", "not_minted_mg", "price_fen_per_tonne",
    "issued_at",
)  # fmt: skip


def list_batches(
    platform: Platform, role: str, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` batches before an id, newest first, and the id to go on before, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = pools.batches(conn, before or pools.NEWEST, limit + 1)
    following = rows[limit - 1]["batch_id"] if len(rows) > limit else None
    return [shown(platform, role, row) for row in rows[:limit]], following


def show_batch(platform: Platform, role: str, batch_id: int) -> dict[str, Any]:
    """One batch. Raises Problem not_found."""
    with platform.db.transaction(snapshot=True) as conn:
        return shown(platform, role, pools.batch(conn, batch_id))


def shown(platform: Platform, role: str, row: dict[str, Any] | None) -> dict[str, Any]:
    """A batch as it is answered. Companies see no counts that rest on few people. Raises Problem not_found."""
    if row is None:
        raise Problem("not_found", "no such batch")
    few = role == "company" and row["people"] < certificates.PEOPLE_SHOWN_FROM
    key = pooling.PoolKey(row["region"], row["pack_code"], row["pack_version"], row["vintage_month"])
    return {
        "id": row["batch_id"],
        "pool": str(key),
        "ordinal": row["ordinal"],
        "state": state(row),
        **origin(platform, row),
        "approval": row["approval"],
        "deeds": None if few else row["deeds"],
        "people": None if few else row["people"],
        "reduction_mg": None if few else row["reduction_mg"],
        "recalled_mg": None if few else row["recalled_mg"],
        "owed_g": row["owed_g"],
        "frozen": {"reason": row["frozen_for"], "frozen_at": row["frozen_at"]} if row["frozen_at"] else None,
        "closed_at": row["closed_at"],
        "attestation": {n: row[n] for n in _ATTESTATION} if row["decision"] else None,
        "issue": {n: row[n] for n in _ISSUE} if row["issued_at"] else None,
    }


def state(row: dict[str, Any]) -> str:
    """closed, attested, rejected or issued."""
    return "issued" if row["issued_at"] else row["decision"] or "closed"


def origin(platform: Platform, row: dict[str, Any]) -> dict[str, Any]:
    """Where grams come from, as shown with every batch, offer and holding."""
    return {
        "region": region(platform, row["region"]),
        "methodology": methodology(platform, row["pack_code"], row["pack_version"]),
        "vintage": f"{row['vintage_month']:%Y-%m}",
        "provisional": row["provisional"],
        "demonstration": row["demonstration"],
    }


def region(platform: Platform, code: str) -> dict[str, str]:
    found = platform.standard.region(code)
    return {"code": code, "zh": found.name_zh if found else code, "en": found.name_en if found else code}


def methodology(platform: Platform, code: str, version: str) -> dict[str, str]:
    pack = platform.standard.pack_version(code, version)
    names = {"zh": pack.name_zh, "en": pack.name_en} if pack else {"zh": code, "en": code}
    return {"code": code, "version": version} | names
