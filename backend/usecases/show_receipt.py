"""The receipt of one deed, for the person it belongs to; and the published pack.json it is replayed with."""

from __future__ import annotations

from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import db, me
from rules import receipts
from rules.receipts import Entry


def show_receipt(platform: Platform, person_id: int, deed_id: int) -> bytes:
    """Canonical JSON (RFC 8785) of how the deed was measured and what was credited of it.

    Raises Problem not_found for a deed that is not the person's or does not stand, receipts.Mismatch (a defect) when
    what is stored does not come out of the pack that judged it.
    """
    with platform.db.transaction(snapshot=True) as conn:
        return receipt_of(conn, platform, person_id, deed_id)


def receipt_of(conn: db.Connection, platform: Platform, person_id: int, deed_id: int) -> bytes:
    """The same within a transaction."""
    rows = me.deed_records(conn, person_id, deed_id)
    if not rows:
        raise Problem("not_found")
    return receipts.canonical(receipts.receipt(deed_id, [_entry(platform, row) for row in rows]))


def _entry(platform: Platform, row: dict[str, Any]) -> Entry:
    region = platform.standard.region(row["region"]) or platform.standard.nation
    started_at, ended_at = (row[name].astimezone(region.timezone).isoformat() for name in ("started_at", "ended_at"))
    names = ("region", "day", "evidence", "facts", "measured_mg", "code", "reduction_mg", "points", "cap_mg",
             "cap_points")  # fmt: skip
    return Entry(
        document=row["pack_json"].encode(),
        sha256=row["content_sha256"],
        started_at=started_at,
        ended_at=ended_at,
        **{name: row[name] for name in names},
    )


def show_pack(platform: Platform, sha256: str) -> bytes:
    """pack.json as it was published, byte for byte: of today's standard, or of any that judged here.

    Raises Problem not_found.
    """
    for pack in platform.standard.packs:
        if pack.content_sha256 == sha256:
            return pack.document
    with platform.db.transaction(snapshot=True) as conn:
        text = me.pack_json(conn, sha256)
    if text is None:
        raise Problem("not_found")
    return text.encode()
