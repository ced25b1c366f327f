"""The books after any order of arrival say what settling a whole life says, and one deed has one row."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from backend.store import corrections, events
from rules import dedup
from rules.model import CREDITED
from tests import cast
from tests.cast import Client, Stage, recent

CLASS = "mobility"


def books_equal_a_whole_life(stage: Stage, person_id: int, *, merged: bool = False) -> Counter[str]:
    """Assert that what is stored of a person is what `settle` says of all their records; the verdicts.

    merged: the person's accounts may be several; all of them are looked at.
    """
    with stage.platform.db.transaction() as conn:
        accounts = sorted(p for (p,) in conn.execute("select same_person(%s)", (person_id,)).fetchall())
        [person] = {corrections.find_persons(conn, [a])[a] for a in accounts}
        key = (person, CLASS)
        known = events.find_neighbours(conn, stage.platform.standard, {key: (0, 2**53)})[key]
        deeds = conn.execute(
            "select deed_id, count(*), sum(reduction_mg), sum(points) from current_deed"
            " where person_id = any(%s) group by 1",
            (accounts,),
        ).fetchall()
    assert merged or accounts == [person_id]
    outcomes = dedup.settle([k.record for k in known], stage.platform.standard.exclusion_class(CLASS, date.max))
    for k in known:
        said, wanted = (k.verdict, k.code, k.reduction_mg, k.points), outcomes[k.record.event_id]
        if k.record.fixed_mg is None:
            assert said == (wanted.verdict, wanted.code, wanted.reduction_mg, wanted.points), k
    assert all(n == 1 for _, n, _, _ in deeds)
    heads = {e for e, o in outcomes.items() if o.verdict == CREDITED and o.stands == e}
    assert len(deeds) == len(heads)
    total_mg, total_points = sum(o.reduction_mg for o in outcomes.values()), sum(o.points for o in outcomes.values())
    assert sum(mg for _, _, mg, _ in deeds) == total_mg == sum(stage.balance(a, "reductions_mg") for a in accounts)
    assert sum(p for _, _, _, p in deeds) == total_points
    assert total_points == sum(stage.balance(a, "points", but="charged") for a in accounts)
    return Counter(o.verdict for o in outcomes.values())


def test_a_chain_of_overlaps_that_arrives_backwards_leaves_one_row_a_deed(stage: Stage) -> None:
    bikes = stage.partner("valleybike", ["lin"])
    for ref, minute in (("c", 40), ("b", 20), ("a", 0)):
        bikes.verdicts(bikes.event(ref, "lin", recent(8) + timedelta(minutes=minute), 30))
    assert books_equal_a_whole_life(stage, bikes.people["lin"]) == {"credited": 2, "duplicate_of": 1}


def test_one_order_number_on_three_days_earns_once_though_its_first_record_was_refused(stage: Stage) -> None:
    bikes = stage.partner("valleybike", ["lin"])
    for ref, at, more in (
        ("f", recent(8, days_ago=20), {"distance_m": 20_000}),
        ("b", recent(8, days_ago=30), {}),
        ("c", recent(15, days_ago=20), {}),
    ):
        bikes.verdicts(bikes.event(ref, "lin", at, act_ref="x:1", **more))
    verdicts = books_equal_a_whole_life(stage, bikes.people["lin"])
    assert verdicts == {"credited": 1, "duplicate_of": 1, "refused": 1}


@pytest.mark.parametrize("seed", range(6))
def test_any_life_in_any_order_and_any_batches_ends_as_settled_whole(stage: Stage, seed: int, long: bool) -> None:
    rng = random.Random(seed)
    partners = [stage.partner(name, ["lin"], of="city") for name in ("valleybike", "wallet", "metrolink")]
    waiting: list[tuple[Client, dict[str, Any]]] = []
    for i in range(300 if long else 60):
        client = rng.choice(partners)
        at = recent(days_ago=rng.choice([18, 19, 20, 40])) + timedelta(
            minutes=rng.randrange(900), seconds=rng.randrange(60)
        )
        act = rng.choice([None, None, f"valleybike:{rng.randrange(6)}", f"{client.name}:{i}"])
        waiting.append((client, client.event(
            f"e{i}", "lin", at, rng.choice([3, 25, 40, 90]), distance_m=rng.choice([900, 2100, 9000, 20_000, None]),
            evidence=rng.choice(["order", "device", "screenshot", "self_declared"]), act_ref=act,
            prior_ref=rng.choice([None, None, None, f"valleybike:{rng.randrange(6)}"]),
            asset_ref=rng.choice([None, "b1", "b2"]),
        )))  # fmt: skip
    while waiting:
        client = waiting[0][0]
        size = rng.randrange(1, 9)
        batch = [e for c, e in waiting[:size] if c is client]
        waiting = [w for w in waiting if not (w[0] is client and w[1] in batch)]
        client.verdicts(*batch)
    assert len(books_equal_a_whole_life(stage, partners[0].people["lin"])) >= 2


def test_a_deed_across_midnight_touches_the_caps_of_both_days(stage: Stage) -> None:
    bikes = stage.partner("valleybike", ["lin"])
    late = recent(23, 50)
    bikes.verdicts(bikes.event("after", "lin", late + timedelta(minutes=25), 30))
    bikes.verdicts(bikes.event("before", "lin", late, 30))
    bikes.verdicts(bikes.event("morning", "lin", late - timedelta(hours=10), 30))
    assert books_equal_a_whole_life(stage, bikes.people["lin"]) == {"credited": 2, "duplicate_of": 1}


def test_what_nobody_asks_for_is_neither_refused_nor_makes_a_resend_another_message(stage: Stage) -> None:
    bikes = stage.partner("valleybike", ["lin"])
    first = bikes.event("r1", "lin", recent(), price_yuan=1.5, unlocked_ms=1_790_000_000_000_000, extra={"a": [1.5]})
    assert bikes.verdicts(first)[0]["verdict"] == "credited"
    again = bikes.event("r1", "lin", recent(), price_yuan=2.5)
    assert bikes.verdicts(again)[0]["verdict"] == "repeated"


def test_rows_that_waited_in_a_default_partition_move_to_their_month(stage: Stage, database_url: str) -> None:
    from backend.store import migrate

    bikes = stage.partner("valleybike", ["lin"])
    bikes.verdicts(bikes.event("r1", "lin", datetime.now(cast.UTC) + timedelta(days=200)))
    assert stage.count("event_default") == 1
    with stage.platform.db.transaction() as conn:
        migrate.make_partitions(conn, (datetime.now(cast.UTC) + timedelta(days=180)).date())
    assert (stage.count("event_default"), stage.count("event")) == (0, 1)


@pytest.mark.parametrize("table", ["event", "deed", "transfer", "claim", "act_claim", "reverdict"])
@pytest.mark.parametrize("statement", ["delete from {}", "truncate {} cascade"])
def test_what_is_written_cannot_be_taken_out(stage: Stage, table: str, statement: str) -> None:
    import psycopg

    bikes = stage.partner("valleybike", ["lin"])
    bikes.verdicts(bikes.event("b", "lin", recent(8, 20), 30, act_ref="valleybike:1"))
    bikes.verdicts(bikes.event("a", "lin", recent(8), 30, act_ref="valleybike:2"))
    assert stage.count(table) > 0
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"), stage.platform.db.transaction() as conn:
        conn.execute(statement.format(table))
