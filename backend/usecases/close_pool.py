"""Close a pool: what waits in it becomes a batch, for ever."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import db, log, pools
from backend.usecases import list_batches, log_deeds, log_facts
from rewards import merkle, pooling
from rules.model import Approval

NOTHING = "池中没有可入池的行为（需要入池授权、合作方放弃声明，证据为 order 或 device）· no deed here may be pooled: it takes the person's consent, the partner's waiver, and evidence `order` or `device`"  # noqa: E501


def close_pool(platform: Platform, pool_id: str, closed_by: str, now: datetime) -> dict[str, Any]:
    """Make a batch of all deeds of the pool that may be pooled; the batch.

    Raises Problem not_found, not_approved, too_early (with `closable_on`), conflict when there is nothing to pool.
    """
    key = read_pool_id(pool_id)
    pack = platform.standard.pack_version(key.pack_code, key.pack_version)
    if pack is None or platform.standard.region(key.region) is None:
        raise Problem("not_found", "no such region or methodology version")
    if found := obstacle(platform, key, now):
        raise found
    given, demonstration = approval(platform, key)
    assert given is not None
    with platform.db.transaction() as conn:
        batch_id = pools.close(
            conn,
            region=key.region,
            pack_code=key.pack_code,
            pack_version=key.pack_version,
            vintage_month=key.vintage_month,
            gas_basis=pack.gas_basis,
            demonstration=demonstration,
            provisional=pack.status == "provisional",
            approval=f"{given.body} {given.document}".strip(),
            closed_at=now,
            closed_by=closed_by,
        )
        if batch_id is None:
            raise Problem("conflict", NOTHING)
        plant_tree(conn, batch_id)
        log_facts.log_facts(conn, "close", [batch_id])
        return list_batches.shown(platform, "operator", pools.batch(conn, batch_id))


def plant_tree(conn: db.Connection, batch_id: int) -> None:
    """The tree over the leaf hashes of a batch's deeds. Raises Problem conflict when one of them has no leaf."""
    batch = pools.batch(conn, batch_id)
    hashes = log.member_hashes(conn, batch_id)
    assert batch is not None
    log_deeds.check_logged(batch["deeds"], len(hashes))
    edge: list[list[bytes]] = [[] for _ in range(merkle.LEVELS)]
    levels = {0: [merkle.leaf_hash(one) for one in hashes]}
    for level, _, root in merkle.grow(edge, 0, levels[0]):
        levels.setdefault(level, []).append(root)
    tiles = [
        (batch_id, level, at // merkle.TILE_WIDTH, (hashes if level == 0 else nodes)[at],
         b"".join(nodes[at : at + merkle.TILE_WIDTH]))
        for level, nodes in levels.items()
        for at in range(0, len(nodes), merkle.TILE_WIDTH)
    ]  # fmt: skip
    log.add_batch_tree(conn, batch_id, len(hashes), merkle.edge_root(edge))
    log.add_batch_tiles(conn, tiles)


def read_pool_id(pool_id: str) -> pooling.PoolKey:
    """The key named by a pool's id. Raises Problem not_found."""
    try:
        return pooling.parse_pool_id(pool_id)
    except ValueError:
        raise Problem("not_found", "a pool's id is <region>.<methodology>.<version>.<yyyymm>") from None


def obstacle(platform: Platform, key: pooling.PoolKey, now: datetime) -> Problem | None:
    """What stands against closing the pool now, whatever is in it: no approval, or too early. None: nothing."""
    if approval(platform, key)[0] is None:
        return Problem("not_approved", f"{key.pack_code} {key.pack_version} · {key.region} · {key.vintage_month:%Y-%m}")
    first_day = closable_on(platform, key)
    if now.astimezone(platform.standard.nation.timezone).date() < first_day:
        text = f"自 {first_day} 起可关池 · this pool may be closed from {first_day} on (Asia/Shanghai)"
        return Problem("too_early", text, extra={"closable_on": first_day.isoformat()})
    return None


def closable_on(platform: Platform, key: pooling.PoolKey) -> date:
    """The first day (Asia/Shanghai) after the month and its window for late events and corrections."""
    days = platform.standard.parameter("pool_close_after_days", key.vintage_month)
    return pooling.closable_on(key.vintage_month, days)


def approval(platform: Platform, key: pooling.PoolKey) -> tuple[Approval | None, bool]:
    """What lets the pool be closed, and whether that is for demonstration only."""
    pack = platform.standard.pack_version(key.pack_code, key.pack_version)
    if pack is None:
        return None, False
    real = platform.standard.approval(pack, key.region, "pool", key.vintage_month)
    if real or not platform.settings.demonstration:
        return real, False
    shown = platform.standard.approval(pack, key.region, "demonstration", key.vintage_month)
    return shown, shown is not None
