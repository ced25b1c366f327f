"""Terms: how the money of a sale is shared. Published some days before they bind; a sale keeps those of its payment."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import clients, db, money
from backend.usecases import answer_once, log_facts, tell_client
from rewards import sharing


def publish_terms(
    platform: Platform, request: answer_once.KeyedRequest, terms: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """terms: from_on, citizens_ppm, partners_ppm, platform_ppm, fund_ppm, note {zh, en}; partners and companies hear.

    Raises Problem request_invalid, too_early (with `from_on`, the first day possible), conflict for a day with some.
    """
    shares = [terms[f"{pot}_ppm"] for pot in sharing.POTS]
    if mistake := sharing.shares_mistake(shares):
        raise field_problem("citizens_ppm", "field_invalid", mistake)
    today = now.astimezone(platform.standard.nation.timezone).date()
    first = sharing.binds_from(today, platform.standard.parameter("terms_notice_days", today))
    if terms["from_on"] < first:
        text = f"条款须先公布，最早 {first} 生效 · terms are published before they bind: {first} at the earliest"
        raise Problem("too_early", text, extra={"from_on": first.isoformat()})

    def work(conn: db.Connection) -> answer_once.Answer:
        by = request.client_id
        terms_id = money.add_terms(conn, from_on=terms["from_on"], shares_ppm=shares, note=terms["note"], at=now, by=by)
        if terms_id is None:
            raise Problem("conflict", "该日已有条款 · terms for that day have been published")
        log_facts.log_facts(conn, "terms", [terms_id])
        told = {"from_on": terms["from_on"].isoformat(), **{f"{pot}_ppm": terms[f"{pot}_ppm"] for pot in sharing.POTS}}
        rows = [
            (c["client_id"], "terms.published", told) for c in clients.list_clients(conn)
            if c["role"] in ("partner", "company")
        ]  # fmt: skip
        tell_client.tell_clients(conn, rows, now)
        return shown(next(row for row in money.terms(conn) if row["from_on"] == terms["from_on"]))

    return answer_once.answer_once(platform, request, now, work)


def shares_on(conn: db.Connection, platform: Platform, on: date) -> sharing.Shares:
    """The shares that bind on a day: the newest published ones, else those the standard begins with."""
    published = money.terms_on(conn, on)
    return published or tuple(platform.standard.parameter(f"share_{pot}_ppm", on) for pot in sharing.POTS)


def list_terms(platform: Platform, now: datetime) -> list[dict[str, Any]]:
    """All terms published, the latest to bind first, and last those the standard begins with (`published_at` null)."""
    today = now.astimezone(platform.standard.nation.timezone).date()
    with platform.db.transaction(snapshot=True) as conn:
        rows = money.terms(conn)
    first = {
        "from_on": None, "published_at": None, "publisher": None,
        "shares_ppm": [platform.standard.parameter(f"share_{pot}_ppm", today) for pot in sharing.POTS],
        "note": {"zh": "标准的初始条款（暂行）", "en": "the terms the standard begins with (provisional)"},
    }  # fmt: skip
    shown_rows = [shown(row) for row in [*rows, first]]
    begun = [row for row in shown_rows if row["from_on"] is None or row["from_on"] <= today]
    for row in shown_rows:
        row["in_force"] = row is begun[0]
    return shown_rows


def shown(row: dict[str, Any]) -> dict[str, Any]:
    shares = {f"{pot}_ppm": ppm for pot, ppm in zip(sharing.POTS, row["shares_ppm"], strict=True)}
    return {name: row[name] for name in ("from_on", "note", "published_at")} | shares
