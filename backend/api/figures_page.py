"""The public figures for people to read: the numbers of /v1/reports in words, pictures and tables, in two languages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Response
from marshmallow import fields, validate

from backend import api, auth
from backend.api import figures, flows_page, pages
from backend.usecases import check_conservation, show_figures
from backend.usecases.show_figures import BEHAVIOURS, MONTHS, REGIONS, TABLES, TOTALS

blp = api.Routes("figures_page", __name__, template_folder="templates", description="公开数据 · Public figures")

TEXTS: pages.Texts = {**pages.TEXTS, **json.loads((pages.STATIC / "figures.json").read_text("utf-8"))}
FILTERS = {MONTHS: "month", REGIONS: "region", BEHAVIOURS: "behaviour"}
STANDINGS = ("real", "demonstration")
COLUMNS = ("measured", "issued", "sold", "given_back", "retired", "transferred", "cancelled")
WHERE = ("retired", "held", "transferred", "unsold", "cancelled")  # issued grams are
G_PER_KG, MG_PER_G = 1000, 1000
TONNES_FROM_G = 100 * 1000 * G_PER_KG

Row = dict[str, Any]


class FiguresPageArgs(figures.FiguresArgs):
    standing = fields.String(validate=validate.OneOf(STANDINGS), metadata={"description": "absent: real, if any"})


@blp.route("/figures")
@auth.allow(auth.ANYONE)
@blp.arguments(FiguresPageArgs, location="query")
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_figures_page(args: dict[str, str]) -> Response:
    """How much was measured, issued, sold and retired, for people to read; the numbers of /v1/reports/months etc."""
    now, zone = datetime.now(UTC), api.platform().standard.nation.timezone
    found = figures.read(args, now)
    conservation = check_conservation.check_conservation(api.platform(), now)
    standings = [row["standing"] for row in found[TOTALS]]
    standing = args.get("standing") or (standings or STANDINGS)[0]
    tables = {name: [shown(row) for row in found[name] if row["standing"] == standing] for name in (*TABLES, TOTALS)}
    total = next(iter(tables[TOTALS]), None)
    unit = "t" if total and total["measured"] >= TONNES_FROM_G else "kg"
    identities = [line for line in conservation["identities"] if line["scope"] == "all"]
    return pages.render(
        "figures/figures.html",
        TEXTS,
        found=found,
        head=show_figures.show_head(api.platform()),
        standing=standing,
        others=[name for name in standings if name != standing],
        tables=tables,
        total=total,
        unit=unit,
        amount=lambda g: amount(g, unit),
        charts=[chart(tables[MONTHS], size, unit) for size in (WIDE, NARROW)],
        filters=chosen(args),
        query={name: args[name] for name in ("month", "region", "behaviour", "standing") if args.get(name)},
        columns=COLUMNS,
        filter_of=FILTERS,
        where=WHERE,
        bar=flows_page.bar,
        issued_bar=lambda row, most: flows_page.bar([(name, row[name]) for name in WHERE], most),
        identities=identities,
        failing=[line for line in identities if not line["ok"]],
        checked_at=conservation["as_of"].astimezone(zone),
        as_of=found["as_of"].astimezone(zone),
    )  # fmt: skip


# --- rows ------------------------------------------------------------------------------------------------------------


def shown(row: Row) -> Row:
    """With its amounts in grams, and where those that were issued are now."""
    grams = {name: row[f"{name}_g"] for name in COLUMNS if name != "measured"}
    gone = grams["sold"] + grams["cancelled"]
    return row | grams | {
        "measured": row["measured_mg"] // MG_PER_G,
        "held": grams["sold"] - grams["retired"] - grams["transferred"],
        "unsold": grams["issued"] - gone,
    }  # fmt: skip


def amount(g: int, unit: str) -> str:
    """12345 -> '12.345' in kg; in t, what is below a kilogram is left off. All places, so that columns can be read."""
    whole = g // G_PER_KG if unit == "t" else g
    return f"{'−' if whole < 0 else ''}{abs(whole) // 1000:,}.{abs(whole) % 1000:03d}" if whole else "0"


def chosen(args: dict[str, str]) -> list[Row]:
    """The filters in use: {name, zh, en}."""
    named = {"month": figures.period_name, "region": figures.region_name, "behaviour": figures.behaviour_name}
    return [{"name": name, **name_of(args[name])} for name, name_of in named.items() if args.get(name)]


# --- the columns by month --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Size:
    """Of a chart, in its own units, which are pixels where it is shown in full."""

    name: str
    width: int
    left: int  # beside the columns, for what the lines stand for
    high: int  # how high the highest column is
    most: int  # periods


WIDE = Size("wide", 1000, 84, 240, 24)
NARROW = Size("narrow", 340, 72, 170, 8)
TOP, BELOW, LINES, WIDEST = 30, 44, 4, 44


def chart(rows: Sequence[Row], size: Size, unit: str) -> Row | None:
    """Of the last periods: {name, width, height, lines, groups, left_out}; None where there is nothing to draw."""
    drawn = rows[-size.most :]
    most = max((max(row["measured"], row["issued"]) for row in drawn), default=0)
    if most <= 0:
        return None
    step = step_for(most)
    top = -(-most // step) * step
    base, slot = TOP + size.high, (size.width - size.left) // max(len(drawn), 4)
    scale = G_PER_KG if unit == "t" else 1
    lines = [
        {"y": base - value * size.high // top, "label": flows_page.kilograms(value // scale)}
        for value in range(0, top + step, step)
    ]
    groups = []
    for at, row in enumerate(drawn):
        x, width = size.left + at * slot, min(WIDEST, (slot - 6) // 2)
        middle = x + slot // 2
        parts = _column([("measured", row["measured"])], middle - width, width - 1, base, size.high, top)
        parts += _column([(name, row[name]) for name in WHERE], middle + 1, width - 1, base, size.high, top)
        year, _, month = row["code"].partition("-")
        first = year.isdigit() and (at == 0 or drawn[at - 1]["code"][:4] != year)
        groups.append({"row": row, "x": middle, "parts": parts, "label": month or "…", "year": year if first else ""})
    return {
        "name": size.name, "width": size.width, "height": base + BELOW, "base": base, "left": size.left,
        "lines": lines, "groups": groups, "left_out": len(rows) - len(drawn),
    }  # fmt: skip


def step_for(most: int) -> int:
    """A round number (1, 2 or 5 and zeros) of which LINES at most reach the most."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step * LINES >= most:
                return step
        power *= 10


def _column(parts: Sequence[tuple[str, int]], x: int, width: int, base: int, high: int, top: int) -> list[Row]:
    """A stacked column: {name, x, y, width, height} of each part that is not nothing, the first one at the bottom."""
    return [
        {"name": p["name"], "x": x, "y": base - p["x"] - p["width"], "width": max(width, 1), "height": p["width"]}
        for p in flows_page.bar([(name, g * high) for name, g in parts], top * flows_page.BAR)
    ]
