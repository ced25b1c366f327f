"""The payment provider: charges, refunds and payouts asked for over HTTP, and its signed word taken.

Shaped as China's providers are (WeChat Pay v3): every message is signed over its time, a nonce and its body, here with
a shared secret; the word that money came is a callback, repeated until it is answered, and can also be asked for.
Every request names our own reference, so asking twice does it once. Every answer is signed and names it again, the word
that a reference is unknown as well: on that word money goes back to whoever it was meant for.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets as randomness
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import structlog
import urllib3

from backend import config
from backend.errors import Problem, field_problem

log = structlog.get_logger()

NOTIFICATIONS = "/v1/payments/provider/notifications"
KINDS = ("charge.paid", "refund.done", "refund.failed", "payout.done", "payout.failed")
CLOCK_S = 300  # that a signature may be off
ANSWER_MAX_BYTES = 64 * 1024
ANSWER_S = 10.0  # to connect and to be answered
FEN_MAX = 10**15
NONCE_MAX = 128

_http = urllib3.PoolManager(retries=False, maxsize=8)


@dataclass(frozen=True, slots=True)
class Charge:
    charge_id: str
    pay_url: str


@dataclass(frozen=True, slots=True)
class ChargeState:
    state: str  # open, paid, closed
    amount_fen: int
    transaction_id: str | None  # the payment's, once it is paid
    paid_at: datetime | None = None


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
    at: datetime | None = None  # when it happened, if told


@dataclass(frozen=True, slots=True)
class Notification:
    """The same one is sent again, under the same id, until it is answered."""

    id: str
    kind: str
    data: Told
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider at which this platform is a merchant. Each call raises Problem provider_unavailable."""

    url: str
    merchant: str
    secrets: tuple[str, ...] = field(repr=False)

    def charge(
        self, charge_ref: str, amount_fen: int, description: str, notify_url: str, expires_at: datetime
    ) -> Charge:  # fmt: skip
        """Have a payment page made; the same reference gets the same page."""
        wish = {
            "charge_ref": charge_ref, "amount_fen": amount_fen, "currency": "CNY", "description": description,
            "notify_url": notify_url, "expires_at": expires_at.astimezone(UTC).isoformat(),
        }  # fmt: skip
        answer = self._do("charge", wish)
        pay_url = _text(answer, "pay_url")
        if not pay_url.startswith(("https://", "http://")):  # it is shown to buyers as a link
            raise away()
        return Charge(_text(answer, "charge_id"), pay_url)

    def find_charge(self, charge_ref: str) -> ChargeState | None:
        answer = self._find("charge", charge_ref)
        return _charge(answer) if answer else None

    def close(self, charge_ref: str) -> ChargeState | None:
        """Let nobody pay any more; what state that leaves: it may have been paid. None: there is no such charge."""
        path = f"/charges/{quote(charge_ref, safe='')}/close"
        answer = self._ask("POST", path, "charge_ref", charge_ref, {"charge_ref": charge_ref})
        return _charge(answer) if answer else None

    def refund(self, refund_ref: str, charge_ref: str, amount_fen: int, reason: str, notify_url: str) -> Outcome:
        wish = {
            "refund_ref": refund_ref, "charge_ref": charge_ref, "amount_fen": amount_fen, "currency": "CNY",
            "reason": reason, "notify_url": notify_url,
        }  # fmt: skip
        return _outcome(self._do("refund", wish), "refund_id")

    def find_refund(self, refund_ref: str) -> Outcome | None:
        answer = self._find("refund", refund_ref)
        return _outcome(answer, "refund_id") if answer else None

    def pay_out(self, payout_ref: str, amount_fen: int, payout_code: str, notify_url: str) -> Outcome:
        """Pay whoever the one-time code stands for; we never learn who it is."""
        wish = {
            "payout_ref": payout_ref, "amount_fen": amount_fen, "currency": "CNY", "payout_code": payout_code,
            "notify_url": notify_url,
        }  # fmt: skip
        return _outcome(self._do("payout", wish), "payout_id")

    def find_payout(self, payout_ref: str) -> Outcome | None:
        answer = self._find("payout", payout_ref)
        return _outcome(answer, "payout_id") if answer else None

    def _do(self, what: str, wish: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask("POST", f"/{what}s", f"{what}_ref", wish[f"{what}_ref"], wish)
        if answer.get("amount_fen") != wish["amount_fen"]:
            log.warning("payment_provider_away", asked=what, error="another amount, or none")
            raise away()
        return answer

    def _find(self, what: str, ref: str) -> dict[str, Any]:
        return self._ask("GET", f"/{what}s/{quote(ref, safe='')}", f"{what}_ref", ref)

    def _ask(
        self, method: str, path: str, named: str, ref: str, wish: dict[str, Any] | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """The signed answer, of that reference, to a signed request; empty where it says that there is no such."""
        body = b"" if wish is None else json.dumps(wish | {"merchant": self.merchant}, ensure_ascii=False).encode()
        headers = sign(self.secrets[0], body, datetime.now(UTC)) | {"Pay-Merchant": self.merchant}
        headers |= {"Content-Type": "application/json"} if body else {}
        try:
            status, answer_headers, content = _exchange(method, f"{self.url}/pay/v1{path}", body, headers)
            check(self.secrets, answer_headers, content, datetime.now(UTC))
            answer = json.loads(content)
            if not isinstance(answer, dict) or answer.get(named) != ref:
                raise ValueError("an answer to something else")
            if status not in (200, 201, 404):
                raise ValueError(f"status {status}")
        except (urllib3.exceptions.HTTPError, OSError, ValueError, RecursionError, Problem) as error:
            code = error.code if isinstance(error, Problem) else type(error).__name__
            log.warning("payment_provider_away", asked=path.split("/")[1], error=code)  # texts hold addresses
            raise away() from None
        return {} if status == 404 else answer


def _exchange(method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and content. Raises ValueError when there is more of it, or it takes longer, than it may.

    The connection is not kept: one that the provider closed meanwhile would fail a request for no reason.
    """
    until = time.monotonic() + ANSWER_S
    answer = _http.request(
        method, url, body=body or None, headers=headers, redirect=False, preload_content=False, decode_content=False,
        timeout=urllib3.Timeout(connect=3, total=ANSWER_S),
    )  # fmt: skip
    try:
        content = b""
        while chunk := answer.read1(ANSWER_MAX_BYTES + 1):
            content += chunk
            if len(content) > ANSWER_MAX_BYTES or time.monotonic() > until:
                raise ValueError("too long, or too slow")
        return answer.status, answer.headers, content
    finally:
        answer.close()


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
    if not _is_amount(told.get("amount_fen")):
        raise field_problem("amount_fen", "field_invalid", f"a whole number of fen, 1 to {FEN_MAX}")
    if told.get("currency") != "CNY":
        raise field_problem("currency", "field_invalid", "CNY")
    moments = {}
    for name, holder in (("made_at", found), ("at", told)):
        try:
            moments[name] = _moment(holder.get(name))
        except ValueError:
            raise field_problem(name, "field_invalid", "a time with its offset, such as 2026-01-31T08:00:00Z") from None
    data = Told(told["ref"], told["provider_id"], told["amount_fen"], moments["at"])
    return Notification(found["id"], found["kind"], data, moments["made_at"])


def sign(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that sign a message."""
    at, nonce = str(int(now.timestamp())), randomness.token_urlsafe(16)
    return {"Pay-Timestamp": at, "Pay-Nonce": nonce, "Pay-Signature": _signature(secret, at, nonce, body)}


def check(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises Problem signature_missing or signature_invalid unless one of the secrets signed it just now.

    Every secret is tried, so a Pay-Serial that says which one it was is not needed, nor believed.
    """
    named = {name.lower(): value for name, value in headers.items()}
    at, nonce, given = (named.get(f"pay-{name}", "") for name in ("timestamp", "nonce", "signature"))
    if not (at and nonce and given):
        raise Problem("signature_missing", "Pay-Timestamp, Pay-Nonce and Pay-Signature are needed")
    if not at.isascii() or not at.isdigit() or len(at) > 12 or abs(int(at) - now.timestamp()) > CLOCK_S:
        raise Problem("signature_invalid", "Pay-Timestamp is not of now")
    if len(nonce) > NONCE_MAX or not nonce.isascii() or not nonce.isprintable():  # no line break that moves the others
        raise Problem("signature_invalid", f"Pay-Nonce has up to {NONCE_MAX} printable ASCII characters")
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
    if not isinstance(value, str) or not 0 < len(value) <= 2000 or not value.isprintable():
        raise away()
    return value


def _is_amount(value: object) -> bool:
    return type(value) is int and 0 < value <= FEN_MAX


def _moment(value: object) -> datetime | None:
    """Raises ValueError for anything but an ISO 8601 time with its offset, or nothing."""
    if value is None:
        return None
    if not isinstance(value, str) or not 20 <= len(value) <= 40:
        raise ValueError("no time")
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("no offset")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of the calendar") from None


def _charge(answer: Mapping[str, Any]) -> ChargeState:
    state, fen, transaction = answer.get("state"), answer.get("amount_fen"), None
    if state not in ("open", "paid", "closed") or type(fen) is not int or not _is_amount(fen):
        raise away()
    if state == "paid":
        transaction = _text(answer, "transaction_id")
    try:
        return ChargeState(state, fen, transaction, _moment(answer.get("paid_at")))
    except ValueError:
        raise away() from None


def _outcome(answer: Mapping[str, Any], name: str) -> Outcome:
    if answer.get("state") not in ("processing", "done", "failed"):
        raise away()
    return Outcome(str(answer["state"]), _text(answer, name))
