"""A person's deeds, newest first: what each message said, what became of it, and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from backend.platform import Platform
from backend.store import me
from rules import explain, reasons
from rules.claims import CONFLICTS
from rules.model import CLAIMED_ELSEWHERE, Pack
from rules.standard import Standard

Place = tuple[datetime, int]  # started_at and event id of the last deed of the page before
_NEWEST: Place = (datetime(9999, 1, 1, tzinfo=UTC), 0)


def list_deeds(
    platform: Platform, person_id: int, after: Place | None, limit: int
) -> tuple[list[dict[str, Any]], Place | None]:
    """Up to `limit` deeds of this person and nobody else after a place, and the place of the next page, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = me.deeds(conn, person_id, *(after or _NEWEST), limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    shown = [_deed(platform.standard, row) for row in rows[:limit]]
    return shown, (last["started_at"], last["event_id"]) if last else None


def _deed(standard: Standard, row: dict[str, Any]) -> dict[str, Any]:
    region = standard.region(row["region"]) if row["region"] else None
    pack = standard.pack_version(row["pack_code"], row["pack_version"]) if row["pack_code"] else None
    zh, en = _reason(row)
    return row | {
        "started_at": row["started_at"].astimezone(region.timezone) if region else row["started_at"],
        "ended_at": row["ended_at"].astimezone(region.timezone) if region else row["ended_at"],
        "region": {"code": region.code, "name": {"zh": region.name_zh, "en": region.name_en}} if region else None,
        "methodology": _methodology(pack) if pack else None,
        "facts": [_fact(pack, name, value) for name, value in (row["facts"] or {}).items()] if pack else [],
        "reason": {"zh": zh, "en": en},
        "rule": explain.rule_of(standard, row),
    }


def _reason(row: dict[str, Any]) -> tuple[str, str]:
    zh, en = reasons.REASONS[row["code"]]
    if row["code"] != CLAIMED_ELSEWHERE or row["claim_kind"] is None:
        return zh, en
    conflict, mechanism = CONFLICTS[row["claim_kind"]], row["claim_mechanism"]
    claimed_zh, claimed_en = (reasons.claim_words(conflict, mechanism, language) for language in ("zh", "en"))
    return f"{zh}{claimed_zh}", f"{en} {claimed_en}"


def _methodology(pack: Pack) -> dict[str, Any]:
    name = {"zh": pack.name_zh, "en": pack.name_en}
    return {"code": pack.code, "version": pack.version, "status": pack.status, "name": name}


def _fact(pack: Pack, name: str, value: int | str) -> dict[str, Any]:
    """A fact with the pack's own words for it, and for its value where that is a choice."""
    told = _words(pack).get(name, {})
    return {"name": name, "title": told.get("title"), "value": value, "label": told.get("values", {}).get(value)}


@cache
def _words(pack: Pack) -> dict[str, dict[str, Any]]:
    return {fact["name"]: fact for fact in json.loads(pack.document)["facts"]}
