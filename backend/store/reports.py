"""Statements of the reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from psycopg.rows import dict_row

from backend.store import db, statements

SQL = statements.of("reports")


def list_partners(conn: db.Connection, client_id: str | None, after: str, limit: int) -> list[dict[str, Any]]:
    """{client_id, name} of partners after a client id; of one alone where it is given."""
    return db.dicts(conn, SQL["list_partners"], client_id=client_id, after=after, limit=limit)


def partner_figures(
    conn: db.Connection, clients: Sequence[str], types: Sequence[str], year: int, late_after_h: Sequence[int]
) -> list[dict[str, Any]]:
    """{client_id, event_type, month, quarter, figure, events, people, of_one, of_anybody} of a civil year.

    month and quarter are None for all of the year; event_type is '' for all but `types`. late_after_h: by month.
    """
    return db.dicts(
        conn, SQL["partner_figures"], clients=list(clients), types=list(types), first_on=date(year, 1, 1),
        last_on=date(year, 12, 31), late_after_h=list(late_after_h),
    )  # fmt: skip


def credited(conn: db.Connection, from_on: date, to_on: date) -> Iterator[dict[str, Any]]:
    """{event_type, region, day, evidence, facts} of every record that counts, of civil days in [from_on, to_on).

    A row at a time: the whole would not fit in memory. The transaction must stay open.
    """
    with conn.cursor(name="credited", row_factory=dict_row) as cursor:
        cursor.itersize = 10_000
        yield from cursor.execute(SQL["credited"], {"from_on": from_on, "to_on": to_on})


def twins(conn: db.Connection, since: datetime, chance_ppm: int, common_ppm: int) -> list[dict[str, Any]]:
    """{one, other, identical, chance_ppb, evidence, records_one, records_other} of pairs of people."""
    return db.dicts(conn, SQL["twins"], since=since, chance_ppm=chance_ppm, common_ppm=common_ppm)
