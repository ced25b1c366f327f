"""Recall what deeds in a batch lose after its close.

Before the issue it lowers what is minted. After it, grams are cancelled: the batch's unsold ones, then its correction
reserve, then reserves of older batches of the methodology. What is ordered, held or retired never changes; what no
gram could be found for is owed, in public, and stops the offers of the series.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from backend.platform import Platform
from backend.store import credits, db, notices, recalls
from backend.usecases import amend_batch, log_facts, move_credits, tell_client
from rewards import ledger, recalling


@dataclass(frozen=True, slots=True)
class Lowered:
    """A deed of a batch that is worth less than the books said before; negative: more."""

    batch_id: int
    deed_id: int
    recalled_mg: int


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a recall did to a batch."""

    batch_id: int
    recalled_mg: int
    cancelled_g: int
    owed_g: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of one batch, and the grams that are to be cancelled for it."""

    state: recalls.State
    taken: Sequence[recalling.Source]


def recall(
    conn: db.Connection, platform: Platform, batch_id: int, deed_id: int, recalled_mg: int, now: datetime
) -> None:
    """Recall one deed; see `recall_all`, which is for many."""
    recall_all(conn, platform, [Lowered(batch_id, deed_id, recalled_mg)], now)


def recall_all(conn: db.Connection, platform: Platform, lowered: Sequence[Lowered], now: datetime) -> list[Recalled]:
    """Recall deeds whose persons are locked; what it did, by batch.

    What a deed gains is recorded, but never adds to a batch: it only makes up for what the same deed lost before.
    Raises ClaimLost when grams that were to be cancelled went elsewhere meanwhile.
    """
    if not lowered:
        return []
    causes = recalls.find_causes(conn, [one.deed_id for one in lowered])
    rises = _rises(recalls.find_nets(conn, [one.deed_id for one in lowered]), lowered)
    by_batch: dict[int, set[str]] = defaultdict(set)
    for one in lowered:
        by_batch[one.batch_id].add(causes.get(one.deed_id, ""))
    locked = {*rises, *(s.batch_id for plan in _plans(conn, rises, by_batch) for s in plan.taken)}
    credits.lock_batches(conn, locked)
    plans = _plans(conn, rises, by_batch)
    if not {s.batch_id for plan in plans for s in plan.taken} <= locked:
        raise db.ClaimLost
    rows = [(one.batch_id, one.deed_id, one.recalled_mg, causes.get(one.deed_id, "")) for one in lowered]
    log_facts.log_facts(conn, "recall", recalls.add_recalls(conn, rows, now))
    return [_carry_out(conn, platform, plan, rises[plan.state.batch_id], now) for plan in plans]


def cover_from_unsold(conn: db.Connection, platform: Platform, batches: Collection[int], now: datetime) -> None:
    """Grams that came back to batches which owe some are cancelled. The batches must be locked."""
    for state in recalls.find_states(conn, batches).values():
        own = [s for s in recalls.find_sources(conn, state.batch_id, (), ()) if s.batch_id == state.batch_id]
        taken, owed_g = recalling.draw(state.owed_g, own)
        if taken:
            settle(conn, platform, replace(state, owed_g=owed_g), taken, "", now)


def settle(
    conn: db.Connection, platform: Platform, state: recalls.State, taken: Iterable[recalling.Source], made_by: str,
    now: datetime,
) -> None:  # fmt: skip
    """Cancel what was taken, keep the state, amend. The batches must be locked."""
    for source in taken:
        _cancel(conn, state.batch_id, source, made_by, now)
    recalls.set_state(conn, state.batch_id, state.recalled_mg, state.owed_g)
    amend_batch.amend_batch(conn, platform, state, now)


def tell_cost(
    conn: db.Connection, client_id: str, points: int, recalled: Sequence[Recalled], now: datetime
) -> None:  # fmt: skip
    """Tell a partner what its corrections cost: points that people keep at its expense, and grams recalled."""
    cancelled_g, owed_g = sum(r.cancelled_g for r in recalled), sum(r.owed_g for r in recalled)
    recalled_mg = sum(r.recalled_mg for r in recalled)
    if points or recalled:
        body = {
            "points": points, "recalled_mg": recalled_mg, "cancelled_g": cancelled_g, "owed_g": owed_g,
            "batches": [r.batch_id for r in recalled],
            "zh": f"更正的代价：由贵方承担的积分 {points}，召回 {recalled_mg} 毫克，取消 {cancelled_g} 克。",
            "en": f"What your corrections cost: {points} points borne by you, {recalled_mg} mg recalled, "
            f"{cancelled_g} g cancelled.",
        }  # fmt: skip
        notices.add_notice(conn, client_id, "correction_cost", None, body, now)
        tell_client.tell_client(conn, client_id, "correction.cost", body, now)


def _rises(nets: dict[int, int], lowered: Iterable[Lowered]) -> dict[int, int]:
    """batch -> by how much what it recalled in all grows (or falls, where a deed got back what it had lost)."""
    rises: Counter[int] = Counter()
    for one in lowered:
        before = nets.get(one.deed_id, 0)
        nets[one.deed_id] = before + one.recalled_mg
        rises[one.batch_id] += recalling.counted_mg([nets[one.deed_id]]) - recalling.counted_mg([before])
    return dict(rises)


def _plans(conn: db.Connection, rises: Mapping[int, int], causes: Mapping[int, Iterable[str]]) -> list[_Plan]:
    """Batch after batch, none counting on grams that another one before it takes."""
    states = recalls.find_states(conn, rises)
    used: Counter[tuple[int, str]] = Counter()
    plans = []
    for batch_id in sorted(rises):
        state = states[batch_id]
        state = replace(state, recalled_mg=state.recalled_mg + rises[batch_id])
        missing_g = recalling.needed_g(state.recalled_mg, state.before_mg) - state.cancelled_g if state.issued else 0
        sources = recalls.find_sources(conn, batch_id, rises, causes[batch_id]) if missing_g > 0 else []
        left = [replace(s, quantity_g=s.quantity_g - used[s.batch_id, s.place]) for s in sources]
        taken, owed_g = recalling.draw(missing_g, left)
        used.update({(s.batch_id, s.place): s.quantity_g for s in taken})
        plans.append(_Plan(replace(state, owed_g=owed_g), taken))
    return plans


def _carry_out(conn: db.Connection, platform: Platform, plan: _Plan, rise_mg: int, now: datetime) -> Recalled:
    state = plan.state
    if rise_mg or plan.taken:
        settle(conn, platform, state, plan.taken, "", now)
    return Recalled(state.batch_id, rise_mg, sum(s.quantity_g for s in plan.taken), state.owed_g)


def _cancel(conn: db.Connection, batch_id: int, source: recalling.Source, made_by: str, now: datetime) -> None:
    """Cancel grams where they are; they say for which cancellation, and the books for which batch."""
    number = recalls.add_cancellation(conn, batch_id, source, made_by, now)
    blocks = credits.blocks(conn, source.place, batches=[source.batch_id])
    move_credits.move_credits(
        conn, blocks, source.quantity_g, ledger.CANCELLED, str(number),
        reason=recalling.reason(source.batch_id, batch_id), ref_id=batch_id, at=now,
    )  # fmt: skip
    log_facts.log_facts(conn, "cancellation", [number])
