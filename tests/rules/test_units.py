"""Units: exact conversion, and grams of two kinds are never the same thing."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rules import replay, units


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
        ("gCO2e/vkm", Fraction(1, 1000)),
        ("gCO2e/vm", Fraction(1)),
        ("gCO2/Wh", Fraction(1000)),  # a watt-hour is a thousandth of the base unit, the kilowatt-hour
        ("kgCO2/kWh", Fraction(1000)),
        ("kgCO2e/m3", Fraction(1)),  # a kilogram per thousand litres is a gram per litre
        ("gCO2e/l", Fraction(1)),
        ("gCO2/step", Fraction(1)),
        ("gCO2e/h", Fraction(1)),
        ("l/km", Fraction(1, 1000)),
    ],
)
def test_every_unit_is_brought_to_grams_and_metres_exactly(text: str, grams_per_base: Fraction) -> None:
    assert units.parse(text).scale == grams_per_base


@pytest.mark.parametrize(
    ("large", "small", "times"),
    [("vkm", "vm", 1000), ("pkm", "pm", 1000), ("km", "m", 1000), ("m3", "l", 1000), ("kWh", "Wh", 1000),
     ("MWh", "kWh", 1000), ("t", "mg", 1_000_000_000)],
)  # fmt: skip
def test_units_of_one_kind_differ_by_their_scale_only(large: str, small: str, times: int) -> None:
    assert units.parse(large).dimension == units.parse(small).dimension
    assert units.parse(large).scale == times * units.parse(small).scale


def test_units_of_different_kinds_are_never_the_same_thing() -> None:
    kinds = [
        units.parse(text).dimension for text in ("m", "pm", "vm", "kWh", "use", "trip", "step", "l", "h", "kg", "1")
    ]
    assert len(set(kinds)) == len(kinds)
    assert units.parse("piece").dimension == units.parse("use").dimension
    assert units.parse("vkm/pkm").dimension != ()  # people in a car are no plain number


def test_the_replay_knows_the_same_units() -> None:
    assert {atom: units.parse(atom).scale for atom in units.known()} == replay._UNITS


@pytest.mark.parametrize("basis", [basis for basis, (gas, _, _) in units.GAS_BASES.items() if gas == "CO2e"])
def test_every_set_of_warming_potentials_is_a_gas_basis_of_its_own(basis: str) -> None:
    one = units.parse("kgCO2e/use", basis, "x").dimension
    others = {
        units.parse("kgCO2e/use", other, "x").dimension for other in units.GAS_BASES if other not in ("CO2", basis)
    }
    assert len(units.GAS_BASES) == 6
    assert len(others) == 4
    assert one not in others
    with pytest.raises(units.UnitError, match="write CO2e"):
        units.parse("kgCO2/use", basis)


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
        ("kgCO2e/L", "", "'L'"),
        ("kWH", "", "'kWH'"),
        ("kgCO2/kWh", "CO2e-AR6", "write CO2e"),
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
