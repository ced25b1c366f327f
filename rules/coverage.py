"""What the standard covers: the working list of everyday behaviours against the methodologies that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rules.model import Pack
from rules.standard import CASE_KINDS, SHIPPED, Standard, pack_json

LIST = SHIPPED / "coverage.yaml"


def behaviours(path: Path = LIST) -> list[dict[str, Any]]:
    """The working list: {n, category, zh, en, packs, gap}."""
    return list(yaml.safe_load(path.read_text("utf-8"))["behaviours"])


def left_out(path: Path = LIST) -> list[dict[str, Any]]:
    """Worked examples of the sources that no methodology can express: {id, pack, reason: {zh, en}}."""
    return list(yaml.safe_load(path.read_text("utf-8"))["left_out"])


def table(standard: Standard, listed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a behaviour: status, formula, factors by tier, regions with own numbers, cases by kind, approvals, gap."""
    by_code: dict[str, list[Pack]] = {}
    for pack in standard.methodologies:
        by_code.setdefault(pack.code, []).append(pack)
    return [_row(standard, row, [p for code in row["packs"] for p in by_code.get(code, ())]) for row in listed]


def _row(standard: Standard, row: Mapping[str, Any], packs: Sequence[Pack]) -> dict[str, Any]:
    docs = [pack_json(pack) for pack in packs]
    values = [v for doc in docs for factor in doc.get("factors", {}).values() for v in factor["values"]]
    tiers = Counter(value["tier"] for value in values)
    tariffs = [t for t in standard.tariffs if t.pack_code in row["packs"]]
    regions = {v["region"] for v in values} | {t.value.region for t in tariffs}
    cases = Counter(case.kind for pack in packs for case in standard.cases_of(pack))
    uses = {one.use for pack in packs for one in standard.approvals if one.is_of(pack)}
    missing = [doc["missing"]["en"] for doc in docs if "missing" in doc] or [row.get("gap", "")]
    return {
        "n": row["n"],
        "category": row["category"],
        "zh": row["zh"],
        "en": row["en"],
        "packs": list(row["packs"]),
        "status": _status(packs),
        "formula": ", ".join(dict.fromkeys(_formula(pack, doc) for pack, doc in zip(packs, docs, strict=True))),
        "factors": " ".join(f"{tier}:{count}" for tier, count in sorted(tiers.items())),
        "tariffs": len(tariffs),
        "regions": len(regions - {"CN"}),
        "cases": {kind: cases[kind] for kind in CASE_KINDS},
        "approvals": ", ".join(sorted(uses)) or "-",
        "missing": "; ".join(text for text in missing if text),
    }


def _status(packs: Sequence[Pack]) -> str:
    return ", ".join(sorted({f"{p.status}, points only" if p.points_only else p.status for p in packs})) or "none"


def _formula(pack: Pack, doc: Mapping[str, Any]) -> str:
    if pack.status == "draft":
        return "-"
    if pack.points_only:
        return "tariff"
    return str(doc.get("shared_formula", "own"))


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many behaviours of the list credit a reduction, set points only, or are drafts."""
    drafts = sum(row["status"] == "draft" for row in rows)
    kinds = {kind: sum(row["cases"][kind] for row in rows) for kind in CASE_KINDS}
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return f"{len(rows)} behaviours, {drafts} drafts; cases (a pack's counted with each of its behaviours): {told}"
