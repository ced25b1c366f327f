"""Statements of retirements, certificates and their renderings."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from backend.store import db, statements
from rewards import serials

SQL = statements.of("retirements")


def take_id(conn: db.Connection) -> int:
    return int(db.rows(conn, SQL["take_id"])[0][0])


def add_retirement(
    conn: db.Connection,
    *,
    retirement_id: int,
    number: str,
    client_id: str,
    quantity_g: int,
    request: dict[str, Any],
    retired_at: datetime,
) -> None:
    text = json.dumps(request, ensure_ascii=False, default=str)
    conn.execute(
        SQL["add_retirement"],
        {
            "retirement_id": retirement_id,
            "number": number,
            "client_id": client_id,
            "quantity_g": quantity_g,
            "request": text,
            "retired_at": retired_at,
        },
    )


def sources(conn: db.Connection, batches: Iterable[int]) -> list[dict[str, Any]]:
    """What a certificate says of these batches, by id."""
    return db.dicts(conn, SQL["sources"], batches=list(batches))


def client_name(conn: db.Connection, client_id: str) -> str:
    return str(db.rows(conn, SQL["client_name"], client_id=client_id)[0][0])


def add_certificate(conn: db.Connection, number: str, canonical: str, kid: str, algorithm: str, signature: str) -> None:
    conn.execute(
        SQL["add_certificate"],
        {"number": number, "canonical": canonical, "kid": kid, "algorithm": algorithm, "signature": signature},
    )


def certificate(conn: db.Connection, number: str) -> dict[str, Any] | None:
    """{retirement_id, canonical, kid, algorithm, signature}."""
    return db.one(conn, SQL["certificate"], number=number)


def numbers(conn: db.Connection, batch_id: int, limit: int) -> list[str]:
    """The certificates, oldest first, that used grams of a batch."""
    return [number for (number,) in db.rows(conn, SQL["numbers"], batch_id=batch_id, limit=limit)]


def retired_spans(conn: db.Connection, number: str) -> dict[int, list[serials.Span]]:
    """batch -> the grams retired under this number."""
    found: dict[int, list[serials.Span]] = defaultdict(list)
    for batch_id, first, last in db.rows(conn, SQL["retired_spans"], number=number):
        found[batch_id].append(serials.Span(first, last))
    return {batch_id: serials.joined(spans) for batch_id, spans in found.items()}


def pdf(conn: db.Connection, number: str) -> bytes | None:
    found = db.one(conn, SQL["pdf"], number=number)
    return bytes(found["pdf"]) if found else None


def add_pdf(conn: db.Connection, number: str, content: bytes, made_at: datetime) -> None:
    conn.execute(SQL["add_pdf"], {"number": number, "pdf": content, "made_at": made_at})


def without_pdf(conn: db.Connection, before: datetime) -> list[str]:
    """Certificates retired before that moment that have not been rendered."""
    return [number for (number,) in db.rows(conn, SQL["without_pdf"], before=before)]


def retirements(conn: db.Connection, client_id: str, before: int, limit: int) -> list[dict[str, Any]]:
    """A company's retirements, newest first."""
    return db.dicts(conn, SQL["retirements"], client_id=client_id, before=before, limit=limit)
