"""A partner asks for a verdict again: the one that holds now."""

from __future__ import annotations

from typing import Any

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import corrections, events
from backend.usecases import ingest_events


def show_event(platform: Platform, client_id: str, event_ref: str) -> dict[str, Any]:
    """The current verdict of the partner's own event, with the first under `original` where it changed.

    Raises Problem not_found.
    """
    secret = platform.settings.secret
    with platform.db.transaction() as conn:
        found = events.find_claim(conn, client_id, auth.digest(secret, "event", client_id, event_ref))
        stored = events.find_events(conn, [found]) if found else {}
        standing = corrections.find_standing(conn, [found[0]]) if found else {}
    if not found or found[0] not in stored:
        raise Problem("not_found", f"no event with id {event_ref!r} of yours was judged")
    row = stored[found[0]]
    now = ingest_events.verdict_of(platform, client_id, event_ref, standing[found[0]])
    first = ingest_events.verdict_of(platform, client_id, event_ref, ingest_events.original_row(row))
    return now if now == first else now | {"original": first}
