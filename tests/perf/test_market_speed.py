"""A month of a large city: a batch of a million contributions is closed, issued, sold in a hundred orders, shared out.

Reports seconds as ratios to a raw COPY of as many rows as were written, and that every fen is accounted for. The number
of contributions can be made smaller: CONTRIBUTIONS=100000 ./run perf -k market.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.store import money
from backend.usecases import adopt_log, check_conservation, list_flows, settle_sales
from tests import cast
from tests.market import ATTESTED, POOL, Market, ok
from tests.perf import raw_copy

CONTRIBUTIONS = int(os.environ.get("CONTRIBUTIONS", "1000000"))
PEOPLE = max(CONTRIBUTIONS // 5, 30)
ORDERS = 100

WRITTEN = {  # by closing, issuing, selling and sharing
    "batch_member": "true", "transfer": "book in ('credits_g', 'money_fen')", "credit_block": "true",
    "order_line": "true", "payment": "true", "message": "true",
}  # fmt: skip


def test_a_large_batch_is_measured_against_a_raw_copy(database_url: str, redis_url: str) -> None:
    with cast.stage(database_url, redis_url) as stage:
        market = Market(stage, people=1)
        _contribute(market)
        took: dict[str, float] = {}
        batch = _timed(took, "close", lambda: ok(market.operator.post(f"/v1/pools/{POOL}/close"), 201))
        assert batch["deeds"] == CONTRIBUTIONS
        _timed(took, "dossier", lambda: ok(market.verifier.get(f"/v1/batches/{batch['id']}/dossier?sample=0"), 200))
        issued = _timed(took, "attest_and_issue", lambda: _issue(market, batch["id"]))
        grams = issued["issue"]["issued_g"] - issued["issue"]["reserve_g"]
        parts = [grams // ORDERS] * (ORDERS - 1)
        paid_fen = _timed(took, "orders", lambda: sum(market.paid(g)["amount_fen"] for g in parts))
        later = datetime.now(UTC) + timedelta(days=8)
        [first] = _timed(took, "share", lambda: settle_sales.settle_sales(stage.platform, later))
        paid_fen += market.paid(grams - sum(parts))["amount_fen"]
        [last] = _timed(
            took, "share_the_last", lambda: settle_sales.settle_sales(stage.platform, later + timedelta(days=8))
        )
        proof = _timed(
            took, "conservation", lambda: check_conservation.check_conservation(stage.platform, later, fresh=True)
        )
        totals = list_flows.list_flows(stage.platform, None, 1, later)[0]["totals"]
        with stage.platform.db.transaction() as conn:
            largest = money.person_balance(conn, market.people[0])
    assert proof["ok"], [line for line in proof["identities"] if not line["ok"]]
    assert (last["is_last"], totals["waiting_in_batches_fen"]) == (True, 0)
    assert totals["sold_fen"] == paid_fen
    assert largest >= 0
    rows, copy_seconds = raw_copy.seconds_to_copy(database_url, WRITTEN)
    work = sum(took[name] for name in ("close", "attest_and_issue", "orders", "share", "share_the_last"))
    report = {
        "contributions": CONTRIBUTIONS, "people": PEOPLE, "orders": ORDERS, "rows_written": rows, "sold_fen": paid_fen,
        "people_paid": first["people"] + last["people"], "seconds": {name: round(s, 2) for name, s in took.items()},
        "copy_seconds": round(copy_seconds, 2), "work_to_copy": round(work / copy_seconds, 2),
        "conservation_to_copy": round(took["conservation"] / copy_seconds, 2),
    }  # fmt: skip
    print("\n" + json.dumps(report))


def _timed(took: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    done = work()
    took[name] = time.perf_counter() - began
    return done


def _issue(market: Market, batch_id: int) -> Any:
    ok(market.verifier.post(f"/v1/batches/{batch_id}/attestation", ATTESTED), 201)
    return ok(market.operator.post(f"/v1/batches/{batch_id}/issue", {"price_fen_per_tonne": 7_000_000}), 201)


def _contribute(market: Market) -> None:
    """Deeds of people who agreed, straight into the books: what ingest would have written, a few per person."""
    pack = market.platform.standard.pack_version("cycling", "1.0.0")
    assert pack is not None
    facts = {"people": PEOPLE, "class": pack.exclusion_class, "gas": pack.gas_basis, "client": market.partner.id}
    with market.platform.db.transaction() as conn:
        conn.execute("set local statement_timeout = 0")
        row = conn.execute(_PEOPLE, (PEOPLE,)).fetchone()
        assert row
        facts |= {"first": row[0], "last": row[0] + PEOPLE - 1, "count": CONTRIBUTIONS}
        for statement in (_CONSENTS, _DEEDS, _TRANSFERS, "analyze"):
            conn.execute(statement, facts)
        adopt_log.adopt_deeds(conn)


_PEOPLE = """
with made as (insert into person select from generate_series(1, %s::bigint) returning person_id)
select min(person_id) from made
"""
_CONSENTS = """
insert into consent select p, 'pool', '2020-01-01', null, 't1', 'person', ''
from generate_series(%(first)s::bigint, %(last)s::bigint) p
"""
_DEEDS = """
insert into deed
select n, 1, %(first)s + n %% %(people)s, at, at + interval '20 min', %(class)s, 'cycling', '1.0.0', %(gas)s, '310000',
       '2026-06-01', 'order', n, %(client)s, 50000 + n %% 997 * 400, 0, true, now()
from generate_series(1, %(count)s::bigint) n,
     lateral (
       select timestamptz '2026-06-01 08:00+08' + n %% 28 * interval '1 day' + n %% 36000 * interval '1 s' as at
     ) t
"""
_TRANSFERS = """
insert into transfer (posted_at, book, debit, debit_id, credit, credit_id, amount, reason, ref_id, person_id)
select now(), 'reductions_mg', 'measured', 0, 'person', person_id, reduction_mg, 'deed', deed_id, person_id from deed
"""
