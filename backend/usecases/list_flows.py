"""The public flows of money: what companies paid, and where every fen of it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.platform import Platform
from backend.store import money
from backend.usecases import list_batches, publish_terms
from rewards import certificates, ledger

_POTS = ("citizens_fen", "partners_fen", "platform_fen", "fund_fen")
_MONTH = ("sold_fen", "refunded_fen", *_POTS, "paid_out_fen")


def list_flows(platform: Platform, before: int | None, limit: int, now: datetime) -> tuple[dict[str, Any], int | None]:
    """{as_of, totals, months, batches, terms}; up to `limit` batches before an id, and the id to go on before.

    Of how many people were paid nothing is told below 20.
    """
    with platform.db.transaction(snapshot=True) as conn:
        months = money.flows(conn)
        held = money.accounts(conn)
        people = money.people_paid(conn)
        rows = money.batch_flows(conn, before or money.NEWEST, limit + 1)
    following = rows[limit - 1]["batch_id"] if len(rows) > limit else None
    shown = [{name: row[name] or 0 for name in _MONTH} | {"month": row["month"]} for row in months]
    totals = {name: sum(row[name] for row in shown) for name in _MONTH}
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
    return {
        "as_of": now,
        "totals": totals,
        "months": shown,
        "batches": [_batch(platform, row) for row in rows[:limit]],
        "terms": publish_terms.list_terms(platform, now),
    }, following


def _batch(platform: Platform, row: dict[str, Any]) -> dict[str, Any]:
    names = ("sold_g", "income_fen", *_POTS, "last_at")
    waiting_fen = row["income_fen"] - sum(row[name] for name in _POTS)
    return {
        "batch": row["batch_id"], **list_batches.origin(platform, row), **{name: row[name] for name in names},
        "waiting_fen": waiting_fen,
    }  # fmt: skip
