"""The standard is plausible: slips of units are caught at load, published values lie near what is measured."""

from __future__ import annotations

import csv
import os
from fractions import Fraction
from pathlib import Path

import pytest

from rules import bands, quantification, standard, units
from rules.model import Measurement

STANDARD = standard.load()
SHARED = Path(os.environ.get("TANPUHUI_SHARED") or Path(__file__).parents[3] / "shared") / "factors"
NUMBERS = [
    (factor.id, STANDARD.bands[doc.get("band") or factor.document["band"]], value)
    for factor in STANDARD.factors.values()
    for value, doc in zip(factor.values, factor.document["values"], strict=True)
    if value.number
]


def caught(times: Fraction) -> list[bool]:
    """Of every number of a measure with units: would its band notice if it were so many times as large?"""
    return [
        not band.holds(value.number * value.unit.scale * times)
        for _, band, value in NUMBERS
        if value.unit.dimension and band.id != "vehicle_share"
    ]


def test_every_number_names_a_band_and_lies_in_it() -> None:
    for name, band, value in NUMBERS:
        assert band.holds(value.number * value.unit.scale), name


@pytest.mark.parametrize("times", [Fraction(340), Fraction(1000)])
def test_a_slip_of_units_upwards_is_caught_for_every_number(times: Fraction) -> None:
    assert len(caught(times)) > 180
    assert all(caught(times))


@pytest.mark.parametrize("times", [Fraction(1, 340), Fraction(1, 1000)])
def test_a_slip_downwards_is_caught_wherever_a_number_cannot_be_near_zero(times: Fraction) -> None:
    passed = {
        band.id
        for _, band, value in NUMBERS
        if value.unit.dimension and band.holds(value.number * value.unit.scale * times)
    }
    assert all(STANDARD.bands[name].low <= 0 for name in passed), passed


def test_slips_of_1_4_are_caught_where_a_band_is_tight_enough() -> None:
    found = caught(Fraction(14, 10))
    print(f"x1.4 caught for {sum(found)} of {len(found)} numbers")
    tight = [
        not band.holds(value.number * value.unit.scale * times)
        for _, band, value in NUMBERS
        for times in (Fraction(14, 10), Fraction(10, 14))
        if band.id == "grid_nation_kwh"
    ]
    assert tight
    assert all(tight)


def litres(kg: str) -> bool:
    return STANDARD.bands["petrol_l"].holds(Fraction(kg) * 1000)


def test_the_intermediates_of_published_claims_show_their_errors() -> None:
    """CYC-T1 put a factor per tonne on litres (x1.4), FUE-T2 carbon for carbon dioxide (x3.4): neither is petrol."""
    assert litres("2.2273")  # FUE-KJB: 98 kg for 44 l
    assert litres("2.3")  # CYC-01
    assert not litres("3.1556")
    assert not litres("0.785")
    assert STANDARD.bands["fuel_per_km"].holds(Fraction("0.08") / 1000)
    assert not STANDARD.bands["fuel_per_km"].holds(Fraction(8) / 1000)  # litres per 100 km taken for litres per km


def test_results_are_held_against_the_bands_that_the_packs_name() -> None:
    named = {pack.code for pack in STANDARD.packs if not pack.points_only and standard.pack_json(pack).get("bands")}
    measuring = {pack.code for pack in STANDARD.packs if not pack.points_only}
    assert named == measuring


def one_unit(tariff: standard.Tariff) -> tuple[Fraction, Measurement] | None:
    """What the pack of a tariff measures where and when it is paid: grams per unit; None where no unit is measured."""
    pack = next(p for p in STANDARD.packs if p.code == tariff.pack_code)
    facts_units = {fact.name: units.parse(fact.unit) for fact in pack.facts if fact.kind == "integer"}
    fact = quantification.tariff_quantity(tariff.value.unit, facts_units)
    if not fact or pack.points_only:
        return None
    on = max(tariff.value.from_on, pack.in_force_from)
    region = STANDARD.regions.get(tariff.value.region, STANDARD.nation)
    amount = next(f.maximum or 1000 for f in pack.facts if f.name == fact)
    facts: dict[str, int | str] = {f.name: amount if f.kind == "integer" else min(f.values) for f in pack.facts}
    measured = quantification.measure(STANDARD, pack, region, facts, on)
    return Fraction(measured.reduction_mg, 1000) / (amount * facts_units[fact].scale), measured


def test_what_platforms_print_is_near_what_is_measured() -> None:
    """Printed with `pytest -s`: the ratio of each tariff to the measured reduction. No slip of units would pass."""
    ratios = {}
    for tariff in STANDARD.tariffs:
        if (found := one_unit(tariff)) is not None and found[0]:
            ratios[tariff.value.value_id, tariff.pack_code] = tariff.value.number * tariff.value.unit.scale / found[0]
    for (name, pack), ratio in sorted(ratios.items()):
        print(f"{name:24} {pack:20} printed / measured {bands.formula.readable(ratio)}")
    assert len(ratios) >= 8
    assert all(Fraction(1, 30) < ratio < 30 for ratio in ratios.values()), ratios


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the source tables are not at {SHARED}")
def test_every_published_value_is_used_or_left_out_for_a_reason() -> None:
    with (SHARED / "behaviour_published_values.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    text = "".join(p.read_text("utf-8") for p in standard.SHIPPED.rglob("*") if p.suffix in (".yaml", ".md"))
    unused = {row["id"] for row in rows if row["id"] not in text}
    assert {name for name in unused if not name.startswith("ANT.")} == set()  # energy units, never carbon
