"""Standing orders: a quantity every month, up to a price."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import offers
from backend.usecases import answer_once, place_standing_orders

blp = api.Routes("standing_orders", __name__, url_prefix="/v1", description="定期订单 · Standing orders")


class StandingRequestSchema(Schema):
    quantity_g = api.Whole(required=True, validate=offers.QUANTITY)
    limit_fen_per_tonne = api.Whole(
        required=True, validate=offers.PRICE, metadata={"description": "buy nothing dearer"}
    )
    day = api.Whole(required=True, validate=validate.Range(1, 28), metadata={"description": "of the month, or later"})
    region = api.region()
    methodology = api.methodology()
    demonstration = fields.Boolean(metadata={"description": "as in a quote"})
    partial_ = fields.Boolean(data_key="partial", attribute="partial", load_default=False)
    until_on = fields.Date(metadata={"description": "the last day on which it may order"})


class RunSchema(Schema):
    month = fields.String(required=True)
    order = fields.Integer(required=True, allow_none=True)
    problem = fields.String(required=True, allow_none=True, metadata={"description": "its code, e.g. sold_out"})


class StandingSchema(Schema):
    id = fields.Integer(required=True)
    quantity_g = fields.Integer(required=True)
    limit_fen_per_tonne = fields.Integer(required=True)
    day = fields.Integer(required=True)
    region = fields.String(required=True, allow_none=True)
    methodology = fields.String(required=True, allow_none=True)
    demonstration = fields.Boolean(required=True)
    partial_ = fields.Boolean(data_key="partial", attribute="partial", required=True)
    until_on = api.Day(required=True, allow_none=True)
    made_at = api.Instant(required=True)
    ended_at = api.Instant(required=True, allow_none=True)
    runs = fields.List(fields.Nested(RunSchema), required=True, metadata={"description": "of the last twelve months"})


class StandingsSchema(Schema):
    items = fields.List(fields.Nested(StandingSchema), required=True)


@blp.route("/standing-orders", methods=["POST"])
@auth.allow("company")
@blp.arguments(StandingRequestSchema)
@blp.response(201, StandingSchema)
@blp.keyed
def create_standing_order(wish: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Order that much every month; what is ordered is paid like any order. Errors: conflict, request_invalid."""
    return place_standing_orders.add_standing_order(api.platform(), keyed, wish, datetime.now(UTC))


@blp.route("/standing-orders")
@auth.allow("company")
@blp.response(200, StandingsSchema)
def list_own_standing_orders() -> dict[str, Any]:
    """The company's standing orders, newest first."""
    return {"items": place_standing_orders.list_standing_orders(api.platform(), g.caller.id)}


@blp.route(f"/standing-orders/<{api.ID}:standing_id>", methods=["DELETE"])
@auth.allow("company")
@blp.response(200, StandingSchema)
def end_own_standing_order(standing_id: int) -> dict[str, Any]:
    """End one; twice is no error. Errors: not_found."""
    return place_standing_orders.end_standing_order(api.platform(), standing_id, g.caller.id, datetime.now(UTC))
