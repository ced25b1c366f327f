"""Pay an order by bank transfer: the company declares it, an operator confirms that the money came."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import field_problem
from backend.platform import Platform
from backend.store import credits, db, events, orders
from backend.usecases import answer_once, move_credits, release_credits, show_order
from rewards import ledger, purchase


def declare_payment(
    platform: Platform, request: answer_once.KeyedRequest, order_id: int, told: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """The company says that it is paying: its reservation waits for the bank.

    Raises Problem not_found, conflict, expired.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        state, _ = release_credits.locked(conn, order_id, request.client_id, "declare", now)
        deadline = now + purchase.DECLARED_HOLDS
        orders.set_state(conn, order_id, state, deadline, at=now, by=request.client_id, detail=told)
        return show_order.shown(orders.order(conn, order_id, request.client_id), now)

    return answer_once.answer_once(platform, request, now, work)


def confirm_payment(
    platform: Platform, request: answer_once.KeyedRequest, order_id: int, told: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """The money came: the grams are the company's. told: amount_fen, received_on, bank_ref.

    Raises Problem not_found, conflict, expired, request_invalid when another amount came.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        state, expires_at = release_credits.locked(conn, order_id, None, "confirm", now)
        order = orders.order(conn, order_id, None)
        assert order is not None
        if told["amount_fen"] != order["amount_fen"]:
            text = f"应付 {order['amount_fen']} 分 · the order's amount is {order['amount_fen']} fen"
            raise field_problem("amount_fen", "amount_differs", text)
        blocks = credits.blocks(conn, ledger.RESERVED, str(order_id))
        move_credits.move_credits(
            conn, blocks, order["quantity_g"], ledger.HELD, order["client_id"], reason="sale", ref_id=order_id, at=now
        )
        events.add_transfers(conn, [_income(line, order_id, now) for line in order["lines"] if line["amount_fen"]])
        orders.set_state(conn, order_id, state, expires_at, at=now, by=request.client_id, detail=told)
        return show_order.shown(orders.order(conn, order_id, None), now)

    return answer_once.answer_once(platform, request, now, work)


def _income(line: dict[str, Any], order_id: int, now: datetime) -> ledger.Transfer:
    return ledger.Transfer(
        now, ledger.MONEY, ledger.BUYERS, 0, ledger.BATCH_INCOME, line["batch"], line["amount_fen"], "sale", order_id
    )
