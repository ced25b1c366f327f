"""What is believable by itself and odd all the same waits for a person's eye; it is not refused."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tests.backend.test_settle_deeds import books_equal_a_whole_life
from tests.cast import Client, Stage, recent

BUND = {"lat": 31.2400, "lon": 121.4900}
FIVE_KM_NORTH = {"lat": 31.2850, "lon": 121.4900}


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang"], of="city")


def odd(bikes: Client, ref: str, **more: Any) -> dict[str, Any]:
    """A ride of 900 m between two points 5 km apart."""
    where = {"origin": BUND, "destination": FIVE_KM_NORTH, "datum": "WGS-84", "distance_m": 900}
    return bikes.event(ref, "lin", recent(), **where | more)


def open_cases(operator: Client) -> list[dict[str, Any]]:
    return operator.get("/v1/operator/cases?limit=200").json["items"]


def decide(operator: Client, case: int, decision: str) -> dict[str, Any]:
    answer = operator.post(f"/v1/operator/cases/{case}/decision", {"decision": decision, "note": "looked into"})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json


def test_a_ride_shorter_than_the_straight_line_waits_and_counts_when_released(stage: Stage, bikes: Client) -> None:
    operator = stage.client("operator", "staff")
    [held] = bikes.verdicts(odd(bikes, "r1", act_ref="valleybike:1"))
    assert (held["verdict"], held["code"], held["deed"], held["points"]) == ("in_review", "suspicious", None, 0)
    assert held["rule"]["parameters"]["suspicion_review_points"] == 100
    [case] = open_cases(operator)
    assert (case["event"], case["code"]) == ("r1", "suspicious")
    assert stage.count("deed") == 0
    assert decide(operator, case["case"], "release")["verdict"] == "credited"
    now = bikes.get("/v1/events/r1").json
    assert (now["verdict"], now["original"]["code"]) == ("credited", "suspicious")
    assert stage.balance(bikes.people["lin"], "reductions_mg") == now["reduction_mg"] > 0
    assert open_cases(operator) == []
    books_equal_a_whole_life(stage, bikes.people["lin"])


def test_a_suspicious_ride_that_is_not_believed_earns_nothing(stage: Stage, bikes: Client) -> None:
    operator = stage.client("operator", "staff")
    bikes.verdicts(odd(bikes, "r1"))
    assert decide(operator, open_cases(operator)[0]["case"], "refuse")["code"] == "review_refused"
    assert stage.count("deed") == 0


def test_what_is_refused_anyway_does_not_wait_and_a_detour_alone_does_not_either(stage: Stage, bikes: Client) -> None:
    fast, detour = bikes.verdicts(
        odd(bikes, "fast", ended_at=recent(8, 1).isoformat()),
        odd(bikes, "round", distance_m=26_000, ended_at=recent(10).isoformat()),
    )
    assert (fast["code"], detour["verdict"]) == ("too_fast", "credited")


def test_a_released_ride_whose_number_is_another_persons_by_now_waits_again(stage: Stage, bikes: Client) -> None:
    operator = stage.client("operator", "staff")
    bikes.verdicts(odd(bikes, "r1", act_ref="valleybike:1"))
    bikes.verdicts(bikes.event("r2", "wang", recent(), act_ref="valleybike:1"))
    assert decide(operator, open_cases(operator)[0]["case"], "release")["code"] == "act_ref_conflict"
    assert [case["code"] for case in open_cases(operator)] == ["act_ref_conflict"]


def test_more_records_than_anybody_makes_in_a_day_wait(stage: Stage, bikes: Client) -> None:
    operator = stage.client("operator", "staff")
    most = stage.platform.standard.parameter("records_a_day_max", recent().date())
    wallet = stage.partner("wallet", ["lin"], of="city")
    short = {"minutes": 5, "distance_m": 900}
    rides = [bikes.event(f"r{i}", "lin", recent(0) + timedelta(minutes=10 * i), **short) for i in range(most + 2)]
    told = bikes.verdicts(*reversed(rides))
    assert Counter(v["verdict"] for v in told) == {"credited": most, "in_review": 2}
    assert [v["id"] for v in told if v["code"] == "suspicious"] == [f"r{most + 1}", f"r{most}"]  # the day's last
    [one_more] = wallet.verdicts(wallet.event("w1", "lin", recent(23, 50), **short))
    assert one_more["code"] == "suspicious"
    elsewhere = bikes.verdicts(
        bikes.event("next-day", "lin", recent(8, days_ago=19)), bikes.event("other", "wang", recent(8))
    )
    assert [v["verdict"] for v in elsewhere] == ["credited", "credited"]
    cases = {case["event"]: case["case"] for case in open_cases(operator)}
    assert set(cases) == {f"r{most}", f"r{most + 1}", "w1"}
    assert decide(operator, cases[f"r{most}"], "release")["verdict"] == "credited"
    assert [v["code"] for v in bikes.verdicts(odd(bikes, "late"))] == ["suspicious"]
    books_equal_a_whole_life(stage, bikes.people["lin"])
