"""Prices: what the operator asks, what companies pay, partial orders, limits, standing orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backend.usecases import place_standing_orders
from rewards import purchase
from tests.market import Market, ok, refused


def ask(market: Market, price: int, **scope: object) -> None:
    tiers = scope.pop("tiers", [{"from_g": 1, "price_fen_per_tonne": price}])
    ok(market.operator.post("/v1/operator/prices", {"tiers": tiers, **scope}), 201)


def price_of(market: Market, quantity_g: int = 1, **wish: object) -> int:
    return ok(market.company.post("/v1/quotes", {"quantity_g": quantity_g, **wish}), 201)["lines"][0][
        "price_fen_per_tonne"
    ]


def test_a_rule_takes_over_from_the_price_at_issue_and_a_quote_holds(market: Market) -> None:
    batch = market.issued(2_000_000, price=6_000_000)["id"]
    quote = ok(market.company.post("/v1/quotes", {"quantity_g": 100}), 201)
    ask(market, 9_000_000)
    assert price_of(market) == 9_000_000
    assert ok(market.company.get("/v1/offers"), 200)["items"][0]["price_fen_per_tonne"] == 9_000_000
    order = ok(market.company.post("/v1/orders", {"quote_id": quote["id"]}), 201)
    assert order["amount_fen"] == quote["amount_fen"] == 600
    ask(market, 5_000_000, batch=batch)
    assert price_of(market) == 5_000_000
    ask(market, 0, batch=batch, tiers=[])
    assert price_of(market) == 9_000_000
    ask(
        market,
        0,
        tiers=[{"from_g": 1, "price_fen_per_tonne": 8_000_000}, {"from_g": 500, "price_fen_per_tonne": 7_000_000}],
    )
    assert [price_of(market, g) for g in (1, 499, 500)] == [8_000_000, 8_000_000, 7_000_000]
    rules = ok(market.stage.http.get("/v1/prices/rules"), 200)["items"]
    assert [len(rule["tiers"]) for rule in rules] == [2, 0, 1, 1]


def test_a_rule_cannot_be_made_for_the_past_or_for_what_is_not_there(market: Market) -> None:
    tier = [{"from_g": 1, "price_fen_per_tonne": 1}]
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    refused(market.operator.post("/v1/operator/prices", {"tiers": tier, "valid_from": past}), 422, "request_invalid")
    refused(market.operator.post("/v1/operator/prices", {"tiers": tier, "batch": 9}), 404, "not_found")
    refused(
        market.operator.post("/v1/operator/prices", {"tiers": [{"from_g": 2, "price_fen_per_tonne": 1}]}),
        422,
        "request_invalid",
    )
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    market.issued(1_000_000, price=6_000_000)
    ok(market.operator.post("/v1/operator/prices", {"tiers": tier, "valid_from": later}), 201)
    assert price_of(market) == 6_000_000


def test_the_prices_that_were_paid_are_public_by_day(market: Market) -> None:
    market.issued(1_000_000, price=6_000_000)
    market.paid(100)
    ask(market, 9_000_000)
    market.paid(200)
    refunded = market.paid(50)
    ok(market.company.post(f"/v1/orders/{refunded['id']}/refund", {"reason": "r"}), 200)
    [day] = ok(market.stage.http.get("/v1/prices?region=310000&methodology=cycling"), 200)["items"]
    assert (day["quantity_g"], day["low_fen_per_tonne"], day["high_fen_per_tonne"]) == (300, 6_000_000, 9_000_000)
    assert (day["average_fen_per_tonne"], day["amount_fen"]) == (8_000_000, 2_400)
    assert ok(market.stage.http.get("/v1/prices?region=440000"), 200)["items"] == []


def test_a_partial_order_takes_what_there_is_and_nothing_dearer_than_its_quote(market: Market) -> None:
    market.issued(1_000_000, price=6_000_000)
    market.issued(1_000_000, price=9_000_000)
    refused(market.company.post("/v1/quotes", {"quantity_g": 2_000}), 409, "sold_out")
    quote = ok(
        market.company.post("/v1/quotes", {"quantity_g": 1_000, "partial": True, "limit_fen_per_tonne": 7_000_000}), 201
    )
    assert (quote["quantity_g"], quote["asked_g"], quote["amount_fen"]) == (950, 1_000, 5_700)
    market.paid(900)  # somebody else takes most of the cheap ones
    order = ok(market.company.post("/v1/orders", {"quote_id": quote["id"]}), 201)
    assert (order["quantity_g"], order["amount_fen"]) == (50, 300)
    refused(
        market.company.post("/v1/quotes", {"quantity_g": 1, "partial": True, "limit_fen_per_tonne": 7_000_000}),
        409,
        "sold_out",
    )
    assert market.conservation()["ok"]


def test_a_partial_order_pays_the_price_of_what_it_gets_not_of_what_it_wished_for(market: Market) -> None:
    market.issued(1_000_000)
    ask(
        market,
        0,
        tiers=[{"from_g": 1, "price_fen_per_tonne": 6_000_000}, {"from_g": 10**6, "price_fen_per_tonne": 6_000}],
    )
    sly = ok(market.company.post("/v1/quotes", {"quantity_g": 10**13, "partial": True}), 201)
    assert (sly["quantity_g"], sly["amount_fen"]) == (950, 5_700)
    market.paid(900)
    order = ok(market.company.post("/v1/orders", {"quote_id": sly["id"]}), 201)
    assert (order["quantity_g"], order["amount_fen"]) == (50, 300)


def test_a_province_takes_its_cities(market: Market) -> None:
    market.issued(1_000_000, region="440300", pool="440300.cycling.1.0.0.202606", price=6_000_000)
    assert price_of(market, region="440000") == 6_000_000
    assert len(ok(market.company.get("/v1/offers?region=440000"), 200)["items"]) == 1
    assert ok(market.company.get("/v1/offers?region=310000"), 200)["items"] == []


def test_a_standing_order_orders_once_a_month_up_to_its_price(market: Market) -> None:
    market.issued(1_000_000, price=6_000_000)
    wish = {"quantity_g": 400, "limit_fen_per_tonne": 6_000_000, "day": 1}
    standing = ok(market.company.post("/v1/standing-orders", wish), 201)
    dear = ok(market.company.post("/v1/standing-orders", wish | {"limit_fen_per_tonne": 5_000_000}), 201)
    now = datetime.now(UTC)
    assert place_standing_orders.place_standing_orders(market.platform, now) == 1
    assert place_standing_orders.place_standing_orders(market.platform, now) == 0
    [order] = ok(market.company.get("/v1/orders"), 200)["items"]
    assert (order["quantity_g"], order["state"]) == (400, "reserved")
    assert datetime.fromisoformat(order["expires_at"]) - now == purchase.DECLARED_HOLDS
    shown = {s["id"]: s["runs"] for s in ok(market.company.get("/v1/standing-orders"), 200)["items"]}
    assert (shown[standing["id"]][0]["order"], shown[dear["id"]][0]["problem"]) == (order["id"], "sold_out")
    path = f"/v1/standing-orders/{standing['id']}"
    assert ok(market.company.call("DELETE", path), 200)["ended_at"]
    refused(market.stage.client("company", "other").call("DELETE", path), 404, "not_found")
    later = now + timedelta(days=40)
    assert place_standing_orders.place_standing_orders(market.platform, later) == 0
    months = ok(market.company.get("/v1/standing-orders"), 200)["items"]
    assert {s["id"]: len(s["runs"]) for s in months} == {standing["id"]: 1, dear["id"]: 2}
