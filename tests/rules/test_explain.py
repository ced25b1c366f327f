"""Every verdict names the rule that decided it, with the numbers of that day, and nothing of anybody else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from rules import explain, standard
from rules.model import CODES

STANDARD = standard.load()
ON = date(2026, 6, 1)


def told(code: str, pack: str | None = "cycling", region: str | None = "310000") -> dict[str, Any]:
    rule = explain.rule(STANDARD, code, pack, "1.0.0" if pack else None, region, ON)
    assert rule["code"] == code
    return rule["parameters"]


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        ("ok", {}),
        ("same_record", {"class": "mobility", "jitter_s": 60, "shift_s": 180, "duration_jitter_s": 5}),
        ("overlap", {"class": "mobility", "overlap_tolerance_s": 180, "overlap_share_percent": 85}),
        ("continues", {"class": "mobility", "continue_gap_s": 120}),
        ("same_act", {"class": "mobility"}),
        ("too_fast", {"max_km_per_h": 25}),
        ("too_short", {"duration_min_s": 60, "duration_max_s": 10_800}),
        ("capped", {"cap_mg_per_day": 2_400_000}),
        ("distance_unknown", {"facts": ["distance_m"]}),
        ("fact_out_of_range", {"facts": {"distance_m": [1, 75_000]}}),
        ("suspicious", {"suspicion_review_points": 100, "records_a_day_max": 100}),
    ],
)
def test_a_rule_has_the_numbers_of_the_methodology_its_class_and_the_day(code: str, parameters: dict[str, Any]) -> None:
    assert told(code) == parameters


def test_a_rule_is_told_also_where_no_methodology_was_reached() -> None:
    assert told("too_late", None, None) == {"acceptance_window_days": 400}
    assert told("in_future", None) == {"future_tolerance_s": 300}
    assert told("region_contradicts", None)["radius_km"] == STANDARD.regions["310000"].radius_km
    assert told("event_unknown", None, None) == {}


def test_equal_facts_are_part_of_the_rule_where_the_class_asks_for_them() -> None:
    same = told("same_record", "recycling")
    assert same == {"class": "recycling", "jitter_s": 60, "same_facts": ["material", "mass_g"]}


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_rule_that_json_can_hold(code: str) -> None:
    for pack in sorted({pack.code for pack in STANDARD.packs}):
        assert json.loads(json.dumps(told(code, pack))) == told(code, pack)


def test_lateness_is_judged_by_the_day_of_reception_and_all_else_by_the_deeds_own_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[date] = []
    monkeypatch.setattr(explain, "rule", lambda *args: asked.append(args[-1]))
    at = {"started_at": datetime(2025, 1, 1, 20, tzinfo=UTC), "received_at": datetime(2026, 3, 1, tzinfo=UTC)}
    explain.rule_of(STANDARD, {"code": "too_late", "region": "310000", **at})
    explain.rule_of(STANDARD, {"code": "region_contradicts", "region": "310000", **at})
    explain.rule_of(STANDARD, {"code": "ok", "day": ON, **at})
    assert asked == [date(2026, 3, 1), date(2025, 1, 2), ON]
