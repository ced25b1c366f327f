"""Give reserved grams back: the company cancels, or the time is up. A batch that owes grams takes them at once."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from backend import payments
from backend.errors import Problem
from backend.platform import Platform
from backend.store import credits, db, orders
from backend.usecases import move_credits, recall_credits, show_order, tell_client
from rewards import ledger, purchase


def cancel_order(platform: Platform, order_id: int, client_id: str, now: datetime) -> dict[str, Any]:
    """Cancel a company's own order that is not paid; the order. Cancelling twice is no error.

    Raises Problem not_found, conflict.
    """
    with platform.db.transaction() as conn:
        found = orders.lock_order(conn, order_id, client_id)
        if found is None or found["state"] != "cancelled":
            state, expires_at = locked(conn, order_id, client_id, "cancel", now)
            batches = lock_batches(conn, [order_id])
            _release(conn, order_id, state, expires_at, now, client_id)
            recall_credits.cover_from_unsold(conn, platform, batches, now)
            tell_client.tell_client(conn, client_id, "order.cancelled", {"order": order_id}, now)
        cancelled = show_order.shown(platform, orders.order(conn, order_id, client_id), now)
    provider = payments.provider(platform.settings)
    if provider and cancelled["payment"]["method"] == "provider":
        with suppress(Problem):  # what is paid all the same goes back, see pay_order
            provider.close(cancelled["payment"]["reference"])
    return cancelled


def expire_orders(platform: Platform, now: datetime) -> int:
    """Release all orders whose time is up, but for those that somebody works on just now; how many."""
    with platform.db.transaction() as conn:
        overdue = orders.lock_overdue(conn, now)
        batches = lock_batches(conn, list(overdue))
        for order_id in overdue:
            _release(conn, order_id, "expired", now, now, "")
        rows = [(client_id, "order.expired", {"order": order_id}) for order_id, client_id in overdue.items()]
        tell_client.tell_clients(conn, rows, now)
        recall_credits.cover_from_unsold(conn, platform, batches, now)
    return len(overdue)


def locked(
    conn: db.Connection, order_id: int, client_id: str | None, action: str, now: datetime
) -> tuple[str, datetime]:
    """Lock an order for an action: (the state after it, expires_at). Raises Problem not_found, conflict, expired."""
    found = orders.lock_order(conn, order_id, client_id)
    if found is None:
        raise Problem("not_found", "no such order")
    state, expires_at = found["state"], found["expires_at"]
    if state == "expired" or (state in purchase.OPEN_STATES and expires_at <= now):
        raise Problem("expired", "订单已过期，请重新询价 · the order has expired: ask for another quote")
    after = purchase.next_state(state, action)
    if after is None:
        raise Problem("conflict", f"订单状态为 {state} · the order is {state}")
    return after, expires_at


def lock_batches(conn: db.Connection, locked_orders: list[int]) -> list[int]:
    """Orders are locked before batches, and whoever has batches waits for no order."""
    batches = orders.batches(conn, locked_orders)
    credits.lock_batches(conn, batches)
    return batches


def _release(conn: db.Connection, order_id: int, state: str, expires_at: datetime, now: datetime, by: str) -> None:
    blocks = credits.blocks(conn, ledger.RESERVED, str(order_id))
    quantity_g = sum(block.span.quantity_g for block in blocks)
    move_credits.move_credits(conn, blocks, quantity_g, ledger.AVAILABLE, "", reason=state, ref_id=order_id, at=now)
    orders.set_state(conn, order_id, state, expires_at, at=now, by=by)
