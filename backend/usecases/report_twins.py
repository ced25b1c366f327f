"""Pairs of people whose records are equal to the second, beyond chance: flagged with the evidence, never merged."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from backend import auth
from backend.platform import Platform
from backend.store import reports

Page = tuple[list[dict[str, Any]], str | None]


def report_twins(platform: Platform, role: str, client_id: str, after: str, limit: int, now: datetime) -> Page:
    """Up to `limit` pairs after a place, by handle, and the next place. Only operators are told who the people are.

    Looks as far back as events are accepted. A handle means something to its reader only.
    """
    standard, on = platform.standard, now.date()
    since = now - timedelta(days=standard.parameter("acceptance_window_days", on))
    limits = {name: standard.parameter(f"twin_{name}", on) for name in ("chance_ppm", "common_ppm")}
    with platform.db.transaction(snapshot=True) as conn:
        found = reports.twins(conn, since, **limits)
    pairs = sorted((_pair(platform, role, client_id, row) for row in found), key=lambda pair: pair["id"])
    rest = [pair for pair in pairs if pair["id"] > after]
    return rest[:limit], rest[limit - 1]["id"] if len(rest) > limit else None


def _pair(platform: Platform, role: str, client_id: str, row: dict[str, Any]) -> dict[str, Any]:
    people = sorted(
        (
            {
                "handle": auth.handle(platform.settings.secret, f"{client_id}/person", row[which]),
                "person_id": row[which] if role == "operator" else None,
                "records": row[f"records_{which}"],
            }
            for which in ("one", "other")
        ),
        key=lambda person: str(person["handle"]),
    )
    return {
        "id": "-".join(str(person["handle"]) for person in people),
        "people": people,
        "identical": row["identical"],
        "chance_ppb": row["chance_ppb"],
        "evidence": row["evidence"],
    }
