"""Standing orders: every month, on its day, a quantity is ordered for the company up to a price; it pays as usual."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import credits, db, orders
from backend.usecases import answer_once, buy_credits, quote_credits, release_credits, tell_client
from rewards import purchase

log = structlog.get_logger()

STANDING_MAX = 20  # that a company may have at once

_WISHES = ("quantity_g", "region", "pack_code", "demonstration", "limit_fen_per_tonne", "partial")


def add_standing_order(
    platform: Platform, request: answer_once.KeyedRequest, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """wish: quantity_g, limit_fen_per_tonne, day, and perhaps region, pack_code, demonstration, partial, until_on.

    Raises Problem conflict when there are too many, request_invalid.
    """
    demonstration = wish.get("demonstration", platform.settings.demonstration)
    if demonstration and not platform.settings.demonstration:
        raise field_problem("demonstration", "field_invalid", "本平台不出售示范减排量 · none are sold here")
    row = {name: wish.get(name) for name in (*_WISHES, "day", "until_on")} | {
        "demonstration": demonstration, "partial": bool(wish.get("partial")), "client_id": request.client_id,
        "made_at": now,
    }  # fmt: skip

    def work(conn: db.Connection) -> answer_once.Answer:
        credits.lock_owner(conn, request.client_id)
        if orders.living_standing(conn, request.client_id) >= STANDING_MAX:
            raise Problem("conflict", f"至多 {STANDING_MAX} 个定期订单 · at most {STANDING_MAX} standing orders")
        return _one(conn, request.client_id, orders.add_standing(conn, **row))

    return answer_once.answer_once(platform, request, now, work)


def end_standing_order(platform: Platform, standing_id: int, client_id: str, now: datetime) -> dict[str, Any]:
    """End one; ending it twice is no error. Raises Problem not_found."""
    with platform.db.transaction() as conn:
        orders.end_standing(conn, standing_id, client_id, now)
        return _one(conn, client_id, standing_id)


def list_standing_orders(platform: Platform, client_id: str) -> list[dict[str, Any]]:
    with platform.db.transaction(snapshot=True) as conn:
        return [shown(row) for row in orders.standing_orders(conn, client_id)]


def place_standing_orders(platform: Platform, now: datetime) -> int:
    """Carry out what is due this month; how many orders were placed. Each is a transaction of its own, once a month."""
    today = now.astimezone(platform.standard.nation.timezone).date()
    release_credits.expire_orders(platform, now)
    placed = 0

    def work(conn: db.Connection) -> tuple[bool, bool]:
        standing = orders.due_standing(conn, today)
        if standing is None:
            return False, False
        order_id, problem = _place(conn, platform, standing, now)
        orders.add_run(conn, standing["standing_id"], today, order_id, problem, now)
        kind = "standing_order.placed" if order_id else "standing_order.failed"
        told = {"standing_order": standing["standing_id"], "order": order_id, "problem": problem}
        tell_client.tell_client(conn, standing["client_id"], kind, told, now)
        return True, order_id is not None

    while True:
        found, is_placed = platform.db.retrying(work)
        placed += is_placed
        if not found:
            return placed


def _place(
    conn: db.Connection, platform: Platform, standing: dict[str, Any], now: datetime
) -> tuple[int | None, str | None]:
    """(order, None), or (None, the code of what stands against it)."""
    wish = {name: standing[name] for name in _WISHES}
    try:
        with conn.transaction():
            quote = quote_credits.make_quote(conn, platform, standing["client_id"], wish, now)
            order = buy_credits.order_quote(
                conn, platform, standing["client_id"], quote["id"], purchase.DECLARED_HOLDS, now
            )
    except Problem as problem:
        return None, problem.code
    except (ArithmeticError, LookupError, ValueError) as error:  # a defect: of this one, the others go on
        log.exception("standing_order_broken", standing=standing["standing_id"], error=type(error).__name__)
        return None, "internal"
    return order["id"], None


def _one(conn: db.Connection, client_id: str, standing_id: int) -> dict[str, Any]:
    found = orders.standing_orders(conn, client_id, standing_id)
    if not found:
        raise Problem("not_found", "no such standing order")
    return shown(found[0])


def shown(row: dict[str, Any]) -> dict[str, Any]:
    names = ("quantity_g", "region", "demonstration", "limit_fen_per_tonne", "partial", "day", "until_on", "made_at")
    return {
        "id": row["standing_id"], "methodology": row["pack_code"], **{name: row[name] for name in names},
        "ended_at": row["ended_at"], "runs": row["runs"],
    }  # fmt: skip
