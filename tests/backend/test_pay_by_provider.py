"""Paying through a provider: its signed word counts once, stray money goes back, both sides' books agree to the fen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3

from backend import payments
from backend.usecases import pay_order, pay_out, refund_order, settle_sales
from mobile_mock import server
from tests import cast, phones, processes
from tests.cast import Stage
from tests.market import Market, ok, refused
from tests.serving import free_port

SECRETS = ("an older secret that is still in use elsewhere", server.PAYMENT_SECRET)
HEAR = payments.NOTIFICATIONS
http = urllib3.PoolManager()


@pytest.fixture
def provider() -> Iterator[str]:
    """A till of its own for each test: orders of every database are numbered from 1."""
    with phones.serving(server.create_app("http://127.0.0.1:1")) as url:
        yield url


@pytest.fixture
def stage(
    database_url: str, redis_url: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:  # fmt: skip
    port = free_port()
    monkeypatch.setattr(cast, "BASE", f"http://127.0.0.1:{port}")  # where the provider's word is sent to
    more = {
        "TANPUHUI_PAYMENT_URL": provider, "TANPUHUI_PAYMENT_MERCHANT": server.MERCHANT,
        "TANPUHUI_PAYMENT_SECRETS": ",".join(reversed(SECRETS)), "TANPUHUI_PUBLIC_URL": cast.BASE,
    }  # fmt: skip
    behave(provider, callback="normal", refund="done", payout="done")
    with cast.stage(database_url, redis_url, **more) as made, phones.serving(made.http.application, port):
        yield made


@pytest.fixture
def market(stage: Stage) -> Market:
    made = Market(stage)
    made.issued(*[10_000_000] * 30, price=6_000_000)
    return made


def behave(provider: str, **how: str) -> None:
    assert http.request("POST", f"{provider}/mock/pay/behaviour", json=how).status == 200


def ledger(provider: str) -> dict[str, Any]:
    found: dict[str, Any] = http.request("GET", f"{provider}/mock/pay/ledger").json()
    return found


def declared(market: Market, grams: int = 100) -> dict[str, Any]:
    order = market.ordered(grams)
    return ok(market.company.post(f"/v1/orders/{order['id']}/payment", {"method": "provider"}), 200)


def pay(order: dict[str, Any]) -> None:
    """What the buyer does on the provider's page."""
    page = http.request("GET", order["payment"]["pay_url"]).data.decode()
    assert "支付" in page
    http.request("POST", order["payment"]["pay_url"], fields={"do": "pay"}, encode_multipart=False)


def state(market: Market, order: dict[str, Any]) -> str:
    return str(ok(market.company.get(f"/v1/orders/{order['id']}"), 200)["state"])


def told(order_id: int, fen: int, kind: str = "charge.paid", letter: str = "O", tx: str = "tx_1") -> bytes:
    data = {"ref": f"TPH-{letter}-{order_id:06d}", "provider_id": tx, "amount_fen": fen, "currency": "CNY"}
    return json.dumps({"id": "no_1", "kind": kind, "data": data}).encode()


def hear(market: Market, body: bytes, secret: str = SECRETS[1], **headers: str) -> Any:
    signed = payments.sign(secret, body, datetime.now(UTC)) | {k.replace("_", "-"): v for k, v in headers.items()}
    return market.stage.http.post(HEAR, data=body, headers=signed)


def test_an_order_is_paid_on_the_providers_page_and_its_word_is_heard(market: Market, provider: str) -> None:
    before = ledger(provider)["taken_fen"]
    order = declared(market)
    assert (order["state"], order["payment"]["method"]) == ("declared", "provider")
    pay(order)
    assert processes.eventually(lambda: state(market, order) == "paid")
    assert ledger(provider)["taken_fen"] - before == order["amount_fen"] == 600
    assert ok(market.company.get("/v1/holdings"), 200)["held_g"] == 100
    assert market.conservation()["ok"]


def test_the_same_word_twice_has_one_effect(market: Market, provider: str) -> None:
    behave(provider, callback="twice")
    order = declared(market)
    pay(order)
    assert processes.eventually(lambda: state(market, order) == "paid")
    for _ in range(3):
        with market.platform.db.transaction() as conn:
            [ref] = conn.execute("select external_ref from payment").fetchone() or ("",)
        assert hear(market, told(order["id"], 600, tx=ref)).status_code == 204
    assert market.stage.count("payment") == 1
    assert market.stage.count("refund") == 0
    assert market.conservation()["ok"]


def test_a_word_that_was_lost_is_asked_for(market: Market, provider: str) -> None:
    behave(provider, callback="never")
    order = declared(market)
    assert pay_order.reconcile_payments(market.platform, datetime.now(UTC)) == 0
    pay(order)
    assert state(market, order) == "declared"
    assert pay_order.reconcile_payments(market.platform, datetime.now(UTC)) == 1
    assert state(market, order) == "paid"


def test_money_for_an_order_that_cannot_take_it_goes_back(market: Market, provider: str) -> None:
    behave(provider, callback="wrong_amount")
    first = declared(market)
    pay(first)
    assert processes.eventually(lambda: market.stage.count("refund") == 1)
    assert state(market, first) == "declared"
    behave(provider, callback="never")
    late = declared(market)
    pay(late)
    ok(market.company.call("DELETE", f"/v1/orders/{late['id']}"), 200)
    charge = payments.provider(market.platform.settings).find_charge(late["payment"]["reference"])  # type: ignore[union-attr]
    assert charge is not None
    assert hear(market, told(late["id"], late["amount_fen"], tx=charge.transaction_id or "")).status_code == 204
    assert state(market, late) == "cancelled"
    assert market.conservation()["ok"]
    behave(provider, callback="normal")
    before = ledger(provider)["back_fen"]
    # Of the first, more was told than was taken: the provider will not give it back, and that holds up no other one.
    assert refund_order.send_refunds(market.platform, datetime.now(UTC)) == 1
    refunds = ok(market.operator.get("/v1/operator/refunds"), 200)["items"]
    assert {r["order"]: r["state"] for r in refunds}[late["id"]] == "done"
    assert ledger(provider)["back_fen"] - before == late["amount_fen"]
    assert market.conservation()["ok"]


def test_a_refund_of_a_providers_payment_is_sent_by_itself(market: Market, provider: str) -> None:
    order = declared(market)
    pay(order)
    assert processes.eventually(lambda: state(market, order) == "paid")
    ok(market.company.post(f"/v1/orders/{order['id']}/refund", {"reason": "r"}), 200)
    before = ledger(provider)["back_fen"]
    assert refund_order.send_refunds(market.platform, datetime.now(UTC)) == 1
    assert refund_order.send_refunds(market.platform, datetime.now(UTC)) == 0
    [refund] = ok(market.operator.get("/v1/operator/refunds"), 200)["items"]
    assert (refund["state"], ledger(provider)["back_fen"] - before) == ("done", 600)
    assert hear(market, told(refund["id"], 600, "refund.done", "R")).status_code == 204
    assert market.conservation()["ok"]


def test_a_citizen_is_paid_out_by_a_code_that_nobody_keeps(market: Market, provider: str) -> None:
    market.paid(1_000)
    settle_sales.settle_sales(market.platform, datetime.now(UTC) + timedelta(days=8))
    who = market.people[0]
    from tests.backend.test_settle_sales import citizen, statement

    def withdraw(key: str, **wish: Any) -> Any:
        headers = citizen(market, who) | {"Idempotency-Key": key}
        return market.stage.http.post("/v1/me/withdrawals", json=wish, headers=headers)

    refused(withdraw("a", amount_fen=10, method="provider"), 422, "request_invalid")
    code = http.request("GET", f"{provider}/mock/payout-code?as=lin").json()["code"]
    paid = ok(withdraw("b", amount_fen=100, method="provider", payout_code=code), 201)
    assert (paid["state"], ledger(provider)["people"]["lin"]) == ("done", 100)
    assert statement(market, who)["balance_fen"] == 40
    again = ok(withdraw("b", amount_fen=100, method="provider", payout_code=code), 201)
    assert again["id"] == paid["id"]
    stale = ok(withdraw("c", amount_fen=40, method="provider", payout_code=code), 201)  # used: the provider refuses
    assert stale["state"] == "requested"
    assert pay_out.reconcile_payouts(market.platform, datetime.now(UTC)) == 0  # it may still be on its way
    assert pay_out.reconcile_payouts(market.platform, datetime.now(UTC) + timedelta(minutes=30)) == 0
    assert pay_out.reconcile_payouts(market.platform, datetime.now(UTC) + timedelta(minutes=61)) == 1
    ok(withdraw("c", amount_fen=40, method="provider", payout_code=code), 201)  # asked again: answered, not sent
    assert statement(market, who)["balance_fen"] == 40
    assert ledger(provider)["people"]["lin"] == 100
    assert code not in json.dumps(_rows(market), default=str)
    assert market.conservation()["ok"]


def test_a_withdrawal_that_failed_and_is_asked_again_is_not_paid(market: Market, provider: str) -> None:
    """The provider was away, the money went back, and then the phone repeats its request with the code still good."""
    market.paid(1_000)
    settle_sales.settle_sales(market.platform, datetime.now(UTC) + timedelta(days=8))
    from tests.backend.test_settle_sales import citizen, statement

    who = market.people[0]
    code = http.request("GET", f"{provider}/mock/payout-code?as=wang").json()["code"]
    wish = {"amount_fen": 140, "method": "provider", "payout_code": code}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payments.Provider, "pay_out", lambda *_: (_ for _ in ()).throw(payments.away()))
        headers = citizen(market, who) | {"Idempotency-Key": "k"}
        ok(market.stage.http.post("/v1/me/withdrawals", json=wish, headers=headers), 201)
    assert pay_out.reconcile_payouts(market.platform, datetime.now(UTC) + timedelta(hours=2)) == 1
    assert statement(market, who)["balance_fen"] == 140
    ok(market.stage.http.post("/v1/me/withdrawals", json=wish, headers=headers), 201)
    assert ledger(provider)["out_fen"] == 0
    assert statement(market, who)["balance_fen"] == 140


def test_the_providers_done_goes_before_its_failed_and_another_amount_is_refused(market: Market, provider: str) -> None:
    behave(provider, refund="failed")
    order = declared(market)
    pay(order)
    assert processes.eventually(lambda: state(market, order) == "paid")
    ok(market.company.post(f"/v1/orders/{order['id']}/refund", {"reason": "r"}), 200)
    [refund] = ok(market.operator.get("/v1/operator/refunds"), 200)["items"]
    by_bank = f"/v1/operator/refunds/{refund['id']}"
    refused(market.operator.post(by_bank, {"bank_ref": "b"}), 409, "conflict")  # the provider is at it
    refund_order.send_refunds(market.platform, datetime.now(UTC))
    refused(hear(market, told(refund["id"], 1, "refund.done", "R")), 422, "request_invalid")
    assert hear(market, told(refund["id"], 600, "refund.done", "R")).status_code == 204
    assert hear(market, told(refund["id"], 600, "refund.failed", "R")).status_code == 204
    assert ok(market.operator.get("/v1/operator/refunds"), 200)["items"][0]["state"] == "done"
    refused(market.operator.post(by_bank, {"bank_ref": "b"}), 409, "conflict")
    assert market.conservation()["ok"]


def test_money_for_an_order_that_was_cancelled_is_looked_for_when_the_word_was_lost(
    market: Market, provider: str
) -> None:
    behave(provider, callback="never")
    order = declared(market)
    pay(order)
    ok(market.company.call("DELETE", f"/v1/orders/{order['id']}"), 200)
    assert pay_order.reconcile_payments(market.platform, datetime.now(UTC)) == 1
    assert market.stage.count("refund") == 1
    other = declared(market)
    ok(market.company.call("DELETE", f"/v1/orders/{other['id']}"), 200)
    pay(other)  # closed: nobody can pay it any more
    assert ledger(provider)["taken"].keys() == {order["payment"]["reference"]}


def _rows(market: Market) -> list[Any]:
    with market.platform.db.transaction() as conn:
        return [*conn.execute("select * from payout").fetchall(), *conn.execute("select * from idempotency").fetchall()]


def test_a_word_that_is_not_the_providers_is_refused(market: Market) -> None:
    order = declared(market)
    good = told(order["id"], 600)
    refused(market.stage.http.post(HEAR, data=good), 401, "signature_missing")
    refused(hear(market, good, "some other secret of enough characters"), 401, "signature_invalid")
    refused(hear(market, good, Pay_Timestamp="1"), 401, "signature_invalid")
    refused(hear(market, good, Pay_Nonce="other"), 401, "signature_invalid")
    signed = payments.sign(SECRETS[1], good, datetime.now(UTC))
    refused(market.stage.http.post(HEAR, data=good + b" ", headers=signed), 401, "signature_invalid")
    old = payments.sign(SECRETS[1], good, datetime.now(UTC) - timedelta(minutes=6))
    refused(market.stage.http.post(HEAR, data=good, headers=old), 401, "signature_invalid")
    for wrong in (told(order["id"], 0), told(order["id"], 600, "charge.lost"), b"[]", b'{"data": {}}'):
        refused(hear(market, wrong), 422, "request_invalid")
    refused(hear(market, b"{"), 400, "json_invalid")
    for nothing in (told(99, 600), told(order["id"], 600, letter="R"), told(7, 1, "payout.done", "W")):
        refused(hear(market, nothing), 404, "not_found")
    assert state(market, order) == "declared"
    assert hear(market, good, SECRETS[0]).status_code == 204  # the secret before the last one verifies
    assert state(market, order) == "paid"


def test_without_a_provider_only_the_bank_is_offered(database_url: str, redis_url: str) -> None:
    with cast.stage(database_url, redis_url) as stage:
        market = Market(stage)
        market.issued(1_000_000)
        order = market.ordered(10)
        answer = market.company.post(f"/v1/orders/{order['id']}/payment", {"method": "provider"})
        assert refused(answer, 422, "request_invalid")["errors"][0]["field"] == "method"
        refused(hear(market, told(order["id"], 1)), 404, "not_found")


def test_a_provider_that_is_away_changes_nothing(database_url: str, redis_url: str) -> None:
    more = {
        "TANPUHUI_PAYMENT_URL": f"http://127.0.0.1:{free_port()}", "TANPUHUI_PAYMENT_MERCHANT": "m",
        "TANPUHUI_PAYMENT_SECRETS": SECRETS[0],
    }  # fmt: skip
    with cast.stage(database_url, redis_url, **more) as stage:
        market = Market(stage)
        market.issued(1_000_000)
        order = market.ordered(10)
        answer = market.company.post(f"/v1/orders/{order['id']}/payment", {"method": "provider"})
        refused(answer, 502, "provider_unavailable")
        assert state(market, order) == "reserved"
