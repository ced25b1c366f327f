"""Placeholder until recalls are built."""

from __future__ import annotations

from datetime import datetime

from backend.platform import Platform
from backend.store import db


def recall(conn: db.Connection, platform: Platform, batch_id: int, deed_id: int, recalled_mg: int, now: datetime) -> None:
    raise NotImplementedError
