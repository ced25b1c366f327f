"""The yardstick: how long a raw COPY of the same rows into the same tables takes, on the same server."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Mapping

import psycopg

from backend.store import migrate

TABLES = ("claim", "act_claim", "event", "reverdict", "deed", "transfer")


def seconds_to_copy(database_url: str, tables: Mapping[str, str] | None = None) -> tuple[int, float]:
    """(rows, seconds) of copying rows of `database_url` into a fresh database of the same schema.

    tables: table -> which rows of it, as a condition; default: all that ingest wrote. Foreign keys are left aside.
    """
    chosen = tables or dict.fromkeys(TABLES, "true")
    server, _, _name = database_url.rpartition("/")
    fresh = f"copy_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"create database {fresh}")
        try:
            migrate.upgrade(f"{server}/{fresh}")
            rows, seconds = 0, 0.0
            with psycopg.connect(database_url) as source, psycopg.connect(f"{server}/{fresh}") as target:
                target.execute("set session_replication_role = replica")
                for table, wanted in chosen.items():
                    columns = _columns(source, table)
                    data = io.BytesIO()
                    with source.cursor().copy(f"copy (select {columns} from {table} where {wanted}) to stdout") as out:
                        for part in out:
                            data.write(part)
                    began = time.perf_counter()
                    cursor = target.cursor()
                    with cursor.copy(f"copy {table} ({columns}) from stdin") as stream:
                        stream.write(data.getvalue())
                    target.commit()
                    seconds += time.perf_counter() - began
                    rows += cursor.rowcount
            return rows, seconds
        finally:
            admin.execute(f"drop database {fresh} with (force)")


def _columns(conn: psycopg.Connection, table: str) -> str:
    """All columns but those that the database numbers itself."""
    found = conn.execute(
        "select string_agg(quote_ident(column_name), ', ' order by ordinal_position) from information_schema.columns"
        " where table_name = %s and is_identity = 'NO'",
        (table,),
    ).fetchone()
    return str(found[0]) if found else "*"
