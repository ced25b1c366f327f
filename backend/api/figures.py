"""Public figures: measured, issued, sold, retired, by month, region or behaviour. JSON, and CSV of the same numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import pages
from backend.errors import Problem
from backend.usecases import list_batches, show_figures
from backend.usecases.show_figures import AMOUNTS, BEHAVIOURS, MONTHS, REGIONS, TABLES, TOTALS

blp = api.Routes("figures", __name__, url_prefix="/v1/reports", description="公开数据 · Public figures")

COLUMNS = ("code", "zh", "en", "parent", "merged", "demonstration", "people", *AMOUNTS)


class FiguresArgs(Schema):
    """Only what is wholly inside of what is asked for counts."""

    month = fields.String(
        validate=validate.Regexp(r"^[0-9]{4}(-(0[1-9]|1[0-2])|-Q[1-4])?(?!\n)$"),
        metadata={"description": "in which the deeds were done: 2026-06, 2026-Q2 or 2026"},
    )
    region = api.region()
    behaviour = fields.String(
        validate=validate.Regexp(r"^[a-z][a-z0-9_]{0,63}(?!\n)$"),
        metadata={"description": "a methodology's code, or a category's"},
    )


class AmountsSchema(Schema):
    demonstration = fields.Boolean(required=True, metadata={"description": "no claim may be made of these"})
    people = fields.Integer(
        required=True, allow_none=True,
        metadata={"description": "rounded down to tens; null with a filter, and where they are fewer than 20"},
    )  # fmt: skip
    deeds = fields.Integer(required=True, metadata={"description": "that stand"})
    measured_mg = fields.Integer(required=True)
    issued_g = fields.Integer(required=True)
    sold_g = fields.Integer(required=True, metadata={"description": "and not given back"})
    given_back_g = fields.Integer(required=True, metadata={"description": "of orders that were refunded"})
    retired_g = fields.Integer(required=True)
    transferred_g = fields.Integer(required=True, metadata={"description": "out, to other registries"})
    cancelled_g = fields.Integer(required=True)


class FigureSchema(AmountsSchema):
    code = fields.String(required=True, metadata={"description": "'all' and 'CN': whatever is not told apart"})
    zh = fields.String(required=True)
    en = fields.String(required=True)
    parent = fields.String(required=True, allow_none=True)
    merged = fields.Boolean(required=True, metadata={"description": "what of `code` is not in a row of its own"})


class FiguresSchema(Schema):
    as_of = api.Instant(required=True, metadata={"description": "at most 10 minutes ago"})
    complete = fields.Boolean(
        required=True, metadata={"description": "false: some of what is asked for is told only together with other"}
    )
    items = fields.List(fields.Nested(FigureSchema), required=True)
    totals = fields.List(fields.Nested(AmountsSchema), required=True)


def read(args: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """What show_figures tells, with names on the rows."""
    wanted = {MONTHS: args.get("month"), REGIONS: args.get("region"), BEHAVIOURS: args.get("behaviour")}
    found = show_figures.show_figures(api.platform(), wanted, now)
    named = {table: [_named(table, row) for row in found[table]] for table in TABLES}
    return found | named | {TOTALS: [_marked(row) for row in found[TOTALS]]}


def _table(name: str, args: Mapping[str, str]) -> dict[str, Any]:
    found = read(args, datetime.now(UTC))
    return found | {"items": found[name]}


@blp.route("/months")
@auth.allow(auth.ANYONE)
@blp.arguments(FiguresArgs, location="query")
@blp.response(200, FiguresSchema)
def report_on_months(args: dict[str, str]) -> dict[str, Any]:
    """Figures by the month in which the deeds were done, none of fewer than 20 people: these are merged upwards."""
    return _table(MONTHS, args)


@blp.route("/regions")
@auth.allow(auth.ANYONE)
@blp.arguments(FiguresArgs, location="query")
@blp.response(200, FiguresSchema)
def report_on_regions(args: dict[str, str]) -> dict[str, Any]:
    """Figures by region, none of fewer than 20 people: these are merged upwards."""
    return _table(REGIONS, args)


@blp.route("/behaviours")
@auth.allow(auth.ANYONE)
@blp.arguments(FiguresArgs, location="query")
@blp.response(200, FiguresSchema)
def report_on_behaviours(args: dict[str, str]) -> dict[str, Any]:
    """Figures by methodology, none of fewer than 20 people: these are merged upwards."""
    return _table(BEHAVIOURS, args)


@blp.route("/<table>.csv")
@auth.allow(auth.ANYONE)
@blp.arguments(FiguresArgs, location="query")
@blp.response(200, {"type": "string"}, content_type="text/csv")
def get_figures_csv(args: dict[str, str], table: str) -> Response:
    """`months`, `regions` or `behaviours` as CSV, for spreadsheets. Errors: not_found."""
    if table not in TABLES:
        raise Problem("not_found", f"one of {', '.join(TABLES)}")
    found = _table(table, args)
    text = io.StringIO()
    text.write("\ufeff")  # without the mark Excel does not take it for UTF-8
    rows = csv.DictWriter(text, (*COLUMNS, "as_of"), extrasaction="ignore")
    rows.writeheader()
    for row in found["items"]:
        words = {name: str(value).lower() for name, value in row.items() if isinstance(value, bool)}
        rows.writerow(row | words | {"as_of": found["as_of"].isoformat()})
    headers = {"Content-Disposition": f'attachment; filename="tanpuhui-{table}.csv"'}
    return Response(text.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


# --- names -----------------------------------------------------------------------------------------------------------


def _marked(row: dict[str, Any]) -> dict[str, Any]:
    return {"demonstration": row["standing"] == "demonstration"} | row


def _named(table: str, row: dict[str, Any]) -> dict[str, Any]:
    path = row["path"]
    name = {MONTHS: period_name, REGIONS: region_name, BEHAVIOURS: behaviour_name}[table]
    whole = "CN" if table == REGIONS else "all"
    code = path[-1] if path else whole
    parent = path[-2] if len(path) > 1 and path[-2] != code else None
    merged = len(path) < (3 if table == MONTHS else 2)
    return {"code": code, **name(code), "parent": parent, "merged": merged} | _marked(row)


def period_name(label: str) -> dict[str, str]:
    """'2026-Q2' -> 2026 年第 2 季度, Q2 2026."""
    year, _, rest = label.partition("-")
    if label == "all":
        return {"zh": "全部月份", "en": "All months"}
    if rest.startswith("Q"):
        return {"zh": f"{year} 年第 {rest[1:]} 季度", "en": f"{rest} {year}"}
    return {"zh": label if rest else f"{year} 年", "en": label}


def region_name(code: str) -> dict[str, str]:
    if code == "CN":
        return {"zh": "全国", "en": "All of China"}
    found = list_batches.region(api.platform(), code)
    return {"zh": found["zh"], "en": found["en"]}


def behaviour_name(code: str) -> dict[str, str]:
    """Of a methodology by its newest version, or of a category."""
    if code == "all":
        return {"zh": "全部行为", "en": "All behaviours"}
    newest = next((pack for pack in reversed(api.platform().standard.packs) if pack.code == code), None)
    return (
        {"zh": newest.name_zh, "en": newest.name_en}
        if newest
        else dict(pages.TEXTS.get(code, {"zh": code, "en": code}))
    )
