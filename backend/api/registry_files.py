"""The registry as files that are sent while they are read: tables, the CAD Trust shape, and feeds of what is new."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app, render_template, request
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import registry
from backend.usecases import export_registry, export_units

blp = api.Routes(
    "registry_files", __name__, url_prefix="/v1", template_folder="templates", description="登记簿文件 · Registry files"
)

NOTHING_YET = datetime(1970, 1, 1, tzinfo=UTC)  # when a feed without entries was changed
TITLE = "碳普惠注销登记 · Tanpuhui retirements"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class TableArgs(registry.RegistryWish):
    lang = fields.String(
        validate=validate.OneOf(["zh", "en"]), metadata={"description": "of the header; else by Accept-Language"}
    )


class UnitsArgs(registry.BatchesWish):
    demonstration = fields.Boolean(metadata={"description": "only those, or only the others"})


@blp.route("/registry.csv")
@auth.allow(auth.ANYONE)
@blp.arguments(TableArgs, location="query")
@blp.response(200, {"type": "string"}, content_type="text/csv")
def export_registry_csv(args: dict[str, Any]) -> Response:
    """All that a search finds: UTF-8 with BOM, a row a range of serials, newest first. Errors: request_invalid."""
    language = args.pop("lang", None) or api.language()
    return _file(export_registry.export_table(api.platform(), args, language), "text/csv; charset=utf-8", "csv")


@blp.route("/registry/export.json")
@auth.allow(auth.ANYONE)
@blp.arguments(registry.RegistryWish, location="query")
@blp.response(200, {"type": "object"})
def export_registry_json(args: dict[str, Any]) -> Response:
    """All that a search finds: the items of /v1/registry, newest first. Errors: request_invalid."""
    asked = _asked(registry.RegistryWish())
    head = {"registry": api.platform().settings.public_url, "exported_at": _rfc3339(datetime.now(UTC)), "asked": asked}
    shape = registry.RegistryItemSchema().dump
    return _file(export_registry.export_json(api.platform(), args, head, shape), "application/json", "json")


@blp.route("/registry/cad-trust.json")
@auth.allow(auth.ANYONE)
@blp.arguments(UnitsArgs, location="query")
@blp.response(200, {"type": "object"})
def export_cad_trust(args: dict[str, Any]) -> Response:
    """All issued units in the field shape of the CAD Trust data model 2.0.2, and what has no counterpart in it."""
    demonstration = args.get("demonstration")
    pieces = export_units.export_units(api.platform(), args, demonstration, datetime.now(UTC))
    return _file(pieces, "application/json", "cad-trust.json")


@blp.route("/registry/feed.atom")
@auth.allow(auth.ANYONE)
@blp.arguments(registry.RegistryArgs, location="query")
@blp.response(200, {"type": "string"}, content_type="application/atom+xml")
def get_atom_feed(args: dict[str, Any]) -> Response:
    """New retirements (RFC 4287) of all, or of a search; older ones by `next` (RFC 5005). Errors: as a search."""
    feed = _feed(args, "feed.atom")
    text = render_template("registry/feed.xml", feed=feed, rfc3339=_rfc3339, plain=_plain)
    return _conditional(text, "application/atom+xml; charset=utf-8", feed["updated"])


@blp.route("/registry/feed.json")
@auth.allow(auth.ANYONE)
@blp.arguments(registry.RegistryArgs, location="query")
@blp.response(200, {"type": "object"}, content_type="application/feed+json")
def get_json_feed(args: dict[str, Any]) -> Response:
    """The same as a JSON Feed 1.1. Errors: as a search."""
    feed = _feed(args, "feed.json")
    body = {
        "version": "https://jsonfeed.org/version/1.1", "title": TITLE, "home_page_url": feed["page"],
        "feed_url": feed["url"], "authors": [{"name": "Tanpuhui 碳普惠"}],
        "items": [
            {"id": e["id"], "url": e["id"], "title": e["title"], "content_text": e["text"], "date_published": e["at"]}
            for e in feed["entries"]
        ],
    }  # fmt: skip
    if feed["next"]:
        body["next_url"] = feed["next"]
    return _conditional(current_app.json.dumps(body), "application/feed+json; charset=utf-8", feed["updated"])


def _conditional(text: str, kind: str, changed: datetime) -> Response:
    """304 to whoever has it already."""
    answer = Response(text, content_type=kind, headers={"Cache-Control": "public, max-age=60"})
    answer.last_modified = changed
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _file(pieces: Iterator[str], kind: str, suffix: str) -> Response:
    """A file to be saved, sent as it is made."""
    name = f"tanpuhui-registry-{datetime.now(UTC):%Y%m%d}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response((piece.encode() for piece in pieces), content_type=kind, headers=headers)


def _asked(schema: Schema) -> dict[str, str]:
    """What was asked, as it was written."""
    return {name: value for name, value in request.args.items() if name in schema.fields and value.strip()}


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(text: str) -> str:
    """A text without the signs that no XML may hold."""
    return _NO_XML.sub("\ufffd", text)


# --- feeds ---------------------------------------------------------------------------------------------------------


def _feed(args: dict[str, Any], name: str) -> dict[str, Any]:
    """{title, first, url, page, next, updated, entries: [{id, at, title, text}]}: addresses, and `at` by RFC 3339."""
    found, base = registry.page(args), api.platform().settings.public_url
    asked = {k: v for k, v in _asked(registry.RegistryArgs()).items() if k != "cursor"}
    place = f"{base}/v1/registry/{name}"
    cursor = found["next_cursor"]
    newest = max((item["retired_at"] for item in found["items"]), default=NOTHING_YET)
    return {
        "title": TITLE,
        "first": _address(place, asked),
        "url": _address(place, asked | ({"cursor": args["cursor"]} if args.get("cursor") else {})),
        "page": _address(f"{base}/registry", asked),
        "next": _address(place, asked | {"cursor": cursor}) if cursor else None,
        "updated": newest,
        "entries": [_entry(item) for item in found["items"]],
    }


def _address(place: str, asked: dict[str, str]) -> str:
    return f"{place}?{urlencode(asked)}" if asked else place


def _entry(item: dict[str, Any]) -> dict[str, str]:
    names = "; ".join(entity["name"] for entity in item["beneficiaries"])
    english = "; ".join(entity.get("name_en") or entity["name"] for entity in item["beneficiaries"])
    where_zh = "、".join(f"{n['region']['zh']}{n['methodology']['zh']} {n['vintage']}" for n in item["lines"][:5])
    where_en = ", ".join(f"{n['methodology']['en']} {n['region']['en']} {n['vintage']}" for n in item["lines"][:5])
    grams, period = f"{item['quantity_g']:,}", item["period"]
    mark = "［示范 demonstration］" if item["demonstration"] else ""
    return {
        "id": item["url"],
        "at": _rfc3339(item["retired_at"]),
        "title": f"{mark}{names}: {grams} g CO2e",
        "text": f"{names}：{grams} 克，{item['purpose']['zh']}，{period['from']} 至 {period['to']}，{where_zh}，"
        f"{item['number']}\n{english}: {grams} g, {item['purpose']['en']}, {period['from']} to {period['to']}, "
        f"{where_en}",
    }
