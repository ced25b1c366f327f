"""Pools: what waits to be pooled, and closing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import batches
from backend.usecases import answer_once, cap_collection, close_pool, list_pools

blp = api.Routes("pools", __name__, url_prefix="/v1", description="减排池 · Pools")

READERS = ("operator", "verifier", "regulator", "company")


class OriginFilterArgs(api.PageArgs):
    region = api.region()
    methodology = api.methodology()
    vintage = api.Month(attribute="vintage_month", metadata={"example": "2026-06"})


class WhyNotSchema(Schema):
    code = fields.String(required=True, metadata={"enum": ["not_approved", "too_early", "conflict"]})
    detail = fields.String(required=True)


class PoolSchema(batches.OriginSchema):
    id = fields.String(required=True, metadata={"example": "310000.cycling.1.0.202606"})
    state = fields.String(required=True, metadata={"enum": ["open", "closable"]})
    why_not = fields.Nested(WhyNotSchema, required=True, allow_none=True)
    closable_on = fields.Date(required=True, metadata={"description": "first civil day, Asia/Shanghai"})
    open_deeds = fields.Integer(required=True, allow_none=True, metadata={"description": "all deeds in no batch yet"})
    deeds = fields.Integer(required=True, allow_none=True, metadata={"description": "of them, what closing takes"})
    over_cap_deeds = fields.Integer(
        required=True, allow_none=True, metadata={"description": "beyond a partner's cap: they stay with the citizens"}
    )
    people = fields.Integer(required=True, allow_none=True)
    reduction_mg = fields.Integer(required=True, allow_none=True)


class PoolsSchema(Schema):
    items = fields.List(fields.Nested(PoolSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class CapRequestSchema(Schema):
    methodology = api.methodology()
    from_month = api.Month(required=True, metadata={"example": "2026-06"})
    cap_mg = api.Whole(
        required=True, allow_none=True, validate=validate.Range(0, batches.MG_MAX),
        metadata={"description": "of every pool; null: no cap from that month on"},
    )  # fmt: skip
    document = api.text(300, required=True, metadata={"description": "what it rests on"})


class CapSchema(Schema):
    partner = fields.String(required=True)
    name = fields.String(required=True)
    methodology = fields.String(required=True, allow_none=True)
    from_month = fields.String(required=True)
    cap_mg = fields.Integer(required=True, allow_none=True)
    document = fields.String(required=True)


class CapsSchema(Schema):
    items = fields.List(fields.Nested(CapSchema), required=True)


@blp.route("/pools")
@auth.allow(*READERS)
@blp.arguments(OriginFilterArgs, location="query")
@blp.response(200, PoolsSchema)
def list_open_pools(args: dict[str, Any]) -> dict[str, Any]:
    """Pools with deeds in no batch yet. Companies see no totals that rest on fewer than 20 people."""
    place, limit = api.read_place(args, str), args["limit"]
    wanted = {name: args.get(name) for name in ("region", "pack_code", "vintage_month")}
    return api.page(
        *list_pools.list_pools(api.platform(), g.caller.role, wanted, place or "", limit, datetime.now(UTC))
    )


@blp.route("/pools/<pool_id>")
@auth.allow(*READERS)
@blp.response(200, PoolSchema)
def get_pool(pool_id: str) -> dict[str, Any]:
    """One pool. Errors: not_found."""
    return list_pools.show_pool(api.platform(), g.caller.role, pool_id, datetime.now(UTC))


@blp.route("/pools/<pool_id>/close", methods=["POST"])
@auth.allow("operator")
@blp.response(201, batches.BatchSchema)
def close_open_pool(pool_id: str) -> dict[str, Any]:
    """Close a pool: its deeds become a batch, for ever. Errors: not_found, not_approved, too_early, conflict."""
    return close_pool.close_pool(api.platform(), pool_id, g.caller.id, datetime.now(UTC))


@blp.route("/operator/partners/<partner>/caps", methods=["POST"])
@auth.allow("operator")
@blp.arguments(CapRequestSchema)
@blp.response(201, CapsSchema)
@blp.keyed
def cap_partner(cap: dict[str, Any], partner: str, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Cap what a partner collects of every pool; the latest deeds beyond it stay with the citizens. Errors: not_found,
    conflict."""
    return cap_collection.cap_collection(api.platform(), keyed, partner, cap, datetime.now(UTC))


@blp.route("/caps")
@auth.allow("operator", "verifier", "regulator", "partner")
@blp.response(200, CapsSchema)
def list_collection_caps() -> dict[str, Any]:
    """All caps; a partner sees its own."""
    own = g.caller.id if g.caller.role == "partner" else None
    return {"items": cap_collection.list_caps(api.platform(), own)}
