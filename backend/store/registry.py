"""Statements of the public registry: its index of retirements, and the records of batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.store import db, statements
from rewards import serials

SQL = statements.of("registry")
NEWEST = db.NEWEST
# Kinds of lists, those first that are short as a rule; 'time' is all retirements.
KINDS = ("retirement", "beneficiary", "batch", "vintage", "period", "region", "methodology", "purpose", "time")
BY_LINE = ("batch", "vintage", "region", "methodology")  # what a line of a retirement must be all of at once

Lists = dict[str, list[Any]]  # kind -> the keys of which one must fit
Place = tuple[datetime, int]  # retired_at, retirement_id: the order of the registry, newest first


def add_retirement(conn: db.Connection, retirement_id: int) -> None:
    """Make a retirement findable, in the transaction that wrote it and its blocks."""
    wanted = {"retirement_id": retirement_id}
    conn.execute(SQL["add_entry"], wanted)
    conn.execute(SQL["add_lines"], wanted)
    conn.execute(SQL["add_beneficiaries"], wanted)
    conn.execute(SQL["add_periods"], wanted)
    conn.execute(SQL["add_names"], wanted)


def scan(
    conn: db.Connection, by: str, keys: Sequence[Any], checks: Lists, before: Place, since: datetime, depth: int
) -> list[tuple[datetime, int, bool]]:
    """The newest `depth` places before a place in the lists of one kind, as (*place, whether it fits the checks).

    by: one of KINDS; 'time' takes any one key. Fewer than `depth` only at the end of the lists;
    a place that stands in several of them comes several times in a row.
    """
    wanted: dict[str, Any] = {kind: checks.get(kind) for kind in KINDS}
    wanted |= {"by": by, "keys": [str(key) for key in keys], "by_line": any(kind in checks for kind in BY_LINE)}
    wanted |= {"before": before[0], "before_id": before[1], "since": since, "depth": depth}
    return db.rows(conn, SQL["scan"], **wanted)


def find_codes(conn: db.Connection, words: str, limit: int) -> list[str]:
    """统一社会信用代码 of beneficiaries with these words in a name; words: two signs at least."""
    return [code for (code,) in db.rows(conn, SQL["find_codes"], words=words, limit=limit)]


def find_retirements(
    conn: db.Connection, batch_id: int, span: serials.Span, place: serials.SerialRange | None, limit: int
) -> list[int]:
    """The retirement of each retired block that holds any of these grams, at most `limit` blocks.

    place: what the batch must be.
    """
    found = db.rows(
        conn, SQL["find_retirements"], batch=batch_id, first=span.first, last=span.last, limit=limit,
        region=place.region if place else None, pack_code=place.pack_code if place else None,
        vintage_month=place.vintage_month if place else None,
    )  # fmt: skip
    return [number for (number,) in found]


def find_batches(conn: db.Connection, lists: Lists, limit: int) -> list[int]:
    """Batches that are all that the lists of BY_LINE say."""
    wanted = {kind: lists.get(kind) for kind in BY_LINE}
    return [number for (number,) in db.rows(conn, SQL["find_batches"], **wanted, limit=limit)]


def certificates(conn: db.Connection, retirements: Sequence[int]) -> list[dict[str, Any]]:
    """{retirement_id, retired_at, canonical}, newest first."""
    return db.dicts(conn, SQL["certificates"], retirements=list(retirements))


def batches(
    conn: db.Connection, lists: Lists, *, before: int = db.NEWEST, limit: int = 1, demonstration: bool | None = None,
    until: datetime | None = None, with_places: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """Issued batches, newest first, with `places` if wished: place -> grams. until: not what was issued later."""
    wanted = {kind: lists.get(kind) for kind in BY_LINE} | {"demonstration": demonstration, "until": until}
    return db.dicts(conn, SQL["batches"], **wanted, before=before, limit=limit, with_places=with_places)


def spans(conn: db.Connection, batch_id: int, limit: int) -> list[tuple[str, serials.Span]]:
    """(place, grams), by serial, whosever they are."""
    found = db.rows(conn, SQL["spans"], batch=batch_id, limit=limit)
    return [(place, serials.Span(first, last)) for place, first, last in found]


def amendments(conn: db.Connection, batch_id: int) -> list[str]:
    """The canonical amendments of a batch, oldest first."""
    return [canonical for (canonical,) in db.rows(conn, SQL["amendments"], batch=batch_id)]


def series(conn: db.Connection, lists: Lists, demonstration: bool | None, until: datetime) -> list[dict[str, Any]]:
    """{region, pack_code, pack_version, demonstration, issued_at, first_month} of what was issued until then."""
    wanted = {kind: lists.get(kind) for kind in BY_LINE} | {"demonstration": demonstration, "until": until}
    return db.dicts(conn, SQL["series"], **wanted)


def blocks(conn: db.Connection, batch_id: int, after: int, limit: int) -> list[dict[str, Any]]:
    """{block_id, account, first, last, made_at, canonical} of the live blocks of a batch, by block.

    canonical: the certificate of what is retired.
    """
    return db.dicts(conn, SQL["blocks"], batch=batch_id, after=after, limit=limit)
