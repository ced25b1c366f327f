"""A methodology as its public page tells it: everything out of the pack and its worked examples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from backend.platform import Platform
from backend.usecases import list_behaviours, list_methodologies
from rules import quantification, replay, units, words
from rules.cases import CASE_KINDS, Case
from rules.model import POOLABLE_EVIDENCE

Document = Mapping[str, Any]
_OPEN_MAX = 6  # factors on a page whose numbers are shown without being asked for
_ROWS_MAX = 4  # dated values of a factor that are


def describe_methodology(platform: Platform, code: str, today: date) -> dict[str, Any]:
    """What list_methodologies.show_methodology has, and the newest version made readable. Raises Problem not_found."""
    shown = list_methodologies.show_methodology(platform, code)
    newest = shown["versions"][0]
    document = newest["pack"]
    pack = next(p for p in platform.standard.methodologies if p.content_sha256 == newest["sha256"])
    ordered = sorted(platform.standard.cases_of(pack), key=lambda case: CASE_KINDS.index(case.kind))
    factors = [_factor(platform, factor) for factor in document.get("factors", {}).values()]
    return shown | {
        "headline": list_behaviours.headline(platform, pack, today),
        "facts": [_fact(fact) for fact in document.get("facts", ())],
        "bounds": _bounds(document.get("bounds", {})),
        "evidence": _evidence(document),
        "gas_words": dict(zip(words.LANGUAGES, units.GAS_BASES[document["gas_basis"]][1:], strict=True)),
        "factors": [one | {"open": len(factors) <= _OPEN_MAX and len(one["rows"]) <= _ROWS_MAX} for one in factors],
        "tariffs": [_dated(t.document) for t in platform.standard.tariffs if t.pack_code == code],
        "approvals": [_dated(approval) for approval in newest["approvals"]],
        "in_force": [_period(one["in_force_from"], one["in_force_to"]) for one in shown["versions"]],
        "examples": [_example(platform, document, case) for case in ordered],
    }


def place_name(platform: Platform, code: str) -> dict[str, str]:
    """The name of a region, a grid or the nation."""
    grid = platform.standard.grids.get(code)
    if grid:
        return dict(grid["name"])
    region = platform.standard.region(code) or platform.standard.nation
    return {"zh": region.name_zh, "en": region.name_en}


def grid_names(platform: Platform) -> dict[str, dict[str, str]]:
    """The regional grids by code: numbers may be theirs, but no deed happens in one."""
    return {code: dict(grid["name"]) for code, grid in platform.standard.grids.items()}


def _period(first: date | str | None, to: date | str | None) -> list[str]:
    """The first and the last day, as people read it: `to` itself is the day after. '' for what has no end."""
    return [str(first or ""), str(date.fromisoformat(str(to)) - timedelta(days=1)) if to else ""]


def _dated(item: Document) -> dict[str, Any]:
    return dict(item) | {"period": _period(item["from"], item.get("to"))}


def _fact(fact: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": fact["name"], "title": words.title(fact)}
    if fact["kind"] == "choice":
        return shown | {"kinds": fact["values"]}
    return shown | list_behaviours.ends(fact)


def _bounds(bounds: Document) -> dict[str, dict[str, str]]:
    shown = {name: words.duration(bounds[name]) for name in ("duration_min_s", "duration_max_s") if bounds.get(name)}
    if fastest := bounds.get("speed_max_km_per_h"):
        shown["speed_max"] = {"zh": f"{fastest} 公里/小时", "en": f"{fastest} km/h"}
    return shown


def _evidence(document: Document) -> list[dict[str, Any]]:
    """What each tier is credited of a reduction, and whether it may be pooled."""
    percent = document["rules"][-1]["evidence_percent"] if document.get("rules") else {}
    return [{"tier": t, "percent": percent[t], "pool": t in POOLABLE_EVIDENCE} for t in replay.EVIDENCE if t in percent]


# --- factors ---------------------------------------------------------------------------------------------------------


def _factor(platform: Platform, factor: Document) -> dict[str, Any]:
    """{name, unit, shared, columns, rows}: what all its dated values have in common is said once."""
    rows = [_value(platform, factor, value) for value in factor["values"]]
    differ = [name for name in rows[0] if any(row[name] != rows[0][name] for row in rows)]
    said = [name for name in differ if name != "number"]
    return {
        "name": factor["name"],
        "unit": words.unit(factor["unit"]),
        "shared": {name: rows[0][name] for name in rows[0] if name not in differ and rows[0][name]},
        "columns": (["number", *said] if differ else []),
        "rows": rows,
    }


def _value(platform: Platform, factor: Document, value: Document) -> dict[str, Any]:
    later = [v["from"] for v in factor["values"] if v["region"] == value["region"] and v["from"] > value["from"]]
    return {
        "number": {"text": words.number(value).strip("()"), "about": _about(value)},
        "uncertainty": value.get("uncertainty"),
        "region": place_name(platform, value["region"]),
        "period": _period(value["from"], value.get("to") or min(later, default=None)),
        "tier": value["tier"],
        "gas_basis": value.get("gas_basis") or factor.get("gas_basis"),
        "boundary": value.get("boundary") or factor.get("boundary"),
        "source": [value["source"], value.get("source_ref", ""), value.get("stored_at", "")],
        "factor_id": value["factor_id"],
        "review_by": value.get("review_by"),
        "caveat": value.get("caveat"),
    }


def _about(value: Document) -> str:
    """A quotient as a decimal, to five digits; '' for what is a decimal already."""
    return "" if value.get("per", "1") == "1" else f"{Decimal(value['value']) / Decimal(value['per']):.5g}"


# --- worked examples -------------------------------------------------------------------------------------------------


def _example(platform: Platform, document: Document, case: Case) -> dict[str, Any]:
    region = platform.standard.region(case.region) or platform.standard.nation
    told = replay.calculate(document, region.code, case.facts, case.on, case.evidence)
    measured = quantification.measure(platform.standard, case.pack, region, case.facts, case.on, case.evidence)
    facts = {fact["name"]: fact for fact in document["facts"]}
    titles = {name: words.title(fact) for name, fact in facts.items()}
    amounts = {
        name: fact["values"][case.facts[name]] if fact["kind"] == "choice"
        else words.amount(int(case.facts[name]), fact["unit"]) for name, fact in facts.items()
    }  # fmt: skip
    return {
        "case": case,
        "region": {"zh": region.name_zh, "en": region.name_en},
        "facts": [(titles[name], amounts[name]) for name in facts],
        "steps": _steps(document, told, amounts, str(case.facts.get(case.pack.selector, ""))),
        "percent": told["evidence_percent"],
        "points": measured.points_micro // 1_000_000,
        "reduction_mg": measured.reduction_mg,
        "expected": list(dict.fromkeys(_rounded(end).removeprefix("≈ ") for end in (case.at_least, case.at_most))),
    }


def _steps(document: Document, told: Document, amounts: Mapping[str, words.Text], choice: str) -> list[dict[str, Any]]:
    """Each step with its words, the numbers in their places, and what it comes to in grams."""
    used = {factor["name"]: factor for factor in told["factors"]}
    said, holes = words.of_formula(document, choice), words.template(document)
    steps = []
    for step in told["steps"]:
        name = step["name"].removesuffix("_g")
        numbers = {language: _filled(holes[name][language], language, amounts, used)
                   for language in words.LANGUAGES} if name in holes else None  # fmt: skip
        exact = Fraction(step["value"]) / int(step["per"])
        steps.append({"name": name, "words": said.get(name), "numbers": numbers, "grams": _rounded(exact)})
    return steps


def _filled(text: str, language: str, amounts: Mapping[str, words.Text], used: Mapping[str, Document]) -> str:
    def number(name: str, end: str) -> str:
        if name in amounts:
            return amounts[name][language]
        return f"{words.number(used[name], end)} {words.unit(used[name]['unit'])[language]}".strip()

    return words.fill(text, number)


def _rounded(exact: Fraction) -> str:
    """To three places, with a sign where that is not all of it."""
    shown = (Decimal(exact.numerator) / exact.denominator).quantize(Decimal("0.001"), ROUND_HALF_UP)
    text = f"{shown:,f}".rstrip("0").rstrip(".").replace("-", "−")
    return text if Fraction(shown) == exact else f"≈ {text}"
