"""Who retires for whom: reviewed entities, several beneficiaries, a company's own boundary, grams given away."""

from __future__ import annotations

from typing import Any

from rewards import retirement
from tests.cast import Client, Stage
from tests.market import CODE, RETIREMENT, Market, ok, refused

OTHER = "91350100M000100Y43"


def entity(market: Market, uscc: str = CODE) -> dict[str, Any]:
    found = ok(market.operator.get("/v1/operator/entities"), 200)["items"]
    return next(one for one in found if one["uscc"] == uscc)


def decide(market: Market, state: str, uscc: str = CODE, **names: str) -> Any:
    return ok(market.operator.post(f"/v1/operator/entities/{uscc}", {"state": state, "note": "register", **names}), 200)


def test_an_entity_is_looked_into_at_its_first_use_and_has_one_name_from_then_on(market: Market) -> None:
    market.issued(1_000_000)
    market.paid(500)
    first = market.retired(10)["certificate"]
    assert any("复核" in s["zh"] for s in first["statements"])
    assert entity(market)["state"] == "waiting"
    decide(market, "accepted", name="深圳市绿源新材料股份有限公司")
    wrong = market.company.post("/v1/retirements", RETIREMENT | {"quantity_g": 10})
    assert refused(wrong, 422, "request_invalid")["errors"][0]["code"] == "name_differs"
    spelt = RETIREMENT["beneficiary"] | {"name": "深圳市绿源新材料 股份有限公司 "}  # type: ignore[operator]
    second = market.retired(10, beneficiary=spelt)["certificate"]
    assert second["beneficiary"]["name"] == "深圳市绿源新材料股份有限公司"
    assert not any("复核" in s["zh"] for s in second["statements"])
    decide(market, "refused")
    refusal = market.company.post("/v1/retirements", RETIREMENT | {"quantity_g": 10, "beneficiary": spelt})
    assert refused(refusal, 422, "request_invalid")["errors"][0]["code"] == "entity_refused"


def test_real_credits_wait_for_the_review_and_what_waits_is_seen(market: Market) -> None:
    market.issued(1_000_000)
    market.paid(500)
    with market.platform.db.transaction() as conn:  # as if an authority had approved the pack
        conn.execute("set local session_replication_role = replica")
        conn.execute("update batch set demonstration = false")
        conn.execute("update quote set demonstration = false")
    wish = RETIREMENT | {"quantity_g": 10, "demonstration": False}
    refused(market.company.post("/v1/retirements", wish, Idempotency_Key="again"), 409, "entity_waiting")
    assert entity(market)["state"] == "waiting"
    decide(market, "accepted")
    made = ok(market.company.post("/v1/retirements", wish, Idempotency_Key="again"), 201)
    assert made["certificate"]["demonstration"] is False


def test_an_entity_can_be_named_before_it_is_needed(market: Market) -> None:
    body = {"name": "绿湾咖啡有限公司", "uscc": OTHER}
    assert ok(market.company.post("/v1/entities", body), 201)["state"] == "waiting"
    assert [e["uscc"] for e in ok(market.company.get("/v1/entities"), 200)["items"]] == [OTHER]
    refused(market.company.post("/v1/entities", body | {"uscc": OTHER[:-1] + "4"}), 422, "request_invalid")
    refused(market.operator.post(f"/v1/operator/entities/{CODE}", {"state": "accepted", "note": "n"}), 404, "not_found")
    assert ok(market.stage.client("company", "other").get("/v1/entities"), 200)["items"] == []


def test_several_beneficiaries_share_one_certificate(market: Market) -> None:
    market.issued(1_000_000)
    market.paid(500)
    one, other = {"name": "甲公司", "uscc": CODE, "quantity_g": 30}, {"name": "乙公司", "uscc": OTHER, "quantity_g": 70}
    wish = {k: v for k, v in RETIREMENT.items() if k != "beneficiary"} | {"quantity_g": 100}
    made = ok(market.company.post("/v1/retirements", wish | {"beneficiaries": [one, other]}), 201)["certificate"]
    assert made["beneficiaries"] == [one, other]
    assert "beneficiary" not in made
    assert market.stage.http.post("/v1/certificates/verify", json=ok(
        market.stage.http.get(f"/v1/certificates/{made['number']}.json"), 200)).json["valid"]  # fmt: skip
    page = market.stage.http.get(f"/v1/certificates/{made['number']}", headers={"Accept": "text/html"}).text
    assert "甲公司" in page
    assert "70 克" in page
    [line] = ok(market.company.get("/v1/retirements"), 200)["items"]
    assert [b["name"] for b in line["beneficiaries"]] == ["甲公司", "乙公司"]
    for wrong in (
        {"beneficiaries": [one]},
        {"beneficiaries": [one, other], "beneficiary": RETIREMENT["beneficiary"]},
        {},
    ):
        refused(market.company.post("/v1/retirements", wish | wrong), 422, "request_invalid")


def test_a_claim_of_neutrality_needs_its_footprint_and_says_which_share_is_covered(market: Market) -> None:
    market.issued(1_000_000)
    market.paid(500)
    claim = {"neutrality_claim": {"own_reductions_g": 5, "statement": "节电 energy saved"}}
    refused(market.company.post("/v1/retirements", RETIREMENT | {"quantity_g": 10} | claim), 422, "request_invalid")
    made = market.retired(10, footprint={"quantity_g": 30, "boundary": "scope 1+2"}, **claim)["certificate"]
    assert (made["covered_ppm"], made["neutrality_claim"]["own_reductions_g"]) == (333_333, 5)
    assert any("声明碳中和" in s["zh"] for s in made["statements"])
    assert retirement.covered_ppm(31, 30) == 1_000_000


def test_a_company_may_not_use_what_came_through_its_own_partners(stage: Stage, market: Market) -> None:
    other = stage.partner("metrolink", ["x"])
    market.deed(900_000)
    market.deed(100_000, client=other)
    half = market.issued(1_000_000, client=other)["id"]  # 900 g of one partner, 1,100 g of the other
    clean = market.issued(1_000_000)["id"]
    bought = market.paid(1_500)
    assert {line["batch"] for line in bought["lines"]} == {half}
    stranger = stage.client("company", "上海某公司")
    path = "/v1/own-partners"
    refused(market.company.post(path, {"partner": stranger.id}), 404, "not_found")
    [own] = ok(market.company.post(path, {"partner": other.id}), 201)["items"]
    assert own["name"] == "metrolink"
    problem = refused(market.company.post("/v1/retirements", RETIREMENT | {"quantity_g": 10}), 409, "own_boundary")
    assert problem["own_g"] == 1_500
    assert {line["batch"] for line in market.ordered(100)["lines"]} == {clean}
    assert market.retired(10, buyer_of(market, stranger, 20))["certificate"]["lineage"][0].get("own_ppm") is None
    end = f"/v1/operator/companies/{market.company.id}/own-partners/{other.id}"
    assert market.operator.call("DELETE", end).status_code == 204
    refused(market.operator.call("DELETE", end), 404, "not_found")
    market.retired(10)


def test_nothing_is_given_to_a_company_that_could_not_use_it_and_anything_may_be_given_away(
    stage: Stage, market: Market
) -> None:
    market.issued(1_000_000)
    other = stage.client("company", "上海某公司")
    market.paid(100)
    ok(other.post("/v1/own-partners", {"partner": market.partner.id}), 201)
    refused(market.company.post("/v1/transfers", {"quantity_g": 10, "to": other.id}), 409, "own_boundary")
    ok(market.company.post("/v1/own-partners", {"partner": market.partner.id}), 201)
    third = stage.client("company", "第三家")
    ok(market.company.post("/v1/transfers", {"quantity_g": 10, "to": third.id}), 201)


def test_a_retirement_asked_again_is_answered_whatever_became_of_its_entity(market: Market) -> None:
    market.issued(1_000_000)
    market.paid(100)
    wish = RETIREMENT | {"quantity_g": 10}
    first = ok(market.company.post("/v1/retirements", wish, Idempotency_Key="one"), 201)
    decide(market, "refused")
    assert ok(market.company.post("/v1/retirements", wish, Idempotency_Key="one"), 201) == first


def test_a_small_part_of_its_own_is_used_and_labelled(stage: Stage, market: Market) -> None:
    other = stage.partner("metrolink", ["x"])
    market.deed(50_000, client=other)
    market.issued(950_000)
    ok(market.company.post("/v1/own-partners", {"partner": other.id}), 201)
    market.paid(100)
    [line] = market.retired(10)["certificate"]["lineage"]
    assert line["own_ppm"] == 50_000


def buyer_of(market: Market, company: Client, quantity_g: int) -> Client:
    market.paid(quantity_g, company)
    return company


def test_held_grams_are_given_to_another_company_or_taken_out(stage: Stage, market: Market) -> None:
    market.issued(1_000_000)
    market.paid(500)
    other = stage.client("company", "上海某公司")
    given = ok(market.company.post("/v1/transfers", {"quantity_g": 200, "to": other.id}), 201)
    assert given["serials"] == ["TPH-310000-cycling-202606-1-1-200"]
    assert ok(other.get("/v1/holdings"), 200)["held_g"] == 200
    out = {"quantity_g": 50, "registry": "another registry", "registry_note": "account 7"}
    assert ok(other.post("/v1/transfers", out), 201)["registry"] == "another registry"
    assert market.figures(1)["transferred_g"] == 50
    market.retired(100, other)
    assert ok(other.get("/v1/holdings"), 200)["held_g"] == 50
    for wrong in ({"to": "nobody"}, {"to": market.company.id}, {}, {"to": other.id, "registry": "x"}):
        refused(market.company.post("/v1/transfers", {"quantity_g": 1, **wrong}), 422, "request_invalid")
    refused(market.company.post("/v1/transfers", {"quantity_g": 301, "to": other.id}), 409, "not_enough_held")
    assert [t["to_name"] for t in ok(market.company.get("/v1/transfers"), 200)["items"]] == ["上海某公司"]
    assert len(ok(other.get("/v1/transfers"), 200)["items"]) == 2
    assert market.conservation()["ok"]
