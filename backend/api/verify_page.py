"""The page where anybody checks a certificate, a receipt, a membership or a checkpoint without sending it anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response

from backend import api, auth
from backend.api import pages
from backend.errors import Problem
from backend.usecases import show_log
from rewards import retirement

blp = api.Routes("verify_page", __name__, template_folder="templates", description="查验 · Verify")

TEXTS: pages.Texts = json.loads((pages.STATIC / "verify.json").read_text("utf-8"))
# The page connects to nothing and loads nothing but its own script and style: what it is given stays in the browser.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'none'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


@blp.route("/verify")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_verify_page() -> Response:
    """The verifier, with this platform's public keys in it. Everything is checked in the browser."""
    page = pages.render("verify/verify.html", TEXTS, keys=_keys(), words=_words(), script_texts=TEXTS)
    page.headers["Content-Security-Policy"] = POLICY
    return page


def _keys() -> list[str]:
    """Lines of a key file: those of the log and its witnesses, and the keys of /.well-known/jwks.json as JWK."""
    platform = api.platform()
    jwks = {key.kid: json.dumps(key.public_jwk) for key in platform.proof_keys}
    try:
        told = show_log.list_keys(platform)
    except Problem:  # no log yet
        return list(jwks.values())
    return [*(key["key"] for key in told["keys"]), *told["witnesses"], *jwks.values()]


def _words() -> dict[str, Any]:
    """What a certificate must say: {purposes: [(code, {zh, en})], statements: {name: {zh, en}}}."""
    statements = {
        "demonstration": retirement.DEMONSTRATION, "not_ccer": retirement.NOT_CCER,
        "not_neutrality": retirement.NOT_NEUTRALITY, "neutrality": retirement.NEUTRALITY,
        "entity_waiting": retirement.ENTITY_WAITING, "provisional": retirement.PROVISIONAL,
    }  # fmt: skip
    return {"purposes": list(_said(retirement.PURPOSES).items()), "statements": _said(statements)}


def _said(words: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    return {name: {"zh": zh, "en": en} for name, (zh, en) in words.items()}
