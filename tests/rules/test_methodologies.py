"""The shipped packs: their worked examples, and every number of theirs where it was taken from."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rules import quantification, standard, units
from rules.model import Measurement

STANDARD = standard.load()
SHARED = Path(os.environ.get("TANPUHUI_SHARED") or Path(__file__).parents[3] / "shared") / "factors"
CASES = [result for pack in STANDARD.packs for result in STANDARD.run_cases(pack)]
shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the source tables are not at {SHARED}")


@pytest.mark.parametrize("result", CASES, ids=lambda result: f"{result.case.pack.code}-{result.case.id}")
def test_every_worked_example_holds_to_its_sources_precision(result: standard.CaseResult) -> None:
    assert result.ok, str(result)


def test_published_and_merely_derived_examples_are_told_apart() -> None:
    kinds = {(result.case.pack.code, result.case.kind) for result in CASES}
    assert {("cycling", "published"), ("metro", "published")} <= kinds
    assert {code for code, kind in kinds if kind == "published"} == {"cycling", "metro"}


@pytest.mark.parametrize("pack", STANDARD.packs, ids=lambda pack: pack.code)
def test_a_pack_without_a_published_example_says_so(pack: standard.Pack) -> None:
    text = (standard.SHIPPED / "methodologies" / pack.code / "README.md").read_text("utf-8")
    published = any(result.case.kind == "published" for result in CASES if result.case.pack is pack)
    assert ("no published worked example" in text) != published
    assert pack.status == "provisional"
    assert all(standard.pack_json(pack)["status_reason"].values())


@shared
def test_examples_taken_from_the_table_carry_its_expectation_and_precision() -> None:
    golden = {case["case_id"]: case for case in json.loads((SHARED / "worked_examples_golden.json").read_text("utf-8"))}
    taken = [result.case for result in CASES if result.case.id in golden and result.case.at_least != 0]
    assert {case.id for case in taken} >= {
        *("CYC-02", "MET-01", "MET-02", "PLS-01", "PLS-02", "PLS-03"),
        *("REC-W-PET", "REC-W-HDPE", "REC-W-ALUMINUM", "REC-W-PP"),
    }
    for case in taken:
        if case.id == "CYC-03":  # a mean of a whole fleet: used as an upper bound
            assert case.at_most == Fraction(str(golden[case.id]["expected"]))
            continue
        expected, tolerance = (Fraction(str(golden[case.id][name])) for name in ("expected", "rel_tol"))
        grams = units.parse(golden[case.id]["unit"].removesuffix(" avoided").replace("CO2/kg", "CO2e/kg")).scale
        amount = Fraction(1000 if case.id.startswith("REC") else 1)  # the table speaks of a kilogram, the case has one
        if case.id in ("PLS-01", "PLS-02"):  # the table speaks of 100 boxes, an order has at most 20
            amount = Fraction(20, 100)
        assert (case.at_least, case.at_most) == (
            expected * grams * amount * (1 - tolerance),
            expected * grams * amount * (1 + tolerance),
        ), case.id


def test_a_day_by_metro_bus_and_bike_adds_up_to_the_published_sum() -> None:
    parts = {result.case.id: result.reduction_mg for result in CASES if result.case.id.startswith("CITY-01")}
    by_bus_mg = (239 - 53) * 3 * 1000  # no bus pack yet: 3 km at 0.239 - 0.053 kg
    assert sum(parts.values()) + by_bus_mg == 3_091_600


def rows() -> Iterator[dict[str, str]]:
    for name in ("transport", "recycling_waste", "packaging_plastics", "grid_cn"):
        with (SHARED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row | {"id": row["factor_id"]}
    with (SHARED / "behaviour_published_values.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


OUR_OWN = {"definition", "CITY-01"}  # a ratio of something to itself; a share of one in an example that knows no shares
IN_WORDS = {"MT.BIKE.2021": ("23%", "0.23"), "BJ.CAR.2019": ("5.98", "5.98"), "BJ.METRO.2019": ("1.35", "1.35")}


@shared
def test_no_number_is_invented() -> None:
    """Every value of a factor stands, with the same unit, tier and id, in the table it is said to come from."""
    known = {row["id"]: row for row in rows()}
    for factor in STANDARD.factors.values():
        for value in factor.document["values"]:
            check_value(factor, value, known)


def check_value(factor: standard.Factor, value: dict[str, Any], known: dict[str, dict[str, str]]) -> None:
    name = value["factor_id"]
    if name in OUR_OWN:
        assert value["value"] == "1"
        assert value["status"] == "provisional"
        return
    row = known[name]
    if name in IN_WORDS:
        printed, number = IN_WORDS[name]
        assert value["value"] == number
        assert printed in " ".join(row.values())
    elif name.startswith("CN.GRID"):
        nation = known[name[: name.rindex(".")] + ".全国"]
        assert (value["value"], value["per"], value["tier"]) == (row["value"], nation["value"], row["tier"])
        assert STANDARD.regions[value["region"]].name_zh.startswith(row["item"].removeprefix("province:"))
    else:
        ours, theirs = units.parse(factor.unit), units.parse(row["unit"])
        assert Fraction(value["value"]) * ours.scale == Fraction(row["value"]) * theirs.scale, name
        assert ours.dimension == theirs.dimension, name
        assert value["tier"] == row["tier"]
        assert value.get("boundary", factor.boundary) in row["boundary"]


@shared
def test_every_tariff_is_as_its_platform_printed_it() -> None:
    known = {row["id"]: row for row in rows()}
    assert {tariff.value.region for tariff in STANDARD.tariffs} == {"110000", "310000", "420100", "440300"}
    for tariff in STANDARD.tariffs:
        row = known[tariff.document["id"]]
        assert tariff.document["value"] == row["value"]
        assert tariff.document["provider"] == row["provider"]
        assert tariff.document["as_printed"].startswith(f"{row['value']} {row['unit'].split(' (')[0].split(',')[0]}")


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


def test_every_region_can_be_measured_in_every_month_from_the_packs_first_day() -> None:
    for region in STANDARD.regions:
        for year in (2024, 2025, 2026, 2027):
            on = date(year, 1, 1)
            assert measured("metro.v1", region=region, on=on, distance_m=10_000).reduction_mg > 0
            assert measured("cycling.v1", region=region, on=on, distance_m=10_000).reduction_mg == 477_700
