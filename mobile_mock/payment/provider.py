"""The provider's routes for the merchant, its page for the buyer, and its signed callbacks.

A callback is repeated with a growing pause until it is answered by a 2xx. This stands in for a provider, it is none.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets as randomness
import threading
import time
from typing import Any

import urllib3
from flask import Blueprint, Response, jsonify, redirect, render_template_string, request
from flask.typing import ResponseReturnValue

from mobile_mock.payment.page import PAGE, SECURITY, TEXTS
from mobile_mock.payment.till import Refused, Till

CLOCK_S = 300
TRIES = 10
FIRST_PAUSE_S = 0.2

_http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=10), retries=False)


def sign(secret: str, body: bytes) -> dict[str, str]:
    """The headers that sign a message of now."""
    at, nonce = str(int(time.time())), randomness.token_urlsafe(16)
    return {"Pay-Timestamp": at, "Pay-Nonce": nonce, "Pay-Signature": _signature(secret, at, nonce, body)}


def _signature(secret: str, at: str, nonce: str, body: bytes) -> str:
    message = f"{at}\n{nonce}\n".encode() + body + b"\n"
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()


def _is_signed(secret: str, body: bytes) -> bool:
    at, nonce, given = (request.headers.get(f"Pay-{n}", "") for n in ("Timestamp", "Nonce", "Signature"))
    fresh = at.isdigit() and abs(int(at) - time.time()) <= CLOCK_S
    return fresh and hmac.compare_digest(_signature(secret, at, nonce, body).encode(), given.encode())


class Callbacks:
    """Tells the merchant, in the background."""

    def __init__(self, till: Till, secret: str) -> None:
        self.till, self.secret = till, secret

    def tell(self, url: str, kind: str, ref: str, provider_id: str, amount_fen: int) -> None:
        behaviour = self.till.behaviour["callback"]
        if behaviour == "never":
            return
        fen = amount_fen + (behaviour == "wrong_amount")
        told = {"ref": ref, "provider_id": provider_id, "amount_fen": fen, "currency": "CNY"}
        body = json.dumps({"id": f"no_{randomness.token_hex(8)}", "kind": kind, "data": told}).encode()
        secret = "another secret" if behaviour == "bad_signature" else self.secret
        for _ in range(2 if behaviour == "twice" else 1):
            threading.Thread(target=self._repeat, args=(url, secret, body), daemon=True).start()

    def _repeat(self, url: str, secret: str, body: bytes) -> None:
        for n in range(TRIES):
            headers = sign(secret, body) | {"Content-Type": "application/json"}
            try:
                if _http.request("POST", url, body=body, headers=headers).status < 300:
                    return
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(FIRST_PAUSE_S * 2**n)


class Merchant:
    """The one merchant: what is signed by it, and signed answers for it."""

    def __init__(self, name: str, secret: str) -> None:
        self.name, self.secret = name, secret

    def wish(self, *numbers: str) -> dict[str, Any]:
        """The signed body; `numbers` in it are whole and above zero. Raises Refused."""
        body = request.get_data()
        if request.headers.get("Pay-Merchant") != self.name or not _is_signed(self.secret, body):
            raise Refused("not signed by the merchant")
        found: dict[str, Any] = json.loads(body or b"{}")
        if not all(type(found.get(n)) is int and found[n] > 0 for n in numbers):
            raise Refused("no amount")
        return found

    def answer(self, found: dict[str, Any] | None) -> ResponseReturnValue:
        if found is None:
            return jsonify(error="not found"), 404
        body = json.dumps({k: v for k, v in found.items() if k != "who"}).encode()
        return Response(body, 200, sign(self.secret, body), content_type="application/json")


def blueprint(merchant_name: str, secret: str) -> Blueprint:
    """The routes, for the one merchant with this secret."""
    routes = Blueprint("payment", __name__)
    till = Till()
    callbacks = Callbacks(till, secret)
    merchant = Merchant(merchant_name, secret)

    @routes.errorhandler(Refused)
    def refuse(error: Refused) -> ResponseReturnValue:
        return jsonify(error=str(error)), 409

    _charges(routes, till, merchant)
    _money_out(routes, till, merchant, callbacks)
    _buyers(routes, till, callbacks)
    _switches(routes, till)
    return routes


def _charges(routes: Blueprint, till: Till, merchant: Merchant) -> None:
    @routes.post("/pay/v1/charges")
    def make_charge() -> ResponseReturnValue:
        return merchant.answer(till.charge(request.host_url.rstrip("/"), merchant.wish("amount_fen")))

    @routes.get("/pay/v1/charges/<ref>")
    def find_charge(ref: str) -> ResponseReturnValue:
        merchant.wish()
        return merchant.answer(till.charges.get(ref))

    @routes.post("/pay/v1/charges/<ref>/close")
    def close_charge(ref: str) -> ResponseReturnValue:
        merchant.wish()
        return merchant.answer(till.close(ref))


def _money_out(routes: Blueprint, till: Till, merchant: Merchant, callbacks: Callbacks) -> None:
    """Refunds and payouts: done at once, failed, or slow, as the switches say."""

    def tell(made: dict[str, Any], what: str) -> ResponseReturnValue:
        if made["state"] in ("done", "failed"):
            ref, number = made[f"{what}_ref"], made["refund_id" if what == "refund" else "payout_id"]
            callbacks.tell(made["notify_url"], f"{what}.{made['state']}", ref, number, made["amount_fen"])
        return merchant.answer(made)

    @routes.post("/pay/v1/refunds")
    def make_refund() -> ResponseReturnValue:
        return tell(till.refund(merchant.wish("amount_fen")), "refund")

    @routes.post("/pay/v1/payouts")
    def make_payout() -> ResponseReturnValue:
        return tell(till.pay_out(merchant.wish("amount_fen")), "payout")

    @routes.get("/pay/v1/payouts/<ref>")
    def find_payout(ref: str) -> ResponseReturnValue:
        merchant.wish()
        return merchant.answer(till.payouts.get(ref))


def _buyers(routes: Blueprint, till: Till, callbacks: Callbacks) -> None:
    """The page at which a buyer pays."""

    @routes.get("/pay/<charge_id>")
    def show_charge(charge_id: str) -> ResponseReturnValue:
        charge = till.find(charge_id)
        asked = request.args.get("lang") or request.accept_languages.best_match(["zh", "en"], default="zh")
        language = "en" if asked == "en" else "zh"
        fen = charge["amount_fen"] if charge else 0
        page = render_template_string(
            PAGE, c=charge, t=TEXTS[language], lang=language, yuan=f"{fen // 100:,}.{fen % 100:02d}"
        )
        return Response(page, 200 if charge else 404, SECURITY, content_type="text/html; charset=utf-8")

    @routes.post("/pay/<charge_id>")
    def pay_charge(charge_id: str) -> ResponseReturnValue:
        charge = till.find(charge_id)
        if charge is None:
            return jsonify(error="not found"), 404
        if request.form.get("do") == "cancel":
            till.close(charge["charge_ref"])
        elif till.pay(charge):
            ref, transaction = charge["charge_ref"], charge["transaction_id"]
            callbacks.tell(charge["notify_url"], "charge.paid", ref, transaction, charge["amount_fen"])
        return redirect(f"/pay/{charge_id}?lang={request.form.get('lang', 'zh')}", 303)


def _switches(routes: Blueprint, till: Till) -> None:
    """For tests and demonstrations: whom to pay, how to behave, and the books."""

    @routes.get("/mock/payout-code")
    def issue_code() -> Response:
        return jsonify(code=till.code(request.args.get("as", "somebody")))

    @routes.post("/mock/pay/behaviour")
    def behave() -> Response:
        till.behaviour |= {k: str(v) for k, v in request.get_json().items() if k in till.behaviour}
        return jsonify(till.behaviour)

    @routes.get("/mock/pay/ledger")
    def show_ledger() -> Response:
        return jsonify(till.ledger())
