"""Pay an order: by bank transfer, which an operator confirms, or through a payment provider, whose signed word counts.

Money that comes for an order which cannot take it (cancelled, expired, paid already, another amount) is kept apart and
goes back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from backend import payments
from backend.errors import field_problem
from backend.platform import Platform
from backend.store import credits, db, events, money, orders
from backend.usecases import (
    answer_once,
    log_facts,
    move_credits,
    publish_terms,
    refund_order,
    release_credits,
    show_order,
    tell_client,
)
from rewards import ledger, purchase

BANK = "bank_transfer"
PROVIDER = "provider"

ASKED_AFTERWARDS = timedelta(days=1)  # whether an order that ended was paid all the same

log = structlog.get_logger()


def declare_payment(
    platform: Platform, request: answer_once.KeyedRequest, order_id: int, told: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """The company says how it pays, so its reservation waits: for the bank days, for the provider half an hour.

    told: method, and perhaps payer. Raises Problem not_found, conflict, expired, request_invalid (no provider here),
    provider_unavailable.
    """
    method = told.get("method", BANK)
    deadline = now + (purchase.DECLARED_HOLDS if method == BANK else purchase.RESERVATION_HOLDS)
    # The provider is asked before anything is written: asking twice makes one charge, and a charge that nobody needs
    # in the end is closed, or its money goes back.
    pay_url = _charge(platform, order_id, request.client_id, deadline) if method == PROVIDER else None

    def work(conn: db.Connection) -> answer_once.Answer:
        state, _ = release_credits.locked(conn, order_id, request.client_id, "declare", now)
        orders.set_state(conn, order_id, state, deadline, at=now, by=request.client_id, detail=told)
        orders.set_method(conn, order_id, method, pay_url)
        return show_order.shown(platform, orders.order(conn, order_id, request.client_id), now)

    return answer_once.answer_once(platform, request, now, work)


def _charge(platform: Platform, order_id: int, client_id: str, deadline: datetime) -> str | None:
    """The provider's page for an open order; None for any other, which is then refused, or answered again."""
    provider = payments.provider(platform.settings)
    if provider is None:
        text = "本平台未接入支付服务商，请用 bank_transfer · no payment provider is set up here: use bank_transfer"
        raise field_problem("method", "field_invalid", text)
    with platform.db.transaction(snapshot=True) as conn:
        order = orders.order(conn, order_id, client_id)
    if order is None or order["state"] not in purchase.OPEN_STATES:
        return None
    charge = provider.charge(
        show_order.reference(order_id), order["amount_fen"], f"碳普惠减排量 {order['quantity_g']} g CO2e",
        platform.settings.public_url + payments.NOTIFICATIONS, deadline - timedelta(minutes=2),
    )  # fmt: skip
    return charge.pay_url


def confirm_payment(
    platform: Platform, request: answer_once.KeyedRequest, order_id: int, told: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """The operator has the bank transfer: the grams are the company's. told: amount_fen, received_on, bank_ref.

    Raises Problem not_found, conflict, expired, request_invalid when another amount came.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        release_credits.locked(conn, order_id, None, "confirm", now)
        order = orders.order(conn, order_id, None)
        assert order is not None
        if told["amount_fen"] != order["amount_fen"]:
            text = f"应付 {order['amount_fen']} 分 · the order's amount is {order['amount_fen']} fen"
            raise field_problem("amount_fen", "amount_differs", text)
        _take(conn, platform, order, BANK, told["bank_ref"], request.client_id, told, now)
        return show_order.shown(platform, orders.order(conn, order_id, None), now)

    return answer_once.answer_once(platform, request, now, work)


def receive_payment(
    platform: Platform, order_id: int, amount_fen: int, external_ref: str, now: datetime
) -> dict[str, Any] | None:
    """The provider has the money; the order. The same word twice has one effect. None: there is no such order."""

    def work(conn: db.Connection) -> dict[str, Any] | None:
        found = orders.lock_order(conn, order_id, None)
        if found is None:
            return None
        order = orders.order(conn, order_id, None)
        assert order is not None
        known = money.payment(conn, PROVIDER, external_ref)
        if known and known["order_id"] != order_id:
            log.error("transaction_of_another_order", order=order_id, other=known["order_id"])
        if known is None:
            payable = found["state"] in purchase.OPEN_STATES and found["expires_at"] > now
            if payable and amount_fen == order["amount_fen"]:
                _take(conn, platform, order, PROVIDER, external_ref, "", {"transaction": external_ref}, now)
            else:
                _set_apart(conn, order, amount_fen, external_ref, now)
        return show_order.shown(platform, orders.order(conn, order_id, None), now)

    return platform.db.retrying(work)


def reconcile_payments(platform: Platform, now: datetime) -> int:
    """Ask the provider for every order that waits for it, in case its word was lost; how many were paid."""
    provider = payments.provider(platform.settings)
    if provider is None:
        return 0
    with platform.db.transaction(snapshot=True) as conn:
        waiting = orders.awaited(conn, now - ASKED_AFTERWARDS)
    paid = 0
    for order_id in waiting:
        try:
            charge = provider.find_charge(show_order.reference(order_id))
            if charge and charge.state == "paid" and charge.transaction_id:
                receive_payment(platform, order_id, charge.amount_fen, charge.transaction_id, now)
                paid += 1
        except Exception as error:  # of one order: the others go on
            log.warning("payment_not_reconciled", order=order_id, error=type(error).__name__)
    return paid


def _take(
    conn: db.Connection, platform: Platform, order: dict[str, Any], method: str, external_ref: str, by: str,
    told: dict[str, Any], now: datetime,
) -> None:  # fmt: skip
    """The order is locked and open, and the amount is right: the grams are the company's, the money the batches'."""
    order_id, client_id = order["order_id"], order["client_id"]
    blocks = credits.blocks(conn, ledger.RESERVED, str(order_id))
    move_credits.move_credits(
        conn, blocks, order["quantity_g"], ledger.HELD, client_id, reason="sale", ref_id=order_id, at=now
    )
    money.add_payment(
        conn, order_id=order_id, taken=True, method=method, amount_fen=order["amount_fen"], external_ref=external_ref,
        at=now, by=by,
    )  # fmt: skip
    events.add_transfers(conn, [_income(line, order_id, now) for line in order["lines"] if line["amount_fen"]])
    today = now.astimezone(platform.standard.nation.timezone).date()
    days = platform.standard.parameter("refund_days", today)
    shares = publish_terms.shares_on(conn, platform, today)
    orders.set_paid(conn, order_id, now, now + timedelta(days=days), shares)
    orders.add_step(conn, order_id, "paid", at=now, by=by, detail=told)
    log_facts.log_facts(conn, "sale", [order_id])
    figures = {"order": order_id, "quantity_g": order["quantity_g"], "amount_fen": order["amount_fen"]}
    tell_client.tell_client(conn, client_id, "order.paid", figures, now)


def _income(line: dict[str, Any], order_id: int, now: datetime) -> ledger.Transfer:
    return ledger.Transfer(
        now, ledger.MONEY, ledger.BUYERS, 0, ledger.BATCH_INCOME, line["batch"], line["amount_fen"], "sale", order_id
    )


def _set_apart(
    conn: db.Connection, order: dict[str, Any], amount_fen: int, external_ref: str, now: datetime
) -> None:  # fmt: skip
    """Money that the order cannot take: it goes back."""
    order_id = order["order_id"]
    log.warning("payment_set_apart", order=order_id, state=order["state"], amount_fen=amount_fen)
    payment_id = money.add_payment(
        conn, order_id=order_id, taken=False, method=PROVIDER, amount_fen=amount_fen, external_ref=external_ref,
        at=now, by="",
    )  # fmt: skip
    stray = ledger.Transfer(
        now, ledger.MONEY, ledger.BUYERS, 0, ledger.UNALLOCATED, payment_id, amount_fen, "stray", payment_id
    )
    events.add_transfers(conn, [stray])
    refund_order.ask_back(conn, payment_id, order_id, [(ledger.UNALLOCATED, payment_id, amount_fen)], "stray", "", now)
