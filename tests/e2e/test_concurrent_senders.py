"""Eight partners deliver the same deeds at the same time, over HTTP: each is credited exactly once."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from datetime import timedelta

import urllib3

from tests import cast, serving
from tests.cast import Client, recent

SENDERS, PEOPLE, BATCH = 8, 250, 200


def test_eight_senders_of_the_same_deeds_credit_each_exactly_once(
    database_url: str, redis_url: str, long: bool
) -> None:
    deeds = 20_000 if long else 2_000
    environ = cast.environment(database_url, redis_url)
    with cast.stage(database_url, redis_url) as stage, serving.web(environ, serving.free_port()) as base:
        people = [f"p{i}" for i in range(PEOPLE)]
        partners = [stage.partner(f"sender{i}", people, of="city") for i in range(SENDERS)]
        rides = [(people[i % PEOPLE], recent(0, days_ago=60) + timedelta(hours=i // PEOPLE)) for i in range(deeds)]
        answers: Counter[int] = Counter()
        verdicts: Counter[str] = Counter()
        lock = threading.Lock()

        def send(partner: Client, seed: int) -> None:
            http, rng = urllib3.PoolManager(), random.Random(seed)
            mine = [(i, who, at + timedelta(seconds=rng.randint(-25, 25))) for i, (who, at) in enumerate(rides)]
            rng.shuffle(mine)
            for start in range(0, deeds, BATCH):
                chunk = mine[start : start + BATCH]
                body = json.dumps([partner.event(f"{seed}-{i}", who, at) for i, who, at in chunk]).encode()
                headers = {
                    "Authorization": f"Bearer {partner.token}", "X-JWS-Signature": cast.sign(body, partner.key),
                    "Content-Type": "application/json",
                }  # fmt: skip
                answer = http.request("POST", f"{base}/v1/events", body=body, headers=headers, retries=False)
                with lock:
                    answers[answer.status] += 1
                    verdicts.update(v["verdict"] for v in answer.json().get("verdicts", []))

        for partner in partners:
            assert partner.token
        threads = [threading.Thread(target=send, args=(p, i)) for i, p in enumerate(partners)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {200: SENDERS * deeds // BATCH}
        assert sum(verdicts.values()) == SENDERS * deeds
        with stage.platform.db.transaction() as conn:
            rows = conn.execute("select person_id, count(*) from current_deed group by 1").fetchall()
            current = conn.execute(
                "select coalesce(r.verdict, e.verdict), count(*) from event e left join lateral ("
                "select * from reverdict r where r.event_id = e.event_id order by version desc limit 1"
                ") r on true group by 1"
            ).fetchall()
        assert dict(rows) == dict.fromkeys(partners[0].people.values(), deeds // PEOPLE)
        assert dict(current) == {"credited": deeds, "duplicate_of": (SENDERS - 1) * deeds}
