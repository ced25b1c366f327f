"""Statements of quotes and orders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.store import db, statements
from rewards import purchase

SQL = statements.of("orders")
NEWEST = 2**63 - 1


def add_quote(conn: db.Connection, **quote: Any) -> int:
    made = db.one(conn, SQL["add_quote"], **quote)
    assert made is not None
    return int(made["quote_id"])


def quote(conn: db.Connection, quote_id: int, client_id: str) -> dict[str, Any] | None:
    """The company's own quote, with the order made from it, if any."""
    return db.one(conn, SQL["quote"], quote_id=quote_id, client_id=client_id)


def unpaid_g(conn: db.Connection, client_id: str) -> int:
    """The grams that a company's orders hold back which are not paid yet."""
    return int(db.rows(conn, SQL["unpaid"], client_id=client_id)[0][0])


def add_order(conn: db.Connection, lines: Sequence[purchase.Line], **order: Any) -> int | None:
    """A reserved order and its lines; its id, None when the quote has been ordered before."""
    made = db.one(conn, SQL["add_order"], **order)
    if made is None:
        return None
    conn.execute(
        SQL["add_lines"],
        {
            "order_id": made["order_id"],
            "batches": [line.batch_id for line in lines],
            "grams": [line.quantity_g for line in lines],
            "prices": [line.price_fen_per_tonne for line in lines],
            "amounts": [line.amount_fen for line in lines],
        },
    )
    return int(made["order_id"])


def order(conn: db.Connection, order_id: int, client_id: str | None) -> dict[str, Any] | None:
    """One order with its lines and steps; only of that company, when one is given."""
    return db.one(
        conn, SQL["orders"], order_id=order_id, client_id=client_id, state=None, before=NEWEST, limit=1
    )  # fmt: skip


def orders(
    conn: db.Connection, client_id: str | None, state: str | None, before: int = NEWEST, limit: int = 1
) -> list[dict[str, Any]]:
    """Orders newest first; of all companies when none is given."""
    return db.dicts(conn, SQL["orders"], order_id=None, client_id=client_id, state=state, before=before, limit=limit)


def lock_order(conn: db.Connection, order_id: int, client_id: str | None) -> tuple[str, datetime] | None:
    """(state, expires_at) of an order that is nobody else's to change till commit."""
    found = db.rows(conn, SQL["lock_order"], order_id=order_id, client_id=client_id)
    return (found[0][0], found[0][1]) if found else None


def lock_overdue(conn: db.Connection, now: datetime) -> list[int]:
    return [order_id for (order_id,) in db.rows(conn, SQL["lock_overdue"], now=now)]


def batches(conn: db.Connection, orders: Sequence[int]) -> list[int]:
    """The batches that these orders' grams are from."""
    return [batch_id for (batch_id,) in db.rows(conn, SQL["batches"], orders=list(orders))]


def set_state(
    conn: db.Connection,
    order_id: int,
    state: str,
    expires_at: datetime,
    *,
    at: datetime,
    by: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Move an order on and note who did it. `by` is a client id, '' for the clock."""
    conn.execute(SQL["set_state"], {"order_id": order_id, "state": state, "expires_at": expires_at})
    add_step(conn, order_id, state, at=at, by=by, detail=detail)


def add_step(
    conn: db.Connection, order_id: int, state: str, *, at: datetime, by: str, detail: dict[str, Any] | None = None
) -> None:
    text = json.dumps(detail, ensure_ascii=False) if detail else None
    conn.execute(SQL["add_step"], {"order_id": order_id, "state": state, "made_at": at, "made_by": by, "detail": text})
