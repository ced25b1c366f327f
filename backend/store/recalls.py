"""Statements of recalls, the cancellations they lead to, and the amendments that say so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from backend.store import db, statements
from rewards import recalling, serials

SQL = statements.of("recalls")
Row = tuple[int, int, int, str]  # batch, deed, recalled_mg, cause


@dataclass(frozen=True, slots=True)
class State:
    """What a batch recalled: in all, of it before its issue, and what was cancelled for the rest."""

    batch_id: int
    issued: bool
    recalled_mg: int
    before_mg: int
    owed_g: int
    cancelled_g: int


def find_nets(conn: db.Connection, deeds: Iterable[int]) -> dict[int, int]:
    """deed -> what was recalled of it so far, in mg; negative where it gained."""
    return dict(db.rows(conn, SQL["find_nets"], deeds=list(deeds)))


def find_causes(conn: db.Connection, deeds: Iterable[int]) -> dict[int, str]:
    """deed -> the correction behind its change, '' where none is of its own record."""
    return dict(db.rows(conn, SQL["find_causes"], deeds=list(deeds)))


def find_states(conn: db.Connection, batches: Iterable[int]) -> dict[int, State]:
    return {s["batch_id"]: State(**s) for s in db.dicts(conn, SQL["find_states"], batches=list(batches))}


def find_sources(
    conn: db.Connection, batch_id: int, avoid: Iterable[int], causes: Iterable[str]
) -> list[recalling.Source]:
    """What may be cancelled for a batch, in the order of use. avoid: batches under the same recall."""
    rows = db.rows(conn, SQL["find_sources"], batch_id=batch_id, avoid=list(avoid), causes=list(causes))
    return [recalling.Source(*row) for row in rows]


def add_recalls(conn: db.Connection, rows: Sequence[Row], at: datetime) -> list[int]:
    """Their numbers. Raises ValueError when a deed is no member of its batch."""
    batches, deeds, mgs, causes = (list(column) for column in zip(*rows, strict=True))
    made = db.rows(conn, SQL["add_recalls"], batches=batches, deeds=deeds, mgs=mgs, causes=causes, at=at)
    if len(made) != len(rows):
        raise ValueError("a recalled deed is no member of its batch")
    return [number for (number,) in made]


def set_state(conn: db.Connection, batch_id: int, recalled_mg: int, owed_g: int) -> None:
    conn.execute(SQL["set_state"], {"batch_id": batch_id, "recalled_mg": recalled_mg, "owed_g": owed_g})


def add_cancellation(
    conn: db.Connection, batch_id: int, source: recalling.Source, made_by: str, at: datetime
) -> int:  # fmt: skip
    """Its number. made_by: an operator, '' for the recall itself."""
    made = db.one(
        conn, SQL["add_cancellation"], batch_id=batch_id, from_batch=source.batch_id, place=source.place,
        quantity_g=source.quantity_g, made_by=made_by, at=at,
    )  # fmt: skip
    assert made is not None
    return int(made["cancellation_id"])


def find_cancelled(conn: db.Connection, batch_id: int, since: datetime) -> list[recalling.Cancelled]:
    rows = db.dicts(conn, SQL["find_cancelled"], batch_id=batch_id, since=since)
    return [recalling.Cancelled(**r | {"spans": [serials.Span(*span) for span in r["spans"]]}) for r in rows]


def find_holders(conn: db.Connection, batch_id: int) -> list[dict[str, Any]]:
    """{client_id, ordered_g, held_g, retired_g, certificates} of each company with grams of the batch."""
    return db.dicts(conn, SQL["find_holders"], batch_id=batch_id)


def last_amendment(conn: db.Connection, batch_id: int, made_on: date) -> tuple[int, dict[str, Any] | None]:
    """(how many versions that day has, the last amendment of the days before)."""
    found = db.one(conn, SQL["last_amendment"], batch_id=batch_id, made_on=made_on)
    assert found is not None
    return found["versions"], json.loads(found["canonical"]) if found["canonical"] else None


def add_amendment(conn: db.Connection, **amendment: Any) -> int:
    return int(db.rows(conn, SQL["add_amendment"], **amendment)[0][0])


def amendments(conn: db.Connection, number: str) -> list[dict[str, Any]]:
    """{amendment_id, canonical, kid, algorithm, signature}, oldest first, of the batches of a certificate."""
    return db.dicts(conn, SQL["amendments"], number=number)


def is_amendment(conn: db.Connection, batch_id: int, made_on: date, version: int, canonical: str) -> bool:
    """True when exactly this amendment was made."""
    found = db.one(conn, SQL["is_amendment"], batch_id=batch_id, made_on=made_on, version=version, canonical=canonical)
    return bool(found and found["known"])
