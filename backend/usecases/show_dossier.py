"""The dossier of a batch: what a verifier reads before it attests. Figures and a sample of receipts, no names."""

from __future__ import annotations

from typing import Any

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import db, dossier, pools
from backend.usecases import list_batches, show_receipt
from rewards import certificates, sharing
from rules import receipts

SAMPLE_MAX = 100
BEYOND_P99 = 5  # times the 99th percentile: an outlier
A_DAY = 20  # counted deeds of one person

# kind of anomaly -> (中文, English)
ANOMALIES: dict[str, tuple[str, str]] = {
    "outliers": ("单次减排量超过第 99 百分位的五倍", "single deeds above five times the 99th percentile"),
    "repeats": (
        "同一人五次以上事实与时长完全相同的行为",
        "deeds of one person with equal facts and length, five times or more",
    ),
    "busy": ("同一人一天计入超过 20 次", "more than 20 counted deeds of one person on a day"),
    "in_cases": ("关池后仍有人工复核或申诉未决", "members with an open case"),
    "recalled": ("关池后已召回", "recalled since the close"),
    "few_people": ("不足 20 人", "fewer than 20 people"),
    "one_above_half": ("一人占一半以上", "one person has above half of it"),
    "weak": ("证据等级不属 order 或 device", "evidence other than order or device"),
}


def show_dossier(platform: Platform, batch_id: int, role: str, seed: str, size: int) -> dict[str, Any]:
    """{batch, evidence, partners, deeds, people, quality, verdicts, anomalies, sample}. Raises Problem not_found.

    seed: any text; the same seed draws the same `size` deeds, so that a sample can be drawn again by others.
    """
    with platform.db.transaction(snapshot=True) as conn:
        row = pools.batch(conn, batch_id)
        batch = list_batches.shown(platform, role, row)
        parts = {
            "batch": batch,
            "evidence": dossier.tiers(conn, batch_id),
            "partners": dossier.partners(conn, batch_id),
            "deeds": dossier.spread(conn, batch_id),
            "people": _people(dossier.people(conn, batch_id), batch),
            "quality": dossier.quality(conn, batch_id),
            "verdicts": dossier.verdicts(conn, batch_id),
        }
        parts["anomalies"] = _anomalies(conn, batch_id, parts)
        drawn = dossier.sample(conn, batch_id, seed, size)
        sample = [_drawn(conn, platform, batch_id, one) for one in drawn]
    return parts | {"sample": {"seed": seed, "size": len(sample), "deeds": sample}}


def _people(found: dict[str, Any], batch: dict[str, Any]) -> dict[str, Any]:
    whole = max(batch["reduction_mg"], 1)
    shares = {f"{name}_ppm": found[f"{name}_mg"] * sharing.PPM // whole for name in ("largest", "top_ten")}
    return {"count": batch["people"], "most_deeds": found["most_deeds"], "median_deeds": found["median_deeds"]} | shares


def _anomalies(conn: db.Connection, batch_id: int, parts: dict[str, Any]) -> list[dict[str, Any]]:
    """Every kind that was found, with what it touches."""
    batch, people = parts["batch"], parts["people"]
    weak = [tier for tier in parts["evidence"] if tier["evidence"] not in ("order", "device")]
    beyond_mg = max(parts["deeds"]["p99_mg"], 1) * BEYOND_P99
    found: dict[str, dict[str, Any]] = {
        "outliers": dossier.outliers(conn, batch_id, beyond_mg),
        "repeats": dossier.repeats(conn, batch_id),
        "busy": dossier.busy(conn, batch_id, A_DAY),
        "in_cases": {"deeds": parts["quality"]["deeds_in_cases"]},
        "recalled": {"reduction_mg": batch["recalled_mg"]},
        "few_people": {"people": people["count"] if people["count"] < certificates.PEOPLE_SHOWN_FROM else 0},
        "one_above_half": {"largest_ppm": people["largest_ppm"] if people["largest_ppm"] > sharing.PPM // 2 else 0},
        "weak": {"deeds": sum(tier["deeds"] for tier in weak)},
    }
    return [
        {"kind": kind, "zh": zh, "en": en, **{name: int(value) for name, value in found[kind].items()}}
        for kind, (zh, en) in ANOMALIES.items()
        if any(found[kind].values())
    ]


def _drawn(conn: db.Connection, platform: Platform, batch_id: int, one: dict[str, Any]) -> dict[str, Any]:
    """A deed with its receipt; its person under a handle that means something in this batch only."""
    handle = auth.handle(platform.settings.secret, f"dossier {batch_id}", one["person_id"])
    entry = {"deed": one["deed_id"], "person": handle, "reduction_mg": one["reduction_mg"], "receipt": None}
    try:
        receipt = show_receipt.receipt_of(conn, platform, one["person_id"], one["deed_id"])
    except Problem:  # it does not stand any more, or was judged before receipts were kept
        return entry | {"problem": "not_found"}
    except receipts.Mismatch as mismatch:
        return entry | {"problem": str(mismatch)}
    return entry | {"receipt": receipt}
