"""Every number of the shipped packs where it was taken from: the source tables, the working list, the platforms."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rules import standard, units

STANDARD = standard.load()
SHARED = Path(os.environ.get("TANPUHUI_SHARED") or Path(__file__).parents[3] / "shared") / "factors"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the source tables are not at {SHARED}")


def rows() -> Iterator[dict[str, str]]:
    for path in sorted(SHARED.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if name := row.get("factor_id") or row.get("id"):
                    yield row | {"id": name}


def table() -> dict[str, dict[str, str]]:
    found = list(rows())
    known = {row["id"]: row for row in found}
    assert len(known) == len(found)
    return known


# Our own: a ratio of something to itself, one over the people in a car; a share of one in an example that knows no
# shares; no displacement, for want of a published rate. With what their values may be.
OUR_OWN = {"definition": "1", "CITY-01": "1", "OWN.CLOTHES.DISPLACEMENT": "0"}
# What the sources say in words: what is printed there, our value, over what.
IN_WORDS = {
    "MT.BIKE.2021": ("23% of riders replace a private car", "0.23", "1"),
    "MT.EBIKE.2021": (">31% replace car-based modes", "0.31", "1"),
    "BJ.CAR.2019": ("5.98 kg / 22 km", "5.98", "22"),
    "BJ.METRO.2019": ("1.35 kg / 22 km", "1.35", "22"),
}
GAS_BASES = {"CO2e (label in database)": "CO2e", "CO2e (AR4: CH4 25, N2O 298)": "CO2e-AR4"}


def printed_unit(text: str) -> units.Unit:
    """A unit as the sources write it, in ours: an order, a meal or a transaction is one use; g of a platform, gCO2e."""
    plain = re.split(r",| \(", text)[0]
    return units.parse(re.sub("^g/", "gCO2e/", re.sub("order|meal|transaction", "use", plain)))


def test_no_number_is_invented() -> None:
    """Every value of a factor stands, with the same unit, tier and id, in the table it is said to come from."""
    known = table()
    for factor in STANDARD.factors.values():
        for value in factor.document["values"]:
            assert value["status"] == "provisional"  # nothing here was accepted by a competent body yet
            assert value["caveat"]["zh"]
            assert value["caveat"]["en"]
            assert value["tier"] != "own" or value["factor_id"] in OUR_OWN
            check_value(factor, value, known)


def check_value(factor: standard.Factor, value: dict[str, Any], known: dict[str, dict[str, str]]) -> None:
    name = value["factor_id"]
    if name in OUR_OWN:
        assert value["value"] == OUR_OWN[name]
        assert value["per"] == "1" or factor.id == f"travel.share_of_vehicle_{value['per']}"
    elif name == "FOD-01":  # the table of worked examples: 3.3e9 t of 1.6e9 t
        inputs = example(name)["inputs"]
        assert Fraction(value["value"]) / Fraction(value["per"]) == Fraction(inputs["co2"]) / Fraction(inputs["t"])
        assert value["tier"] == example(name)["tier"]
    elif name == "DIG-02":  # the working list: 98.7 % of it is the trip
        assert "98.7% of it is avoided travel" in working_list()[name]["gap"]
        assert Fraction(value["value"]) / Fraction(value["per"]) == 1 - Fraction("98.7") / 100
        assert value["tier"] == "U"
    elif name in IN_WORDS:
        printed, *number = IN_WORDS[name]
        assert [value["value"], value["per"]] == number
        assert printed in " ".join(known[name].values())
        assert value["tier"] == known[name]["tier"]
    elif name.startswith("CN.GRID"):
        check_grid(factor, value, known)
    else:
        check_row(factor, value, known[name])


def example(name: str) -> dict[str, Any]:
    cases = json.loads((SHARED / "worked_examples_golden.json").read_text("utf-8"))
    return next(case for case in cases if case["case_id"] == name)


def working_list() -> dict[str, dict[str, str]]:
    with (SHARED / "behaviour_coverage_40.csv").open(encoding="utf-8", newline="") as file:
        return {row["worked_example"]: row for row in csv.DictReader(file)}


def check_grid(factor: standard.Factor, value: dict[str, Any], known: dict[str, dict[str, str]]) -> None:
    """A grid's factor as announced, or that over the nation's of the same year."""
    row = known[value["factor_id"]]
    nation = known[value["factor_id"][: value["factor_id"].rindex(".")] + ".全国"]
    per = {"energy.grid_average": "1", "energy.grid_relative": nation["value"]}[factor.id]
    assert (value["value"], value["per"], value["tier"]) == (row["value"], per, row["tier"])
    kind, _, name = row["item"].partition(":")
    where = {
        "province": lambda: STANDARD.regions[value["region"]].name_zh.startswith(name),
        "region": lambda: STANDARD.grids[value["region"]]["name"]["zh"] == f"{name}电网",
        "national": lambda: value["region"] == "CN",
    }
    assert where[kind](), value["factor_id"]
    assert value["year"] == row["year"]
    assert row["source"].startswith(value["source"])
    assert value["from"] == {"2021": "2022-01-01", "2022": "2024-01-01", "2023": "2026-01-01"}[row["year"]]
    if factor.id == "energy.grid_average":
        assert printed_unit(row["unit"]).scale == units.parse(factor.unit).scale
        assert (factor.gas_basis, factor.boundary) == (row["gas_basis"], row["boundary"])


def check_row(factor: standard.Factor, value: dict[str, Any], row: dict[str, str]) -> None:
    name = value["factor_id"]
    ours, theirs = units.parse(factor.unit), printed_unit(row["unit"])
    assert Fraction(value["value"]) / Fraction(value["per"]) * ours.scale == Fraction(row["value"]) * theirs.scale, name
    assert ours.dimension == theirs.dimension, name
    assert value["tier"] == row["tier"]
    basis = value.get("gas_basis", factor.gas_basis)
    if "boundary" in row:
        assert value.get("boundary", factor.boundary) in row["boundary"]
        assert basis == GAS_BASES.get(row["gas_basis"], row["gas_basis"]), name
        assert (value["source"], value["stored_at"]) == (row["source"], row["stored_at"]), name
        assert row["source_ref"] in ("", value.get("source_ref")), name
    else:  # a platform's figure, in plain grams
        assert basis == "unstated", name
        assert value["source"] == row["provider"]
    for end in ("low", "high") if "uncertainty" in value else ():
        assert value["uncertainty"][end] in " ".join(row.values()), name


def test_every_announced_factor_of_a_grid_is_used_once() -> None:
    announced = {name for name in table() if name.startswith("CN.GRID.AVG.")}
    plain = [value["factor_id"] for value in STANDARD.factors["energy.grid_average"].document["values"]]
    ratios = [value["factor_id"] for value in STANDARD.factors["energy.grid_relative"].document["values"]]
    assert len(announced) == 114
    assert sorted(plain) == sorted(announced)
    assert sorted(ratios) == sorted(
        ["definition"]
        + [name for name in announced if known_province(name) and not name.startswith("CN.GRID.AVG.2021")]
    )


def known_province(name: str) -> bool:
    short = name[name.rindex(".") + 1 :]
    return any(not one.parent and one.name_zh.startswith(short) for one in STANDARD.regions.values())


PER_PRINTED = {"km": {"pkm"}, "pkm": {"pkm"}, "use": {"use", "trip"}, "500 steps": {"step"}}  # a ride is a trip


def test_every_tariff_is_as_its_platform_printed_it() -> None:
    known = table()
    assert {tariff.value.region for tariff in STANDARD.tariffs} == {
        *("110000", "310000", "420000", "420100", "440300", "510500", "CN"),
    }
    for tariff in STANDARD.tariffs:
        row, unit = known[tariff.document["id"]], known[tariff.document["id"]]["unit"]
        assert tariff.document["value"] == row["value"]
        assert tariff.document["provider"] == row["provider"]
        assert tariff.document["as_printed"].startswith(f"{row['value']} {unit.split(' (')[0].split(',')[0]}")
        assert tariff.document["stored_at"] == row["stored_at"]
        assert tariff.document["tier"] == row["tier"]
        assert str(tariff.value.from_on.year) in row["vintage"]
        gram, _, per = unit.split(" reduction")[0].split(" (")[0].split(",")[0].partition("/")
        ours, _, of = tariff.document["unit"].partition("/")
        assert (ours, gram in ("g", "gCO2")) == ("gCO2", True)
        assert of in PER_PRINTED.get(per, {per}), tariff.document["id"]
        assert tariff.document.get("per", "1") == (re.match(r"\d*", per) or [""])[0] or "1"
        place = STANDARD.regions.get(tariff.value.region, STANDARD.nation)
        name = re.sub("[省市]$", "", place.name_zh)
        assert row["region"] == "CN" if place is STANDARD.nation else row["region"].endswith(name)


def test_a_tariff_is_for_a_pack_of_its_own_behaviour() -> None:
    """A tariff of cycling pays no metro: the pack's behaviour is in what the source's row names."""
    words = {
        "bus": "bus", "metro": "metro", "cycling": "cycling", "own_bike": "cycling", "walking": "walking",
        "ev_ride": "electric ride-hailing", "used_clothes": "used clothes", "clean_plate": "clean plate",
        "no_cutlery": "cutlery", "electricity_saving": "electricity saved", "own_bag": "own shopping bag",
        "e_card": "e-credit-card", "utility_payment": "utility e-payment", "e_statement": "electronic statement",
    }  # fmt: skip
    known = table()
    for tariff in STANDARD.tariffs:
        behaviour = known[tariff.document["id"]]["behaviour"]
        assert words[tariff.pack_code] in behaviour or behaviour == "bus or metro"
