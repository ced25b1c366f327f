"""核查: a verifier's statement on a closed batch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import pools
from backend.usecases import list_batches, log_facts


def attest_batch(
    platform: Platform, batch_id: int, verifier: str, statement: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """Keep the statement; the batch. After a rejection another may follow. Raises Problem not_found, conflict."""
    with platform.db.transaction() as conn:
        batch = pools.locked_batch(conn, batch_id)
        if batch and list_batches.state(batch) not in ("closed", "rejected"):
            raise Problem("conflict", "该批次已核查 · this batch has been attested")
        if batch:
            attestation_id = pools.add_attestation(conn, batch_id, verifier, statement, now)
            log_facts.log_facts(conn, "attestation", [attestation_id])
        return list_batches.shown(platform, "verifier", pools.batch(conn, batch_id))
