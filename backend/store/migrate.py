"""Numbered migrations, applied once each and in order, and the monthly partitions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import psycopg

from backend.store import db, statements

FOLDER = Path(__file__).parent / "migrations"
PARTITIONED = ("event", "deed", "transfer")
MONTHS_BACK = 15  # the acceptance window of 400 days, and a little
MONTHS_AHEAD = 3
_LOCK = 7_202_611  # any constant: one migrator at a time

SQL = statements.of("migrate")


def pending(conn: db.Connection) -> list[Path]:
    """The migrations this database has not seen, in order. Changes nothing."""
    [(has_log,)] = db.rows(conn, SQL["has_log"])
    done = {name for (name,) in db.rows(conn, SQL["applied"])} if has_log else set()
    return [path for path in sorted(FOLDER.glob("*.sql")) if path.name not in done]


def upgrade(database_url: str) -> list[str]:
    """Bring the database to the newest schema; the names of the migrations applied. Safe to run at any time."""
    with psycopg.connect(database_url, autocommit=True) as conn, conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        conn.execute(SQL["create_log"])
        applied = []
        for path in pending(conn):
            conn.execute(path.read_bytes())
            conn.execute(SQL["record"], {"name": path.name})
            applied.append(path.name)
        make_partitions(conn, datetime.now(UTC).date())
    return applied


def make_partitions(conn: db.Connection, today: date) -> None:
    """A partition for each month that events of today can fall in. Rows that waited in the default one move over."""
    existing = {name for (name,) in db.rows(conn, SQL["partitions"])}
    for offset in range(-MONTHS_BACK, MONTHS_AHEAD + 1):
        first, following = _month(today, offset), _month(today, offset + 1)
        for table in PARTITIONED:
            name = f"{table}_{first:%Y_%m}"
            if name not in existing:
                values = {"table": table, "name": name, "first": first, "following": following}
                for (statement,) in db.rows(conn, SQL["make_partition"], **values):
                    conn.execute(statement)


def _month(day: date, offset: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + offset, 12)
    return date(year, month + 1, 1)
