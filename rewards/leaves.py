"""What the log says of a fact: its entry, and the salted commitment in it. The formats stand in PROOFS.md.

Standard library only: this file is part of the stand-alone verifier.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

DEED = "deed"
ENTRY_MAX_BYTES = 65_535
_DEED_TAG = b"tanpuhui-deed/1\n"


def canonical_json(value: Any) -> bytes:
    """RFC 8785 of what holds only texts, integers, booleans, nulls, lists and dicts with names of ASCII."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def entry(kind: str, public: Mapping[str, Any], commitment: bytes | None = None) -> bytes:
    """The bytes of an entry. commitment: 32 bytes. Raises ValueError when it is too large for the log."""
    said = {"kind": kind, **public}
    if commitment is not None:
        said["commitment"] = base64.b64encode(commitment).decode()
    raw = canonical_json(said)
    if len(raw) > ENTRY_MAX_BYTES:
        raise ValueError(f"the entry of a {kind} is too large for the log")
    return raw


def leaf_salt(owner: bytes, kind: str, ref_id: int, ref_no: int) -> bytes:
    """The salt of one leaf, 32 bytes; without the owner's salt nobody makes it again."""
    return hmac.digest(owner, f"{kind}:{ref_id}:{ref_no}".encode(), "sha256")


def row_commitment(salt: bytes, row: Mapping[str, Any]) -> bytes:
    """The commitment to a row of the database."""
    return hashlib.sha256(salt + canonical_json(row)).digest()


def row_binding(salt: bytes, row: Any) -> str:
    """What binds the columns of a deed that concern the platform alone; base64."""
    return base64.b64encode(hmac.digest(salt, canonical_json(row), "sha256")).decode()


def deed_head(methodology: str, version: str, region: str, month: str) -> dict[str, str]:
    """What a deed's batch says of it anyway. month: yyyy-mm."""
    return {"methodology": methodology, "month": month, "region": region, "version": version}


def deed_opening(salt: bytes, body: Mapping[str, Any]) -> bytes:
    """What closes over everything of a deed but its head, 32 bytes."""
    return hashlib.sha256(salt + canonical_json(body)).digest()


def deed_commitment(head: Mapping[str, str], opening: bytes) -> bytes:
    return hashlib.sha256(_DEED_TAG + canonical_json(head) + b"\n" + opening).digest()


def deed_entry(head: Mapping[str, str], opening: bytes) -> bytes:
    return entry(DEED, {}, deed_commitment(head, opening))
