"""The market's cast: deeds put straight into the books, and the clients who turn them into certificates."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

from backend.errors import Problem
from backend.store import events, log
from backend.usecases import answer_once, log_deeds, recall_credits
from rewards import ledger
from tests.cast import Client, Stage

CODE = "91440300708461136T"  # a 统一社会信用代码 with the right check sign
MONTH = date(2026, 6, 1)
POOL = "310000.cycling.1.0.0.202606"
ATTESTED = {
    "decision": "attested", "assurance": "limited", "materiality_ppm": 50_000,
    "sample": {"deeds": 5, "method": "random"}, "findings": "no material misstatement",
    "independence": "no interest in the platform, its partners or its buyers", "adjustment_mg": 0,
}  # fmt: skip
RETIREMENT = {
    "beneficiary": {"name": "深圳市绿源新材料有限公司", "name_en": "Shenzhen Lvyuan Co., Ltd.", "uscc": CODE},
    "purpose": "own_emissions", "period_from": "2025-01-01", "period_to": "2025-12-31", "jurisdiction": "CN",
}  # fmt: skip
RECEIVED = {"received_on": "2026-11-01", "bank_ref": "icbc-1"}


class Market:
    """An operator, a verifier, a company, and a partner with people who all agreed to pooling."""

    def __init__(self, stage: Stage, people: int = 30) -> None:
        self.stage = stage
        self.platform = stage.platform
        self.operator = stage.client("operator", "平台运营")
        self.verifier = stage.client("verifier", "华测认证")
        self.company = stage.client("company", "深圳绿源")
        self.partner = stage.partner("valleybike", [f"p{i}" for i in range(people)])
        self.people = list(self.partner.people.values())
        self._ids = itertools.count(1)
        self.standing: dict[int, tuple[int, int, dict[str, Any]]] = {}  # deed -> mg, version, the rest

    def deed(
        self,
        reduction_mg: int,
        *,
        person: int | None = None,
        month: date = MONTH,
        pack: str = "cycling",
        region: str = "310000",
        evidence: str = "order",
        client: Client | None = None,
        of: int | None = None,
        version: int = 1,
        before_mg: int = 0,
        stands: bool = True,
    ) -> int:
        """Write a deed, or with `of` and `version` a later version of one that stood at `before_mg`; its id."""
        deed_id = of or next(self._ids)
        more = {"month": month, "pack": pack, "region": region, "evidence": evidence, "client": client}
        person = person or self.people[deed_id % len(self.people)]
        started_at = datetime(month.year, month.month, 3, 4, deed_id % 60, tzinfo=UTC)
        known, now = self.platform.standard.pack_version(pack, "1.0.0"), datetime.now(UTC)
        assert known is not None
        row = (
            deed_id, version, person, started_at, started_at + timedelta(minutes=20), known.exclusion_class, pack,
            "1.0.0", known.gas_basis, region, month, evidence, deed_id, (client or self.partner).id, reduction_mg,
            0, stands, now,
        )  # fmt: skip
        change_mg = (reduction_mg if stands else 0) - before_mg
        ours, theirs = (ledger.MEASURED, 0), (ledger.PERSON, person)
        debit, credit = (ours, theirs) if change_mg > 0 else (theirs, ours)
        transfer = ledger.Transfer(
            now, ledger.REDUCTIONS, *debit, *credit, abs(change_mg), ledger.DEED, deed_id, person
        )
        with self.platform.db.transaction() as conn:
            events.add_deeds(conn, [row])
            events.add_transfers(conn, [transfer] if change_mg else [])
            entry = log_deeds.stored(conn, [(deed_id, version)])[deed_id, version].entry
            log.add_pending(conn, [("deed", deed_id, version, entry)])
        self.standing[deed_id] = (before_mg + change_mg, version, more | {"person": person})
        return deed_id

    def lowered(self, *changes: tuple[int, int]) -> list[recall_credits.Recalled]:
        """Deeds of batches get other amounts, (deed, mg): what the recall did."""
        lowered = []
        for deed_id, mg in changes:
            batch_id = self.batch_of(deed_id)
            assert batch_id
            before_mg, version, more = self.standing[deed_id]
            self.deed(mg, of=deed_id, version=version + 1, before_mg=before_mg, stands=mg != 0, **more)
            lowered.append(recall_credits.Lowered(batch_id, deed_id, before_mg - mg))
        now = datetime.now(UTC)
        return self.platform.db.retrying(lambda conn: recall_credits.recall_all(conn, self.platform, lowered, now))

    def batch_of(self, deed_id: int) -> int | None:
        with self.platform.db.transaction() as conn:
            row = conn.execute("select batch_id from batch_member where deed_id = %s", (deed_id,)).fetchone()
        return int(row[0]) if row else None

    def members(self) -> set[int]:
        """The deeds that are in batches."""
        with self.platform.db.transaction() as conn:
            return {row[0] for row in conn.execute("select deed_id from batch_member")}

    def figures(self, batch_id: int) -> dict[str, Any]:
        """A batch as the proof of conservation shows it, which must hold."""
        found = self.conservation()
        assert found["ok"], [i for i in found["identities"] if not i["ok"]]
        return next(b for b in found["batches"] if b["batch"] == batch_id)

    def closed(self, *milligrams: int, pool: str = POOL, **deed: Any) -> dict[str, Any]:
        """A batch closed over deeds of these milligrams."""
        for mg in milligrams:
            self.deed(mg, **deed)
        return ok(self.operator.post(f"/v1/pools/{pool}/close"), 201)

    def attested(self, *milligrams: int, adjustment_mg: int = 0, **more: Any) -> dict[str, Any]:
        batch = self.closed(*milligrams, **more)
        statement = ATTESTED | {"adjustment_mg": adjustment_mg}
        return ok(self.verifier.post(f"/v1/batches/{batch['id']}/attestation", statement), 201)

    def issued(self, *milligrams: int, price: int = 6000, **more: Any) -> dict[str, Any]:
        batch = self.attested(*milligrams, **more)
        return ok(self.operator.post(f"/v1/batches/{batch['id']}/issue", {"price_fen_per_tonne": price}), 201)

    def ordered(self, quantity_g: int, company: Client | None = None, **wish: Any) -> dict[str, Any]:
        company = company or self.company
        quote = ok(company.post("/v1/quotes", {"quantity_g": quantity_g, **wish}), 201)
        return ok(company.post("/v1/orders", {"quote_id": quote["id"]}), 201)

    def paid(self, quantity_g: int, company: Client | None = None, **wish: Any) -> dict[str, Any]:
        order = self.ordered(quantity_g, company, **wish)
        ok((company or self.company).post(f"/v1/orders/{order['id']}/payment", {"payer": "深圳绿源"}), 200)
        told = RECEIVED | {"amount_fen": order["amount_fen"]}
        return ok(self.operator.post(f"/v1/operator/orders/{order['id']}/payment", told), 200)

    def retired(self, quantity_g: int, company: Client | None = None, **wish: Any) -> dict[str, Any]:
        answer = (company or self.company).post("/v1/retirements", RETIREMENT | {"quantity_g": quantity_g} | wish)
        return ok(answer, 201)

    def company_wish(self, quantity_g: int) -> dict[str, Any]:
        """A retirement as the route hands it to the use case."""
        period = {"period_from": date(2025, 1, 1), "period_to": date(2025, 12, 31)}
        return RETIREMENT | period | {"quantity_g": quantity_g}

    def conservation(self) -> dict[str, Any]:
        return ok(self.operator.get("/v1/conservation?fresh=1"), 200)

    def set_order_expiry(self, order_id: int, at: datetime) -> None:
        """What the clock would do."""
        with self.platform.db.transaction() as conn:
            conn.execute("update purchase_order set expires_at = %s where order_id = %s", (at, order_id))


def keyed(client_id: str, route: str = "test", key: str = "", content: bytes = b"") -> answer_once.KeyedRequest:
    return answer_once.KeyedRequest(client_id, key or secrets.token_hex(8), route, content)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make all calls at the same moment; what each returned, or the Problem that it raised."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        except Problem as problem:
            return problem

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def ok(answer: Any, status: int) -> Any:
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.json


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem that the answer is."""
    problem: dict[str, Any] = answer.json
    assert (answer.status_code, problem.get("code")) == (status, code), answer.get_data(as_text=True)
    return problem
