"""Any CSV whose header names are fields of an event.

Columns: id, type, started_at are needed, and partner_ref (looked up in --subjects) or subject; ended_at, region,
evidence, act_ref, asset_ref, distance_m, material, mass_g, item, count where they are. Other columns are not sent.
Zone: times carry their own offset; one without is read as China's civil time (+08:00).
Units: those of the event: metres, grams, whole numbers. An empty cell is a fact that is not known and is not sent; a
number that is none is sent as it stands, so that the platform says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path

from mobile_mock.traffic import files as raw_files
from mobile_mock.traffic.trips import CHINA, Facts, Reading, Trip

NEEDED = ("id", "type", "started_at")
NUMBERS = ("distance_m", "mass_g", "count")
CHOICES = ("material", "item")
OPTIONAL = ("ended_at", "partner_ref", "subject", "region", "evidence", "act_ref", "asset_ref", *NUMBERS, *CHOICES)


def read(files: Sequence[Path], reading: Reading, stations: Path | None = None) -> Iterator[Trip]:
    """The rows of the files as trips, in their order; each file by its own header."""
    for row in raw_files.rows(files, NEEDED, reading, OPTIONAL):
        try:
            yield _trip(dict(zip(NEEDED + OPTIONAL, row, strict=True)))
        except ValueError:
            reading.skipped["time_unreadable"] += 1


def _trip(cells: dict[str, str]) -> Trip:
    facts: Facts = {name: _number(cells[name]) for name in NUMBERS if cells[name]}
    facts |= {name: cells[name] for name in CHOICES if cells[name]}
    return Trip(
        event_id=cells["id"],
        partner_ref=cells["partner_ref"],
        type=cells["type"],
        started_at=_instant(cells["started_at"]),
        ended_at=_instant(cells["ended_at"] or cells["started_at"]),
        evidence=cells["evidence"] or None,
        act_ref=cells["act_ref"] or None,
        asset_ref=cells["asset_ref"] or None,
        facts=facts,
        subject=cells["subject"],
        region=cells["region"],
    )


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=CHINA)


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text) if isfinite(float(text)) else text
    except ValueError:
        return text
