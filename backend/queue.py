"""The job queue: RQ on Redis. Redis carries only what PostgreSQL can make again."""

from __future__ import annotations

from typing import Any

import redis
from rq import Queue
from rq.serializers import JSONSerializer

NAME = "tanpuhui"


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=5)


def named(connection: redis.Redis) -> Queue:
    """The one queue. JSON, never pickle: what can write to Redis must not be able to run code here."""
    return Queue(NAME, connection=connection, serializer=JSONSerializer)


def enqueue(connection: redis.Redis, job: str, job_id: str, *args: Any) -> bool:
    """Ask for a job by its dotted name, unless one of that id waits already. False when Redis is away.

    One that failed or is said to run is asked for again: its worker may have been killed, and doing it twice does it
    once. A lost request is no loss: what is pending stands in PostgreSQL, the scheduler asks again.
    """
    waiting = named(connection)
    try:
        if waiting.get_job_position(job_id) is None:
            waiting.enqueue(job, *args, job_id=job_id, result_ttl=0, failure_ttl=86400)
    except redis.RedisError:
        return False
    return True
