"""Quote a price for grams, and hold it for a while. Nothing is set aside yet."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import credits, db, orders
from backend.usecases import answer_once, release_credits
from rewards import purchase

FILTERS = ("region", "pack_code", "vintage_month", "demonstration")


def quote_credits(
    platform: Platform, request: answer_once.KeyedRequest, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """wish: quantity_g and perhaps region, pack_code, vintage_month, demonstration. Raises Problem sold_out."""
    demonstration = wish.get("demonstration", platform.settings.demonstration)
    if demonstration and not platform.settings.demonstration:
        raise field_problem("demonstration", "field_invalid", "本平台不出售示范减排量 · none are sold here")
    quote = {name: wish.get(name) for name in FILTERS} | {
        "client_id": request.client_id,
        "quantity_g": wish["quantity_g"],
        "demonstration": demonstration,
        "made_at": now,
        "expires_at": now + purchase.QUOTE_HOLDS,
    }

    def work(conn: db.Connection) -> answer_once.Answer:
        lines = plan(offers_for(conn, quote), wish["quantity_g"])
        amount_fen = sum(line.amount_fen for line in lines)
        quote_id = orders.add_quote(conn, **quote, amount_fen=amount_fen)
        return {
            "id": quote_id,
            "quantity_g": quote["quantity_g"],
            "amount_fen": amount_fen,
            "currency": "CNY",
            "lines": [shown_line(line) for line in lines],
            "demonstration": demonstration,
            "expires_at": quote["expires_at"],
        }

    release_credits.expire_orders(platform, now)
    return answer_once.answer_once(platform, request, now, work)


def offers_for(conn: db.Connection, quote: dict[str, Any]) -> list[purchase.Offer]:
    """What is for sale now within a quote's wishes."""
    rows = credits.offers(conn, **{name: quote[name] for name in FILTERS})
    return [purchase.Offer(r["batch_id"], r["available_g"], r["price_fen_per_tonne"]) for r in rows]


def plan(offers: list[purchase.Offer], quantity_g: int) -> list[purchase.Line]:
    """The lines that the grams come from, cheapest first. Raises Problem sold_out with what is left."""
    lines = purchase.plan(offers, quantity_g)
    if lines is None:
        left_g = sum(offer.available_g for offer in offers)
        text = f"可售 {left_g} 克，需要 {quantity_g} 克 · {left_g} g are for sale, {quantity_g} g were asked for"
        raise Problem("sold_out", text, extra={"available_g": left_g})
    return lines


def shown_line(line: purchase.Line) -> dict[str, int]:
    values = asdict(line)
    return {"batch": values.pop("batch_id")} | values
