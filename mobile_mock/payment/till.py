"""The provider's own books: what it took, gave back and paid out. In memory, behind one lock."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


class Refused(Exception):
    """The provider does not do that; the text says why."""


@dataclass
class Till:
    """Everything by the merchant's own reference; the same reference does a thing once."""

    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    payouts: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    behaviour: dict[str, str] = field(
        default_factory=lambda: {"callback": "normal", "refund": "done", "payout": "done"}
    )
    lock: threading.RLock = field(default_factory=threading.RLock)

    def charge(self, base: str, wish: dict[str, Any]) -> dict[str, Any]:
        """Raises Refused for a known reference with another amount."""
        with self.lock:
            known = self.charges.get(wish["charge_ref"])
            if known is None:
                charge_id = f"ch_{secrets.token_hex(8)}"
                known = wish | {
                    "charge_id": charge_id, "pay_url": f"{base}/pay/{charge_id}", "state": "open",
                    "transaction_id": None,
                }  # fmt: skip
                self.charges[wish["charge_ref"]] = known
            if known["amount_fen"] != wish["amount_fen"]:
                raise Refused("this reference was used for another amount")
            return known

    def find(self, charge_id: str) -> dict[str, Any] | None:
        with self.lock:
            return next((c for c in self.charges.values() if c["charge_id"] == charge_id), None)

    def pay(self, charge: dict[str, Any]) -> bool:
        """A buyer pays; False when that is not possible any more."""
        with self.lock:
            if charge["state"] != "open" or datetime.fromisoformat(charge["expires_at"]) <= datetime.now(UTC):
                return False
            charge |= {"state": "paid", "transaction_id": f"tx_{secrets.token_hex(8)}"}
            return True

    def close(self, ref: str) -> dict[str, Any] | None:
        with self.lock:
            charge = self.charges.get(ref)
            if charge and charge["state"] == "open":
                charge["state"] = "closed"
            return charge

    def refund(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Raises Refused when more would go back than was paid."""
        with self.lock:
            known = self.refunds.get(wish["refund_ref"])
            if known is None:
                charge = self.charges.get(wish["charge_ref"])
                back = sum(r["amount_fen"] for r in self.refunds.values() if r["charge_ref"] == wish["charge_ref"])
                if not charge or charge["state"] != "paid" or back + wish["amount_fen"] > charge["amount_fen"]:
                    raise Refused("more than was paid")
                state = {"slow": "processing"}.get(self.behaviour["refund"], self.behaviour["refund"])
                known = wish | {"refund_id": f"re_{secrets.token_hex(8)}", "state": state}
                self.refunds[wish["refund_ref"]] = known
            return known

    def code(self, who: str) -> str:
        """A one-time code that stands for somebody who can be paid."""
        with self.lock:
            made = secrets.token_urlsafe(18)
            self.codes[made] = who
            return made

    def pay_out(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Raises Refused for a code that is unknown or used."""
        with self.lock:
            known = self.payouts.get(wish["payout_ref"])
            if known is None:
                who = self.codes.pop(wish["payout_code"], None)
                if who is None:
                    raise Refused("no such code")
                state = {"slow": "processing"}.get(self.behaviour["payout"], self.behaviour["payout"])
                known = {k: v for k, v in wish.items() if k != "payout_code"}
                known |= {"payout_id": f"po_{secrets.token_hex(8)}", "state": state, "who": who}
                self.payouts[wish["payout_ref"]] = known
            return known

    def ledger(self) -> dict[str, Any]:
        """Fen taken, given back and paid out, in all and by reference."""
        with self.lock:
            taken = {ref: c["amount_fen"] for ref, c in self.charges.items() if c["state"] == "paid"}
            back = {ref: r["amount_fen"] for ref, r in self.refunds.items() if r["state"] == "done"}
            out = {ref: p["amount_fen"] for ref, p in self.payouts.items() if p["state"] == "done"}
            people = Counter({p["who"]: 0 for p in self.payouts.values()})
            people.update({p["who"]: p["amount_fen"] for p in self.payouts.values() if p["state"] == "done"})
        sums = {"taken_fen": sum(taken.values()), "back_fen": sum(back.values()), "out_fen": sum(out.values())}
        return sums | {"taken": taken, "back": back, "out": out, "people": dict(people)}
