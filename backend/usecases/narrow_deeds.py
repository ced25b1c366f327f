"""Which row of a deed was changed? A commitment tells nothing, but it can be tried.

The other rows of the deed say what a column should be, and what opens the commitment again is what stood there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, islice, product
from typing import Any, Protocol

from backend.store import audit, db, events
from backend.usecases import log_deeds
from rules import replay

CODES = ("ok", "continues", "no_reduction", "points_only", "capped", "rest_of_day")  # with which something is credited

SETS, SETS_CHANGED = 4000, 20  # that are tried as they are, and with one change

Row = Mapping[str, Any]
Records = Sequence[Mapping[str, Any]]


class Packs(Protocol):
    """The packs that judged here."""

    packs: dict[str, dict[str, Any]]

    def measured(self, sha256: str, region: str, facts: str, on: Any, evidence: str, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Suspect:
    """One of these rows was changed for certain: with the other value the commitment opens. Rest: as Check.differs."""

    rows: tuple[str, ...]
    what: str
    found: str | None
    expected: str | None


def narrow_deed(conn: db.Connection, row: Row, records: Records, entry: bytes, packs: Packs) -> Suspect | None:
    """The one change that explains a deed's entry; None when no single one is found."""
    head = audit.head_event(conn, row["event_id"])
    sets = list(islice(_sets(conn, row, row), SETS))
    for found in sets:
        if is_opened(row, found, entry):
            names = (_name(row), *(name for record in found for name in _names(record)))
            return Suspect(names, "the order of made_at, received_at, changed_at", "another", "that of the leaf")
    around = islice(_sets(conn, row, head), SETS_CHANGED) if head and head["person_id"] else ()
    for found in (*sets[:SETS_CHANGED], *around, records):
        for suspect, other, others in (*_of_deed(row, found, head, packs), *_of_records(row, found, packs)):
            if is_opened(other, others, entry):
                return suspect
    return None


def is_opened(row: Row, records: Records, entry: bytes) -> bool:
    """Whether a row of `deed` and its records make the entry; what the platform never writes makes none."""
    try:
        return log_deeds.opened(row, records).entry == entry
    except (AttributeError, TypeError, ValueError):
        return False


def rows_of(conn: db.Connection, row: Row, records: Records) -> list[str]:
    """All rows that a version of a deed is made of."""
    states = audit.states(conn, row["deed_id"], row)
    credited = [one for one in states if one["credited"]]
    named = dict.fromkeys([row["event_id"], *(one["event_id"] for one in (*records, *credited))])
    reverdicts = [f"reverdict {one['event_id']}/{one['reverdict']}" for one in states
                  if one["reverdict"] and one["event_id"] in named]  # fmt: skip
    leading = [one for one in states if one["event_id"] == row["event_id"]]
    if row["stands"] and leading and not leading[-1]["credited"]:  # a change after that one may be missing
        reverdicts.append(f"reverdict {row['event_id']}/{leading[-1]['reverdict'] + 1}")
    return [_name(row), *(f"event {event_id}" for event_id in named), *reverdicts, f"person {row['person_id']}"]


Try = tuple[Suspect, Row, Records]


def _sets(conn: db.Connection, row: Row, around: Row) -> Iterator[Records]:
    """The records that may have been credited as a version, found by the person, class and time of a row.

    Of the latest version: as they stand now. Of an earlier one: in all states in which they ever were.
    """
    is_latest = events.find_deed_versions(conn, [row["deed_id"]])[row["deed_id"]][0] == row["version"]
    choices: list[list[dict[str, Any] | None]] = []
    for _, group in groupby(audit.states(conn, row["deed_id"], around), key=lambda one: one["event_id"]):
        states = list(group)
        choices.append([states[-1]] if is_latest else [None, *states])
    for chosen in product(*choices):
        yield [one for one in chosen if one is not None and one["credited"]]


def _of_deed(row: Row, records: Records, head: Row | None, packs: Packs) -> Iterator[Try]:
    """The deed's own columns, each as the others say."""
    names = (_name(row),)
    expected: dict[str, list[Any]] = {
        "reduction_mg": [sum(record["reduction_mg"] for record in records)],
        "points": [sum(record["points"] for record in records)],
        "ended_at": [max((record["ended_at"] for record in records), default=None)],
        "event_id": [record["event_id"] for record in records],
    }
    if head is not None:
        same = ("person_id", "class", "pack_code", "pack_version", "region", "evidence", "client_id", "started_at")
        expected |= {column: [head[column]] for column in same}
        expected["vintage_month"] = [head["day"] and head["day"].replace(day=1)]
        expected["gas_basis"] = [packs.packs.get(head["pack"] or "", {}).get("gas_basis")]
        expected["ended_at"].append(head["ended_at"])
    for column, values in expected.items():
        for value in values:
            if value is not None and value != row[column]:
                yield Suspect(names, column, str(row[column]), str(value)), {**row, column: value}, records


def _of_records(row: Row, records: Records, packs: Packs) -> Iterator[Try]:
    """A record more, and the columns of each, as the deed, the pack and the other records say."""
    for at, record in enumerate(records):
        before, after = records[:at], records[at + 1 :]
        names = _names(record)
        yield Suspect(names, "credited", f"event {record['event_id']}", None), row, [*before, *after]
        for column, values in _columns(row, records, at, packs).items():
            for value in values:
                if value != record[column]:
                    changed = {**record, column: value}
                    named = names if column in ("code", "reduction_mg", "points") else names[-1:]
                    yield Suspect(named, column, str(record[column]), str(value)), row, [*before, changed, *after]


def _name(row: Row) -> str:
    return f"deed {row['deed_id']}/{row['version']}"


def _names(record: Row) -> tuple[str, ...]:
    """The rows that say what was credited of a record: its last changed verdict, if any, and the event."""
    event = f"event {record['event_id']}"
    version = record.get("reverdict")
    return (event,) if not version else (f"reverdict {record['event_id']}/{version}", event)


def _columns(row: Row, records: Records, at: int, packs: Packs) -> dict[str, list[Any]]:
    """column -> what it may have been."""
    record, others = records[at], [one for n, one in enumerate(records) if n != at]
    credited = [row["reduction_mg"] - sum(one["reduction_mg"] for one in others), record["measured_mg"]]
    days = [(row["started_at"] + timedelta(hours=hours)).date() for hours in (0, 8, -12, 14)]
    caps_mg = [None, record["reduction_mg"], *(one["cap_mg"] for one in others)]
    return {
        "measured_mg": _measured(record, packs),
        "reduction_mg": credited,
        "points": [row["points"] - sum(one["points"] for one in others)],
        "code": list(CODES),
        "cap_mg": caps_mg,
        "cap_points": [None, record["points"], *(one["cap_points"] for one in others)],
        "region": [row["region"]],
        "evidence": [row["evidence"]],
        "client_id": [row["client_id"]],
        "started_at": [row["started_at"]],
        "ended_at": [row["ended_at"]],
        "day": days,
        "pack": list(packs.packs),
    }


def _measured(record: Row, packs: Packs) -> list[int]:
    if record["pack"] not in packs.packs:
        return []
    try:
        return [packs.measured(record["pack"], record["region"], record["facts"], record["day"], record["evidence"])]
    except replay.MALFORMED:
        return []
