"""Units: exact conversion, and grams of two kinds are never the same thing."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rules import units


@pytest.mark.parametrize(
    ("text", "grams_per_base"),
    [
        ("kgCO2e/pkm", Fraction(1)),  # a kilogram per thousand metres is a gram per metre
        ("gCO2e/pkm", Fraction(1, 1000)),
        ("kgCO2e/t", Fraction(1, 1000)),
        ("tCO2e/t", Fraction(1)),
        ("kgCO2e/MWh", Fraction(1)),
        ("mgCO2e/use", Fraction(1, 1000)),
        ("kgCO2e/t.km", Fraction(1, 1_000_000)),
    ],
)
def test_every_unit_is_brought_to_grams_and_metres_exactly(text: str, grams_per_base: Fraction) -> None:
    assert units.parse(text).scale == grams_per_base


def test_grams_of_two_gas_bases_or_boundaries_are_different_things() -> None:
    one = units.parse("kgCO2e", "CO2e", "cradle-to-gate")
    assert one.dimension == units.parse("tCO2e", "CO2e", "cradle-to-gate").dimension
    assert one.dimension != units.parse("kgCO2e", "CO2e-AR4", "cradle-to-gate").dimension
    assert one.dimension != units.parse("kgCO2e", "CO2e", "gate-to-grave").dimension
    assert one.dimension != units.parse("kg").dimension


def test_a_ratio_of_two_emissions_of_one_kind_is_a_plain_number() -> None:
    grid = units.parse("kgCO2/kWh", "CO2", "generation")
    assert units.multiply(grid.dimension, grid.dimension, -1) == units.parse("1").dimension


def test_a_factor_times_its_activity_leaves_grams() -> None:
    per_km, metre = units.parse("kgCO2e/pkm", "CO2e", "x"), units.parse("pm")
    assert units.multiply(per_km.dimension, metre.dimension) == units.emission("CO2e", "x")


def test_a_vehicles_kilometre_is_not_a_persons() -> None:
    assert units.parse("vkm").dimension != units.parse("pkm").dimension != units.parse("km").dimension


@pytest.mark.parametrize(
    ("text", "basis", "says"),
    [
        ("kgg", "", "'kgg'"),
        ("kgCO2e/km/h", "", "more than one slash"),
        ("kg/", "", "more than one slash, or nothing"),
        ("", "", "''"),
        ("kgCO2/kWh", "CO2e", "write CO2e"),
        ("kgCO2e/pair", "", "'pair'"),  # a pair made for many uses is no pair used once
    ],
)
def test_a_unit_nobody_can_read_is_refused_with_what_to_write(text: str, basis: str, says: str) -> None:
    with pytest.raises(units.UnitError, match=says):
        units.parse(text, basis)


def test_dimensions_can_be_read_by_a_person() -> None:
    unit = units.parse("kgCO2e/pkm", "CO2e", "cradle-to-gate")
    assert units.readable(unit.dimension) == "emission CO2e cradle-to-gate/distance.person"
    assert units.readable(()) == "1"
