"""Which rule decided a verdict, and with which dated numbers: for whoever wants to check or to appeal.

Nothing here is stored: a rule follows from the standard, the code, the methodology, the region and the day. It says
nothing of other records, so that it can be told to everybody who may see the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from rules.model import ExclusionClass, Pack, Region
from rules.standard import Standard

Rule = dict[str, Any]

# code -> numbers of parameters.yaml that it rests on
PARAMETERS: dict[str, tuple[str, ...]] = {
    "region_unknown": ("region_clear_percent",),
    "region_contradicts": ("region_margin_km", "region_near_km", "region_contradicts_percent"),
    "in_future": ("future_tolerance_s",),
    "too_late": ("acceptance_window_days",),
    "suspicious": ("suspicion_review_points", "records_a_day_max"),
}
AT_RECEPTION = frozenset({"in_future", "too_late"})  # judged by the numbers of the day on which the event came in


def rule_of(standard: Standard, row: Mapping[str, Any]) -> Rule:
    """The rule behind an event's verdict.

    row: code, pack_code, pack_version and region as far as known; day (civil, of the start) or, where it has none,
    started_at and received_at. The answer is shared: it must not be changed.
    """
    code, region = row["code"], row.get("region")
    on = row.get("day")
    if on is None and (at := row.get("received_at" if code in AT_RECEPTION else "started_at")) is not None:
        on = _civil_day(standard, region, at)
    return rule(standard, code, row.get("pack_code"), row.get("pack_version"), region, on or date.max)


def _civil_day(standard: Standard, region: str | None, at: datetime) -> date:
    return at.astimezone((standard.region(region or "") or standard.nation).timezone).date()


@lru_cache(maxsize=4096)
def rule(
    standard: Standard, code: str, pack_code: str | None, pack_version: str | None, region_code: str | None, on: date
) -> Rule:
    """{code, parameters}: the rule and its numbers on that day, units last in their names; {} where it has none."""
    parameters: Rule = {name: standard.parameter(name, on) for name in PARAMETERS.get(code, ())}
    region = standard.region(region_code or "") or standard.nation
    pack = standard.pack_version(pack_code, pack_version) if pack_code and pack_version else None
    if code == "region_contradicts" and region.radius_km is not None:
        parameters["radius_km"] = region.radius_km
    if pack is not None:
        parameters |= _of_pack(standard, code, pack, region, on)
        parameters |= _of_class(code, standard.exclusion_class(pack.exclusion_class, on))
    return {"code": code, "parameters": parameters}


def _of_pack(standard: Standard, code: str, pack: Pack, region: Region, on: date) -> Rule:
    if code in ("fact_missing", "fact_invalid", "distance_unknown"):
        return {"facts": [fact.name for fact in pack.facts]}
    if code == "fact_out_of_range":
        return {"facts": {f.name: [f.minimum, f.maximum] for f in pack.facts if f.kind == "integer"}}
    if code in ("too_short", "too_long"):
        return {"duration_min_s": pack.duration_min_s, "duration_max_s": pack.duration_max_s}
    if code == "too_fast" and pack.speed_max_m_per_h is not None:
        return {"max_km_per_h": pack.speed_max_m_per_h // 1000}  # packs state whole kilometres
    return {"cap_mg_per_day": standard.daily_cap_mg(pack, region, on)} if code == "capped" else {}


def _of_class(code: str, klass: ExclusionClass) -> Rule:
    named: Rule = {"class": klass.code}
    if code == "same_record":
        facts = {"same_facts": list(klass.same_record_facts)} if klass.same_record_facts else {}
        shift = {"shift_s": klass.shift_s, "duration_jitter_s": klass.duration_jitter_s} if klass.shift_s else {}
        return named | {"jitter_s": klass.jitter_s} | shift | facts
    if code == "overlap":
        share = klass.overlap_share_percent
        return named | {"overlap_tolerance_s": klass.overlap_tolerance_s, "overlap_share_percent": share}
    if code == "continues":
        return named | {"continue_gap_s": klass.continue_gap_s}
    return named if code in ("same_act", "rest_of_day") else {}
