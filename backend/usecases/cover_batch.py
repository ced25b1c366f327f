"""Cover what a batch owes: an operator gives up unsold grams of a batch of the same methodology."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import credits, db, pools, recalls
from backend.usecases import answer_once, list_batches, recall_credits
from rewards import ledger, recalling

_ALIKE = ("pack_code", "gas_basis", "demonstration")


def cover_batch(
    platform: Platform, request: answer_once.KeyedRequest, batch_id: int, from_batch: int, quantity_g: int | None,
    now: datetime,
) -> answer_once.Answer:  # fmt: skip
    """Cancel grams of `from_batch` for what `batch_id` owes, all of it unless a quantity is said; the batch.

    Raises Problem not_found, conflict (owes nothing, or the other batch is not fit), sold_out, request_invalid.
    """

    def work(conn: db.Connection) -> answer_once.Answer:
        credits.lock_batches(conn, {batch_id, from_batch})
        state = recalls.find_states(conn, [batch_id]).get(batch_id)
        if state is None:
            raise Problem("not_found", "no such batch")
        if not state.owed_g:
            raise Problem("conflict", f"批次 {batch_id} 无欠量 · batch {batch_id} owes nothing")
        wanted_g = quantity_g or state.owed_g
        if wanted_g > state.owed_g:
            raise field_problem("quantity_g", "field_invalid", f"欠量为 {state.owed_g} 克 · {state.owed_g} g are owed")
        _check(pools.batch(conn, batch_id), pools.batch(conn, from_batch))
        available_g = sum(b.span.quantity_g for b in credits.blocks(conn, ledger.AVAILABLE, batches=[from_batch]))
        if available_g < wanted_g:
            text = f"批次 {from_batch} 仅余 {available_g} 克可售 · {available_g} g of batch {from_batch} are unsold"
            raise Problem("sold_out", text, extra={"available_g": available_g})
        after = replace(state, owed_g=state.owed_g - wanted_g)
        source = recalling.Source(from_batch, ledger.AVAILABLE, wanted_g)
        recall_credits.settle(conn, platform, after, [source], request.client_id, now)
        return list_batches.shown(platform, "operator", pools.batch(conn, batch_id))

    return answer_once.answer_once(platform, request, now, work)


def _check(owing: dict[str, Any] | None, other: dict[str, Any] | None) -> None:
    """Like is covered with like, and never by a batch that owes, or is frozen, itself."""
    if owing is None or other is None:
        raise Problem("not_found", "no such batch")
    if any(owing[name] != other[name] for name in _ALIKE):
        raise Problem("conflict", "须为同一方法学与口径的批次 · it must be of the same methodology, basis and standing")
    if other["frozen_at"] or (other["owed_g"] and other["batch_id"] != owing["batch_id"]):
        raise Problem("conflict", "该批次自身有欠量或已冻结 · that batch owes grams itself, or is frozen")
