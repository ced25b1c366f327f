"""Caps on what partners may collect for pools: the latest deeds beyond a cap stay with the citizens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import db, money, pools
from backend.usecases import answer_once


def cap_collection(
    platform: Platform, request: answer_once.KeyedRequest, partner_id: str, cap: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """cap: from_month, cap_mg of every pool (None: no cap from then on), document, and perhaps pack_code.

    Pools of that month on that are still open are closed under it. Raises Problem not_found, conflict for a month that
    has one.
    """
    row = {
        "client_id": partner_id, "pack_code": cap.get("pack_code") or "*", "from_month": cap["from_month"],
        "cap_mg": cap["cap_mg"], "document": cap["document"], "at": now, "by": request.client_id,
    }  # fmt: skip

    def work(conn: db.Connection) -> answer_once.Answer:
        if money.client_number(conn, partner_id) is None:
            raise Problem("not_found", "没有这个合作方 · there is no such partner")
        if not pools.add_cap(conn, **row):
            raise Problem("conflict", "该月已有上限 · that month has a cap")
        return {"items": [shown(one) for one in pools.caps(conn, partner_id)]}

    return answer_once.answer_once(platform, request, now, work)


def list_caps(platform: Platform, partner_id: str | None) -> list[dict[str, Any]]:
    """All caps, of one partner or of all, by partner, methodology and month."""
    with platform.db.transaction(snapshot=True) as conn:
        return [shown(row) for row in pools.caps(conn, partner_id)]


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "partner": row["client_id"], "name": row["name"],
        "methodology": None if row["pack_code"] == "*" else row["pack_code"],
        "from_month": f"{row['from_month']:%Y-%m}", "cap_mg": row["cap_mg"], "document": row["document"],
    }  # fmt: skip
