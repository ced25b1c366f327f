"""A client's keys come and go: a second one is added, the client changes over, the first one is revoked."""

from __future__ import annotations

from collections.abc import Mapping

from backend import auth
from backend.platform import Platform
from backend.store import clients


def add_key(platform: Platform, client_id: str, jwk: Mapping[str, object]) -> str:
    """Let a client sign with another key too; its kid. Raises ValueError with what to mend."""
    public = auth.public_part(jwk)
    with platform.db.transaction() as conn:
        if clients.find_client(conn, client_id) is None:
            raise ValueError(f"there is no client {client_id!r}: see `tanpuhui clients list`")
        for known, is_revoked in clients.all_keys(conn, client_id):
            if is_revoked and known["x"] == public["x"]:  # whatever it is called now
                raise ValueError(f"key {known['kid']} was revoked: a revoked key never comes back, make a new one")
            if known["kid"] == public["kid"] or known["x"] == public["x"]:
                raise ValueError(f"the client has this key already, as {known['kid']}, or another one of its kid")
        clients.add_key(conn, client_id, public)
    return public["kid"]


def revoke_key(platform: Platform, client_id: str, kid: str) -> int:
    """From now on the key signs nothing; how many keys the client has left.

    Raises ValueError when it is none of the client's keys in force.
    """
    with platform.db.transaction() as conn:
        if not clients.revoke_key(conn, client_id, kid):
            known = ", ".join(key["kid"] for key in clients.find_keys(conn, client_id)) or "none"
            raise ValueError(f"{kid!r} is no key in force of client {client_id!r}; its keys are: {known}")
        return len(clients.find_keys(conn, client_id))
