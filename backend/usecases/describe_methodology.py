"""A methodology as its public page tells it: everything out of the pack and its worked examples."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from backend.platform import Platform
from backend.usecases import list_methodologies
from rules import quantification, words
from rules.cases import CASE_KINDS, Case
from rules.model import Pack
from rules.packs import CATEGORIES


def describe_all(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    """category -> the newest version of each of its methodologies, with what a unit comes to and who approved what."""
    found: dict[str, list[dict[str, Any]]] = {category: [] for category in CATEGORIES}
    newest = {pack.code: pack for pack in (*platform.standard.drafts, *platform.standard.packs)}
    for _, pack in sorted(newest.items()):
        uses = {
            a.use for a in platform.standard.approvals if (a.pack_code, a.pack_version) == (pack.code, pack.version)
        }
        row: dict[str, Any] = {"code": pack.code, "name": {"zh": pack.name_zh, "en": pack.name_en}}
        row |= {"status": pack.status, "points_only": pack.points_only, "uses": sorted(uses)}
        row["example"] = _headline(platform, pack)
        found[pack.category].append(row)
    return found


def describe_methodology(platform: Platform, code: str) -> dict[str, Any]:
    """{code, versions, words, tariffs, examples} of a methodology, newest version first. Raises Problem not_found."""
    shown = list_methodologies.show_methodology(platform, code)
    newest = shown["versions"][0]
    pack = next((p for p in platform.standard.packs if p.content_sha256 == newest["sha256"]), None)
    cases = platform.standard.cases_of(pack) if pack else []
    ordered = sorted(cases, key=lambda case: CASE_KINDS.index(case.kind))
    tariffs = [tariff.document for tariff in platform.standard.tariffs if tariff.pack_code == code]
    return shown | {
        "words": words.of_formula(newest["pack"]),
        "tariffs": tariffs,
        "examples": [_example(platform, case) for case in ordered],
    }


def region_name(platform: Platform, code: str) -> dict[str, str]:
    """The name of a region, a grid or the nation."""
    grid = platform.standard.grids.get(code)
    if grid:
        return dict(grid["name"])
    region = platform.standard.region(code) or platform.standard.nation
    return {"zh": region.name_zh, "en": region.name_en}


def _example(platform: Platform, case: Case) -> dict[str, Any]:
    region = platform.standard.region(case.region) or platform.standard.nation
    measured = quantification.measure(platform.standard, case.pack, region, case.facts, case.on, case.evidence)
    steps = [(line.name.removesuffix("_g"), _readable(line.value / line.per)) for line in measured.lines]
    return {
        "case": case,
        "region": {"zh": region.name_zh, "en": region.name_en},
        "steps": steps,
        "points": measured.points_micro // 1_000_000,
        "reduction_mg": measured.reduction_mg,
    }


def _headline(platform: Platform, pack: Pack) -> dict[str, Any] | None:
    """Grams a unit, nation-wide, on the first day in force; from the least to the most where there are kinds."""
    integers = [fact for fact in pack.facts if fact.kind == "integer"]
    if pack.points_only or pack.status == "draft" or not integers:
        return None
    unit, size = _HUMAN.get(integers[0].unit, ("use", 1))
    amount = max(size, integers[0].minimum or 0)
    choices = next((sorted(fact.values) for fact in pack.facts if fact.kind == "choice"), [""])
    found = []
    for choice in choices:
        facts: dict[str, int | str] = {f.name: amount if f.kind == "integer" else choice for f in pack.facts}
        measured = quantification.measure(platform.standard, pack, platform.standard.nation, facts, pack.in_force_from)
        found.append(measured.lines[-1].value / measured.lines[-1].per * size / amount)
    ends = dict.fromkeys((_readable(min(found)), _readable(max(found))))
    return {"grams": " – ".join(ends), "unit": unit}


_HUMAN = {"pm": ("km", 1000), "g": ("kg", 1000), "Wh": ("kWh", 1000), "l": ("m³", 1000)}


def _readable(grams: Decimal) -> str:
    """To two places, none where they say nothing."""
    return f"{grams:,.2f}".rstrip("0").rstrip(".").replace("-", "−")
