"""Retire: use credits up for a beneficiary and a purpose, for ever, and certify it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend import auth, queue
from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import credits, db, retirements
from backend.usecases import answer_once, list_batches, move_credits
from rewards import certificates, ledger, retirement, serials


def retire_credits(
    platform: Platform, request: answer_once.KeyedRequest, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """wish: quantity_g, beneficiary, purpose, period_from, period_to, jurisdiction, and perhaps batch, demonstration,
    on_behalf_of, footprint, note. The certificate, signed; its PDF is made afterwards.

    Raises Problem request_invalid (a wrong 统一社会信用代码, a period that ends before it begins), not_enough_held.
    """
    _check(wish)

    def work(conn: db.Connection) -> answer_once.Answer:
        credits.lock_owner(conn, request.client_id)
        blocks = _held(conn, platform, request.client_id, wish)
        retirement_id = retirements.take_id(conn)
        number = certificates.number(retirement_id, now)
        moved = move_credits.move_credits(
            conn, blocks, wish["quantity_g"], ledger.RETIRED, number, reason="retire", ref_id=retirement_id, at=now
        )
        retirements.add_retirement(
            conn, retirement_id=retirement_id, number=number, client_id=request.client_id,
            quantity_g=wish["quantity_g"], request=wish, retired_at=now,
        )  # fmt: skip
        return _certify(conn, platform, request.client_id, number, wish, moved, now)

    answer = answer_once.answer_once(platform, request, now, work)
    enqueue_rendering(platform, answer["certificate"]["number"])
    return answer


def enqueue_rendering(platform: Platform, number: str) -> bool:
    """Ask for the PDF; False when Redis is away (the scheduler will ask again)."""
    return queue.enqueue(platform.redis, "backend.workers.jobs.render", f"render-{number}", number)


def _check(wish: dict[str, Any]) -> None:
    for name in ("beneficiary", "on_behalf_of"):
        if wish.get(name) and (mistake := retirement.uscc_mistake(wish[name]["uscc"])):
            raise field_problem(f"{name}.uscc", "uscc_invalid", mistake)
    if wish["period_to"] < wish["period_from"]:
        raise field_problem("period_to", "field_invalid", "期间的结束早于开始 · the period ends before it begins")


def _held(conn: db.Connection, platform: Platform, client_id: str, wish: dict[str, Any]) -> list[credits.Block]:
    """The company's held blocks that may be used. Demonstration credits and real ones never share a certificate."""
    demonstration = wish.get("demonstration", platform.settings.demonstration)
    batches = [wish["batch"]] if wish.get("batch") else None
    blocks = credits.blocks(conn, ledger.HELD, client_id, batches, demonstration, frozen=False)
    usable_g = sum(block.span.quantity_g for block in blocks)
    if usable_g < wish["quantity_g"]:
        held = credits.blocks(conn, ledger.HELD, client_id, batches, demonstration)
        held_g = sum(block.span.quantity_g for block in held)
        frozen_g = held_g - usable_g
        text = f"持有 {held_g} 克，不足 {wish['quantity_g']} 克 · you hold {held_g} g of this, less than asked for"
        if frozen_g:
            text += f"（其中 {frozen_g} 克所在批次已冻结 · {frozen_g} g of them are in frozen batches）"
        raise Problem("not_enough_held", text, extra={"held_g": held_g, "frozen_g": frozen_g})
    return blocks


def _certify(
    conn: db.Connection, platform: Platform, client_id: str, number: str, wish: dict[str, Any],
    moved: dict[int, list[serials.Span]], now: datetime,
) -> answer_once.Answer:  # fmt: skip
    """Write and sign the certificate of what has just been moved."""
    body = certificates.certificate(
        number=number,
        retired_at=now,
        company={"id": client_id, "name": retirements.client_name(conn, client_id)},
        request=wish,
        sources=[_source(platform, row, moved) for row in retirements.sources(conn, moved)],
        issuer=platform.settings.public_url,
        url=f"{platform.settings.public_url}/v1/certificates/{number}",
    )
    canonical, key = certificates.canonical(body), platform.keys[0]
    signature = auth.sign(key, canonical)
    retirements.add_certificate(conn, number, canonical.decode(), key.kid, key.algorithm, signature)
    return {"certificate": body, "signature": {"kid": key.kid, "alg": key.algorithm, "value": signature}}


def _source(platform: Platform, row: dict[str, Any], moved: dict[int, list[serials.Span]]) -> certificates.Source:
    region = list_batches.region(platform, row["region"])
    pack = list_batches.methodology(platform, row["pack_code"], row["pack_version"])
    return certificates.Source(
        **row,
        region_zh=region["zh"],
        region_en=region["en"],
        pack_zh=pack["zh"],
        pack_en=pack["en"],
        spans=serials.joined(moved[row["batch_id"]]),
    )
