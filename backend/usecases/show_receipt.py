"""The receipt of one deed, for the person it belongs to, with its proofs; and the pack.json it is replayed with."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from backend import auth
from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import db, log, me, retirements
from backend.usecases import log_deeds, sequence_log, show_certificate, show_log
from rewards import leaves, merkle
from rules import receipts
from rules.receipts import Entry

FORMAT = "tanpuhui-receipt/2"
MEMBERSHIP = "tanpuhui-membership/1"
CERTIFICATES_MAX = 100


def show_receipt(platform: Platform, person_id: int, deed_id: int, now: datetime) -> bytes:
    """Canonical JSON (RFC 8785) of how the deed was measured, what was credited of it, and what proves it.

    Raises Problem not_found for a deed that is not the person's or does not stand, receipts.Mismatch (a defect) when
    what is stored does not come out of the pack that judged it.
    """
    return receipts.canonical(
        sequence_log.in_log(platform, now, lambda conn: receipt_of(conn, platform, person_id, deed_id))
    )


def receipt_of(conn: db.Connection, platform: Platform, person_id: int, deed_id: int) -> dict[str, Any]:
    """The same within a transaction, as a dict. The formats stand in rewards/PROOFS.md."""
    deed, opened = _opened(conn, person_id, deed_id)
    entries = [_entry(conn, platform, record) for record in log.deed_records(conn, [(deed_id, opened.version)])]
    return receipts.receipt(deed_id, entries) | {
        "format": FORMAT,
        "version": opened.version,
        "head": opened.head,
        "row": opened.body["row"],
        "salt": auth.base64_text(opened.salt),
        **_proven(conn, deed, opened),
    }


def show_membership(platform: Platform, person_id: int, deed_id: int, number: str, now: datetime) -> bytes:
    """Canonical JSON: a deed of the person is in a batch of which a certificate retired grams; nothing else of it.

    Raises Problem not_found, request_invalid when the certificate has no grams of the deed's batch, conflict while the
    deed waits for its place in the log.
    """
    shown = sequence_log.in_log(platform, now, lambda conn: membership_of(conn, platform, person_id, deed_id, number))
    if None in (shown["log"], shown["batch"], shown["certificate"]["log"]):
        raise Problem("conflict", "尚未全部入日志，几秒后再试 · not all of it is in the log yet: try again in seconds")
    return receipts.canonical(shown)


def membership_of(
    conn: db.Connection, platform: Platform, person_id: int, deed_id: int, number: str
) -> dict[str, Any]:  # fmt: skip
    """The same within a transaction, as a dict; `log`, `batch` or the certificate's `log` may be null."""
    deed, opened = _opened(conn, person_id, deed_id)
    signed = show_certificate.signed_certificate(conn, number)
    if deed["batch_id"] not in [line["batch"] for line in signed["certificate"]["lineage"]]:
        text = "该证书不含此行为所在的批次 · this certificate has no grams of the batch that the deed is in"
        raise field_problem("certificate", "field_invalid", text)
    told = {"format": MEMBERSHIP, "head": opened.head, "opening": auth.base64_text(opened.opening)}
    return told | _proven(conn, deed, opened) | {"certificate": signed}


def _opened(conn: db.Connection, person_id: int, deed_id: int) -> tuple[dict[str, Any], log_deeds.Opened]:
    """The row of the deed's version that counts, and what opens its leaf. Raises Problem not_found.

    Of a deed in a batch that is the version the batch took, whatever was recalled of it since.
    """
    deed = me.deed_version(conn, person_id, deed_id)
    if deed is None:
        raise Problem("not_found")
    return deed, log_deeds.stored(conn, [(deed_id, deed["version"])])[deed_id, deed["version"]]


def _proven(conn: db.Connection, deed: dict[str, Any], opened: log_deeds.Opened) -> dict[str, Any]:
    """{log, batch}: null what is not there (yet)."""
    leaf = merkle.leaf_hash(opened.entry)
    return {
        "log": show_log.proof_of(conn, leaves.DEED, opened.deed_id, opened.version),
        "batch": _membership(conn, deed["batch_id"], leaf) if deed["batch_id"] else None,
    }


def _membership(conn: db.Connection, batch_id: int, leaf: bytes) -> dict[str, Any] | None:
    """{batch, index, size, path, close, certificates} of a leaf in its batch's own tree; None without one."""
    tree, found = log.batch_tree(conn, batch_id), log.batch_tile_of(conn, batch_id, leaf)
    close = show_log.proof_of(conn, "close", batch_id)
    if tree is None or found is None or close is None:
        return None

    def tiles(level: int, tile_index: int, width: int) -> list[bytes]:
        return _hashes(log.batch_tile(conn, batch_id, level, tile_index))[:width]

    index = found[0] * merkle.TILE_WIDTH + _hashes(found[1]).index(merkle.leaf_hash(leaf))
    path = merkle.Tree(tree["size"], tiles).inclusion(index)
    return {
        "batch": batch_id,
        "index": index,
        "size": tree["size"],
        "path": [auth.base64_text(one) for one in path],
        "close": close,
        "certificates": retirements.numbers(conn, batch_id, CERTIFICATES_MAX),
    }


def _hashes(raw: bytes) -> list[bytes]:
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]


def _entry(conn: db.Connection, platform: Platform, record: dict[str, Any]) -> Entry:
    region = platform.standard.region(record["region"]) or platform.standard.nation
    started_at, ended_at = (record[name].astimezone(region.timezone).isoformat() for name in ("started_at", "ended_at"))
    names = ("region", "day", "evidence", "measured_mg", "code", "reduction_mg", "points", "cap_mg", "cap_points")
    return Entry(
        document=_pack(conn, platform, record["pack"]),
        sha256=record["pack"],
        started_at=started_at,
        ended_at=ended_at,
        facts=json.loads(record["facts"]),
        **{name: record[name] for name in names},
    )


def show_pack(platform: Platform, sha256: str) -> bytes:
    """pack.json as it was published, byte for byte: of today's standard, or of any that judged here.

    Raises Problem not_found.
    """
    with platform.db.transaction(snapshot=True) as conn:
        return _pack(conn, platform, sha256)


def _pack(conn: db.Connection, platform: Platform, sha256: str | None) -> bytes:
    for pack in platform.standard.packs:
        if pack.content_sha256 == sha256:
            return pack.document
    text = me.pack_json(conn, sha256) if sha256 else None
    if text is None:
        raise Problem("not_found")
    return text.encode()
