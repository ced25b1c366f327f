"""A citizen looks at points, days and deeds: all of their own, and nothing of anybody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from backend import api
from rules import reasons
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


def every_page(citizen: Citizen, path: str, items: str, limit: int) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        page = citizen.ok(path, limit=limit, **({"cursor": cursor} if cursor else {}))
        assert len(page[items]) <= limit
        found += page[items]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_points_are_the_sum_of_the_transfers_and_the_lines_add_up_to_them(
    stage: Stage, bikes: Client, lin: Citizen
) -> None:
    for day in (3, 2, 1):
        bikes.verdicts(*(bikes.event(f"r{day}{hour}", "lin", recent(hour, days_ago=day)) for hour in range(8, 8 + day)))
    points = lin.ok("/v1/me/points")
    assert points["balance"] == stage.balance(bikes.people["lin"], "points") > 0
    assert points["reduction_mg"] == stage.balance(bikes.people["lin"], "reductions_mg") > 0
    assert lin.ok("/v1/me")["totals"] == {"points": points["balance"], "reduction_mg": points["reduction_mg"]}
    assert [line["on"] for line in points["lines"]] == [f"{recent(days_ago=d):%Y-%m-%d}" for d in (1, 2, 3)]
    assert sum(line["points"] for line in points["lines"]) == points["balance"]
    assert sum(line["reduction_mg"] for line in points["lines"]) == points["reduction_mg"]
    assert every_page(lin, "/v1/me/points", "lines", 1) == points["lines"]


def test_a_deed_late_in_the_evening_counts_on_its_own_civil_day(bikes: Client, lin: Citizen) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent(23, 50, days_ago=5), minutes=5, distance_m=900))
    bikes.verdicts(bikes.event("r2", "lin", recent(0, 5, days_ago=4), minutes=5, distance_m=900))
    days = [line["on"] for line in lin.ok("/v1/me/points")["lines"]]
    assert days == [f"{recent(days_ago=d):%Y-%m-%d}" for d in (4, 5)]


def test_other_movements_of_points_count_on_the_day_they_were_posted(stage: Stage, bikes: Client, lin: Citizen) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent(8)))
    before = lin.ok("/v1/me/points")
    who = bikes.people["lin"]
    with stage.platform.db.transaction() as conn:
        deed = conn.execute("select deed_id from deed").fetchone()[0]
        conn.execute(
            "insert into transfer (posted_at, book, debit, debit_id, credit, amount, reason, ref_id, person_id)"
            " values ('2026-01-01 17:00+00', 'points', 'person', %s, 'redeemed', 1, 'redeemed', %s, %s)",
            (who, deed, who),
        )
    after = lin.ok("/v1/me/points")
    assert after["balance"] == before["balance"] - 1
    assert {"on": "2026-01-02", "points": -1, "reduction_mg": 0} in after["lines"]
    assert sum(line["points"] for line in after["lines"]) == after["balance"]


def test_deeds_come_newest_first_with_all_that_the_person_may_know(bikes: Client, lin: Citizen) -> None:
    [old, new] = bikes.verdicts(
        bikes.event("r1", "lin", recent(8, days_ago=2)), bikes.event("r2", "lin", recent(9, days_ago=1), minutes=30)
    )
    items = lin.ok("/v1/me/deeds")["items"]
    assert [d["started_at"] for d in items] == [recent(9, days_ago=1).isoformat(), recent(8, days_ago=2).isoformat()]
    newest = items[0]
    assert newest["ended_at"] == (recent(9, days_ago=1) + timedelta(minutes=30)).isoformat()
    assert (newest["reduction_mg"], newest["points"]) == (new["reduction_mg"], new["points"])
    assert (items[1]["reduction_mg"], items[1]["points"]) == (old["reduction_mg"], old["points"])
    assert newest["partner"] == "valleybike"
    assert newest["region"] == {"code": "310000", "name": {"zh": "上海市", "en": "Shanghai"}}
    assert newest["methodology"]["code"] == "cycling"
    assert newest["methodology"]["name"] == {"zh": "骑行", "en": "Cycling"}
    assert newest["methodology"]["status"] == "provisional"
    assert [(f["name"], f["value"], f["label"]) for f in newest["facts"]] == [("distance_m", 2310, None)]
    assert newest["facts"][0]["title"]["zh"]
    assert newest["deed"]
    assert newest["counted_by"] is None


def test_a_choice_is_told_in_the_standard_s_own_words(stage: Stage, lin: Citizen) -> None:
    scale = stage.partner("lvhui", ["lin"], of="city")
    more = {"type": "recycling.v1", "minutes": 0, "distance_m": None, "material": "GLASS", "mass_g": 500}
    scale.verdicts(scale.event("s1", "lin", recent(8), **more))
    facts = {f["name"]: f for f in lin.ok("/v1/me/deeds")["items"][0]["facts"]}
    assert (facts["material"]["value"], facts["material"]["label"]) == ("GLASS", {"zh": "玻璃", "en": "Glass"})
    assert (facts["mass_g"]["value"], facts["mass_g"]["label"]) == (500, None)


def test_every_deed_carries_its_verdict_and_a_readable_reason(bikes: Client, lin: Citizen) -> None:
    told = bikes.verdicts(
        bikes.event("ok", "lin", recent(8)),
        bikes.event("no-way", "lin", recent(10), distance_m=None),
        bikes.event("rocket", "lin", recent(12), distance_m=40_000),
        bikes.event("blink", "lin", recent(14), minutes=0.5),
        bikes.event("nowhere", "lin", recent(16), region="999999"),
    )
    shown = {d["started_at"]: d for d in lin.ok("/v1/me/deeds")["items"]}
    assert len(shown) == len(told) == 5
    for hour, verdict in zip((8, 10, 12, 14, 16), told, strict=True):
        deed = shown[recent(hour).isoformat()] if hour != 16 else shown[recent(hour).astimezone(cast.UTC).isoformat()]
        assert (deed["verdict"], deed["code"]) == (verdict["verdict"], verdict["code"])
        assert (deed["reason"]["zh"], deed["reason"]["en"]) == reasons.REASONS[verdict["code"]]
    assert {d["code"] for d in shown.values()} == {"ok", "distance_unknown", "too_fast", "too_short", "region_unknown"}


def test_a_better_record_that_comes_later_changes_what_the_person_sees(
    stage: Stage, bikes: Client, lin: Citizen
) -> None:
    metro = stage.partner("metrolink", ["lin"], of="city")
    weak = metro.event("m1", "lin", recent(8), evidence="self_declared", type="cycling.v1")
    assert metro.verdicts(weak)[0]["verdict"] == "credited"
    bikes.verdicts(bikes.event("r1", "lin", recent(8, 1), evidence="device"))
    by_partner = {d["partner"]: d for d in lin.ok("/v1/me/deeds")["items"]}
    first, better = by_partner["metrolink"], by_partner["valleybike"]
    assert better["verdict"] == "credited"
    assert (first["verdict"], first["points"], first["reduction_mg"]) == ("duplicate_of", 0, 0)
    assert first["counted_by"] == "valleybike"
    assert first["deed"] == better["deed"]
    total = lin.ok("/v1/me")["totals"]
    assert total == {"points": better["points"], "reduction_mg": better["reduction_mg"]}
    assert sum(line["points"] for line in lin.ok("/v1/me/points")["lines"]) == better["points"]


def test_pages_of_deeds_miss_nothing_and_repeat_nothing(bikes: Client, lin: Citizen) -> None:
    starts = [recent(8, m, days_ago=d) for d in (1, 2, 3) for m in (0, 0, 20)]  # some at the very same moment
    bikes.verdicts(*(bikes.event(f"r{i}", "lin", at, minutes=5, distance_m=None) for i, at in enumerate(starts)))
    whole = lin.ok("/v1/me/deeds", limit=100)["items"]
    assert len(whole) == len(starts)
    assert [d["started_at"] for d in whole] == [s.isoformat() for s in sorted(starts, reverse=True)]
    for limit in (1, 2, 4, len(starts)):
        assert every_page(lin, "/v1/me/deeds", "items", limit) == whole


def test_nobody_sees_anything_of_another_person(stage: Stage, provider: str, bikes: Client, lin: Citizen) -> None:
    metro = stage.partner("metrolink", ["wang"], of="city")
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:1", asset_ref="bike:7"))
    bikes.verdicts(bikes.event("r2", "wang", recent(9, 17), act_ref="valleybike:1"))  # the same number: in review
    metro.verdicts(metro.event("m1", "wang", recent(11, 23), type="metro.v1", distance_m=9876))
    wang = log_in(stage.http, provider, "union-wang")
    mine = [lin.ok(p) for p in ("/v1/me", "/v1/me/points", "/v1/me/deeds")]
    theirs = [wang.ok(p) for p in ("/v1/me", "/v1/me/points", "/v1/me/deeds")]
    assert [d["code"] for d in theirs[2]["items"]] == ["ok", "act_ref_conflict"]
    assert [d["code"] for d in mine[2]["items"]] == ["ok"]
    assert theirs[2]["items"][1]["counted_by"] is None
    assert theirs[2]["items"][1]["deed"] is None
    for foreign in ("metrolink", "9876", *(d["started_at"] for d in theirs[2]["items"])):
        assert foreign not in json.dumps(mine)
    assert mine[2]["items"][0]["started_at"] not in json.dumps(theirs)
    for name in ("id", "deed"):
        assert {d[name] for d in mine[2]["items"]}.isdisjoint(d[name] for d in theirs[2]["items"])
    assert mine[1]["balance"] == stage.balance(bikes.people["lin"], "points")
    assert theirs[1]["balance"] == stage.balance(bikes.people["wang"], "points")


def test_another_person_s_cursor_shows_only_one_s_own_deeds(
    stage: Stage, provider: str, bikes: Client, lin: Citizen
) -> None:
    bikes.verdicts(*(bikes.event(f"w{h}", "wang", recent(h)) for h in (8, 10, 12)))
    wang = log_in(stage.http, provider, "union-wang")
    cursor = wang.ok("/v1/me/deeds", limit=1)["next_cursor"]
    assert lin.ok("/v1/me/deeds", cursor=cursor) == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("path", ["/v1/me/deeds", "/v1/me/points"])
@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%"]
    + [
        api.write_cursor(*v) for v in (("a", "b"), (1,), (10**30, 1), (1, 2**70), (1, -1), ("2026-99-99",), (None,), ())
    ],
)
def test_a_cursor_that_we_did_not_write_is_refused(lin: Citizen, path: str, cursor: str) -> None:
    answer = lin.get(path, cursor=cursor)
    assert (answer.status_code, answer.json["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many"])
def test_a_page_has_one_to_a_hundred_items(lin: Citizen, limit: str) -> None:
    answer = lin.get("/v1/me/deeds", limit=limit)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert answer.json["errors"][0]["field"] == "limit"
