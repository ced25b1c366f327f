"""Recalls: what deeds of a batch lose after its close, as operators, buyers and anybody else see it."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from backend.errors import Problem
from backend.usecases import amend_batch, buy_credits, recall_credits, release_credits, render_certificate
from tests import cast
from tests.backend.test_correct_events import correct
from tests.market import Market, at_once, keyed, ok, refused

EARLIER = "310000.cycling.1.0.0.202605"
MAY = date(2026, 5, 1)


def places(batch: dict[str, Any]) -> dict[str, int]:
    names = ("available", "reserve", "reserved", "held", "retired", "cancelled")
    return {name: batch[f"{name}_g"] for name in names if batch[f"{name}_g"]}


def attest_and_issue(market: Market, batch_id: int) -> dict[str, Any]:
    return ok(market.operator.post(f"/v1/batches/{batch_id}/issue", {"price_fen_per_tonne": 6000}), 201)


def sold_batch(market: Market) -> tuple[int, int]:
    """(batch, one of its two deeds): 100 g, of which 20 unsold, 15 held, 55 retired, 5 ordered, 5 reserve."""
    lost = market.deed(60_000)
    batch = market.issued(40_500)
    market.paid(70, methodology="cycling")
    market.retired(55, batch=batch["id"])
    market.ordered(5, methodology="cycling")
    return batch["id"], lost


# --- before the issue ----------------------------------------------------------------------------------------------


def test_before_the_issue_a_recall_lowers_what_is_minted_and_leaves_the_attestation(market: Market) -> None:
    lost = market.deed(60_000)
    batch = market.attested(40_500)
    assert market.lowered((lost, 57_800))[0].cancelled_g == 0
    shown = ok(market.operator.get(f"/v1/batches/{batch['id']}"), 200)
    assert (shown["reduction_mg"], shown["recalled_mg"], shown["owed_g"]) == (100_500, 2_200, 0)
    assert shown["attestation"] == batch["attestation"]
    issue = attest_and_issue(market, batch["id"])["issue"]
    assert (issue["issued_g"], issue["remainder_mg"], issue["recalled_mg"]) == (98, 300, 2_200)
    assert places(market.figures(batch["id"])) == {"available": 93, "reserve": 5}


def test_what_was_recalled_before_the_issue_is_not_cancelled_again_after_it(market: Market) -> None:
    lost, other = market.deed(60_000), market.deed(30_000)
    batch = market.attested(10_000)
    market.lowered((lost, 58_500))
    attest_and_issue(market, batch["id"])
    [done] = market.lowered((other, 29_000))
    assert (done.recalled_mg, done.cancelled_g) == (1_000, 1)
    assert places(market.figures(batch["id"])) == {"available": 92, "reserve": 5, "cancelled": 1}


def test_a_batch_that_loses_everything_issues_nothing(market: Market) -> None:
    deeds = [market.deed(900), market.deed(5_000)]
    batch = market.attested()
    market.lowered((deeds[0], 0), (deeds[1], 0))
    assert attest_and_issue(market, batch["id"])["issue"]["issued_g"] == 0
    assert market.figures(batch["id"])["recalled_mg"] == 5_900


# --- after it ------------------------------------------------------------------------------------------------------


def test_after_the_issue_unsold_grams_are_cancelled_rounded_up_once_over_all_recalls(market: Market) -> None:
    lost = market.deed(60_000)
    batch = market.issued(40_000)["id"]
    amounts = [59_999, 59_500, 59_000, 58_999, 40_000]
    cancelled = [market.lowered((lost, mg))[0].cancelled_g for mg in amounts]
    assert cancelled == [1, 0, 0, 1, 18]
    assert places(market.figures(batch)) == {"available": 75, "reserve": 5, "cancelled": 20}
    assert market.figures(batch)["replaced_g"] == 20
    [offer] = ok(market.company.get("/v1/offers"), 200)["items"]
    assert offer["available_g"] == 75


def test_ordered_held_and_retired_serials_never_change(market: Market) -> None:
    batch, lost = sold_batch(market)
    holdings = ok(market.company.get("/v1/holdings"), 200)
    [done] = market.lowered((lost, 36_000))
    assert (done.cancelled_g, done.owed_g) == (24, 0)
    assert places(market.figures(batch)) == {
        "reserve": 1, "reserved": 5, "held": 15, "retired": 55, "cancelled": 24,
    }  # fmt: skip
    assert ok(market.company.get("/v1/holdings"), 200) == holdings
    assert ok(market.company.get("/v1/offers"), 200)["items"] == []


def test_what_a_deed_gains_makes_up_for_its_own_loss_and_adds_nothing(market: Market) -> None:
    lost, negative = market.deed(60_000), market.deed(-2_000)
    batch = market.issued(42_000)["id"]
    market.lowered((negative, 0))  # a negative deed is withdrawn: the batch has no more to sell for it
    assert places(market.figures(batch)) == {"available": 95, "reserve": 5}
    market.lowered((lost, 57_000))
    market.lowered((lost, 61_000))
    assert places(market.figures(batch)) == {"available": 92, "reserve": 5, "cancelled": 3}
    assert market.lowered((lost, 56_500))[0].cancelled_g == 1  # three of its four grams were cancelled before
    assert market.figures(batch)["recalled_mg"] == 3_500


def older_reserve(market: Market, **more: Any) -> int:
    """An older batch of the methodology with 10 g of correction reserve, all else sold."""
    return int(market.issued(200_000, pool=EARLIER, month=MAY, **more)["id"])


def test_an_older_batchs_reserve_replaces_what_the_own_one_cannot(market: Market) -> None:
    older = older_reserve(market)
    market.paid(190)
    batch, lost = sold_batch(market)
    [done] = market.lowered((lost, 28_000))
    assert (done.cancelled_g, done.owed_g) == (32, 0)
    assert places(market.figures(batch)) == {"reserved": 5, "held": 15, "retired": 55, "cancelled": 25}
    figures = market.figures(older)
    assert places(figures) == {"held": 190, "reserve": 3, "cancelled": 7}
    assert (figures["replaced_g"], figures["owed_g"], market.figures(batch)["replaced_g"]) == (0, 0, 32)
    with market.platform.db.transaction() as conn:
        moves = conn.execute(
            "select debit, debit_id, reason, ref_id, amount from transfer where credit = 'cancelled'"
            " order by transfer_id"
        ).fetchall()
    assert moves == [
        ("available", batch, "recall", batch, 20), ("reserve", batch, "recall", batch, 5),
        ("reserve", older, "replacement", batch, 7),
    ]  # fmt: skip


def test_two_batches_of_one_recall_never_take_the_same_grams(market: Market) -> None:
    older = older_reserve(market)
    market.paid(190)
    lost = [market.deed(50_000) for _ in range(2)]
    first = market.issued()["id"]
    other = market.deed(50_000, region="440300")
    second = market.issued(pool="440300.cycling.1.0.0.202606")["id"]
    market.paid(95, region="310000")
    market.paid(47, region="440300")
    done = market.lowered((other, 40_000), (lost[0], 40_000))
    assert [(d.batch_id, d.cancelled_g, d.owed_g) for d in done] == [(first, 10, 0), (second, 8, 2)]
    assert places(market.figures(older)) == {"held": 190, "cancelled": 10}


@pytest.mark.parametrize("cause", ["shared", "frozen", "owing", "other methodology", "younger"])
def test_a_reserve_that_may_be_needed_for_the_same_defect_is_left_alone(market: Market, cause: str) -> None:
    if cause == "other methodology":
        other = market.issued(200_000, pool="310000.plastic_substitution.1.0.0.202606", pack="plastic_substitution")[
            "id"
        ]
    elif cause != "younger":
        spoiled = market.deed(1_000, month=MAY)
        other = older_reserve(market)
        market.paid(190)
    batch, lost = sold_batch(market)
    if cause == "younger":
        other = market.issued(200_000)["id"]
    with market.platform.db.transaction() as conn:
        if cause == "frozen":
            conn.execute("insert into batch_freeze (batch_id, reason, frozen_at) values (%s, 'x', now())", (other,))
        if cause == "owing":
            conn.execute("insert into batch_recall values (%s, 0, 1)", (other,))
    changes = [(lost, 28_000), *([(spoiled, 999)] if cause == "shared" else [])]
    owed = {d.batch_id: d.owed_g for d in market.lowered(*changes)}
    assert owed[batch] == 7


def test_what_no_gram_could_be_found_for_is_owed_in_public_and_stops_the_series(market: Market) -> None:
    batch, lost = sold_batch(market)
    market.issued(50_000, pool=EARLIER, month=MAY)
    market.issued(50_000, pool="440300.cycling.1.0.0.202606", region="440300")
    assert market.lowered((lost, 28_000))[0].owed_g == 7
    assert market.figures(batch)["owed_g"] == 7
    assert ok(market.company.get(f"/v1/batches/{batch}"), 200)["owed_g"] == 7
    assert [o["region"]["code"] for o in ok(market.company.get("/v1/offers"), 200)["items"]] == ["440300"]
    refused(market.company.post("/v1/quotes", {"quantity_g": 1, "region": "310000"}), 409, "sold_out")
    market.retired(15)  # what is held stays the company's to use


def test_an_operator_covers_what_is_owed_and_the_series_is_offered_again(market: Market) -> None:
    batch, lost = sold_batch(market)
    other = market.issued(50_000, pool=EARLIER, month=MAY)["id"]
    market.lowered((lost, 28_000))
    path, body = f"/v1/operator/batches/{batch}/cover", {"from_batch": other, "quantity_g": 3}
    assert ok(market.operator.post(path, body, Idempotency_Key="c1"), 200)["owed_g"] == 4
    assert ok(market.operator.post(path, body, Idempotency_Key="c1"), 200)["owed_g"] == 4  # once
    assert market.figures(batch)["owed_g"] == 4
    assert ok(market.operator.post(path, {"from_batch": other}), 200)["owed_g"] == 0
    assert places(market.figures(other)) == {"available": 40, "reserve": 3, "cancelled": 7}
    assert [o["batch"] for o in ok(market.company.get("/v1/offers"), 200)["items"]] == [other]
    refused(market.operator.post(path, {"from_batch": other}), 409, "conflict")


def test_only_what_is_fit_covers(market: Market) -> None:
    batch, lost = sold_batch(market)
    plastic = market.issued(50_000, pool="310000.plastic_substitution.1.0.0.202606", pack="plastic_substitution")["id"]
    small = market.issued(2_000, pool="440300.cycling.1.0.0.202606", region="440300")["id"]
    market.lowered((lost, 28_000))
    path = f"/v1/operator/batches/{batch}/cover"
    refused(market.operator.post(path, {"from_batch": plastic}), 409, "conflict")
    assert refused(market.operator.post(path, {"from_batch": small}), 409, "sold_out")["available_g"] == 1
    refused(market.operator.post(path, {"from_batch": batch}), 409, "sold_out")
    refused(market.operator.post(path, {"from_batch": small, "quantity_g": 8}), 422, "request_invalid")
    refused(market.operator.post(path, {"from_batch": 99}), 404, "not_found")
    refused(market.operator.post("/v1/operator/batches/99/cover", {"from_batch": small}), 404, "not_found")
    refused(market.company.post(path, {"from_batch": small}), 403, "forbidden")
    assert market.figures(batch)["owed_g"] == 7


def test_grams_that_come_back_from_an_order_are_taken_for_what_is_owed(market: Market) -> None:
    batch, lost = sold_batch(market)
    [other] = [o["id"] for o in ok(market.company.get("/v1/orders?state=reserved"), 200)["items"]]
    market.lowered((lost, 32_000))
    assert market.figures(batch)["owed_g"] == 3
    ok(market.company.call("DELETE", f"/v1/orders/{other}"), 200)
    assert places(market.figures(batch)) == {"available": 2, "held": 15, "retired": 55, "cancelled": 28}
    assert market.figures(batch)["owed_g"] == 0


def test_so_are_those_of_an_order_that_expires(market: Market) -> None:
    batch, lost = sold_batch(market)
    market.lowered((lost, 28_000))
    release_credits.expire_orders(market.platform, datetime.now(UTC) + timedelta(hours=1))
    assert market.figures(batch)["owed_g"] == 2


def test_recalls_and_buyers_at_the_same_moment_take_no_gram_twice(market: Market) -> None:
    lost = [market.deed(30_000, region=region) for region in ("310000", "440300") for _ in range(3)]
    for region in ("310000", "440300"):
        market.issued(pool=f"{region}.cycling.1.0.0.202606")
    now, company = datetime.now(UTC), market.company.id
    quotes = [ok(market.company.post("/v1/quotes", {"quantity_g": 40}), 201)["id"] for _ in range(4)]
    pairs = [(lost[0], lost[3]), (lost[4], lost[1]), (lost[2], lost[5])]
    answers = at_once(
        *(lambda pair=pair: market.lowered(*((deed_id, 5_000) for deed_id in pair)) for pair in pairs),
        *(lambda q=q: buy_credits.buy_credits(market.platform, keyed(company), q, now) for q in quotes),
    )
    assert {a.code for a in answers if isinstance(a, Problem)} <= {"sold_out"}
    found = market.conservation()
    assert found["ok"], [i for i in found["identities"] if not i["ok"]]
    assert sum(b["replaced_g"] + b["owed_g"] for b in found["batches"]) == 150
    assert all(b["available_g"] == 0 for b in found["batches"] if b["owed_g"])


# --- as a buyer sees it --------------------------------------------------------------------------------------------


def test_a_certificate_stays_as_it_was_signed_and_amendments_stand_beside_it(market: Market) -> None:
    lost = market.deed(60_000)
    batch = market.issued(40_500)["id"]
    market.paid(70)
    signed = market.retired(55)
    number, http = signed["certificate"]["number"], market.stage.http
    render_certificate.render_certificate(market.platform, number, datetime.now(UTC))
    pdf = http.get(f"/v1/certificates/{number}.pdf").data
    assert ok(http.get(f"/v1/certificates/{number}"), 200) == signed | {"log": None, "amendments": []}

    market.lowered((lost, 50_000))
    shown = ok(http.get(f"/v1/certificates/{number}.json"), 200)
    assert {name: shown[name] for name in signed} == signed
    [amended] = shown["amendments"]
    amendment = amended["amendment"]
    assert (amendment["batch"], amendment["recalled_mg"], amendment["recalled_in_all_g"]) == (batch, 10_000, 10)
    assert (amendment["owed_g"], amendment["covered"]) == (0, True)
    assert amendment["replaced_by"] == [
        {"batch": batch, "reason": "recall", "from": "available", "quantity_g": 10,
         "serials": [f"TPH-310000-cycling-202606-{batch}-71-80"]},
    ]  # fmt: skip

    market.lowered((lost, 20_000))  # later on the same day: one amendment, a new version of it
    [later] = ok(http.get(f"/v1/certificates/{number}"), 200)["amendments"]
    assert later["amendment"]["number"] == amendment["number"][:-1] + "2"
    assert (later["amendment"]["recalled_mg"], later["amendment"]["owed_g"]) == (40_000, 10)
    assert "10 g" in later["amendment"]["statement"]["en"]
    assert http.get(f"/v1/certificates/{number}.pdf").data == pdf

    checked = ok(http.post("/v1/certificates/verify", json=shown), 200)
    assert checked["valid"]  # also with the amendment that was superseded
    assert checked["amendments"] == [later["amendment"]["number"]]
    assert ok(http.post("/v1/certificates/verify", json=signed), 200)["valid"]
    for change in ({"owed_g": 0}, {"kind": "tanpuhui.certificate.v1"}):
        forged = copy.deepcopy(shown) | {"amendments": [{**later, "amendment": later["amendment"] | change}]}
        checked = ok(http.post("/v1/certificates/verify", json=forged), 200)
        assert (checked["valid"], checked["checks"]["amendments"]) == (False, False)

    page = http.get(f"/v1/certificates/{number}", headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "查验通过" in page
    assert later["amendment"]["statement"]["zh"] in page


def test_each_day_has_its_own_amendment(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = market.deed(60_000)
    batch = market.issued(40_500)["id"]
    market.paid(70)
    number = market.retired(55)["certificate"]["number"]
    market.lowered((lost, 59_000))
    real, tomorrow = amend_batch.amend_batch, datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(
        amend_batch, "amend_batch", lambda conn, platform, state, now: real(conn, platform, state, tomorrow)
    )
    market.lowered((lost, 57_000))
    told = [a["amendment"] for a in ok(market.stage.http.get(f"/v1/certificates/{number}"), 200)["amendments"]]
    assert [(a["version"], a["recalled_mg"], a["recalled_in_all_mg"]) for a in told] == [
        (1, 1_000, 1_000),
        (1, 2_000, 3_000),
    ]
    assert told[0]["made_on"] < told[1]["made_on"]
    assert ok(market.operator.get(f"/v1/batches/{batch}"), 200)["recalled_mg"] == 3_000


def test_every_company_with_grams_of_the_batch_is_told_and_no_other(market: Market) -> None:
    batch, lost = sold_batch(market)
    other, stranger = (market.stage.client("company", name) for name in ("上海某公司", "广州某公司"))
    market.paid(2, other)
    market.lowered((lost, 59_000))
    market.lowered((lost, 58_000))
    page = ok(market.company.get("/v1/notices"), 200)
    [notice] = page["items"]
    assert (notice["kind"], page["next_cursor"]) == ("recall", None)
    told = {n: notice["body"][n] for n in ("batch", "recalled_in_all_g", "ordered_g", "held_g", "retired_g", "owed_g")}
    assert told == {"batch": batch, "recalled_in_all_g": 2, "ordered_g": 5, "held_g": 15, "retired_g": 55, "owed_g": 0}
    assert len(notice["body"]["certificates"]) == 1
    assert notice["body"]["zh"]
    assert len(ok(other.get("/v1/notices"), 200)["items"]) == 1
    assert ok(stranger.get("/v1/notices"), 200)["items"] == []
    refused(market.operator.get("/v1/notices"), 403, "forbidden")
    refused(market.company.get("/v1/notices?cursor=WyJ4IiwgMV0"), 400, "cursor_invalid")


def test_notices_come_in_pages_newest_first(market: Market) -> None:
    lost = market.deed(60_000)
    batches = [market.issued(40_500)["id"]]
    market.deed(1_000, region="440300")
    more = market.deed(60_000, region="440300")
    batches.append(market.issued(pool="440300.cycling.1.0.0.202606")["id"])
    market.paid(10, region="310000")
    market.paid(10, region="440300")
    market.lowered((lost, 59_000))
    market.lowered((more, 59_000))
    first = ok(market.company.get("/v1/notices?limit=1"), 200)
    second = ok(market.company.get(f"/v1/notices?limit=1&cursor={first['next_cursor']}"), 200)
    assert [n["body"]["batch"] for n in first["items"] + second["items"]] == batches[::-1]
    assert second["next_cursor"] is None


def test_a_partner_withdraws_rides_after_they_were_retired_and_everybody_is_told(market: Market) -> None:
    """From the ride to the certificate and back, over HTTP."""
    partner, at = market.partner, cast.recent(8, days_ago=45)
    rides = [partner.event(f"r{i}", f"p{i}", at) for i in range(10)]
    told = partner.verdicts(*rides)
    assert {v["verdict"] for v in told} == {"credited"}
    batch = market.issued(pool=f"310000.cycling.1.0.0.{at:%Y%m}")
    on_sale_g = batch["issue"]["issued_g"] - batch["issue"]["reserve_g"]
    market.paid(on_sale_g)
    signed = market.retired(on_sale_g)
    number = signed["certificate"]["number"]
    for ref in ("r1", "r2"):
        assert correct(partner, ref, kind="withdraw")["code"] == "withdrawn"
    lost_mg = told[1]["reduction_mg"] + told[2]["reduction_mg"]

    shown = ok(market.stage.http.get(f"/v1/certificates/{number}"), 200)
    assert {name: shown[name] for name in signed} == signed
    assert ok(market.stage.http.post("/v1/certificates/verify", json=shown), 200)["valid"]
    amendment = shown["amendments"][-1]["amendment"]
    assert (amendment["version"], amendment["recalled_mg"]) == (2, lost_mg)
    replaced_g = sum(r["quantity_g"] for r in amendment["replaced_by"])
    assert replaced_g == batch["issue"]["reserve_g"]
    assert replaced_g + amendment["owed_g"] == -(-lost_mg // 1000)
    assert market.figures(batch["id"])["owed_g"] == amendment["owed_g"] > 0

    [notice] = ok(market.company.get("/v1/notices"), 200)["items"]
    assert notice["body"]["certificates"] == [number]
    costs = ok(partner.get("/v1/notices"), 200)["items"]
    assert [c["kind"] for c in costs] == ["correction_cost"] * 2
    assert sum(c["body"]["recalled_mg"] for c in costs) == lost_mg
    assert sum(c["body"]["points"] for c in costs) == told[1]["points"] + told[2]["points"]
    with market.platform.db.transaction() as conn:
        causes = conn.execute("select distinct cause from recall").fetchall()
    assert causes == [(f"withdraw by {partner.id}: typed wrongly",)]


# --- books that do not add up --------------------------------------------------------------------------------------


def test_a_batch_whose_books_do_not_add_up_is_frozen_until_an_operator_lifts_it(market: Market) -> None:
    batch = market.issued(100_500)["id"]
    market.paid(50)
    with market.platform.db.transaction() as conn:
        conn.execute("alter table issue disable trigger all")
        conn.execute("update issue set remainder_mg = remainder_mg - 1")
    [figures] = market.conservation()["batches"]
    assert (figures["ok"], figures["frozen"]) == (False, True)
    shown = ok(market.company.get(f"/v1/batches/{batch}"), 200)
    assert shown["frozen"]["reason"] == "grams_minted: 100499 ≠ 100500"
    assert ok(market.company.get("/v1/offers"), 200)["items"] == []
    refused(market.company.post("/v1/quotes", {"quantity_g": 1}), 409, "sold_out")
    wish = market.company_wish(10) | {"period_from": "2025-01-01", "period_to": "2025-12-31"}
    problem = refused(market.company.post("/v1/retirements", wish), 409, "not_enough_held")
    assert (problem["held_g"], problem["frozen_g"]) == (50, 50)

    lift = f"/v1/operator/batches/{batch}/lift"
    refused(market.company.post(lift, {"note": "x"}), 403, "forbidden")
    assert ok(market.operator.post(lift, {"note": "a known rounding of the test"}), 200)["frozen"] is None
    refused(market.operator.post(lift, {"note": "again"}), 409, "conflict")
    assert market.conservation()["batches"][0]["frozen"] is False  # not again for the same figures
    market.retired(10)
    with market.platform.db.transaction() as conn:
        conn.execute("update issue set remainder_mg = remainder_mg - 1")
    assert market.conservation()["batches"][0]["frozen"] is True


def test_a_frozen_batch_is_not_issued(market: Market) -> None:
    batch = market.attested(100_500)["id"]
    with market.platform.db.transaction() as conn:
        conn.execute("insert into batch_freeze (batch_id, reason, frozen_at) values (%s, 'x', now())", (batch,))
    refused(market.operator.post(f"/v1/batches/{batch}/issue", {"price_fen_per_tonne": 1}), 409, "conflict")


def test_a_recall_of_a_deed_that_is_not_in_the_batch_is_refused(market: Market) -> None:
    batch, _ = sold_batch(market)
    outside, now = market.deed(1_000), datetime.now(UTC)
    with pytest.raises(ValueError, match="no member"):
        market.platform.db.retrying(lambda conn: recall_credits.recall(conn, market.platform, batch, outside, 5, now))
    assert market.figures(batch)["recalled_mg"] == 0
