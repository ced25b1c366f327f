"""What the clock asks for. Several schedulers may run: one at a time does a task, and doing it twice does it once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import psycopg_pool
import structlog

from backend import logs, queue
from backend.platform import Platform
from backend.store import maintenance, migrate, retirements
from backend.usecases import (
    ask_witnesses,
    check_conservation,
    deliver_messages,
    pay_order,
    pay_out,
    place_standing_orders,
    refund_order,
    release_credits,
    retire_credits,
    sequence_log,
    settle_sales,
)

log = structlog.get_logger()

RENDERING_TAKES = timedelta(seconds=30)  # a certificate without a PDF for longer is asked for again


def expire_orders(platform: Platform, now: datetime) -> int:
    return release_credits.expire_orders(platform, now)


def ask_for_renderings(platform: Platform, now: datetime) -> int:
    """Ask again for certificates whose rendering was lost."""
    with platform.db.transaction() as conn:
        numbers = retirements.without_pdf(conn, now - RENDERING_TAKES)
    return sum(retire_credits.enqueue_rendering(platform, number) for number in numbers)


def make_partitions(platform: Platform, now: datetime) -> int:
    with platform.db.transaction() as conn:
        migrate.make_partitions(conn, now.date())
    return 0


def forget_assertions(platform: Platform, now: datetime) -> int:
    """Drop the marks of used client assertions that have expired and so cannot come again."""
    with platform.db.transaction() as conn:
        return maintenance.forget_assertions(conn, now)


def check_books(platform: Platform, now: datetime) -> int:
    """Prove the books; what fails is logged, and its batch frozen."""
    proof = check_conservation.check_conservation(platform, now)
    return sum(not line["ok"] for line in proof["identities"])


def ask_for_deliveries(platform: Platform, now: datetime) -> int:
    """Ask a worker to deliver what waits in the outbox."""
    if not deliver_messages.is_due(platform, now):
        return 0
    return int(queue.enqueue(platform.redis, "backend.workers.jobs.deliver", "deliver"))


def ask_to_sequence(platform: Platform, now: datetime) -> int:
    """Ask a worker to give what waits its place in the log."""
    if not sequence_log.is_due(platform):
        return 0
    return int(queue.enqueue(platform.redis, "backend.workers.jobs.sequence", "sequence"))


_asking = threading.Lock()


def ask_for_cosignatures(platform: Platform, now: datetime) -> int:
    """Ask the witnesses, in a thread of its own: one that hangs holds up neither the clock nor a worker."""
    if not ask_witnesses.is_due(platform) or not _asking.acquire(blocking=False):
        return 0

    def ask() -> None:
        try:
            ask_witnesses.ask_witnesses(platform, now)
        except Exception as error:
            log.warning("scheduled_task_failed", task="ask_for_cosignatures", error=type(error).__name__)
        finally:
            _asking.release()

    threading.Thread(target=ask, daemon=True).start()
    return 1


def settle(platform: Platform, now: datetime) -> int:
    """Share out what sales brought; batches whose time it is."""
    return len(settle_sales.settle_sales(platform, now))


# How often, and what.
ROUND: tuple[tuple[timedelta, Callable[[Platform, datetime], int]], ...] = (
    (timedelta(seconds=2), ask_to_sequence),
    (timedelta(seconds=3), ask_for_deliveries),
    (timedelta(seconds=10), ask_for_cosignatures),
    (timedelta(seconds=15), expire_orders),
    (timedelta(seconds=15), ask_for_renderings),
    (timedelta(minutes=1), pay_order.reconcile_payments),
    (timedelta(minutes=1), refund_order.send_refunds),
    (timedelta(minutes=1), pay_out.reconcile_payouts),
    (timedelta(minutes=10), check_books),
    (timedelta(hours=1), place_standing_orders.place_standing_orders),
    (timedelta(hours=1), settle),
    (timedelta(hours=1), forget_assertions),
    (timedelta(hours=1), make_partitions),
)


def schedule(stop: threading.Event | None = None) -> None:
    """Run rounds until SIGTERM or SIGINT (or until `stop` is set)."""
    if stop is None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))  # at once, also while waiting for a database that is away
    platform = Platform.open(os.environ)
    logs.configure(platform.settings.log_level)
    due = dict.fromkeys(range(len(ROUND)), datetime.min.replace(tzinfo=UTC))
    while not stop.is_set():
        run_due(platform, due, datetime.now(UTC))
        stop.wait(1)
    platform.close()


def run_due(platform: Platform, due: dict[int, datetime], now: datetime) -> None:
    """Run what is due and put its next time into `due`. What fails is tried again at its next time."""
    for place, (every, task) in enumerate(ROUND):
        if due[place] > now:
            continue
        due[place] = now + every
        try:
            with platform.db.transaction() as conn:
                done = task(platform, now) if maintenance.is_my_round(conn) else 0
            if done:
                log.info("scheduled", task=task.__name__, done=done)
        except (psycopg.Error, psycopg_pool.PoolTimeout) as error:
            log.warning("scheduled_task_failed", task=task.__name__, error=type(error).__name__)
        except Exception as error:  # a defect of one task does not end the others
            log.exception("scheduled_task_broken", task=task.__name__, error=type(error).__name__)
