"""Is everything accounted for? Every identity of the books, live from the tables, at one moment.

A batch for which one fails is frozen: nothing of it is offered, ordered or retired until an operator has looked.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from backend import metrics
from backend.platform import Platform
from backend.store import conservation, db, freezes
from backend.usecases import list_batches
from rewards import ledger

MAX_AGE = timedelta(seconds=60)
SHOWN_FAILURES = 100

log = structlog.get_logger()
_latest: WeakKeyDictionary[db.Database, tuple[datetime, dict[str, Any]]] = WeakKeyDictionary()


def check_conservation(platform: Platform, now: datetime, *, fresh: bool = False) -> dict[str, Any]:
    """{as_of, ok, identities: [{name, ok, left, right, unit, scope, zh, en}], batches}; at most MAX_AGE old.

    An identity stands in the list once for all (scope 'all') and once more for each row where it fails, by name.
    """
    cached = _latest.get(platform.db)
    if cached and not fresh and timedelta(0) <= now - cached[0] < MAX_AGE:
        return cached[1]
    with platform.db.transaction(snapshot=True) as conn:
        identities = [line for name in ledger.IDENTITIES for line in _identity(conn, name)]
        rows = conservation.batches(conn)
    failing = [line for line in identities if not line["ok"]]
    metrics.FAILING.set(len(failing))
    if failing:
        log.error("conservation_broken", failing=failing)
    bad_batches = _reasons(failing)
    if bad_batches:
        with platform.db.transaction() as conn:
            frozen = freezes.freeze(conn, bad_batches, now)
        log.error("batches_frozen", batches=frozen)
        rows = [row | {"frozen": row["frozen"] or row["batch_id"] in frozen} for row in rows]
    answer = {
        "as_of": now,
        "ok": not failing,
        "identities": identities,
        "batches": [_batch(platform, row) | {"ok": row["batch_id"] not in bad_batches} for row in rows],
    }
    _latest[platform.db] = (now, answer)
    return answer


def _reasons(failing: list[dict[str, Any]]) -> dict[int, str]:
    """batch -> which identities fail for it, and by what."""
    found: dict[int, list[str]] = defaultdict(list)
    for line in failing:
        if line["scope"].startswith("batch "):
            found[int(line["scope"].split()[1])].append(f"{line['name']}: {line['left']} ≠ {line['right']}")
    return {batch_id: ", ".join(lines) for batch_id, lines in found.items()}


def _identity(conn: db.Connection, name: str) -> list[dict[str, Any]]:
    unit, zh, en = ledger.IDENTITIES[name]
    rows = conservation.identity(conn, name)
    broken = [row for row in rows if row[1] != row[2]]
    counted = [row for row in rows if not row[0].endswith(" differs")]
    total = ("all", sum(row[1] for row in counted), sum(row[2] for row in counted))
    lines = [(total, not broken)] + [(row, False) for row in broken[:SHOWN_FAILURES]]
    return [
        {"name": name, "ok": ok, "left": left, "right": right, "unit": unit, "scope": scope, "zh": zh, "en": en}
        for (scope, left, right), ok in lines
    ]


def _batch(platform: Platform, row: dict[str, Any]) -> dict[str, Any]:
    places = row["places"] or {}
    names = (
        "attested_mg", "adjustment_mg", "carried_mg", "remainder_mg", "issued_g", "recalled_mg", "not_minted_mg",
        "replaced_g", "owed_g", "frozen",
    )  # fmt: skip
    return {
        "batch": row["batch_id"],
        **list_batches.origin(platform, row),
        **{name: row[name] for name in names},
        **{f"{place}_g": int(places.get(place, 0)) for place in ledger.PLACES},
    }
