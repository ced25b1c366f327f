"""Is this body signed by this client?"""

from __future__ import annotations

from backend import auth
from backend.platform import Platform
from backend.store import clients


def check_signature(platform: Platform, client_id: str, signature: str, body: bytes) -> None:
    """Raises Problem signature_missing or signature_invalid."""
    with platform.db.transaction() as conn:
        keys = clients.find_keys(conn, client_id)
    auth.check_body_signature(signature, body, keys)
