"""Tell clients what happened to them: a message in the outbox, in the transaction of what it tells.

What was rolled back was never told; what was committed is delivered to every webhook that wants it, at least once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from backend.store import db, webhooks

# kind -> (中文, English)
KINDS: dict[str, tuple[str, str]] = {
    "verdicts.changed": ("您所报事件的判定有变", "verdicts of events of yours changed"),
    "correction.cost": ("您的更正的代价", "what corrections of yours cost"),
    "batch.recalled": ("您持有的批次有召回", "a batch with grams of yours recalled some"),
    "order.reserved": ("订单已预留", "an order was reserved"),
    "order.paid": ("订单已付款", "an order was paid"),
    "order.cancelled": ("订单已取消", "an order was cancelled"),
    "order.expired": ("订单已过期", "an order expired"),
    "refund.done": ("退款已完成", "a refund was made"),
    "credits.received": ("收到受让的减排量", "credits were transferred to you"),
    "credits.retired": ("减排量已注销", "credits were retired"),
    "settlement.paid": ("收到销售分成", "your share of sales was credited"),
    "standing_order.placed": ("定期订单已下单", "a standing order ordered"),
    "standing_order.failed": ("定期订单未能下单", "a standing order could not order"),
    "entity.reviewed": ("主体已复核", "an entity was reviewed"),
    "terms.published": ("收入分配条款已公布", "terms of sharing were published"),
    "webhook.test": ("测试", "a test"),
}

Row = tuple[str, str, dict[str, Any]]  # client, kind, body


def tell_client(conn: db.Connection, client_id: str, kind: str, body: dict[str, Any], now: datetime) -> str:
    """Tell one client; the message's public id."""
    [public_id] = tell_clients(conn, [(client_id, kind, body)], now)
    return public_id


def test_webhook(conn: db.Connection, client_id: str, webhook_id: int, now: datetime) -> str:
    """A `webhook.test` to one webhook, whatever kinds it wants; the message's public id."""
    public_id = f"msg_{secrets.token_urlsafe(16)}"
    row = (public_id, client_id, "webhook.test", {"webhook": webhook_id})
    webhooks.add_messages(conn, [row], now, webhook_id)
    return public_id


def tell_clients(conn: db.Connection, rows: Iterable[Row], now: datetime) -> list[str]:
    """Tell many, by one statement; the messages' public ids."""
    messages = [(f"msg_{secrets.token_urlsafe(16)}", client_id, kind, body) for client_id, kind, body in rows]
    assert all(kind in KINDS for _, _, kind, _ in messages)
    if messages:
        webhooks.add_messages(conn, messages, now)
    return [message[0] for message in messages]
