"""Invoice records: what the operator's accounts are to issue for a paid order, and the credit note when it is refunded.

The amount is what was paid, tax included; the tax is stated by the 发票 itself, whose number is kept here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import db, money, orders
from backend.usecases import answer_once
from rewards import retirement


def invoice_order(
    platform: Platform, request: answer_once.KeyedRequest, order_id: int, buyer: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """Ask for the invoice of a paid order. buyer: name, uscc. Raises Problem not_found, conflict, request_invalid."""
    if mistake := retirement.uscc_mistake(buyer["uscc"]):
        raise field_problem("buyer.uscc", "uscc_invalid", mistake)

    def work(conn: db.Connection) -> answer_once.Answer:
        order = orders.order(conn, order_id, request.client_id)
        if order is None:
            raise Problem("not_found", "no such order")
        orders.lock_order(conn, order_id, request.client_id)
        order = orders.order(conn, order_id, request.client_id)
        assert order is not None
        if order["state"] != "paid":
            raise Problem(
                "conflict", f"订单状态为 {order['state']}，付款后方可开票 · the order is {order['state']}, not paid"
            )
        if not _add(conn, order_id, "invoice", buyer, order["amount_fen"], now):
            raise Problem("conflict", "该订单已有发票 · this order has its invoice")
        return shown(money.invoices(conn, order_id=order_id)[0])

    return answer_once.answer_once(platform, request, now, work)


def answer_refund(conn: db.Connection, order_id: int, now: datetime) -> None:
    """Answer the invoice of an order that is refunded by a credit note 红字发票; nothing where there is none."""
    for invoice in money.invoices(conn, order_id=order_id):
        if invoice["kind"] == "invoice":
            _add(conn, order_id, "credit_note", invoice["buyer"], invoice["amount_fen"], now)


def issue_invoice(
    platform: Platform, request: answer_once.KeyedRequest, number: str, tax_ref: str, now: datetime
) -> answer_once.Answer:
    """The operator's accounts have issued it under a number of the tax office. Raises Problem not_found, conflict."""

    def work(conn: db.Connection) -> answer_once.Answer:
        known = money.invoices(conn, number=number)
        if not known:
            raise Problem("not_found", "no such invoice")
        if not money.issue_invoice(conn, number, tax_ref, request.client_id, now):
            raise Problem("conflict", f"已开具：{known[0]['tax_ref']} · it has been issued")
        return shown(money.invoices(conn, number=number)[0])

    return answer_once.answer_once(platform, request, now, work)


def list_invoices(
    platform: Platform, client_id: str | None, waiting: bool, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` records before an id, newest first; of one company or of all, only those that wait if asked so."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = money.invoices(
            conn, client_id=client_id, waiting=waiting, before=before or money.NEWEST, limit=limit + 1
        )
    following = rows[limit - 1]["invoice_id"] if len(rows) > limit else None
    return [shown(row) for row in rows[:limit]], following


def _add(conn: db.Connection, order_id: int, kind: str, buyer: dict[str, Any], amount_fen: int, now: datetime) -> bool:
    number = f"TPH-I-{now:%Y}-{money.next_invoice(conn):06d}"
    return money.add_invoice(
        conn, number=number, order_id=order_id, kind=kind, buyer=buyer, amount_fen=amount_fen, at=now
    )


def shown(row: dict[str, Any]) -> dict[str, Any]:
    names = ("number", "kind", "buyer", "amount_fen", "asked_at", "tax_ref", "issued_at")
    return {"order": row["order_id"], "company": row["client_id"], **{name: row[name] for name in names}}
