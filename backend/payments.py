"""The payment provider: charges, refunds and payouts asked for over HTTP, and its signed word taken.

Shaped as China's providers are (WeChat Pay v3): every message is signed over its time, a nonce and its body, here with
a shared secret; the word that money came is a callback, repeated until it is answered, and can also be asked for.
Every request names our own reference, so asking twice does it once.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets as randomness
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
import urllib3

from backend import config
from backend.errors import Problem, field_problem

log = structlog.get_logger()

NOTIFICATIONS = "/v1/payments/provider/notifications"
KINDS = ("charge.paid", "refund.done", "refund.failed", "payout.done", "payout.failed")
CLOCK_S = 300  # that a signature may be off
ANSWER_MAX_BYTES = 64 * 1024
FEN_MAX = 10**15

_http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=10), retries=False, maxsize=8)


@dataclass(frozen=True, slots=True)
class Charge:
    charge_id: str
    pay_url: str


@dataclass(frozen=True, slots=True)
class ChargeState:
    state: str  # open, paid, closed
    amount_fen: int
    transaction_id: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a refund or a payout: processing, done or failed."""

    state: str
    provider_id: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a notification is about; `ref` is ours, `provider_id` theirs."""

    ref: str
    provider_id: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Notification:
    id: str
    kind: str
    data: Told


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider at which this platform is a merchant. Each call raises Problem provider_unavailable."""

    url: str
    merchant: str
    secrets: tuple[str, ...]

    def charge(
        self, charge_ref: str, amount_fen: int, description: str, notify_url: str, expires_at: datetime
    ) -> Charge:  # fmt: skip
        """Have a payment page made; the same reference gets the same page."""
        body = {
            "charge_ref": charge_ref, "amount_fen": amount_fen, "currency": "CNY", "description": description,
            "notify_url": notify_url, "expires_at": expires_at.astimezone(UTC).isoformat(),
        }  # fmt: skip
        answer = self._ask("POST", "/charges", body)
        return Charge(_text(answer, "charge_id"), _text(answer, "pay_url"))

    def find_charge(self, charge_ref: str) -> ChargeState | None:
        answer = self._ask("GET", f"/charges/{charge_ref}")
        return _charge(answer) if answer else None

    def close(self, charge_ref: str) -> ChargeState | None:
        """Let nobody pay any more; what state that leaves: it may have been paid."""
        answer = self._ask("POST", f"/charges/{charge_ref}/close", {})
        return _charge(answer) if answer else None

    def refund(self, refund_ref: str, charge_ref: str, amount_fen: int, reason: str, notify_url: str) -> Outcome:
        body = {
            "refund_ref": refund_ref, "charge_ref": charge_ref, "amount_fen": amount_fen, "reason": reason,
            "notify_url": notify_url,
        }  # fmt: skip
        return _outcome(self._ask("POST", "/refunds", body), "refund_id")

    def pay_out(self, payout_ref: str, amount_fen: int, payout_code: str, notify_url: str) -> Outcome:
        """Pay whoever the one-time code stands for; we never learn who it is."""
        body = {
            "payout_ref": payout_ref, "amount_fen": amount_fen, "payout_code": payout_code, "notify_url": notify_url,
        }  # fmt: skip
        return _outcome(self._ask("POST", "/payouts", body), "payout_id")

    def find_payout(self, payout_ref: str) -> Outcome | None:
        answer = self._ask("GET", f"/payouts/{payout_ref}")
        return _outcome(answer, "payout_id") if answer else None

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The signed answer to a signed request; empty for a 404."""
        raw = b"" if body is None else json.dumps(body | {"merchant": self.merchant}, ensure_ascii=False).encode()
        headers = sign(self.secrets[0], raw, datetime.now(UTC)) | {"Pay-Merchant": self.merchant}
        headers |= {"Content-Type": "application/json"} if raw else {}
        try:
            answer = _http.request(
                method, f"{self.url}/pay/v1{path}", body=raw or None, headers=headers, redirect=False,
                preload_content=False,
            )  # fmt: skip
            content = answer.read(ANSWER_MAX_BYTES + 1)
            answer.drain_conn()
            if answer.status == 404:
                return {}
            if answer.status >= 300 or len(content) > ANSWER_MAX_BYTES:
                raise ValueError(f"status {answer.status}")
            check(self.secrets, answer.headers, content, datetime.now(UTC))
            found = json.loads(content)
            if not isinstance(found, dict):
                raise ValueError("no object")
        except (urllib3.exceptions.HTTPError, ValueError, RecursionError, Problem) as error:
            log.warning(
                "payment_provider_away", path=path.split("/")[1], error=type(error).__name__, said=str(error)[:80]
            )
            raise away() from None
        return found


def provider(settings: config.Settings) -> Provider | None:
    """The provider of the settings; None when there is none."""
    if not settings.payment_url:
        return None
    return Provider(settings.payment_url.rstrip("/"), settings.payment_merchant, settings.payment_secrets)


def read_notification(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Notification:  # fmt: skip
    """The provider's word, checked.

    Raises Problem signature_missing, signature_invalid, json_invalid, request_invalid.
    """
    check(secrets, headers, body, now)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem("json_invalid", str(error)[:200]) from None
    told = found.get("data") if isinstance(found, dict) else None
    if not isinstance(told, dict):
        raise field_problem("data", "field_invalid", "an object is needed")
    if found.get("kind") not in KINDS:
        raise field_problem("kind", "field_invalid", f"one of {', '.join(KINDS)}")
    for name, holder in (("id", found), ("ref", told), ("provider_id", told)):
        if not isinstance(holder.get(name), str) or not 0 < len(holder[name]) <= 100 or not holder[name].isprintable():
            raise field_problem(name, "field_invalid", "1 to 100 printable characters")
    fen = told.get("amount_fen")
    if type(fen) is not int or not 0 < fen <= FEN_MAX or told.get("currency", "CNY") != "CNY":
        raise field_problem("amount_fen", "field_invalid", "a whole number of fen (CNY)")
    return Notification(found["id"], found["kind"], Told(told["ref"], told["provider_id"], fen))


def sign(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that sign a message."""
    at, nonce = str(int(now.timestamp())), randomness.token_urlsafe(16)
    return {"Pay-Timestamp": at, "Pay-Nonce": nonce, "Pay-Signature": _signature(secret, at, nonce, body)}


def check(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises Problem signature_missing or signature_invalid unless one of the secrets signed it just now."""
    named = {name.lower(): value for name, value in headers.items()}
    at, nonce, given = (named.get(f"pay-{name}", "") for name in ("timestamp", "nonce", "signature"))
    if not (at and nonce and given):
        raise Problem("signature_missing", "Pay-Timestamp, Pay-Nonce and Pay-Signature are needed")
    if not at.isascii() or not at.isdigit() or len(at) > 12 or abs(int(at) - now.timestamp()) > CLOCK_S:
        raise Problem("signature_invalid", "Pay-Timestamp is not of now")
    told = given.encode("utf-8", "replace")
    if not any(hmac.compare_digest(_signature(s, at, nonce, body).encode(), told) for s in secrets):
        raise Problem("signature_invalid", "Pay-Signature does not fit")


def _signature(secret: str, at: str, nonce: str, body: bytes) -> str:
    message = f"{at}\n{nonce}\n".encode("utf-8", "replace") + body + b"\n"
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()


def away() -> Problem:
    return Problem("provider_unavailable", headers={"Retry-After": "2"})


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 2000:
        raise away()
    return value


def _charge(answer: Mapping[str, Any]) -> ChargeState:
    state, fen, transaction = answer.get("state"), answer.get("amount_fen"), answer.get("transaction_id")
    if state not in ("open", "paid", "closed") or type(fen) is not int or not isinstance(transaction, str | None):
        raise away()
    return ChargeState(state, fen, transaction)


def _outcome(answer: Mapping[str, Any], name: str) -> Outcome:
    if answer.get("state") not in ("processing", "done", "failed"):
        raise away()
    return Outcome(str(answer["state"]), _text(answer, name))
