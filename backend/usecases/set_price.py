"""Price rules: what the operator asks for, from when on, and for what. A newer rule takes over; none is changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import db, pools, prices
from backend.usecases import answer_once
from rewards import pricing

AHEAD = timedelta(days=366)


def set_price(
    platform: Platform, request: answer_once.KeyedRequest, rule: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """rule: tiers [{from_g, price_fen_per_tonne}], and perhaps batch_id, region, pack_code, vintage_month, valid_from.

    Without tiers the rule of that very scope before it is taken back. Raises Problem not_found, request_invalid.
    """
    tiers = [(tier["from_g"], tier["price_fen_per_tonne"]) for tier in rule["tiers"]]
    if mistake := pricing.tiers_mistake(tiers):
        raise field_problem("tiers", "field_invalid", mistake)
    valid_from = rule.get("valid_from") or now
    if not now <= valid_from <= now + AHEAD:
        text = "生效时间须在今后一年之内 · it begins between now and a year from now"
        raise field_problem("valid_from", "field_invalid", text)
    row = {name: rule.get(name) for name in ("batch_id", "region", "pack_code", "vintage_month")} | {
        "from_g": [from_g for from_g, _ in tiers], "prices": [fen for _, fen in tiers], "valid_from": valid_from,
        "made_at": now, "made_by": request.client_id,
    }  # fmt: skip

    def work(conn: db.Connection) -> answer_once.Answer:
        if row["batch_id"]:
            batch = pools.batch(conn, row["batch_id"])
            if batch is None or not batch["issued_at"]:
                raise Problem("not_found", "no such issued batch")
        return shown(row | {"rule_id": prices.add_rule(conn, **row)})

    return answer_once.answer_once(platform, request, now, work)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["rule_id"],
        "batch": row["batch_id"],
        "region": row["region"],
        "methodology": row["pack_code"],
        "vintage": f"{row['vintage_month']:%Y-%m}" if row["vintage_month"] else None,
        "tiers": [
            {"from_g": g, "price_fen_per_tonne": fen} for g, fen in zip(row["from_g"], row["prices"], strict=True)
        ],
        "valid_from": row["valid_from"],
        "made_at": row["made_at"],
    }
