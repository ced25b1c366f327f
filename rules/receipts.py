"""Receipts: the calculation record of a deed, self-contained, that anybody replays offline to the same milligram.

Built with the very file that is handed out for replaying (rules/replay.py), out of the pack that judged the deed as it
was published; what the engine measured must come out of it, or there is no receipt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import rfc8785

from rules import replay


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a deed, as it was judged. started_at, ended_at: RFC 3339 with the region's zone; None in a dry run.

    document: the pack.json that judged it. measured_mg: what the engine measured. code, reduction_mg, points: what was
    credited of it. cap_mg, cap_points: the day's caps it came under.
    """

    document: bytes
    sha256: str
    region: str
    day: date
    evidence: str
    facts: Mapping[str, int | str]
    measured_mg: int
    code: str
    reduction_mg: int
    points: int
    cap_mg: int | None
    cap_points: int | None = None
    started_at: str | None = None
    ended_at: str | None = None


class Mismatch(ValueError):
    """The engine and the replay disagree: a defect of ours, never to be handed out."""


def receipt(deed: int | None, entries: Sequence[Entry]) -> dict[str, Any]:
    """The receipt of a deed with its records in order of time. Raises Mismatch."""
    return {
        "format": replay.FORMAT,
        "deed": None if deed is None else str(deed),
        "records": [_record(entry) for entry in entries],
        "reduction_mg": sum(entry.reduction_mg for entry in entries),
        "points": sum(entry.points for entry in entries),
    }


def canonical(content: Mapping[str, Any]) -> bytes:
    """The receipt's bytes: RFC 8785."""
    return rfc8785.dumps(cast("dict[str, Any]", content))


def _record(entry: Entry) -> dict[str, Any]:
    pack = json.loads(entry.document)
    calculation = replay.calculate(pack, entry.region, entry.facts, entry.day, entry.evidence)
    if calculation["measured_mg"] != entry.measured_mg:
        raise Mismatch(f"{pack['code']}: measured {entry.measured_mg} mg, replayed {calculation['measured_mg']} mg")
    named = {name: pack[name] for name in ("code", "version", "status")}
    return {
        "pack": named | {"sha256": entry.sha256},
        "region": entry.region,
        "day": entry.day.isoformat(),
        "started_at": entry.started_at,
        "ended_at": entry.ended_at,
        "evidence": entry.evidence,
        "facts": dict(entry.facts),
        "calculation": calculation,
        "national_mg": replay.national_mg(pack, entry.facts, entry.day, entry.evidence),
        "credited": {
            "code": entry.code, "reduction_mg": entry.reduction_mg, "points": entry.points, "cap_mg": entry.cap_mg,
            "cap_points": entry.cap_points,
        },
    }  # fmt: skip
