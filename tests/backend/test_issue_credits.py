"""Attesting and issuing: whole grams with serial numbers, and not a milligram more than was attested."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import psycopg
import pytest

from backend.usecases import issue_credits
from tests.market import ATTESTED, Market, at_once, ok, refused


def test_an_issue_mints_whole_grams_and_sets_the_correction_reserve_aside(market: Market) -> None:
    batch = market.issued(100_999, 20_000, adjustment_mg=900)
    issue = batch["issue"]
    assert (issue["issued_g"], issue["remainder_mg"], issue["reserve_g"]) == (120, 99, 6)
    [offer] = ok(market.company.get("/v1/offers"), 200)["items"]
    assert (offer["available_g"], offer["price_fen_per_tonne"], offer["demonstration"]) == (114, 6000, True)
    assert market.conservation()["ok"]


def test_a_remainder_and_a_debt_are_carried_to_the_next_batch_of_the_series(market: Market) -> None:
    july = date(2026, 7, 1)
    first = market.issued(1_900)
    second = market.issued(-3_000, month=july, pool="310000.cycling.1.0.0.202607")
    third = market.issued(4_200)
    assert [b["issue"]["issued_g"] for b in (first, second, third)] == [1, 0, 2]
    assert [b["issue"]["carried_mg"] for b in (first, second, third)] == [0, 900, -2_100]
    assert [b["issue"]["remainder_mg"] for b in (first, second, third)] == [900, -2_100, 100]
    assert [b["issue"]["carried_from"] for b in (first, second, third)] == [None, first["id"], second["id"]]
    elsewhere = market.issued(1_500, region="440300", pool="440300.cycling.1.0.0.202606")
    assert elsewhere["issue"]["carried_mg"] == 0
    assert market.conservation()["ok"]


def test_nothing_is_issued_before_it_is_attested_and_nothing_twice(market: Market) -> None:
    batch = market.closed(5_000)
    attestation, issue = f"/v1/batches/{batch['id']}/attestation", f"/v1/batches/{batch['id']}/issue"
    price = {"price_fen_per_tonne": 6000}
    refused(market.operator.post(issue, price), 409, "conflict")
    assert ok(market.verifier.post(attestation, ATTESTED | {"decision": "rejected"}), 201)["state"] == "rejected"
    refused(market.operator.post(issue, price), 409, "conflict")
    assert ok(market.verifier.post(attestation, ATTESTED), 201)["state"] == "attested"
    refused(market.verifier.post(attestation, ATTESTED), 409, "conflict")
    assert ok(market.operator.post(issue, price), 201)["state"] == "issued"
    refused(market.operator.post(issue, price), 409, "conflict")
    refused(market.operator.post("/v1/batches/999/issue", price), 404, "not_found")
    refused(market.verifier.post("/v1/batches/999/attestation", ATTESTED), 404, "not_found")
    refused(market.verifier.get("/v1/batches/99999999999999999999"), 404, "not_found")


def test_an_attestation_must_say_how_it_was_reached(market: Market) -> None:
    batch = market.closed(5_000)
    path = f"/v1/batches/{batch['id']}/attestation"
    for name in ("assurance", "materiality_ppm", "sample", "findings", "independence", "decision"):
        statement = {k: v for k, v in ATTESTED.items() if k != name}
        problem = refused(market.verifier.post(path, statement), 422, "request_invalid")
        assert [e["field"] for e in problem["errors"]] == [name]
    for wrong in ({"findings": "\x00"}, {"findings": " "}, {"adjustment_mg": -1}, {"more": 1}):
        refused(market.verifier.post(path, ATTESTED | wrong), 422, "request_invalid")
    headers = {"Authorization": f"Bearer {market.verifier.token}"}
    lonely_surrogate = json.dumps(ATTESTED | {"findings": "\ud800"})
    answer = market.verifier.http.post(path, data=lonely_surrogate, content_type="application/json", headers=headers)
    refused(answer, 400, "json_invalid")


def test_batches_issued_at_the_same_moment_carry_each_remainder_once(market: Market) -> None:
    batches = [market.attested(1_700) for _ in range(6)]
    now = datetime.now(UTC)
    at_once(
        *(
            lambda b=b: issue_credits.issue_credits(market.platform, b["id"], market.operator.id, 6000, now)
            for b in batches
        )
    )
    listed = ok(market.operator.get("/v1/batches"), 200)["items"]
    carried = [b["issue"]["carried_from"] for b in listed]
    assert carried.count(None) == 1
    assert len(set(carried)) == 6
    assert sum(b["issue"]["issued_g"] for b in listed) == 6 * 1_700 // 1000
    assert market.conservation()["ok"]


@pytest.mark.parametrize(
    "attempt",
    [
        "insert into credit_block (batch_id, serials, account, made_at) values (1, '[50,60]', 'held', now())",
        "update credit_block set serials = '[1,2]' where account = 'available'",
        "update credit_block set account = 'held' where account = 'available'",
        "update credit_block set superseded_at = now() where account = 'retired'",
        "delete from credit_block",
        "truncate credit_block",
        "update issue set issued_g = 999",
        "delete from certificate",
        "update certificate set canonical = '{}'",
    ],
)
def test_no_gram_can_be_made_twice_moved_by_hand_or_brought_back(market: Market, attempt: str) -> None:
    market.issued(100_000)
    market.paid(40)
    market.retired(10)
    refusals = (psycopg.errors.RaiseException, psycopg.errors.ExclusionViolation)
    with pytest.raises(refusals), market.platform.db.transaction() as conn:
        conn.execute(attempt)  # type: ignore[call-overload]
