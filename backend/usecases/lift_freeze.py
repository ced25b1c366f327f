"""Lift the freeze of a batch whose books did not add up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog

from backend.errors import Problem
from backend.platform import Platform
from backend.store import freezes, pools
from backend.usecases import list_batches

log = structlog.get_logger()


def lift_freeze(platform: Platform, batch_id: int, operator_id: str, note: str, now: datetime) -> dict[str, Any]:
    """Let the batch move again; the batch. It is not frozen again for the very same figures.

    Raises Problem not_found, conflict when it is not frozen.
    """
    with platform.db.transaction() as conn:
        batch = list_batches.shown(platform, "operator", pools.batch(conn, batch_id))
        if not freezes.lift(conn, batch_id, operator_id, note, now):
            raise Problem("conflict", "该批次未被冻结 · this batch is not frozen")
        log.warning("batch_unfrozen", batch=batch_id, by=operator_id, reason=batch["frozen"]["reason"])
        return list_batches.shown(platform, "operator", pools.batch(conn, batch_id))
