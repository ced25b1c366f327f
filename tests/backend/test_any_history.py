"""Whatever partners, operators and companies do, in any order: the books balance and no deed is credited twice.

A hypothesis state machine drives the real database: send, resend, correct, withdraw, merge, close, issue, sell, retire,
and after every step conservation and one-deed-one-credit hold. 1,000 steps in the gate, 50,000 with --long.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Any

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests import cast
from tests.backend.test_settle_deeds import books_equal_a_whole_life
from tests.cast import Client, Stage, recent

BENEFICIARY = {"name": "绿湾咖啡（演示）有限公司", "uscc": "91350100M000100Y43"}
minutes = st.integers(0, 20 * 60)
DAYS_AGO = st.integers(40, 42)  # on every day of the year these lie in a month whose pool can be closed
ride = st.tuples(
    st.sampled_from(["lin", "wang", "zhao"]), DAYS_AGO, minutes, st.sampled_from([3, 20, 45]),
    st.sampled_from([900, 2310, 9000, None]), st.sampled_from([None, "1", "2"]),
    st.sampled_from(["order", "device", "self_declared"]), st.sampled_from([None, "b1"]),
)  # fmt: skip


class History(RuleBasedStateMachine):
    """One platform for all examples; every example brings its own people and partners."""

    stage: Stage
    operator: Client
    verifier: Client
    company: Client

    @initialize()
    def begin(self) -> None:
        mark = secrets.token_hex(4)
        people = ["lin", "wang", "zhao"]
        self.partners = [
            self.stage.client("partner", f"{name}-{mark}", waived_from=cast.LONG_AGO) for name in ("bikes", "wallet")
        ]
        for partner in self.partners:
            rows = [f"{mark}-{who}" for who in people]
            self.stage.link(partner, rows, shared=True)
            partner.subjects = {who: partner.subjects[f"{mark}-{who}"] for who in people}
            partner.people = {who: partner.people[f"{mark}-{who}"] for who in people}
        self.mark = mark
        self.sent: list[tuple[Client, dict[str, Any]]] = []
        self.touched: set[int] = set()
        self.count = 0

    def _event(self, partner: Client, what: Any) -> dict[str, Any]:
        who, days_ago, minute, length, metres, act, evidence, asset = what
        self.count += 1
        at = recent(0, days_ago=days_ago) + timedelta(minutes=minute)
        number = f"{self.partners[0].name}:{self.mark}-{act}" if act else None
        self.touched.add(partner.people[who])
        return partner.event(
            f"e{self.count}", who, at, length, distance_m=metres, act_ref=number, evidence=evidence, asset_ref=asset
        )

    @rule(which=st.integers(0, 1), rides=st.lists(ride, min_size=1, max_size=4))
    def send(self, which: int, rides: list[Any]) -> None:
        partner = self.partners[which]
        events = [self._event(partner, what) for what in rides]
        partner.verdicts(*events)
        self.sent += [(partner, event) for event in events]

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        partner, event = data.draw(st.sampled_from(self.sent))
        [verdict] = partner.verdicts(event)
        assert (verdict["verdict"], verdict["reduction_mg"], verdict["points"]) == ("repeated", 0, 0)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), metres=st.sampled_from([500, 3000, None]), shift=st.integers(-30, 30))
    def correct(self, data: st.DataObject, metres: int | None, shift: int) -> None:
        partner, event = data.draw(st.sampled_from(self.sent))
        content = dict(event["data"])
        for end in ("started_at", "ended_at"):
            content[end] = (datetime.fromisoformat(content[end]) + timedelta(minutes=shift)).isoformat()
        content.pop("distance_m", None)
        if metres:
            content["distance_m"] = metres
        self._correct(partner, event, {"kind": "replace", "reason": "r", "data": content})

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        self._correct(*data.draw(st.sampled_from(self.sent)), {"kind": "withdraw", "reason": "w"})

    def _correct(self, partner: Client, event: dict[str, Any], body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        headers = {"X-JWS-Signature": cast.sign(raw, partner.key), "Authorization": f"Bearer {partner.token}"}
        path = f"/v1/events/{event['id']}/corrections"
        answer = partner.http.post(path, data=raw, content_type="application/json", headers=headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        self.touched |= set(partner.people.values())

    @rule()
    def merge(self) -> None:
        first, second = self.partners[0].people["wang"], self.partners[0].people["zhao"]
        body = {"person_id": first, "merged_id": second, "reason": "one phone"}
        assert self.operator.post("/v1/operator/merges", body).status_code == 200
        self.touched |= {first, second}

    @rule()
    def close_attest_and_issue(self) -> None:
        for pool in self.operator.get("/v1/pools?limit=100").json["items"]:
            if pool["state"] != "closable" or not pool["deeds"]:
                continue
            batch = self.operator.post(f"/v1/pools/{pool['id']}/close")
            assert batch.status_code == 201, batch.json
            path = f"/v1/batches/{batch.json['id']}"
            statement = {
                "decision": "attested", "assurance": "limited", "materiality_ppm": 1, "findings": "none",
                "sample": {"deeds": 1, "method": "m"}, "independence": "i",
            }  # fmt: skip
            assert self.verifier.post(f"{path}/attestation", statement).status_code == 201
            assert self.operator.post(f"{path}/issue", {"price_fen_per_tonne": 6000}).status_code == 201

    @rule(share=st.integers(1, 3))
    def sell_and_retire(self, share: int) -> None:
        left_g = sum(o["available_g"] for o in self.company.get("/v1/offers?limit=100").json["items"])
        if left_g < share:
            return
        quote = self.company.post("/v1/quotes", {"quantity_g": left_g // share})
        if quote.status_code == 409:  # a frozen or short series sells nothing
            return
        order = self.company.post("/v1/orders", {"quote_id": quote.json["id"]}).json
        self.company.post(f"/v1/orders/{order['id']}/payment", {"payer": "x"})
        paid = {"amount_fen": order["amount_fen"], "received_on": "2026-01-02", "bank_ref": f"b{order['id']}"}
        assert self.operator.post(f"/v1/operator/orders/{order['id']}/payment", paid).status_code == 200
        wish = {
            "quantity_g": max(order["quantity_g"] // 2, 1), "beneficiary": BENEFICIARY, "purpose": "event",
            "period_from": "2026-01-01", "period_to": "2026-01-31",
        }  # fmt: skip
        answer = self.company.post("/v1/retirements", wish)
        assert answer.status_code in (201, 409), answer.json

    @invariant()
    def the_books_balance_and_no_deed_is_credited_twice(self) -> None:
        if not hasattr(self, "partners"):
            return
        books = self.operator.get("/v1/conservation?fresh=true").json
        assert books["ok"], [i for i in books["identities"] if not i["ok"]]
        for person in sorted(self.touched):
            books_equal_a_whole_life(self.stage, person, merged=True)
        self.touched.clear()


def test_any_history_keeps_the_books_balanced_and_each_deed_credited_once(stage: Stage, long: bool) -> None:
    History.stage = stage
    History.operator = stage.client("operator", "staff")
    History.verifier = stage.client("verifier", "cangyan")
    History.company = stage.client("company", "coffee")
    examples, steps = (1000, 50) if long else (40, 25)
    kept = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=not long, database=None,
        suppress_health_check=list(HealthCheck), print_blob=False, phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    run_state_machine_as_test(History, settings=kept)
    happened = {
        table: stage.count(table)
        for table in ("correction", "person_alias", "reverdict", "batch", "recall", "certificate")
    }
    assert all(happened.values()), happened  # the machine went everywhere
