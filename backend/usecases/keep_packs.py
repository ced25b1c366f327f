"""Keep the canonical text of every pack, under its hash, so that what judged a deed can always be shown."""

from __future__ import annotations

from backend.platform import Platform
from backend.store import events


def keep_packs(platform: Platform) -> None:
    """Store the packs that this process has not seen stored; nothing at all from the second call on."""
    missing = [p for p in platform.standard.packs if p.content_sha256 not in platform.kept_packs]
    if not missing:
        return
    with platform.db.transaction() as conn:
        for pack in missing:
            events.add_pack_version(conn, pack.content_sha256, pack.code, pack.version, pack.document.decode())
    platform.kept_packs.update(p.content_sha256 for p in missing)
