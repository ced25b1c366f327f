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

from rules import bands, coverage, quantification, standard, units
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
    published = {"cycling", "metro", "bus", "walking", "ev_ride"}
    assert {code for code, kind in kinds if kind == "published"} == published
    measuring = {result.case.pack.code for result in CASES if result.case.measures == "reduction"}
    assert measuring == {pack.code for pack in STANDARD.packs if not pack.points_only}


@pytest.mark.parametrize("pack", STANDARD.packs, ids=lambda pack: pack.code)
def test_a_pack_without_a_published_example_says_so(pack: standard.Pack) -> None:
    text = (standard.SHIPPED / "methodologies" / pack.code / "README.md").read_text("utf-8")
    published = any(result.case.kind == "published" for result in CASES if result.case.pack is pack)
    assert ("no published worked example" in text) != published
    assert pack.status == "provisional"
    assert all(standard.pack_json(pack)["status_reason"].values())


GOLDEN = SHARED / "worked_examples_golden.json"
# Cases that hold another amount than the table: id -> how many of it.
AMOUNTS = {"PLS-01": Fraction(20, 100), "PLS-02": Fraction(20, 100), "REC-LZ-01": Fraction(1)}


def golden() -> dict[str, dict[str, Any]]:
    return {case["case_id"]: case for case in json.loads(GOLDEN.read_text("utf-8"))}


@shared
def test_every_worked_example_of_the_sources_is_expressed_or_left_out_for_a_reason() -> None:
    expressed = {result.case.id.split(" ")[0] for result in CASES}
    left_out = {one["id"]: one["reason"] for one in coverage.left_out()}
    assert golden().keys() - expressed - left_out.keys() == set()
    assert expressed & left_out.keys() == set()
    assert all(reason["zh"] and reason["en"] for reason in left_out.values())


@shared
def test_examples_taken_from_the_table_carry_its_expectation_and_precision() -> None:
    table = golden()
    exact = 0
    for case in (result.case for result in CASES if result.case.id in golden()):
        unit = table[case.id]["unit"].removesuffix(" avoided").replace("CO2/kg", "CO2e/kg").split("/")[0].split(" ")[0]
        if unit not in ("g", "kg", "gCO2", "kgCO2", "gCO2e", "kgCO2e"):
            continue
        expected, tolerance = (Fraction(str(table[case.id][name])) for name in ("expected", "rel_tol"))
        expected *= units.parse(unit).scale * AMOUNTS.get(case.id, Fraction(1))
        if (case.at_least, case.at_most) == (expected * (1 - tolerance), expected * (1 + tolerance)):
            exact += 1
        else:  # used as a bound, or to the digits that a factor was printed with: never beyond what the source says
            assert (
                expected * (1 + tolerance) in (case.at_least, case.at_most) or case.at_least <= expected <= case.at_most
            ), case.id
    assert exact >= 15


def test_a_day_by_metro_bus_and_bike_adds_up_to_the_published_sum() -> None:
    parts = {result.case.id: result.reduction_mg for result in CASES if result.case.id.startswith("CITY-01")}
    assert sum(parts[f"CITY-01 {part}"] for part in ("rail", "bus", "bike")) == 3_091_600


def rows() -> Iterator[dict[str, str]]:
    for path in sorted(SHARED.glob("*.csv")):
        if path.name not in ("behaviour_coverage_40.csv", "gwp.csv"):
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    yield row | {"id": row.get("factor_id") or row["id"]}


# Printed in words or as two totals: where, and the number made of it.
IN_WORDS = {
    "MT.BIKE.2021": ("23%", "0.23"),
    "MT.EBIKE.2021": ("31%", "0.31"),
    "BJ.CAR.2019": ("5.98", "5.98"),
    "BJ.METRO.2019": ("1.35", "1.35"),
}


@shared
def test_no_number_is_invented() -> None:
    """Every value of a factor stands, with the same unit, tier and id, in the table it is said to come from."""
    known = {row["id"]: row for row in rows()}
    own = set()
    for factor in STANDARD.factors.values():
        for value in factor.document["values"]:
            if value["factor_id"] in known:
                check_value(factor, value, known)
            else:
                own.add(value["factor_id"])
                assert value["status"] == "provisional"
                assert all(value["caveat"].values())
    assert own == {"definition", "CITY-01", "FOD-01", "DIG-02", "OWN.CLOTHES.DISPLACEMENT"}


def check_value(factor: standard.Factor, value: dict[str, Any], known: dict[str, dict[str, str]]) -> None:
    name = value["factor_id"]
    row = known[name]
    if name in IN_WORDS:
        printed, number = IN_WORDS[name]
        assert value["value"] == number
        assert printed in " ".join(row.values())
    elif factor.id == "energy.grid_relative":
        nation = known[name[: name.rindex(".")] + ".全国"]
        assert (value["value"], value["per"], value["tier"]) == (row["value"], nation["value"], row["tier"])
        assert STANDARD.regions[value["region"]].name_zh.startswith(row["item"].removeprefix("province:"))
    else:
        printed = row["unit"].split(",")[0].replace(" (ratio of totals)", "")
        for word in ("meal", "order", "transaction"):
            printed = printed.replace(f"/{word}", "/use")
        ours, theirs = (
            units.parse(factor.unit),
            units.parse(printed if "CO2" in printed else f"{printed.replace('g/', 'gCO2e/')}"),
        )
        assert (
            Fraction(value["value"]) / Fraction(value["per"]) * ours.scale == Fraction(row["value"]) * theirs.scale
        ), name
        assert bands.plain(ours.dimension) == bands.plain(theirs.dimension), name
        assert value["tier"] == row["tier"].split(" ")[0]
        assert value.get("boundary", factor.boundary) in row.get("boundary", value.get("boundary", factor.boundary)), (
            name
        )


@shared
def test_every_tariff_is_as_its_platform_printed_it() -> None:
    known = {row["id"]: row for row in rows()}
    for tariff in STANDARD.tariffs:
        document, row = tariff.document, known[tariff.document["id"]]
        per = Fraction(document.get("per") or 1)
        assert Fraction(document["value"]) / per == Fraction(row["value"]) / (500 if "500 steps" in row["unit"] else 1)
        assert document["provider"] == row["provider"]
        place = STANDARD.regions.get(tariff.value.region, STANDARD.nation).name_zh
        assert row["region"] == "CN" or place.removesuffix("市").removesuffix("省") in row["region"]
        assert document["as_printed"].startswith(
            row["value"].rstrip("0").rstrip(".") if "." in row["value"] else row["value"]
        )


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
