"""Retiring: used up for ever, for a named beneficiary, and certified so that anybody can check it."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import rfc8785
from jwt.algorithms import OKPAlgorithm

from backend.errors import Problem
from backend.usecases import retire_credits
from tests.cast import Stage
from tests.market import CODE, RETIREMENT, Market, at_once, keyed, ok, refused


@pytest.fixture
def market(stage: Stage) -> Market:
    made = Market(stage)
    for _ in range(20):
        made.deed(49_000)
    made.issued(20_000)
    made.paid(900)
    return made


def test_a_retirement_says_who_what_why_and_where_from(market: Market) -> None:
    batch = ok(market.operator.get("/v1/batches"), 200)["items"][0]
    wish = {"footprint": {"quantity_g": 12_500_000, "boundary": "scopes 1 and 2"}, "note": "二〇二五年度"}
    certificate = market.retired(600, **wish, on_behalf_of={"name": "深圳某子公司", "uscc": CODE})["certificate"]
    assert certificate["number"] == f"TPH-C-{datetime.now(UTC):%Y}-000001"
    assert certificate["company"]["name"] == "深圳绿源"
    assert certificate["beneficiary"] == RETIREMENT["beneficiary"]
    assert certificate["purpose"] == {
        "code": "own_emissions", "zh": "自愿抵销自身排放", "en": "voluntary compensation of own emissions",
    }  # fmt: skip
    assert certificate["period"] == {"from": "2025-01-01", "to": "2025-12-31"}
    assert (certificate["quantity_g"], certificate["serials"]) == (600, ["TPH-310000-cycling-202606-1-1-600"])
    [line] = certificate["lineage"]
    assert (line["batch"], line["vintage"], line["region"]["zh"]) == (batch["id"], "2026-06", "上海市")
    assert (line["methodology"]["code"], line["methodology"]["status"]) == ("cycling", "provisional")
    assert line["people_in_batch"] == batch["people"] >= 20
    assert certificate["footprint"] == wish["footprint"]
    assert certificate["note"] == wish["note"]
    assert certificate["statements"][0]["en"] == "demonstration, no claim may be made"
    assert "CCER" in certificate["statements"][1]["zh"]
    holdings = ok(market.company.get("/v1/holdings"), 200)
    assert (holdings["held_g"], holdings["retired_g"]) == (300, 600)
    assert market.conservation()["ok"]


def test_a_count_of_few_people_is_not_shown(stage: Stage) -> None:
    market = Market(stage, people=19)
    for _ in range(19):
        market.deed(50_000)
    market.issued(50_000)
    market.paid(100)
    assert "people_in_batch" not in market.retired(100)["certificate"]["lineage"][0]


def test_more_than_is_held_cannot_be_retired(stage: Stage, market: Market) -> None:
    problem = refused(market.company.post("/v1/retirements", RETIREMENT | {"quantity_g": 901}), 409, "not_enough_held")
    assert problem["held_g"] == 900
    for wish in ({"batch": 999}, {"demonstration": False}):
        body = RETIREMENT | {"quantity_g": 1} | wish
        refused(market.company.post("/v1/retirements", body), 409, "not_enough_held")
    stranger = stage.client("company", "上海某公司")
    refused(stranger.post("/v1/retirements", RETIREMENT | {"quantity_g": 1}), 409, "not_enough_held")


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"beneficiary": {"name": "x", "uscc": "914403007084611360"}}, "beneficiary.uscc", "uscc_invalid"),
        ({"beneficiary": {"name": "x", "uscc": "9144"}}, "beneficiary.uscc", "uscc_invalid"),
        ({"on_behalf_of": {"name": "x", "uscc": CODE.lower()}}, "on_behalf_of.uscc", "uscc_invalid"),
        ({"beneficiary": {"name": "\x07", "uscc": CODE}}, "beneficiary.name", "field_invalid"),
        ({"period_to": "2024-12-31"}, "period_to", "field_invalid"),
        ({"purpose": "carbon_neutral"}, "purpose", "field_invalid"),
        ({"quantity_g": 0}, "quantity_g", "field_invalid"),
        ({"jurisdiction": "CN\n"}, "jurisdiction", "field_invalid"),
        ({"surprise": 1}, "surprise", "field_invalid"),
    ],
)
def test_what_is_wrong_with_a_retirement_is_said_by_field(
    market: Market, wrong: dict[str, Any], field: str, code: str
) -> None:
    body = RETIREMENT | {"quantity_g": 10} | wrong
    problem = refused(market.company.post("/v1/retirements", body), 422, "request_invalid")
    assert [(e["field"], e["code"]) for e in problem["errors"]] == [(field, code)]
    assert problem["errors"][0]["detail"]


def test_two_retirements_at_once_never_use_one_gram(market: Market) -> None:
    wish = market.company_wish(400)
    now = datetime.now(UTC)
    answers = at_once(
        *[lambda: retire_credits.retire_credits(market.platform, keyed(market.company.id), wish, now)] * 5
    )
    problems = [a.code for a in answers if isinstance(a, Problem)]
    assert problems == ["not_enough_held"] * 3
    serials = [s for a in answers if not isinstance(a, Problem) for s in a["certificate"]["serials"]]
    assert len(serials) == len(set(serials)) == 2
    assert market.conservation()["ok"]


def test_the_same_retirement_asked_for_twice_is_done_once(market: Market) -> None:
    body = RETIREMENT | {"quantity_g": 100}
    first = ok(market.company.post("/v1/retirements", body, Idempotency_Key="r1"), 201)
    assert ok(market.company.post("/v1/retirements", body, Idempotency_Key="r1"), 201) == first
    assert ok(market.company.get("/v1/holdings"), 200)["held_g"] == 800


# --- certificates --------------------------------------------------------------------------------------------------


def test_anybody_can_look_a_certificate_up_and_check_it(market: Market) -> None:
    signed = market.retired(600)
    number = signed["certificate"]["number"]
    assert ok(market.stage.http.get(f"/v1/certificates/{number}"), 200) == signed | {"log": None, "amendments": []}
    kept = ok(market.stage.http.get(f"/v1/certificates/{number}.json"), 200)  # with its place in the log
    assert kept == signed | {"log": kept["log"], "amendments": []}
    assert json.loads(kept["log"]["entry"])["certificate"] == number
    assert ok(market.stage.http.post("/v1/certificates/verify", json=kept), 200)["checks"]["logged"] is True
    checked = ok(market.stage.http.post("/v1/certificates/verify", json=signed), 200)
    assert checked == {
        "valid": True, "number": number, "amendments": [],
        "checks": {"signature": True, "known": True, "serials_retired": True, "logged": True, "amendments": True},
    }  # fmt: skip
    for name in ("TPH-C-2026-999999", "nonsense", "TPH-C-2026-000001%00", "1"):
        refused(market.stage.http.get(f"/v1/certificates/{name}"), 404, "not_found")
        refused(market.stage.http.get(f"/v1/certificates/{name}.pdf"), 404, "not_found")


def test_a_certificate_can_be_checked_without_the_platforms_code(market: Market) -> None:
    signed = market.retired(600)
    keys = ok(market.stage.http.get("/.well-known/jwks.json"), 200)["keys"]
    [key] = [k for k in keys if k["kid"] == signed["signature"]["kid"]]
    public = OKPAlgorithm.from_jwk(json.dumps(key))
    signature = jwt.utils.base64url_decode(signed["signature"]["value"])
    public.verify(signature, rfc8785.dumps(signed["certificate"]))  # type: ignore[union-attr, call-arg]


def test_a_certificate_that_was_changed_is_found_out(market: Market) -> None:
    signed = market.retired(600)
    verify = "/v1/certificates/verify"

    def checks(**changes: Any) -> dict[str, bool]:
        changed = copy.deepcopy(signed)
        changed["certificate"] |= changes
        answer = ok(market.stage.http.post(verify, json=changed), 200)
        assert not answer["valid"]
        return dict(answer["checks"])

    unknown = {"signature": False, "known": False, "serials_retired": False, "logged": False, "amendments": True}
    assert checks(quantity_g=6000) == unknown | {"serials_retired": True}
    assert checks(serials=["TPH-310000-cycling-202606-1-1-900"])["serials_retired"] is False
    assert checks(number="TPH-C-2026-999999") == unknown
    for strange in (1.5, 2**62, [[]] * 3, {"a": "\x00"}, None, "TPH-C-2026-000001\x00"):
        assert checks(number=strange)["known"] is False
        assert checks(serials=strange)["serials_retired"] is False
    for value in ("", "AAAA", "ü", "!" * 86):
        forged = signed | {"signature": signed["signature"] | {"value": value}}
        assert ok(market.stage.http.post(verify, json=forged), 200)["checks"]["signature"] is False
    deep = '{"certificate": {"number": ' + "[" * 5000 + "]" * 5000 + "}}"
    refused(market.stage.http.post(verify, data=deep, content_type="application/json"), 400, "json_invalid")
    unpaired = market.stage.http.post(verify, data='{"\\ud800": 1}', content_type="application/json")
    refused(unpaired, 400, "json_invalid")


def test_a_phone_that_reads_the_code_gets_a_page_that_says_whether_it_is_valid(market: Market) -> None:
    beneficiary = {"name": "<script>alert(1)</script>公司", "uscc": CODE}
    number = market.retired(600, beneficiary=beneficiary)["certificate"]["number"]
    answer = market.stage.http.get(f"/v1/certificates/{number}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.content_type == "text/html; charset=utf-8"
    page = answer.get_data(as_text=True)
    assert "查验通过" in page
    assert "示范，不得用于任何声明" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_demonstration_credits_and_real_ones_never_share_a_certificate(market: Market) -> None:
    wish = market.company_wish(10) | {"demonstration": False}
    with pytest.raises(Problem) as raised:
        retire_credits.retire_credits(market.platform, keyed(market.company.id), wish, datetime.now(UTC))
    assert raised.value.code == "not_enough_held"
