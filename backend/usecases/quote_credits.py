"""Quote a price for grams, and hold it for a while. Nothing is set aside yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import credits, db, orders, prices
from backend.usecases import answer_once, declare_partner, release_credits
from rewards import pricing, purchase

FILTERS = ("region", "pack_code", "vintage_month", "demonstration")


def quote_credits(
    platform: Platform, request: answer_once.KeyedRequest, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """wish: quantity_g and perhaps region, pack_code, vintage_month, demonstration, partial, limit_fen_per_tonne.

    Raises Problem sold_out, request_invalid.
    """
    release_credits.expire_orders(platform, now)
    return answer_once.answer_once(
        platform, request, now, lambda conn: make_quote(conn, platform, request.client_id, wish, now)
    )


def make_quote(
    conn: db.Connection, platform: Platform, client_id: str, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """Plan the lines, keep what was quoted; the quote. Raises as quote_credits does."""
    demonstration = wish.get("demonstration", platform.settings.demonstration)
    if demonstration and not platform.settings.demonstration:
        raise field_problem("demonstration", "field_invalid", "本平台不出售示范减排量 · none are sold here")
    names = ("quantity_g", "region", "pack_code", "vintage_month", "limit_fen_per_tonne")
    quote: dict[str, Any] = {name: wish.get(name) for name in names} | {
        "client_id": client_id,
        "demonstration": demonstration,
        "partial": bool(wish.get("partial")),
        "made_at": now,
        "expires_at": now + purchase.QUOTE_HOLDS,
    }
    lines = plan_lines(conn, platform, quote, {}, now)
    amount_fen = sum(line.amount_fen for line in lines)
    quote |= {
        "quantity_g": sum(line.quantity_g for line in lines),  # less than was asked for, where that was allowed
        "batches": [line.batch_id for line in lines],
        "prices": [line.price_fen_per_tonne for line in lines],
    }
    quote_id = orders.add_quote(conn, **quote, amount_fen=amount_fen)
    return {
        "id": quote_id,
        "quantity_g": quote["quantity_g"],
        "asked_g": wish["quantity_g"],
        "amount_fen": amount_fen,
        "currency": "CNY",
        "lines": [shown_line(line) for line in lines],
        "demonstration": demonstration,
        "expires_at": quote["expires_at"],
    }


def offers_for(
    conn: db.Connection, platform: Platform, quote: dict[str, Any], held: Mapping[int, int], now: datetime
) -> list[purchase.Offer]:
    """What the company may buy now within a quote's wishes, at the price for its quantity.

    held: batch -> the price that was quoted: nobody pays more than that. Batches of which too much comes from inside
    the company's own boundary are left out.
    """
    rows = credits.offers(conn, **{name: quote[name] for name in FILTERS})
    rules = prices.rules(conn, now)
    shares = declare_partner.own_shares(conn, quote["client_id"], [r["batch_id"] for r in rows])
    offers = []
    for row in rows:
        if declare_partner.is_refused(platform, row["vintage_month"], shares.get(row["batch_id"], 0)):
            continue
        price = pricing.price(pricing.tiers_of(goods(row), rules, now), quote["quantity_g"])
        price = min(price, held.get(row["batch_id"], price))
        if quote["limit_fen_per_tonne"] is None or price <= quote["limit_fen_per_tonne"]:
            offers.append(purchase.Offer(row["batch_id"], row["available_g"], price))
    return offers


def plan_lines(
    conn: db.Connection, platform: Platform, quote: dict[str, Any], held: Mapping[int, int], now: datetime
) -> list[purchase.Line]:
    """The lines of a quote or an order. Raises Problem sold_out.

    Of a partial one every line has the price for what there is in all, not for what was wished for.
    """
    quote = dict(quote)
    while True:
        lines = plan(offers_for(conn, platform, quote, held, now), quote)
        got_g = sum(line.quantity_g for line in lines)
        if got_g == quote["quantity_g"]:
            return lines
        quote["quantity_g"], held = got_g, {}


def goods(row: dict[str, Any]) -> pricing.Goods:
    names = ("batch_id", "region", "pack_code", "vintage_month")
    return pricing.Goods(**{name: row[name] for name in names}, base_fen_per_tonne=row["price_fen_per_tonne"])


def plan(offers: list[purchase.Offer], quote: dict[str, Any]) -> list[purchase.Line]:
    """The lines that the grams come from, cheapest first. Raises Problem sold_out with what is left."""
    lines = purchase.plan(offers, quote["quantity_g"], partial=quote["partial"])
    if lines is None:
        left_g = sum(offer.available_g for offer in offers)
        wanted_g = quote["quantity_g"]
        text = f"可售 {left_g} 克，需要 {wanted_g} 克 · {left_g} g are for sale, {wanted_g} g were asked for"
        if left_g:
            text += "（可用 partial 购买余量 · `partial` takes what there is）"
        raise Problem("sold_out", text, extra={"available_g": left_g})
    return lines


def shown_line(line: purchase.Line) -> dict[str, int]:
    values = asdict(line)
    return {"batch": values.pop("batch_id")} | values
