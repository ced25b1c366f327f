"""The key under which we and another mechanism write numbers, so that both can compare and nobody else can."""

from __future__ import annotations

from datetime import datetime

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import claims
from backend.usecases import find_claims, import_claims


def show_key(platform: Platform, mechanism: str) -> bytes:
    """The key shared with a mechanism, 32 bytes: the one it gave us, else the one we offer. Raises request_invalid."""
    import_claims.check_mechanism(mechanism)
    with platform.db.transaction() as conn:
        sealed = claims.find_key(conn, mechanism)
    return find_claims.key_of(platform.settings.secret, mechanism, sealed)


def accept_key(platform: Platform, mechanism: str, key: bytes, now: datetime) -> None:
    """Use the key that a mechanism gave us in place of our own.

    Raises Problem request_invalid, conflict (another key is in use: lists made with it would match nothing any more).
    """
    if len(key) != 32:
        raise Problem("request_invalid", "the key has 32 bytes: 64 hexadecimal digits")
    if show_key(platform, mechanism) == key:
        return
    with platform.db.transaction() as conn:
        used = claims.has_exchanged(conn, mechanism)
        if used or not claims.add_key(conn, mechanism, auth.seal(platform.settings.secret, key), now):
            raise Problem("conflict", f"another key is in use with {mechanism}: agree on a new name for a new key")
