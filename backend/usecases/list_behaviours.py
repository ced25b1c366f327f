"""Every behaviour of the standard in short, and what the calculator asks of it in units that people use."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from backend.platform import Platform
from rules import quantification, standard, words
from rules.model import Pack
from rules.packs import CATEGORIES

_START = {"pm": 10_000, "g": 1000, "Wh": 10_000, "l": 1000, "step": 6000}  # what a field begins with
_PER_UNIT = {
    "use": {"zh": "次", "en": "use"},
    "piece": {"zh": "件", "en": "piece"},
    "step": {"zh": "步", "en": "step"},
}


def list_behaviours(platform: Platform, today: date) -> dict[str, list[dict[str, Any]]]:
    """category -> the newest version of each of its methodologies: name, state, uses, grams a unit, fields, words."""
    found: dict[str, list[dict[str, Any]]] = {category: [] for category in CATEGORIES}
    newest = {pack.code: pack for pack in (*platform.standard.drafts, *platform.standard.packs)}
    for _, pack in sorted(newest.items()):
        found[pack.category].append(_behaviour(platform, pack, today))
    return found


def headline(platform: Platform, pack: Pack, today: date) -> dict[str, Any] | None:
    """Grams a unit with the nation's numbers of today: {low, high, unit}, one of each where there are kinds.

    None where nothing is measured, or a number is too old.
    """
    integers = [fact for fact in pack.facts if fact.kind == "integer"]
    if pack.points_only or pack.status == "draft" or not integers:
        return None
    places, unit = words.human(integers[0].unit)
    size = 10**places
    amount = max(size, integers[0].minimum or 0)
    on = max(pack.in_force_from, min(today, (pack.in_force_to or date.max) - timedelta(days=1)))
    facts: dict[str, int | str] = {f.name: min(f.values, default=amount) for f in pack.facts}
    found = []
    for choice in next((sorted(fact.values) for fact in pack.facts if fact.name == pack.selector), [""]):
        facts |= {pack.selector: choice} if choice else {}
        try:
            measured = quantification.measure(platform.standard, pack, platform.standard.nation, facts, on)
        except quantification.Outdated:
            return None
        found.append(measured.lines[-1].value / measured.lines[-1].per * size / amount)
    per = _PER_UNIT.get(integers[0].unit, unit)
    return {"low": _readable(min(found)), "high": _readable(max(found)), "unit": per}


def _behaviour(platform: Platform, pack: Pack, today: date) -> dict[str, Any]:
    document = standard.pack_json(pack)
    return {
        "code": pack.code,
        "version": pack.version,
        "type": pack.event_type,
        "name": {"zh": pack.name_zh, "en": pack.name_en},
        "status": pack.status,
        "points_only": pack.points_only,
        "uses": sorted({one.use for one in platform.standard.approvals if one.is_of(pack)}),
        "headline": headline(platform, pack, today),
        "fields": [_field(fact) for fact in document.get("facts", ())],
        "words": words.template(document),
        "factors": {
            id_: {"name": factor["name"], "unit": words.unit(factor["unit"])}
            for id_, factor in document.get("factors", {}).items()
        },
    }


def _field(fact: dict[str, Any]) -> dict[str, Any]:
    """How a fact is asked for. places: by how much the decimal point of what is typed is moved."""
    field = {"name": fact["name"], "title": words.title(fact), "kinds": fact.get("values", {})}
    if fact["kind"] == "choice":
        return field
    places, unit = words.human(fact["unit"])
    low, high = fact["minimum"], fact.get("maximum")
    start = max(low, min(_START.get(fact["unit"], 1), high or low))
    first = words.amount(start, fact["unit"])["en"].split(" ")[0].replace(",", "")
    return field | {"places": places, "unit": unit, "start": first} | ends(fact)


def ends(fact: dict[str, Any]) -> dict[str, dict[str, str] | None]:
    """{low, high} of a fact for people; low is None where it is but the smallest that there is."""
    low, high = fact["minimum"], fact.get("maximum")
    return {
        "low": words.amount(low, fact["unit"]) if low > 1 else None,
        "high": words.amount(high, fact["unit"]) if high is not None else None,
    }


def _readable(grams: Decimal) -> str:
    """To two places, none where they say nothing."""
    text = f"{grams:,.2f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
