"""The public registry for people: search retirements, read the record of a batch. Chinese and English, no account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from marshmallow import EXCLUDE, ValidationError

from backend import api, auth
from backend.api import flows_page, pages, registry
from backend.errors import Problem
from backend.usecases import describe_batches, list_series
from rewards import ledger, retirement

blp = api.Routes("registry_page", __name__, template_folder="templates", description="登记簿网页 · Registry pages")

TEXTS: pages.Texts = {**pages.TEXTS, **json.loads((pages.STATIC / "registry.json").read_text("utf-8"))}
A_PAGE = 20
SERIALS_SHOWN = 3  # of a line of a retirement
POLICY = pages.SECURITY["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
MORE = ("serial", "batch", "retired_from", "retired_to", "period", "vintage", "purpose")  # fields that are asked rarely


@blp.route("/registry")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_registry_page() -> Response:
    """Search the registry: takes what /v1/registry takes. What is wrong with it is said on the page (status 422)."""
    found: dict[str, Any] = {"items": [], "next_cursor": None}
    wrong: dict[str, str] = {}
    try:
        found = registry.page(registry.RegistryArgs(unknown=EXCLUDE).load(request.args) | {"limit": A_PAGE})
    except ValidationError as error:
        wrong = {e["field"]: "" for e in api.field_errors(error.messages)}
    except Problem as problem:
        wrong = {e["field"]: e["detail"] for e in problem.errors} or {"cursor": ""}
    asked = {name: request.args[name] for name in registry.RegistryWish().fields if request.args.get(name, "").strip()}
    answer = _render(
        "registry.html",
        found=found,
        wrong=wrong,
        asked=asked,
        is_first=not request.args.get("cursor"),
        choices=list_series.list_series(api.platform()),
        purposes=[(code, {"zh": zh, "en": en}) for code, (zh, en) in retirement.PURPOSES.items()],
        is_more=any(name in asked or name in wrong for name in MORE),
        files=_query(asked),
        units=_query({name: asked[name] for name in registry.BatchesWish().fields if name in asked}),
    )
    answer.status_code = 422 if wrong else 200
    return answer


@blp.route("/registry/batches")
@auth.allow(auth.ANYONE)
@blp.arguments(registry.RecordsArgs, location="query")
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_batches_page(args: dict[str, Any]) -> Response:
    """The batches that were issued, for people to read. Errors: cursor_invalid."""
    place = api.read_place(args, int)
    found, following = describe_batches.describe_batches(api.platform(), args, args.get("demonstration"), place, A_PAGE)
    return _render("batches.html", batches=found, cursor=following and api.write_cursor(following), is_first=not place)


@blp.route(f"/registry/batches/<{api.ID}:batch_id>")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_batch_page(batch_id: int) -> Response:
    """The record of a batch, for people to read. Errors: not_found."""
    return _render("batch.html", b=describe_batches.describe_batch(api.platform(), batch_id))


def _render(template: str, **values: Any) -> Response:
    zone = api.platform().standard.nation.timezone
    answer = pages.render(
        f"registry/{template}", TEXTS, address=_address, grams=grams, places=ledger.PLACES,
        percent=flows_page.percent,
        day=lambda at: f"{at.astimezone(zone):%Y-%m-%d}", serials_shown=SERIALS_SHOWN, **values,
    )  # fmt: skip
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


def _address(path: str = "", **changes: str) -> str:
    """This page, or another with the same question, with some of it changed; '' takes a part away."""
    asked: Mapping[str, str] = {n: v for n, v in (request.args.to_dict() | changes).items() if v.strip()}
    return (path or request.path) + _query(asked)


def _query(asked: Mapping[str, str]) -> str:
    return f"?{urlencode(asked)}" if asked else ""


def grams(quantity_g: int) -> tuple[str, str]:
    """(number, the name of its unit), exact: grams below a kilogram, else kilograms."""
    if quantity_g < 1000:
        return str(quantity_g), "gram"
    return f"{quantity_g // 1000:,}.{quantity_g % 1000:03d}".rstrip("0").rstrip("."), "kilogram"
