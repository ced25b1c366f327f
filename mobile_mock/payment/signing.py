"""How both sides sign: HMAC-SHA256 over time, nonce and body, in base64; and what a signed request must hold."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mobile_mock.payment.till import Refused

CLOCK_S = 300
FEN_MAX = 10**15


def sign(secret: str, body: bytes) -> dict[str, str]:
    """The headers that sign a message of now."""
    at, nonce = str(int(time.time())), secrets.token_urlsafe(16)
    return {"Pay-Timestamp": at, "Pay-Nonce": nonce, "Pay-Signature": _signature(secret, at, nonce, body)}


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    at, nonce, given = (headers.get(f"Pay-{name}", "") for name in ("Timestamp", "Nonce", "Signature"))
    fresh = at.isascii() and at.isdigit() and len(at) <= 12 and abs(int(at) - time.time()) <= CLOCK_S
    return fresh and bool(nonce) and hmac.compare_digest(_signature(secret, at, nonce, body).encode(), given.encode())


def read_wish(body: bytes, texts: tuple[str, ...]) -> dict[str, Any]:
    """The signed body of a request for money: `texts`, and a whole number of fen. Raises Refused."""
    found = read_object(body)
    for name in texts:
        if not isinstance(found.get(name), str) or not 0 < len(found[name]) <= 500:
            raise Refused(f"{name}: 1 to 500 characters", 422)
    fen = found.get("amount_fen")
    if type(fen) is not int or not 0 < fen <= FEN_MAX or found.get("currency") != "CNY":
        raise Refused("amount_fen: a whole number of fen above zero; currency: CNY", 422)
    if not found["notify_url"].startswith(("https://", "http://")):
        raise Refused("notify_url: an address to post to", 422)
    if "expires_at" in texts and not _is_moment(found["expires_at"]):
        raise Refused("expires_at: a time with its offset", 422)
    return found


def read_object(body: bytes) -> dict[str, Any]:
    """Raises Refused."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("no JSON", 400) from None
    if not isinstance(found, dict):
        raise Refused("no object", 422)
    return found


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _signature(secret: str, at: str, nonce: str, body: bytes) -> str:
    message = f"{at}\n{nonce}\n".encode() + body + b"\n"
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()
