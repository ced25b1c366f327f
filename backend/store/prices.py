"""Statements of price rules and paid prices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.store import db, statements
from rewards import pricing

SQL = statements.of("prices")
NEWEST = db.NEWEST


def add_rule(conn: db.Connection, **rule: Any) -> int:
    return int(db.rows(conn, SQL["add_rule"], **rule)[0][0])


def rules(conn: db.Connection, now: datetime) -> list[pricing.Rule]:
    """The rules that can hold at a moment: the newest of every scope."""
    return [
        pricing.Rule(
            r["rule_id"], r["batch_id"], r["region"], r["pack_code"], r["vintage_month"],
            list(zip(r["from_g"], r["prices"], strict=True)), r["valid_from"],
        )
        for r in db.dicts(conn, SQL["rules"], now=now)
    ]  # fmt: skip


def all_rules(conn: db.Connection, before: int, limit: int) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["all_rules"], before=before, limit=limit)


def days(conn: db.Connection, **wanted: Any) -> list[dict[str, Any]]:
    """What was paid, by civil day (Asia/Shanghai), oldest first."""
    return db.dicts(conn, SQL["days"], **wanted)
