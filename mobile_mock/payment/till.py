"""The provider's own books: what it took, gave back and paid out. In memory, behind one lock."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mobile_mock.identity.provider import Codes

BEHAVIOURS = {
    "callback": ("normal", "twice", "never", "late", "wrong_amount", "bad_signature"),
    "refund": ("done", "failed", "slow"),
    "payout": ("done", "failed", "slow"),
}
Row = dict[str, Any]


class Refused(Exception):
    """The provider does not do that; the text says why, the status what kind of no it is."""

    def __init__(self, text: str, status: int = 409) -> None:
        self.status = status
        super().__init__(text)


@dataclass
class Till:
    """Everything by the merchant's own reference; the same reference does a thing once. Rows go out as copies."""

    charges: dict[str, Row] = field(default_factory=dict)
    refunds: dict[str, Row] = field(default_factory=dict)
    payouts: dict[str, Row] = field(default_factory=dict)
    codes: Codes = field(default_factory=Codes)  # for who is paid out; each is good once, for five minutes
    behaviour: dict[str, str] = field(default_factory=lambda: {name: how[0] for name, how in BEHAVIOURS.items()})
    lock: threading.RLock = field(default_factory=threading.RLock)

    def behave(self, wish: Row) -> dict[str, str]:
        """Raises Refused for what is no behaviour; then nothing changes."""
        with self.lock:
            if any(how not in BEHAVIOURS.get(name, ()) for name, how in wish.items()):
                raise Refused(f"one or more of {BEHAVIOURS}", 422)
            self.behaviour |= wish
            return dict(self.behaviour)

    def charge(self, base: str, wish: Row) -> Row:
        """Raises Refused for a known reference with another amount."""
        with self.lock:
            known = self._known(self.charges, wish, "charge_ref", "amount_fen")
            if known is None:
                charge_id = f"ch_{secrets.token_hex(8)}"
                known = wish | {
                    "charge_id": charge_id, "pay_url": f"{base}/pay/{charge_id}", "state": "open",
                    "transaction_id": None, "paid_at": None,
                }  # fmt: skip
                self.charges[wish["charge_ref"]] = known
            return dict(known)

    def find_charge(self, ref: str) -> Row | None:
        with self.lock:
            return _copy(self._aged(self.charges.get(ref)))

    def shown(self, charge_id: str) -> Row | None:
        """The charge of a page."""
        with self.lock:
            return _copy(self._aged(next((c for c in self.charges.values() if c["charge_id"] == charge_id), None)))

    def pay(self, ref: str) -> Row | None:
        """A buyer pays; None when that is not possible any more."""
        with self.lock:
            charge = self._aged(self.charges.get(ref))
            if charge is None or charge["state"] != "open":
                return None
            charge |= {"state": "paid", "transaction_id": f"tx_{secrets.token_hex(8)}", "paid_at": now()}
            return dict(charge)

    def close(self, ref: str) -> Row | None:
        with self.lock:
            charge = self._aged(self.charges.get(ref))
            if charge and charge["state"] == "open":
                charge["state"] = "closed"
            return _copy(charge)

    def refund(self, wish: Row) -> tuple[Row, bool]:
        """The refund, and whether it is new. Raises Refused when more would go back than was paid."""
        with self.lock:
            known = self._known(self.refunds, wish, "refund_ref", "charge_ref", "amount_fen")
            if known:
                return dict(known), False
            charge, back_fen = self.charges.get(wish["charge_ref"]), wish["amount_fen"]
            for earlier in self.refunds.values():
                if earlier["charge_ref"] == wish["charge_ref"] and earlier["state"] != "failed":
                    back_fen += earlier["amount_fen"]
            if not charge or charge["state"] != "paid" or back_fen > charge["amount_fen"]:
                raise Refused("more than was paid")
            made = wish | {"refund_id": f"re_{secrets.token_hex(8)}"} | self._beginning("refund")
            self.refunds[wish["refund_ref"]] = made
            return dict(made), True

    def pay_out(self, wish: Row) -> tuple[Row, bool]:
        """The payout, and whether it is new. Raises Refused for a code that is unknown, old or used."""
        with self.lock:
            known = self._known(self.payouts, wish, "payout_ref", "amount_fen")
            if known:
                return dict(known), False
            who = self.codes.take(wish["payout_code"], time.monotonic())
            if who is None:
                raise Refused("no such code")
            made = {name: value for name, value in wish.items() if name != "payout_code"}
            made |= {"payout_id": f"po_{secrets.token_hex(8)}", "who": who} | self._beginning("payout")
            self.payouts[wish["payout_ref"]] = made
            return dict(made), True

    def find(self, what: str, ref: str) -> Row | None:
        """A refund or a payout."""
        with self.lock:
            return _copy((self.refunds if what == "refund" else self.payouts).get(ref))

    def finish(self, what: str, ref: str) -> Row:
        """What was slow is done."""
        with self.lock:
            row = (self.refunds if what == "refund" else self.payouts)[ref]
            row |= {"state": "done", "ended_at": now()}
            return dict(row)

    def ledger(self) -> Row:
        """Fen taken, given back and paid out, in all and by reference."""
        with self.lock:
            taken = {ref: c["amount_fen"] for ref, c in self.charges.items() if c["state"] == "paid"}
            back = {ref: r["amount_fen"] for ref, r in self.refunds.items() if r["state"] == "done"}
            out = {ref: p["amount_fen"] for ref, p in self.payouts.items() if p["state"] == "done"}
            people: Counter[str] = Counter()
            for payout in self.payouts.values():
                people[payout["who"]] += payout["amount_fen"] if payout["state"] == "done" else 0
        sums = {"taken_fen": sum(taken.values()), "back_fen": sum(back.values()), "out_fen": sum(out.values())}
        return sums | {"taken": taken, "back": back, "out": out, "people": dict(people)}

    def _beginning(self, what: str) -> Row:
        state = {"slow": "processing"}.get(self.behaviour[what], self.behaviour[what])
        return {"state": state, "ended_at": None if state == "processing" else now()}

    def _known(self, rows: dict[str, Row], wish: Row, named: str, *same: str) -> Row | None:
        known = rows.get(wish[named])
        if known and any(known[name] != wish[name] for name in same):
            raise Refused(f"this reference was used with another {' or '.join(same)}")
        return known

    def _aged(self, charge: Row | None) -> Row | None:
        """Nobody can pay what has expired."""
        if charge and charge["state"] == "open" and datetime.fromisoformat(charge["expires_at"]) <= datetime.now(UTC):
            charge["state"] = "closed"
        return charge


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _copy(row: Row | None) -> Row | None:
    return None if row is None else dict(row)
