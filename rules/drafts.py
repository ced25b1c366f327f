"""The standard's files as drafts: each read by itself, not yet held against the others.

What a file may say is what is asked of it here; a misspelt name is a mistake, and so is a number without its origin.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo

from rules import model, quantification, reading, units
from rules.model import Approval, ExclusionClass, Fact, Place, Region
from rules.quantification import Value
from rules.reading import Notes, Section

# What a pack must say before it may be approved for a pool (design, section 6).
STATEMENTS = ("boundary", "baseline", "regulatory_surplus", "project_emissions", "leakage", "choice", "evidence")

T = TypeVar("T")

_CATEGORIES = ("clothing", "food", "housing", "travel", "goods", "office", "digital_finance")
_REGION_RULES = ("start", "end", "declared")
_RESERVED = (*quantification.RESULTS, "facts", "reduction_g", "reduction_mg", "points", "run")


class Number(NamedTuple):
    """A dated value, where it was read, and what pack.json or the reference page says of it."""

    section: Section
    value: Value
    doc: dict[str, Any]


def _position(row: Mapping[str, str]) -> tuple[int, int]:
    """The latitude and longitude of a row, in millionths of a degree. Raises ValueError for what is none."""
    lat, lon = reading.decimal(row["lat"]), reading.decimal(row["lon"])
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        raise ValueError(f"{row['lat']}, {row['lon']}")
    return int(lat * 1_000_000), int(lon * 1_000_000)


def without_blanks(doc: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in doc.items() if value not in ("", None, {})}


@dataclass
class PackDraft:
    """A methodology.yaml as read, before it is known to fit the rest."""

    section: Section
    folder: Path
    formula: str
    formula_file: str
    doc: dict[str, Any]
    facts: list[Fact]
    bindings: dict[str, dict[str, str]]
    selector: str
    caps: tuple[Number, ...]
    bounds: dict[str, int | None]


class Drafts:
    """What has been read so far, and the mistakes found in it."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.regions: dict[str, Region] = {}
        self.places: list[Place] = []
        self.parameters: dict[str, list[tuple[date, int]]] = {}
        self.classes: dict[str, list[tuple[date, ExclusionClass]]] = {}
        self.factors: dict[str, tuple[dict[str, Any], list[Number]]] = {}
        self.drafts: list[PackDraft] = []
        self.tariffs: dict[str, list[Number]] = {}  # by pack
        self.approvals: list[tuple[Section, Approval]] = []
        self.cases: list[tuple[Section, str, str]] = []

    def read(self, folder: Path) -> None:
        """Everything one folder holds."""
        if not folder.is_dir():
            self.notes.add(str(folder), 1, "no_folder")
        if (folder / "regions.csv").exists():
            self._regions(folder / "regions.csv", f"{folder.name}/regions.csv")
        if (folder / "places.csv").exists():
            self._places(folder / "places.csv", f"{folder.name}/places.csv")
        for name, take in (
            ("parameters", self._parameters),
            ("tariffs", self._tariffs),
            ("approvals", self._approvals),
        ):
            if (folder / f"{name}.yaml").exists():
                take(self._open(folder, folder / f"{name}.yaml"))
        for path in sorted(folder.glob("factors/*.yaml")):
            self._factors(self._open(folder, path))
        for path in sorted(folder.glob("methodologies/**/methodology.yaml")):
            self._pack(self._open(folder, path), folder, path.parent)

    def _open(self, folder: Path, path: Path) -> Section:
        return reading.read(self.notes, path, f"{folder.name}/{path.relative_to(folder)}")

    def _regions(self, path: Path, file: str) -> None:
        with path.open(encoding="utf-8", newline="") as lines:
            for line, row in enumerate(csv.DictReader(lines), 2):
                try:
                    zone = ZoneInfo(row["timezone"])
                    where = (*_position(row), int(row["radius_km"])) if row.get("radius_km") else ()
                    names = (row["code"], row["name_zh"], row["name_en"], row["parent"])
                    self.regions[row["code"]] = Region(*names, zone, *where)
                except (KeyError, TypeError, ValueError) as error:
                    self.notes.add(file, line, "region_row", what=error)

    def _places(self, path: Path, file: str) -> None:
        with path.open(encoding="utf-8", newline="") as lines:
            for line, row in enumerate(csv.DictReader(lines), 2):
                try:
                    self.places.append(Place(row["region"], *_position(row)))
                except (KeyError, TypeError, ValueError) as error:
                    self.notes.add(file, line, "place_row", what=error)
                else:
                    if row["region"] not in (*self.regions, ""):
                        self.notes.add(file, line, "no_region", what=row["region"])

    def _parameters(self, section: Section) -> None:
        for item in section.sections("parameters", optional=True):
            name, from_on, value = item.text("name"), item.date("from"), item.integer("value")
            self._origin(item)
            if from_on and value is not None:
                self._add_dated(item, self.parameters.setdefault(name, []), from_on, value, name)
        for item in section.sections("exclusion_classes", optional=True):
            code, from_on = item.text("code"), item.date("from")
            one = ExclusionClass(
                code=code,
                jitter_s=item.integer("jitter_s") or 0,
                overlap_tolerance_s=item.integer("overlap_tolerance_s", optional=True),
                same_record_facts=tuple(item.texts("same_record_facts")) if "same_record_facts" in item else (),
                distinct_act_refs=item.one_of("distinct_act_refs", ("true", "false"), "false") == "true",
                continue_gap_s=item.integer("continue_gap_s", optional=True),
                shift_s=item.integer("shift_s", optional=True) or 0,
                duration_jitter_s=item.integer("duration_jitter_s", optional=True) or 0,
                overlap_share_percent=item.integer("overlap_share_percent", optional=True) or 100,
            )
            self._origin(item)
            if from_on:
                self._add_dated(item, self.classes.setdefault(code, []), from_on, one, code)
        section.done()

    def _add_dated(self, item: Section, values: list[tuple[date, T]], from_on: date, value: T, what: str) -> None:
        if any(other == from_on for other, _ in values):
            item.mistake("overlap", "from", what=what, region=quantification.NATION, on=from_on)
        values.append((from_on, value))
        values.sort(key=lambda pair: pair[0])

    def _origin(self, item: Section) -> dict[str, Any]:
        """Where a number comes from and how far to trust it; ends the reading of its section."""
        doc: dict[str, Any] = {name: item.text(name, "") for name in ("source", "source_ref", "stored_at", "year")}
        doc["status"] = item.one_of("status", ("published", "provisional"))
        doc["tier"] = item.one_of("tier", ("P", "S", "U", "own"), "own")
        doc["caveat"] = item.both("caveat", optional=True)
        review = item.date("review_by", optional=True)
        doc["review_by"] = review.isoformat() if review else ""
        if doc["status"] == "provisional" and not doc["caveat"]:
            item.mistake("caveat", "status")
        item.done()
        return {name: text for name, text in doc.items() if text}

    def _span(self, item: Section) -> tuple[str, date, date | None]:
        """region, from, to; `to` is the first day on which the value no longer holds."""
        region = item.text("region", quantification.NATION)
        if region != quantification.NATION and region not in self.regions:
            item.mistake("no_region", "region", what=region)
        start, end = item.date("from") or date.min, item.date("to", optional=True)
        if end and end <= start:
            item.mistake("empty_time", "to", to=end, start=start)
        return region, start, end

    def unit(self, item: Section, gas_basis: str = "", boundary: str = "") -> units.Unit:
        """The unit of a section, or the plain number where nobody can read it, which is noted."""
        text = item.text("unit")
        try:
            return units.parse(text, gas_basis if gas_basis in units.GAS_BASES else "", boundary)
        except units.UnitError as error:
            item.mistake("unit", "unit", what=error)
            return units.parse("1")

    def _factors(self, section: Section) -> None:
        defaults = section.section("value_defaults") if "value_defaults" in section else None
        for item in section.sections("factors"):
            basis = item.one_of("gas_basis", units.GAS_BASES, None if "CO2" in item.text("unit") else "")
            boundary = item.text("boundary", "" if not basis else None)
            unit = self.unit(item, basis, boundary)
            doc = {"id": item.text("id"), "name": item.both("name"), "unit": item.text("unit")}
            doc |= {"gas_basis": basis, "boundary": boundary}
            known = self.factors.setdefault(item.text("id"), (doc, []))
            if any(known[0][name] != doc[name] for name in ("unit", "gas_basis", "boundary")):
                item.mistake("redefined", "id", what=item.text("id"))
            known[1].extend(self._values(item, defaults, unit, doc))
            item.done()
        if defaults:
            defaults.done()
        section.done()

    def _values(
        self, factor: Section, defaults: Section | None, unit: units.Unit, shape: Mapping[str, Any]
    ) -> Iterator[Number]:
        for item in factor.sections("values", defaults):
            basis = item.one_of("gas_basis", units.GAS_BASES, shape["gas_basis"])
            boundary = item.text("boundary", shape["boundary"])
            region, start, end = self._span(item)
            number, per = item.number("value"), item.number("per", "1")
            if per <= 0:
                item.mistake("not_a_number", "per", what="per")
                per = Fraction(1)
            key = item.text("factor_id")
            doc = {"region": region, "from": start.isoformat(), "to": end.isoformat() if end else "", "factor_id": key}
            doc |= {"value": item.text("value"), "per": item.text("per", "1")}
            own = unit
            if (basis, boundary) != (shape["gas_basis"], shape["boundary"]):
                own = self.unit(factor, basis, boundary)
                doc |= {"gas_basis": basis, "boundary": boundary}
            doc |= self._origin(item)
            yield Number(item, Value(region, start, end, number / per, own, key), without_blanks(doc))

    def close(self, numbers: Iterable[Number], what: str) -> tuple[Number, ...]:
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

    def _tariffs(self, section: Section) -> None:
        for item in section.sections("tariffs"):
            key, code = item.text("id"), item.text("pack")
            region, start, end = self._span(item)
            value = Value(region, start, end, item.number("value"), self.unit(item), key)
            doc = {"id": key, "region": region, "from": start.isoformat(), "to": end.isoformat() if end else ""}
            doc |= {name: item.text(name) for name in ("pack", "value", "unit", "as_printed", "provider")}
            self.tariffs.setdefault(code, []).append(Number(item, value, without_blanks(doc | self._origin(item))))
        section.done()

    def _approvals(self, section: Section) -> None:
        for item in section.sections("approvals"):
            region, start, end = self._span(item)
            use = item.one_of("use", ("points", "pool", "demonstration"))
            one = Approval(
                pack_code=item.text("pack"),
                pack_version=item.text("version"),
                region=region,
                use=cast("Any", use),
                body=item.text("body"),
                document=item.text("document"),
                valid_from=start,
                valid_to=end,
            )
            item.done()
            self.approvals.append((item, one))
        section.done()

    def _pack(self, section: Section, root: Path, folder: Path) -> None:
        facts, fact_docs = self._facts(section)
        selector, bindings = self._bindings(section)
        bounds, limits = self._bounds(section)
        caps = self._caps(section)
        starts, ends = section.date("in_force_from"), section.date("in_force_to", optional=True)
        if starts and ends and ends <= starts:
            section.mistake("empty_time", "in_force_to", to=ends, start=starts)
        formula_file = folder / "formula.py"
        try:
            formula = formula_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            self.notes.add(f"{root.name}/{formula_file.relative_to(root)}", 1, "unreadable")
            formula = ""
        doc: dict[str, Any] = {
            "code": section.text("code"),
            "version": section.text("version"),
            "event_type": section.text("event_type"),
            "name": section.both("name"),
            "category": section.one_of("category", _CATEGORIES),
            "status": section.one_of("status", ("published", "provisional")),
            "status_reason": section.both("status_reason"),
            "gas_basis": section.one_of("gas_basis", units.GAS_BASES),
            "boundary": section.text("boundary"),
            "region_rule": section.one_of("region_rule", _REGION_RULES, "start").removeprefix("start"),
            "exclusion_class": section.text("exclusion_class"),
            "aggregate": section.one_of("aggregate", ("true", "false"), "false").removeprefix("false"),
            "in_force_from": starts.isoformat() if starts else "",
            "in_force_to": ends.isoformat() if ends else "",
            "facts": fact_docs,
            "bounds": limits,
            "caps": [cap.doc for cap in caps],
            "statements": self._statements(section),
            "formula": formula,
            "bindings": bindings,
        }
        section.done()
        name = f"{root.name}/{formula_file.relative_to(root)}"
        self.drafts.append(PackDraft(section, folder, formula, name, doc, facts, bindings, selector, caps, bounds))
        if (folder / "cases.yaml").exists():
            cases = self._open(root, folder / "cases.yaml")
            self.cases += [(item, doc["code"], doc["version"]) for item in cases.sections("cases")]
            cases.done()

    def _facts(self, section: Section) -> tuple[list[Fact], list[dict[str, Any]]]:
        facts, docs = [], []
        for item in section.sections("facts"):
            name, kind = item.name("fact", _RESERVED), item.one_of("kind", ("integer", "choice"))
            doc: dict[str, Any] = {"name": name, "kind": kind, "title": item.both("name"), "unit": ""}
            if kind == "choice":
                choices = item.section("values")
                doc["values"] = {choice: choices.both(choice) for choice in choices.names()}
                facts.append(Fact(name, "choice", values=frozenset(doc["values"])))
            else:
                doc["unit"] = item.text("unit")
                self.unit(item)
                doc["minimum"], doc["maximum"] = item.integer("minimum"), item.integer("maximum", optional=True)
                missing = item.one_of("missing_code", model.CODES, "fact_missing")
                doc["missing_code"] = missing
                facts.append(Fact(name, "integer", doc["unit"], frozenset(), doc["minimum"], doc["maximum"], missing))
            item.done()
            docs.append({key: value for key, value in doc.items() if value is not None})
        return facts, docs

    def _bindings(self, section: Section) -> tuple[str, dict[str, dict[str, str]]]:
        """Names in the formula -> choice ('' for any) -> factor; and the one fact that chooses."""
        selector, bindings = "", {}
        factors = section.section("factors")
        for name in factors.names():
            factors.check_name(name, name, _RESERVED)
            item = factors.section(name)
            if "by" in item:
                selector = item.one_of("by", {selector} if selector else {item.text("by")})
                table = item.section("factors")
                bindings[name] = {choice: table.text(choice) for choice in table.names()}
            else:
                bindings[name] = {"": item.text("factor")}
            item.done()
        return selector, bindings

    def _bounds(self, section: Section) -> tuple[dict[str, int | None], dict[str, Any]]:
        item = section.section("bounds")
        names = ("duration_min_s", "duration_max_s", "speed_max_km_per_h")
        bounds = {name: item.integer(name, optional=True) for name in names}
        doc = {name: value for name, value in bounds.items() if value is not None}
        reason = item.both("reason")
        item.done()
        return bounds, doc | {"reason": reason}

    def _caps(self, section: Section) -> tuple[Number, ...]:
        numbers = []
        for item in section.sections("caps", optional=True):
            region, start, end = self._span(item)
            amount = item.integer("daily_mg") or 0
            doc = {
                "region": region,
                "from": start.isoformat(),
                "to": end.isoformat() if end else "",
                "daily_mg": amount,
            }
            value = Value(region, start, end, Fraction(amount), units.parse("mg"), "cap")
            numbers.append(Number(item, value, without_blanks(doc | self._origin(item))))
        return self.close(numbers, "caps")

    def _statements(self, section: Section) -> dict[str, Any]:
        item = section.section("statements")
        texts: dict[str, Any] = {}
        for name in STATEMENTS:
            if name in item:
                texts[name] = self._baseline(item.section(name)) if name == "baseline" else item.both(name)
        item.done()
        return texts

    def _baseline(self, item: Section) -> dict[str, str]:
        """A baseline says where it comes from and of when it is."""
        texts = {name: item.text(name) for name in ("zh", "en", "source", "dated_on")}
        item.done()
        return texts
