"""A partner or a person does not agree with a verdict."""

from __future__ import annotations

from datetime import datetime

from backend import auth
from backend.errors import Problem
from backend.platform import Platform
from backend.store import cases, events


def appeal_of_partner(platform: Platform, client_id: str, event_ref: str, words: str, now: datetime) -> None:
    """Open a case about the partner's own event. Raises Problem not_found, conflict (one is open)."""
    with platform.db.transaction() as conn:
        digest = auth.digest(platform.settings.secret, "event", client_id, event_ref)
        claim = events.find_claim(conn, client_id, digest)
        if claim is None:
            raise Problem("not_found", f"no event with id {event_ref!r} of yours was judged")
        if not cases.open_cases(conn, [claim[0]], "appeal", client_id, words, now):
            raise Problem("conflict", "a case about this event is open already")


def appeal_of_person(platform: Platform, person_id: int, event_id: int, words: str, now: datetime) -> None:
    """Open a case about the person's own event. Raises Problem not_found, conflict (one is open)."""
    with platform.db.transaction() as conn:
        root_id = cases.find_own_event(conn, person_id, event_id)
        if root_id is None:
            raise Problem("not_found", "this is no event of yours")
        if not cases.open_cases(conn, [root_id], "appeal", "person", words, now):
            raise Problem("conflict", "a case about this event is open already")
