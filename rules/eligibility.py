"""May this deed count at all: kind, place, time, consent. Everything it needs is handed to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from rules.model import Pack, Region
from rules.standard import Standard

Interval = tuple[datetime, datetime | None]


def time_code(standard: Standard, region: Region, started_at: datetime, ended_at: datetime, now: datetime) -> str:
    """`in_future` or `too_late` by the dated windows of the standard, else ''."""
    on = now.astimezone(region.timezone).date()
    if ended_at > now + timedelta(seconds=standard.parameter("future_tolerance_s", on)):
        return "in_future"
    if started_at < now - timedelta(days=standard.parameter("acceptance_window_days", on)):
        return "too_late"
    return ""


def pack_in_force(standard: Standard, event_type: str, region: Region, started_at: datetime) -> Pack | None:
    """The pack version in force on the civil day of the deed's start."""
    return standard.pack(event_type, started_at.astimezone(region.timezone).date())


def consented(consents: Sequence[Interval], at: datetime) -> bool:
    """True when one of the consents held at that moment."""
    return any(given <= at and (withdrawn is None or at < withdrawn) for given, withdrawn in consents)
