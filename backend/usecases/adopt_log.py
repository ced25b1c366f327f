"""Log what was done before there was a log: once, when a platform is upgraded.

Never by itself: a leaf that is made afterwards gives whatever stands in the tables the look of a fact.
"""

from __future__ import annotations

from backend.errors import Problem
from backend.platform import Platform
from backend.store import db, facts, log
from backend.usecases import close_pool, log_deeds, log_facts
from rewards import leaves

AT_ONCE = 2000


def adopt_log(platform: Platform) -> dict[str, int]:
    """Give every deed version, batch and fact without a leaf one, in one transaction; how many of each kind.

    Raises Problem conflict while leaves are sequenced, or adopted: a fact that waits twice would hold up the log.
    """
    with platform.db.transaction() as conn:
        if not log.try_to_sequence(conn):
            raise Problem("conflict", "日志正在编排，请再试一次 · leaves are being sequenced: try again")
        adopted = {leaves.DEED: adopt_deeds(conn)}
        for batch_id in log.batches_without_tree(conn):
            close_pool.plant_tree(conn, batch_id)
        for kind in facts.KINDS:
            there = facts.facts(conn, kind, None)  # first: what is written meanwhile logs itself
            known = log.logged(conn, kind)
            # Of whom was erased no salt is left, and nothing can be committed to any more.
            kept = [fact["ref_id"] for fact in there if fact["salt"] is not None or not fact["row"]]
            missing = [ref_id for ref_id in kept if ref_id not in known]
            log_facts.log_facts(conn, kind, missing)
            adopted[kind] = len(missing)
    return {kind: count for kind, count in adopted.items() if count}


def adopt_deeds(conn: db.Connection) -> int:
    """The versions of deeds; how many."""
    adopted, after = 0, (0, 0)
    while found := log.unlogged_deeds(conn, after, AT_ONCE):
        opened = log_deeds.stored(conn, found)
        log.add_pending(conn, [(leaves.DEED, *key, opened[key].entry) for key in found if key in opened])
        adopted, after = adopted + len(found), found[-1]
    return adopted
