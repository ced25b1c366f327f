"""The operator lets a client in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime

from backend import auth
from backend.platform import Platform
from backend.store import clients
from rules.model import EVIDENCE_TIERS


def add_client(
    platform: Platform, role: str, name: str, jwk: Mapping[str, object], *, issuer: str | None = None,
    ceilings: Mapping[str, str] | None = None, waived_from: datetime | None = None,
) -> tuple[str, str | None]:  # fmt: skip
    """Register a client with its public key; (client id, issuer name).

    issuer: the name before the colon of act_refs that the partner numbers itself; by default its own name, when free.
    waived_from: since when the partner gives up its own claim to what is pooled; None: it does not.
    Raises ValueError with what to mend.
    """
    public = auth.public_part(jwk)
    client_id = f"{role[:2]}-{secrets.token_hex(6)}"
    with platform.db.transaction() as conn:
        if issuer is None and role == "partner":
            own = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
            issuer = own if own and not clients.issuer_taken(conn, own) else None
        elif issuer is not None and clients.issuer_taken(conn, issuer):
            raise ValueError(f"the issuer name {issuer!r} belongs to another client: choose another")
        clients.add_client(conn, client_id, role, name, issuer)
        clients.add_key(conn, client_id, public)
        for event_type, tier in (ceilings or {}).items():
            if tier not in EVIDENCE_TIERS or not platform.standard.has_type(event_type):
                raise ValueError(f"{event_type}={tier}: expected a known event type and one of {EVIDENCE_TIERS}")
            clients.add_ceiling(conn, client_id, event_type, tier)
        if waived_from is not None:
            clients.add_waiver(conn, client_id, waived_from, "clients add")
    return client_id, issuer
