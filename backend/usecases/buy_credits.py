"""Order what was quoted: the grams are reserved, or nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import credits, db, orders
from backend.usecases import answer_once, move_credits, quote_credits, release_credits, show_order, tell_client
from rewards import ledger, purchase


def buy_credits(
    platform: Platform, request: answer_once.KeyedRequest, quote_id: int, now: datetime
) -> answer_once.Answer:
    """Reserve a quote's grams for its price or less; the order.

    Buyers of one batch are served one after another, so no gram is reserved twice. A quote that was made `partial`
    takes what is left of what it asked for, no line above its dearest. Raises Problem not_found, conflict (quote used
    before), expired, unpaid_limit, sold_out.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        return order_quote(conn, platform, request.client_id, quote_id, purchase.RESERVATION_HOLDS, now)

    release_credits.expire_orders(platform, now)
    return answer_once.answer_once(platform, request, now, work)


def order_quote(
    conn: db.Connection, platform: Platform, client_id: str, quote_id: int, holds: timedelta, now: datetime
) -> answer_once.Answer:
    """Reserve for as long as `holds`; the order. Raises as buy_credits does."""
    quote = orders.quote(conn, quote_id, client_id)
    if quote is None:
        raise Problem("not_found", "no such quote of yours")
    if quote["order_id"]:
        raise Problem("conflict", f"该报价已下单 {quote['order_id']} · this quote was ordered before")
    if quote["expires_at"] <= now:
        raise Problem("expired", "报价已过期，请重新询价 · the quote has expired: ask for another")
    _check_unpaid(conn, client_id, quote["quantity_g"])
    held = dict(zip(quote["batches"], quote["prices"], strict=True))
    if quote["partial"] and held:
        quote["limit_fen_per_tonne"] = max(held.values())
    offers = quote_credits.offers_for(conn, platform, quote, held, now)
    credits.lock_batches(conn, [offer.batch_id for offer in offers])
    lines = quote_credits.plan_lines(conn, platform, quote, held, now)
    if sum(line.amount_fen for line in lines) > quote["amount_fen"]:
        raise Problem("sold_out", "所报批次已售出，请重新询价 · what was quoted has been sold: quote again")
    return _reserve(conn, platform, client_id, quote_id, lines, now, now + holds)


def _check_unpaid(conn: db.Connection, client_id: str, quantity_g: int) -> None:
    """Raises Problem unpaid_limit when the company would hold back too much without paying."""
    credits.lock_owner(conn, client_id)  # its orders one after another
    unpaid_g, most_g = orders.unpaid_g(conn, client_id), purchase.UNPAID_MAX_G
    if unpaid_g + quantity_g > most_g:
        text = (
            f"未付款订单已占用 {unpaid_g} 克，上限 {most_g} 克：请先付款或取消 · your unpaid orders hold {unpaid_g} g"
            f" of at most {most_g} g: pay or cancel first, or order less"
        )
        raise Problem("unpaid_limit", text, extra={"unpaid_g": unpaid_g, "unpaid_max_g": most_g})


def _reserve(
    conn: db.Connection, platform: Platform, client_id: str, quote_id: int, lines: Sequence[purchase.Line],
    now: datetime, expires_at: datetime,
) -> answer_once.Answer:  # fmt: skip
    totals: dict[str, Any] = {
        "quantity_g": sum(line.quantity_g for line in lines),
        "amount_fen": sum(line.amount_fen for line in lines),
    }
    order_id = orders.add_order(
        conn, lines, client_id=client_id, quote_id=quote_id, **totals, made_at=now, expires_at=expires_at
    )
    if order_id is None:
        raise Problem("conflict", "该报价已下单 · this quote was ordered before")
    for line in lines:
        blocks = credits.blocks(conn, ledger.AVAILABLE, batches=[line.batch_id])
        move_credits.move_credits(
            conn, blocks, line.quantity_g, ledger.RESERVED, str(order_id), reason="reserve", ref_id=order_id, at=now
        )
    orders.add_step(conn, order_id, "reserved", at=now, by=client_id)
    tell_client.tell_client(conn, client_id, "order.reserved", {"order": order_id, **totals}, now)
    return show_order.shown(platform, orders.order(conn, order_id, client_id), now)
