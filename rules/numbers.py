"""Dated numbers as they stand in the files: where each holds, in which unit, and where it comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date
from itertools import zip_longest
from typing import Any, NamedTuple

from rules import quantification, units
from rules.quantification import Value
from rules.reading import Section


class Number(NamedTuple):
    """A dated value, where it was read, and what pack.json or the reference page says of it."""

    section: Section
    value: Value
    doc: dict[str, Any]


def without_blanks(doc: Mapping[str, Any]) -> dict[str, Any]:
    """A document without what says nothing."""
    return {name: value for name, value in doc.items() if value not in ("", None, {}, [])}


def origin(item: Section) -> dict[str, Any]:
    """Where a number comes from and how far to trust it; ends the reading of its section."""
    doc: dict[str, Any] = {name: item.text(name, "") for name in ("source", "source_ref", "stored_at", "year")}
    doc["status"] = item.one_of("status", ("published", "provisional"))
    doc["tier"] = item.one_of("tier", ("P", "S", "U", "own"), "own")
    if doc["tier"] != "own" and not (doc["source"] or doc["stored_at"]):
        item.mistake("missing", what="source")
    doc["caveat"] = item.both("caveat", optional=True)
    review = item.date("review_by", optional=True)
    doc["review_by"] = review.isoformat() if review else ""
    if doc["status"] == "provisional" and not doc["caveat"]:
        item.mistake("caveat", "status")
    item.done()
    return {name: text for name, text in doc.items() if text}


def span(item: Section, regions: Collection[str]) -> tuple[str, date, date | None]:
    """region, from, to; `to` is the first day on which the value no longer holds."""
    region = item.text("region", quantification.NATION)
    if region != quantification.NATION and region not in regions:
        item.mistake("no_region", "region", what=region)
    start, end = item.date("from") or date.min, item.date("to", optional=True)
    if end and end <= start:
        item.mistake("empty_time", "to", to=end, start=start)
    return region, start, end


def unit(item: Section, gas_basis: str = "", boundary: str = "") -> units.Unit:
    """The unit of a section, or the plain number where nobody can read it, which is noted."""
    text = item.text("unit")
    try:
        return units.parse(text, gas_basis if gas_basis in units.GAS_BASES else "", boundary)
    except units.UnitError as error:
        item.mistake("unit", "unit", what=error)
        return units.parse("1")


def close(numbers: Iterable[Number], what: str) -> tuple[Number, ...]:
    """Sorted by region and start; a value without an end holds until the next of its region begins."""
    numbers = sorted(numbers, key=lambda number: (number.value.region, number.value.from_on))
    closed = []
    for number, following in zip_longest(numbers, numbers[1:]):
        value = number.value
        if following and following.value.region == value.region:
            begins = following.value.from_on
            if begins == value.from_on or (value.to_on and value.to_on > begins):
                following.section.mistake("overlap", "from", what=what, region=value.region, on=begins)
            number = number._replace(value=replace(value, to_on=value.to_on or begins))
        closed.append(number)
    return tuple(closed)
