"""A person leaves: what leads to them goes, what others rely on stays under a number that is nobody's.

Reductions that are in no batch are cancelled, points expire, money goes to the public-benefit fund. Deeds in batches
keep their milligrams and their leaves in the log, so that every proof of everybody else still verifies. Digests of
message ids, numbers and logins stay, so that nothing is credited again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import credits, db, erasure, events, people
from backend.usecases import answer_once, change_deeds, log_facts
from rewards import ledger

GONE = "该账户已注销 · this account was erased"
_HEIRS = {ledger.POINTS: ledger.EXPIRED, ledger.MONEY: ledger.FUND}


def check_person(platform: Platform, person_id: int) -> None:
    """Raises Problem `token_invalid` for whom was erased: a token outlives its person by minutes."""
    with platform.db.transaction() as conn:
        if erasure.find_erased(conn, [person_id]).people:
            raise Problem("token_invalid", GONE)


def erase_person(
    platform: Platform, request: answer_once.KeyedRequest, person_id: int, now: datetime
) -> answer_once.Answer:
    """Erase the person with all accounts found to be theirs; what was done, in numbers and in words.

    Raises Problem token_invalid when somebody has done so before.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        if people.by_id(conn, person_id) is None:
            raise Problem("token_invalid", GONE)
        change_deeds.lock(conn, [person_id])
        return _erase(conn, platform, erasure.hold_accounts(conn, person_id), now)

    return answer_once.answer_once(platform, request, now, work)


def _erase(conn: db.Connection, platform: Platform, accounts: Sequence[int], now: datetime) -> answer_once.Answer:
    payouts = erasure.lock_payouts(conn, accounts)
    pooled = erasure.members(conn, accounts)
    credits.lock_batches(conn, pooled)  # a settlement pays first, or finds the person erased
    deeds = erasure.open_deeds(conn, accounts)
    balances = erasure.balances(conn, accounts)
    events.add_transfers(conn, [*_cancelled(deeds, now), *_left(balances, now)])
    leaves = erasure.count_leaves(conn, accounts)
    _use_up(conn, platform, accounts)
    erasure.remove(conn, accounts)
    log_facts.log_erasure(conn, leaves, now)
    done = {
        "reductions_cancelled_mg": sum(mg for _, _, mg in deeds),
        "points_expired": sum(amount for book, _, amount in balances if book == ledger.POINTS),
        "fund_fen": sum(amount for book, _, amount in balances if book == ledger.MONEY),
        "on_its_way_fen": sum(payout["amount_fen"] for payout in payouts if payout["state"] == "requested"),
        "deeds_removed": len(deeds),
        "deeds_in_batches": sum(pooled.values()),
    }
    return done | {"statement": statement(done)}


def _cancelled(deeds: Iterable[tuple[int, int, int]], now: datetime) -> Iterable[ledger.Transfer]:
    """Deed by deed, so that the books still say of each what it counts for."""
    for deed_id, account, mg in deeds:
        yield from _moved(ledger.REDUCTIONS, account, ledger.ERASED, mg, deed_id, now)


def _left(balances: Iterable[tuple[str, int, int]], now: datetime) -> Iterable[ledger.Transfer]:
    """Account by account: of those found to be one person's, one can be below zero by itself."""
    for book, account, amount in balances:
        yield from _moved(book, account, _HEIRS[book], amount, None, now)


def _moved(
    book: str, account: int, heir: str, amount: int, ref_id: int | None, now: datetime
) -> Iterable[ledger.Transfer]:  # fmt: skip
    """All that an account has; what it owes the heir bears."""
    person, other = (ledger.PERSON, account), (heir, 0)
    debit, credit = (person, other) if amount > 0 else (other, person)
    if amount:
        yield ledger.Transfer(now, book, *debit, *credit, abs(amount), ledger.ERASURE, ref_id, account)


def _use_up(conn: db.Connection, platform: Platform, accounts: Sequence[int]) -> None:
    """The ids of the person's messages stay in use, as digests; what partners were told of them goes."""
    refs = erasure.find_refs(conn, accounts)
    secret = platform.settings.secret
    erasure.keep_ids(conn, [(client_id, auth.digest(secret, "event", client_id, ref)) for client_id, ref, _ in refs])
    told: dict[str, list[str]] = defaultdict(list)
    for client_id, ref, was_told in refs:
        if was_told:
            told[client_id].append(ref)
    for client_id, own in told.items():
        erasure.redact(conn, client_id, own)


def statement(done: Mapping[str, int]) -> dict[str, str]:
    """What was done, in words."""
    zh = (
        "账户已注销，无法恢复：取消未入池减排量 {reductions_cancelled_mg} 毫克，作废积分 {points_expired}，"
        "余额 {fund_fen} 分转入公益基金，删除未入池行为 {deeds_removed} 条；"
        "已入批次的 {deeds_in_batches} 条行为只留减排量和月份，不再指向您。"
    )
    en = (
        "The account is erased and cannot be restored: {reductions_cancelled_mg} mg of reductions in no batch "
        "cancelled, {points_expired} points expired, {fund_fen} fen given to the public-benefit fund, {deeds_removed} "
        "deeds removed; "
        "of {deeds_in_batches} deeds in batches only milligrams and month stay, and nothing leads from them to you."
    )
    if done["on_its_way_fen"]:
        zh += "在途提现 {on_its_way_fen} 分照常支付，支付不成则转入公益基金。"
        en += " A withdrawal of {on_its_way_fen} fen on its way is still paid, or goes to the fund if that fails."
    return {"zh": zh.format(**done), "en": en.format(**done)}
