"""Pay money out: a citizen withdraws, a partner's, the platform's or the fund's share leaves by bank.

A citizen is paid by the provider, to whoever its one-time code stands for (we never learn who), or by hand: the person
shows the reference, an operator pays and says so.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from backend import payments
from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import db, erasure, events, money
from backend.usecases import answer_once, change_deeds
from rewards import ledger

ASKED_BEFORE = timedelta(minutes=1)
LOST_AFTER = timedelta(hours=1)  # far longer than a request lives

log = structlog.get_logger()


def withdraw_money(
    platform: Platform, request: answer_once.KeyedRequest, person_id: int, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """wish: amount_fen, method (manual or provider), payout_code for the provider. The payout, asked for.

    Raises Problem not_enough_money, request_invalid. A provider that does not answer is no failure: it is asked again.
    """
    method, provider = wish.get("method", "manual"), payments.provider(platform.settings)
    if method == "provider" and (provider is None or not wish.get("payout_code")):
        text = "需要支付服务商及其一次性收款码 · it takes a payment provider here and its one-time payout_code"
        raise field_problem("payout_code", "field_invalid", text)

    made: list[int] = []

    def work(conn: db.Connection) -> answer_once.Answer:
        change_deeds.lock(conn, [person_id])
        _check(money.person_balance(conn, person_id), wish["amount_fen"])
        asked = _ask(conn, ledger.PERSON, person_id, wish["amount_fen"], method, now)
        made[:] = [asked["id"]]
        return asked

    answer = answer_once.answer_once(platform, request, now, work)
    if provider is not None and made and method == "provider":  # asked again it is answered, and sent no second time
        _send(platform, provider, answer["id"], wish["amount_fen"], wish["payout_code"], now)
        with platform.db.transaction(snapshot=True) as conn:
            return shown(
                money.payouts(conn, account=ledger.PERSON, account_id=person_id, before=answer["id"] + 1, limit=1)[0]
            )
    return answer


def _send(
    platform: Platform, provider: payments.Provider, payout_id: int, amount_fen: int, code: str, now: datetime
) -> None:  # fmt: skip
    """The code is used here and now, and kept nowhere; the provider takes the same payout once."""
    notify_url = platform.settings.public_url + payments.NOTIFICATIONS
    try:
        answer = provider.pay_out(reference(payout_id), amount_fen, code, notify_url)
    except Problem as problem:
        log.warning("payout_not_answered", payout=payout_id, problem=problem.code)
        return  # whether it was taken is asked by `reconcile_payouts`
    if answer.state in ("done", "failed"):
        settle_payout(platform, payout_id, answer.state, answer.provider_id, "", now)


def pay_partner(
    platform: Platform, request: answer_once.KeyedRequest, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """An operator has paid a share out by bank. wish: account (partner, platform, fund), partner, amount_fen, bank_ref.

    Raises Problem not_enough_money, not_found.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        number = 0
        if wish["account"] == ledger.PARTNER:
            found = money.client_number(conn, wish.get("partner") or "")
            if found is None:
                raise Problem("not_found", "没有这个合作方 · there is no such partner")
            number = found
        money.lock_payouts(conn)
        _check(money.balance(conn, wish["account"], number), wish["amount_fen"])
        asked = _ask(conn, wish["account"], number, wish["amount_fen"], "manual", now)
        payout = money.lock_payout(conn, asked["id"])
        assert payout is not None
        _finish(conn, payout, wish["bank_ref"], request.client_id, now)
        return shown(money.lock_payout(conn, asked["id"]))

    return answer_once.answer_once(platform, request, now, work)


def _check(balance_fen: int, amount_fen: int) -> None:
    if amount_fen > balance_fen:
        text = f"可用余额 {balance_fen} 分 · the balance is {balance_fen} fen"
        raise Problem("not_enough_money", text, extra={"balance_fen": balance_fen})


def confirm_payout(
    platform: Platform, request: answer_once.KeyedRequest, payout_id: int, told: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """An operator says what became of a payout by hand. told: state (done or failed), external_ref.

    Raises Problem not_found, conflict.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        payout = money.lock_payout(conn, payout_id)
        if payout is None:
            raise Problem("not_found", "no such payout")
        if payout["state"] != "requested" or payout["method"] != "manual":
            raise Problem(
                "conflict", f"该付款状态为 {payout['state']} · this payout is {payout['state']}, by {payout['method']}"
            )
        _conclude(conn, payout, told["state"], told["external_ref"], request.client_id, now)
        return shown(money.lock_payout(conn, payout_id))

    return answer_once.answer_once(platform, request, now, work)


def settle_payout(
    platform: Platform, payout_id: int, state: str, external_ref: str | None, by: str, now: datetime,
    amount_fen: int | None = None,
) -> bool:  # fmt: skip
    """What the provider says of a payout of its own: done or failed. Said twice it has one effect; False: none such.

    `done` goes before `failed`: it is taken off the account again. Raises Problem request_invalid for another amount.
    """
    with platform.db.transaction() as conn:
        payout = money.lock_payout(conn, payout_id)
        if payout is None or payout["method"] != "provider":
            return False
        if amount_fen not in (None, payout["amount_fen"]):
            log.error("payout_amount_differs", payout=payout_id)
            raise field_problem("amount_fen", "amount_differs", "the payout is of another amount")
        if payout["state"] == "requested":
            _conclude(conn, payout, state, external_ref, by, now)
        elif (payout["state"], state) == ("failed", "done"):
            log.error("payout_done_after_it_failed", payout=payout_id)
            _leave(conn, payout, now)
            _finish(conn, payout, external_ref, by, now)
    return True


def reconcile_payouts(platform: Platform, now: datetime) -> int:
    """Ask the provider for every payout that it has not answered; how many came to an end.

    One it does not know was never sent, and fails; but only when no request can be on its way any more.
    """
    provider = payments.provider(platform.settings)
    if provider is None:
        return 0
    with platform.db.transaction(snapshot=True) as conn:
        waiting = money.waiting_payouts(conn, now - ASKED_BEFORE)
    ended = 0
    for payout in waiting:
        try:
            found = provider.find_payout(reference(payout["payout_id"]))
            is_lost = found is None and payout["asked_at"] < now - LOST_AFTER
            state = "failed" if is_lost else found.state if found else ""
            if state in ("done", "failed"):
                ref = found.provider_id if found else None
                ended += settle_payout(platform, payout["payout_id"], state, ref, "", now)
        except Exception as error:  # of one payout: the others go on
            log.warning("payout_not_reconciled", payout=payout["payout_id"], error=type(error).__name__)
    return ended


def list_payouts(
    platform: Platform, filters: dict[str, Any], before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` payouts before an id, newest first. filters: state, account, account_id."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = money.payouts(conn, **filters, before=before or money.NEWEST, limit=limit + 1)
    following = rows[limit - 1]["payout_id"] if len(rows) > limit else None
    return [shown(row) for row in rows[:limit]], following


def _ask(
    conn: db.Connection, account: str, number: int, amount_fen: int, method: str, now: datetime
) -> dict[str, Any]:  # fmt: skip
    payout_id = money.add_payout(
        conn, account=account, account_id=number, amount_fen=amount_fen, method=method, at=now
    )  # fmt: skip
    payout = money.lock_payout(conn, payout_id)
    assert payout is not None
    _leave(conn, payout, now)
    return shown(payout)


def _leave(conn: db.Connection, payout: dict[str, Any], now: datetime) -> None:
    """The money is not on its account any more, and not out yet."""
    account, number, person = _account(conn, payout)
    leaving = ledger.Transfer(
        now, ledger.MONEY, account, number, ledger.PAYING_OUT, payout["payout_id"], payout["amount_fen"], "payout",
        payout["payout_id"], person,
    )  # fmt: skip
    events.add_transfers(conn, [leaving])


def _account(conn: db.Connection, payout: dict[str, Any]) -> tuple[str, int, int | None]:
    """Whose money it is, with the person if it is one's; that of an erased person is the fund's."""
    account, number = payout["account"], payout["account_id"]
    if account != ledger.PERSON:
        return account, number, None
    return (ledger.FUND, 0, None) if erasure.find_erased(conn, [number]).people else (account, number, number)


def _conclude(
    conn: db.Connection, payout: dict[str, Any], state: str, external_ref: str | None, by: str, now: datetime
) -> None:  # fmt: skip
    if state == "done":
        _finish(conn, payout, external_ref, by, now)
        return
    payout_id = payout["payout_id"]
    account, number, person = _account(conn, payout)
    money.set_payout(conn, payout_id, "failed", external_ref, None, by)
    back = ledger.Transfer(
        now, ledger.MONEY, ledger.PAYING_OUT, payout_id, account, number, payout["amount_fen"], "payout_failed",
        payout_id, person,
    )  # fmt: skip
    events.add_transfers(conn, [back])


def _finish(conn: db.Connection, payout: dict[str, Any], external_ref: str | None, by: str, now: datetime) -> None:
    payout_id = payout["payout_id"]
    money.set_payout(conn, payout_id, "done", external_ref, now, by)
    out = ledger.Transfer(
        now, ledger.MONEY, ledger.PAYING_OUT, payout_id, ledger.PAID_OUT, 0, payout["amount_fen"], "paid_out", payout_id
    )
    events.add_transfers(conn, [out])


def shown(row: dict[str, Any] | None) -> dict[str, Any]:
    assert row is not None
    names = ("account", "amount_fen", "method", "state", "asked_at", "done_at")
    return {"id": row["payout_id"], "reference": reference(row["payout_id"]), **{name: row[name] for name in names}}


def reference(payout_id: int) -> str:
    """What a payout is called towards the person, the bank and the provider."""
    return f"TPH-W-{payout_id:06d}"
