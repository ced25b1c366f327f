"""签发: an attested batch's whole grams become credits with serial numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import credits, db, events, pools
from backend.usecases import list_batches, log_facts
from rewards import ledger, pooling, serials


def issue_credits(
    platform: Platform, batch_id: int, issued_by: str, price_fen_per_tonne: int, now: datetime
) -> dict[str, Any]:
    """Mint the batch's grams, set the correction reserve aside and offer the rest; the batch.

    What was recalled since the close is not minted; the attestation stays as it was given.
    Raises Problem not_found, conflict unless the batch is attested, not issued and not frozen.
    """
    with platform.db.transaction() as conn:
        batch = pools.locked_batch(conn, batch_id)
        if batch is None:
            raise Problem("not_found", "no such batch")
        if (state := list_batches.state(batch)) != "attested":
            raise Problem("conflict", f"批次状态为 {state}，须为 attested · the batch is {state}, not attested")
        if batch["frozen_at"]:
            raise Problem("conflict", f"批次已冻结 · the batch is frozen: {batch['frozen_for']}")
        carried_from, carried_mg = pools.find_carried(conn, batch_id)
        reserve_ppm = platform.standard.parameter("correction_reserve_ppm", batch["vintage_month"])
        less_mg = batch["adjustment_mg"] + batch["recalled_mg"]
        minting = pooling.mint(batch["reduction_mg"], less_mg, carried_mg, reserve_ppm)
        pools.add_issue(
            conn,
            batch_id=batch_id,
            issued_g=minting.issued_g,
            reserve_g=minting.reserve_g,
            remainder_mg=minting.remainder_mg,
            carried_from=carried_from,
            carried_mg=carried_mg,
            recalled_mg=batch["recalled_mg"],
            price_fen_per_tonne=price_fen_per_tonne,
            issued_at=now,
            issued_by=issued_by,
        )
        _mint(conn, batch_id, minting, now)
        log_facts.log_facts(conn, "issue", [batch_id])
        return list_batches.shown(platform, "operator", pools.batch(conn, batch_id))


def _mint(conn: db.Connection, batch_id: int, minting: pooling.Minting, now: datetime) -> None:
    """Serials 1 to n: first what is for sale, then the correction reserve."""
    for_sale = serials.Span(1, minting.for_sale_g)
    reserve = serials.Span(minting.for_sale_g + 1, minting.issued_g)
    parts = [(s, a) for s, a in ((for_sale, ledger.AVAILABLE), (reserve, ledger.RESERVE)) if s.quantity_g]
    credits.add_blocks(conn, [credits.NewBlock(batch_id, span, account) for span, account in parts], now)
    events.add_transfers(
        conn,
        [
            ledger.Transfer(
                now, ledger.CREDITS, ledger.ISSUANCE, batch_id, account, batch_id, s.quantity_g, "issue", batch_id
            )
            for s, account in parts
        ],
    )
