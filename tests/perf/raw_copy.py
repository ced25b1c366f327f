"""The yardstick: how long a raw COPY of the same rows into the same tables takes, on the same server."""

from __future__ import annotations

import io
import time
import uuid

import psycopg

from backend.store import migrate

TABLES = ("claim", "act_claim", "event", "reverdict", "deed", "transfer")


def seconds_to_copy(database_url: str) -> tuple[int, float]:
    """(rows, seconds) of copying what ingest wrote in `database_url` into a fresh database of the same schema."""
    server, _, _name = database_url.rpartition("/")
    fresh = f"copy_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"create database {fresh}")
        try:
            migrate.upgrade(f"{server}/{fresh}")
            rows, seconds = 0, 0.0
            with psycopg.connect(database_url) as source, psycopg.connect(f"{server}/{fresh}") as target:
                for table in TABLES:
                    columns = _columns(source, table)
                    data = io.BytesIO()
                    with source.cursor().copy(f"copy (select {columns} from {table}) to stdout") as out:
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
