"""Signed batches over HTTP through the whole platform, next to a raw COPY of the same rows in the same run.

Reports ratios, never asserts a time: the machine is shared.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import Any

import urllib3

from tests import cast, serving
from tests.cast import Stage, recent
from tests.perf import raw_copy

BATCHES, SIZE, PEOPLE, SENDERS = 40, 1000, 2000, 2


def test_ingest_is_measured_against_a_raw_copy(database_url: str, redis_url: str) -> None:
    environ = cast.environment(database_url, redis_url)
    with cast.stage(database_url, redis_url) as stage, serving.web(environ, serving.free_port()) as base:
        bodies, partner = _bodies(stage)
        seconds = _send(bodies, partner, base)
        stored = stage.count("event")
    rows, copy_seconds = raw_copy.seconds_to_copy(database_url)
    report = {
        "events": BATCHES * SIZE, "events_per_second": round(BATCHES * SIZE / seconds), "rows": rows,
        "copy_rows_per_second": round(rows / copy_seconds), "ratio_to_copy": round(copy_seconds / seconds, 3),
    }  # fmt: skip
    print("\n" + json.dumps(report))
    assert stored == BATCHES * SIZE


def _bodies(stage: Stage) -> tuple[list[bytes], cast.Client]:
    import random

    rng = random.Random(1)
    people = [f"p{i}" for i in range(PEOPLE)]
    partner = stage.partner("valleybike", people)
    assert partner.token

    def ride(n: int, i: int) -> dict[str, Any]:
        at = recent(6, days_ago=60 - n) + timedelta(seconds=rng.randrange(50_000))
        return partner.event(
            f"e{n}-{i}", rng.choice(people), at, rng.choice([5, 20, 30]), act_ref=f"valleybike:{n}-{i}"
        )

    return [json.dumps([ride(n, i) for i in range(SIZE)]).encode() for n in range(BATCHES)], partner


def _send(bodies: list[bytes], partner: cast.Client, base: str) -> float:
    http = urllib3.PoolManager(maxsize=SENDERS)
    waiting = list(reversed(bodies))

    def work() -> None:
        while waiting:
            body = waiting.pop()
            headers = {"Authorization": f"Bearer {partner.token}", "X-JWS-Signature": cast.sign(body, partner.key),
                       "Content-Type": "application/json"}  # fmt: skip
            answer = http.request("POST", f"{base}/v1/events", body=body, headers=headers)
            assert answer.status == 200, answer.data

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    began = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return time.perf_counter() - began
