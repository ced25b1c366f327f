"""A citizen gets the calculation of a deed and anybody replays it; a dry run gives the same without an account."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend import cli
from backend.usecases import quantify_deeds
from tests import cast, phones
from tests.cast import Client, Stage, recent
from tests.phones import Citizen, log_in


@pytest.fixture
def stage(database_url: str, redis_url: str, provider: str) -> Iterator[Stage]:
    with cast.stage(database_url, redis_url, **phones.identity_environment(provider)) as made:
        yield made


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang"], of="city")


def fetch(stage: Stage, folder: Path, path: str, name: str) -> Path:
    answer = stage.http.get(path)
    assert answer.status_code == 200
    (folder / name).write_bytes(answer.get_data())
    return folder / name


def receipt_of(citizen: Citizen, deed: str) -> dict[str, Any]:
    return citizen.ok(f"/v1/me/deeds/{deed}/receipt")


def test_a_receipt_is_replayed_where_nothing_of_the_platform_is(
    stage: Stage, bikes: Client, lin: Citizen, tmp_path: Path
) -> None:
    [verdict] = bikes.verdicts(bikes.event("r1", "lin", recent(8)))
    [deed] = [row["deed"] for row in lin.ok("/v1/me/deeds")["items"]]
    receipt = receipt_of(lin, deed)
    assert (receipt["reduction_mg"], receipt["points"]) == (verdict["reduction_mg"], verdict["points"])
    assert receipt["records"][0]["national_mg"] == verdict["reduction_mg"]  # Shanghai has no number of its own here
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    fetch(stage, tmp_path, f"/v1/standard/packs/{receipt['records'][0]['pack']['sha256']}", "pack.json")
    fetch(stage, tmp_path, "/v1/standard/replay.py", "replay.py")
    command = [sys.executable, "-I", "-S", "replay.py", "receipt.json", "pack.json"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{verdict['reduction_mg']} mg" in done.stdout
    keys = fetch(stage, tmp_path, "/v1/log/keys", "keys.json")
    verify = ["verify", "receipt", str(tmp_path / "receipt.json"), "--key", str(keys)]
    told = CliRunner().invoke(cli.main, verify)
    assert (told.exit_code, f"{verdict['reduction_mg']} mg" in told.output) == (0, True)
    receipt["records"][0]["facts"]["distance_m"] += 1
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    told = CliRunner().invoke(cli.main, verify)
    assert told.exit_code == 1
    assert "REFUSED" in told.output


def test_a_ride_taken_up_again_has_both_its_records_on_the_receipt(bikes: Client, lin: Citizen) -> None:
    first = bikes.event("r1", "lin", recent(8), minutes=20, asset_ref="bike:7")
    second = bikes.event("r2", "lin", recent(8, 21), minutes=10, asset_ref="bike:7")
    bikes.verdicts(first, second)
    deed = lin.ok("/v1/me/deeds")["items"][0]["deed"]
    receipt = receipt_of(lin, deed)
    assert [record["credited"]["code"] for record in receipt["records"]] == ["ok", "continues"]
    assert receipt["reduction_mg"] == 2 * receipt["records"][0]["calculation"]["measured_mg"]


def test_weaker_evidence_shows_its_share_on_the_receipt(bikes: Client, lin: Citizen) -> None:
    [proven] = bikes.verdicts(bikes.event("r1", "lin", recent(8), evidence="device"))
    [told] = bikes.verdicts(bikes.event("r2", "lin", recent(12), evidence="self_declared"))
    assert told["reduction_mg"] == proven["reduction_mg"] // 2
    records = [receipt_of(lin, row["deed"])["records"][0] for row in lin.ok("/v1/me/deeds")["items"]]
    assert {r["evidence"]: r["calculation"]["evidence_percent"] for r in records} == {
        "device": 100,
        "self_declared": 50,
    }


def test_nobody_reads_anybody_elses_receipt_and_what_does_not_stand_has_none(
    stage: Stage, provider: str, bikes: Client, lin: Citizen
) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent(8)))
    deed = lin.ok("/v1/me/deeds")["items"][0]["deed"]
    wang = log_in(stage.http, provider, "union-wang")
    assert wang.get(f"/v1/me/deeds/{deed}/receipt").status_code == 404
    body = json.dumps({"kind": "withdraw", "reason": "a test"}).encode()
    signed = {"X-JWS-Signature": cast.sign(body, bikes.key), "Authorization": f"Bearer {bikes.token}"}
    path = "/v1/events/r1/corrections"
    withdrawn = stage.http.post(path, data=body, content_type="application/json", headers=signed)
    assert withdrawn.status_code == 200, withdrawn.get_data(as_text=True)
    assert lin.get(f"/v1/me/deeds/{deed}/receipt").status_code == 404


def test_walking_earns_points_at_the_local_rate_up_to_the_days_cap_and_claims_no_reduction(
    stage: Stage, bikes: Client, lin: Citizen
) -> None:
    whole_day = recent(0) + timedelta(minutes=1)
    walk = bikes.event("w1", "lin", whole_day, minutes=600, type="walking.v1", region="420100", steps=7250,
                       distance_m=None, evidence="device")  # fmt: skip
    more = bikes.event("w2", "lin", whole_day + timedelta(minutes=700), minutes=300, type="walking.v1",
                       region="420100", steps=60_000, distance_m=None, evidence="device")  # fmt: skip
    verdicts = bikes.verdicts(walk, more)
    assert [(v["code"], v["reduction_mg"]) for v in verdicts] == [("points_only", 0), ("capped", 0)]
    assert verdicts[0]["points"] == 145  # as printed in Hubei
    pack = stage.platform.standard.pack("walking.v1", whole_day.date())
    assert pack
    cap = stage.platform.standard.plan(pack, stage.platform.standard.regions["420100"], "", whole_day.date(), "device")
    assert cap.daily_points is not None
    assert sum(v["points"] for v in verdicts) == cap.daily_points
    for row in lin.ok("/v1/me/deeds")["items"]:
        assert receipt_of(lin, row["deed"])["reduction_mg"] == 0


def test_a_draft_cannot_credit(bikes: Client) -> None:
    [verdict] = bikes.verdicts(bikes.event("d1", "lin", recent(8), type="own_cup.v1", count=1))
    assert (verdict["verdict"], verdict["code"]) == ("refused", "not_in_force")


def quantify(stage: Stage, body: Any) -> Any:
    return stage.http.post("/v1/quantify", json=body)


def test_a_dry_run_comes_to_what_a_deed_would_and_stores_nothing(stage: Stage, bikes: Client) -> None:
    [verdict] = bikes.verdicts(bikes.event("r1", "lin", recent(8)))
    events = stage.count("event")
    one = {"type": "cycling.v1", "region": "310000", "on": recent(8).date().isoformat(), "data": {"distance_m": 2310}}
    told = quantify(stage, one).json
    assert (told["code"], told["reduction_mg"], told["points"]) == ("ok", verdict["reduction_mg"], verdict["points"])
    assert [step["name"] for step in told["receipt"]["records"][0]["calculation"]["steps"]][-1] == "reduction_g"
    many = quantify(stage, [one, one | {"type": "flying.v1"}, one | {"data": {"distance_m": -5}}]).json
    assert [answer["code"] for answer in many] == ["ok", "type_unknown", "fact_out_of_range"]
    assert many[2]["field"] == "data.distance_m"
    assert stage.count("event") == events


@pytest.mark.parametrize(
    "body", [None, 7, [], {}, {"type": "cycling.v1"}, [{}] * 101, {"type": "cycling.v1", "data": {}, "extra": 1}]
)
def test_a_dry_run_that_cannot_be_read_is_a_problem(stage: Stage, body: Any) -> None:
    assert quantify(stage, body).status_code in (400, 422)


def test_a_dry_run_is_limited_by_address(stage: Stage) -> None:
    one = {"type": "cycling.v1", "data": {"distance_m": 2310}}
    answers = {quantify(stage, one).status_code for _ in range(2 * quantify_deeds.A_MINUTE_MAX + 2)}
    assert answers == {200, 429}


def test_the_standard_is_published_whole(stage: Stage) -> None:
    listed = stage.http.get("/v1/standard/methodologies").json["items"]
    assert {item["status"] for item in listed} == {"provisional", "draft"}
    for item in listed:
        full = stage.http.get(f"/v1/standard/methodologies/{item['code']}").json
        assert full["versions"][0]["pack"]["status"] == item["status"]
    factors = stage.http.get("/v1/standard/factors?region=540000&on=2026-05-01").json["items"]
    grid = next(f for f in factors if f["id"] == "energy.grid_average")
    assert [v["region"] for v in grid["values"]] == ["GRID-SOUTHWEST"]
    assert stage.http.get("/v1/standard/methodologies/nothing").status_code == 404
    assert stage.http.get("/v1/standard/packs/00").status_code == 404
