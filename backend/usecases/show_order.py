"""Orders: what was ordered, where it stands, and how to pay it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import orders
from rewards import purchase

_NOTES = {
    "bank_transfer": {"zh": "转账附言请填写 reference", "en": "write the reference on the transfer"},
    "provider": {"zh": "请在 pay_url 付款", "en": "pay at pay_url"},
}


def show_order(platform: Platform, order_id: int, client_id: str, now: datetime) -> dict[str, Any]:
    """A company's own order. Raises Problem not_found."""
    with platform.db.transaction(snapshot=True) as conn:
        return shown(platform, orders.order(conn, order_id, client_id), now)


def list_orders(
    platform: Platform, client_id: str | None, state: str | None, before: int | None, limit: int, now: datetime
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` orders before an id, newest first; of every company when none is given (for operators)."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = orders.orders(conn, client_id, state, before or orders.NEWEST, limit + 1)
    following = rows[limit - 1]["order_id"] if len(rows) > limit else None
    return [shown(platform, row, now) for row in rows[:limit]], following


def shown(platform: Platform, row: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    """An order as it is answered; one that is overdue is expired, released or not. Raises Problem not_found."""
    if row is None:
        raise Problem("not_found", "no such order")
    is_open = row["state"] in purchase.OPEN_STATES
    overdue = is_open and row["expires_at"] <= now
    return {
        "id": row["order_id"],
        "company": row["client_id"],
        "quote": row["quote_id"],
        "state": "expired" if overdue else row["state"],
        "quantity_g": row["quantity_g"],
        "amount_fen": row["amount_fen"],
        "currency": "CNY",
        "lines": row["lines"],
        "made_at": row["made_at"],
        "expires_at": row["expires_at"] if is_open else None,
        "steps": row["steps"],
        "final_at": row["final_at"],
        "payment": {
            "method": row["method"],
            "amount_fen": row["amount_fen"],
            "reference": reference(row["order_id"]),
            "account": platform.settings.bank_account if row["method"] == "bank_transfer" else "",
            "pay_url": row["pay_url"] if is_open and not overdue else None,
            "note": _NOTES[row["method"]],
        },
    }


def reference(order_id: int) -> str:
    """What a buyer writes on the bank transfer."""
    return f"TPH-O-{order_id:06d}"
