"""Statements of quotes and orders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from backend.store import credits, db, statements
from rewards import purchase, serials

SQL = statements.of("orders")
NEWEST = db.NEWEST


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


def lock_order(conn: db.Connection, order_id: int, client_id: str | None) -> dict[str, Any] | None:
    """{state, expires_at, final_at} of an order that is nobody else's to change till commit."""
    return db.one(conn, SQL["lock_order"], order_id=order_id, client_id=client_id)


def set_method(conn: db.Connection, order_id: int, method: str, pay_url: str | None) -> None:
    conn.execute(SQL["set_method"], {"order_id": order_id, "method": method, "pay_url": pay_url})


def set_paid(conn: db.Connection, order_id: int, at: datetime, final_at: datetime, shares_ppm: Sequence[int]) -> None:
    """The money came: under which terms it is shared, and from when on it is not given back."""
    values = {"order_id": order_id, "at": at, "final_at": final_at, "shares_ppm": list(shares_ppm)}
    conn.execute(SQL["set_paid"], values)


def make_final(conn: db.Connection, client_id: str, moved: Mapping[int, Sequence[serials.Span]], at: datetime) -> None:
    """Orders of the company with grams among those that moved, batch -> spans, can be refunded no more."""
    flat = [(batch, span) for batch, spans in moved.items() for span in spans]
    conn.execute(
        SQL["make_final"],
        {
            "client_id": client_id,
            "at": at,
            "batches": [batch for batch, _ in flat],
            "firsts": [span.first for _, span in flat],
            "lasts": [span.last for _, span in flat],
        },
    )


def order_blocks(conn: db.Connection, order_id: int) -> list[credits.Block]:
    """The order's grams that its company still holds."""
    found = db.dicts(conn, SQL["order_blocks"], order_id=order_id)
    return [
        credits.Block(b["block_id"], b["batch_id"], b["account"], b["owner"], serials.Span(b["first"], b["last"]))
        for b in found
    ]


def awaited(conn: db.Connection, since: datetime) -> list[int]:
    """Orders that are to be paid through the provider, or ended after `since` and may have been paid all the same."""
    return [order_id for (order_id,) in db.rows(conn, SQL["awaited"], since=since)]


def lock_overdue(conn: db.Connection, now: datetime) -> dict[int, str]:
    """Overdue order -> its company."""
    return dict(db.rows(conn, SQL["lock_overdue"], now=now))


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


def add_standing(conn: db.Connection, **standing: Any) -> int:
    return int(db.rows(conn, SQL["add_standing"], **standing)[0][0])


def standing_orders(conn: db.Connection, client_id: str, standing_id: int | None = None) -> list[dict[str, Any]]:
    """A company's standing orders, newest first, each with its last twelve runs."""
    return db.dicts(conn, SQL["standing_orders"], client_id=client_id, standing_id=standing_id)


def living_standing(conn: db.Connection, client_id: str) -> int:
    """How many standing orders a company has that are not ended."""
    return int(db.rows(conn, SQL["living_standing"], client_id=client_id)[0][0])


def end_standing(conn: db.Connection, standing_id: int, client_id: str, at: datetime) -> bool:
    return db.run(conn, SQL["end_standing"], standing_id=standing_id, client_id=client_id, at=at) == 1


def due_standing(conn: db.Connection, today: date) -> dict[str, Any] | None:
    """A standing order that is to be carried out today and is nobody else's till commit."""
    return db.one(conn, SQL["due_standing"], today=today)


def add_run(
    conn: db.Connection, standing_id: int, today: date, order_id: int | None, problem: str | None, at: datetime
) -> None:  # fmt: skip
    values = {"standing_id": standing_id, "today": today, "order_id": order_id, "problem": problem, "at": at}
    conn.execute(SQL["add_run"], values)
