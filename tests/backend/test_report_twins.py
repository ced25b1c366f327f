"""Accounts with records equal to the second are flagged with the evidence and the chance of it; never merged."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from tests.cast import Client, Stage, recent

CROWD = [f"p{i}" for i in range(60)]


@pytest.fixture
def bikes(stage: Stage) -> Client:
    """A day of sixty people who ride at any second, any distance."""
    partner = stage.partner("valleybike", CROWD, of="city")
    rng = random.Random(7)
    partner.verdicts(
        *(
            partner.event(
                f"r{i}", who, recent(6) + timedelta(seconds=rng.randrange(50_000)), rng.randrange(600, 1800) / 60,
                distance_m=rng.randrange(800, 3000),
            )
            for i, who in enumerate(CROWD)
        )
    )  # fmt: skip
    return partner


def twins(reader: Client, **query: Any) -> list[dict[str, Any]]:
    answer = reader.get("/v1/reports/twins?" + "&".join(f"{k}={v}" for k, v in query.items()))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json["items"]


def test_one_ride_to_the_second_under_two_accounts_is_flagged_and_people_by_chance_are_not(
    stage: Stage, bikes: Client
) -> None:
    regulator = stage.client("regulator", "city hall")
    assert twins(regulator) == []
    at = recent(12, 7) + timedelta(seconds=11)
    bikes.verdicts(
        bikes.event("a", "p1", at, 17, distance_m=1717),
        bikes.event("b", "p2", at, 17, distance_m=1717),
        bikes.event("c", "p3", at + timedelta(seconds=1), 17, distance_m=1717),  # not to the second
        bikes.event("d", "p4", at + timedelta(seconds=2), 17, distance_m=1718),
    )
    [pair] = twins(regulator)
    assert (pair["identical"], [p["records"] for p in pair["people"]]) == (1, [2, 2])
    assert 0 < pair["chance_ppb"] < 100_000
    assert [e["facts"] for e in pair["evidence"]] == [{"distance_m": 1717}]
    assert stage.count("person_alias") == 0
    assert bikes.get("/v1/events/b").json["verdict"] == "credited"


def test_only_an_operator_is_told_who_they_are_and_handles_differ_by_reader(stage: Stage, bikes: Client) -> None:
    readers = [stage.client("regulator", "city"), stage.client("regulator", "province")]
    operator = stage.client("operator", "staff")
    at = recent(13)
    bikes.verdicts(bikes.event("a", "p1", at), bikes.event("b", "p2", at))
    people = {bikes.people["p1"], bikes.people["p2"]}
    [pair] = twins(operator)
    assert {p["person_id"] for p in pair["people"]} == people
    first, second = ({p["handle"] for p in twins(reader)[0]["people"]} for reader in readers)
    assert not first & second
    assert all(p["person_id"] is None for p in twins(readers[0])[0]["people"])
    one, other = sorted(people)
    answer = operator.post("/v1/operator/merges", {"person_id": one, "merged_id": other, "reason": "one phone"})
    assert answer.status_code == 200
    assert twins(operator) == []


def test_records_of_rounded_times_are_too_common_to_be_evidence(stage: Stage) -> None:
    shop = stage.partner("qingsu", CROWD, of="city")
    regulator = stage.client("regulator", "city hall")
    for day in (10, 11):
        shop.verdicts(
            *(
                shop.event(f"{day}-{who}", who, recent(0, days_ago=day), type="plastic_substitution.v1", minutes=0,
                           distance_m=None, item="express_loopbox", count=1)
                for who in CROWD
            )
        )  # fmt: skip
    assert twins(regulator) == []


def test_pages_of_twins_go_on(stage: Stage, bikes: Client) -> None:
    regulator = stage.client("regulator", "city hall")
    for i in range(3):
        at = recent(9 + i, 31)
        bikes.verdicts(*(bikes.event(f"{i}{who}", who, at, 11 + i) for who in (f"p{2 * i}", f"p{2 * i + 1}")))
    everything = twins(regulator)
    assert len(everything) == 3
    page = regulator.get("/v1/reports/twins?limit=2").json
    rest = regulator.get(f"/v1/reports/twins?limit=2&cursor={page['next_cursor']}").json
    assert [*page["items"], *rest["items"]] == everything
    assert rest["next_cursor"] is None
