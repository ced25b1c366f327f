"""A methodology.yaml as it stands: read by itself, not yet held against factors, classes and other packs."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from rules import formula, model, numbers, units
from rules.model import EVIDENCE_TIERS, Fact
from rules.numbers import Number, without_blanks
from rules.quantification import Value
from rules.reading import Section

# What a pack must say before it may be approved for a pool (design, section 6).
STATEMENTS = ("boundary", "baseline", "regulatory_surplus", "project_emissions", "leakage", "choice", "evidence")

CATEGORIES = ("clothing", "food", "housing", "travel", "goods", "office", "digital_finance")
SHARED_FORMULAS = Path(__file__).parent / "methodologies" / "shared"
_REGION_RULES = ("start", "end", "declared")
_RESERVED = (*formula.RESULTS, "facts", "reduction_g", "reduction_mg", "points", "run")


@dataclass
class PackDraft:
    """A methodology.yaml as read, before it is known to fit the rest. A draft methodology has its `doc` and no more."""

    section: Section
    formula: str
    formula_file: str
    doc: dict[str, Any]
    facts: list[Fact]
    bindings: dict[str, dict[str, str]]
    selector: str
    caps: tuple[Number, ...]
    point_caps: tuple[Number, ...]
    bounds: dict[str, int | None]
    percent: dict[str, int]  # of the evidence tiers that it credits in its own way
    bands: list[Section]


def read(section: Section, root: Path, folder: Path, regions: Collection[str]) -> PackDraft:
    """A methodology in a folder below `root`; everything wrong in it is noted."""
    doc: dict[str, Any] = {
        "code": section.text("code"),
        "version": section.text("version"),
        "event_type": section.text("event_type"),
        "name": section.both("name"),
        "category": section.one_of("category", CATEGORIES),
        "status": section.one_of("status", ("published", "provisional", "draft")),
        "status_reason": section.both("status_reason"),
        "gas_basis": section.one_of("gas_basis", units.GAS_BASES),
        "boundary": section.text("boundary"),
        "statements": _statements(section),
    }
    draft = PackDraft(section, "", "", doc, [], {}, "", (), (), {}, {}, [])
    if doc["status"] == "draft":
        doc["missing"] = section.both("missing")
    else:
        _read_method(section, root, folder, regions, draft)
    section.done()
    return draft


def _read_method(section: Section, root: Path, folder: Path, regions: Collection[str], draft: PackDraft) -> None:
    """What a methodology needs beside its words to credit something."""
    draft.facts, fact_docs = _facts(section)
    draft.selector, draft.bindings = _bindings(section)
    draft.bounds, limits = _bounds(section)
    draft.caps, draft.point_caps = _caps(section, regions)
    draft.formula, draft.formula_file = _formula(section, root, folder)
    draft.percent = _percent(section)
    draft.bands = list(section.sections("bands", optional=True))
    starts, ends = section.date("in_force_from"), section.date("in_force_to", optional=True)
    if starts and ends and ends <= starts:
        section.mistake("empty_time", "in_force_to", to=ends, start=starts)
    if section.text("measures", "") == "points" and section.text("formula", "") != "nothing_measured":
        section.mistake("not_one_of", "measures", what="formula", known="nothing_measured")
    draft.doc |= {
        "measures": section.one_of("measures", ("reduction", "points"), "reduction").removeprefix("reduction"),
        "region_rule": section.one_of("region_rule", _REGION_RULES, "start").removeprefix("start"),
        "exclusion_class": section.text("exclusion_class"),
        "aggregate": section.one_of("aggregate", ("true", "false"), "false").removeprefix("false"),
        "in_force_from": starts.isoformat() if starts else "",
        "in_force_to": ends.isoformat() if ends else "",
        "facts": fact_docs,
        "bounds": limits,
        "bands": [{name: item.text(name) for name in ("of", "per", "band")} for item in draft.bands],
        "caps": list({id(cap.doc): cap.doc for cap in (*draft.caps, *draft.point_caps)}.values()),
        "formula": draft.formula,
        "shared_formula": section.text("formula", ""),
        "bindings": draft.bindings,
    }


def _formula(section: Section, root: Path, folder: Path) -> tuple[str, str]:
    """The text of the formula, its own or a shared one with the fact it is about, and the name of its file."""
    shared = section.text("formula", "")
    path = SHARED_FORMULAS / f"{shared}.py" if re.fullmatch("[a-z_]+", shared) else folder / "formula.py"
    known = sorted(one.stem for one in SHARED_FORMULAS.glob("*.py"))
    if shared and shared not in known:
        section.mistake("not_one_of", "formula", what="formula", known=", ".join(known))
        return "", "formula"
    name = f"shared/{path.name}" if shared else f"{root.name}/{path.relative_to(root)}"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        section.notes.add(name, 1, "unreadable")
        return "", name
    if not shared or "quantity" not in text:
        return text, name
    head, blank, body = text.partition("\n\n")
    return head + blank + re.sub(r"\bquantity\b", section.name("quantity", _RESERVED) or "quantity", body), name


def _facts(section: Section) -> tuple[list[Fact], list[dict[str, Any]]]:
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
            numbers.unit(item)
            doc["minimum"], doc["maximum"] = item.integer("minimum"), item.integer("maximum", optional=True)
            missing = item.one_of("missing_code", model.CODES, "fact_missing")
            doc["missing_code"] = missing
            facts.append(Fact(name, "integer", doc["unit"], frozenset(), doc["minimum"], doc["maximum"], missing))
        item.done()
        docs.append({key: value for key, value in doc.items() if value is not None})
    return facts, docs


def _bindings(section: Section) -> tuple[str, dict[str, dict[str, str]]]:
    """Names in the formula -> choice ('' for any) -> factor; and the one fact that chooses."""
    selector, bindings = "", {}
    if "factors" not in section:
        return selector, {}
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


def _bounds(section: Section) -> tuple[dict[str, int | None], dict[str, Any]]:
    item = section.section("bounds")
    names = ("duration_min_s", "duration_max_s", "speed_max_km_per_h")
    bounds = {name: item.integer(name, optional=True) for name in names}
    doc = {name: value for name, value in bounds.items() if value is not None}
    reason = item.both("reason")
    item.done()
    return bounds, doc | {"reason": reason}


def _percent(section: Section) -> dict[str, int]:
    """What the pack credits of each evidence tier, where it differs from the standard."""
    if "evidence_percent" not in section:
        return {}
    item = section.section("evidence_percent")
    stated = {tier: item.integer(tier, optional=True) for tier in EVIDENCE_TIERS}
    for tier, percent in stated.items():
        if percent is not None and not 0 <= percent <= 100:
            item.mistake("not_a_percent", tier, what=tier)
    item.done()
    return {tier: percent for tier, percent in stated.items() if percent is not None}


def _caps(section: Section, regions: Collection[str]) -> tuple[tuple[Number, ...], tuple[Number, ...]]:
    """The most of a day: of milligrams, and of points."""
    found: dict[str, list[Number]] = {"daily_mg": [], "daily_points": []}
    for item in section.sections("caps", optional=True):
        region, start, end = numbers.span(item, regions)
        amounts = {name: item.integer(name, optional=True) for name in found if name in item}
        if not amounts:
            item.mistake("missing", what="daily_mg")
        doc = {"region": region, "from": start.isoformat(), "to": end.isoformat() if end else ""} | amounts
        doc = without_blanks(doc | numbers.origin(item))
        for name, amount in amounts.items():
            value = Value(region, start, end, Fraction(amount or 0), units.parse("1"), "cap")
            found[name].append(Number(item, value, doc))
    return numbers.close(found["daily_mg"], "caps"), numbers.close(found["daily_points"], "caps")


def _statements(section: Section) -> dict[str, Any]:
    item = section.section("statements")
    texts: dict[str, Any] = {}
    for name in STATEMENTS:
        if name in item:
            texts[name] = _baseline(item.section(name)) if name == "baseline" else item.both(name)
    item.done()
    return texts


def _baseline(item: Section) -> dict[str, str]:
    """A baseline says where it comes from and of when it is."""
    texts = {name: item.text(name) for name in ("zh", "en", "source", "dated_on")}
    item.done()
    return texts
