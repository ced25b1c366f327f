"""Give money back: for a whole paid order whose grams the company still holds, within the days the standard gives.

The grams are offered again at once; the money waits in an account of its own until the bank or the provider has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog

from backend import payments
from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import credits, db, events, money, orders, pools
from backend.usecases import (
    answer_once,
    invoice_order,
    log_facts,
    move_credits,
    recall_credits,
    release_credits,
    show_order,
    tell_client,
)
from rewards import ledger

FINAL = "该订单已不可退：退款期已过，或其减排量已注销、转让 · this order is final: its days for a refund are over, or grams of it have been retired or transferred"  # noqa: E501

log = structlog.get_logger()


def refund_order(
    platform: Platform, request: answer_once.KeyedRequest, order_id: int, company: str | None, reason: str,
    now: datetime,
) -> answer_once.Answer:  # fmt: skip
    """Take a paid order back; the order. company: who must own it; None for an operator.

    Raises Problem not_found, conflict when it is not paid, or final: its days are over, or some of its grams have been
    retired or transferred.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        order = orders.order(conn, order_id, company)
        if order is None:
            raise Problem("not_found", "no such order")
        credits.lock_owner(conn, order["client_id"])
        state, expires_at = release_credits.locked(conn, order_id, company, "refund", now)
        blocks = _refundable(conn, order_id, order["quantity_g"], now)
        batches = release_credits.lock_batches(conn, [order_id])
        if any(money.balance(conn, ledger.BATCH_INCOME, x["batch"]) < x["amount_fen"] for x in order["lines"]):
            raise Problem("conflict", FINAL)  # shared out while this waited for the locks
        if any(pools.is_frozen(conn, batch) for batch in batches):
            raise Problem("conflict", "该订单所在批次已冻结 · a batch of this order is frozen")
        move_credits.move_credits(
            conn, blocks, order["quantity_g"], ledger.AVAILABLE, "", reason="refund", ref_id=order_id, at=now
        )
        orders.set_state(conn, order_id, state, expires_at, at=now, by=request.client_id, detail={"reason": reason})
        payment = money.taken_payment(conn, order_id)
        assert payment is not None
        parts = [(ledger.BATCH_INCOME, line["batch"], line["amount_fen"]) for line in order["lines"]]
        refund_id = ask_back(conn, payment["payment_id"], order_id, parts, reason, request.client_id, now)
        log_facts.log_facts(conn, "refund", [refund_id])
        invoice_order.answer_refund(conn, order_id, now)
        recall_credits.cover_from_unsold(conn, platform, batches, now)
        return show_order.shown(platform, orders.order(conn, order_id, company), now)

    return answer_once.answer_once(platform, request, now, work)


def _refundable(conn: db.Connection, order_id: int, quantity_g: int, now: datetime) -> list[credits.Block]:
    """The blocks that hold the order's grams. Raises Problem conflict when it is final."""
    found = orders.lock_order(conn, order_id, None)
    blocks = orders.order_blocks(conn, order_id)
    held_g = sum(block.span.quantity_g for block in blocks)
    if not found or found["final_at"] <= now or held_g != quantity_g:
        raise Problem("conflict", FINAL)
    return blocks


def ask_back(
    conn: db.Connection, payment_id: int, order_id: int, parts: Sequence[tuple[str, int, int]], reason: str, by: str,
    now: datetime,
) -> int:  # fmt: skip
    """Set the money of a payment aside for the refund, out of (account, number, fen) parts; the refund's id."""
    parts = [part for part in parts if part[2]]
    refund_id = money.add_refund(
        conn, payment_id=payment_id, order_id=order_id, amount_fen=sum(fen for _, _, fen in parts), reason=reason,
        at=now, by=by,
    )  # fmt: skip
    events.add_transfers(
        conn,
        [
            ledger.Transfer(now, ledger.MONEY, account, number, ledger.REFUNDING, refund_id, fen, "refund", order_id)
            for account, number, fen in parts
        ],
    )
    return refund_id


def confirm_refund(
    platform: Platform, request: answer_once.KeyedRequest, refund_id: int, external_ref: str, now: datetime
) -> answer_once.Answer:
    """The operator has sent the money back by bank; the refund. Raises Problem not_found, conflict."""

    def work(conn: db.Connection) -> answer_once.Answer:
        refund = money.lock_refund(conn, refund_id)
        if refund is None:
            raise Problem("not_found", "no such refund")
        if refund["state"] == "done":
            raise Problem("conflict", "该退款已完成 · this refund is done")
        if refund["method"] == "provider" and refund["state"] != "failed":
            raise Problem("conflict", "该退款由支付服务商办理 · the payment provider is making this refund")
        _finish(conn, refund, external_ref, now)
        return shown(money.lock_refund(conn, refund_id))

    return answer_once.answer_once(platform, request, now, work)


def settle_refund(
    platform: Platform, refund_id: int, state: str, external_ref: str, now: datetime, amount_fen: int | None = None
) -> bool:
    """What the provider says of a refund of its own: done, which goes before failed. Said twice it has one effect.

    False: there is none such. Raises Problem request_invalid for another amount.
    """
    with platform.db.transaction() as conn:
        refund = money.lock_refund(conn, refund_id)
        if refund is None or refund["method"] != "provider":
            return False
        if amount_fen not in (None, refund["amount_fen"]):
            log.error("refund_amount_differs", refund=refund_id)
            raise field_problem("amount_fen", "amount_differs", "the refund is of another amount")
        if refund["state"] != "done" and state == "done":
            _finish(conn, refund, external_ref, now)
        elif refund["state"] == "requested" and state == "failed":
            log.error("refund_failed", refund=refund_id, order=refund["order_id"])
            money.set_refund(conn, refund_id, "failed", external_ref, None)
    return True


def send_refunds(platform: Platform, now: datetime) -> int:
    """Ask the provider for every refund of its payments that is not done; how many were asked for."""
    provider = payments.provider(platform.settings)
    if provider is None:
        return 0
    with platform.db.transaction(snapshot=True) as conn:
        waiting = money.waiting_refunds(conn)
    sent = 0
    for refund in waiting:
        try:
            answer = provider.refund(
                reference(refund["refund_id"]), show_order.reference(refund["order_id"]), refund["amount_fen"],
                refund["reason"], platform.settings.public_url + payments.NOTIFICATIONS,
            )  # fmt: skip
            sent += 1
            if answer.state in ("done", "failed"):
                settle_refund(platform, refund["refund_id"], answer.state, answer.provider_id, now)
        except Exception as error:  # of one refund: the others go on
            log.warning("refund_not_sent", refund=refund["refund_id"], error=type(error).__name__)
    return sent


def list_refunds(
    platform: Platform, state: str | None, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` refunds before an id, newest first, and the id to go on before, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = money.refunds(conn, state=state, before=before or money.NEWEST, limit=limit + 1)
    following = rows[limit - 1]["refund_id"] if len(rows) > limit else None
    return [shown(row) for row in rows[:limit]], following


def _finish(conn: db.Connection, refund: dict[str, Any], external_ref: str, now: datetime) -> None:
    refund_id, order_id, fen = refund["refund_id"], refund["order_id"], refund["amount_fen"]
    money.set_refund(conn, refund_id, "done", external_ref, now)
    back = ledger.Transfer(now, ledger.MONEY, ledger.REFUNDING, refund_id, ledger.BUYERS, 0, fen, "refunded", refund_id)
    events.add_transfers(conn, [back])
    told = {"order": order_id, "refund": refund_id, "amount_fen": fen}
    tell_client.tell_client(conn, refund["client_id"], "refund.done", told, now)


def shown(row: dict[str, Any] | None) -> dict[str, Any]:
    assert row is not None
    names = ("amount_fen", "reason", "state", "method", "external_ref", "asked_at", "done_at")
    return {
        "id": row["refund_id"], "reference": reference(row["refund_id"]), "order": row["order_id"],
        "company": row["client_id"], **{name: row[name] for name in names},
    }  # fmt: skip


def reference(refund_id: int) -> str:
    """What a refund is called towards the bank and the provider."""
    return f"TPH-R-{refund_id:06d}"
