"""A dry run: what deeds would come to, by the very calculation that credits them. Nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from rules import quantification, receipts, standard, verification
from rules.model import Pack
from rules.reasons import REASONS

ITEMS_MAX = 100
A_MINUTE_MAX = 120  # requests of one address


def quantify_deeds(platform: Platform, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One answer an item {type, region, on, data, evidence}, in order: the calculation, or the code that refuses it."""
    return [_quantify(platform, item) for item in items]


def check_rate(platform: Platform, address: str, now: datetime) -> None:
    """Count a request of an address. Raises Problem too_many_requests beyond A_MINUTE_MAX in a clock minute."""
    key = f"quantify:{address}:{int(now.timestamp()) // 60}"
    with platform.redis.pipeline() as pipe:
        pipe.incr(key)
        pipe.expire(key, 120)
        count, _ = pipe.execute()
    if count > A_MINUTE_MAX:
        raise Problem("too_many_requests", headers={"Retry-After": str(60 - int(now.timestamp()) % 60)})


def _quantify(platform: Platform, item: dict[str, Any]) -> dict[str, Any]:
    kept = platform.standard
    region = kept.nation if item["region"] == kept.nation.code else kept.region(item["region"])
    if not kept.has_type(item["type"]):
        return _refused("type_unknown", "type")
    if region is None:
        return _refused("region_unknown", "region")
    on = item.get("on") or datetime.now(UTC).astimezone(region.timezone).date()
    pack = kept.pack(item["type"], on)
    if pack is None:
        return _refused("not_in_force", "on")
    facts, code, field = verification.read_facts(pack, item["data"])
    if code:
        return _refused(code, field)
    try:
        measured = quantification.measure(kept, pack, region, facts, on, item["evidence"])
    except quantification.Outdated:
        return _refused("factor_outdated", "on")
    entry = receipts.Entry(
        document=pack.document, sha256=pack.content_sha256, region=region.code, day=on, evidence=item["evidence"],
        facts=facts, measured_mg=measured.reduction_mg, code=_code(pack, measured.reduction_mg),
        reduction_mg=measured.reduction_mg, points=measured.points_micro // 1_000_000, cap_mg=measured.daily_cap_mg,
        cap_points=measured.daily_points,
    )  # fmt: skip
    return {
        "code": entry.code,
        "reduction_mg": entry.reduction_mg,
        "points": entry.points,
        "daily_cap_mg": entry.cap_mg,
        "daily_points": measured.daily_points,
        "tariff": measured.tariff_id or None,
        "methodology": _methodology(pack),
        "warnings": [_overdue(factor_id) for factor_id in measured.overdue],
        "receipt": receipts.receipt(None, [entry]),
    }


def _code(pack: Pack, reduction_mg: int) -> str:
    if pack.points_only:
        return "points_only"
    return "ok" if reduction_mg > 0 else "no_reduction"


def _overdue(factor_id: str) -> dict[str, str]:
    en = f"The number {factor_id} is past its review date; it still counts during the days of grace."
    return {"code": "review_overdue", "zh": f"数值 {factor_id} 已过复核日期，宽限期内仍可使用。", "en": en}


def _refused(code: str, field: str) -> dict[str, Any]:
    zh, en = REASONS[code]
    return {"code": code, "field": field, "reason": {"zh": zh, "en": en}}


def _methodology(pack: Pack) -> Mapping[str, Any]:
    document = standard.pack_json(pack)
    names = ("code", "version", "status", "status_reason", "name", "gas_basis", "boundary", "formula", "measures")
    return {name: document[name] for name in names if name in document}
