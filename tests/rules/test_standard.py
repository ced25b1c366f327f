"""The standard as the platform asks it: what is in force where and when, and that nothing in it changes the past."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import rfc8785

from rules import quantification, show, standard, units
from rules.model import CODES, EVIDENCE_TIERS, ExclusionClass, Pack
from rules.reasons import REASONS

STANDARD = standard.load()
TODAY = date(2026, 11, 20)


def pack(event_type: str = "cycling.v1", on: date = TODAY) -> Pack:
    found = STANDARD.pack(event_type, on)
    assert found
    return found


def metres(loaded: standard.Standard, on: date, distance_m: int = 10_000, region: str = "310000") -> int:
    found = loaded.pack("cycling.v1", on)
    assert found
    return quantification.measure(loaded, found, loaded.regions[region], {"distance_m": distance_m}, on).reduction_mg


def test_a_pack_is_in_force_from_its_first_day_on() -> None:
    first = date(2024, 1, 1)
    assert STANDARD.pack("cycling.v1", first) is STANDARD.pack_version("cycling", "1.0.0")
    assert STANDARD.pack("cycling.v1", first - timedelta(days=1)) is None
    assert STANDARD.has_type("cycling.v1")
    assert not STANDARD.has_type("cycling.v2")
    assert STANDARD.pack("cycling.v2", TODAY) is None
    assert STANDARD.pack_version("cycling", "0.9") is None


MOVING = {"bus", "carpool", "cycling", "ebike", "ev_ride", "high_speed_rail", "metro", "own_bike"}
COUNTED = {
    *("carton_reuse", "clean_plate", "e_card", "e_invoice", "e_statement", "hotel_no_amenities", "no_cutlery"),
    *("own_bag", "plant_meal", "used_electronics", "utility_payment"),
}
WEIGHED = {"recycled_fibre", "small_portion", "used_clothes"}
METERED = {"efficient_appliance", "electricity_saving", "rooftop_pv"}
POINTS_ONLY = {"clean_plate", "e_card", "e_statement", "own_bag", "utility_payment", "walking"}
DRAFTS = {
    *("car_not_driven", "e_ticket", "etc_passage", "own_cup", "paperless", "shared_office", "video_meeting"),
    "wear_longer",
}


def test_every_pack_asks_for_what_the_events_carry() -> None:
    asked = {one.event_type: {fact.name: fact.missing_code for fact in one.facts} for one in STANDARD.packs}
    expected = {f"{code}.v1": {"distance_m": "distance_unknown"} for code in MOVING}
    expected |= {f"{code}.v1": {"count": "fact_missing"} for code in COUNTED}
    expected |= {f"{code}.v1": {"mass_g": "fact_missing"} for code in WEIGHED}
    expected |= {f"{code}.v1": {"energy_wh": "fact_missing"} for code in METERED}
    expected["carpool.v1"]["occupants"] = "fact_missing"
    expected["plant_meal.v1"]["replaced"] = "fact_missing"
    expected["recycled_fibre.v1"]["fibre"] = "fact_missing"
    expected["used_electronics.v1"]["device"] = "fact_missing"
    assert asked == expected | {
        "recycling.v1": {"material": "fact_missing", "mass_g": "fact_missing"},
        "plastic_substitution.v1": {"item": "fact_missing", "count": "fact_missing"},
        "walking.v1": {"steps": "fact_missing"},
        "water_saving.v1": {"volume_l": "fact_missing"},
    }


def test_what_credits_what_sets_points_only_and_what_cannot_credit_yet() -> None:
    assert {one.code for one in STANDARD.packs if one.points_only} == POINTS_ONLY
    assert {one.code for one in STANDARD.drafts} == DRAFTS
    assert {one.status for one in STANDARD.packs} == {"provisional"}
    for one in STANDARD.drafts:
        assert rfc8785.dumps(standard.pack_json(one)) == one.document
        assert STANDARD.pack(one.event_type, TODAY) is None
        assert STANDARD.pack_version(one.code, one.version) is None


def test_cycling_is_believed_from_a_minute_to_three_hours_at_25_km_h() -> None:
    cycling = pack()
    assert (cycling.duration_min_s, cycling.duration_max_s, cycling.speed_max_m_per_h) == (60, 10_800, 25_000)
    assert cycling.facts[0].maximum == 75_000  # as far as three hours at 25 km/h go


def test_a_ride_and_a_metro_trip_exclude_each_other_and_two_bags_do_not() -> None:
    assert {one.code: one.exclusion_class for one in STANDARD.packs} == {
        **dict.fromkeys(MOVING, "mobility"),
        **dict.fromkeys(COUNTED, "orders"),
        **dict.fromkeys(WEIGHED, "weighed"),
        **dict.fromkeys(METERED, "metered"),
        "recycling": "recycling",
        "plastic_substitution": "plastic_substitution",
        "walking": "steps",
        "water_saving": "metered_water",
    }
    mobility, bags = STANDARD.exclusion_class("mobility", TODAY), STANDARD.exclusion_class("recycling", TODAY)
    assert (mobility.jitter_s, mobility.overlap_tolerance_s, mobility.same_record_facts) == (60, 180, ())
    assert (bags.jitter_s, bags.overlap_tolerance_s, bags.same_record_facts) == (60, None, ("material", "mass_g"))
    assert (mobility.distinct_act_refs, bags.distinct_act_refs) == (False, True)
    assert STANDARD.max_duration_s("mobility") == 57_600  # sixteen hours by train
    assert STANDARD.max_duration_s("metered") == 5_443_200  # two months and a day
    orders, weighed = STANDARD.exclusion_class("orders", TODAY), STANDARD.exclusion_class("weighed", TODAY)
    assert (orders.overlap_tolerance_s, orders.same_record_facts, orders.distinct_act_refs) == (None, ("count",), True)
    assert (weighed.overlap_tolerance_s, weighed.same_record_facts) == (None, ("mass_g",))
    for code in ("metered", "metered_water", "steps"):  # the same hour is metered once, whoever reports it
        assert STANDARD.exclusion_class(code, TODAY).overlap_tolerance_s == 10
        assert not STANDARD.exclusion_class(code, TODAY).distinct_act_refs
    assert STANDARD.max_duration_s("no such class") == 0
    with pytest.raises(KeyError):
        STANDARD.exclusion_class("no such class", TODAY)


def test_parameters_have_a_value_on_every_day() -> None:
    names = ("acceptance_window_days", "future_tolerance_s", "pool_close_after_days", "correction_reserve_ppm")
    assert [STANDARD.parameter(name, TODAY) for name in names] == [400, 300, 7, 50_000]
    assert [STANDARD.parameter(f"evidence_{tier}_percent", TODAY) for tier in EVIDENCE_TIERS] == [100, 100, 100, 50]
    assert STANDARD.parameter("conservative_bound", TODAY) == 1
    assert STANDARD.parameter("factor_review_grace_days", TODAY) == 365
    assert STANDARD.parameter("acceptance_window_days", date(2014, 12, 1)) == 400
    with pytest.raises(KeyError):
        STANDARD.parameter("no such parameter", TODAY)


def test_every_province_is_served_by_one_regional_grid() -> None:
    served = [code for grid in STANDARD.grids.values() for code in grid["provinces"]]
    provinces = [region.code for region in STANDARD.regions.values() if not region.parent]
    assert sorted(served) == sorted(provinces)
    for region in STANDARD.regions.values():
        assert (region.parent or region.code) in STANDARD.grids[region.grid]["provinces"]
    assert len(STANDARD.grids) == 7


def test_no_shipped_pack_credits_more_of_weak_evidence_than_the_standard() -> None:
    for one in STANDARD.packs:
        for rules in standard.pack_json(one)["rules"]:
            for tier, percent in rules["evidence_percent"].items():
                assert percent <= STANDARD.parameter(f"evidence_{tier}_percent", date.fromisoformat(rules["from"]))


def test_regions_are_the_provinces_and_prefectures_of_gb_t_2260() -> None:
    provinces = [region for region in STANDARD.regions.values() if not region.parent]
    prefectures = [region for region in STANDARD.regions.values() if region.parent and region.code.endswith("00")]
    counties = [region for region in STANDARD.regions.values() if not region.code.endswith("00")]
    assert (len(provinces), len(prefectures), len(counties)) == (31, 333, 32)
    for region in STANDARD.regions.values():
        assert len(region.code) == 6
        assert region.code.isdigit()
        assert region.parent in ("", region.code[:2] + "0000")
        assert region.parent == "" or region.parent in STANDARD.regions
        assert region.name_zh
        assert region.name_en[0].isupper()
    names = {code: (STANDARD.regions[code].name_zh, STANDARD.regions[code].name_en) for code in ("310000", "420100")}
    assert names == {"310000": ("上海市", "Shanghai"), "420100": ("武汉市", "Wuhan")}
    assert STANDARD.region("CN") is None  # an event happens somewhere
    assert STANDARD.region("310115") is None  # districts count in their city
    assert STANDARD.nation.code == "CN"


def test_approvals_are_for_demonstration_and_none_is_for_the_pool() -> None:
    for one in STANDARD.packs:
        for region in ("310000", "420100", "440300"):
            found = STANDARD.approval(one, region, "demonstration", TODAY)
            assert (found is None) == (one.code in POINTS_ONLY)  # nothing of theirs is ever pooled
            assert found is None or "示范" in found.body
            assert STANDARD.approval(one, region, "pool", TODAY) is None
            assert STANDARD.approval(one, region, "demonstration", date(2023, 12, 31)) is None


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_the_nearest_approval_counts_and_holds_until_its_last_day(tmp_path: Path) -> None:
    start = "approvals:\n"
    for region, body, end in (("420000", "Province", "2026-01-01"), ("420100", "City", "2025-01-01")):
        start += f"  - {{pack: cycling, version: 1.0.0, region: '{region}', use: pool, from: 2024-01-01, to: {end}"
        start += f", body: {body}, document: none}}\n"
    write(tmp_path, "approvals.yaml", start)
    loaded = standard.load(tmp_path)
    cycling = loaded.pack_version("cycling", "1.0.0")
    assert cycling

    def body(region: str, on: date) -> str:
        found = loaded.approval(cycling, region, "pool", on)
        return found.body if found else ""

    assert body("420100", date(2024, 6, 1)) == "City"
    assert body("420100", date(2025, 6, 1)) == "Province"
    assert body("420600", date(2024, 6, 1)) == "Province"
    assert body("420100", date(2026, 1, 1)) == ""
    assert body("310000", date(2024, 6, 1)) == ""


def test_the_canonical_document_is_what_is_hashed() -> None:
    for one in STANDARD.packs:
        document = standard.pack_json(one)
        assert rfc8785.dumps(document) == one.document
        assert hashlib.sha256(one.document).hexdigest() == one.content_sha256
        own = standard.SHIPPED / "methodologies" / one.code / "formula.py"
        assert own.exists() != ("shared_formula" in document)
        if own.exists():
            assert document["formula"] == own.read_text("utf-8")
        else:  # the shared one, about the one amount of this pack; its own words on top stay as they are
            shared = standard.SHIPPED / "methodologies" / "shared" / f"{document['shared_formula']}.py"
            [amount] = [fact["name"] for fact in document["facts"] if fact["kind"] == "integer"]
            words, functions = shared.read_text("utf-8").split("\n\n", 1)
            assert document["formula"] == words + "\n\n" + functions.replace("quantity", amount)
        used = {factor for table in document.get("bindings", {}).values() for factor in table.values()}
        assert set(document["factors"]) == used
        json.dumps(document, allow_nan=False)


def test_loading_twice_gives_the_same_hashes() -> None:
    assert [one.content_sha256 for one in standard.load().packs] == [one.content_sha256 for one in STANDARD.packs]


NEW_VALUE = """
factors:
  - id: travel.cycling_per_pkm
    name: {zh: 骑行, en: Cycling}
    unit: kgCO2e/pkm
    gas_basis: CO2e
    boundary: cradle-to-gate
    values:
      - {value: 0.0082, from: 2027-01-01, factor_id: TEST, status: provisional, caveat: {zh: 测试, en: a test}}
"""


def test_a_new_dated_value_leaves_the_past_alone(tmp_path: Path) -> None:
    write(tmp_path, "factors/new.yaml", NEW_VALUE)
    changed = standard.load(tmp_path)
    for on in (date(2024, 1, 1), date(2026, 12, 31)):
        assert metres(changed, on) == metres(STANDARD, on) == 477_700
    assert metres(changed, date(2027, 1, 1)) == 467_700
    assert metres(STANDARD, date(2027, 1, 1)) == 477_700
    hashes = [one.pack("cycling.v1", TODAY) for one in (changed, STANDARD)]
    assert len({one.content_sha256 for one in hashes if one}) == 2


def test_a_region_overrides_a_physical_parameter_without_touching_the_pack(tmp_path: Path) -> None:
    write(tmp_path, "factors/wuhan.yaml", NEW_VALUE.replace("{value: 0.0082", '{region: "420100", value: 0.0082'))
    changed = standard.load(tmp_path)
    assert metres(changed, date(2027, 1, 1), region="420100") == 467_700
    assert metres(changed, date(2027, 1, 1), region="310000") == 477_700


def test_a_cap_may_differ_by_region_and_year(tmp_path: Path) -> None:
    for name in ("methodology.yaml", "formula.py"):
        text = (standard.SHIPPED / "methodologies" / "cycling" / name).read_text("utf-8")
        text = text.replace("code: cycling", "code: strolling").replace("cycling.v1", "strolling.v1")
        caps = "caps:\n  - {region: '310000', from: 2025-01-01, daily_mg: 5, status: published}\n"
        write(tmp_path, f"methodologies/strolling/{name}", text.replace("caps:\n", caps))
    loaded = standard.load(tmp_path)
    strolling = loaded.pack("strolling.v1", TODAY)
    assert strolling

    def cap(region: str, on: date) -> int | None:
        return quantification.measure(loaded, strolling, loaded.regions[region], {"distance_m": 1}, on).daily_cap_mg

    assert cap("310000", date(2024, 12, 31)) == cap("420100", date(2025, 1, 1)) == 2_400_000
    assert cap("310000", date(2025, 1, 1)) == 5


def test_a_new_version_takes_over_on_its_first_day(tmp_path: Path) -> None:
    """The old version has to end first; past deeds keep it."""
    for version, start, end in (("1.0.0", "2024-01-01", "2027-01-01"), ("2.0.0", "2027-01-01", "")):
        for name in ("methodology.yaml", "formula.py"):
            text = (standard.SHIPPED / "methodologies" / "cycling" / name).read_text("utf-8")
            text = text.replace("code: cycling", "code: strolling").replace("cycling.v1", "strolling.v1")
            text = text.replace("version: 1.0.0", f"version: {version}")
            text = text.replace("in_force_from: 2024-01-01", f"in_force_from: {start}\nin_force_to: {end}")
            write(tmp_path, f"methodologies/strolling/{version}/{name}", text)
    loaded = standard.load(tmp_path)
    versions = [loaded.pack("strolling.v1", on) for on in (date(2026, 12, 31), date(2027, 1, 1))]
    assert [one.version for one in versions if one] == ["1.0.0", "2.0.0"]
    assert loaded.pack_version("strolling", "1.0.0") is versions[0]


def test_a_pack_can_be_read_in_both_languages() -> None:
    for one in STANDARD.packs:
        text = show.describe(STANDARD, one)
        assert one.name_zh in text
        assert one.name_en in text
        assert one.content_sha256 in text
        assert "def baseline_g" in text
        published = one.code in ("bus", "cycling", "ev_ride", "metro", "walking")
        assert ("no published worked example" in text) != published
        for factor in standard.pack_json(one)["factors"].values():
            assert factor["name"]["zh"] in text
            assert factor["values"][0]["factor_id"] in text
    for one in STANDARD.drafts:
        text = show.describe(STANDARD, one)
        for words in (one.name_zh, one.name_en, one.content_sha256, *standard.pack_json(one)["missing"].values()):
            assert words in text


# What cannot be said honestly is left out, and then a pack can never be approved for a pool.
UNSAID = {code: {"baseline", "project_emissions", "leakage"} for code in POINTS_ONLY} | {
    "walking": {"boundary", "leakage"},
    "e_invoice": {"project_emissions"},
    "used_electronics": {"project_emissions"},
}


def test_every_statement_is_made_in_both_languages() -> None:
    for one in STANDARD.packs:
        statements = standard.pack_json(one)["statements"]
        names = {"boundary", "baseline", "regulatory_surplus", "project_emissions", "leakage", "choice", "evidence"}
        assert set(statements) == names - UNSAID.get(one.code, set())
        assert all(text["zh"] and text["en"] for text in statements.values())
        if "baseline" in statements:
            assert statements["baseline"]["source"]
            assert statements["baseline"]["dated_on"]
    for one in STANDARD.drafts:
        for text in standard.pack_json(one)["statements"].values():
            assert text["zh"]
            assert text["en"]


def test_the_reference_page_says_what_the_verdicts_say() -> None:
    page = (standard.SHIPPED / "README.md").read_text("utf-8")
    for code, (zh, en) in REASONS.items():
        assert f"| `{code}` | `{CODES[code]}` | {zh} | {en} |" in page
    listed = [line.split("`")[1] for line in page[page.index("| code | verdict") :].splitlines()[2:] if "`" in line]
    assert listed == list(CODES)
    for basis in units.GAS_BASES:
        assert f"`{basis}`" in page
    [atoms] = [line for line in page.splitlines() if line.startswith("单位 units: ")]
    assert set(units.known()) - {f"{mass}{gas}" for mass in ("mg", "g", "kg", "t") for gas in ("CO2", "CO2e")} <= {
        atom for quoted in atoms.split("`")[1::2] for atom in quoted.split(" ")
    }


def test_a_table_of_regions_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, "regions.csv", "code,name_zh,name_en,parent,timezone\n999900,某市,Somewhere,990000,Mars/Olympus\n")
    with pytest.raises(standard.StandardError, match=r"regions\.csv.*Mars/Olympus"):
        standard.load(tmp_path)


def test_a_class_in_which_a_whole_deed_could_hide_in_another_is_a_mistake() -> None:
    lax = ExclusionClass("feet", jitter_s=60, overlap_tolerance_s=60)
    assert standard._hides_a_deed(lax, shortest_s=60)
    assert not standard._hides_a_deed(lax, shortest_s=61)
    assert not standard._hides_a_deed(replace(lax, overlap_share_percent=85), shortest_s=60)
