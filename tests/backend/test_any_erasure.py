"""People leave in the midst of all that a market does: every milligram, point, gram and fen is still accounted for."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime
from typing import Any

from backend.errors import Problem
from backend.store import claims
from backend.usecases import close_pool, erase_person, import_claims, merge_persons, pay_out, settle_sales
from rewards import ledger
from tests.backend.test_any_market import Driver
from tests.backend.test_import_claims import claimed
from tests.backend.test_settle_sales import held, later
from tests.cast import Stage, recent
from tests.market import POOL, Market, at_once, keyed, ok


def leave(market: Market, person_id: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    return erase_person.erase_person(market.platform, keyed(f"person:{person_id}"), person_id, now)


def money_of(market: Market, *people: int) -> list[int]:
    return [market.stage.balance(p, ledger.MONEY) for p in people]


def settled(market: Market) -> dict[str, Any]:
    [one] = settle_sales.settle_sales(market.platform, later(), at_once=True)
    return one


def balanced(market: Market) -> None:
    found = market.conservation()
    assert found["ok"], [line for line in found["identities"] if not line["ok"]]


def test_open_money_and_later_shares_of_who_left_go_to_the_fund(market: Market) -> None:
    """First one who has two accounts, then another; one of four deeds is left."""
    one, alias, two, three = people = market.people[:4]
    for person in people:
        market.deed(1_000_000, person=person)
    market.issued(price=90_000_000)
    market.paid(1_000)
    settled(market)
    merge_persons.merge_persons(market.platform, one, alias, market.operator.id, "one phone", datetime.now(UTC))
    market.paid(1_000)
    settled(market)
    has = money_of(market, *people)
    wish = {"amount_fen": has[0] + 5}  # more than that account has by itself
    pay_out.withdraw_money(market.platform, keyed(f"person:{one}"), one, wish, datetime.now(UTC))
    before = held(market, ledger.FUND)
    done = leave(market, alias)
    assert (done["fund_fen"], done["on_its_way_fen"], done["deeds_in_batches"]) == (has[1] - 5, has[0] + 5, 2)
    assert held(market, ledger.FUND) - before == has[1] - 5
    for gone, left in ((2, [two, three]), (3, [three])):
        if gone == 3:
            leave(market, two)
        before, mine = held(market, ledger.FUND), money_of(market, *left)
        market.paid(500)
        paid = settled(market)
        assert paid["people"] == len(left)
        assert held(market, ledger.FUND) - before == paid["fund_fen"] + paid["citizens_fen"] * gone // 4
        now_have = money_of(market, *left)
        assert [a - b for a, b in zip(now_have, mine, strict=True)] == [paid["citizens_fen"] // 4] * len(left)
    market.paid(sum(o["available_g"] for o in ok(market.company.get("/v1/offers"), 200)["items"]))
    assert settled(market)["is_last"]
    assert held(market, ledger.BATCH_INCOME, 1) == 0
    assert money_of(market, one, alias, two) == [0, 0, 0]
    balanced(market)


def test_a_withdrawal_on_its_way_is_paid_or_comes_back_to_the_fund(market: Market) -> None:
    market.issued(*[10_000_000] * 4, price=90_000_000)
    market.paid(1_000)
    settled(market)
    now, ids = datetime.now(UTC), {}
    takers = [p for p in market.people if money_of(market, p) != [0]]
    for person in takers:
        asked = pay_out.withdraw_money(market.platform, keyed(f"person:{person}"), person, {"amount_fen": 10}, now)
        ids[person] = asked["id"]
    first, second, third, fourth = takers
    for person in (first, second, third, fourth):
        assert leave(market, person)["on_its_way_fen"] == 10
    before = held(market, ledger.FUND)
    operator = keyed(market.operator.id)
    for person, state in ((first, "done"), (second, "failed")):
        told = {"state": state, "external_ref": "bank"}
        request = keyed(market.operator.id, operator.route)
        pay_out.confirm_payout(market.platform, request, ids[person], told, now)
    assert held(market, ledger.FUND) - before == 10
    with market.platform.db.transaction() as conn:
        conn.execute("update payout set method = 'provider' where payout_id = any(%s)", ([ids[third], ids[fourth]],))
    for state, fen in (("failed", 20), ("failed", 20), ("done", 10), ("done", 10)):
        pay_out.settle_payout(market.platform, ids[third], state, "x", "", now)
        assert held(market, ledger.FUND) - before == fen
    pay_out.settle_payout(market.platform, ids[fourth], "done", "y", "", now)
    assert held(market, ledger.FUND) - before == 10
    balanced(market)


def test_points_that_are_owed_end_as_well(market: Market) -> None:
    person = market.people[0]
    market.deed(-5_000, person=person)
    with market.platform.db.transaction() as conn:
        conn.execute(
            "insert into transfer (posted_at, book, debit, debit_id, credit, amount, reason, person_id)"
            " values (now(), 'points', 'person', %s, 'platform', 30, 'charged', %s)", (person, person),
        )  # fmt: skip
    done = leave(market, person)
    assert (done["points_expired"], done["reductions_cancelled_mg"], done["deeds_removed"]) == (-30, -5_000, 1)
    assert [market.stage.balance(person, book) for book in (ledger.POINTS, ledger.REDUCTIONS)] == [0, 0]
    balanced(market)


def test_a_share_that_is_paid_while_its_person_leaves_is_not_left_behind(market: Market) -> None:
    market.issued(*[10_000_000] * 30, price=90_000_000)
    people = [p for p in market.people if p % 2]
    for person in people[:6]:
        market.paid(100)
        done = at_once(
            lambda: settle_sales.settle_sales(market.platform, later(), at_once=True),
            lambda person=person: leave(market, person),
        )
        assert [isinstance(one, Problem) for one in done] == [False, False]
        assert money_of(market, person) == [0]
    balanced(market)


def test_a_pool_that_closes_while_a_person_leaves_has_the_deed_or_has_it_not(market: Market) -> None:
    for person in market.people[:6]:
        deed = market.deed(7_000, person=person)
        market.deed(5_000, person=market.people[-1])
        _, done = at_once(
            lambda: close_pool.close_pool(market.platform, POOL, market.operator.id, datetime.now(UTC)),
            lambda person=person: leave(market, person),
        )
        assert (done["deeds_removed"], done["deeds_in_batches"]) in ((1, 0), (0, 1))
        assert (market.batch_of(deed) is not None) == (done["deeds_in_batches"] == 1)
    balanced(market)


class Leaving(Driver):
    """People come, turn out to be one, and leave."""

    def __init__(self, market: Market, seed: int) -> None:
        super().__init__(market, seed)
        members = market.members
        market.members = lambda: members() & market.standing.keys()  # type: ignore[method-assign]
        self.acts += [self.erase, self.merge, self.come]

    def erase(self) -> None:
        leave(self.market, self.random.choice(self.market.people))
        with self.platform.db.transaction() as conn:
            here = {p for (p,) in conn.execute("select person_id from person")}
        standing = self.market.standing
        self.market.people = [p for p in self.market.people if p in here]
        self.market.standing = {d: one for d, one in standing.items() if one[2]["person"] in here}
        self.answers.clear()  # of those who left nobody asks again

    def merge(self) -> None:
        one, other = self.random.sample(self.market.people, 2)
        if self.random.random() < 0.3:
            merge_persons.merge_persons(self.platform, one, other, self.market.operator.id, "r", self.now)

    def come(self) -> None:
        names = [f"q{next(self.numbers)}" for _ in range(2)]
        self.market.stage.link(self.market.partner, names)
        self.market.people += [self.market.partner.people[name] for name in names]

    def withdraw(self) -> None:
        rich = [p for p in self.market.people if money_of(self.market, p) != [0]]
        who = self.random.choice(rich or self.market.people)
        wish = {"amount_fen": self.random.choice((1, 7, 500))}
        asked = pay_out.withdraw_money(self.platform, keyed(f"person:{who}"), who, wish, self.now)
        self.payouts[asked["id"]] = None


def test_whoever_leaves_whenever_everything_is_accounted_for(stage: Stage, long: bool) -> None:
    seed, steps = (random.randrange(2**32), 20_000) if long else (4, 1_000)
    print(f"seed {seed}")  # shown when it fails
    driver = Leaving(Market(stage), seed)
    for number in range(1, steps + 1):
        driver.step()
        if number % (steps // 40) == 0:
            driver.check()
    driver.check()
    print(dict(driver.done))
    for what in ("erase done", "merge done", "withdraw done", "finish_payout done", "recall done", "settled"):
        assert driver.done[what] > 3, what


def test_an_import_at_that_moment_leaves_nothing_behind(stage: Stage) -> None:
    operator, day = stage.client("operator", "staff"), recent().date().isoformat()
    for n in range(5):
        bikes, orchard = stage.partner(f"bikes{n}", [f"p{n}"], of="city"), stage.partner(f"orchard{n}")
        bikes.verdicts(bikes.event("r1", f"p{n}", recent(), act_ref=f"bikes{n}:1"))
        span = {"operator": bikes.id, "activity": "cycling.v1", "region": "310000", "from": day, "to": day}
        raws = [(line, {"kind": "issued"} | row) for line, row in enumerate(({"act_ref": f"bikes{n}:1"}, span), 1)]
        person, now = bikes.people[f"p{n}"], datetime.now(UTC)
        _, imported, left = at_once(
            lambda orchard=orchard, n=n: stage.link(orchard, [f"p{n}"], shared=True),
            lambda raws=raws, now=now: import_claims.import_claims(
                stage.platform, "ccer", raws, "a list", operator.id, now
            ),
            lambda person=person, now=now: erase_person.erase_person(stage.platform, keyed("x"), person, now),
        )
        assert (imported.new, left["deeds_in_batches"]) == (2, 0)
        with stage.platform.db.transaction() as conn:
            for table in ("link", "consent", "person_key", "claim_conflict"):
                sql = f"select count(*) from {table} where person_id = %s"
                assert conn.execute(sql, (person,)).fetchone() == (0,), table  # type: ignore[call-overload]
            assert conn.execute("select count(*) from review").fetchone() == (0,)


def test_a_conflict_that_is_being_written_is_waited_for(stage: Stage) -> None:
    bikes, operator = stage.partner("valleybike", ["lin"]), stage.client("operator", "staff")
    bikes.verdicts(bikes.event("r1", "lin", recent()))
    claimed(operator, {"kind": "issued", "act_ref": "elsewhere:1"})
    me, now = bikes.people["lin"], datetime.now(UTC)
    leaving = threading.Thread(target=erase_person.erase_person, args=(stage.platform, keyed("x"), me, now))
    with stage.platform.db.transaction() as conn:
        found = conn.execute("select x.claim_id, event_id, started_at from external_claim x, event").fetchall()
        assert len(claims.add_conflicts(conn, found, now)) == 1
        leaving.start()
        waiting = "select count(*) from pg_locks where not granted and relation = 'claim_conflict'::regclass"
        while leaving.is_alive() and conn.execute(waiting).fetchone() == (0,):
            time.sleep(0.01)
    leaving.join()
    assert (stage.count("erased_person"), stage.count("claim_conflict")) == (1, 0)
