"""Public figures: every number is that of the books, few people are in no row of their own, JSON and CSV are equal."""

from __future__ import annotations

import csv
import io
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from backend.store import figures
from backend.usecases import close_pool, erase_person, merge_persons, show_figures
from rewards import pooling
from tests.cast import Stage
from tests.market import POOL, Market, keyed, ok, refused

MAY, JULY = date(2026, 5, 1), date(2026, 7, 1)
GRAMS = ("issued_g", "sold_g", "given_back_g", "retired_g", "transferred_g", "cancelled_g")


def read(stage: Stage, table: str, **wanted: str) -> dict[str, Any]:
    show_figures.forget(stage.platform)
    found: dict[str, Any] = ok(stage.http.get(f"/v1/reports/{table}", query_string=wanted), 200)
    return found


def rows(stage: Stage, table: str, **wanted: str) -> dict[str, tuple[int, int]]:
    """code, with * for what is merged -> (deeds, milligrams)."""
    found = read(stage, table, **wanted)
    told = {row["code"] + "*" * row["merged"]: (row["deeds"], row["measured_mg"]) for row in found["items"]}
    assert len(told) == len(found["items"])
    return told


def rides(market: Market, people: int, mg: int = 1_000_000, each: int = 1, **more: Any) -> None:
    for person in market.people[:people] * each:
        market.deed(mg, person=person, **more)


def test_what_was_measured_issued_sold_given_back_and_retired_is_what_the_books_say(market: Market) -> None:
    market.issued(*[100_000] * 30)
    rides(market, 20, 7)
    market.paid(1_000)
    order = market.paid(100)
    ok(market.company.post(f"/v1/orders/{order['id']}/refund", {"reason": "twice"}), 200)
    market.retired(300)
    ok(market.company.post("/v1/transfers", {"quantity_g": 5, "registry": "other"}), 201)
    market.lowered((1, 40_000))
    found = read(market.stage, "months")
    [row] = found["items"]
    figures = market.figures(1)
    assert {name: row[name] for name in GRAMS} == {
        "issued_g": 3_000, "sold_g": 1_000, "given_back_g": 100, "retired_g": 300, "transferred_g": 5,
        "cancelled_g": figures["cancelled_g"],
    }  # fmt: skip
    assert row["sold_g"] == figures["held_g"] + figures["retired_g"] + figures["transferred_g"]
    assert figures["cancelled_g"] == 60
    assert (row["deeds"], row["measured_mg"]) == (50, 3_000_000 - 60_000 + 20 * 7)
    assert (row["code"], row["parent"], row["merged"], row["demonstration"]) == ("2026-06", "2026-Q2", False, True)
    [total] = found["totals"]
    assert total == {name: row[name] for name in total}
    assert [i["measured_mg"] for i in read(market.stage, "regions")["items"]] == [row["measured_mg"]]
    assert [i["issued_g"] for i in read(market.stage, "behaviours")["items"]] == [3_000]


def test_twenty_people_are_told_and_nineteen_are_not(market: Market) -> None:
    rides(market, 19)
    assert read(market.stage, "months")["items"] == []
    market.deed(1_000_000, person=market.people[19])
    assert rows(market.stage, "months") == {"2026-06": (20, 20_000_000)}


def test_nobody_has_above_half_of_a_figure(market: Market) -> None:
    rides(market, 21)
    market.deed(20_000_001, person=market.people[0])
    assert rows(market.stage, "months") == {}
    market.deed(1_000_001, person=market.people[1])
    assert rows(market.stage, "months") == {"2026-06": (23, 42_000_002)}


def test_nobody_has_above_half_of_the_deeds_either(market: Market) -> None:
    rides(market, 21)
    for _ in range(20):
        market.deed(1, person=market.people[0])
    assert rows(market.stage, "months") == {}


def test_grams_issued_mostly_for_one_are_not_told_whatever_was_recalled_since(market: Market) -> None:
    large = market.deed(40_000_000, person=market.people[0])
    market.issued(*[1_000_000] * 29)
    market.lowered((large, 1_000_000))
    assert rows(market.stage, "months") == {}


def test_a_negative_amount_weighs_as_a_positive_one(market: Market) -> None:
    rides(market, 21)
    market.deed(-21_000_001, person=market.people[22])
    assert rows(market.stage, "months") == {}


def test_milligrams_of_few_among_deeds_of_many_are_not_told(market: Market) -> None:
    rides(market, 30, 0)
    rides(market, 19)
    assert rows(market.stage, "months") == {}
    market.deed(1, person=market.people[25])
    assert rows(market.stage, "months") == {"2026-06": (50, 19_000_001)}


def test_a_month_of_few_is_merged_with_the_smallest_of_its_quarter(market: Market) -> None:
    rides(market, 30, each=2)
    rides(market, 25, month=MAY)
    rides(market, 30, month=JULY)
    rides(market, 3, month=date(2026, 4, 1))
    assert rows(market.stage, "months") == {
        "2026-Q2*": (28, 28_000_000), "2026-06": (60, 60_000_000), "2026-07": (30, 30_000_000),
    }  # fmt: skip
    assert rows(market.stage, "regions") == {"310000": (118, 118_000_000)}


def test_a_quarter_of_few_leaves_the_year_and_a_year_of_few_stands_for_all_months(market: Market) -> None:
    rides(market, 30, each=2)
    rides(market, 25, month=JULY)
    rides(market, 3, month=date(2026, 1, 1))
    assert rows(market.stage, "months") == {"2026*": (28, 28_000_000), "2026-06": (60, 60_000_000)}
    rides(market, 2, month=date(2025, 12, 1))
    assert rows(market.stage, "months") == {"all*": (90, 90_000_000)}


def test_a_city_of_few_is_merged_into_its_province_and_a_behaviour_into_its_category(market: Market) -> None:
    rides(market, 30, each=2, region="440300")
    rides(market, 25, region="440100")
    rides(market, 19, region="440400")
    rides(market, 30, region="310000", pack="metro", each=2)
    rides(market, 30, region="310000")
    rides(market, 19, region="310000", pack="walking")
    assert rows(market.stage, "regions") == {
        "310000": (109, 109_000_000), "440000*": (44, 44_000_000), "440300": (60, 60_000_000),
    }  # fmt: skip
    assert rows(market.stage, "behaviours", region="310000") == {
        "travel*": (49, 49_000_000), "metro": (60, 60_000_000),
    }  # fmt: skip
    assert rows(market.stage, "behaviours", region="440000") == {"cycling": (104, 104_000_000)}


def test_filters_take_what_is_wholly_inside_and_say_whether_that_is_all(market: Market) -> None:
    rides(market, 30, each=2, region="440300")
    rides(market, 25, region="440100")
    rides(market, 3, region="440400")
    rides(market, 30, month=JULY)
    for wanted, deeds, complete in (
        ({"month": "2026-06"}, 88, True), ({"month": "2026-Q2"}, 88, True), ({"month": "2026"}, 118, True),
        ({"month": "2026-07"}, 30, True), ({"month": "2025"}, 0, True), ({"region": "440000"}, 88, True),
        ({"region": "440300"}, 60, True), ({"region": "440400"}, 0, False), ({"region": "440500"}, 0, False),
        ({"region": "310000", "month": "2026-06"}, 0, True), ({"behaviour": "travel"}, 118, True),
        ({"behaviour": "cycling", "region": "440000"}, 88, True), ({"behaviour": "nothing"}, 0, True),
        ({"region": "999999"}, 0, True),
    ):  # fmt: skip
        found = read(market.stage, "months", **wanted)
        assert (sum(row["deeds"] for row in found["items"]), found["complete"]) == (deeds, complete), wanted
        assert {row["people"] for row in found["items"] + found["totals"]} <= {None}


def test_people_are_told_in_tens_and_are_those_of_the_whole_row(market: Market) -> None:
    rides(market, 29)
    rides(market, 25, month=MAY)
    found = read(market.stage, "months")
    assert [row["people"] for row in found["items"]] == [20, 20]
    assert [row["people"] for row in found["totals"]] == [20]
    market.deed(1_000_000, person=market.people[29])
    assert [row["people"] for row in read(market.stage, "months")["totals"]] == [30]


def test_two_accounts_of_one_person_are_one(market: Market) -> None:
    rides(market, 20)
    merge_persons.merge_persons(
        market.platform, market.people[0], market.people[1], market.operator.id, "one phone", datetime.now(UTC)
    )
    assert rows(market.stage, "months") == {}


def test_only_the_version_that_stands_counts(market: Market) -> None:
    rides(market, 20)
    market.deed(5, person=market.people[20])
    market.deed(9, of=21, version=2, before_mg=5, person=market.people[20])
    market.deed(0, of=1, version=2, before_mg=1_000_000, stands=False, person=market.people[0])
    assert rows(market.stage, "months") == {"2026-06": (20, 19_000_009)}


def test_what_an_erased_person_left_in_a_batch_still_counts_there(market: Market) -> None:
    market.issued(*[1_000_000] * 30)
    rides(market, 30, 7, month=JULY)
    erase_person.erase_person(market.platform, keyed("person"), market.people[0], datetime.now(UTC))
    assert rows(market.stage, "months") == {"2026-06": (30, 30_000_000), "2026-07": (29, 29 * 7)}


def test_figures_are_made_again_and_again(market: Market) -> None:
    """On connections that have made them before."""
    rides(market, 20)
    for n in range(12):
        market.deed(1, person=market.people[n])
        assert rows(market.stage, "months") == {"2026-06": (21 + n, 20_000_001 + n)}


def test_what_few_kept_out_of_a_batch_is_not_told_by_the_difference(market: Market) -> None:
    """A batch's milligrams are public: what is measured beside it must bear being told, too."""
    market.issued(*[1_000_000] * 30)
    market.deed(5, person=market.people[0])
    [row] = read(market.stage, "months")["items"]
    assert (row["deeds"], row["measured_mg"], row["issued_g"]) == (30, 30_000_000, 30_000)
    rides(market, 22, 5)
    [row] = read(market.stage, "months")["items"]
    assert (row["deeds"], row["measured_mg"], row["issued_g"]) == (53, 30_000_115, 30_000)


def test_a_batch_of_few_is_merged_with_its_grams(market: Market) -> None:
    market.issued(*[1_000_000] * 30)
    for n in range(5):
        market.deed(2_000_000, person=market.people[n], pack="metro")
    pool = ok(market.operator.post(f"/v1/pools/{POOL.replace('cycling', 'metro')}/close"), 201)
    assert pool["demonstration"] is True
    found = read(market.stage, "behaviours")["items"]
    assert [(row["code"], row["merged"], row["issued_g"], row["deeds"]) for row in found] == [
        ("travel", True, 30_000, 35)
    ]


def test_demonstration_is_in_rows_of_its_own(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = close_pool.approval

    def metro_is_approved(platform: Any, key: pooling.PoolKey) -> Any:
        given, demonstration = asked(platform, key)
        return given, demonstration and key.pack_code != "metro"

    monkeypatch.setattr(close_pool, "approval", metro_is_approved)
    rides(market, 30)
    rides(market, 20, 7, pack="metro")
    found = read(market.stage, "months")
    assert [(r["code"], r["demonstration"], r["measured_mg"]) for r in found["items"]] == [
        ("2026-06", False, 140), ("2026-06", True, 30_000_000),
    ]  # fmt: skip
    assert [(r["demonstration"], r["deeds"]) for r in found["totals"]] == [(False, 20), (True, 30)]


def test_few_real_deeds_are_not_told_by_what_all_others_lack(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum of all deeds is public (conservation), so nothing is told of either."""
    rides(market, 30)
    rides(market, 3, pack="metro")
    asked = close_pool.approval
    monkeypatch.setattr(
        close_pool, "approval", lambda p, key: (asked(p, key)[0], asked(p, key)[1] and key.pack_code != "metro")
    )
    assert rows(market.stage, "months") == {}


def test_the_csv_says_what_the_json_says(market: Market) -> None:
    market.issued(*[100_000] * 30)
    rides(market, 25, month=JULY, region="440300", pack="metro")
    for table in show_figures.TABLES:
        for wanted in ({}, {"region": "440300"}):
            told = read(market.stage, table, **wanted)
            answer = market.stage.http.get(f"/v1/reports/{table}.csv", query_string=wanted)
            assert answer.content_type == "text/csv; charset=utf-8"
            assert answer.get_data()[:3] == b"\xef\xbb\xbf"
            read_back = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
            assert read_back == [
                {n: "" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for n, v in row.items()}
                | {"as_of": told["as_of"]}
                for row in told["items"]
            ]
            assert read_back


def test_what_is_asked_for_wrongly_is_refused(stage: Stage) -> None:
    for wanted in ({"month": "2026-13"}, {"month": "2026-Q5"}, {"month": "06"}, {"month": "2026-06\n"},
                   {"region": "31"}, {"region": "31000٠"}, {"behaviour": "A B"}, {"behaviour": "\x00"}):  # fmt: skip
        for table in (*show_figures.TABLES, "months.csv"):
            refused(stage.http.get(f"/v1/reports/{table}", query_string=wanted), 422, "request_invalid")
    refused(stage.http.get("/v1/reports/people.csv"), 404, "not_found")


def test_without_any_deed_there_is_nothing_to_tell(stage: Stage) -> None:
    for table in show_figures.TABLES:
        found = read(stage, table)
        assert (found["items"], found["totals"], found["complete"]) == ([], [], True)


def test_figures_are_made_anew_after_eight_minutes_and_by_one_at_a_time(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    rides(market, 20)
    now = datetime.now(UTC)

    def deeds(at: datetime) -> tuple[datetime, int]:
        found = show_figures.show_figures(market.platform, {}, at)
        return found["as_of"], found["totals"][0]["deeds"]

    show_figures.forget(market.platform)
    assert deeds(now) == (now, 20)
    market.deed(1_000_000, person=market.people[20])
    assert deeds(now + timedelta(minutes=7)) == (now, 20)
    entered, go_on = threading.Event(), threading.Event()
    gather = figures.gather

    def slowly(conn: Any) -> Any:
        entered.set()
        go_on.wait()
        return gather(conn)

    monkeypatch.setattr(figures, "gather", slowly)
    later = now + timedelta(minutes=9)
    maker = threading.Thread(target=deeds, args=(later,))
    maker.start()
    entered.wait()
    assert deeds(later) == (now, 20)  # another one is at it
    go_on.set()
    maker.join()
    assert deeds(later) == (later, 21)


def test_a_batch_of_another_month_of_a_series_counts_by_its_own_month(market: Market) -> None:
    market.issued(*[1_000_000] * 30)
    market.issued(*[500_000] * 30, month=MAY, pool=POOL.replace("202606", "202605"))
    assert [(r["code"], r["issued_g"]) for r in read(market.stage, "months")["items"]] == [
        ("2026-05", 15_000), ("2026-06", 30_000),
    ]  # fmt: skip
