"""Tell the log of deeds: a commitment to each version, salted under its person's salt.

Two ways lead to a leaf: from what has just been settled (the hot path reads nothing again), and from the tables (for
receipts and the audit). A test holds them to the same bytes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import Problem
from backend.store import db, events, log
from backend.usecases.settle_deeds import DeedChange
from rewards import leaves


@dataclass(frozen=True, slots=True)
class Opened:
    """What opens the commitment of one version of a deed."""

    deed_id: int
    version: int
    salt: bytes
    head: dict[str, str]
    body: dict[str, Any]

    @property
    def opening(self) -> bytes:
        return leaves.deed_opening(self.salt, self.body)

    @property
    def entry(self) -> bytes:
        return leaves.deed_entry(self.head, self.opening)


def log_deeds(conn: db.Connection, changes: Iterable[tuple[DeedChange, int, str]]) -> None:
    """Log (change, version, gas basis) of deeds that are being written, in the same transaction."""
    rows = list(changes)
    salts = log.salts(conn, {change.holder.account for change, _, _ in rows}) if rows else {}
    log.add_pending(
        conn,
        [
            (leaves.DEED, change.deed_id, version, _settled(change, version, gas_basis, salts).entry)
            for change, version, gas_basis in rows
        ],
    )


def _settled(change: DeedChange, version: int, gas_basis: str, salts: Mapping[int, bytes]) -> Opened:
    h = change.holder
    deed = {
        "deed_id": change.deed_id, "version": version, "person_id": h.account, "started_at": h.started_at,
        "ended_at": change.ended_at, "class": h.klass, "pack_code": h.record.pack, "pack_version": h.pack_version,
        "gas_basis": gas_basis, "region": h.region, "vintage_month": h.record.day, "evidence": h.evidence,
        "event_id": h.record.event_id, "client_id": h.record.client_id, "reduction_mg": change.reduction_mg,
        "points": change.points, "salt": salts[h.account],
    }  # fmt: skip
    records = [
        {
            "event_id": k.record.event_id, "client_id": k.record.client_id, "event_ref": k.record.event_ref,
            "pack": k.pack_sha256, "region": k.region, "day": k.record.day, "started_at": k.started_at,
            "ended_at": k.ended_at, "evidence": k.evidence, "facts": k.facts, "measured_mg": k.record.measured_mg,
            "cap_mg": k.record.cap_mg, "cap_points": k.record.cap_points, "code": o.code,
            "reduction_mg": o.reduction_mg, "points": o.points,
        }
        for k, o in change.members
    ]  # fmt: skip
    return opened(deed, records)


def opened(deed: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Opened:
    """Of a row of `deed` with its person's salt, and the records credited as it, by start."""
    deed_id, version = deed["deed_id"], deed["version"]
    salt = leaves.leaf_salt(deed["salt"], leaves.DEED, deed_id, version)
    own = [deed[name] for name in ("person_id", "class", "gas_basis", "evidence", "event_id", "client_id")]
    times = [events.micros(deed[name]) for name in ("started_at", "ended_at")]
    sent = [[record[name] for name in ("event_id", "client_id", "event_ref")] for record in records]
    body = {
        "deed": str(deed_id),
        "version": version,
        "records": [_record(record) for record in records],
        "reduction_mg": deed["reduction_mg"],
        "points": deed["points"],
        "row": leaves.row_binding(salt, [own, times, sent]),
    }
    month = f"{deed['vintage_month']:%Y-%m}"
    head = leaves.deed_head(deed["pack_code"], deed["pack_version"], deed["region"], month)
    return Opened(deed_id, version, salt, head, body)


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    names = ("pack", "region", "evidence", "measured_mg", "cap_mg", "cap_points", "code", "reduction_mg", "points")
    return {
        **{name: record[name] for name in names},
        "day": record["day"].isoformat(),
        "facts": json.loads(record["facts"] or "{}"),
        "started_us": events.micros(record["started_at"]),
        "ended_us": events.micros(record["ended_at"]),
    }


def stored(conn: db.Connection, deeds: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Opened]:
    """(deed, version) -> what opens it, out of the tables; nothing for those that were erased."""
    records: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for record in log.deed_records(conn, deeds):
        records[record["deed_id"], record["version"]].append(record)
    rows = [row for row in log.deed_versions(conn, deeds) if row["salt"] is not None]
    found = [opened(row, records[row["deed_id"], row["version"]]) for row in rows]
    return {(one.deed_id, one.version): one for one in found}


def check_logged(deeds: int, logged: int) -> None:
    """Raises Problem conflict when deeds of a batch have no leaf."""
    if deeds != logged:
        text = (
            f"{deeds - logged} 条行为尚未入日志：先运行 tanpuhui log adopt · {deeds - logged} deeds are from before "
            "the log: run `tanpuhui log adopt` once"
        )
        raise Problem("conflict", text)
