"""The provider's routes for the merchant, its page for the buyer, and its signed callbacks.

A callback is repeated with a growing pause until it is answered by a 2xx. This stands in for a provider, it is none.
"""

from __future__ import annotations

import json
import secrets as randomness
import threading
import time
from typing import Any

import urllib3
from flask import Blueprint, Response, jsonify, redirect, render_template_string, request
from flask.typing import ResponseReturnValue

from mobile_mock.payment.page import PAGE, SECURITY, TEXTS
from mobile_mock.payment.signing import is_signed, read_object, read_wish, sign
from mobile_mock.payment.till import Refused, Row, Till, now

TRIES = 10
FIRST_PAUSE_S = 0.2  # then twice as long each time
LATE_S = 2.0  # a late callback sets off
SLOW_S = 1.0  # a slow refund or payout takes

CHARGE = ("charge_ref", "description", "notify_url", "expires_at")
REFUND = ("refund_ref", "charge_ref", "reason", "notify_url")
PAYOUT = ("payout_ref", "payout_code", "notify_url")

_http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=10), retries=False)


class Callbacks:
    """Tells the merchant, in the background."""

    def __init__(self, till: Till, secret: str) -> None:
        self.till, self.secret = till, secret

    def tell(self, kind: str, row: Row, ref: str, provider_id: str, at: str) -> None:
        behaviour = self.till.behaviour["callback"]
        if behaviour == "never":
            return
        fen = row["amount_fen"] + (behaviour == "wrong_amount")
        data = {"ref": ref, "provider_id": provider_id, "amount_fen": fen, "currency": "CNY", "at": at}
        told = {"id": f"no_{randomness.token_hex(8)}", "kind": kind, "made_at": now(), "data": data}
        secret = "another secret" if behaviour == "bad_signature" else self.secret
        wait_s = LATE_S if behaviour == "late" else 0
        for _ in range(2 if behaviour == "twice" else 1):
            in_background(self._repeat, row["notify_url"], secret, json.dumps(told).encode(), wait_s)

    def _repeat(self, url: str, secret: str, body: bytes, wait_s: float) -> None:
        time.sleep(wait_s)
        for n in range(TRIES):
            headers = sign(secret, body) | {"Content-Type": "application/json"}
            try:
                if 200 <= _http.request("POST", url, body=body, headers=headers, redirect=False).status < 300:
                    return
            except (urllib3.exceptions.HTTPError, ValueError):
                pass  # the merchant is away: said again below
            if n + 1 < TRIES:
                time.sleep(FIRST_PAUSE_S * 2**n)


class Merchant:
    """The one merchant: what is signed by it, and signed answers for it."""

    def __init__(self, name: str, secret: str) -> None:
        self.name, self.secret = name, secret

    def check(self) -> bytes:
        """The body of a request that the merchant signed. Raises Refused."""
        body = request.get_data()
        if request.headers.get("Pay-Merchant") != self.name or not is_signed(self.secret, dict(request.headers), body):
            raise Refused("not signed by the merchant", 401)
        return body

    def wish(self, texts: tuple[str, ...]) -> Row:
        return read_wish(self.check(), texts)

    def answer(self, found: Row | None, **named: str) -> Response:
        """What was found; else that there is nothing of that name, which is said as bindingly."""
        if found is None:
            return self.signed({"code": "not_found"} | named, 404)
        return self.signed({name: value for name, value in found.items() if name != "who"}, 200)

    def signed(self, told: Row, status: int) -> Response:
        body = json.dumps(told).encode()
        return Response(body, status, sign(self.secret, body), content_type="application/json")


def blueprint(merchant_name: str, secret: str) -> Blueprint:
    """The routes, for the one merchant with this secret."""
    routes = Blueprint("payment", __name__)
    till = Till()
    callbacks = Callbacks(till, secret)
    merchant = Merchant(merchant_name, secret)

    @routes.errorhandler(Refused)
    def refuse(error: Refused) -> ResponseReturnValue:
        return merchant.signed({"code": "refused", "error": str(error)}, error.status)

    _charges(routes, till, merchant)
    _money_out(routes, till, merchant, callbacks)
    _buyers(routes, till, callbacks)
    _switches(routes, till)
    return routes


def _charges(routes: Blueprint, till: Till, merchant: Merchant) -> None:
    @routes.post("/pay/v1/charges")
    def make_charge() -> ResponseReturnValue:
        return merchant.answer(till.charge(request.host_url.rstrip("/"), merchant.wish(CHARGE)))

    @routes.get("/pay/v1/charges/<ref>")
    def find_charge(ref: str) -> ResponseReturnValue:
        merchant.check()
        return merchant.answer(till.find_charge(ref), charge_ref=ref)

    @routes.post("/pay/v1/charges/<ref>/close")
    def close_charge(ref: str) -> ResponseReturnValue:
        # The path is not signed, so the body says again what is to be closed.
        if read_object(merchant.check()).get("charge_ref") != ref:
            raise Refused("charge_ref: as in the path", 422)
        return merchant.answer(till.close(ref), charge_ref=ref)


def _money_out(routes: Blueprint, till: Till, merchant: Merchant, callbacks: Callbacks) -> None:
    """Refunds and payouts: done at once, failed, or slow, as the switches say."""

    def tell(row: Row, what: str) -> None:
        callbacks.tell(f"{what}.{row['state']}", row, row[f"{what}_ref"], row[f"{what}_id"], row["ended_at"])

    def finish(what: str, ref: str) -> None:
        time.sleep(SLOW_S)
        tell(till.finish(what, ref), what)

    def begin(row: Row, new: bool, what: str) -> ResponseReturnValue:
        if new and row["state"] == "processing":
            in_background(finish, what, row[f"{what}_ref"])
        elif new:
            tell(row, what)
        return merchant.answer(row)

    @routes.post("/pay/v1/refunds")
    def make_refund() -> ResponseReturnValue:
        return begin(*till.refund(merchant.wish(REFUND)), "refund")

    @routes.get("/pay/v1/refunds/<ref>")
    def find_refund(ref: str) -> ResponseReturnValue:
        merchant.check()
        return merchant.answer(till.find("refund", ref), refund_ref=ref)

    @routes.post("/pay/v1/payouts")
    def make_payout() -> ResponseReturnValue:
        return begin(*till.pay_out(merchant.wish(PAYOUT)), "payout")

    @routes.get("/pay/v1/payouts/<ref>")
    def find_payout(ref: str) -> ResponseReturnValue:
        merchant.check()
        return merchant.answer(till.find("payout", ref), payout_ref=ref)


def _buyers(routes: Blueprint, till: Till, callbacks: Callbacks) -> None:
    """The page at which a buyer pays."""

    @routes.get("/pay/<charge_id>")
    def show_charge(charge_id: str) -> ResponseReturnValue:
        return _page(till.shown(charge_id))

    @routes.post("/pay/<charge_id>")
    def pay_charge(charge_id: str) -> ResponseReturnValue:
        charge = till.shown(charge_id)
        if charge is None:
            return _page(None)
        if request.form.get("do") == "cancel":
            till.close(charge["charge_ref"])
        elif paid := till.pay(charge["charge_ref"]):
            callbacks.tell("charge.paid", paid, paid["charge_ref"], paid["transaction_id"], paid["paid_at"])
        return redirect(f"/pay/{charge_id}?lang={_language()}", 303)


def _page(charge: Row | None) -> Response:
    language, fen = _language(), charge["amount_fen"] if charge else 0
    yuan = f"{fen // 100:,}.{fen % 100:02d}"
    page = render_template_string(PAGE, c=charge, t=TEXTS[language], lang=language, yuan=yuan)
    return Response(page, 200 if charge else 404, SECURITY, content_type="text/html; charset=utf-8")


def _language() -> str:
    asked = request.values.get("lang") or request.accept_languages.best_match(["zh", "en"], default="zh")
    return "en" if asked == "en" else "zh"


def _switches(routes: Blueprint, till: Till) -> None:
    """For tests and demonstrations: whom to pay, how to behave, and the books."""

    @routes.get("/mock/payout-code")
    def issue_code() -> ResponseReturnValue:
        who = request.args.get("as", "").strip()
        if not 1 <= len(who) <= 64:
            raise Refused("as: whom to pay, 1 to 64 characters", 422)
        return jsonify(code=till.codes.issue(who, time.monotonic()))

    @routes.post("/mock/pay/behaviour")
    def behave() -> ResponseReturnValue:
        wish = request.get_json(silent=True)
        if not isinstance(wish, dict):
            raise Refused("an object of behaviours", 422)
        return jsonify(till.behave(wish))

    @routes.get("/mock/pay/ledger")
    def show_ledger() -> ResponseReturnValue:
        return jsonify(till.ledger())


def in_background(work: Any, *args: Any) -> None:
    threading.Thread(target=work, args=args, daemon=True).start()
