"""Buying: quote, order, pay, cancel, expire. No gram is sold twice, and every step can be asked for twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.errors import Problem
from backend.usecases import buy_credits, pay_order, quote_credits, release_credits
from rewards import purchase
from tests.cast import Client, Stage
from tests.market import RECEIVED, Market, at_once, keyed, ok, refused

POOL_440300 = "440300.cycling.1.0.0.202606"


def available_g(market: Market) -> int:
    return sum(o["available_g"] for o in ok(market.company.get("/v1/offers"), 200)["items"])


def test_an_order_reserves_is_paid_and_is_held(market: Market) -> None:
    market.issued(1_000_000)
    order = market.ordered(300)
    assert (order["state"], order["quantity_g"], order["amount_fen"]) == ("reserved", 300, 2)
    assert available_g(market) == 650
    declared = ok(market.company.post(f"/v1/orders/{order['id']}/payment", {}), 200)
    assert declared["state"] == "declared"
    assert declared["payment"]["reference"] == f"TPH-O-{order['id']:06d}"
    assert declared["expires_at"] > order["expires_at"]
    waiting = ok(market.operator.get("/v1/operator/orders?state=declared"), 200)["items"]
    assert [o["id"] for o in waiting] == [order["id"]]
    confirm = f"/v1/operator/orders/{order['id']}/payment"
    problem = refused(market.operator.post(confirm, RECEIVED | {"amount_fen": 1}), 422, "request_invalid")
    assert problem["errors"][0]["code"] == "amount_differs"
    paid = ok(market.operator.post(confirm, RECEIVED | {"amount_fen": 2}), 200)
    assert (paid["state"], paid["expires_at"]) == ("paid", None)
    assert set(paid["steps"]) == {"reserved", "declared", "paid"}
    holdings = ok(market.company.get("/v1/holdings"), 200)
    assert (holdings["held_g"], holdings["batches"][0]["serials"]) == (300, ["TPH-310000-cycling-202606-1-1-300"])
    assert market.conservation()["ok"]


def test_an_order_takes_the_cheapest_grams_within_its_wishes(market: Market) -> None:
    dear = market.issued(100_000, price=9000)
    cheap = market.issued(100_000, price=5000)
    shenzhen = market.issued(100_000, region="440300", pool=POOL_440300, price=1)
    order = market.ordered(100, region="310000", methodology="cycling", vintage="2026-06")
    assert [(line["batch"], line["quantity_g"]) for line in order["lines"]] == [(dear["id"], 5), (cheap["id"], 95)]
    assert order["amount_fen"] == sum(line["amount_fen"] for line in order["lines"]) == 1
    assert market.ordered(95)["lines"][0]["batch"] == shenzhen["id"]
    problem = refused(market.company.post("/v1/quotes", {"quantity_g": 91}), 409, "sold_out")
    assert problem["available_g"] == 90
    for wish in ({"region": "110000"}, {"methodology": "metro"}, {"vintage": "2026-05"}, {"demonstration": False}):
        refused(market.company.post("/v1/quotes", {"quantity_g": 1, **wish}), 409, "sold_out")


def test_a_cancelled_order_gives_its_grams_back(market: Market) -> None:
    market.issued(1_000_000)
    order = market.ordered(300)
    path = f"/v1/orders/{order['id']}"
    assert ok(market.company.call("DELETE", path), 200)["state"] == "cancelled"
    assert ok(market.company.call("DELETE", path), 200)["state"] == "cancelled"
    assert available_g(market) == 950
    refused(market.company.post(f"{path}/payment", {}), 409, "conflict")
    refused(market.operator.post(f"/v1/operator{path[3:]}/payment", RECEIVED | {"amount_fen": 2}), 409, "conflict")
    paid = market.paid(950)
    assert [line["quantity_g"] for line in paid["lines"]] == [950]
    refused(market.company.call("DELETE", f"/v1/orders/{paid['id']}"), 409, "conflict")
    assert market.conservation()["ok"]


def test_a_reservation_that_runs_out_is_released_when_somebody_needs_the_grams(market: Market) -> None:
    market.issued(1_000_000)
    order = market.ordered(950)
    refused(market.company.post("/v1/quotes", {"quantity_g": 950}), 409, "sold_out")
    market.set_order_expiry(order["id"], datetime.now(UTC) - timedelta(seconds=1))
    path = f"/v1/orders/{order['id']}"
    assert ok(market.company.get(path), 200)["state"] == "expired"
    refused(market.company.post(f"{path}/payment", {}), 410, "expired")
    refused(market.operator.post(f"/v1/operator{path[3:]}/payment", RECEIVED | {"amount_fen": 6}), 410, "expired")
    refused(market.company.call("DELETE", path), 410, "expired")
    assert market.ordered(950)["state"] == "reserved"
    assert ok(market.company.get(path), 200)["state"] == "expired"
    assert market.conservation()["ok"]


def test_a_declared_payment_keeps_the_grams_while_the_bank_works(market: Market) -> None:
    market.issued(1_000_000)
    order = market.ordered(950)
    ok(market.company.post(f"/v1/orders/{order['id']}/payment", {}), 200)
    assert release_credits.expire_orders(market.platform, datetime.now(UTC) + timedelta(days=4)) == 0
    assert release_credits.expire_orders(market.platform, datetime.now(UTC) + timedelta(days=6)) == 1
    assert available_g(market) == 950


def test_a_quote_holds_its_price_for_a_while_and_serves_once(market: Market) -> None:
    market.issued(1_000_000, price=6000)
    quote = ok(market.company.post("/v1/quotes", {"quantity_g": 900}), 201)
    other = ok(market.company.post("/v1/quotes", {"quantity_g": 500}), 201)
    late = datetime.fromisoformat(quote["expires_at"])
    with pytest.raises(Problem) as raised:
        buy_credits.buy_credits(market.platform, keyed(market.company.id), quote["id"], late)
    assert raised.value.code == "expired"
    ok(market.company.post("/v1/orders", {"quote_id": quote["id"]}), 201)
    refused(market.company.post("/v1/orders", {"quote_id": quote["id"]}), 409, "conflict")
    refused(market.company.post("/v1/orders", {"quote_id": other["id"]}), 409, "sold_out")
    market.issued(1_000_000, price=9000)
    refused(market.company.post("/v1/orders", {"quote_id": other["id"]}), 409, "sold_out")
    market.issued(1_000_000, price=1000)
    cheaper = ok(market.company.post("/v1/orders", {"quote_id": other["id"]}), 201)
    assert cheaper["amount_fen"] <= other["amount_fen"]


def test_a_company_sees_and_touches_only_its_own(stage: Stage, market: Market) -> None:
    market.issued(1_000_000)
    stranger = stage.client("company", "上海某公司")
    quote = ok(market.company.post("/v1/quotes", {"quantity_g": 10}), 201)
    refused(stranger.post("/v1/orders", {"quote_id": quote["id"]}), 404, "not_found")
    order = ok(market.company.post("/v1/orders", {"quote_id": quote["id"]}), 201)
    path = f"/v1/orders/{order['id']}"
    refused(stranger.get(path), 404, "not_found")
    refused(stranger.call("DELETE", path), 404, "not_found")
    refused(stranger.post(f"{path}/payment", {}), 404, "not_found")
    assert ok(stranger.get("/v1/orders"), 200)["items"] == []
    assert [o["id"] for o in ok(market.company.get("/v1/orders"), 200)["items"]] == [order["id"]]


def test_twenty_buyers_of_the_last_grams_get_them_once(stage: Stage, market: Market) -> None:
    market.issued(2_000_000)
    market.paid(1_400)
    buyers = [stage.client("company", f"company {i}") for i in range(20)]
    now = datetime.now(UTC)
    quotes = [quote_credits.quote_credits(market.platform, keyed(b.id), {"quantity_g": 500}, now)["id"] for b in buyers]
    answers = at_once(
        *(
            lambda b=b, q=q: buy_credits.buy_credits(market.platform, keyed(b.id), q, now)
            for b, q in zip(buyers, quotes, strict=True)
        )
    )
    sold = [a for a in answers if not isinstance(a, Problem)]
    assert [a.code for a in answers if isinstance(a, Problem)] == ["sold_out"] * 19
    assert [o["quantity_g"] for o in sold] == [500]
    assert available_g(market) == 0
    assert market.conservation()["ok"]


def test_an_order_confirmed_cancelled_and_expired_at_one_moment_ends_one_way(market: Market) -> None:
    market.issued(1_000_000)

    def end(order: dict[str, Any]) -> set[str]:
        told, now = RECEIVED | {"amount_fen": order["amount_fen"]}, datetime.now(UTC)
        request = keyed(market.operator.id)
        at_once(
            lambda: pay_order.confirm_payment(market.platform, request, order["id"], told, now),
            lambda: release_credits.cancel_order(market.platform, order["id"], market.company.id, now),
            lambda: release_credits.expire_orders(market.platform, now + timedelta(hours=1)),
        )
        return set(ok(market.company.get(f"/v1/orders/{order['id']}"), 200)["steps"])

    for _ in range(6):
        assert end(market.ordered(10)) in ({"reserved", last} for last in ("paid", "cancelled", "expired"))
    assert market.conservation()["ok"]


def test_twenty_buyers_of_a_part_each_share_the_rest_without_a_gram_twice(stage: Stage, market: Market) -> None:
    market.issued(600_000)
    market.issued(600_000, price=7000)
    buyers = [stage.client("company", f"company {i}") for i in range(20)]
    now = datetime.now(UTC)

    def buy(buyer: Client) -> int:
        quote = quote_credits.quote_credits(market.platform, keyed(buyer.id), {"quantity_g": 90}, now)
        order = buy_credits.buy_credits(market.platform, keyed(buyer.id), quote["id"], now)
        told = RECEIVED | {"amount_fen": order["amount_fen"]}
        pay_order.confirm_payment(market.platform, keyed(market.operator.id), order["id"], told, now)
        return order["quantity_g"]

    answers = at_once(*(lambda b=b: buy(b) for b in buyers))
    sold = [a for a in answers if not isinstance(a, Problem)]
    assert sum(sold) + available_g(market) == 2 * 570
    assert len(sold) == 12 or all(a.code == "sold_out" for a in answers if isinstance(a, Problem))
    held = [ok(b.get("/v1/holdings"), 200)["batches"] for b in buyers]
    serials = [s for batches in held for batch in batches for s in batch["serials"]]
    assert len(serials) == len(set(serials)) >= len(sold)
    assert market.conservation()["ok"]


# --- Idempotency-Key ------------------------------------------------------------------------------------------------


def test_the_same_key_gets_the_first_answer_back_and_one_effect(market: Market) -> None:
    market.issued(1_000_000)
    quote = {"quantity_g": 100}
    first = ok(market.company.post("/v1/quotes", quote, Idempotency_Key="q1"), 201)
    assert ok(market.company.post("/v1/quotes", quote, Idempotency_Key="q1"), 201) == first
    order = ok(market.company.post("/v1/orders", {"quote_id": first["id"]}, Idempotency_Key="o1"), 201)
    path = f"/v1/orders/{order['id']}/payment"
    declared = ok(market.company.post(path, {}, Idempotency_Key="p1"), 200)
    received = RECEIVED | {"amount_fen": order["amount_fen"]}
    paid = ok(market.operator.post(f"/v1/operator{path[3:]}", received, Idempotency_Key="p1"), 200)
    assert ok(market.company.post("/v1/orders", {"quote_id": first["id"]}, Idempotency_Key="o1"), 201) == order
    assert ok(market.company.post(path, {}, Idempotency_Key="p1"), 200) == declared
    assert ok(market.operator.post(f"/v1/operator{path[3:]}", received, Idempotency_Key="p1"), 200) == paid
    assert ok(market.company.get("/v1/holdings"), 200)["held_g"] == 100
    assert market.conservation()["ok"]


def test_a_key_is_good_for_one_request(market: Market) -> None:
    market.issued(1_000_000)
    quote = ok(market.company.post("/v1/quotes", {"quantity_g": 100}, Idempotency_Key="k"), 201)
    refused(market.company.post("/v1/quotes", {"quantity_g": 101}, Idempotency_Key="k"), 422, "key_reused")
    refused(market.company.post("/v1/orders", {"quote_id": quote["id"]}, Idempotency_Key="k"), 422, "key_reused")
    for missing in ("", "with space", "ü", "k" * 256):
        refused(market.company.post("/v1/quotes", {"quantity_g": 1}, Idempotency_Key=missing), 400, "key_missing")


def test_a_request_that_failed_leaves_its_key_free(market: Market) -> None:
    refused(market.company.post("/v1/quotes", {"quantity_g": 100}, Idempotency_Key="k"), 409, "sold_out")
    market.issued(1_000_000)
    ok(market.company.post("/v1/quotes", {"quantity_g": 100}, Idempotency_Key="k"), 201)


def test_the_same_key_at_the_same_moment_has_one_effect(market: Market) -> None:
    market.issued(1_000_000)
    quote = ok(market.company.post("/v1/quotes", {"quantity_g": 100}), 201)
    now = datetime.now(UTC)
    request = keyed(market.company.id, "POST /v1/orders", "twice")
    answers = at_once(*[lambda: buy_credits.buy_credits(market.platform, request, quote["id"], now)] * 8)
    assert not isinstance(answers[0], Problem)
    assert answers == [answers[0]] * 8
    assert available_g(market) == 850
    assert market.conservation()["ok"]


def test_a_company_holds_back_only_so_much_without_paying(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchase, "UNPAID_MAX_G", 500)
    market.issued(1_000_000)
    first = market.ordered(300)
    quote = ok(market.company.post("/v1/quotes", {"quantity_g": 201}), 201)
    problem = refused(market.company.post("/v1/orders", {"quote_id": quote["id"]}), 409, "unpaid_limit")
    assert (problem["unpaid_g"], problem["unpaid_max_g"]) == (300, 500)
    market.ordered(200)
    ok(market.company.call("DELETE", f"/v1/orders/{first['id']}"), 200)
    assert ok(market.company.post("/v1/orders", {"quote_id": quote["id"]}), 201)["state"] == "reserved"


def test_what_is_paid_holds_nothing_back(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchase, "UNPAID_MAX_G", 500)
    market.issued(2_000_000)
    market.paid(500)
    assert market.ordered(500)["state"] == "reserved"


def test_orders_at_the_same_moment_do_not_pass_the_limit_together(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purchase, "UNPAID_MAX_G", 500)
    market.issued(2_000_000)
    quotes = [ok(market.company.post("/v1/quotes", {"quantity_g": 200}), 201)["id"] for _ in range(6)]
    now = datetime.now(UTC)
    done = at_once(*(
        lambda q=q: buy_credits.buy_credits(market.platform, keyed(market.company.id, "orders"), q, now)  # type: ignore[misc]
        for q in quotes
    ))  # fmt: skip
    assert (
        sorted(d.code if isinstance(d, Problem) else d["state"] for d in done)
        == ["reserved"] * 2 + ["unpaid_limit"] * 4
    )
