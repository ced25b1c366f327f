"""Statements of money: payments, refunds, invoices, terms, settlements, payouts, flows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from backend.store import db, statements
from rewards import sharing

SQL = statements.of("money")
NEWEST = db.NEWEST
NEWEST_LINE = (datetime(9999, 1, 1, tzinfo=UTC), NEWEST)


# --- payments, refunds, invoices -----------------------------------------------------------------------------------


def add_payment(conn: db.Connection, **payment: Any) -> int:
    """The payment's id. Raises ClaimLost when a provider's number has just been taken for another."""
    found = db.rows(conn, SQL["add_payment"], **payment)
    if not found:
        raise db.ClaimLost
    return int(found[0][0])


def payment(conn: db.Connection, method: str, external_ref: str) -> dict[str, Any] | None:
    return db.one(conn, SQL["payment"], method=method, external_ref=external_ref)


def taken_payment(conn: db.Connection, order_id: int) -> dict[str, Any] | None:
    """The payment that an order took."""
    return db.one(conn, SQL["taken_payment"], order_id=order_id)


def add_refund(conn: db.Connection, **refund: Any) -> int:
    return int(db.rows(conn, SQL["add_refund"], **refund)[0][0])


def lock_refund(conn: db.Connection, refund_id: int) -> dict[str, Any] | None:
    return db.one(conn, SQL["lock_refund"], refund_id=refund_id)


def set_refund(
    conn: db.Connection, refund_id: int, state: str, external_ref: str | None, done_at: datetime | None
) -> None:  # fmt: skip
    values = {"refund_id": refund_id, "state": state, "external_ref": external_ref, "done_at": done_at}
    conn.execute(SQL["set_refund"], values)


def refunds(
    conn: db.Connection,
    *,
    state: str | None = None,
    before: int = NEWEST,
    limit: int = 200,
) -> list[dict[str, Any]]:
    """Refunds, newest first."""
    return db.dicts(conn, SQL["refunds"], state=state, before=before, limit=limit)


def waiting_refunds(conn: db.Connection) -> list[dict[str, Any]]:
    """Refunds that a provider is to make, some of them."""
    return db.dicts(conn, SQL["waiting_refunds"])


def next_invoice(conn: db.Connection) -> int:
    """A number that no invoice has had: the sequence of its ids, so some ids are skipped."""
    return int(db.rows(conn, SQL["next_invoice"])[0][0])


def add_invoice(conn: db.Connection, *, buyer: dict[str, Any], **invoice: Any) -> bool:
    """False when the order has one of that kind."""
    text = json.dumps(buyer, ensure_ascii=False)
    return bool(db.rows(conn, SQL["add_invoice"], **invoice, buyer=text))


def invoices(
    conn: db.Connection,
    *,
    client_id: str | None = None,
    order_id: int | None = None,
    number: str | None = None,
    waiting: bool = False,
    before: int = NEWEST,
    limit: int = 2,
) -> list[dict[str, Any]]:
    """Invoices and credit notes, newest first; of one company or of all, or only those that wait to be issued."""
    return db.dicts(
        conn, SQL["invoices"], client_id=client_id, order_id=order_id, number=number, waiting=waiting, before=before,
        limit=limit,
    )  # fmt: skip


def issue_invoice(conn: db.Connection, number: str, tax_ref: str, by: str, at: datetime) -> bool:
    return db.run(conn, SQL["issue_invoice"], number=number, tax_ref=tax_ref, by=by, at=at) == 1


# --- terms and settlements -----------------------------------------------------------------------------------------


def add_terms(conn: db.Connection, *, note: dict[str, str], **terms: Any) -> int | None:
    """Their number; None when terms for that very day have been published."""
    found = db.rows(conn, SQL["add_terms"], **terms, note=json.dumps(note, ensure_ascii=False))
    return int(found[0][0]) if found else None


def terms(conn: db.Connection) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["terms"])


def terms_on(conn: db.Connection, on: date) -> sharing.Shares | None:
    """The published shares that bind on a day; None before any."""
    found = db.rows(conn, SQL["terms_on"], on=on)
    return tuple(found[0][0]) if found else None


def to_settle(conn: db.Connection, now: datetime, before: datetime, batch_id: int | None = None) -> list[int]:
    """Batches with final income that is not shared out yet and whose last settlement is not younger than `before`."""
    return [b for (b,) in db.rows(conn, SQL["to_settle"], now=now, before=before, batch_id=batch_id)]


def sales(conn: db.Connection, batch_id: int, now: datetime) -> list[tuple[int, sharing.Shares]]:
    """(fen, shares) of a batch's final sales."""
    return [(fen, tuple(shares)) for fen, shares in db.rows(conn, SQL["sales"], batch_id=batch_id, now=now)]


def settled(conn: db.Connection, batch_id: int, now: datetime) -> dict[str, Any]:
    """{ordinal, income_fen, citizens, partners, platform, fund, is_last} of a batch's settlements so far."""
    found = db.one(conn, SQL["settled"], batch_id=batch_id, now=now)
    assert found is not None
    return found


def take_settlement_id(conn: db.Connection) -> int:
    return int(db.rows(conn, SQL["take_settlement_id"])[0][0])


def add_settlement(conn: db.Connection, settlement_id: int, paid: sharing.Pots, **settlement: Any) -> None:
    pots = {f"{pot}_fen": getattr(paid, pot) for pot in sharing.POTS}
    conn.execute(SQL["add_settlement"], settlement | pots | {"settlement_id": settlement_id})


def settle_people(
    conn: db.Connection, settlement_id: int, batch_id: int, pot_fen: int, salt: str, *, is_last: bool, at: datetime
) -> tuple[int, int]:
    """Pay the people of a batch what is due of its cumulative pot; (fen paid now, to how many)."""
    conn.execute(SQL["wait_longer"])
    values = {"settlement_id": settlement_id, "batch_id": batch_id}
    conn.execute(
        SQL["settle_people"], values | {"pot_fen": pot_fen, "salt": salt, "is_last": is_last, "at": at}
    )  # fmt: skip
    [(fen, people)] = db.rows(conn, SQL["paid_to_people"], **values)
    return int(fen), int(people)


def partner_weights(conn: db.Connection, batch_id: int) -> dict[int, int]:
    return {number: int(mg) for number, mg in db.rows(conn, SQL["partner_weights"], batch_id=batch_id)}


def paid_to_partners(conn: db.Connection, batch_id: int) -> dict[int, int]:
    return dict(db.rows(conn, SQL["paid_to_partners"], batch_id=batch_id))


# --- balances, statements, payouts ---------------------------------------------------------------------------------


def balance(conn: db.Connection, account: str, account_id: int) -> int:
    return int(db.rows(conn, SQL["balance"], account=account, account_id=account_id)[0][0])


def person_balance(conn: db.Connection, person_id: int) -> int:
    return int(db.rows(conn, SQL["person_balance"], person_id=person_id)[0][0])


def statement(
    conn: db.Connection, person_id: int, before: tuple[datetime, int], limit: int
) -> list[dict[str, Any]]:  # fmt: skip
    """A person's lines, newest first, before a place."""
    return db.dicts(
        conn, SQL["statement"], person_id=person_id, posted_at=before[0], transfer_id=before[1], limit=limit
    )  # fmt: skip


def claimed_by(conn: db.Connection, batches: Sequence[int]) -> list[dict[str, Any]]:
    """{batch_id, name_zh, name_en, grams, certificates}: the five largest claims on each batch."""
    return db.dicts(conn, SQL["claimed_by"], batches=list(batches))


def add_payout(conn: db.Connection, **payout: Any) -> int:
    return int(db.rows(conn, SQL["add_payout"], **payout)[0][0])


def lock_payouts(conn: db.Connection) -> None:
    """Nobody else pays out of accounts that are no person's till commit."""
    conn.execute(SQL["lock_payouts"])


def lock_payout(conn: db.Connection, payout_id: int) -> dict[str, Any] | None:
    return db.one(conn, SQL["lock_payout"], payout_id=payout_id)


def set_payout(
    conn: db.Connection, payout_id: int, state: str, external_ref: str | None, done_at: datetime | None, by: str
) -> None:  # fmt: skip
    values = {"payout_id": payout_id, "state": state, "external_ref": external_ref, "done_at": done_at, "by": by}
    conn.execute(SQL["set_payout"], values)


def waiting_payouts(conn: db.Connection, before: datetime) -> list[dict[str, Any]]:
    """Payouts that a provider was asked for before that moment and has not answered, some of them."""
    return db.dicts(conn, SQL["waiting_payouts"], before=before)


def payouts(
    conn: db.Connection,
    *,
    state: str | None = None,
    account: str | None = None,
    account_id: int | None = None,
    before: int = NEWEST,
    limit: int = 200,
) -> list[dict[str, Any]]:
    """Payouts, newest first."""
    return db.dicts(
        conn, SQL["payouts"], state=state, account=account, account_id=account_id, before=before, limit=limit,
    )  # fmt: skip


def client_number(conn: db.Connection, client_id: str) -> int | None:
    """The number of a partner's account; None for who is no partner."""
    found = db.rows(conn, SQL["client_number"], client_id=client_id)
    return int(found[0][0]) if found else None


# --- the public flows ----------------------------------------------------------------------------------------------


def flows(conn: db.Connection) -> list[dict[str, Any]]:
    return db.dicts(conn, SQL["flows"])


def accounts(conn: db.Connection) -> dict[str, int]:
    """kind of account -> what all of them hold together."""
    return {account: int(fen) for account, fen in db.rows(conn, SQL["accounts"])}


def people_paid(conn: db.Connection) -> int:
    return int(db.rows(conn, SQL["people_paid"])[0][0])


def batch_flows(conn: db.Connection, people: int, before: int, limit: int) -> list[dict[str, Any]]:
    """Of batches of so many people and more, newest first."""
    return db.dicts(conn, SQL["batch_flows"], people=people, before=before, limit=limit)
