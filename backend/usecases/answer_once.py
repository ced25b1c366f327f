"""Answer a request that carries an Idempotency-Key once: the effect and its answer are written together.

The same key with the same request gets the first answer back, also when both arrive at the same moment (the second
waits for the first). A request that failed has left nothing, so its key can be used again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from backend.errors import Problem
from backend.platform import Platform
from backend.store import db, idempotency

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """Who asks what under which key. digest: of the request's content."""

    client_id: str
    key: str
    route: str
    digest: bytes


def answer_once(
    platform: Platform, request: KeyedRequest, now: datetime, work: Callable[[db.Connection], Answer]
) -> Answer:
    """Do `work` in a transaction and keep its answer under the key. Raises Problem key_reused, or as `work` does."""

    def attempt(conn: db.Connection) -> Answer:
        if not idempotency.claim(conn, request.client_id, request.key, request.route, request.digest, now):
            route, digest, answer = idempotency.find(conn, request.client_id, request.key)
            if (route, digest) != (request.route, request.digest):
                raise Problem("key_reused", f"this key was used for {route}")
            return cast(Answer, answer)
        text = json.dumps(work(conn), ensure_ascii=False, default=_plain)
        idempotency.keep(conn, request.client_id, request.key, text)
        return cast(Answer, json.loads(text))

    return platform.db.retrying(attempt)


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
