"""Conservation: what is made, sold and used up always adds up, whatever happens and in whatever order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from backend.errors import Problem
from backend.usecases import (
    attest_batch,
    buy_credits,
    check_conservation,
    close_pool,
    cover_batch,
    issue_credits,
    list_holdings,
    pay_order,
    quote_credits,
    release_credits,
    retire_credits,
)
from rewards import ledger
from tests import cast
from tests.cast import Stage
from tests.market import ATTESTED, RECEIVED, Market, keyed, ok, refused


@pytest.fixture
def stage(database_url: str, redis_url: str) -> Iterator[Stage]:
    with cast.stage(database_url, redis_url) as made:
        yield made


def test_every_identity_is_shown_with_its_sides_and_anybody_may_ask(stage: Stage) -> None:
    market = Market(stage)
    market.issued(100_500)
    market.paid(50)
    market.retired(20)
    answer = ok(stage.http.get("/v1/conservation"), 200)
    assert answer["ok"] is True
    assert [i["name"] for i in answer["identities"]] == list(ledger.IDENTITIES)
    sides = {i["name"]: i["left"] for i in answer["identities"] if i["left"] == i["right"]}
    assert (sides["reductions_of_people"], sides["blocks_of_batches"], sides["certificates"]) == (100_500, 100, 20)
    [batch] = answer["batches"]
    places = {p: batch[f"{p}_g"] for p in ledger.PLACES}
    assert places == {"available": 45, "reserve": 5, "reserved": 0, "held": 30, "retired": 20, "cancelled": 0}
    assert sum(places.values()) == batch["issued_g"] == 100


def test_the_answer_is_kept_for_a_minute_unless_an_operator_asks_for_a_fresh_one(stage: Stage) -> None:
    market = Market(stage)
    first = ok(stage.http.get("/v1/conservation"), 200)
    market.issued(100_500)
    assert ok(stage.http.get("/v1/conservation"), 200) == first
    refused(stage.http.get("/v1/conservation?fresh=1"), 401, "token_missing")
    assert len(market.conservation()["batches"]) == 1
    later = datetime.now(UTC) + timedelta(seconds=61)
    assert check_conservation.check_conservation(stage.platform, later)["as_of"] == later


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ("insert into transfer (posted_at, book, debit, credit, credit_id, amount, reason, person_id)"
         " select now(), 'reductions_mg', 'measured', 'person', person_id, 7, 'deed', person_id from person limit 1",
         "reductions_of_people"),
        ("insert into transfer (posted_at, book, debit, credit, credit_id, amount, reason, person_id)"
         " select now(), 'points', 'measured', 'person', person_id, 7, 'deed', person_id from person limit 1",
         "points_of_people"),
        ("insert into deed select deed_id, version, person_id, started_at + interval '1 s', ended_at, class, pack_code,"
         " pack_version, gas_basis, region, vintage_month, evidence, event_id, client_id, 0, 0, stands, made_at"
         " from deed where version = 2", "rows_of_deeds"),
        ("alter table transfer disable trigger all; update transfer set ref_id = 99 where reason = 'deed'"
         " and book = 'reductions_mg'", "reductions_of_deeds"),
        ("alter table deed disable trigger all; update deed set points = 1", "points_of_deeds"),
        ("insert into event (event_id, started_at, ended_at, received_at, client_id, event_ref, event_type, act_issuer,"
         " act_digest, verdict, code, root_id) select event_id, started_at, ended_at, made_at, client_id, event_id,"
         " 'cycling.v1', 'valleybike', '\\x01', 'credited', 'ok', event_id from deed where version = 1",
         "numbers_of_deeds"),
        ("alter table batch disable trigger all; update batch set deeds = deeds + 1", "members_of_batches"),
        ("alter table batch disable trigger all; update batch set reduction_mg = reduction_mg + 1",
         "reductions_of_batches"),
        ("alter table batch_member disable trigger all; update batch_member set reduction_mg = reduction_mg - 1"
         " where deed_id = 1; update batch_member set reduction_mg = reduction_mg + 1 where deed_id = 2",
         "reductions_of_batches"),
        ("alter table recall disable trigger all; update recall set recalled_mg = recalled_mg + 1", "members_recalled"),
        ("update batch_recall set recalled_mg = recalled_mg + 1", "recalls_of_batches"),
        ("update batch_recall set owed_g = 1", "recalls_replaced"),
        ("alter table cancellation disable trigger all; update cancellation set quantity_g = quantity_g + 1",
         "grams_cancelled"),
        ("alter table issue disable trigger all; update issue set remainder_mg = remainder_mg - 1", "grams_minted"),
        ("alter table issue disable trigger all; update issue set carried_mg = 1", "remainders_carried"),
        ("alter table credit_block disable trigger all; delete from credit_block where account = 'reserve'",
         "blocks_of_batches"),
        ("alter table credit_block disable trigger all;"
         " update credit_block set serials = '[200,204]' where account = 'reserve'", "serials_of_batches"),
        ("alter table credit_block disable trigger all;"
         " update credit_block set account = 'available' where account = 'reserve'", "credits_book"),
        ("update purchase_order set state = 'reserved'", "orders_reserved"),
        ("alter table credit_block disable trigger all; update credit_block set owner = 'x' where account = 'held'",
         "holdings"),
        ("alter table certificate disable trigger all; update certificate set canonical = '{\"quantity_g\": 21}'",
         "certificates"),
        ("update purchase_order set amount_fen = 99", "order_amounts"),
        ("insert into transfer (posted_at, book, debit, credit, credit_id, amount, reason)"
         " values (now(), 'money_fen', 'buyers', 'batch_income', 1, 1, 'sale')", "income_of_batches"),
    ],
)  # fmt: skip
def test_damage_of_every_kind_is_found_and_named(stage: Stage, damage: str, name: str) -> None:
    market = Market(stage)
    lost = market.deed(50_000)
    market.issued(50_500)
    market.paid(50)
    market.retired(20)
    market.lowered((lost, 48_500))
    assert market.conservation()["ok"]
    with stage.platform.db.transaction() as conn:
        for statement in damage.split(";"):
            conn.execute(statement)  # type: ignore[call-overload]
    answer = market.conservation()
    assert answer["ok"] is False
    failing = {i["name"] for i in answer["identities"] if not i["ok"]}
    assert name in failing
    assert any(i["scope"] != "all" for i in answer["identities"] if i["name"] == name)


# --- anything, in any order -----------------------------------------------------------------------------------------

PACKS = ("cycling", "plastic_substitution")
REGIONS = ("310000", "440300")
MONTHS = (date(2026, 5, 1), date(2026, 6, 1))


class Driver:
    """Does random things to a market, and knows by itself what each company must hold and have retired."""

    def __init__(self, market: Market, seed: int) -> None:
        self.random = random.Random(seed)
        self.market, self.platform = market, market.platform
        self.companies = [market.company, *(market.stage.client("company", f"company {i}") for i in range(3))]
        self.now = datetime.now(UTC)
        self.batches: dict[int, str] = {}
        self.quotes: dict[int, str] = {}
        self.orders: dict[int, tuple[str, dict[str, Any]]] = {}
        self.held: dict[str, int] = dict.fromkeys((c.id for c in self.companies), 0)
        self.retired: dict[str, int] = dict(self.held)
        self.done: dict[str, int] = {}
        self.answers: list[tuple[Callable[[], Any], Any]] = []

    def step(self) -> None:
        make = [
            *[self.add_deed] * 4,
            self.correct_deed,
            self.recall,
            self.recall,
            self.cover,
            self.close,
            self.attest,
            self.issue,
            self.issue,
        ]
        trade = [*[self.quote] * 3, *[self.order] * 3, self.declare, *[self.confirm] * 2, self.cancel, self.retire]
        act = self.random.choice([*make, *trade, self.repeat, self.pass_time])
        try:
            act()
            outcome = "done"
        except Problem as problem:
            outcome = problem.code
        name = f"{act.__name__} {outcome}"  # any other exception fails the test
        self.done[name] = self.done.get(name, 0) + 1

    def one_of(self, ids: dict[int, Any]) -> int:
        """One of the latest, now and then an old one or one that is not there."""
        return self.random.choice([*list(ids)[-5:], self.random.choice([*ids, 0])])

    def add_deed(self) -> None:
        more = {"pack": self.random.choice(PACKS), "region": self.random.choice(REGIONS)}
        more |= {"month": self.random.choice(MONTHS), "person": self.random.choice(self.market.people)}
        mg = self.random.choice((1, 999, 1000, 1001, -700, -40_000, self.random.randrange(1, 5_000_000)))
        more["evidence"] = self.random.choice(("order", "order", "device", "screenshot"))
        self.market.deed(mg, **more)

    def correct_deed(self) -> None:
        """A new version of a deed that is in no batch."""
        waiting = sorted(self.market.standing.keys() - self.market.members())
        if waiting:
            deed_id = self.random.choice(waiting)
            mg, version, more = self.market.standing[deed_id]
            new_mg, stands = self.random.randrange(-1000, 100_000), self.random.random() < 0.8
            self.market.deed(new_mg, of=deed_id, version=version + 1, before_mg=mg, stands=stands, **more)

    def recall(self) -> None:
        """Deeds of batches, closed or issued, lose all or some of what they were worth, or gain."""
        members = sorted(self.market.members())
        changes = {}
        for deed_id in self.random.sample(members, min(len(members), self.random.choice((1, 1, 4)))):
            mg = self.market.standing[deed_id][0]
            changes[deed_id] = self.random.choice((0, 0, mg * 9 // 10, mg - 700, mg + 900))
            if changes[deed_id] == mg:
                del changes[deed_id]
        for recalled in self.market.lowered(*changes.items()):
            for what in ("cancelled_g", "owed_g"):
                self.done[what] = self.done.get(what, 0) + getattr(recalled, what)

    def cover(self) -> None:
        """Batches that owe are covered from any other, fit or not."""
        found = check_conservation.check_conservation(self.platform, self.now, fresh=True)
        owing = [b["batch"] for b in found["batches"] if b["owed_g"]]
        if owing:
            batch_id, other = self.random.choice(owing), self.one_of(self.batches)
            cover_batch.cover_batch(self.platform, keyed(self.market.operator.id), batch_id, other, None, self.now)
            self.done["covered"] = self.done.get("covered", 0) + 1

    def close(self) -> None:
        pack, region, month = (self.random.choice(choices) for choices in (PACKS, REGIONS, MONTHS))
        pool = f"{region}.{pack}.1.0.0.{month:%Y%m}"
        batch = close_pool.close_pool(self.platform, pool, self.market.operator.id, self.now)
        self.batches[batch["id"]] = "closed"

    def attest(self) -> None:
        batch_id = self.one_of(self.batches)
        statement = ATTESTED | {"decision": self.random.choice(("attested", "attested", "attested", "rejected"))}
        statement["adjustment_mg"] = self.random.choice((0, 0, self.random.randrange(20_000)))
        attest_batch.attest_batch(self.platform, batch_id, self.market.verifier.id, statement, self.now)

    def issue(self) -> None:
        batch_id, price = self.one_of(self.batches), self.random.choice((1, 5000, 6000, 6001))
        issue_credits.issue_credits(self.platform, batch_id, self.market.operator.id, price, self.now)

    def quote(self) -> None:
        company = self.random.choice(self.companies).id
        wish: dict[str, Any] = {"quantity_g": self.random.choice((1, 7, 999, self.random.randrange(1, 5_000)))}
        if self.random.random() < 0.3:
            wish |= {"region": self.random.choice(REGIONS), "pack_code": self.random.choice(PACKS)}
        answer = quote_credits.quote_credits(self.platform, keyed(company), wish, self.now)
        self.quotes[answer["id"]] = company

    def order(self) -> None:
        quote_id = self.one_of(self.quotes)
        company = self.quotes.get(quote_id, self.market.company.id)
        request, now = keyed(company), self.now
        answer = buy_credits.buy_credits(self.platform, request, quote_id, now)
        self.orders[answer["id"]] = (company, answer)
        self.answers.append((lambda: buy_credits.buy_credits(self.platform, request, quote_id, now), answer))

    def any_order(self) -> tuple[int, str, dict[str, Any]]:
        order_id = self.one_of(self.orders)
        company, order = self.orders.get(order_id, (self.market.company.id, {"amount_fen": 1, "quantity_g": 0}))
        return order_id, company, order

    def declare(self) -> None:
        order_id, company, _ = self.any_order()
        pay_order.declare_payment(self.platform, keyed(company), order_id, {"method": "bank_transfer"}, self.now)

    def confirm(self) -> None:
        order_id, company, order = self.any_order()
        told = RECEIVED | {"amount_fen": order["amount_fen"] + self.random.choice((0, 0, 0, 1))}
        request, now = keyed(self.market.operator.id), self.now
        answer = pay_order.confirm_payment(self.platform, request, order_id, told, now)
        self.held[company] += order["quantity_g"]
        self.answers.append((lambda: pay_order.confirm_payment(self.platform, request, order_id, told, now), answer))

    def cancel(self) -> None:
        order_id, company, _ = self.any_order()
        release_credits.cancel_order(self.platform, order_id, company, self.now)

    def retire(self) -> None:
        company = self.random.choice(self.companies).id
        wish = self.market.company_wish(self.random.randrange(1, 2 + self.held[company] * 5 // 4))
        request, now = keyed(company), self.now
        answer = retire_credits.retire_credits(self.platform, request, wish, now)
        self.held[company] -= wish["quantity_g"]
        self.retired[company] += wish["quantity_g"]
        self.answers.append((lambda: retire_credits.retire_credits(self.platform, request, wish, now), answer))

    def repeat(self) -> None:
        """Ask again what was answered: the same answer, and no effect."""
        if self.answers:
            ask, answer = self.random.choice(self.answers)
            assert ask() == answer

    def pass_time(self) -> None:
        self.now += timedelta(minutes=self.random.choice((1, 1, 1, 2, 5, 5, 16, 40, 60 * 24 * 6)))
        if self.random.random() < 0.5:
            release_credits.expire_orders(self.platform, self.now)

    def check(self) -> None:
        found = check_conservation.check_conservation(self.platform, self.now, fresh=True)
        assert found["ok"], [i for i in found["identities"] if not i["ok"]]
        for company in self.companies:
            holdings = list_holdings.list_holdings(self.platform, company.id)
            assert (holdings["held_g"], holdings["retired_g"]) == (self.held[company.id], self.retired[company.id])


def test_whatever_happens_everything_is_accounted_for(stage: Stage, long: bool) -> None:
    seed, steps = (random.randrange(2**32), 12_000) if long else (20261120, 1_000)
    print(f"seed {seed}")  # shown when it fails
    driver = Driver(Market(stage), seed)
    for number in range(1, steps + 1):
        driver.step()
        if number % 20 == 0:
            driver.check()
    driver.check()
    print(driver.done)
    worked = {name.split()[0] for name in driver.done if name.endswith(" done")}
    assert min(driver.done[what] for what in ("cancelled_g", "owed_g", "covered")) > 0
    assert worked >= {
        "recall",
        "close",
        "attest",
        "issue",
        "quote",
        "order",
        "declare",
        "confirm",
        "cancel",
        "retire",
        "repeat",
    }
    assert sum(driver.retired.values()) > 0
    assert any(name.endswith(" expired") for name in driver.done)
    assert any(name.endswith(" sold_out") for name in driver.done)
