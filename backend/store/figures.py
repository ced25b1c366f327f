"""Statements of the public figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from backend.store import db, statements

SQL = statements.of("figures")


class Place(NamedTuple):
    """The finest cell that there is. held: 'open', or 'real' or 'demonstration' of a batch."""

    number: int
    region: str
    pack_code: str
    pack_version: str
    vintage_month: date
    held: str


def gather(conn: db.Connection) -> list[Place]:
    """Keep what every person has in every place until the transaction ends; the places. Must come first in it."""
    for name in ("hold_still", "take_time", "gather_places", "gather_people", "look_at_people"):
        conn.execute(SQL[name])
    return [Place(*row) for row in db.rows(conn, SQL["places"])]


def counted(conn: db.Connection, cells: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Sums and weights of each cell that is not empty. cells: (number of a place, number of the cell)."""
    return db.dicts(conn, SQL["counted"], places=[place for place, _ in cells], cells=[cell for _, cell in cells])


def given_back(conn: db.Connection) -> dict[int, int]:
    """Grams of refunded orders by batch."""
    return dict(db.rows(conn, SQL["given_back"]))
