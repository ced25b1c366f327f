"""Partners err and repent: corrections are appended, settle says what stands, the difference is posted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests import cast
from tests.backend.test_settle_deeds import books_equal_a_whole_life
from tests.cast import Client, Stage, recent


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang"], of="city")


def correct(client: Client, ref: str, **body: Any) -> dict[str, Any]:
    """One signed correction; the verdict that holds."""
    answer = post(client, f"/v1/events/{ref}/corrections", {"reason": "typed wrongly", **body})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json


def post(client: Client, path: str, body: Any) -> Any:
    raw = json.dumps(body).encode()
    headers = {"X-JWS-Signature": cast.sign(raw, client.key), "Authorization": f"Bearer {client.token}"}
    return client.http.post(path, data=raw, content_type="application/json", headers=headers)


def data_of(event: dict[str, Any], **change: Any) -> dict[str, Any]:
    return event["data"] | change


def test_a_withdrawn_ride_no_longer_counts_and_its_points_are_borne_by_the_partner(stage: Stage, bikes: Client) -> None:
    [ride] = bikes.verdicts(bikes.event("r1", "lin", recent()))
    now = correct(bikes, "r1", kind="withdraw")
    assert (now["verdict"], now["code"], now["reduction_mg"], now["points"]) == ("refused", "withdrawn", 0, 0)
    assert bikes.get("/v1/events/r1").json["original"] == ride
    lin = bikes.people["lin"]
    assert stage.balance(lin, "reductions_mg") == 0
    assert stage.balance(lin, "points") == ride["points"]  # no fraud of hers
    assert bikes.verdicts(bikes.event("r1", "lin", recent()))[0]["original"] == ride  # a resend changes nothing


def test_a_replaced_distance_is_measured_anew_and_the_difference_posted(stage: Stage, bikes: Client) -> None:
    event = bikes.event("r1", "lin", recent())
    [ride] = bikes.verdicts(event)
    now = correct(bikes, "r1", kind="replace", data=data_of(event, distance_m=4620))
    assert (now["verdict"], now["code"], now["deed"]) == ("credited", "ok", ride["deed"])
    assert now["reduction_mg"] // 2 == ride["reduction_mg"]
    assert now["reduction_mg"] == stage.balance(bikes.people["lin"], "reductions_mg")
    assert stage.balance(bikes.people["lin"], "points") == now["points"]
    assert bikes.get("/v1/events/r1").json["reduction_mg"] == now["reduction_mg"]


def test_the_same_correction_twice_is_one(stage: Stage, bikes: Client) -> None:
    event = bikes.event("r1", "lin", recent())
    bikes.verdicts(event)
    first = correct(bikes, "r1", kind="replace", data=data_of(event, distance_m=3000))
    rows = stage.count("event"), stage.count("transfer")
    assert correct(bikes, "r1", kind="replace", data=data_of(event, distance_m=3000)) == first
    assert (stage.count("event"), stage.count("transfer")) == rows
    taken_back = correct(bikes, "r1", kind="withdraw")
    assert correct(bikes, "r1", kind="withdraw") == taken_back


def test_a_withdrawal_revives_the_duplicate_that_another_partner_sent(stage: Stage, bikes: Client) -> None:
    wallet = stage.partner("wallet", ["lin"], of="city")
    bikes.verdicts(bikes.event("r1", "lin", recent()))
    wallet.verdicts(wallet.event("w1", "lin", recent() + timedelta(seconds=30), distance_m=2000))
    correct(bikes, "r1", kind="withdraw")
    revived = wallet.get("/v1/events/w1").json
    assert (revived["verdict"], revived["original"]["verdict"]) == ("credited", "duplicate_of")
    assert stage.balance(bikes.people["lin"], "reductions_mg") == revived["reduction_mg"]
    assert books_equal_a_whole_life(stage, bikes.people["lin"]) == {"credited": 1}


def test_a_refused_ride_that_is_mended_counts(stage: Stage, bikes: Client) -> None:
    event = bikes.event("r1", "lin", recent(), distance_m=None)
    assert bikes.verdicts(event)[0]["code"] == "distance_unknown"
    assert correct(bikes, "r1", kind="replace", data=data_of(event, distance_m=2310))["verdict"] == "credited"


def test_a_correction_can_take_a_ride_out_of_another_day(stage: Stage, bikes: Client) -> None:
    event = bikes.event("r1", "lin", recent(8))
    bikes.verdicts(event, bikes.event("r2", "lin", recent(12)))
    moved = bikes.event("r1", "lin", recent(9, days_ago=25))
    assert correct(bikes, "r1", kind="replace", data=moved["data"])["verdict"] == "credited"
    assert books_equal_a_whole_life(stage, bikes.people["lin"]) == {"credited": 2}


def test_nobody_corrects_what_somebody_else_sent(stage: Stage, bikes: Client) -> None:
    wallet = stage.partner("wallet", ["lin"], of="city")
    bikes.verdicts(bikes.event("r1", "lin", recent()))
    now = correct(wallet, "r1", kind="withdraw")
    assert (now["verdict"], now["code"]) == ("refused", "event_unknown")
    assert bikes.get("/v1/events/r1").json["verdict"] == "credited"


def test_a_batch_of_corrections_judges_each_alone_and_in_order(stage: Stage, bikes: Client) -> None:
    events = [bikes.event(f"r{i}", "lin", recent(8 + i)) for i in range(3)]
    bikes.verdicts(*events)
    answer = post(bikes, "/v1/corrections", [
        {"id": "r0", "kind": "replace", "reason": "x", "data": data_of(events[0], distance_m=1000)},
        {"id": "r1", "kind": "burn", "reason": "x"},
        {"id": "r0", "kind": "withdraw", "reason": "y"},
        {"id": "nobody", "kind": "withdraw", "reason": "y"},
        {"id": "r2", "kind": "withdraw", "reason": "y"},
    ])  # fmt: skip
    codes = [v["code"] for v in answer.json["verdicts"]]
    assert codes == ["ok", "field_invalid", "withdrawn", "event_unknown", "withdrawn"]
    assert books_equal_a_whole_life(stage, bikes.people["lin"]) == {"credited": 1}


def test_an_unsigned_correction_changes_nothing(bikes: Client) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent()))
    answer = bikes.post("/v1/events/r1/corrections", {"kind": "withdraw", "reason": "x"})
    assert (answer.status_code, answer.json["code"]) == (401, "signature_missing")
    assert bikes.get("/v1/events/r1").json["verdict"] == "credited"


def test_two_accounts_that_are_one_person_are_settled_together(stage: Stage, bikes: Client) -> None:
    """One phone, two logins: what both reported is credited once, whenever it is discovered."""
    wallet = stage.partner("wallet", ["lin-2"])
    operator = stage.client("operator", "staff")
    first, second = bikes.people["lin"], wallet.people["lin-2"]
    bikes.verdicts(bikes.event("r1", "lin", recent(8)), bikes.event("r2", "lin", recent(10)))
    wallet.verdicts(wallet.event("w1", "lin-2", recent(8)), wallet.event("w2", "lin-2", recent(15)))
    before = stage.balance(first, "points") + stage.balance(second, "points")
    answer = operator.post("/v1/operator/merges", {"person_id": first, "merged_id": second, "reason": "one phone"})
    assert answer.status_code == 200, answer.json
    assert answer.json["verdicts_changed"] >= 1
    pair = {bikes.get("/v1/events/r1").json["verdict"], wallet.get("/v1/events/w1").json["verdict"]}
    assert pair == {"credited", "duplicate_of"}
    assert wallet.get("/v1/events/w2").json["verdict"] == "credited"
    assert stage.balance(first, "points") + stage.balance(second, "points") == before  # borne by the platform
    again = operator.post("/v1/operator/merges", {"person_id": first, "merged_id": second, "reason": "one phone"})
    assert again.json["verdicts_changed"] == 0
    [later] = wallet.verdicts(wallet.event("w3", "lin-2", recent(10) + timedelta(seconds=20)))
    assert (later["verdict"], later["code"]) == ("duplicate_of", "same_record")


def test_a_held_event_is_released_or_refused_by_an_operator(stage: Stage, bikes: Client) -> None:
    operator = stage.client("operator", "staff")
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:1"))
    bikes.verdicts(bikes.event("r2", "wang", recent(8), act_ref="valleybike:1"))
    bikes.verdicts(bikes.event("r3", "wang", recent(12), act_ref="valleybike:1"))
    held = operator.get("/v1/operator/cases").json["items"]
    assert [c["event"] for c in held] == ["r2", "r3"]
    for case, decision in zip(held, ("release", "refuse"), strict=True):
        answer = operator.post(f"/v1/operator/cases/{case['case']}/decision", {"decision": decision, "note": "looked"})
        assert answer.status_code == 200, answer.json
    assert bikes.get("/v1/events/r2").json["verdict"] == "credited"
    assert bikes.get("/v1/events/r3").json["code"] == "review_refused"
    assert operator.get("/v1/operator/cases").json["items"] == []
    again = operator.post(f"/v1/operator/cases/{held[0]['case']}/decision", {"decision": "release", "note": "x"})
    assert (again.status_code, again.json["code"]) == (409, "conflict")


def test_an_appeal_can_rule_two_records_apart_or_count_a_refused_one(stage: Stage, bikes: Client) -> None:
    operator = stage.client("operator", "staff")
    bikes.verdicts(
        bikes.event("r1", "lin", recent(8), 10), bikes.event("r2", "lin", recent(8, 0) + timedelta(seconds=50), 10)
    )
    bikes.verdicts(bikes.event("r3", "lin", recent(12), 10, distance_m=5000))
    assert bikes.get("/v1/events/r2").json["code"] == "same_record"
    assert bikes.get("/v1/events/r3").json["code"] == "too_fast"
    for ref in ("r2", "r3"):
        assert bikes.post(f"/v1/events/{ref}/appeals", {"words": "these are two rides"}).status_code == 201
    assert bikes.post("/v1/events/r2/appeals", {"words": "again"}).status_code == 409
    cases = {c["event"]: c["case"] for c in operator.get("/v1/operator/cases").json["items"]}
    for ref, decision in (("r2", "apart"), ("r3", "count")):
        answer = operator.post(f"/v1/operator/cases/{cases[ref]}/decision", {"decision": decision, "note": "seen"})
        assert answer.json["verdict"] == "credited", answer.json
    assert books_equal_a_whole_life(stage, bikes.people["lin"]) == {"credited": 3}
