"""What proves a certificate that the platform shows, and whether it all holds: for its page.

The file is read as anybody would read it, by the stand-alone verifier, and held against the platform's books.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from backend import auth
from backend.platform import Platform
from backend.usecases import show_certificate, show_log
from rewards import certificates, merkle, notes, offline, offline_certificates
from rewards.leaves import canonical_json
from rules.replay import MALFORMED, Refused

SOON = timedelta(hours=1)  # by then the log has an entry, unless something is wrong
_READS = {"zh": "所存数据不是证书应有的结构", "en": "what is kept here has not the form of a certificate"}


class _Verification(offline.Verification):
    """The stand-alone verifier, with the platform's own library for the many signatures: a hundred times as fast."""

    def signature(self, body: Any, signature: Any, english: str, chinese: str) -> None:
        value = offline.read_base64url(signature["value"], 64)
        named = [key for key in self.trust.keys if key.kid == signature["kid"] and signature["alg"] == "EdDSA"]
        offline.must(
            any(auth.is_ed25519(key.public, canonical_json(body), value) for key in named),
            f"{english} is not what a key of this platform signed: something in it was changed",
            f"{chinese}与平台公钥所签的不同：内容被改动过",
        )


def prove_certificate(platform: Platform, signed: dict[str, Any], now: datetime) -> dict[str, Any]:
    """{verdict, checks, reason, sha256, place, places, late} of {certificate, signature, log, amendments}.

    verdict: 'genuine'; 'waiting', genuine but not in the log yet, `late` when it should be; 'wrong'.
    checks: signature, serials, logged, amendments, each true, false or None (there is nothing to check yet).
    reason: {zh, en}, why the stand-alone verifier refuses the file. place: of the certificate in the log, or None:
    {index, size, entry, leaf, path, root, checkpoint, origin}; places: those of the amendments, in their order.
    """
    with platform.db.transaction(snapshot=True) as conn:
        keys = show_log.public_keys(conn, platform)
    trust = offline.Trust(
        tuple(offline.PlatformKey(auth.raw_public(key), key.kid, "") for key in keys if key.algorithm == "EdDSA"),
        unlogged=True,
    )
    run = _Verification(trust)
    reason = _refusal(lambda: offline_certificates.check_certificate(run, signed))
    try:
        books = show_certificate.verify_certificate(platform, **signed)
    except MALFORMED:
        books = {"valid": False, "checks": dict.fromkeys(("signature", "serials_retired", "amendments"), False)}
    checks = {
        "signature": books["checks"]["signature"],
        "serials": books["checks"]["serials_retired"],
        "logged": _refusal(lambda: _check_logged(run, signed)) is None if signed["log"] else None,
        "amendments": books["checks"]["amendments"] if signed["amendments"] else None,
    }
    holds = books["valid"] and reason is None and checks["logged"] is not False
    verdict = "wrong" if not holds else "genuine" if checks["logged"] else "waiting"
    body = signed["certificate"]
    return {
        "verdict": verdict,
        "checks": checks,
        "reason": reason,
        "sha256": certificates.sha256(body) if holds else None,
        "place": _place(signed["log"]) if holds else None,
        "places": [_place(one["log"]) for one in signed["amendments"]] if holds else [],
        "late": verdict == "waiting" and now - datetime.fromisoformat(body["issued_at"]) > SOON,
    }


def _refusal(check: Callable[[], Any]) -> dict[str, str] | None:
    """The reason why a check refuses, if it does."""
    try:
        check()
    except Refused as refused:
        english, _, chinese = str(refused).rpartition(" / ")
        return {"zh": chinese, "en": english}
    except MALFORMED:
        return _READS
    return None


def _check_logged(run: offline.Verification, signed: dict[str, Any]) -> None:
    """Raises Refused unless the log has the hash of this very certificate."""
    entry = run.entry(signed["log"], "retirement", "the retirement", "注销记录")
    holds = entry is not None and entry["sha256"] == offline_certificates.digest(signed["certificate"])
    offline.must(holds, "the log has another certificate of this number", "日志中此编号的证书与此不同")


def _place(logged: dict[str, str] | None) -> dict[str, Any] | None:
    """Where an entry is in the log, by its proof."""
    if logged is None:
        return None
    proof = notes.read_proof(logged["proof"])
    head = notes.read_checkpoint(proof.checkpoint)
    return {
        "index": proof.index,
        "size": head.size,
        "entry": logged["entry"],
        "leaf": auth.base64_text(merkle.leaf_hash(logged["entry"].encode())),
        "path": [auth.base64_text(one) for one in proof.path],
        "root": auth.base64_text(head.root),
        "checkpoint": proof.checkpoint,
        "origin": head.origin,
    }
