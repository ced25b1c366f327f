"""The public pages of the standard: every methodology, and a calculator. For anybody, in Chinese and English."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask import Response, g, render_template, request

from backend import api, auth
from backend.errors import Problem
from backend.usecases import describe_methodology

blp = api.Routes("pages", __name__, template_folder="templates", description="网页 · Pages")

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}
TEXTS: dict[str, dict[str, str]] = json.loads((STATIC / "texts.json").read_text("utf-8"))  # for the script as well
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def _page(template: str, **values: Any) -> Response:
    asked = request.args.get("lang", "")
    language = asked if asked in ("zh", "en") else api.language()
    g.language = language

    def say(text: Any) -> str:
        """A text in the language of the page: {zh, en}, or the name of one of ours."""
        return str((TEXTS[text] if isinstance(text, str) else text)[language])

    def place(code: str) -> str:
        return say(describe_methodology.region_name(api.platform(), code))

    html = render_template(f"standard/{template}", lang=language, say=say, place=place, path=request.path, **values)
    return Response(html, content_type="text/html; charset=utf-8", headers=SECURITY | {"Content-Language": language})


@blp.route("/standard")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_standard_page() -> Response:
    """All methodologies by category, for people to read."""
    return _page("list.html", categories=describe_methodology.describe_all(api.platform()))


@blp.route("/standard/<code>")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_methodology_page(code: str) -> Response:
    """One methodology: what counts, how it is measured, an example, sources, history, status. Errors: not_found."""
    return _page("methodology.html", m=describe_methodology.describe_methodology(api.platform(), code))


@blp.route("/calculator")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_calculator_page() -> Response:
    """What a green act comes to: pick a behaviour, a place and an amount. It asks /v1/quantify."""
    groups = describe_methodology.describe_all(api.platform())
    return _page("calculator.html", categories=groups)


@blp.route("/pages/<name>")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/plain")
def get_page_file(name: str) -> Response:
    """The style and script of the pages. Errors: not_found."""
    path = STATIC / name
    if path.suffix not in TYPES or path not in STATIC.iterdir():
        raise Problem("not_found")
    headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
    return Response(path.read_bytes(), content_type=TYPES[path.suffix], headers=headers)
