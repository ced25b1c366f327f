"""Refunds: a whole order within its days, the grams for sale again, the money back; and the invoices of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.errors import Problem
from backend.usecases import refund_order, retire_credits, settle_sales
from tests.market import CODE, Market, at_once, keyed, ok, refused

WHY = {"reason": "ordered twice"}
BUYER = {"buyer": {"name": "深圳市绿源新材料有限公司", "uscc": CODE}}


def available_g(market: Market) -> int:
    return sum(o["available_g"] for o in ok(market.company.get("/v1/offers"), 200)["items"])


def test_a_refunded_orders_grams_are_for_sale_again_and_its_money_goes_back(market: Market) -> None:
    market.issued(1_000_000, price=6_000_000)
    other, order = market.paid(100), market.paid(300)
    back = ok(market.company.post(f"/v1/orders/{order['id']}/refund", WHY), 200)
    assert (back["state"], available_g(market)) == ("refunded", 850)
    assert ok(market.company.get("/v1/holdings"), 200)["batches"][0]["serials"] == ["TPH-310000-cycling-202606-1-1-100"]
    [refund] = ok(market.operator.get("/v1/operator/refunds?state=requested"), 200)["items"]
    assert (refund["order"], refund["amount_fen"], refund["reference"]) == (order["id"], 1_800, "TPH-R-000001")
    assert market.conservation()["ok"]
    path = f"/v1/operator/refunds/{refund['id']}"
    assert ok(market.operator.post(path, {"bank_ref": "out-1"}), 200)["state"] == "done"
    refused(market.operator.post(path, {"bank_ref": "out-1"}), 409, "conflict")
    flows = ok(market.stage.http.get("/v1/flows"), 200)["totals"]
    assert (flows["from_buyers_fen"], flows["refunded_fen"]) == (other["amount_fen"], 1_800)
    refused(market.company.post(f"/v1/orders/{order['id']}/refund", WHY), 409, "conflict")
    assert market.ordered(850)["state"] == "reserved"
    assert market.conservation()["ok"]


def test_an_order_whose_days_are_over_or_whose_grams_moved_is_final(market: Market) -> None:
    market.issued(2_000_000, price=6_000_000)
    kept, used, given = market.paid(100), market.paid(200), market.paid(300)
    other = market.stage.client("company", "上海某公司")
    market.retired(150)  # the oldest grams first: all of the first order, some of the second
    ok(market.company.post("/v1/transfers", {"quantity_g": 200, "to": other.id}), 201)
    for order in (kept, used, given):
        refused(market.company.post(f"/v1/orders/{order['id']}/refund", WHY), 409, "conflict")
    last = market.paid(50)
    late = datetime.now(UTC) + timedelta(days=7, minutes=1)
    with pytest.raises(Problem) as raised:
        refund_order.refund_order(market.platform, keyed(market.company.id), last["id"], None, "late", late)
    assert raised.value.code == "conflict"
    assert ok(market.operator.post(f"/v1/operator/orders/{last['id']}/refund", WHY), 200)["state"] == "refunded"
    assert market.conservation()["ok"]


def test_what_was_shared_out_while_a_refund_waited_is_not_refunded(market: Market) -> None:
    """A refund that was asked for in time, and got its locks after the settlement that counted the order."""
    market.issued(1_000_000, price=6_000_000)
    order = market.paid(100)
    in_time = datetime.now(UTC)
    settle_sales.settle_sales(market.platform, in_time + timedelta(days=8))
    with pytest.raises(Problem) as raised:
        refund_order.refund_order(market.platform, keyed(market.company.id), order["id"], None, "late", in_time)
    assert raised.value.code == "conflict"
    assert market.conservation()["ok"]


def test_nobody_refunds_what_is_not_theirs_or_not_paid(market: Market) -> None:
    market.issued(1_000_000)
    order, open_order = market.paid(10), market.ordered(10)
    stranger = market.stage.client("company", "上海某公司")
    refused(stranger.post(f"/v1/orders/{order['id']}/refund", WHY), 404, "not_found")
    refused(market.company.post(f"/v1/orders/{open_order['id']}/refund", WHY), 409, "conflict")
    refused(market.operator.post("/v1/operator/refunds/99", {"bank_ref": "x"}), 404, "not_found")


def test_a_refund_and_a_retirement_at_once_never_both_have_the_grams(market: Market) -> None:
    for _ in range(4):
        market.issued(1_000_000)
        order = market.paid(900)
        retired, refunded = at_once(
            lambda: retire_credits.retire_credits(
                market.platform, keyed(market.company.id), market.company_wish(900), datetime.now(UTC)
            ),
            lambda o=order: refund_order.refund_order(
                market.platform, keyed(market.company.id), o["id"], market.company.id, "race", datetime.now(UTC)
            ),
        )
        assert isinstance(retired, Problem) is not isinstance(refunded, Problem)
        assert market.conservation()["ok"]


def test_a_paid_order_is_invoiced_once_and_its_refund_answered_by_a_credit_note(market: Market) -> None:
    market.issued(1_000_000, price=6_000_000)
    order = market.ordered(100)
    path = f"/v1/orders/{order['id']}/invoice"
    refused(market.company.post(path, BUYER), 409, "conflict")
    order = market.paid(100)
    path = f"/v1/orders/{order['id']}/invoice"
    wrong = {"buyer": BUYER["buyer"] | {"uscc": CODE[:-1] + "0"}}
    assert refused(market.company.post(path, wrong), 422, "request_invalid")["errors"][0]["field"] == "buyer.uscc"
    made = ok(market.company.post(path, BUYER), 201)
    assert (made["kind"], made["amount_fen"], made["issued_at"]) == ("invoice", 600, None)
    refused(market.company.post(path, BUYER), 409, "conflict")
    assert [i["number"] for i in ok(market.operator.get("/v1/operator/invoices?waiting=true"), 200)["items"]] == [
        made["number"]
    ]
    issue = f"/v1/operator/invoices/{made['number']}"
    assert ok(market.operator.post(issue, {"tax_ref": "24442000000012345678"}), 200)["tax_ref"].startswith("2444")
    refused(market.operator.post(issue, {"tax_ref": "other"}), 409, "conflict")
    ok(market.company.post(f"/v1/orders/{order['id']}/refund", WHY), 200)
    kinds = [(i["kind"], i["amount_fen"]) for i in ok(market.company.get("/v1/invoices"), 200)["items"]]
    assert kinds == [("credit_note", 600), ("invoice", 600)]
