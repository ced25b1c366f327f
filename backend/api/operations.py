"""Health, readiness, metrics, keys and the reference pages."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, render_template_string, send_from_directory
from flask_swagger_ui import flask_swagger_ui as swagger

from backend import api, auth, metrics
from backend.errors import Problem
from backend.usecases import check_readiness, show_log

blp = api.Routes("operations", __name__, description="运行 · Operations")

_DIST = swagger.__file__.rsplit("/", 1)[0] + "/dist"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Tanpuhui API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"><div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></html>"""
_START = "SwaggerUIBundle({url: '/openapi.json', dom_id: '#ui', deepLinking: true});"


@blp.route("/healthz")
@auth.allow(auth.ANYONE)
def get_health() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@blp.route("/readyz")
@auth.allow(auth.ANYONE)
def get_readiness() -> dict[str, Any]:
    """Database, schema and Redis are there; 503 says which is not."""
    checks = check_readiness.check_readiness(api.platform())
    if not all(checks.values()):
        raise Problem("unavailable", extra={"checks": checks}, headers={"Retry-After": "1"})
    return {"status": "ok", "checks": checks}


@blp.route("/metrics")
@auth.allow(auth.ANYONE)
def get_metrics() -> Response:
    """Prometheus text: traffic and verdicts, no person and no client. For the operator's network only."""
    return Response(metrics.exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


@blp.route("/.well-known/jwks.json")
@auth.allow(auth.ANYONE)
def get_jwks() -> dict[str, Any]:
    """The platform's public keys: of tokens, the one in use first; of certificates and the log, former ones last."""
    keys = show_log.list_public_keys(api.platform())
    return {"keys": [k.public_jwk | {"use": "sig", "alg": k.algorithm} for k in keys]}


@blp.route("/")
@auth.allow(auth.ANYONE)
def get_root() -> Response:
    """To the reference."""
    return redirect("/docs", 302)  # type: ignore[return-value]


@blp.route("/docs")
@auth.allow(auth.ANYONE)
def get_docs() -> Response:
    """The reference, offline."""
    return Response(render_template_string(_PAGE), content_type="text/html; charset=utf-8")


@blp.route("/docs/<name>")
@auth.allow(auth.ANYONE)
def get_docs_file(name: str) -> Response:
    """The reference's scripts and styles."""
    if name == "start.js":
        return Response(_START, content_type="text/javascript; charset=utf-8")
    return send_from_directory(_DIST, name)
