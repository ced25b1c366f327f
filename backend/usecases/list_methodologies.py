"""The methodologies and factors of the standard, as anybody can read them."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from rules import quantification, standard, words
from rules.model import Pack


def list_methodologies(platform: Platform) -> list[dict[str, Any]]:
    """Every version of every methodology by code, in short."""
    return [_brief(pack) for pack in platform.standard.methodologies]


def show_methodology(platform: Platform, code: str) -> dict[str, Any]:
    """All versions of a methodology in full, the newest first. Raises Problem not_found."""
    versions = [pack for pack in (*platform.standard.drafts, *platform.standard.packs) if pack.code == code]
    if not versions:
        raise Problem("not_found")
    return {"code": code, "versions": [_full(platform, pack) for pack in reversed(versions)]}


def list_factors(platform: Platform, region: str | None, on: date | None, today: date) -> list[dict[str, Any]]:
    """Every factor by id with its dated values and sources; of a region and day: the value in force there.

    Raises Problem not_found for a region that is none.
    """
    kept = platform.standard
    place = kept.nation if region in (None, kept.nation.code) else kept.region(region or "")
    if place is None:
        raise Problem("not_found", "region")
    shown = []
    for _, factor in sorted(kept.factors.items()):
        document = dict(factor.document)
        if region or on:
            found = quantification.in_force(factor.values, quantification.chain(place), on or today)
            number = factor.values.index(found) if found else -1
            document["values"] = [document["values"][number]] if found else []
        shown.append(document)
    return shown


def _brief(pack: Pack) -> dict[str, Any]:
    return {
        "code": pack.code, "version": pack.version, "event_type": pack.event_type, "category": pack.category,
        "name": {"zh": pack.name_zh, "en": pack.name_en}, "status": pack.status,
        "in_force_from": None if pack.status == "draft" else pack.in_force_from, "in_force_to": pack.in_force_to,
        "sha256": pack.content_sha256,
    }  # fmt: skip


def _full(platform: Platform, pack: Pack) -> dict[str, Any]:
    kinds = Counter(case.kind for case in platform.standard.cases_of(pack))
    approvals = [
        {
            "region": a.region,
            "use": a.use,
            "body": a.body,
            "document": a.document,
            "from": a.valid_from,
            "to": a.valid_to,
        }
        for a in platform.standard.approvals
        if a.is_of(pack)
    ]
    pack_json = standard.pack_json(pack)
    cases = {kind: kinds[kind] for kind in standard.CASE_KINDS}
    return _brief(pack) | {
        "approvals": approvals,
        "cases": cases,
        "words": words.of_formula(pack_json),
        "pack": pack_json,
    }
