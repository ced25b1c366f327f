"""Is the record believable: its evidence tier, its facts, its time and speed.

Plausibility bounds belong to the pack; this module only applies them, in the order of `rules.model.CODES`.
"""

from __future__ import annotations

from collections.abc import Mapping

from rules.model import EVIDENCE_TIERS, Fact, Pack

Facts = dict[str, int | str]


def evidence_tier(declared: str, ceiling: str, act_issuer: str | None, own_issuer: str | None) -> str:
    """The lesser of what is declared and what the client may claim; `order` only from the number's own issuer."""
    if act_issuer is None or act_issuer != own_issuer:
        ceiling = max(ceiling, "device", key=EVIDENCE_TIERS.index)
    return max(declared, ceiling, key=EVIDENCE_TIERS.index)


def read_facts(pack: Pack, data: Mapping[str, object]) -> tuple[Facts, str, str]:
    """The pack's facts from an event's data, the code that refuses them ('' for none) and the field at fault."""
    facts: Facts = {}
    first_code = first_field = ""
    for fact in pack.facts:
        value = data.get(fact.name)
        code = _fact_code(fact, value)
        if not code:
            facts[fact.name] = value  # type: ignore[assignment]
        elif not first_code:
            first_code, first_field = code, f"data.{fact.name}"
    return facts, first_code, first_field


def _fact_code(fact: Fact, value: object) -> str:
    if value is None or (fact.missing_code != "fact_missing" and value == 0):
        return fact.missing_code
    if fact.kind == "choice":
        return "" if isinstance(value, str) and value in fact.values else "fact_invalid"
    if isinstance(value, bool) or not isinstance(value, int):
        return "fact_invalid"
    if fact.minimum is not None and value < fact.minimum:
        return "fact_out_of_range"
    if fact.maximum is not None and value > fact.maximum:
        return "fact_out_of_range"
    return ""


def plausibility_code(pack: Pack, facts: Facts, duration_us: int) -> str:
    """`too_short`, `too_long` or `too_fast` by the pack's bounds, else ''. All comparisons are exact."""
    if pack.duration_min_s is not None and duration_us < pack.duration_min_s * 1_000_000:
        return "too_short"
    if pack.duration_max_s is not None and duration_us > pack.duration_max_s * 1_000_000:
        return "too_long"
    distance_m = facts.get("distance_m")
    if pack.speed_max_m_per_h is None or not isinstance(distance_m, int):
        return ""
    return "too_fast" if distance_m * 3_600_000_000 > pack.speed_max_m_per_h * duration_us else ""
