"""The public page of the money: where every fen of the sales is, in words, pictures and tables. Chinese and English."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from flask import Response
from marshmallow import Schema, fields

from backend import api, auth
from backend.api import pages
from backend.usecases import list_flows
from rewards import sharing

blp = api.Routes("flows_page", __name__, template_folder="templates", description="资金流向 · Money flows")

TEXTS: pages.Texts = {**pages.TEXTS, **json.loads((pages.STATIC / "flows.json").read_text("utf-8"))}
BATCHES_A_PAGE = 20
MONTHS_DRAWN = 12
BAR = 1000  # how wide a bar is, in its own units

_HELD = {
    "citizens": "held_for_citizens_fen", "partners": "held_for_partners_fen", "platform": "held_by_platform_fen",
    "fund": "held_by_fund_fen",
}  # fmt: skip

Row = dict[str, Any]


class FlowsPageArgs(Schema):
    cursor = fields.String(metadata={"description": "of the batches: next_cursor of the page before"})


@blp.route("/flows")
@auth.allow(auth.ANYONE)
@blp.arguments(FlowsPageArgs, location="query")
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_flows_page(args: dict[str, Any]) -> Response:
    """Where the money of the sales is, for people to read; the same as /v1/flows. Errors: cursor_invalid."""
    place, now = api.read_place(args, int), datetime.now(UTC)
    found, following = list_flows.list_flows(api.platform(), place, BATCHES_A_PAGE, now)
    where = accounts(found["totals"])
    return pages.render(
        "flows/flows.html",
        TEXTS,
        flows=found,
        where=where,
        pictures=[picture(where, size) for size in (WIDE, NARROW)],
        months=drawn_months(found["months"]),
        terms=sorted_terms(found["terms"]),
        as_of=now.astimezone(api.platform().standard.nation.timezone),
        is_first=place is None,
        cursor=None if following is None else api.write_cursor(following),
        pots=sharing.POTS,
        yuan=yuan,
        percent=percent,
        part=part,
        kilograms=kilograms,
        bar=bar,
    )  # fmt: skip


# --- numbers for people, made of whole numbers ---------------------------------------------------------------------


def yuan(fen: int) -> str:
    """12345 -> '¥123.45'."""
    return f"{'−' if fen < 0 else ''}¥{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def percent(ppm: int) -> str:
    """Parts per million as exact per cent: 125000 -> '12.5%'."""
    return f"{ppm // 10_000}.{ppm % 10_000:04d}".rstrip("0").rstrip(".") + "%"


def part(fen: int, whole: int) -> str:
    """Of a whole, in per cent to the nearest hundredth."""
    return percent((20_000 * fen + whole) // (2 * whole) * 100)


def kilograms(grams: int) -> str:
    return f"{grams // 1000:,}.{grams % 1000:03d}".rstrip("0").rstrip(".")


# --- where the money is --------------------------------------------------------------------------------------------


def accounts(totals: Row) -> Row:
    """{paid_in, rows, held, sum, holds}. A row is a place for the money: {name, fen, out, under_way, held}.

    Of a share, `out` has left its account for good or is being paid out, `held` is in it still.
    """
    rows = [
        {"name": pot, "fen": totals[f"{pot}_fen"], "held": totals[held], "out": totals[f"{pot}_fen"] - totals[held]}
        for pot, held in _HELD.items()
    ]
    paying_out = sum(row["out"] for row in rows) - totals["paid_out_fen"]
    returning = totals["on_its_way_fen"] - paying_out
    waiting = totals["waiting_in_batches_fen"]
    rows.append({"name": "waiting", "fen": waiting, "held": waiting, "out": 0})
    rows.append({"name": "returning", "fen": returning, "held": returning, "out": 0})
    held = sum(row["held"] for row in rows[:-1]) + totals["on_its_way_fen"]
    return {
        "paid_in": totals["from_buyers_fen"],
        "rows": rows,
        "paying_out": paying_out,
        "returning": returning,
        "held": held,
        "holds": totals["from_buyers_fen"] == totals["paid_out_fen"] + held
        and totals["sold_fen"] - totals["refunded_fen"] == sum(row["fen"] for row in rows[:-1]),
    }


def drawn_months(months: Sequence[Row]) -> list[Row]:
    """The last calendar months up to the latest with any money, newest first: in, and how it was shared, as bars."""
    known = {row["month"]: row for row in months}
    latest = max(known, default=None)
    names = _months_up_to(latest) if latest else []
    first = min(known, default="")
    shown = [known.get(name) or dict.fromkeys(months[0], 0) | {"month": name} for name in names if name >= first]
    most = max((max(row["sold_fen"], _shared(row)) for row in shown), default=0)
    return [
        row
        | {
            "shared_fen": _shared(row),
            "sold_bar": bar([("sold", row["sold_fen"])], most),
            "shared_bar": bar([(pot, row[f"{pot}_fen"]) for pot in sharing.POTS], most),
        }
        for row in shown
    ]


def _shared(row: Row) -> int:
    return sum(int(row[f"{pot}_fen"]) for pot in sharing.POTS)


def _months_up_to(month: str) -> list[str]:
    day = date.fromisoformat(f"{month}-01")
    number = day.year * 12 + day.month - 1
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(number, number - MONTHS_DRAWN, -1)]


def sorted_terms(terms: Sequence[Row]) -> dict[str, list[Row]]:
    """Those in force, those to come (the next first), and those that were."""
    at = next(place for place, row in enumerate(terms) if row["in_force"])
    return {"in_force": [terms[at]], "to_come": list(terms[:at])[::-1], "past": list(terms[at + 1 :])}


# --- pictures ------------------------------------------------------------------------------------------------------


def bar(parts: Iterable[tuple[str, int]], whole: int) -> list[Row]:
    """A stacked bar: {name, x, width} of each part that is not nothing, in BARths of the whole."""
    drawn, x, so_far = [], 0, 0
    for name, amount in parts:
        so_far += amount
        end = max(x + 2, so_far * BAR // whole) if amount > 0 and whole > 0 else x
        if end > x:
            drawn.append({"name": name, "x": x, "width": end - x})
        x = end
    return drawn


@dataclass(frozen=True, slots=True)
class Size:
    """Of a picture of the flows, in its own units, which are pixels where it is shown in full."""

    name: str
    width: int
    flow: int  # the height of all the money together
    left: int  # where the bars of the places are
    right: int  # where those of what became of them are; 0: shown in the places' own bars
    slot: int  # the least height of a place, so that its label fits


WIDE = Size("wide", 1000, 240, 400, 800, 48)
NARROW = Size("narrow", 340, 220, 128, 0, 66)
NODE, GAP, TOP = 12, 14, 56


def picture(where: Row, size: Size) -> Row | None:
    """From the companies to the places of the money, and of these to what was paid out and what is held.

    {name, width, height, source, nodes, bands, ends}; None where there is nothing to draw.
    """
    if where["paid_in"] <= 0:
        return None
    nodes, y, source_y = [], TOP, TOP
    for row in where["rows"]:
        if row["fen"] > 0:
            height = _height(row["fen"], where["paid_in"], size)
            out = row["out"] * height // row["fen"]
            at = {
                "x": size.left,
                "y": y,
                "height": height,
                "out_height": max(out, min(1, row["out"])),
                "from_y": source_y,
            }
            nodes.append(row | at)
            source_y += height
            y += max(height + GAP, size.slot)
    bands = [_band(node["name"], 0, node["from_y"], size.left, node["y"], node["height"]) for node in nodes]
    ends, more = _ends(nodes, size) if size.right else ([], [])
    return {
        "name": size.name, "width": size.width, "height": y, "node": NODE,
        "source": {"y": TOP, "height": source_y - TOP}, "nodes": nodes, "bands": bands + more, "ends": ends,
    }  # fmt: skip


def _ends(nodes: list[Row], size: Size) -> tuple[list[Row], list[Row]]:
    """The last column: what left the accounts, above what is in them; and the bands that lead there."""
    ends, bands, y = [], [], TOP
    for name in ("out", "held"):
        top = y
        for node in nodes:
            below = node["out_height"] if name == "held" else 0
            height = node["height"] - node["out_height"] if name == "held" else node["out_height"]
            if height and node["name"] in sharing.POTS:
                bands.append(_band(node["name"], size.left, node["y"] + below, size.right, y, height))
                y += height
        if y > top:
            fen = sum(node[name] for node in nodes if node["name"] in sharing.POTS)
            ends.append({"name": name, "fen": fen, "x": size.right, "y": top, "height": y - top})
            y = max(y + 2 * GAP, top + size.slot)
    return ends, bands


def _height(fen: int, whole: int, size: Size) -> int:
    return max(2, fen * size.flow // whole)


def _band(name: str, x: int, y: int, to_x: int, to_y: int, height: int) -> Row:
    """A band from the right edge of a bar to the left edge of another."""
    x += NODE
    middle = (x + to_x) // 2
    path = (
        f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}V{to_y + height}"
        f"C{middle} {to_y + height} {middle} {y + height} {x} {y + height}Z"
    )
    return {"name": name, "path": path}
