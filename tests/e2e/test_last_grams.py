"""Fifty buyers at once for the last 10,000 g, over real HTTP: sold exactly once, and every loser gets a clear answer.

Once in the gate, fifty times over with --long.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import urllib3

from backend import auth
from tests import cast, serving
from tests.market import Market, ok

BUYERS, LAST_G = 50, 10_000
ROUNDS, LONG_ROUNDS = 3, 50


def test_fifty_buyers_share_the_last_grams_and_no_gram_is_sold_twice(
    database_url: str, redis_url: str, long: bool
) -> None:
    environ = cast.environment(database_url, redis_url)
    rounds = LONG_ROUNDS if long else ROUNDS
    with cast.stage(database_url, redis_url) as stage, serving.web(environ, serving.free_port()) as base:
        market = Market(stage)
        buyers = [stage.client("company", f"company {i}").id for i in range(BUYERS)]
        now = datetime.now(UTC)
        tokens = [auth.issue_token(stage.platform.keys, "company", b, now, lifetime_s=7200) for b in buyers]
        with ThreadPoolExecutor(BUYERS) as crowd:
            for number in range(rounds):
                _round(market, base, tokens, crowd, number)
        assert market.conservation()["ok"]
        with stage.platform.db.transaction() as conn:
            row = conn.execute(
                "select count(*) from credit_block a join credit_block b using (batch_id) where a.block_id < b.block_id"
                " and a.serials && b.serials and a.superseded_at is null and b.superseded_at is null"
            ).fetchone()
        assert row == (0,)


def _round(market: Market, base: str, tokens: list[str], crowd: ThreadPoolExecutor, number: int) -> None:
    """A fresh batch of exactly LAST_G for sale; everybody quotes, and then all order at the same moment."""
    issued = market.issued(10_527_000, price=6000 + number)["issue"]
    for_sale = issued["issued_g"] - issued["reserve_g"]
    assert for_sale == LAST_G
    http = urllib3.PoolManager(maxsize=BUYERS, retries=False, timeout=60)
    gate = threading.Barrier(BUYERS)
    wanted = [400 + 37 * n for n in range(BUYERS)]  # far more than there is

    def buy(place: int) -> tuple[int, str, int]:
        def post(path: str, body: object) -> urllib3.BaseHTTPResponse:
            headers = {"Authorization": f"Bearer {tokens[place]}", "Idempotency-Key": f"{path}-{number}"}
            return http.request("POST", base + path, json=body, headers=headers)

        quote = post("/v1/quotes", {"quantity_g": wanted[place]})
        gate.wait()
        if quote.status != 201:
            return quote.status, quote.json()["code"], 0
        answer = post("/v1/orders", {"quote_id": quote.json()["id"]})
        said = answer.json()
        return answer.status, said.get("code", "reserved"), said.get("quantity_g", 0)

    answers = list(crowd.map(buy, range(BUYERS)))
    sold_g = sum(grams for _, _, grams in answers)
    outcomes = Counter((status, code) for status, code, _ in answers)
    left_g = sum(o["available_g"] for o in ok(market.company.get("/v1/offers"), 200)["items"])
    assert set(outcomes) <= {(201, "reserved"), (409, "sold_out")}, outcomes
    assert sold_g + left_g == for_sale
    assert left_g < max(wanted)
    assert all(grams == wanted[place] for place, (_, code, grams) in enumerate(answers) if code == "reserved")
    if left_g:  # the rest goes to the company, so that the next round begins with nothing left
        market.paid(left_g)
