"""Is everything there that a request needs?"""

from __future__ import annotations

import contextlib

import psycopg
import psycopg_pool
import redis

from backend.platform import Platform
from backend.store import migrate


def check_readiness(platform: Platform) -> dict[str, bool]:
    """database: it answers; schema: no migration is pending; redis: it answers."""
    checks = {"database": False, "schema": False, "redis": False}
    try:
        with platform.db.transaction() as conn:
            checks["database"] = True
            checks["schema"] = not migrate.pending(conn)
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        pass
    with contextlib.suppress(redis.RedisError):
        checks["redis"] = bool(platform.redis.ping())
    return checks
