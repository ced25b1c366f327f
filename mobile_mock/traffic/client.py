"""A partner's server as the platform sees it: a token renewed in time, signed batches, patience when it is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import urllib3

from mobile_mock.traffic.keys import Key

BATCH_TYPE = "application/cloudevents-batch+json"
RENEW_BEFORE_S = 60
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 8.0
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

logging.getLogger("urllib3").setLevel(logging.ERROR)


class Undelivered(Exception):
    """A request that the platform did not take: refused for good, or the platform was away for too long."""


class Original(msgspec.Struct):
    """The first verdict on a repeated event."""

    verdict: str = ""
    code: str = ""


class Verdict(msgspec.Struct):
    """What the totals need of a verdict."""

    verdict: str
    code: str
    reduction_mg: int | None = 0
    points: int | None = 0
    original: Original | None = None


class _Verdicts(msgspec.Struct):
    verdicts: list[Verdict]


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float = 0


_decoder = msgspec.json.Decoder(_Verdicts)


def verdicts(answer: bytes, count: int) -> list[Verdict]:
    """The verdicts in an answer to `count` events. Raises Undelivered when it holds another number of them."""
    try:
        read = _decoder.decode(answer).verdicts
    except msgspec.DecodeError as error:
        raise Undelivered(f"the answer is not a list of verdicts: {error}") from None
    if len(read) != count:
        raise Undelivered(f"{len(read)} verdicts came for {count} events")
    return read


class Platform:
    """The platform at `base_url` for one client. Usable from several threads at once."""

    def __init__(
        self,
        base_url: str,
        client: str,
        key: Key,
        *,
        retry_for_s: float = 120,
        connections: int = 1,
        on_wait: Callable[[str, float], None] = lambda reason, seconds: None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._client, self._key = client, key
        self._retry_for_s, self._on_wait = retry_for_s, on_wait
        self._http = urllib3.PoolManager(
            num_pools=1, maxsize=connections, block=True, retries=False, timeout=urllib3.Timeout(connect=5, read=60)
        )
        self._lock = threading.Lock()
        self._token, self._renew_at = "", 0.0
        self.retries = 0

    def send(self, events: list[dict[str, Any]]) -> bytes:
        """Post one signed batch; the body of the answer.

        The same bytes are sent again after a lost connection or a 5xx: what was taken the first time comes back as
        `repeated`. Raises Undelivered.
        """
        body = msgspec.json.encode(events)
        headers = {"Content-Type": BATCH_TYPE, "X-JWS-Signature": self._key.signature(body)}
        return self._as_client("POST", "/v1/events", body, headers)

    def verdict(self, event_ref: str) -> bytes:
        """The verdict that holds now for one of the client's own events. Raises Undelivered."""
        return self._as_client("GET", f"/v1/events/{quote(event_ref)}", None, {})

    def _as_client(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        deadline = time.monotonic() + self._retry_for_s
        used = self._valid_token(deadline)
        response = self._patiently(method, path, body, headers | _bearer(used), deadline)
        if response.status == 401 and _code(response).startswith("token"):  # the platform's key or clock changed
            used = self._valid_token(deadline, refused=used)
            response = self._patiently(method, path, body, headers | _bearer(used), deadline)
        if response.status != 200:
            raise Undelivered(_problem(response))
        return response.data

    def _valid_token(self, deadline: float, refused: str = "") -> str:
        """An access token with time left, renewed when it is about to expire or is the one that was refused."""
        with self._lock:
            if self._token and self._token != refused and time.monotonic() < self._renew_at:
                return self._token
            response = self._patiently("POST", "/v1/oauth/token", self._token_form, _FORM, deadline)
            if response.status != 200:
                raise Undelivered(f"no token: {_problem(response)}")
            try:
                granted = msgspec.json.decode(response.data, type=_Granted)
            except msgspec.DecodeError as error:
                raise Undelivered(f"no token: {error}") from None
            self._token, lifetime_s = granted.access_token, granted.expires_in
            self._renew_at = time.monotonic() + max(lifetime_s - RENEW_BEFORE_S, lifetime_s / 2)
            return self._token

    def _token_form(self) -> bytes:
        assertion = self._key.assertion(self._client, f"{self._base_url}/v1/oauth/token")
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
        return urlencode(form | {"client_assertion": assertion}).encode()

    def _patiently(
        self, method: str, path: str, body: bytes | Callable[[], bytes] | None, headers: dict[str, str], deadline: float
    ) -> urllib3.BaseHTTPResponse:
        """Ask until there is an answer that is not "come again later". Raises Undelivered after the deadline."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                sent = body() if callable(body) else body
                response = self._http.request(method, self._base_url + path, body=sent, headers=headers)
                if response.status not in RETRIED:
                    return response
                reason, asked_s = _problem(response), _retry_after_s(response)
            except urllib3.exceptions.HTTPError as error:
                reason, asked_s = f"no connection ({type(error).__name__})", 0.0
            pause_s = max(wait_s, asked_s)
            if time.monotonic() + pause_s > deadline:
                raise Undelivered(f"{reason} (gave up after {self._retry_for_s:g} s)")
            self.retries += 1
            self._on_wait(reason, pause_s)
            time.sleep(pause_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _retry_after_s(response: urllib3.BaseHTTPResponse) -> float:
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else 0.0


def _code(response: urllib3.BaseHTTPResponse) -> str:
    try:
        return str(response.json().get("code", ""))
    except (ValueError, AttributeError):
        return ""


def _problem(response: urllib3.BaseHTTPResponse) -> str:
    """One line of an RFC 9457 problem, or of whatever came instead."""
    try:
        told = response.json()
        parts = (str(told.get(name) or "") for name in ("code", "title", "detail"))
        return f"HTTP {response.status} " + ": ".join(part for part in parts if part)
    except (ValueError, AttributeError):
        return f"HTTP {response.status}"
