"""Certificates: shown to anybody, and checked for anybody."""

from __future__ import annotations

import json
from typing import Any

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import retirements
from rewards import certificates, serials


def show_certificate(platform: Platform, number: str) -> dict[str, Any]:
    """{"certificate": {...}, "signature": {kid, alg, value}}. Raises Problem not_found."""
    with platform.db.transaction(snapshot=True) as conn:
        row = retirements.certificate(conn, number) if certificates.is_number(number) else None
    if row is None:
        raise Problem("not_found", "没有这个编号的证书 · there is no certificate of this number")
    signature = {"kid": row["kid"], "alg": row["algorithm"], "value": row["signature"]}
    return {"certificate": json.loads(row["canonical"]), "signature": signature}


def show_pdf(platform: Platform, number: str) -> bytes | None:
    """The rendering, None while it is being made. Raises Problem not_found."""
    show_certificate(platform, number)
    with platform.db.transaction(snapshot=True) as conn:
        return retirements.pdf(conn, number)


def verify_certificate(platform: Platform, certificate: dict[str, Any], signature: dict[str, str]) -> dict[str, Any]:
    """{valid, checks}: signed by this platform, the same as in its books, and its serials retired under its number."""
    named = certificate.get("number")
    number = named if isinstance(named, str) and certificates.is_number(named) else None
    checks = {"signature": _is_signed(platform, certificate, signature), "known": False, "serials_retired": False}
    if number:
        with platform.db.transaction(snapshot=True) as conn:
            row = retirements.certificate(conn, number)
            retired = retirements.retired_spans(conn, number)
        checks["known"] = row is not None and json.loads(row["canonical"]) == certificate
        checks["serials_retired"] = bool(retired) and _spans(certificate) == retired
    return {"valid": all(checks.values()), "number": number, "checks": checks}


def _is_signed(platform: Platform, certificate: dict[str, Any], signature: dict[str, str]) -> bool:
    try:
        canonical = certificates.canonical(certificate)
    except (ValueError, RecursionError):
        return False
    named = [key for key in platform.keys if (key.kid, key.algorithm) == (signature["kid"], signature["alg"])]
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
