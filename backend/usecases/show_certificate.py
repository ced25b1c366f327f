"""Certificates: shown to anybody, and checked for anybody. What was recalled since stands in amendments beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import db, recalls, retirements
from backend.usecases import sequence_log, show_log
from rewards import certificates, recalling, serials


def show_certificate(platform: Platform, number: str) -> dict[str, Any]:
    """The certificate as it was signed, and what was recalled of its batches since. Raises Problem not_found.

    {"certificate": {...}, "signature": {kid, alg, value}, "log": {entry, proof} or None, "amendments": [{"amendment",
    "signature", "log"}]}; the formats stand in rewards/PROOFS.md.
    """
    with platform.db.transaction(snapshot=True) as conn:
        return signed_certificate(conn, number)


def certificate_file(platform: Platform, number: str, now: datetime) -> dict[str, Any]:
    """The same to be kept: with its place in the log, wherever it can have one already. Raises Problem not_found."""
    return sequence_log.in_log(platform, now, lambda conn: signed_certificate(conn, number))


def signed_certificate(conn: db.Connection, number: str) -> dict[str, Any]:
    """The same within a transaction."""
    row = _row(conn, number)
    amendments = [
        _signed(r, "amendment") | {"log": show_log.proof_of(conn, "amendment", r["amendment_id"])}
        for r in recalls.amendments(conn, number)
    ]
    logged = show_log.proof_of(conn, "retirement", row["retirement_id"])
    return _signed(row, "certificate") | {"log": logged, "amendments": amendments}


def _row(conn: db.Connection, number: str) -> dict[str, Any]:
    row = retirements.certificate(conn, number) if certificates.is_number(number) else None
    if row is None:
        raise Problem("not_found", "没有这个编号的证书 · there is no certificate of this number")
    return row


def _signed(row: dict[str, Any], kind: str) -> dict[str, Any]:
    signature = {"kid": row["kid"], "alg": row["algorithm"], "value": row["signature"]}
    return {kind: json.loads(row["canonical"]), "signature": signature}


def show_pdf(platform: Platform, number: str) -> bytes | None:
    """The rendering, None while it is being made. Raises Problem not_found."""
    with platform.db.transaction(snapshot=True) as conn:
        _row(conn, number)
        return retirements.pdf(conn, number)


def verify_certificate(
    platform: Platform,
    certificate: dict[str, Any],
    signature: dict[str, str],
    amendments: Sequence[dict[str, Any]] = (),
    log: dict[str, str] | None = None,
) -> dict[str, Any]:
    """{valid, number, checks, amendments}: signed by this platform, the same as in its books, its serials retired under
    its number, and any amendments given with it signed and known too; `amendments` are the numbers of those there are.
    It is valid before it has its place in the log; a `log` given with it must be that place's.
    """
    named = certificate.get("number")
    number = named if isinstance(named, str) and certificates.is_number(named) else None
    leaf, proven = None, False
    made: list[str] = []
    with platform.db.transaction(snapshot=True) as conn:
        keys = show_log.public_keys(conn, platform)
        checks = {"signature": _is_signed(keys, certificate, signature), "known": False, "serials_retired": False}
        if number:
            row = retirements.certificate(conn, number)
            retired = retirements.retired_spans(conn, number)
            made = [json.loads(r["canonical"])["number"] for r in recalls.amendments(conn, number)]
            leaf = show_log.proof_of(conn, "retirement", row["retirement_id"]) if row else None
            proven = log is None or show_log.is_proof(conn, log)
            checks["known"] = row is not None and json.loads(row["canonical"]) == certificate
            checks["serials_retired"] = bool(retired) and _spans(certificate) == retired
        checks["amendments"] = all(_is_amendment(conn, keys, **given) for given in amendments)
    # What was changed in the books and signed anew is told by the log alone.
    entry = leaf["entry"] if leaf else None
    same = entry is not None and checks["signature"] and _is_entry_of(entry, certificate)
    valid = all(checks.values()) and (same or entry is None) and (log is None or (log["entry"] == entry and proven))
    checks["logged"] = same
    return {"valid": valid, "number": number, "checks": checks, "amendments": made}


def _is_entry_of(entry: str, body: dict[str, Any]) -> bool:
    """Whether an entry of the log names this certificate or amendment by its hash."""
    try:
        return bool(json.loads(entry)["sha256"] == certificates.sha256(body))
    except (ValueError, LookupError, TypeError, RecursionError):
        return False


def _is_amendment(
    conn: db.Connection, keys: Sequence[auth.SigningKey], amendment: dict[str, Any], signature: dict[str, str],
    log: dict[str, str] | None = None,
) -> bool:  # fmt: skip
    """True for what this platform signed as an amendment and has in its books, superseded within its day or not."""
    if amendment.get("kind") != recalling.KIND or not _is_signed(keys, amendment, signature):
        return False
    if log is not None and not (_is_entry_of(log["entry"], amendment) and show_log.is_proof(conn, log)):
        return False
    made_on, text = date.fromisoformat(amendment["made_on"]), certificates.canonical(amendment).decode()
    return recalls.is_amendment(conn, amendment["batch"], made_on, amendment["version"], text)


def _is_signed(keys: Sequence[auth.SigningKey], certificate: dict[str, Any], signature: dict[str, str]) -> bool:
    try:
        canonical = certificates.canonical(certificate)
    except (ValueError, RecursionError):
        return False
    named = [key for key in keys if (key.kid, key.algorithm) == (signature["kid"], signature["alg"])]
    return any(auth.is_signed(key, canonical, signature["value"]) for key in named)


def _spans(certificate: dict[str, Any]) -> dict[int, list[serials.Span]] | None:
    """batch -> spans as the certificate lists them; None when it lists something else."""
    found: dict[int, list[serials.Span]] = {}
    try:
        for text in certificate["serials"]:
            one = serials.parse(text)
            found.setdefault(one.batch_id, []).append(one.span)
    except (KeyError, TypeError, ValueError):
        return None
    return found
