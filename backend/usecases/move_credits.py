"""Move grams from one place to another: blocks are cut where needed, and the books say the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from backend.store import credits, db, events
from rewards import ledger, serials


def move_credits(
    conn: db.Connection,
    blocks: Sequence[credits.Block],
    quantity_g: int,
    account: str,
    owner: str,
    *,
    reason: str,
    ref_id: int,
    at: datetime,
) -> dict[int, list[serials.Span]]:
    """Take `quantity_g` grams off the blocks in their order; batch -> the spans that moved.

    Raises ValueError when the blocks hold too few, ClaimLost when somebody else has moved one of them.
    """
    moved: dict[int, list[serials.Span]] = defaultdict(list)
    touched: list[int] = []
    new: list[credits.NewBlock] = []
    wanted_g = quantity_g
    for block in blocks:
        if not wanted_g:
            break
        (taken,), left = serials.take([block.span], min(wanted_g, block.span.quantity_g))
        wanted_g -= taken.quantity_g
        touched.append(block.block_id)
        moved[block.batch_id].append(taken)
        new.append(credits.NewBlock(block.batch_id, taken, account, owner, block.block_id))
        new += [credits.NewBlock(block.batch_id, s, block.account, block.owner, block.block_id) for s in left]
    if wanted_g:
        raise ValueError(f"{wanted_g} g too few")
    credits.supersede(conn, touched, at)
    credits.add_blocks(conn, new, at)
    source = blocks[0].account
    if source == account:
        return moved  # to another owner in the same place: the books are by place
    events.add_transfers(
        conn,
        [
            ledger.Transfer(
                at, ledger.CREDITS, source, batch, account, batch, sum(s.quantity_g for s in spans), reason, ref_id
            )
            for batch, spans in moved.items()
        ],
    )
    return moved
