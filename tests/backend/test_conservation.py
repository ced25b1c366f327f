"""Conservation: what is made, sold and used up always adds up, whatever happens and in whatever order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.usecases import (
    check_conservation,
    pay_out,
    settle_sales,
)
from rewards import ledger
from tests.cast import Stage
from tests.market import Market, keyed, ok, refused


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
    gone = {"cancelled": 0, "transferred": 0}
    assert places == {"available": 45, "reserve": 5, "reserved": 0, "held": 30, "retired": 20, **gone}
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
        ("alter table credit_block disable trigger all; update credit_block set owner = '99' where account = 'reserved'"
         " and superseded_at is null", "orders_reserved"),
        ("alter table batch_partner disable trigger all; update batch_partner set reduction_mg = reduction_mg + 1",
         "collected_of_batches"),
        ("alter table credit_transfer disable trigger all; update credit_transfer set quantity_g = quantity_g + 1",
         "grams_transferred"),
        ("alter table payment disable trigger all; update payment set amount_fen = amount_fen + 1", "money_in"),
        ("alter table payment disable trigger all; update payment set taken = false", "payments_taken"),
        ("update refund set state = 'done', done_at = now()", "refunds_waiting"),
        ("alter table settlement disable trigger all; update settlement set fund_fen = fund_fen + 1",
         "shares_of_settlements"),
        ("alter table settlement disable trigger all; update settlement set income_fen = 1", "shares_of_batches"),
        ("insert into transfer (posted_at, book, debit, debit_id, credit, amount, reason)"
         " values (now(), 'money_fen', 'platform', 0, 'paid_out', 1, 'theft')", "money_out"),
        ("update payout set state = 'failed'", "payouts_waiting"),
        ("insert into transfer (posted_at, book, debit, debit_id, credit, amount, reason)"
         " values (now(), 'money_fen', 'batch_income', 1, 'platform', 900, 'theft')", "money_held"),
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
    market.issued(50_500, price=90_000_000)
    market.paid(50)
    market.retired(20)
    market.lowered((lost, 48_500))
    ok(market.company.post("/v1/transfers", {"quantity_g": 5, "registry": "other"}), 201)
    settle_sales.settle_sales(stage.platform, datetime.now(UTC))
    pay_out.withdraw_money(stage.platform, keyed("person:1"), market.people[1], {"amount_fen": 1}, datetime.now(UTC))
    refunded = market.paid(3)
    ok(market.company.post(f"/v1/orders/{refunded['id']}/refund", {"reason": "r"}), 200)
    market.ordered(2)
    assert market.conservation()["ok"]
    with stage.platform.db.transaction() as conn:
        for statement in damage.split(";"):
            conn.execute(statement)  # type: ignore[call-overload]
    answer = market.conservation()
    assert answer["ok"] is False
    failing = {i["name"] for i in answer["identities"] if not i["ok"]}
    assert name in failing
    assert "tanpuhui_conservation_failing 0.0" not in stage.http.get("/metrics").text
    assert any(i["scope"] != "all" for i in answer["identities"] if i["name"] == name)
