"""One-time login codes, and the exchange that turns one into an identity.

Whoever asks for a code says who they are and is believed: this stands in for a provider, it is none.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import threading
import time
from typing import Any

from flask import Blueprint, Response, jsonify, request

CODE_S = 300
_PHONE = re.compile(r"(\+?86)?1\d{10}|\+\d{8,15}")


class Codes:
    """Codes that are good for one exchange within five minutes; held in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._issued: dict[str, tuple[str, float]] = {}

    def issue(self, identity: str, now_s: float) -> str:
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._issued = {c: kept for c, kept in self._issued.items() if kept[1] > now_s}
            self._issued[code] = (identity, now_s + CODE_S)
        return code

    def take(self, code: str, now_s: float) -> str | None:
        """Whose code it is; None for one that is unknown, used or too old."""
        with self._lock:
            identity, until_s = self._issued.pop(code, ("", 0.0))
        return identity if until_s > now_s else None


def blueprint(appid: str, secret: str) -> Blueprint:
    """The provider's routes, for the one mini-program with this appid and secret."""
    routes = Blueprint("identity", __name__)
    codes = Codes()

    @routes.get("/mock/login")
    def issue_code() -> tuple[Response, int] | Response:
        """What wx.login() does on a phone: a code for the phone number or union id in `as`."""
        identity = request.args.get("as", "").strip()
        if not 1 <= len(identity) <= 64:
            return jsonify(errcode=40003, errmsg="as: a phone number or a union id"), 400
        return jsonify(code=codes.issue(identity, time.monotonic()), expires_in=CODE_S)

    @routes.get("/sns/jscode2session")
    def exchange_code() -> Response:
        """code2session. Errors come with status 200, as they do at the original."""
        given = request.args
        if given.get("appid") != appid:
            return jsonify(errcode=40013, errmsg="invalid appid")
        if not secrets.compare_digest(given.get("secret", "").encode(), secret.encode()):
            return jsonify(errcode=40125, errmsg="invalid appsecret")
        if given.get("grant_type") != "authorization_code":
            return jsonify(errcode=40002, errmsg="invalid grant_type")
        identity = codes.take(given.get("js_code", ""), time.monotonic())
        if identity is None:
            return jsonify(errcode=40029, errmsg="invalid code")
        return jsonify(_session(appid, identity))

    return routes


def _session(appid: str, identity: str) -> dict[str, Any]:
    openid = base64.urlsafe_b64encode(hashlib.sha256(f"{appid}:{identity}".encode()).digest()[:21]).decode()
    named = "phone" if _PHONE.fullmatch(re.sub(r"[\s-]", "", identity)) else "unionid"
    return {"openid": openid, "session_key": base64.b64encode(secrets.token_bytes(16)).decode(), named: identity}
