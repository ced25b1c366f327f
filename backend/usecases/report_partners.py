"""How good a partner's data is, by event type and civil month, in a form that tells nothing of single people."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from typing import Any

from backend.platform import Platform
from backend.store import reports
from backend.usecases import withhold_figures
from backend.usecases.withhold_figures import NONE, Cell, Figure, Figures
from rules.model import CREDITED, DUPLICATE_OF, IN_REVIEW, REFUSED

VERDICTS = {CREDITED: "credited", DUPLICATE_OF: "duplicates", IN_REVIEW: "held", REFUSED: "refused"}
OTHERS = ("late", "corrected", "reverdicted")
MILLION = 1_000_000


def report_partners(
    platform: Platform, role: str, caller_id: str, year: int | None, after: str, limit: int, now: datetime
) -> tuple[list[dict[str, Any]], str | None]:
    """Up to `limit` partners after a client id, and the client id to go on after; a partner finds itself alone.

    year: a civil year, by default this one. Cells of few people are merged, for everybody but operators.
    """
    year = year or now.astimezone(platform.standard.nation.timezone).year
    own = caller_id if role == "partner" else None
    with platform.db.transaction(snapshot=True) as conn:
        partners = reports.list_partners(conn, own, after, limit + 1)
        shown = partners[:limit]
        types = sorted({pack.event_type for pack in platform.standard.packs})
        late_after_h = [platform.standard.parameter("late_after_h", date(year, month, 1)) for month in range(1, 13)]
        rows = reports.partner_figures(conn, [p["client_id"] for p in shown], types, year, late_after_h)
    figures: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        figures[row["client_id"], row["event_type"]].append(row)
    items = [
        {"partner": p["client_id"], "name": p["name"], "year": year, "rows": [
            row for (client_id, kind), found in sorted(figures.items()) if client_id == p["client_id"]
            for row in _rows(kind, found, year, everything=role == "operator")
        ]} for p in shown
    ]  # fmt: skip
    return items, shown[-1]["client_id"] if len(partners) > limit else None


def _rows(event_type: str, found: list[dict[str, Any]], year: int, everything: bool) -> list[dict[str, Any]]:
    spans: dict[tuple[date | None, date | None], dict[str, Figure]] = defaultdict(dict)
    for r in found:
        figure = Figure(r["events"], r["people"], r["of_one"], r["of_anybody"])
        spans[r["month"], r["quarter"]][r["figure"]] = figure
    months = {month: figures for (month, _), figures in spans.items() if month}
    quarters = {quarter: figures for (_, quarter), figures in spans.items() if quarter}
    cells = withhold_figures.cells(months, quarters, year, spans[None, None], everything)
    return [_row(event_type or "unknown", cell, everything) for cell in cells]


def _row(event_type: str, cell: Cell, everything: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "event_type": event_type, "period": cell.period, "merged": cell.merged, "suppressed": cell.suppressed,
    }  # fmt: skip
    if cell.suppressed:
        return row
    received = cell.figures.get("received", NONE)
    told, rest = _parts({name: cell.figures.get(verdict, NONE) for verdict, name in VERDICTS.items()}, everything)
    counts: dict[str, int | None] = {name: told.get(name) for name in VERDICTS.values()}
    for name in OTHERS:
        figure = cell.figures.get(name, NONE)
        counts[name] = figure.events if everything or withhold_figures.may_be_shown(figure) else None
    refused = _codes(cell.figures, REFUSED, everything) if "refused" in told else None
    counts["withdrawn"] = refused.get("withdrawn", None if "other" in refused else 0) if refused is not None else None
    return row | counts | {
        "received": received.events,
        "people": received.people,
        "not_told_apart": rest,
        "duplicates_by_code": _codes(cell.figures, DUPLICATE_OF, everything) if "duplicates" in told else None,
        "refused_by_code": refused,
        "shares_ppm": {n: c * MILLION // received.events for n, c in counts.items() if c is not None},
    }  # fmt: skip


def _codes(figures: Figures, verdict: str, everything: bool) -> dict[str, int]:
    """Events by code; those of few people together as 'other'."""
    found = {name.partition(":")[2]: f for name, f in sorted(figures.items()) if name.startswith(f"{verdict}:")}
    told, rest = _parts(found, everything)
    return told | ({"other": rest} if rest else {})


def _parts(figures: Figures, everything: bool) -> tuple[dict[str, int], int]:
    if everything:
        return {name: figure.events for name, figure in figures.items()}, 0
    return withhold_figures.parts(figures)
