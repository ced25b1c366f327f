"""Closing a pool: once a month is over, what people consented to becomes a batch, for ever."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from backend.errors import Problem
from backend.usecases import close_pool
from rules.model import Approval
from tests import cast
from tests.cast import Stage, recent
from tests.market import MONTH, POOL, Market, ok, refused


def test_a_pool_that_is_closed_becomes_a_batch_with_all_its_deeds(market: Market) -> None:
    for mg in (143_310, -2_000, 500):
        market.deed(mg)
    [pool] = ok(market.operator.get("/v1/pools"), 200)["items"]
    assert (pool["id"], pool["state"], pool["deeds"], pool["reduction_mg"]) == (POOL, "closable", 3, 141_810)
    batch = market.closed()
    assert (batch["state"], batch["deeds"], batch["people"], batch["reduction_mg"]) == ("closed", 3, 3, 141_810)
    assert batch["demonstration"] is True
    assert ok(market.operator.get("/v1/pools"), 200)["items"] == []
    assert market.conservation()["ok"]


def test_a_deed_that_comes_late_goes_into_the_months_next_batch(market: Market) -> None:
    first = market.closed(1000)
    second = market.closed(2000)
    assert (first["ordinal"], second["ordinal"]) == (1, 2)
    assert (second["deeds"], second["reduction_mg"]) == (1, 2000)


def test_a_pool_with_nothing_in_it_cannot_be_closed(market: Market) -> None:
    problem = refused(market.operator.post(f"/v1/pools/{POOL}/close"), 409, "conflict")
    assert "consent" in problem["detail"]
    refused(market.operator.get(f"/v1/pools/{POOL}"), 404, "not_found")
    for name in ("nonsense", "310000.cycling.9.9.9.202606", "999999.cycling.1.0.0.202606", "310000.cycling.1.0.0.%00"):
        refused(market.operator.post(f"/v1/pools/{name}/close"), 404, "not_found")


def test_only_deeds_whose_people_and_partners_agreed_are_pooled(stage: Stage, market: Market) -> None:
    asked_for_points_only = stage.partner("metrolink")
    stage.link(asked_for_points_only, ["q"], purposes=["points"])
    agreed_later = stage.partner("lvhui")
    stage.link(agreed_later, ["r"], consented_at=datetime(2026, 6, 20, tzinfo=UTC))
    keeps_its_claim = stage.partner("qingsu", ["s"], waived_from=None)
    market.deed(1, person=asked_for_points_only.people["q"], client=asked_for_points_only)
    market.deed(2, person=agreed_later.people["r"], client=agreed_later)
    market.deed(4, person=keeps_its_claim.people["s"], client=keeps_its_claim)
    market.deed(8, evidence="screenshot")
    market.deed(16, evidence="self_declared")
    withdrawn = market.people[0]
    market.deed(32, person=withdrawn)
    with stage.platform.db.transaction() as conn:
        conn.execute("update consent set withdrawn_at = now() where person_id = %s and purpose = 'pool'", (withdrawn,))
    market.deed(64, evidence="device", person=market.people[1])
    pool = ok(market.operator.get(f"/v1/pools/{POOL}"), 200)
    assert (pool["open_deeds"], pool["deeds"], pool["reduction_mg"]) == (7, 1, 64)
    assert market.closed()["reduction_mg"] == 64


def test_only_the_version_of_a_deed_that_holds_is_pooled(market: Market) -> None:
    person = market.people[0]
    moved = market.deed(1000, person=person)
    market.deed(700, of=moved, version=2, before_mg=1000, person=person)
    gone = market.deed(500, person=person)
    market.deed(0, of=gone, version=2, before_mg=500, person=person, stands=False)
    elsewhere = market.deed(300, person=person)
    market.deed(300, of=elsewhere, version=2, before_mg=300, person=person, region="440300")
    batch = market.closed()
    assert (batch["deeds"], batch["reduction_mg"]) == (1, 700)
    assert market.conservation()["ok"]


def test_a_month_is_closed_only_after_it_and_its_window_are_over(market: Market) -> None:
    key = close_pool.read_pool_id(POOL)
    days = market.platform.standard.parameter("pool_close_after_days", MONTH)
    first_day = date(2026, 7, 1) + timedelta(days=days)
    midnight_in_china = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC) - timedelta(hours=8)
    problem = close_pool.obstacle(market.platform, key, midnight_in_china - timedelta(microseconds=1))
    assert problem is not None
    assert (problem.code, problem.extra) == ("too_early", {"closable_on": first_day.isoformat()})
    assert close_pool.obstacle(market.platform, key, midnight_in_china) is None
    today = datetime.now(UTC).date().replace(day=1)
    market.deed(1000, month=today)
    pool = f"310000.cycling.1.0.0.{today:%Y%m}"
    refused(market.operator.post(f"/v1/pools/{pool}/close"), 409, "too_early")
    assert ok(market.operator.get(f"/v1/pools/{pool}"), 200)["why_not"]["code"] == "too_early"


def test_without_an_approval_nothing_is_pooled_and_with_a_real_one_it_is_no_demonstration(market: Market) -> None:
    market.deed(1000)
    strict = dataclasses.replace(
        market.platform, settings=dataclasses.replace(market.platform.settings, demonstration=False)
    )
    with pytest.raises(Problem) as raised:
        close_pool.close_pool(strict, POOL, market.operator.id, datetime.now(UTC))
    assert raised.value.code == "not_approved"
    real = Approval("cycling", "1.0.0", "310000", "pool", "上海市生态环境局", "沪环气〔2026〕1号", MONTH, None)
    standard = dataclasses.replace(strict.standard, approvals=(real,))
    approved = dataclasses.replace(strict, standard=standard)
    batch = close_pool.close_pool(approved, POOL, market.operator.id, datetime.now(UTC))
    assert batch["demonstration"] is False
    assert "上海市生态环境局" in batch["approval"]


def test_companies_see_no_totals_that_rest_on_few_people(stage: Stage) -> None:
    market = Market(stage, people=19)
    for _ in range(19):
        market.deed(1000)
    assert ok(market.company.get("/v1/pools"), 200)["items"][0]["reduction_mg"] is None
    assert ok(market.operator.get("/v1/pools"), 200)["items"][0]["reduction_mg"] == 19_000
    batch = market.closed()
    assert ok(market.company.get(f"/v1/batches/{batch['id']}"), 200)["people"] is None


def test_pools_are_listed_page_by_page(market: Market) -> None:
    for month in range(1, 7):
        market.deed(1000, month=date(2026, month, 1))
        market.deed(1000, month=date(2026, month, 1), region="440300")
    seen, cursor = [], ""
    while cursor is not None:
        page = ok(market.operator.get(f"/v1/pools?limit=5&cursor={cursor}"), 200)
        seen += [pool["id"] for pool in page["items"]]
        cursor = page["next_cursor"]
    assert seen == sorted(set(seen))
    assert len(seen) == 12
    assert len(ok(market.operator.get("/v1/pools?region=440300&vintage=2026-03"), 200)["items"]) == 1


@pytest.mark.parametrize(
    "attempt",
    [
        "update batch_member set reduction_mg = 0",
        "delete from batch_member",
        "truncate batch_member cascade",
        "insert into batch_member values (999, 1, 1, 1, 1, 1, now())",
        "update batch set reduction_mg = 0",
        "delete from batch",
    ],
)
def test_a_closed_batch_cannot_be_changed(market: Market, attempt: str) -> None:
    market.closed(1000, 2000)
    with pytest.raises(psycopg.errors.RaiseException), market.platform.db.transaction() as conn:
        conn.execute(attempt)  # type: ignore[call-overload]


def test_a_pool_closed_while_its_deeds_are_still_changing_holds_what_the_books_say(stage: Stage) -> None:
    """Records of one ride at two partners, the better one last: closing falls between or beside, never inside."""
    people = [f"p{i}" for i in range(12)]
    worse = stage.partner("valleybike", people, of="city")
    better = stage.partner("metrolink", people, of="city")
    operator = stage.client("operator", "平台运营")
    at = recent(8, days_ago=62)
    sent = threading.Event()

    def send(partner: cast.Client, evidence: str, km: int) -> None:
        for i, who in enumerate(people):
            partner.verdicts(
                partner.event(f"{partner.name}-{i}", who, at, evidence=evidence, distance_m=1000 * km, act_ref=None)
            )
        sent.set()

    send(worse, "device", 3)
    sent.clear()
    [pool] = ok(operator.get("/v1/pools"), 200)["items"]
    thread = threading.Thread(target=send, args=(better, "device", 2))
    thread.start()
    batches = []
    while not sent.is_set():
        answer = operator.post(f"/v1/pools/{pool['id']}/close")
        batches += [answer.json] if answer.status_code == 201 else []
    thread.join()
    assert sum(b["deeds"] for b in batches) == 12
    assert ok(operator.get("/v1/conservation?fresh=1"), 200)["ok"]
    with stage.platform.db.transaction() as conn:
        changed = conn.execute(
            "select count(*) from batch_member m join current_deed d using (deed_id)"
            " where (m.version, m.reduction_mg) <> (d.version, d.reduction_mg)"
        ).fetchone()
    assert changed == (0,)
