"""A company's own boundary: which partners are inside it, and how much of a batch came through them.

A company may not use reductions that are its own already: the bank whose app sent the e-invoices is no buyer of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import structlog

from backend.errors import Problem
from backend.platform import Platform
from backend.store import companies, db
from backend.usecases import answer_once
from rewards import sharing

log = structlog.get_logger()


def declare_partner(
    platform: Platform, request: answer_once.KeyedRequest, partner_id: str, now: datetime
) -> answer_once.Answer:
    """The company says that a partner is its own; its list. Saying it twice is no error. Raises Problem not_found."""

    def work(conn: db.Connection) -> answer_once.Answer:
        companies.add_own_partner(conn, request.client_id, partner_id, now)
        declared = _listed(conn, request.client_id)
        if partner_id not in {one["partner"] for one in declared}:
            raise Problem("not_found", "没有这个合作方 · there is no such partner")
        return {"items": declared}

    return answer_once.answer_once(platform, request, now, work)


def end_declaration(platform: Platform, client_id: str, partner_id: str, operator_id: str, now: datetime) -> None:
    """An operator has seen that the partner is not inside the company any more. Raises Problem not_found."""
    with platform.db.transaction() as conn:
        if not companies.end_own_partner(conn, client_id, partner_id, operator_id, now):
            raise Problem("not_found", "没有这项声明 · there is no such declaration")
    log.info("own_partner_ended", company=client_id, partner=partner_id, by=operator_id)


def list_own_partners(platform: Platform, client_id: str) -> dict[str, Any]:
    """{items: the declared ones, partners: all there are}."""
    with platform.db.transaction(snapshot=True) as conn:
        known = [{"partner": p["client_id"], "name": p["name"]} for p in companies.partners(conn)]
        return {"items": _listed(conn, client_id), "partners": known}


def own_shares(conn: db.Connection, client_id: str, batches: Sequence[int]) -> dict[int, int]:
    """batch -> parts per million of it that came from inside the company's boundary, rounded up; none: left out."""
    found = companies.own_shares(conn, client_id, batches) if batches else {}
    return {batch: -(-own * sharing.PPM // whole) for batch, (own, whole) in found.items() if own and whole}


def is_refused(platform: Platform, vintage_month: date, share_ppm: int) -> bool:
    """Whether a company may not use a batch with that much of its own in it; the limit is dated by vintage."""
    return share_ppm > platform.standard.parameter("own_boundary_ppm", vintage_month)


def _listed(conn: db.Connection, client_id: str) -> list[dict[str, Any]]:
    return [
        {"partner": one["partner_id"], "name": one["name"], "declared_at": one["declared_at"]}
        for one in companies.own_partners(conn, client_id)
    ]
