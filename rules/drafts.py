"""The standard's files as drafts: each read by itself, not yet held against the others.

What a file may say is what is asked of it here; a misspelt name is a mistake, and so is a number without its origin.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from rules import bands, numbers, packs, quantification, reading, units
from rules.bands import Band
from rules.model import Approval, ExclusionClass, Place, Region
from rules.numbers import Number, without_blanks
from rules.packs import PackDraft
from rules.quantification import Value
from rules.reading import Notes, Section

T = TypeVar("T")
_PATTERNS = ("methodologies/**/methodology.yaml", "factors/*.yaml", "*.yaml", "*.csv")


def _position(row: Mapping[str, str]) -> tuple[int, int]:
    """The latitude and longitude of a row, in millionths of a degree. Raises ValueError for what is none."""
    lat, lon = reading.decimal(row["lat"]), reading.decimal(row["lon"])
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        raise ValueError(f"{row['lat']}, {row['lon']}")
    return int(lat * 1_000_000), int(lon * 1_000_000)


class Drafts:
    """What has been read so far, and the mistakes found in it."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.regions: dict[str, Region] = {}
        self.places: list[Place] = []
        self.parameters: dict[str, list[tuple[date, int]]] = {}
        self.classes: dict[str, list[tuple[date, ExclusionClass]]] = {}
        self.grids: dict[str, dict[str, Any]] = {}
        self.bands: dict[str, Band] = {}
        self.factors: dict[str, tuple[dict[str, Any], list[Number]]] = {}
        self.drafts: list[PackDraft] = []
        self.unready: list[PackDraft] = []  # methodologies that cannot credit yet
        self.tariffs: dict[str, list[Number]] = {}  # by pack
        self.approvals: list[tuple[Section, Approval]] = []
        self.cases: list[tuple[Section, str, str]] = []

    def read(self, folder: Path) -> None:
        """Everything one folder holds."""
        if not folder.is_dir():
            self.notes.add(str(folder), 1, "no_folder")
        elif not any(any(folder.glob(pattern)) for pattern in _PATTERNS):
            self.notes.add(str(folder), 1, "nothing_here")
        if (folder / "regions.csv").exists():
            self._regions(folder / "regions.csv", f"{folder.name}/regions.csv")
        if (folder / "places.csv").exists():
            self._places(folder / "places.csv", f"{folder.name}/places.csv")
        for name, take in (
            ("grids", self._grids),
            ("bands", self._bands),
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

    @property
    def places_of_numbers(self) -> Collection[str]:
        """Every code a number can hold for, but for the nation."""
        return {*self.regions, *self.grids}

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

    def _grids(self, section: Section) -> None:
        """Regional grids: between a province and the nation."""
        for item in section.sections("grids"):
            code, members = item.text("code"), item.texts("provinces")
            doc = {"code": code, "name": item.both("name"), "provinces": members}
            if code in self.grids:
                item.mistake("same_version", "code", what=code)
            for member in members:
                if member not in self.regions:
                    item.mistake("no_region", "provinces", what=member)
                elif self.regions[member].grid:
                    item.mistake("same_version", "provinces", what=member)
            for region in self.regions.values():
                if region.code in members or region.parent in members:
                    self.regions[region.code] = replace(region, grid=code)
            self.grids[code] = doc | numbers.origin(item)
        section.done()

    def _bands(self, section: Section) -> None:
        for item in section.sections("bands"):
            band = bands.read(item)
            if band.id in self.bands:
                item.mistake("same_version", "id", what=band.id)
            self.bands[band.id] = band
        section.done()

    def _parameters(self, section: Section) -> None:
        for item in section.sections("parameters", optional=True):
            name, from_on, value = item.text("name"), item.date("from"), item.integer("value")
            numbers.origin(item)
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
            numbers.origin(item)
            if from_on:
                self._add_dated(item, self.classes.setdefault(code, []), from_on, one, code)
        section.done()

    def _add_dated(self, item: Section, values: list[tuple[date, T]], from_on: date, value: T, what: str) -> None:
        if any(other == from_on for other, _ in values):
            item.mistake("overlap", "from", what=what, region=quantification.NATION, on=from_on)
        values.append((from_on, value))
        values.sort(key=lambda pair: pair[0])

    def _factors(self, section: Section) -> None:
        defaults = section.section("value_defaults") if "value_defaults" in section else None
        for item in section.sections("factors"):
            basis = item.one_of("gas_basis", units.GAS_BASES, None if "CO2" in item.text("unit") else "")
            boundary = item.text("boundary", "" if not basis else None)
            unit = numbers.unit(item, basis, boundary)
            doc = {"id": item.text("id"), "name": item.both("name"), "unit": item.text("unit")}
            doc |= {"gas_basis": basis, "boundary": boundary, "band": item.text("band", "")}
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
            region, start, end = numbers.span(item, self.places_of_numbers)
            number, per = item.number("value"), item.number("per", "1")
            if per <= 0:
                item.mistake("not_a_number", "per", what="per")
                per = Fraction(1)
            key = item.text("factor_id")
            doc = {"region": region, "from": start.isoformat(), "to": end.isoformat() if end else "", "factor_id": key}
            doc |= {"value": item.text("value"), "per": item.text("per", "1")}
            own = unit
            if (basis, boundary) != (shape["gas_basis"], shape["boundary"]):
                own = numbers.unit(factor, basis, boundary)
                doc |= {"gas_basis": basis, "boundary": boundary}
            low, high, interval = self._interval(item, number, per)
            doc |= interval | {"band": item.text("band", shape["band"])}
            doc |= numbers.origin(item)
            review = date.fromisoformat(doc["review_by"]) if "review_by" in doc else None
            yield Number(
                item, Value(region, start, end, number / per, own, key, low, high, review), without_blanks(doc)
            )

    def _interval(
        self, item: Section, number: Fraction, per: Fraction
    ) -> tuple[Fraction | None, Fraction | None, dict[str, Any]]:
        """The interval that the number's source gives, if it gives one."""
        if "uncertainty" not in item:
            return None, None, {}
        inner = item.section("uncertainty")
        low, high = inner.number("low"), inner.number("high")
        doc = {name: inner.text(name) for name in ("low", "high", "kind")}
        inner.done()
        if not low <= number <= high:
            item.mistake("interval", "uncertainty")
        return low / per, high / per, {"uncertainty": doc}

    def _tariffs(self, section: Section) -> None:
        for item in section.sections("tariffs"):
            key, code = item.text("id"), item.text("pack")
            region, start, end = numbers.span(item, self.places_of_numbers)
            per = item.number("per", "1")
            if per <= 0:
                item.mistake("not_a_number", "per", what="per")
                per = Fraction(1)
            value = Value(region, start, end, item.number("value") / per, numbers.unit(item), key)
            doc = {"id": key, "region": region, "from": start.isoformat(), "to": end.isoformat() if end else ""}
            doc |= {name: item.text(name) for name in ("pack", "value", "unit", "as_printed", "provider")}
            doc |= {"per": item.text("per", "")}
            self.tariffs.setdefault(code, []).append(Number(item, value, without_blanks(doc | numbers.origin(item))))
        section.done()

    def _approvals(self, section: Section) -> None:
        for item in section.sections("approvals"):
            region, start, end = numbers.span(item, self.places_of_numbers)
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
        draft = packs.read(section, root, folder, self.places_of_numbers)
        if draft.doc["status"] == "draft":
            self.unready.append(draft)
            return
        self.drafts.append(draft)
        if (folder / "cases.yaml").exists():
            cases = self._open(root, folder / "cases.yaml")
            self.cases += [(item, draft.doc["code"], draft.doc["version"]) for item in cases.sections("cases")]
            cases.done()
