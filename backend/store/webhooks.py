"""Statements of webhooks, the outbox and its deliveries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("webhooks")
NEWEST = db.NEWEST


def add_messages(
    conn: db.Connection,
    rows: Sequence[tuple[str, str, str, dict[str, Any]]],
    at: datetime,
    webhook_id: int | None = None,
) -> None:
    """Write (public id, client, kind, body) messages and what is due of them: to who wants it, or to one webhook."""
    conn.execute(
        SQL["add_messages"],
        {
            "at": at,
            "webhook_id": webhook_id,
            "ids": [row[0] for row in rows],
            "clients": [row[1] for row in rows],
            "kinds": [row[2] for row in rows],
            "bodies": [json.dumps(row[3], ensure_ascii=False, default=str) for row in rows],
        },
    )


def add_webhook(conn: db.Connection, **webhook: Any) -> int:
    return int(db.rows(conn, SQL["add_webhook"], **webhook)[0][0])


def webhooks(conn: db.Connection, client_id: str, webhook_id: int | None = None) -> list[dict[str, Any]]:
    """A client's webhooks, each with how many messages wait."""
    return db.dicts(conn, SQL["webhooks"], client_id=client_id, webhook_id=webhook_id)


def remove_webhook(conn: db.Connection, client_id: str, webhook_id: int) -> bool:
    return db.run(conn, SQL["remove_webhook"], client_id=client_id, webhook_id=webhook_id) == 1


def set_salt(conn: db.Connection, client_id: str, webhook_id: int, salt: bytes, old_until: datetime) -> None:
    """A new secret; the one before it signs too until then."""
    values = {"client_id": client_id, "webhook_id": webhook_id, "salt": salt, "old_until": old_until}
    conn.execute(SQL["set_salt"], values)


def drop_old_secret(conn: db.Connection, client_id: str, webhook_id: int) -> None:
    conn.execute(SQL["drop_old_secret"], {"client_id": client_id, "webhook_id": webhook_id})


def enable(conn: db.Connection, client_id: str, webhook_id: int) -> None:
    conn.execute(SQL["enable"], {"client_id": client_id, "webhook_id": webhook_id})


def lease(
    conn: db.Connection, now: datetime, until: datetime, each: int, limit: int, busy: Sequence[int]
) -> list[dict[str, Any]]:
    """Take due deliveries, but of busy webhooks: nobody else takes them before `until`."""
    return db.dicts(conn, SQL["lease"], now=now, until=until, each=each, limit=limit, busy=list(busy))


def add_delivery(conn: db.Connection, **delivery: Any) -> None:
    conn.execute(SQL["add_delivery"], delivery)


def delivered(conn: db.Connection, message_id: int, webhook_id: int, attempt: int) -> None:
    """It waits no more: it arrived, or was given up; unless it was taken up again since that attempt."""
    conn.execute(SQL["delivered"], {"message_id": message_id, "webhook_id": webhook_id, "attempt": attempt})


def postpone(conn: db.Connection, message_id: int, webhook_id: int, attempt: int, due_at: datetime) -> None:
    """The same, to a later moment."""
    values = {"message_id": message_id, "webhook_id": webhook_id, "attempt": attempt, "due_at": due_at}
    conn.execute(SQL["postpone"], values)


def set_health(conn: db.Connection, webhook_id: int, failing_since: datetime | None) -> None:
    conn.execute(SQL["set_health"], {"webhook_id": webhook_id, "failing_since": failing_since})


def disable(conn: db.Connection, webhook_id: int, reason: str, at: datetime) -> None:
    conn.execute(SQL["disable"], {"webhook_id": webhook_id, "reason": reason, "at": at})


def is_due(conn: db.Connection, now: datetime) -> bool:
    return bool(db.rows(conn, SQL["is_due"], now=now)[0][0])


def deliveries(
    conn: db.Connection, client_id: str, webhook_id: int, before: int, limit: int
) -> list[dict[str, Any]]:  # fmt: skip
    """A webhook's attempts, newest first."""
    return db.dicts(
        conn, SQL["deliveries"], client_id=client_id, webhook_id=webhook_id, before=before, limit=limit
    )  # fmt: skip


def messages(
    conn: db.Connection, client_id: str, before: int, limit: int, public_id: str | None = None
) -> list[dict[str, Any]]:
    """A client's messages, newest first."""
    return db.dicts(conn, SQL["messages"], client_id=client_id, before=before, limit=limit, public_id=public_id)


def replay(
    conn: db.Connection,
    client_id: str,
    at: datetime,
    *,
    public_id: str | None = None,
    since: datetime | None = None,
    webhook_id: int | None = None,
) -> int:
    """Have messages delivered again; how many deliveries that makes."""
    return db.run(
        conn, SQL["replay"], client_id=client_id, at=at, public_id=public_id, since=since, webhook_id=webhook_id
    )  # fmt: skip
