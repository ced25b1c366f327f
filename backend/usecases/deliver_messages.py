"""Deliver what waits in the outbox: at least once, with growing pauses, one slow receiver holding up nobody else."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from backend import webhooks
from backend.platform import Platform
from backend.store import db, notices
from backend.store import webhooks as store

AT_ONCE = 16
EACH = 2  # of one webhook at once
SHIFT = timedelta(minutes=1)
LEASE = timedelta(minutes=1)  # longer than an attempt takes
# Pauses after the first, second, ... attempt, as the example of Standard Webhooks has it; then it is given up.
PAUSES_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
PATIENCE = timedelta(days=5)  # without a single success, then the webhook is disabled

log = structlog.get_logger()


def deliver_messages(platform: Platform, now: datetime) -> int:
    """Attempt every delivery that is due; how many. No transaction is open while a receiver is waited for.

    As one comes back the next is taken, at most EACH of a webhook at once, so that a slow receiver waits for itself.
    After SHIFT no more are taken: the scheduler asks again, and other jobs get their turn.
    """
    attempted, began_s, told_now = 0, time.monotonic(), now
    flying: dict[Future[None], int] = {}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while True:
            flights = Counter(flying.values())
            now = told_now + timedelta(seconds=time.monotonic() - began_s)  # a lease begins when it is taken
            free = AT_ONCE - len(flying) if now - told_now < SHIFT else 0
            with platform.db.transaction() as conn:
                busy = [webhook_id for webhook_id, count in flights.items() if count >= EACH]
                taken = store.lease(conn, now, now + LEASE, EACH, free, busy) if free else []
            for due in taken:
                flying[threads.submit(_deliver, platform, due, now)] = due["webhook_id"]
            attempted += len(taken)
            if not flying:
                return attempted
            for done in wait(flying, return_when=FIRST_COMPLETED).done:
                del flying[done]
                done.result()


def is_due(platform: Platform, now: datetime) -> bool:
    with platform.db.transaction(snapshot=True) as conn:
        return store.is_due(conn, now)


def _deliver(platform: Platform, due: dict[str, Any], now: datetime) -> None:
    salts = [due["salt"]] + ([due["old_salt"]] if due["old_until"] and due["old_until"] > now else [])
    keys = [webhooks.secret_of(platform.settings.secret, bytes(salt)) for salt in salts]
    body = webhooks.content(due["kind"], due["made_at"], due["body"])
    outcome = webhooks.post(
        due["url"], due["public_id"], int(datetime.now(UTC).timestamp()), body, keys,
        allow_private=platform.settings.webhook_private,
    )  # fmt: skip
    platform.db.retrying(lambda conn: _note(conn, due, outcome, now))


def _note(conn: db.Connection, due: dict[str, Any], outcome: webhooks.Outcome, now: datetime) -> None:
    """Log the attempt; the message waits no more, or for its next turn."""
    message_id, webhook_id, attempt = due["message_id"], due["webhook_id"], due["attempts"]
    store.add_delivery(
        conn, message_id=message_id, webhook_id=webhook_id, attempt=attempt, at=now, took_ms=outcome.took_ms,
        status=outcome.status, error=outcome.error,
    )  # fmt: skip
    if outcome.is_delivered:
        store.set_health(conn, webhook_id, None)  # the webhook before what is due of it, as who removes it does
        store.delivered(conn, message_id, webhook_id, attempt)
        return
    failing_since = due["failing_since"] or now
    store.set_health(conn, webhook_id, failing_since)
    if attempt > len(PAUSES_S):
        store.delivered(conn, message_id, webhook_id, attempt)
        log.warning("webhook_given_up", webhook=webhook_id, message=due["public_id"], attempts=attempt)
    else:
        pause_s = PAUSES_S[attempt - 1] * random.uniform(1, 1.1)
        store.postpone(conn, message_id, webhook_id, attempt, now + timedelta(seconds=pause_s))
    if outcome.status == 410 or now - failing_since > PATIENCE:
        _disable(conn, due, "410 Gone" if outcome.status == 410 else "no success for 5 days", now)


def _disable(conn: db.Connection, due: dict[str, Any], reason: str, now: datetime) -> None:
    store.disable(conn, due["webhook_id"], reason, now)
    log.warning("webhook_disabled", webhook=due["webhook_id"], client=due["client_id"], reason=reason)
    body = {
        "webhook": due["webhook_id"], "url": due["url"], "reason": reason,
        "zh": "该 webhook 已停用；修复后可重新启用并补发。",
        "en": "This webhook was disabled; once mended it can be enabled again and its messages replayed.",
    }  # fmt: skip
    notices.add_notice(conn, due["client_id"], "webhook_disabled", f"webhook-{due['webhook_id']}", body, now)
