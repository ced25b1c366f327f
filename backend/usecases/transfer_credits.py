"""Give held grams to another company, or take them out to another registry: ours are used up before theirs begin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import companies, credits, db, orders, pools
from backend.usecases import answer_once, log_facts, move_credits, retire_credits, tell_client
from rewards import ledger, serials


def transfer_credits(
    platform: Platform, request: answer_once.KeyedRequest, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """wish: quantity_g, and either to (a company) or registry with registry_note; perhaps batch, demonstration.

    Raises Problem request_invalid, not_enough_held.
    """
    if bool(wish.get("to")) == bool(wish.get("registry")):
        raise field_problem("to", "field_invalid", "写 to 或 registry，二者取一 · say either `to` or `registry`")
    if wish.get("to") == request.client_id:
        raise field_problem("to", "field_invalid", "不能转给自己 · that is yourself")

    def work(conn: db.Connection) -> answer_once.Answer:
        to = wish.get("to")
        if to and not companies.company_exists(conn, to):
            raise field_problem("to", "field_invalid", "没有这家公司 · there is no such company")
        for owner in sorted(filter(None, (request.client_id, to))):
            credits.lock_owner(conn, owner)
        blocks = retire_credits.find_held(conn, platform, request.client_id, wish, using=False)
        transfer_id = companies.add_transfer(
            conn, from_client=request.client_id, to_client=to, registry=wish.get("registry"),
            registry_note=wish.get("registry_note"), quantity_g=wish["quantity_g"], at=now,
        )  # fmt: skip
        account, owner = (ledger.HELD, to) if to else (ledger.TRANSFERRED, str(transfer_id))
        moved = move_credits.move_credits(
            conn, blocks, wish["quantity_g"], account, owner, reason="transfer", ref_id=transfer_id, at=now
        )
        if to and retire_credits.refused_batches(conn, platform, to, set(moved)):
            text = (
                "受让方不得使用来自其自有合作方的批次 · the receiver could not use what came through its own partners"
            )
            raise Problem("own_boundary", text)
        orders.make_final(conn, request.client_id, moved, now)
        log_facts.log_facts(conn, "transfer", [transfer_id])
        told = {"transfer": transfer_id, "quantity_g": wish["quantity_g"], "serials": _serials(conn, moved)}
        if to:
            tell_client.tell_client(conn, to, "credits.received", told | {"from": request.client_id}, now)
        return {"id": transfer_id, "to": to, "registry": wish.get("registry"), "made_at": now, **told}

    return answer_once.answer_once(platform, request, now, work)


def list_transfers(
    platform: Platform, client_id: str, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` transfers, given and received, before an id, newest first, and the id to go on before, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = companies.transfers(conn, client_id, before or companies.NEWEST, limit + 1)
    following = rows[limit - 1]["transfer_id"] if len(rows) > limit else None
    names = ("quantity_g", "registry", "registry_note", "from_name", "to_name", "made_at")
    return [
        {"id": r["transfer_id"], "from": r["from_client"], "to": r["to_client"], **{n: r[n] for n in names}}
        for r in rows[:limit]
    ], following


def _serials(conn: db.Connection, moved: dict[int, list[serials.Span]]) -> list[str]:
    texts = []
    for batch_id, spans in sorted(moved.items()):
        batch = pools.batch(conn, batch_id)
        if batch is None:
            raise Problem("not_found")
        place = (batch["region"], batch["pack_code"], batch["vintage_month"], batch_id)
        texts += [str(serials.SerialRange(*place, span)) for span in serials.joined(spans)]
    return texts
