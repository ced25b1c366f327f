"""Whatever the market does, in any order: every gram and every fen is accounted for, and asking twice has one effect.

A seeded driver works on the real database: 1,000 operations in the gate, 100,000 with --long, conservation checked
throughout. It knows by itself what each company must hold, what each person and the world outside must have.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from backend.errors import Problem
from backend.store import money
from backend.usecases import (
    attest_batch,
    buy_credits,
    cap_collection,
    check_conservation,
    close_pool,
    cover_batch,
    declare_partner,
    issue_credits,
    list_flows,
    list_holdings,
    pay_order,
    pay_out,
    place_standing_orders,
    quote_credits,
    refund_order,
    release_credits,
    retire_credits,
    set_price,
    settle_sales,
    transfer_credits,
)
from tests.cast import Stage
from tests.market import ATTESTED, RECEIVED, Market, keyed

PACKS = ("cycling", "plastic_substitution")
REGIONS = ("310000", "440300")
MONTHS = (date(2026, 5, 1), date(2026, 6, 1))
PRICES = (1, 6001, 7_000_000, 90_000_000)


class Driver:
    """Does random things to a market."""

    def __init__(self, market: Market, seed: int) -> None:
        self.random = random.Random(seed)
        self.market, self.platform = market, market.platform
        self.other = market.stage.partner("metrolink", ["x"])
        self.companies = [market.company, *(market.stage.client("company", f"company {i}") for i in range(3))]
        self.now = datetime.now(UTC)
        self.batches: dict[int, str] = {}
        self.quotes: dict[int, str] = {}
        self.orders: dict[int, tuple[str, dict[str, Any]]] = {}
        self.refunds: dict[int, None] = {}
        self.payouts: dict[int, None] = {}
        self.held: Counter[str] = Counter()
        self.retired: Counter[str] = Counter()
        self.numbers = itertools.count()
        self.received_fen = self.sent_fen = 0
        self.done: Counter[str] = Counter()
        self.answers: list[tuple[Callable[[], Any], Any]] = []
        make = [*[self.add_deed] * 9, self.correct_deed, self.recall, *[self.cover] * 2, self.cap, *[self.close] * 2]
        make += [self.attest, *[self.issue] * 2, self.reprice]
        trade = [*[self.quote] * 5, *[self.order] * 4, self.declare, *[self.confirm] * 4, self.receive, self.cancel]
        after = [self.retire, self.transfer, self.declare_own, self.refund, self.finish_refund]
        back = [*[self.settle] * 2, *[self.withdraw] * 3, *[self.finish_payout] * 2, self.standing]
        self.acts = [*make, *trade, *after, *back, self.repeat, self.pass_time]

    def step(self) -> None:
        act = self.random.choice(self.acts)
        try:
            act()
            outcome = "done"
        except Problem as problem:
            outcome = problem.code
        self.done[f"{act.__name__} {outcome}"] += 1  # any other exception fails the test

    def keep(self, ask: Callable[[], Any]) -> Any:
        """Ask, and be able to ask the very same again later."""
        answer = ask()
        self.answers.append((ask, answer))
        return answer

    def one_of(self, ids: dict[int, Any]) -> int:
        """One of the latest, now and then an old one or one that is not there."""
        return self.random.choice([*list(ids)[-3:], self.random.choice([*ids, 0])])

    # --- deeds and batches

    def add_deed(self) -> None:
        more = {"pack": self.random.choice(PACKS), "region": self.random.choice(REGIONS)}
        more |= {"month": self.random.choice(MONTHS), "person": self.random.choice(self.market.people)}
        mg = self.random.choice((1, 999, 1000, 1001, -700, -40_000, self.random.randrange(1, 5_000_000)))
        more["evidence"] = self.random.choice(("order", "order", "order", "device", "screenshot"))
        more["client"] = self.random.choice((self.market.partner, self.market.partner, self.other))
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
            changes[deed_id] = self.random.choice((0, mg * 9 // 10, mg - 700, mg - 700, mg + 900))
            if changes[deed_id] == mg:
                del changes[deed_id]
        for recalled in self.market.lowered(*changes.items()):
            for what in ("cancelled_g", "owed_g"):
                self.done[what] += getattr(recalled, what)

    def cover(self) -> None:
        """Batches that owe are covered from any other, fit or not."""
        found = check_conservation.check_conservation(self.platform, self.now, fresh=True)
        owing = [b["batch"] for b in found["batches"] if b["owed_g"]]
        if owing:
            batch_id, other = self.random.choice(owing), self.one_of(self.batches)
            cover_batch.cover_batch(self.platform, keyed(self.market.operator.id), batch_id, other, None, self.now)
            self.done["covered"] += 1

    def cap(self) -> None:
        if self.random.random() < 0.1:
            partner = self.random.choice((self.market.partner, self.other)).id
            month = date(self.random.randrange(2020, 2027), self.random.randrange(1, 7), 1)
            mg = self.random.choice((None, None, self.random.randrange(10**8)))
            cap = {"from_month": month, "cap_mg": mg, "document": "d", "pack_code": self.random.choice((None, *PACKS))}
            cap_collection.cap_collection(self.platform, keyed(self.market.operator.id), partner, cap, self.now)

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
        batch_id, price = self.one_of(self.batches), self.random.choice(PRICES)
        issue_credits.issue_credits(self.platform, batch_id, self.market.operator.id, price, self.now)

    def reprice(self) -> None:
        tiers = [{"from_g": 1, "price_fen_per_tonne": self.random.choice(PRICES)}] * self.random.choice((0, 1, 1, 1))
        rule: dict[str, Any] = {"tiers": tiers, "valid_from": self.now + timedelta(minutes=self.random.choice((0, 9)))}
        if self.random.random() < 0.7:
            rule |= {"region": self.random.choice((*REGIONS, "440000"))}
        set_price.set_price(self.platform, keyed(self.market.operator.id), rule, self.now)

    # --- orders

    def quote(self) -> None:
        company = self.random.choice(self.companies).id
        wish: dict[str, Any] = {"quantity_g": self.random.choice((1, 7, 999, self.random.randrange(1, 5_000)))}
        if self.random.random() < 0.3:
            wish |= {"region": self.random.choice((*REGIONS, "440000")), "pack_code": self.random.choice(PACKS)}
        wish |= {"partial": self.random.random() < 0.3}
        if self.random.random() < 0.2:
            wish |= {"limit_fen_per_tonne": self.random.choice(PRICES)}
        answer = quote_credits.quote_credits(self.platform, keyed(company), wish, self.now)
        self.quotes[answer["id"]] = company

    def order(self) -> None:
        quote_id = self.one_of(self.quotes)
        company = self.quotes.get(quote_id, self.market.company.id)
        request, now = keyed(company), self.now
        answer = self.keep(lambda: buy_credits.buy_credits(self.platform, request, quote_id, now))
        self.orders[answer["id"]] = (company, answer)

    def standing(self) -> None:
        """A wish for every month, and what is due is ordered."""
        company = self.random.choice(self.companies).id
        wish = {"quantity_g": self.random.randrange(1, 900), "limit_fen_per_tonne": self.random.choice(PRICES),
                "day": self.random.randrange(1, 29), "partial": self.random.random() < 0.5}  # fmt: skip
        place_standing_orders.add_standing_order(self.platform, keyed(company), wish, self.now)
        placed = place_standing_orders.place_standing_orders(self.platform, self.now)
        if placed:
            self.done["placed"] += placed
            self._find_orders()

    def _find_orders(self) -> None:
        """Those that nobody ordered by hand."""
        with self.platform.db.transaction() as conn:
            rows = conn.execute("select order_id, client_id, amount_fen, quantity_g from purchase_order").fetchall()
        for order_id, client_id, amount_fen, quantity_g in rows:
            self.orders.setdefault(order_id, (client_id, {"amount_fen": amount_fen, "quantity_g": quantity_g}))

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
        self.keep(lambda: pay_order.confirm_payment(self.platform, request, order_id, told, now))
        self.held[company] += order["quantity_g"]
        self.received_fen += order["amount_fen"]

    def receive(self) -> None:
        """The provider's word: for an open order, for one that has ended, with another amount, twice."""
        order_id, company, order = self.any_order()
        fen, ref, now = order["amount_fen"] + self.random.choice((0, 0, 0, 1)), f"t{next(self.numbers)}", self.now
        before = self._state(order_id)
        answer = pay_order.receive_payment(self.platform, order_id, fen, ref, now)
        if answer is None:
            return
        assert pay_order.receive_payment(self.platform, order_id, fen, ref, now) == answer
        self.received_fen += fen
        if (before, answer["state"]) != ("paid", "paid") and answer["state"] == "paid":
            self.held[company] += order["quantity_g"]
        else:
            self.done["stray"] += 1
        self._find_refunds()

    def _state(self, order_id: int) -> str:
        with self.platform.db.transaction() as conn:
            found = conn.execute("select state from purchase_order where order_id = %s", (order_id,)).fetchone()
        return found[0] if found else ""

    def _find_refunds(self) -> None:
        with self.platform.db.transaction() as conn:
            self.refunds |= dict.fromkeys(r["refund_id"] for r in money.refunds(conn, limit=5))

    def cancel(self) -> None:
        order_id, company, _ = self.any_order()
        release_credits.cancel_order(self.platform, order_id, company, self.now)

    def refund(self) -> None:
        order_id, company, order = self.any_order()
        request, now = keyed(company), self.now
        self.keep(lambda: refund_order.refund_order(self.platform, request, order_id, company, "r", now))
        self.held[company] -= order["quantity_g"]
        self._find_refunds()

    def finish_refund(self) -> None:
        refund_id, now = self.one_of(self.refunds), self.now
        request = keyed(self.market.operator.id)
        done = self.keep(lambda: refund_order.confirm_refund(self.platform, request, refund_id, "b", now))
        self.received_fen -= done["amount_fen"]

    # --- what is held

    def retire(self) -> None:
        company = self.random.choice(self.companies).id
        wish = self.market.company_wish(self.random.randrange(1, 2 + self.held[company] * 5 // 4))
        request, now = keyed(company), self.now
        self.keep(lambda: retire_credits.retire_credits(self.platform, request, wish, now))
        self.held[company] -= wish["quantity_g"]
        self.retired[company] += wish["quantity_g"]

    def transfer(self) -> None:
        company, other = (self.random.choice(self.companies).id for _ in range(2))
        wish: dict[str, Any] = {"quantity_g": self.random.randrange(1, 2 + self.held[company] // 2)}
        wish |= self.random.choice(({"to": other}, {"to": other}, {"registry": "elsewhere"}))
        request, now = keyed(company), self.now
        self.keep(lambda: transfer_credits.transfer_credits(self.platform, request, wish, now))
        self.held[company] -= wish["quantity_g"]
        self.held[wish.get("to", "elsewhere")] += wish["quantity_g"]

    def declare_own(self) -> None:
        """Now and then a partner is a company's own, for a while."""
        company, partner = self.companies[-1].id, self.other.id
        if self.random.random() < 0.3:
            declare_partner.declare_partner(self.platform, keyed(company), partner, self.now)
        else:
            declare_partner.end_declaration(self.platform, company, partner, self.market.operator.id, self.now)

    # --- money back

    def settle(self) -> None:
        for one in settle_sales.settle_sales(self.platform, self.now, at_once=self.random.random() < 0.5):
            self.done["settled"] += 1
            self.done["last"] += one["is_last"]
            self.done["people_fen"] += one["citizens_fen"]

    def withdraw(self) -> None:
        """Most often by somebody who has something."""
        with self.platform.db.transaction() as conn:
            rows = conn.execute("select distinct credit_id from transfer where reason = 'share' and credit = 'person'")
            some = sorted(person for (person,) in rows.fetchall())
        who, now = self.random.choice([self.random.choice(self.market.people), *some[:3]]), self.now
        request, wish = keyed(f"person:{who}"), {"amount_fen": self.random.choice((1, 1, 7, 500))}
        answer = self.keep(lambda: pay_out.withdraw_money(self.platform, request, who, wish, now))
        self.payouts[answer["id"]] = None

    def finish_payout(self) -> None:
        payout_id, now = self.one_of(self.payouts), self.now
        told = {"state": self.random.choice(("done", "done", "failed")), "external_ref": "x"}
        request = keyed(self.market.operator.id)
        done = self.keep(lambda: pay_out.confirm_payout(self.platform, request, payout_id, told, now))
        self.sent_fen += done["amount_fen"] * (told["state"] == "done")

    # --- and again

    def repeat(self) -> None:
        """Ask again what was answered: the same answer, and no effect."""
        if self.answers:
            ask, answer = self.random.choice(self.answers)
            assert ask() == answer

    def pass_time(self) -> None:
        self.now += timedelta(minutes=self.random.choice((1, 1, 1, 2, 5, 5, 16, 40, 60 * 24 * 6, 60 * 24 * 6)))
        if self.random.random() < 0.5:
            release_credits.expire_orders(self.platform, self.now)

    def check(self) -> None:
        found = check_conservation.check_conservation(self.platform, self.now, fresh=True)
        assert found["ok"], [i for i in found["identities"] if not i["ok"]]
        for company in self.companies:
            holdings = list_holdings.list_holdings(self.platform, company.id)
            assert (holdings["held_g"], holdings["retired_g"]) == (self.held[company.id], self.retired[company.id])
        list_flows.forget(self.platform)
        totals = list_flows.list_flows(self.platform, None, 1, self.now)[0]["totals"]
        inside = [fen for name, fen in totals.items() if name.startswith(("waiting", "held", "on_its_way"))]
        assert (totals["from_buyers_fen"], totals["paid_out_fen"]) == (self.received_fen, self.sent_fen)
        assert totals["from_buyers_fen"] == totals["paid_out_fen"] + sum(inside)


def test_whatever_happens_everything_is_accounted_for(stage: Stage, long: bool) -> None:
    seed, steps = (random.randrange(2**32), 100_000) if long else (36, 1_000)
    print(f"seed {seed}")  # shown when it fails
    driver = Driver(Market(stage), seed)
    for number in range(1, steps + 1):
        driver.step()
        if number % (steps // 50) == 0:
            driver.check()
    driver.check()
    print(dict(driver.done))
    worked = {name.split()[0] for name in driver.done if name.endswith(" done")}
    assert worked >= {act.__name__ for act in driver.acts} - {"pass_time"}
    for what in ("cancelled_g", "owed_g", "covered", "stray", "settled", "people_fen", "placed"):
        assert driver.done[what] > 0, what
    assert driver.retired.total() > 0
    assert any(name.endswith(" expired") for name in driver.done)
    assert any(name.endswith(" sold_out") for name in driver.done)
