"""Bands: within what a number, and what it leads to, can be believed. They catch slips of units when a pack is loaded.

A factor is held against the band it names. A methodology names bands for what a unit of its results may come to. Gas
basis and boundary play no part here: a gram of either kind is as heavy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rules import formula, numbers, units
from rules.model import Fact
from rules.numbers import Number
from rules.quantification import Plan
from rules.reading import Section

RESULTS = {"baseline": 0, "project": 1, "leakage": 2, "reduction": 3}  # place in the numerators of a plan


@dataclass(frozen=True, slots=True)
class Band:
    """From low to high base units, of a dimension; `document` is what the page of the standard says of it."""

    id: str
    low: Fraction
    high: Fraction
    unit: units.Unit
    document: Mapping[str, Any]

    def holds(self, value: Fraction) -> bool:
        return self.low <= value <= self.high


def read(item: Section) -> Band:
    """A band as it stands in bands.yaml."""
    doc: dict[str, Any] = {name: item.text(name) for name in ("id", "unit", "low", "high")} | {
        "name": item.both("name")
    }
    unit, low, high = numbers.unit(item), item.number("low"), item.number("high")
    if low > high:
        item.mistake("interval", "low")
    return Band(doc["id"], low * unit.scale, high * unit.scale, unit, doc | numbers.origin(item))


def plain(dimension: units.Dimension) -> units.Dimension:
    """A dimension without the gas basis and boundary of what is emitted."""
    return tuple(sorted(("emission" if name.startswith("emission") else name, power) for name, power in dimension))


def check_number(number: Number, bands: Mapping[str, Band], what: str) -> None:
    """Note a factor's value that lies outside of the band it names, or else of all bands of its dimension together."""
    value, named = number.value, number.doc.get("band", "")
    mine = plain(value.unit.dimension)
    if named and named not in bands:
        number.section.mistake("no_band", "band", what=named)
        return
    near = [bands[named]] if named else [band for band in bands.values() if plain(band.unit.dimension) == mine]
    if named and plain(near[0].unit.dimension) != mine:
        number.section.mistake("band_unit", "band", band=named, what=what)
    elif near and not any(band.holds(value.number * value.unit.scale) for band in near):
        tell(number.section, "value", near[0], what, value.number * value.unit.scale)


def check_results(
    items: Sequence[Section], bands: Mapping[str, Band], facts: Sequence[Fact], fact_units: Mapping[str, units.Unit],
    plans: Sequence[tuple[str, Plan]], result: units.Dimension,
) -> None:  # fmt: skip
    """Note every choice for which a result per unit of a fact lies outside of its band, anywhere and at any time."""
    for item in items:
        of, per, named = item.one_of("of", RESULTS), item.text("per"), item.text("band")
        item.done()
        if of not in RESULTS:
            continue  # noted
        if named not in bands:
            item.mistake("no_band", "band", what=named)
            continue
        if per not in fact_units:
            item.mistake("not_one_of", "per", what="per", known=", ".join(sorted(fact_units)))
            continue
        band = bands[named]
        if plain(band.unit.dimension) != plain(units.multiply(result, fact_units[per].dimension, -1)):
            item.mistake("band_unit", "band", band=named, what=of)
            continue
        for choice, plan in plans:
            for value in _per_unit(plan, of, per, fact_units[per], facts, choice):
                if not band.holds(value):
                    tell(item, "band", band, f"{of} / {per} {choice}".rstrip(), value)
                    break


def _per_unit(
    plan: Plan, of: str, per: str, unit: units.Unit, facts: Sequence[Fact], choice: str
) -> Iterator[Fraction]:
    """A result in grams over a fact in base units, with all integer facts at their least and at their most."""
    for end in ("minimum", "maximum"):
        values: dict[str, int | str] = {
            f.name: (choice or min(f.values)) if f.kind == "choice" else (getattr(f, end) or f.minimum or 0) or 1
            for f in facts
        }
        numerator = plan.run(values)[RESULTS[of]]
        multiple, places, denominator = plan.shapes[RESULTS[of]]
        yield Fraction(numerator * multiple, 10**places * denominator) / (int(values[per]) * unit.scale)


def tell(item: Section, name: str, band: Band, what: str, value: Fraction) -> None:
    """Note that a number, in base units, lies outside of a band."""
    shown = formula.readable(value / band.unit.scale)
    doc = band.document
    item.mistake(
        "out_of_band", name, what=what, value=shown, band=band.id, low=doc["low"], high=doc["high"], unit=doc["unit"]
    )
