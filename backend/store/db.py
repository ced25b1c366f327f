"""The connection pool and the transaction."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import dict_row, tuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

Connection = psycopg.Connection[Any]
T = TypeVar("T")

TRIES = 6
NEWEST = 2**63 - 1  # the place before the first of a list that is newest first by number


class ClaimLost(Exception):
    """Another transaction claimed one of our ids between our look and our write. Judge the batch again."""


class Database:
    """A pool of connections to the one PostgreSQL. A process opens it after it forks."""

    def __init__(self, url: str, *, max_size: int = 8) -> None:
        self._pool = ConnectionPool(
            url,
            min_size=0,
            max_size=max_size,
            timeout=10,
            check=ConnectionPool.check_connection,
            kwargs={"autocommit": True, "options": "-c timezone=UTC -c statement_timeout=60000"},
            open=True,
        )

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """One transaction; with `snapshot`, read-only and every statement sees the same moment."""
        with self._pool.connection() as conn, conn.transaction():
            if snapshot:
                conn.execute("set transaction isolation level repeatable read, read only")
            yield conn

    def retrying(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction; again from the start if it lost a race or met a deadlock.

        Raises the last error when it loses TRIES times in a row.
        """
        for attempt in range(TRIES):
            try:
                with self.transaction() as conn:
                    return work(conn)
            except (ClaimLost, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                if attempt == TRIES - 1:
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise AssertionError("unreachable")


def is_away(error: Exception) -> bool:
    """Whether the database itself is away: what failed by that is no fault of what was asked."""
    if isinstance(error, psycopg.OperationalError):
        return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
    return isinstance(error, PoolTimeout)


def rows(conn: Connection, sql: LiteralString, **params: Any) -> list[tuple[Any, ...]]:
    return conn.cursor(row_factory=tuple_row).execute(sql, params).fetchall()


def dicts(conn: Connection, sql: LiteralString, **params: Any) -> list[dict[str, Any]]:
    return conn.cursor(row_factory=dict_row).execute(sql, params).fetchall()


def one(conn: Connection, sql: LiteralString, **params: Any) -> dict[str, Any] | None:
    return conn.cursor(row_factory=dict_row).execute(sql, params).fetchone()


def run(conn: Connection, sql: LiteralString, **params: Any) -> int:
    """Execute for its effect; the number of rows it touched."""
    return conn.execute(sql, params).rowcount


def copy(conn: Connection, sql: LiteralString, values: Sequence[tuple[Any, ...]]) -> None:
    """One `copy ... from stdin` for all rows; nothing at all for none."""
    if not values:
        return
    with conn.cursor().copy(sql) as stream:
        for row in values:
            stream.write_row(row)
