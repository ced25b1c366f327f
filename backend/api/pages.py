"""The public pages of the standard: every methodology, and a calculator. For anybody, in Chinese and English."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from flask import Response, render_template, request

from backend import api, auth
from backend.errors import Problem
from backend.usecases import describe_methodology, list_behaviours

blp = api.Routes("pages", __name__, template_folder="templates", description="网页 · Pages")

STATIC = Path(__file__).parent / "static"
KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "json": "application/json"}
FILES = {path.name: KINDS[path.suffix[1:]] for path in sorted(STATIC.iterdir()) if path.suffix[1:] in KINDS}
Texts = Mapping[str, Mapping[str, str]]
TEXTS: Texts = json.loads((STATIC / "texts.json").read_text("utf-8"))  # for the script as well
NAV: Texts = {
    "/standard": {"zh": "标准", "en": "Standard"},
    "/calculator": {"zh": "计算器", "en": "Calculator"},
    "/registry": {"zh": "登记簿", "en": "Registry"},
    "/figures": {"zh": "公开数据", "en": "Figures"},
    "/flows": {"zh": "资金流向", "en": "Flows"},
    "/verify": {"zh": "查验", "en": "Verify"},
}
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def render(template: str, texts: Texts = TEXTS, **values: Any) -> Response:
    """A page in the language that is asked for. texts: those that `say` may name."""
    asked = request.args.get("lang", "")
    language = asked if asked in ("zh", "en") else api.language()

    def say(text: Any, **inside: str) -> str:
        """A text in the language of the page: {zh, en}, or the name of one of ours."""
        said = str((texts[text] if isinstance(text, str) else text)[language])
        return said.format(**inside) if inside else said  # a pack's own text may hold braces

    def place(code: str) -> str:
        return say(describe_methodology.place_name(api.platform(), code))

    html = render_template(template, lang=language, say=say, place=place, path=request.path, nav=NAV, **values)
    headers = SECURITY | {"Content-Language": language, "Vary": "Accept-Language"}
    return Response(html, content_type="text/html; charset=utf-8", headers=headers)


def _page(template: str, **values: Any) -> Response:
    return render(f"standard/{template}", **values)


def _today() -> date:
    return datetime.now(UTC).astimezone(api.platform().standard.nation.timezone).date()


@blp.route("/standard")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_standard_page() -> Response:
    """All methodologies by category, for people to read."""
    return _page("list.html", categories=list_behaviours.list_behaviours(api.platform(), _today()))


@blp.route("/standard/<code>")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_methodology_page(code: str) -> Response:
    """One methodology: what counts, how it is measured, examples, sources, versions, status. Errors: not_found."""
    return _page("methodology.html", m=describe_methodology.describe_methodology(api.platform(), code, _today()))


@blp.route("/calculator")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_calculator_page() -> Response:
    """What a green act comes to: pick a behaviour, a place and an amount. It asks /v1/quantify."""
    found = list_behaviours.list_behaviours(api.platform(), _today())
    usable = {category: [b for b in rows if b["status"] != "draft"] for category, rows in found.items()}
    return _page("calculator.html", categories=usable, grids=describe_methodology.grid_names(api.platform()))


@blp.route("/pages/<name>")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/plain")
def get_page_file(name: str) -> Response:
    """The style and script of the pages. Errors: not_found."""
    if name not in FILES:
        raise Problem("not_found")
    # Always asked for again, and rarely sent again: a page never meets the script of another version.
    answer = Response((STATIC / name).read_bytes(), content_type=FILES[name], headers={"Cache-Control": "no-cache"})
    answer.add_etag()
    answer.make_conditional(request)
    return answer
