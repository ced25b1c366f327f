"""Retire: use credits up for a beneficiary and a purpose, for ever, and certify it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from backend import auth, queue
from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import credits, db, orders, pools, registry, retirements
from backend.usecases import (
    answer_once,
    declare_partner,
    list_batches,
    log_facts,
    move_credits,
    review_entity,
    tell_client,
)
from rewards import certificates, ledger, retirement, serials

_NAMES = ("name", "name_en", "uscc")


def retire_credits(
    platform: Platform, request: answer_once.KeyedRequest, wish: dict[str, Any], now: datetime
) -> answer_once.Answer:
    """wish: quantity_g, beneficiary or beneficiaries (each with quantity_g), purpose, period_from, period_to,
    jurisdiction, and perhaps batch, demonstration, on_behalf_of, footprint, neutrality_claim, note. The certificate,
    signed; its PDF is made afterwards.

    Raises Problem request_invalid (also for an entity that is refused or of another name), entity_waiting (real
    credits for an entity that has not been reviewed), not_enough_held, own_boundary.
    """
    _check(wish)
    with platform.db.transaction() as conn:  # by itself: what waits for a review waits for it although this is refused
        for _, entity in _entities(wish):
            review_entity.note_first_use(conn, request.client_id, entity, now)

    def work(conn: db.Connection) -> answer_once.Answer:
        credits.lock_owner(conn, request.client_id)
        asked, waiting = _with_entities(conn, request.client_id, wish, now)
        blocks = find_held(conn, platform, request.client_id, wish)
        retirement_id = retirements.take_id(conn)
        number = certificates.number(retirement_id, now)
        moved = move_credits.move_credits(
            conn, blocks, wish["quantity_g"], ledger.RETIRED, number, reason="retire", ref_id=retirement_id, at=now
        )
        retirements.add_retirement(
            conn, retirement_id=retirement_id, number=number, client_id=request.client_id,
            quantity_g=wish["quantity_g"], request=asked, retired_at=now,
        )  # fmt: skip
        orders.make_final(conn, request.client_id, moved, now)
        told = {"certificate": number, "quantity_g": wish["quantity_g"]}
        tell_client.tell_client(conn, request.client_id, "credits.retired", told, now)
        certified = _certify(conn, platform, request.client_id, number, asked, moved, waiting, now)
        log_facts.log_facts(conn, "retirement", [retirement_id])
        registry.add_retirement(conn, retirement_id)
        return certified

    answer = answer_once.answer_once(platform, request, now, work)
    enqueue_rendering(platform, answer["certificate"]["number"])
    return answer


def enqueue_rendering(platform: Platform, number: str) -> bool:
    """Ask for the PDF; False when Redis is away (the scheduler will ask again)."""
    return queue.enqueue(platform.redis, "backend.workers.jobs.render", f"render-{number}", number)


def find_held(
    conn: db.Connection, platform: Platform, client_id: str, wish: dict[str, Any], *, using: bool = True
) -> list[credits.Block]:
    """The company's held blocks that may be used for a wish, or given away, as many as it takes or more.

    Demonstration credits and real ones never share a certificate; batches with too much of the company's own in them
    are left out of what it uses. Raises Problem not_enough_held, own_boundary.
    """
    demonstration = wish.get("demonstration", platform.settings.demonstration)
    batches = [wish["batch"]] if wish.get("batch") else None
    held = credits.blocks(conn, ledger.HELD, client_id, batches, demonstration)
    moving = credits.blocks(conn, ledger.HELD, client_id, batches, demonstration, frozen=False)
    own = refused_batches(conn, platform, client_id, {block.batch_id for block in moving}) if using else set()
    usable = [block for block in moving if block.batch_id not in own]
    wanted_g, held_g, moving_g, usable_g = wish["quantity_g"], _grams(held), _grams(moving), _grams(usable)
    if usable_g >= wanted_g:
        return usable
    figures = {"held_g": held_g, "frozen_g": held_g - moving_g, "own_g": moving_g - usable_g}
    if moving_g >= wanted_g:
        text = (
            f"所持 {figures['own_g']} 克来自贵公司自有合作方占比过高的批次，不得使用 · {figures['own_g']} g of "
            "what you hold are of batches that came too largely through partners of your own: you may not use them"
        )
        raise Problem("own_boundary", text, extra=figures)
    text = f"持有 {held_g} 克，不足 {wanted_g} 克 · you hold {held_g} g of this, less than asked for"
    if figures["frozen_g"]:
        text += (
            f"（其中 {figures['frozen_g']} 克所在批次已冻结 · {figures['frozen_g']} g of them are in frozen batches）"
        )
    raise Problem("not_enough_held", text, extra=figures)


def _grams(blocks: Sequence[credits.Block]) -> int:
    return sum(block.span.quantity_g for block in blocks)


def refused_batches(conn: db.Connection, platform: Platform, client_id: str, batches: set[int]) -> set[int]:
    """Those that came too largely through partners inside the company's own boundary."""
    refused = set()
    for batch_id, share_ppm in declare_partner.own_shares(conn, client_id, sorted(batches)).items():
        batch = pools.batch(conn, batch_id)
        if batch and declare_partner.is_refused(platform, batch["vintage_month"], share_ppm):
            refused.add(batch_id)
    return refused


def _entities(wish: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where it stands, entity) of all that a wish names."""
    for name in ("beneficiary", "on_behalf_of"):
        if wish.get(name):
            yield name, wish[name]
    for place, one in enumerate(wish.get("beneficiaries") or ()):
        yield f"beneficiaries.{place}", one


def _check(wish: dict[str, Any]) -> None:
    """Raises Problem request_invalid for what contradicts itself."""
    if bool(wish.get("beneficiary")) == bool(wish.get("beneficiaries")):
        text = "写 beneficiary 或 beneficiaries，二者取一 · say either `beneficiary` or `beneficiaries`"
        raise field_problem("beneficiary", "field_invalid", text)
    parts_g = [one["quantity_g"] for one in wish.get("beneficiaries") or ()]
    if parts_g and sum(parts_g) != wish["quantity_g"]:
        text = f"各受益人之和 {sum(parts_g)} 克 · the beneficiaries' parts add up to {sum(parts_g)} g"
        raise field_problem("beneficiaries", "field_invalid", text)
    for where, entity in _entities(wish):
        if mistake := retirement.uscc_mistake(entity["uscc"]):
            raise field_problem(f"{where}.uscc", "uscc_invalid", mistake)
    if wish["period_to"] < wish["period_from"]:
        raise field_problem("period_to", "field_invalid", "期间的结束早于开始 · the period ends before it begins")
    if wish.get("neutrality_claim") and not wish.get("footprint"):
        text = "声明中和须同时陈述足迹 · a claim of neutrality needs the stated footprint"
        raise field_problem("footprint", "field_invalid", text)


def _with_entities(
    conn: db.Connection, client_id: str, wish: dict[str, Any], now: datetime
) -> tuple[dict[str, Any], bool]:
    """The wish with every entity under its one name, and whether one of them still waits for its review.

    Raises Problem request_invalid, entity_waiting.
    """
    asked, waiting = dict(wish), False
    asked["beneficiaries"] = list(wish.get("beneficiaries") or ())
    for where, given in _entities(wish):
        known = review_entity.find(conn, client_id, where, given, now)
        named = given if known["state"] == "waiting" else known
        entity = {name: named[name] for name in _NAMES if named.get(name)}
        waiting = waiting or known["state"] == "waiting"
        field, _, place = where.partition(".")
        if place:
            asked[field][int(place)] = entity | {"quantity_g": given["quantity_g"]}
        else:
            asked[field] = entity
    return asked, waiting


def _certify(
    conn: db.Connection, platform: Platform, client_id: str, number: str, asked: dict[str, Any],
    moved: dict[int, list[serials.Span]], waiting: bool, now: datetime,
) -> answer_once.Answer:  # fmt: skip
    """Write and sign the certificate of what has just been moved. Raises Problem entity_waiting."""
    own = declare_partner.own_shares(conn, client_id, sorted(moved))
    sources = [_source(platform, row, moved, own.get(row["batch_id"], 0)) for row in retirements.sources(conn, moved)]
    if waiting and not any(source.demonstration for source in sources):
        raise Problem("entity_waiting")
    body = certificates.certificate(
        number=number,
        retired_at=now,
        company={"id": client_id, "name": retirements.client_name(conn, client_id)},
        request=asked,
        sources=sources,
        issuer=platform.settings.public_url,
        url=f"{platform.settings.public_url}/v1/certificates/{number}",
        waiting=waiting,
    )
    canonical, key = certificates.canonical(body), platform.proof_keys[0]
    signature = auth.sign(key, canonical)
    retirements.add_certificate(conn, number, canonical.decode(), key.kid, key.algorithm, signature)
    return {"certificate": body, "signature": {"kid": key.kid, "alg": key.algorithm, "value": signature}}


def _source(
    platform: Platform, row: dict[str, Any], moved: dict[int, list[serials.Span]], own_ppm: int
) -> certificates.Source:
    region = list_batches.region(platform, row["region"])
    pack = list_batches.methodology(platform, row["pack_code"], row["pack_version"])
    return certificates.Source(
        **row,
        region_zh=region["zh"],
        region_en=region["en"],
        pack_zh=pack["zh"],
        pack_en=pack["en"],
        own_ppm=own_ppm,
        spans=serials.joined(moved[row["batch_id"]]),
    )
