"""Share the money of sales: of each batch, what its final sales come to in all less what was paid before.

One batch is one transaction; a line of the statement is one transfer. What rounding leaves waits in the batch, and is
given out when nothing of it is left to sell.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from backend.platform import Platform
from backend.store import clients, credits, db, events, money
from backend.usecases import log_facts, tell_client
from rewards import ledger, sharing

log = structlog.get_logger()


def settle_sales(platform: Platform, now: datetime, by: str = "", *, at_once: bool = False) -> list[dict[str, Any]]:
    """Settle every batch with final sales that are not shared out; what each paid.

    at_once: batches that were settled lately too. by: an operator, '' for the clock. A frozen batch is left alone.
    """
    today = now.astimezone(platform.standard.nation.timezone).date()
    pause = timedelta(days=0 if at_once else platform.standard.parameter("settlement_every_days", today))
    with platform.db.transaction(snapshot=True) as conn:
        due = money.to_settle(conn, now, now - pause)
    done = []
    for batch_id in due:
        try:
            one = platform.db.retrying(lambda conn, b=batch_id: _settle(conn, b, by, now, pause))  # type: ignore[misc]
        except Exception as error:  # of one batch: the others go on
            if db.is_away(error):
                raise
            log.error("batch_not_settled", batch=batch_id, error=type(error).__name__)
            continue
        done += [one] if one else []
    return done


def _settle(
    conn: db.Connection, batch_id: int, by: str, now: datetime, pause: timedelta
) -> dict[str, Any] | None:  # fmt: skip
    """Pay what is due of one batch; None when somebody else has."""
    credits.lock_batches(conn, [batch_id])
    if not money.to_settle(conn, now, now - pause, batch_id):
        return None
    so_far = money.settled(conn, batch_id, now)
    sales = money.sales(conn, batch_id, now)
    due = sharing.whole_fen(sharing.entitled_micro(sales), is_last=so_far["is_last"])
    settlement_id = money.take_settlement_id(conn)
    citizens_fen, people = money.settle_people(
        conn, settlement_id, batch_id, due.citizens, str(batch_id), is_last=so_far["is_last"], at=now
    )
    partners = sharing.allot(
        due.partners, money.partner_weights(conn, batch_id), money.paid_to_partners(conn, batch_id), str(batch_id),
        is_last=so_far["is_last"],
    )  # fmt: skip
    before = sharing.Pots(*(so_far[pot] for pot in sharing.POTS))
    left = due.less(before)
    paid = sharing.Pots(citizens_fen, sum(partners.values()), left.platform, left.fund)
    if before.total + paid.total > sum(fen for fen, _ in sales):
        raise ValueError(f"batch {batch_id} would share out more than it took in")
    others: list[tuple[str, int, int]] = [(ledger.PARTNER, number, fen) for number, fen in sorted(partners.items())]
    others += [(ledger.PLATFORM, 0, paid.platform), (ledger.FUND, 0, paid.fund)]
    events.add_transfers(
        conn,
        [
            ledger.Transfer(now, ledger.MONEY, ledger.BATCH_INCOME, batch_id, to, number, fen, "share", settlement_id)
            for to, number, fen in others
            if fen
        ],
    )
    money.add_settlement(
        conn, settlement_id, paid, batch_id=batch_id, ordinal=so_far["ordinal"] + 1,
        income_fen=sum(fen for fen, _ in sales), people=people, is_last=so_far["is_last"], at=now, by=by,
    )  # fmt: skip
    log_facts.log_facts(conn, "settlement", [settlement_id])
    _tell(conn, batch_id, settlement_id, partners, now)
    return {"settlement": settlement_id, "batch": batch_id, "people": people, "is_last": so_far["is_last"]} | {
        f"{pot}_fen": getattr(paid, pot) for pot in sharing.POTS
    }


def _tell(
    conn: db.Connection, batch_id: int, settlement_id: int, partners: dict[int, int], now: datetime
) -> None:  # fmt: skip
    names = {client["number"]: client["client_id"] for client in clients.list_clients(conn)}
    told = {"settlement": settlement_id, "batch": batch_id}
    rows = [(names[number], "settlement.paid", told | {"amount_fen": fen}) for number, fen in partners.items()]
    tell_client.tell_clients(conn, rows, now)
