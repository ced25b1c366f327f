"""Partners' data quality by type and month, and nothing in it that rests on few people."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.usecases import withhold_figures
from backend.usecases.withhold_figures import NONE, Figure
from tests.backend.test_correct_events import correct, data_of
from tests.cast import Client, Stage

CROWD = [f"p{i}" for i in range(30)]
COUNTS = ("received", "credited", "duplicates", "refused", "held", "late", "corrected", "withdrawn", "reverdicted")


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", CROWD, of="city")


def noon(months_ago: int, day: int = 10, hour: int = 12) -> datetime:
    """A civil noon of a month of the last year that is over."""
    today = datetime.now(ZoneInfo("Asia/Shanghai"))
    month = today.year * 12 + today.month - 1 - months_ago
    return datetime(month // 12, month % 12 + 1, day, hour, tzinfo=today.tzinfo)


def report(client: Client, at: datetime, **more: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/reports/partners?year={at.year}" + "".join(f"&{k}={v}" for k, v in more.items()))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.json["items"]


def counts(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in COUNTS if row[name] != 0}


def test_a_month_of_many_people_is_told_with_every_count(stage: Stage, bikes: Client) -> None:
    regulator, wallet = stage.client("regulator", "city hall"), stage.partner("wallet", CROWD, of="city")
    at = noon(2)
    rides = [bikes.event(f"r{i}", who, at) for i, who in enumerate(CROWD)]
    bikes.verdicts(*rides, *(bikes.event(f"f{i}", who, at, minutes=1) for i, who in enumerate(CROWD[:25])))
    wallet.verdicts(*(wallet.event(f"w{i}", who, at, evidence="screenshot") for i, who in enumerate(CROWD)))
    for i in range(22):
        correct(bikes, f"r{i}", kind="withdraw")
    first, second = (report(regulator, at)[i] for i in (0, 1))
    by_name = {item["name"]: item["rows"] for item in (first, second)}
    [own], [forwarded] = by_name["valleybike"], by_name["wallet"]
    assert own["period"] == f"{at:%Y-%m}"
    assert (own["merged"], own["event_type"], own["people"]) == (False, "cycling.v1", 30)
    # 8 rides still count, of 8 people: they are told together with the least that makes them many
    assert counts(own) == {
        "received": 55, "credited": None, "refused": None, "withdrawn": None, "late": 55,
    }  # fmt: skip
    assert own["not_told_apart"] == 55
    assert counts(forwarded) == {
        "received": 30, "credited": None, "duplicates": None, "late": 30, "reverdicted": 22,
    }  # fmt: skip
    operator = stage.client("operator", "staff")
    [all_own] = next(item["rows"] for item in report(operator, at) if item["name"] == "valleybike")
    assert counts(all_own) == {"received": 55, "credited": 8, "refused": 47, "withdrawn": 22, "late": 55}
    assert all_own["refused_by_code"] == {"too_fast": 25, "withdrawn": 22}
    assert all_own["shares_ppm"]["credited"] == 8 * 1_000_000 // 55
    [all_forwarded] = next(item["rows"] for item in report(operator, at) if item["name"] == "wallet")
    assert counts(all_forwarded) == {"received": 30, "credited": 22, "duplicates": 8, "late": 30, "reverdicted": 22}
    assert all_forwarded["duplicates_by_code"] == {"same_record": 8}


def test_a_replaced_ride_counts_once_as_it_stands_now(stage: Stage, bikes: Client) -> None:
    operator, at = stage.client("operator", "staff"), noon(1)
    event = bikes.event("r1", "p1", at)
    bikes.verdicts(event, bikes.event("x", "p1", at, type="flying.v1"))
    correct(bikes, "r1", kind="replace", data=data_of(event, distance_m=None))
    rows = {row["event_type"]: row for row in report(operator, at)[0]["rows"]}
    assert counts(rows["cycling.v1"]) == {"received": 1, "refused": 1, "corrected": 1, "late": 1}
    assert rows["cycling.v1"]["refused_by_code"] == {"distance_unknown": 1}
    if "unknown" in rows:  # it has no civil day and counts in the month in which it came
        assert rows["unknown"]["refused_by_code"] == {"type_unknown": 1}


def test_few_people_are_told_by_quarter_or_year_or_not_at_all(stage: Stage, bikes: Client) -> None:
    at = noon(2)
    bikes.verdicts(*(bikes.event(f"r{i}", who, at) for i, who in enumerate(CROWD[:19])))
    [item] = report(bikes, at)
    assert item["rows"] == [
        {"event_type": "cycling.v1", "period": str(at.year), "merged": True, "suppressed": True},
    ]
    bikes.verdicts(bikes.event("one more", "p25", at + timedelta(days=1)))
    [row] = report(bikes, at)[0]["rows"]
    assert (row["period"], row["suppressed"], row["credited"]) == (f"{at:%Y-%m}", False, 20)
    again = (bikes.event(f"s{i}", "p0", noon(2, 12, hour=i), minutes=30) for i in range(1, 24))
    bikes.verdicts(*again)
    [row] = report(bikes, at)[0]["rows"]
    assert (row["merged"], row["suppressed"]) == (True, True)  # one person has more than half


def test_a_partner_sees_its_own_report_only_and_pages_go_on(stage: Stage, bikes: Client) -> None:
    others = [stage.partner(f"partner {i}", []) for i in range(3)]
    assert [item["partner"] for item in report(bikes, noon(0))] == [bikes.id]
    operator = stage.client("operator", "staff")
    seen, cursor = [], ""
    while True:
        page = operator.get(f"/v1/reports/partners?limit=2{cursor}").json
        seen += [item["partner"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted([bikes.id, *(other.id for other in others)])


def many(events: int) -> Figure:
    return Figure(events, 40, 2, events)


def few(events: int) -> Figure:
    return Figure(events, 3, 1, events)


def test_cells_merge_upwards_and_no_two_of_them_can_be_subtracted() -> None:
    def cells(months: dict[int, Figure], quarters: dict[int, Figure], whole: Figure) -> list[tuple[str, bool, bool]]:
        by_month = {date(2026, m, 1): {"received": f} for m, f in months.items()}
        by_quarter = {date(2026, m, 1): {"received": f} for m, f in quarters.items()}
        found = withhold_figures.cells(by_month, by_quarter, 2026, {"received": whole}, False)
        return [(cell.period, cell.merged, cell.suppressed) for cell in found]

    good = {1: many(100), 2: many(100), 4: many(100)}
    assert [c[0] for c in cells(good, {1: many(200), 4: many(100)}, many(300))] == ["2026-01", "2026-02", "2026-04"]
    one_small = good | {2: few(5)}
    assert cells(one_small, {1: many(105), 4: many(100)}, many(205)) == [
        ("2026-Q1", True, False), ("2026-04", False, False),
    ]  # fmt: skip
    assert cells(one_small, {1: few(5), 4: many(100)}, many(105)) == [("2026", True, False)]
    assert cells({5: few(5)}, {4: few(5)}, few(5)) == [("2026", True, True)]


FIGURES = st.builds(
    lambda people, of_one, rest: Figure(of_one + rest, people, of_one, of_one + rest) if people else NONE,
    st.integers(0, 60), st.integers(1, 50), st.integers(0, 500),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from("abcdef"), FIGURES, max_size=6))
def test_what_is_left_of_a_total_rests_on_many_people_or_is_all_of_it(figures: dict[str, Figure]) -> None:
    shown, rest = withhold_figures.parts(figures)
    assert sum(shown.values()) + rest == sum(f.events for f in figures.values())
    assert all(withhold_figures.may_be_shown(figures[name]) for name in shown)
    if rest and any(shown.values()):
        hidden = [figures[name] for name in figures if name not in shown]
        assert max(f.people for f in hidden) >= 20
        assert 2 * max(f.of_one for f in hidden) <= sum(f.of_anybody for f in hidden)
