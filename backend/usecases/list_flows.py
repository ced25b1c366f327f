"""The public flows of money: what companies paid, and where every fen of it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from backend.platform import Platform
from backend.store import db, money
from backend.usecases import list_batches, publish_terms
from rewards import certificates, ledger

_POTS = ("citizens_fen", "partners_fen", "platform_fen", "fund_fen")
_MONTH = ("sold_fen", "refunded_fen", *_POTS, "paid_out_fen")
_COUNTED = (*_MONTH, "people", "takers")
MAX_AGE = timedelta(seconds=60)

_latest: WeakKeyDictionary[db.Database, tuple[datetime, dict[str, Any]]] = WeakKeyDictionary()


def list_flows(platform: Platform, before: int | None, limit: int, now: datetime) -> tuple[dict[str, Any], int | None]:
    """{as_of, totals, months, batches, terms}; up to `limit` batches before an id, and the id to go on before.

    The sums are at most MAX_AGE old. Nothing rests on fewer than 20 people but the totals: smaller batches are in them
    only, and a month in which fewer were paid or paid out is told with the next one.
    """
    as_of, sums = _sums(platform, now)
    with platform.db.transaction(snapshot=True) as conn:
        rows = money.batch_flows(conn, certificates.PEOPLE_SHOWN_FROM, before or money.NEWEST, limit + 1)
    following = rows[limit - 1]["batch_id"] if len(rows) > limit else None
    return sums | {
        "as_of": as_of,
        "batches": [_batch(platform, row) for row in rows[:limit]],
        "terms": publish_terms.list_terms(platform, now),
    }, following


def _sums(platform: Platform, now: datetime) -> tuple[datetime, dict[str, Any]]:
    """(as of when, {totals, months}): sums over all money, so not made anew for everybody who asks."""
    cached = _latest.get(platform.db)
    if cached and timedelta(0) <= now - cached[0] < MAX_AGE:
        return cached
    with platform.db.transaction(snapshot=True) as conn:
        months = money.flows(conn)
        held = money.accounts(conn)
        people = money.people_paid(conn)
    totals = {name: sum(row[name] for row in months) for name in _MONTH}
    totals |= {
        "from_buyers_fen": -held.get(ledger.BUYERS, 0),
        "waiting_in_batches_fen": held.get(ledger.BATCH_INCOME, 0),
        "held_for_citizens_fen": held.get(ledger.PERSON, 0),
        "held_for_partners_fen": held.get(ledger.PARTNER, 0),
        "held_by_platform_fen": held.get(ledger.PLATFORM, 0),
        "held_by_fund_fen": held.get(ledger.FUND, 0),
        "on_its_way_fen": sum(held.get(name, 0) for name in (ledger.REFUNDING, ledger.PAYING_OUT, ledger.UNALLOCATED)),
        "people_paid": people if people >= certificates.PEOPLE_SHOWN_FROM else None,
    }
    _latest[platform.db] = (now, {"totals": totals, "months": merged(months)})
    return _latest[platform.db]


def forget(platform: Platform) -> None:
    """Make the sums anew for whoever asks next."""
    _latest.pop(platform.db, None)


def merged(months: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Months with what went before them and may not be told by itself; the last rest goes to the month before it."""
    shown: list[dict[str, Any]] = []
    waiting: dict[str, Any] = dict.fromkeys(_COUNTED, 0)
    for row in months:
        waiting = {name: waiting[name] + row[name] for name in _COUNTED} | {"month": row["month"]}
        if all(not waiting[name] or waiting[name] >= certificates.PEOPLE_SHOWN_FROM for name in ("people", "takers")):
            shown.append(waiting)
            waiting = dict.fromkeys(_COUNTED, 0)
    if "month" in waiting and shown:
        last = shown.pop()
        shown.append({name: last[name] + waiting[name] for name in _COUNTED} | {"month": waiting["month"]})
    elif "month" in waiting:
        shown.append(waiting)
    return [{name: row[name] for name in ("month", *_MONTH)} for row in shown]


def _batch(platform: Platform, row: dict[str, Any]) -> dict[str, Any]:
    """waiting_fen: not_final_fen, which can still be refunded or was not settled yet, and what rounding left."""
    names = ("sold_g", "income_fen", *_POTS, "last_at")
    shared_fen = sum(row[name] for name in _POTS)
    return {
        "batch": row["batch_id"], **list_batches.origin(platform, row), **{name: row[name] for name in names},
        "waiting_fen": row["income_fen"] - shared_fen, "not_final_fen": row["income_fen"] - row["settled_fen"],
    }  # fmt: skip
