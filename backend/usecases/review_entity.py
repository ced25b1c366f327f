"""Legal entities: looked into when they are first used, so that one code has one name on every certificate."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import companies, db
from backend.usecases import answer_once, tell_client
from rewards import retirement

STATES = ("waiting", "accepted", "refused")


def add_entity(
    platform: Platform, request: answer_once.KeyedRequest, entity: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """Have an entity looked into before it is needed; it as it stands. Raises Problem request_invalid."""
    return answer_once.answer_once(
        platform, request, now, lambda conn: shown(find(conn, request.client_id, "", entity, now))
    )


def find(conn: db.Connection, client_id: str, field: str, given: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The entity by its code, noted for review at its first use.

    field: where it stands in the request. Raises Problem request_invalid (`uscc_invalid`, `entity_refused`,
    `name_differs` from the reviewed one).
    """
    where = f"{field}.".lstrip(".")
    if mistake := retirement.uscc_mistake(given["uscc"]):
        raise field_problem(f"{where}uscc", "uscc_invalid", mistake)
    note_first_use(conn, client_id, given, now)
    known = companies.entity(conn, given["uscc"])
    assert known is not None
    if known["state"] == "refused":
        text = f"该主体未通过复核：{known['note']} · this entity was refused: {known['note']}"
        raise field_problem(f"{where}uscc", "entity_refused", text)
    if known["state"] == "accepted" and not retirement.is_same_name(known["name"], given["name"]):
        text = f"该代码登记的名称为“{known['name']}” · the name of this code is {known['name']!r}"
        raise field_problem(f"{where}name", "name_differs", text)
    return known


def note_first_use(conn: db.Connection, client_id: str, given: dict[str, Any], now: datetime) -> None:
    """Have an entity looked into that nobody named before; its code must be right."""
    companies.add_entity(conn, client_id, given["uscc"], given["name"].strip(), given.get("name_en"), now)


def decide_entity(
    platform: Platform, request: answer_once.KeyedRequest, uscc: str, decision: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """decision: state (accepted or refused), note, and perhaps the names as they shall stand. Raises not_found."""

    def work(conn: db.Connection) -> answer_once.Answer:
        known = companies.entity(conn, uscc)
        if known is None:
            raise Problem("not_found", "没有这个主体 · no such entity")
        names = {"name": decision.get("name") or known["name"], "name_en": decision.get("name_en") or known["name_en"]}
        companies.decide_entity(
            conn, uscc=uscc, state=decision["state"], note=decision["note"], by=request.client_id, at=now, **names
        )
        told = {"uscc": uscc, "state": decision["state"], "note": decision["note"], **names}
        tell_client.tell_client(conn, known["asked_by"], "entity.reviewed", told, now)
        return shown(companies.entity(conn, uscc))

    return answer_once.answer_once(platform, request, now, work)


def list_entities(
    platform: Platform, state: str | None, client_id: str | None, after: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Up to `limit` entities after a code, by code; of one company's asking when it is named."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = companies.entities(conn, state, client_id, after or "", limit + 1)
    following = rows[limit - 1]["uscc"] if len(rows) > limit else None
    return [shown(row) for row in rows[:limit]], following


def shown(row: dict[str, Any] | None) -> dict[str, Any]:
    assert row is not None
    names = ("uscc", "name", "name_en", "state", "note", "asked_at", "decided_at")
    return {name: row[name] for name in names}
