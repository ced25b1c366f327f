"""What another state of the standard would have made of the deeds that count: measured anew, never posted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from backend.platform import Platform
from backend.store import reports
from rules import quantification, verification
from rules.standard import Standard


@dataclass(slots=True)
class _Sum:
    deeds: int = 0
    changed: int = 0
    a_mg: int = 0
    b_mg: int = 0
    unmeasured_a: int = 0
    unmeasured_b: int = 0


def compare_standards(platform: Platform, a: Standard, b: Standard, from_on: date, to_on: date) -> list[dict[str, Any]]:
    """Rows by province and behaviour, for records credited of deeds begun in [from_on, to_on), before the day's caps.

    a_mg, b_mg: what each standard measures; unmeasured: records that it would not credit at all (0 mg).
    """
    sums: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    with platform.db.transaction(snapshot=True) as conn:
        for row in reports.credited(conn, from_on, to_on):
            one = sums[f"{row['region'][:2]}0000", row["event_type"]]
            first, second = _measured(a, row), _measured(b, row)
            one.deeds += 1
            one.changed += first != second
            one.a_mg += first or 0
            one.b_mg += second or 0
            one.unmeasured_a += first is None
            one.unmeasured_b += second is None
    return [_row(b, *key, sums[key]) for key in sorted(sums)]


def _measured(standard: Standard, row: Mapping[str, Any]) -> int | None:
    """Milligrams under a standard; None where it would refuse the record."""
    region, pack = standard.region(row["region"]), standard.pack(row["event_type"], row["day"])
    if region is None or pack is None:
        return None
    facts, refused, _ = verification.read_facts(pack, row["facts"])
    if refused:
        return None
    try:
        return quantification.measure(standard, pack, region, facts, row["day"], row["evidence"]).reduction_mg
    except LookupError:
        return None


def _row(standard: Standard, region: str, event_type: str, one: _Sum) -> dict[str, Any]:
    place = standard.region(region)
    change_mg = one.b_mg - one.a_mg
    return {
        "region": f"{region} {place.name_zh} {place.name_en}" if place else region,
        "behaviour": event_type,
        "deeds": one.deeds,
        "changed": one.changed,
        "a_mg": one.a_mg,
        "b_mg": one.b_mg,
        "change_mg": change_mg,
        "percent": f"{change_mg * 1000 // abs(one.a_mg) / 10:+.1f}" if one.a_mg else "",
        "unmeasured_a": one.unmeasured_a,
        "unmeasured_b": one.unmeasured_b,
    }
