"""A client's webhooks: where it is told, what, and under which secret."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from backend import webhooks
from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import credits, db
from backend.store import webhooks as store
from backend.usecases import answer_once, tell_client

WEBHOOKS_MAX = 10
OLD_SECRET_SIGNS = timedelta(hours=24)


def add_webhook(
    platform: Platform, request: answer_once.KeyedRequest, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """wish: url, and perhaps kinds. The webhook with its secret, which is shown this once.

    Raises Problem request_invalid, conflict when there are too many.
    """
    try:
        webhooks.check_url(wish["url"], allow_private=platform.settings.webhook_private)
    except webhooks.Unfit as unfit:
        raise field_problem("url", "field_invalid", str(unfit)) from None

    def work(conn: db.Connection) -> answer_once.Answer:
        credits.lock_owner(conn, request.client_id)
        if len(store.webhooks(conn, request.client_id)) >= WEBHOOKS_MAX:
            raise Problem("conflict", f"至多 {WEBHOOKS_MAX} 个 webhook · at most {WEBHOOKS_MAX} webhooks")
        webhook_id = store.add_webhook(
            conn, client_id=request.client_id, url=wish["url"], kinds=wish.get("kinds") or [],
            salt=webhooks.new_salt(), at=now,
        )  # fmt: skip
        return _one(conn, request.client_id, webhook_id)

    return _with_secret(platform, request.client_id, answer_once.answer_once(platform, request, now, work))


def list_webhooks(platform: Platform, client_id: str) -> list[dict[str, Any]]:
    with platform.db.transaction(snapshot=True) as conn:
        return [shown(row) for row in store.webhooks(conn, client_id)]


def remove_webhook(platform: Platform, client_id: str, webhook_id: int) -> None:
    """Nothing more is delivered there. Raises Problem not_found."""
    with platform.db.transaction() as conn:
        if not store.remove_webhook(conn, client_id, webhook_id):
            raise Problem("not_found", "no such webhook")


def rotate_secret(
    platform: Platform, request: answer_once.KeyedRequest, webhook_id: int, now: datetime
) -> answer_once.Answer:
    """A new secret, shown this once; the old one signs too for a day. Raises Problem not_found."""

    def work(conn: db.Connection) -> answer_once.Answer:
        _one(conn, request.client_id, webhook_id)
        store.set_salt(conn, request.client_id, webhook_id, webhooks.new_salt(), now + OLD_SECRET_SIGNS)
        return _one(conn, request.client_id, webhook_id)

    return _with_secret(platform, request.client_id, answer_once.answer_once(platform, request, now, work))


def _with_secret(platform: Platform, client_id: str, answer: answer_once.Answer) -> answer_once.Answer:
    """The answer as it was kept, which holds no secret, and the webhook's secret; nothing of one that was removed."""
    with platform.db.transaction(snapshot=True) as conn:
        found = store.webhooks(conn, client_id, answer["id"])
    if not found:
        return answer
    return answer | {"secret": webhooks.secret_of(platform.settings.secret, bytes(found[0]["salt"]))}


def drop_old_secret(platform: Platform, client_id: str, webhook_id: int) -> dict[str, Any]:
    """The client has changed over: only the new secret signs. Raises Problem not_found."""
    with platform.db.transaction() as conn:
        store.drop_old_secret(conn, client_id, webhook_id)
        return _one(conn, client_id, webhook_id)


def enable_webhook(
    platform: Platform, request: answer_once.KeyedRequest, webhook_id: int, now: datetime
) -> answer_once.Answer:
    """Deliver there again; what waits is due as it was. Raises Problem not_found."""

    def work(conn: db.Connection) -> answer_once.Answer:
        store.enable(conn, request.client_id, webhook_id)
        return _one(conn, request.client_id, webhook_id)

    return answer_once.answer_once(platform, request, now, work)


def send_test(
    platform: Platform, request: answer_once.KeyedRequest, webhook_id: int, now: datetime
) -> answer_once.Answer:
    """A `webhook.test` to that webhook; the message's id. Raises Problem not_found."""

    def work(conn: db.Connection) -> answer_once.Answer:
        _one(conn, request.client_id, webhook_id)
        return {"message": tell_client.test_webhook(conn, request.client_id, webhook_id, now)}

    return answer_once.answer_once(platform, request, now, work)


def list_deliveries(
    platform: Platform, client_id: str, webhook_id: int, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` attempts before an id, newest first, and the id to go on before. Raises Problem not_found."""
    with platform.db.transaction(snapshot=True) as conn:
        _one(conn, client_id, webhook_id)
        rows = store.deliveries(conn, client_id, webhook_id, before or store.NEWEST, limit + 1)
    following = rows[limit - 1]["delivery_id"] if len(rows) > limit else None
    names = ("kind", "attempt", "at", "took_ms", "status", "error")
    items = [{"message": row["public_id"], **{name: row[name] for name in names}} for row in rows[:limit]]
    return items, following


def list_messages(
    platform: Platform, client_id: str, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` messages before an id, newest first, and the id to go on before, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = store.messages(conn, client_id, before or store.NEWEST, limit + 1)
    following = rows[limit - 1]["message_id"] if len(rows) > limit else None
    items = [{"id": r["public_id"], "type": r["kind"], "data": r["body"], "made_at": r["made_at"]} for r in rows]
    return items[:limit], following


def replay_messages(
    platform: Platform, request: answer_once.KeyedRequest, which: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """which: public_id, or since, and perhaps webhook_id; how many deliveries wait now.

    Raises Problem not_found, request_invalid.
    """
    if bool(which.get("public_id")) == bool(which.get("since")):
        raise field_problem(
            "message", "field_invalid", "写 message 或 since，二者取一 · say either `message` or `since`"
        )

    def work(conn: db.Connection) -> answer_once.Answer:
        if which.get("webhook_id"):
            _one(conn, request.client_id, which["webhook_id"])
        known = store.messages(conn, request.client_id, store.NEWEST, 1, which.get("public_id"))
        if which.get("public_id") and not known:
            raise Problem("not_found", "no such message")
        return {"deliveries": store.replay(conn, request.client_id, now, **which)}

    return answer_once.answer_once(platform, request, now, work)


def _one(conn: db.Connection, client_id: str, webhook_id: int) -> dict[str, Any]:
    found = store.webhooks(conn, client_id, webhook_id)
    if not found:
        raise Problem("not_found", "no such webhook")
    return shown(found[0])


def shown(row: dict[str, Any]) -> dict[str, Any]:
    names = ("url", "kinds", "made_at", "waiting", "failing_since", "disabled_at", "disabled_for", "old_until")
    return {"id": row["webhook_id"], **{name: row[name] for name in names}}
