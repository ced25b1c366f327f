"""Settling: the money of sales is shared by the published terms, to the fen, and everybody can see where it went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend import auth
from backend.store import money
from backend.usecases import pay_out, publish_terms, settle_sales
from rewards import ledger, sharing
from tests.cast import Stage
from tests.market import Market, at_once, keyed, ok, refused

LATER = timedelta(days=8)  # the seven days of a refund are over


def later(days: int = 8) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def citizen(market: Market, person_id: int) -> dict[str, str]:
    token = auth.issue_token(market.platform.keys, auth.CITIZEN, str(person_id), datetime.now(UTC))
    return {"Authorization": f"Bearer {token}"}


def statement(market: Market, person_id: int) -> dict[str, Any]:
    return ok(market.stage.http.get("/v1/me/statement", headers=citizen(market, person_id)), 200)


def balances(market: Market) -> dict[int, int]:
    with market.platform.db.transaction() as conn:
        return {p: money.person_balance(conn, p) for p in market.people}


def held(market: Market, account: str, number: int = 0) -> int:
    with market.platform.db.transaction() as conn:
        return money.balance(conn, account, number)


def test_a_sale_is_shared_when_it_is_final_and_each_citizen_has_a_line(market: Market) -> None:
    batch = market.issued(*[10_000_000] * 30, price=6_000_000)  # 300 kg, 60,000 yuan a tonne: 6 fen a gram
    order = market.paid(100_000)
    assert settle_sales.settle_sales(market.platform, datetime.now(UTC)) == []  # it could still be refunded
    [done] = settle_sales.settle_sales(market.platform, later())
    income = order["amount_fen"]
    assert income == 600_000
    assert [done[f"{pot}_fen"] for pot in sharing.POTS] == [420_000, 60_000, 90_000, 30_000]
    assert (done["batch"], done["people"], done["is_last"]) == (batch["id"], 30, False)
    assert set(balances(market).values()) == {14_000}
    assert held(market, ledger.PLATFORM) == 90_000
    assert held(market, ledger.FUND) == 30_000
    shown = statement(market, market.people[0])
    assert shown["balance_fen"] == 14_000
    [line] = shown["lines"]
    assert (line["kind"], line["amount_fen"], line["own_mg"]) == ("share", 14_000, 10_000_000)
    assert (line["batch"]["id"], line["batch_income_fen"], line["claimed_by"]) == (batch["id"], income, [])
    market.retired(50_000)
    [line] = statement(market, market.people[0])["lines"]
    assert [claim["retired_g"] for claim in line["claimed_by"]] == [50_000]
    assert "深圳市绿源新材料有限公司 50000 克" in line["note"]["zh"]
    assert "Shenzhen Lvyuan Co., Ltd. 50000 g" in line["note"]["en"]
    assert "示范" in line["note"]["zh"]
    assert market.conservation()["ok"]


def test_grams_that_are_used_up_make_their_order_final_at_once(market: Market) -> None:
    market.issued(*[10_000_000] * 30, price=6_000_000)
    order = market.paid(1_000)
    assert order["final_at"] > datetime.now(UTC).isoformat()
    market.retired(1)
    assert len(settle_sales.settle_sales(market.platform, datetime.now(UTC))) == 1
    refused(market.company.post(f"/v1/orders/{order['id']}/refund", {"reason": "second thoughts"}), 409, "conflict")


def test_settling_again_pays_only_what_is_new_and_the_last_time_every_fen(market: Market) -> None:
    market.issued(*range(1_000_000, 1_030_000, 1_000), price=7_777)
    left_g = sum(o["available_g"] for o in ok(market.company.get("/v1/offers"), 200)["items"])
    paid_fen = 0
    for n, grams in enumerate((3_001, 7_000, 1, left_g - 10_002)):
        paid_fen += market.paid(grams)["amount_fen"]
        before = balances(market)
        settle_sales.settle_sales(market.platform, later(8 * (n + 1)))
        assert settle_sales.settle_sales(market.platform, later(8 * (n + 1))) == []
        assert all(after >= before[p] for p, after in balances(market).items())
    pots = [sum(balances(market).values()), held(market, ledger.PLATFORM), held(market, ledger.FUND)]
    with market.platform.db.transaction() as conn:
        number = money.client_number(conn, market.partner.id)
    assert number is not None
    assert sum(pots) + held(market, ledger.PARTNER, number) == paid_fen
    flows = ok(market.stage.http.get("/v1/flows"), 200)
    assert flows["totals"]["waiting_in_batches_fen"] == 0
    assert flows["totals"]["sold_fen"] == flows["totals"]["from_buyers_fen"] == paid_fen
    assert flows["batches"][0]["waiting_fen"] == 0
    assert market.conservation()["ok"]


def test_many_settlements_at_once_pay_once(market: Market) -> None:
    market.issued(*[10_000_000] * 30, price=6_000_000)
    market.paid(100_000)
    now = later()
    done = at_once(*[lambda: settle_sales.settle_sales(market.platform, now)] * 6)
    assert sum(len(one) for one in done) == 1
    assert set(balances(market).values()) == {14_000}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None)
@given(data=st.data())
def test_the_database_allots_as_the_rule_says(market: Market, data: st.DataObject) -> None:
    mgs = data.draw(st.lists(st.integers(-50_000, 900_000).filter(bool), min_size=5, max_size=25))
    if sum(mgs) < 300_000:
        mgs.append(900_000)
    deeds = [market.deed(mg) for mg in mgs]
    people: dict[int, int] = {}
    for deed, mg in zip(deeds, mgs, strict=True):
        who = market.standing[deed][2]["person"]
        people[who] = people.get(who, 0) + mg
    batch = market.closed()["id"]
    pot, is_last = data.draw(st.integers(0, 10**6)), data.draw(st.booleans())
    with market.platform.db.transaction() as conn:
        fen, count = money.settle_people(
            conn, 10**6 + batch, batch, pot, str(batch), is_last=is_last, at=datetime.now(UTC)
        )
        rows = conn.execute(
            "select person_id, amount from transfer where ref_id = %s and reason = 'share'", (10**6 + batch,)
        )
        paid = dict(rows.fetchall())
    assert paid == sharing.allot(pot, people, {}, str(batch), is_last=is_last)
    assert (fen, count) == (sum(paid.values()), len(paid))


def test_the_terms_at_payment_count_and_new_ones_are_published_before_they_bind(market: Market) -> None:
    market.issued(*[10_000_000] * 30, price=6_000_000)
    today = datetime.now(UTC).astimezone(market.platform.standard.nation.timezone).date()
    terms = {
        "citizens_ppm": 1_000_000, "partners_ppm": 0, "platform_ppm": 0, "fund_ppm": 0,
        "note": {"zh": "全部归行为人", "en": "all to the people"},
    }  # fmt: skip
    path = "/v1/operator/terms"
    early = refused(market.operator.post(path, terms | {"from_on": today.isoformat()}), 409, "too_early")
    assert early["from_on"] == (today + timedelta(days=30)).isoformat()
    refused(market.operator.post(path, terms | {"from_on": early["from_on"], "fund_ppm": 1}), 422, "request_invalid")
    made = ok(market.operator.post(path, terms | {"from_on": early["from_on"]}), 201)
    refused(market.operator.post(path, terms | {"from_on": early["from_on"]}), 409, "conflict")
    shown = ok(market.stage.http.get("/v1/terms"), 200)["items"]
    assert [(t["from_on"], t["in_force"]) for t in shown] == [(made["from_on"], False), (None, True)]
    market.paid(1_000)
    assert settle_sales.settle_sales(market.platform, later(60))[0]["citizens_fen"] == 4_200
    with market.platform.db.transaction() as conn:
        assert publish_terms.shares_on(conn, market.platform, today + timedelta(days=30)) == (1_000_000, 0, 0, 0)


def test_a_citizen_withdraws_and_never_more_than_there_is(market: Market) -> None:
    market.issued(*[10_000_000] * 30, price=6_000_000)
    market.paid(100_000)
    settle_sales.settle_sales(market.platform, later())
    who = market.people[3]
    post = market.stage.http.post
    headers = citizen(market, who) | {"Idempotency-Key": "one"}
    problem = refused(post("/v1/me/withdrawals", json={"amount_fen": 14_001}, headers=headers), 409, "not_enough_money")
    assert problem["balance_fen"] == 14_000
    first = ok(post("/v1/me/withdrawals", json={"amount_fen": 14_000}, headers=headers), 201)
    assert ok(post("/v1/me/withdrawals", json={"amount_fen": 14_000}, headers=headers), 201) == first
    assert (first["state"], statement(market, who)["balance_fen"]) == ("requested", 0)
    other = headers | {"Idempotency-Key": "two"}
    refused(post("/v1/me/withdrawals", json={"amount_fen": 1}, headers=other), 409, "not_enough_money")
    assert [p["id"] for p in ok(market.operator.get("/v1/operator/payouts?state=requested"), 200)["items"]] == [
        first["id"]
    ]
    path = f"/v1/operator/payouts/{first['id']}"
    assert ok(market.operator.post(path, {"state": "failed", "external_ref": "closed"}), 200)["state"] == "failed"
    assert statement(market, who)["balance_fen"] == 14_000
    refused(market.operator.post(path, {"state": "done", "external_ref": "x"}), 409, "conflict")
    second = ok(post("/v1/me/withdrawals", json={"amount_fen": 4_000}, headers=other), 201)
    ok(market.operator.post(f"/v1/operator/payouts/{second['id']}", {"state": "done", "external_ref": "b-9"}), 200)
    shown = statement(market, who)
    amounts = sorted((line["kind"], line["amount_fen"]) for line in shown["lines"])
    assert amounts == [("payout", -14_000), ("payout", -4_000), ("payout_failed", 14_000), ("share", 14_000)]
    assert shown["balance_fen"] == 10_000
    flows = ok(market.stage.http.get("/v1/flows"), 200)["totals"]
    assert (flows["paid_out_fen"], flows["held_for_citizens_fen"]) == (4_000, 416_000)
    assert market.conservation()["ok"]


def test_withdrawals_at_once_share_one_balance(market: Market) -> None:
    market.issued(*[10_000_000] * 30, price=6_000_000)
    market.paid(100_000)
    settle_sales.settle_sales(market.platform, later())
    who, now = market.people[0], datetime.now(UTC)
    done = at_once(*[
        lambda: pay_out.withdraw_money(market.platform, keyed(f"person:{who}"), who, {"amount_fen": 5_000}, now)
    ] * 6)  # fmt: skip
    assert sorted(getattr(one, "code", "paid") for one in done) == ["not_enough_money"] * 4 + ["paid"] * 2
    assert statement(market, who)["balance_fen"] == 4_000


def test_the_shares_of_partners_the_platform_and_the_fund_leave_by_bank(market: Market) -> None:
    market.issued(*[10_000_000] * 30, price=6_000_000)
    market.paid(100_000)
    settle_sales.settle_sales(market.platform, later())
    path = "/v1/operator/payouts"
    wish = {"account": "partner", "partner": market.partner.id, "amount_fen": 60_000, "bank_ref": "b1"}
    refused(market.operator.post(path, wish | {"amount_fen": 60_001}), 409, "not_enough_money")
    refused(market.operator.post(path, wish | {"partner": market.company.id}), 404, "not_found")
    assert ok(market.operator.post(path, wish), 201)["state"] == "done"
    ok(market.operator.post(path, {"account": "fund", "amount_fen": 1, "bank_ref": "b2"}), 201)
    refused(market.operator.post(path, wish | {"amount_fen": 1}), 409, "not_enough_money")
    assert ok(market.stage.http.get("/v1/flows"), 200)["totals"]["paid_out_fen"] == 60_001
    assert market.conservation()["ok"]


def test_two_accounts_found_to_be_one_persons_share_and_keep_what_they_had(stage: Stage, market: Market) -> None:
    market.issued(*[10_000_000] * 30, price=6_000_000)
    market.paid(100_000)
    settle_sales.settle_sales(market.platform, later())
    stays, goes = market.people[0], market.people[1]
    body = {"person_id": stays, "merged_id": goes, "reason": "one phone"}
    ok(market.operator.post("/v1/operator/merges", body), 200)
    assert statement(market, stays)["balance_fen"] == 28_000
    market.paid(100_000)
    settle_sales.settle_sales(market.platform, later(20))
    shown = statement(market, stays)
    assert (shown["balance_fen"], [line["amount_fen"] for line in shown["lines"]]) == (56_000, [28_000, 14_000, 14_000])
    assert market.conservation()["ok"]


def test_a_merge_with_an_account_in_debt_shares_out_no_more_than_came_in(market: Market) -> None:
    for person, mg in ((0, 10_000_000), (1, -9_000_000), (2, 10_000_000)):
        market.deed(mg, person=market.people[person])
    market.issued(price=6_000_000)
    market.paid(5_000)
    settle_sales.settle_sales(market.platform, later())
    body = {"person_id": market.people[0], "merged_id": market.people[1], "reason": "one phone"}
    ok(market.operator.post("/v1/operator/merges", body), 200)
    market.paid(sum(o["available_g"] for o in ok(market.company.get("/v1/offers"), 200)["items"]))
    [done] = settle_sales.settle_sales(market.platform, later(20))
    assert done["is_last"]
    assert statement(market, market.people[0])["balance_fen"] == statement(market, market.people[2])["balance_fen"]
    assert market.conservation()["ok"]


def test_one_batch_that_cannot_be_settled_does_not_hold_up_the_others(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = market.issued(*[10_000_000] * 30, price=6_000_000)["id"]
    market.paid(285_000)
    good = market.issued(*[10_000_000] * 30, price=6_000_000)["id"]
    market.paid(1_000)
    real = money.settle_people

    def broken(conn: Any, settlement_id: int, batch_id: int, *args: Any, **more: Any) -> Any:
        if batch_id == bad:
            raise LookupError
        return real(conn, settlement_id, batch_id, *args, **more)

    monkeypatch.setattr(money, "settle_people", broken)
    assert [one["batch"] for one in settle_sales.settle_sales(market.platform, later())] == [good]


def test_a_broken_identity_of_money_freezes_its_batch_and_the_rest_goes_on(market: Market) -> None:
    broken = market.issued(*[10_000_000] * 30, price=6_000_000)["id"]
    market.paid(285_000)
    sound = market.issued(*[10_000_000] * 30, price=6_000_000)["id"]
    market.paid(1_000)
    with market.platform.db.transaction() as conn:
        conn.execute(
            "insert into transfer (posted_at, book, debit, debit_id, credit, credit_id, amount, reason) values"
            " (now(), 'money_fen', 'batch_income', %s, 'platform', 0, 9999999, 'theft')", (broken,),
        )  # fmt: skip
    proof = market.conservation()
    failing = {(line["name"], line["scope"]) for line in proof["identities"] if not line["ok"]}
    assert ("money_held", f"batch {broken} income differs") in failing
    assert {b["batch"]: b["frozen"] for b in proof["batches"]} == {broken: True, sound: False}
    assert [one["batch"] for one in settle_sales.settle_sales(market.platform, later())] == [sound]
