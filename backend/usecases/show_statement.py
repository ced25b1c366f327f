"""A person's money: what each sale of their acts brought, who claims the reduction now, and what was paid out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.platform import Platform
from backend.store import money
from backend.usecases import list_batches, pay_out

Place = tuple[datetime, int]


def show_statement(
    platform: Platform, person_id: int, before: Place | None, limit: int
) -> tuple[dict[str, Any], Place | None]:
    """{balance_fen, lines} newest first before a place, and the place to go on before, if any.

    A line's kind: share (of a batch's sales), payout, payout_failed.
    """
    with platform.db.transaction(snapshot=True) as conn:
        rows = money.statement(conn, person_id, before or money.NEWEST_LINE, limit + 1)
        page = rows[:limit]
        claims = money.claimed_by(conn, sorted({row["batch_id"] for row in page if row["batch_id"]}))
        balance_fen = money.person_balance(conn, person_id)
    by_batch: dict[int, list[dict[str, Any]]] = {}
    for claim in claims:
        told = {"name": claim["name_zh"], "name_en": claim["name_en"]}
        told |= {"retired_g": claim["grams"], "certificates": claim["certificates"]}
        by_batch.setdefault(claim["batch_id"], []).append(told)
    last = page[-1] if len(rows) > limit else None
    lines = [_shown(platform, row, by_batch.get(row["batch_id"], [])) for row in page]
    return {"balance_fen": balance_fen, "lines": lines}, (last["posted_at"], last["transfer_id"]) if last else None


def _shown(platform: Platform, row: dict[str, Any], claims: list[dict[str, Any]]) -> dict[str, Any]:
    line = {"id": row["transfer_id"], "kind": row["reason"], "at": row["posted_at"], "amount_fen": row["amount_fen"]}
    if row["batch_id"] is None:
        known = {"id": row["ref_id"], "reference": pay_out.reference(row["ref_id"])}
        return line | {"payout": known | {"method": row["method"], "state": row["payout_state"]}}
    return line | {
        "batch": {"id": row["batch_id"], **list_batches.origin(platform, row)},
        "own_mg": row["own_mg"],
        "batch_income_fen": row["income_fen"],
        "claimed_by": claims,
        "note": _note(claims, demonstration=row["demonstration"]),
    }


def _note(claims: list[dict[str, Any]], *, demonstration: bool) -> dict[str, str]:
    """Who claims reductions of the batch now: sold is sold, they are no longer the person's to claim."""
    if claims:
        zh = "；".join(f"{claim['name']} {claim['retired_g']} 克" for claim in claims)
        en = "; ".join(f"{claim['name_en']} {claim['retired_g']} g" for claim in claims)
        said = (f"该批次减排量现由下列主体主张：{zh}。", f"Reductions of this batch are now claimed by: {en}.")
    else:
        said = ("该批次的减排量已售出，尚未注销。", "Reductions of this batch have been sold and not retired yet.")
    gone = ("售出部分您不再对其主张权益。", " What was sold is no longer yours to claim.")
    only = ("示范批次，任何人不得据此作出声明。", " A demonstration batch: nobody may make a claim with it.")
    zh, en = (said[n] + gone[n] + only[n] * demonstration for n in (0, 1))
    return {"zh": zh, "en": en}
