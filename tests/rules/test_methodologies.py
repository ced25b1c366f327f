"""The shipped packs: their worked examples against the table of them, drafts, points, and the caps of a day."""

from __future__ import annotations

import json
import os
import re
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rules import coverage, quantification, standard, units
from rules.cases import Case, CaseResult
from rules.model import Fact, Measurement, Pack

STANDARD = standard.load()
SHARED = Path(os.environ.get("TANPUHUI_SHARED") or Path(__file__).parents[3] / "shared") / "factors"
CASES = [result for pack in STANDARD.packs for result in STANDARD.run_cases(pack)]
RESULTS = {result.case.id: result for result in CASES}
MEASURING = [pack for pack in STANDARD.packs if not pack.points_only]
POINTS_ONLY = [pack for pack in STANDARD.packs if pack.points_only]
PUBLISHED = {"bus", "cycling", "ev_ride", "metro", "walking"}  # with an example that somebody printed
shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the source tables are not at {SHARED}")


@pytest.mark.parametrize("result", CASES, ids=lambda result: f"{result.case.pack.code}-{result.case.id}")
def test_every_worked_example_holds_to_its_sources_precision(result: CaseResult) -> None:
    assert result.ok, str(result)


def test_no_two_worked_examples_have_one_name_and_every_pack_has_one() -> None:
    assert len(RESULTS) == len(CASES)
    assert {result.case.pack.code for result in CASES} == {pack.code for pack in STANDARD.packs}


def test_published_and_merely_derived_examples_are_told_apart() -> None:
    kinds = {(result.case.pack.code, result.case.kind) for result in CASES}
    assert {("cycling", "published"), ("metro", "published")} <= kinds
    assert {code for code, kind in kinds if kind == "published"} == PUBLISHED
    measuring = {result.case.pack.code for result in CASES if result.case.measures == "reduction"}
    assert measuring == {pack.code for pack in MEASURING}
    for result in CASES:  # nothing that we computed ourselves is called published, and the other way round
        assert (result.case.kind == "published") == result.case.origin.startswith("published") or (
            result.case.kind == "cross-source"
        ), result.case.id


def readme(pack: Pack) -> str:
    return (standard.SHIPPED / "methodologies" / pack.code / "README.md").read_text("utf-8")


@pytest.mark.parametrize("pack", STANDARD.packs, ids=lambda pack: pack.code)
def test_a_pack_without_a_published_example_says_so(pack: Pack) -> None:
    published = any(result.case.kind == "published" for result in CASES if result.case.pack is pack)
    assert ("no published worked example" in readme(pack)) != published
    assert ("没有公布的算例" in readme(pack)) != published
    assert pack.status == "provisional"
    assert all(standard.pack_json(pack)["status_reason"].values())


@pytest.mark.parametrize("pack", STANDARD.drafts, ids=lambda pack: pack.code)
def test_a_draft_says_what_is_missing_and_can_credit_nothing(pack: Pack) -> None:
    document = standard.pack_json(pack)
    assert "no published worked example" in readme(pack)
    assert pack.status == "draft"
    assert all(document["status_reason"].values())
    assert document["missing"]["zh"]
    assert document["missing"]["en"]
    assert not {"facts", "formula", "factors", "in_force_from"} & set(document)
    assert STANDARD.has_type(pack.event_type)
    assert STANDARD.pack(pack.event_type, date(2026, 6, 1)) is None
    assert STANDARD.cases_of(pack) == []


@pytest.mark.parametrize("pack", POINTS_ONLY, ids=lambda pack: pack.code)
def test_a_pack_that_sets_points_only_measures_nothing_and_pays_by_a_printed_tariff(pack: Pack) -> None:
    document = standard.pack_json(pack)
    assert document["shared_formula"] == "nothing_measured"
    assert document["factors"] == {}
    assert pack.gas_basis == "unstated"
    assert {result.reduction_mg for result in CASES if result.case.pack is pack} == {0}
    assert {result.case.measures for result in CASES if result.case.pack is pack} == {"points"}
    assert any(tariff.pack_code == pack.code for tariff in STANDARD.tariffs)
    assert "减排量 = 0；积分" in readme(pack)
    assert "reduction = 0; points" in readme(pack)


def test_the_working_list_and_the_packs_name_each_other() -> None:
    listed = coverage.behaviours()
    assert [row["n"] for row in listed] == list(range(1, 41))
    packs = {pack.code for pack in STANDARD.methodologies}
    assert {code for row in listed for code in row["packs"]} == packs
    categories = {pack.code: pack.category for pack in STANDARD.methodologies}
    found = {(code, row["category"]) for row in listed for code in row["packs"]}
    crossing = {(code, category) for code, category in found if categories[code] != category}
    assert crossing == {("plastic_substitution", "food")}  # a takeaway box is a matter of goods and of food


# --- the table of worked examples -------------------------------------------------------------------------------------

# Examples that only bound a result from above, or from below: totals of a whole fleet or company, other sources.
BOUNDS = {"CYC-03": "at_most", "CYC-10 bound": "at_least", "REC-MT-23": "at_most", "PLS-09": "at_most"}
# Examples whose table row is a sum over several packs, or a ratio of two cases.
SUMS = {
    "CITY-01": ("CITY-01 rail", "CITY-01 bus", "CITY-01 bike"),
    "DIG-01": ("DIG-01 statements", "DIG-01 payments"),
}
RATIOS = {"ELE-T1": ("ELE-T1 2021", "ELE-T1 2022")}
# Examples made by the table's own expression with other numbers put in, those of another place or kind.
OTHER_INPUTS = {"ELE-01 Inner Mongolia": {"ef": "0.6479"}, "FOD-02 unknown": {"beef": "1.11"}}
PER = {"kg": ("mass_g", 1000), "km": ("distance_m", 1000)} | dict.fromkeys(("meal", "order", "pair"), ("count", 1))


def golden_table() -> dict[str, dict[str, Any]]:
    cases = json.loads((SHARED / "worked_examples_golden.json").read_text("utf-8"))
    assert len({case["case_id"] for case in cases}) == len(cases)
    return {case["case_id"]: case for case in cases}


def exact(number: object) -> Fraction:
    return Fraction(str(number))


def grams(row: dict[str, Any], case: Case) -> Fraction:
    """What one of the table's unit is in the grams of a case: per kilogram of the case's kilograms, and so on."""
    unit = row["unit"].removesuffix(" avoided")
    above, _, below = re.sub(r"^t$", "tCO2", unit).partition("/")
    scale = units.parse(above).scale
    if below:
        fact, base = PER[below.split()[0]]
        return scale * int(case.facts[fact]) / base
    if row["case_id"] == "REC-CARTON":  # the table speaks of all cartons of the company, the case of one
        return scale * int(case.facts["count"]) / exact(row["inputs"]["n"])
    if row["case_id"].startswith("PLS"):  # the table speaks of 100 boxes, an order has at most 20
        return scale * int(case.facts["count"]) / row["inputs"]["n"]
    return scale


def span(value: Fraction, row: dict[str, Any]) -> tuple[Fraction, Fraction]:
    tolerance = exact(row["rel_tol"])
    return value * (1 - tolerance), value * (1 + tolerance)


@shared
def test_every_example_of_the_table_is_in_a_pack_or_left_out_for_a_reason() -> None:
    golden, left = golden_table(), coverage.left_out()
    used = {name.split(" ")[0] for name in RESULTS} & set(golden)
    given_up = {row["id"] for row in left}
    assert len(golden) == 48
    assert len(left) == len(given_up)
    assert given_up <= set(golden)
    assert sorted(set(golden) - used - given_up) == []
    assert sorted(used & given_up) == []
    codes = {pack.code for pack in STANDARD.methodologies}
    for row in left:
        assert row["pack"] in codes | {""}
        assert row["reason"]["zh"]
        assert row["reason"]["en"]


@shared
def test_examples_taken_from_the_table_carry_its_expectation_and_precision() -> None:
    golden = golden_table()
    taken = [result.case for result in CASES if result.case.id in golden]
    assert {case.id for case in taken} >= {
        *("CYC-02", "MET-01", "MET-02", "PLS-01", "PLS-02", "PLS-03", "PLS-04"),
        *("REC-W-PET", "REC-W-HDPE", "REC-W-ALUMINUM", "REC-W-PP", "REC-LZ-01", "REC-CARTON"),
        *("BUS-01", "WLK-01", "FOD-01", "FOD-02", "ELE-01"),
    }
    for case in taken:
        expected = exact(golden[case.id]["expected"]) * grams(golden[case.id], case)
        if case.id in BOUNDS:
            assert getattr(case, BOUNDS[case.id]) == expected, case.id
        else:
            assert (case.at_least, case.at_most) == span(expected, golden[case.id]), case.id
        if case.kind == "published":
            assert case.origin == golden[case.id]["expected_origin"]


@shared
def test_examples_that_are_parts_of_one_of_the_table_add_up_to_it() -> None:
    golden = golden_table()
    for name, parts in SUMS.items():
        cases = [RESULTS[part].case for part in parts]
        expected = exact(golden[name]["expected"]) * units.parse(golden[name]["unit"]).scale
        sums = sum(case.at_least for case in cases), sum(case.at_most for case in cases)
        assert sums == span(expected, golden[name])
    for name, (above, below) in RATIOS.items():
        ratio = RESULTS[above].value / RESULTS[below].value
        low, high = span(exact(golden[name]["expected"]), golden[name])
        assert low <= ratio <= high
    for name, other in OTHER_INPUTS.items():
        row = golden[name.split(" ")[0]]
        expected = by_expression(row["expression"], row["inputs"] | other) * grams(row, RESULTS[name].case)
        assert (RESULTS[name].case.at_least, RESULTS[name].case.at_most) == span(expected, row)
    low = exact(golden["CYC-10"]["expected"])
    assert RESULTS["CYC-10 bound"].case.at_least == low
    known = {part for several in (*SUMS.values(), *RATIOS.values()) for part in several}
    named = {name for name in RESULTS if name.split(" ")[0] in golden and name not in golden}
    assert named == known | set(OTHER_INPUTS) | {"CYC-10 bound"}


def by_expression(text: str, inputs: dict[str, object]) -> Fraction:
    """The table's expression with numbers put in; of products and differences only."""
    [first, *others] = text.split("-")
    values = []
    for product in (first, *others):
        value = Fraction(1)
        for name in product.split("*"):
            value *= exact(inputs[name])
        values.append(value)
    return values[0] - sum(values[1:])


def test_a_day_by_metro_bus_and_bike_adds_up_to_the_published_sum() -> None:
    parts = {result.case.id: result.reduction_mg for result in CASES if result.case.id.startswith("CITY-01")}
    assert parts == {"CITY-01 rail": 2_070_000, "CITY-01 bus": 558_000, "CITY-01 bike": 463_600}
    assert sum(parts.values()) == 3_091_600


def measured(event_type: str, region: str = "310000", on: date = date(2025, 6, 1), **facts: int | str) -> Measurement:
    pack = STANDARD.pack(event_type, on)
    assert pack
    return quantification.measure(STANDARD, pack, STANDARD.regions[region], facts, on)


def test_a_substitute_that_emits_more_is_negative_and_earns_nothing() -> None:
    carton = measured("plastic_substitution.v1", item="express_carton", count=3)
    assert carton.reduction_mg == -849_072
    assert carton.points_micro == 0


def test_recycling_is_set_against_the_lower_baseline_for_every_material() -> None:
    pack = STANDARD.pack("recycling.v1", date(2025, 6, 1))
    assert pack
    table = {key: value for key, value in STANDARD.factors.items() if key.startswith("waste.")}
    numbers = {key: factor.values[0].number for key, factor in table.items()}
    for material in next(fact.values for fact in pack.facts if fact.name == "material"):
        lower = min(numbers[f"waste.landfill.{material}"], numbers[f"waste.combustion.{material}"])
        expected = (lower - numbers[f"waste.recycling.{material}"]) * 1_000_000
        assert measured("recycling.v1", material=material, mass_g=1000).reduction_mg == expected > 0


def test_the_days_caps_are_what_they_say_they_are() -> None:
    """About 50 km by bike, 120 km by metro, 10 kg of board, 20 uses of a box."""
    amounts = [
        measured("cycling.v1", distance_m=50_000),
        measured("metro.v1", region="540100", distance_m=120_000),
        measured("recycling.v1", material="CORRUGATED", mass_g=10_000),
        measured("plastic_substitution.v1", item="express_loopbox", count=20),
    ]
    for one in amounts:
        assert one.daily_cap_mg is not None
        assert 0.9 * one.daily_cap_mg < one.reduction_mg <= one.daily_cap_mg


NATION_2026 = date(2026, 6, 1)
# What the caveat of a day's cap says that it comes to, in a region where the caveat's number holds.
DAYS: list[tuple[str, list[dict[str, int | str]]]] = [
    ("bus", [{"distance_m": 60_000}]),
    ("carpool", [{"distance_m": 200_000, "occupants": "4"}]),
    ("carton_reuse", [{"count": 20}]),
    ("cycling", [{"distance_m": 50_000}]),
    ("e_invoice", [{"count": 20}]),
    ("ebike", [{"distance_m": 50_000}]),
    ("efficient_appliance", [{"energy_wh": 200_000}]),
    ("electricity_saving", [{"energy_wh": 1_000_000}]),
    ("ev_ride", [{"distance_m": 100_000}]),
    ("high_speed_rail", [{"distance_m": 3_000_000}]),
    ("hotel_no_amenities", [{"count": 3}]),
    ("metro", [{"distance_m": 120_000}]),
    ("no_cutlery", [{"count": 5}]),
    ("own_bike", [{"distance_m": 25_000}]),
    ("plant_meal", [{"replaced": "beef", "count": 3}]),
    ("plastic_substitution", [{"item": "express_loopbox", "count": 20}]),
    ("recycled_fibre", [{"fibre": "cotton_yarn", "mass_g": 5000}]),
    ("recycling", [{"material": "CORRUGATED", "mass_g": 10_000}]),
    ("rooftop_pv", [{"energy_wh": 10_000_000}]),
    ("small_portion", [{"mass_g": 200}] * 3),
    ("used_clothes", [{"mass_g": 50_000}]),
    ("used_electronics", [{"device": "phone", "count": 1}, {"device": "fridge", "count": 1}]),
    ("water_saving", [{"volume_l": 30_000}]),
]


@pytest.mark.parametrize(("code", "day"), DAYS, ids=lambda part: part if isinstance(part, str) else "")
def test_the_days_cap_of_every_pack_is_what_its_caveat_says(code: str, day: list[dict[str, int | str]]) -> None:
    pack = STANDARD.pack(f"{code}.v1", NATION_2026)
    assert pack
    one = [quantification.measure(STANDARD, pack, STANDARD.nation, facts, NATION_2026) for facts in day]
    cap = one[0].daily_cap_mg
    assert cap is not None
    assert 0.9 * cap < sum(part.reduction_mg for part in one) < 1.01 * cap
    assert one[0].daily_points is None
    for facts in day:  # a day that the caveat speaks of can be sent in records that are believed
        assert all(fact.maximum is None or int(facts[fact.name]) <= fact.maximum for fact in numbers_of(pack))


def numbers_of(pack: Pack) -> list[Fact]:
    return [fact for fact in pack.facts if fact.kind == "integer"]


def test_every_measuring_pack_has_its_day_here() -> None:
    assert {code for code, _ in DAYS} == {pack.code for pack in MEASURING}


@pytest.mark.parametrize(
    ("code", "region", "amount", "points"),
    [
        ("clean_plate", "110000", 3, 1347),
        ("e_card", "CN", 2, 178),
        ("e_statement", "CN", 12, 288),
        ("own_bag", "420100", 5, 25),
        ("utility_payment", "CN", 6, 534),
        ("walking", "420000", 15_000, 300),
    ],
)
def test_the_days_points_of_a_pack_that_sets_points_only_are_what_its_caveat_says(
    code: str, region: str, amount: int, points: int
) -> None:
    assert code in {pack.code for pack in POINTS_ONLY}
    pack = STANDARD.pack(f"{code}.v1", NATION_2026)
    assert pack
    [fact] = pack.facts
    place = STANDARD.regions.get(region, STANDARD.nation)
    one = quantification.measure(STANDARD, pack, place, {fact.name: amount}, NATION_2026)
    assert (one.daily_points, one.points_micro, one.daily_cap_mg) == (points, points * 1_000_000, None)


def test_every_pack_that_sets_points_only_has_a_cap_of_points() -> None:
    assert len(POINTS_ONLY) == 6
    for pack in POINTS_ONLY:
        assert all("daily_points" in cap and "daily_mg" not in cap for cap in standard.pack_json(pack)["caps"])


@pytest.mark.parametrize("pack", MEASURING, ids=lambda pack: pack.code)
def test_every_pack_can_be_measured_in_every_province_in_every_year_from_its_first_day(pack: Pack) -> None:
    choices = next((sorted(fact.values) for fact in pack.facts if fact.name == pack.selector), [""])
    provinces = [region for region in STANDARD.regions.values() if not region.parent]
    for region in (STANDARD.nation, *provinces):
        for on in (pack.in_force_from, date(2025, 1, 1), date(2026, 1, 1), date(2027, 12, 31)):
            for choice in choices:
                amount = {fact.name: fact.maximum or 1000 for fact in numbers_of(pack)}
                facts = amount | ({pack.selector: choice} if choice else {})
                one = quantification.measure(STANDARD, pack, region, facts, on)
                assert (one.reduction_mg > 0) == ((pack.code, choice) != ("plastic_substitution", "express_carton"))


def test_every_region_can_be_measured_in_every_month_from_the_packs_first_day() -> None:
    for region in STANDARD.regions:
        for year in (2024, 2025, 2026, 2027):
            on = date(year, 1, 1)
            assert measured("metro.v1", region=region, on=on, distance_m=10_000).reduction_mg > 0
            assert measured("cycling.v1", region=region, on=on, distance_m=10_000).reduction_mg == 477_700
