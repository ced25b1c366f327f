"""Prices: what was paid and what is asked for, for anybody; the operator's price rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import offers
from backend.usecases import answer_once, list_prices, set_price
from rewards import pricing

blp = api.Routes("prices", __name__, url_prefix="/v1", description="价格 · Prices")


class PricesArgs(Schema):
    region = api.region()
    methodology = api.methodology()
    vintage = api.Month(attribute="vintage_month", metadata={"example": "2026-06"})
    demonstration = fields.Boolean(metadata={"description": "as in a quote: never mixed with real ones"})
    days = fields.Integer(load_default=365, validate=validate.Range(1, 3660))


class DaySchema(Schema):
    """What was paid on a civil day (Asia/Shanghai); days without a sale are left out."""

    on = fields.Date(required=True, attribute="on_day")
    quantity_g = fields.Integer(required=True)
    amount_fen = fields.Integer(required=True)
    low_fen_per_tonne = fields.Integer(required=True)
    high_fen_per_tonne = fields.Integer(required=True)
    average_fen_per_tonne = fields.Integer(required=True, metadata={"description": "by grams, rounded down"})


class DaysSchema(Schema):
    items = fields.List(fields.Nested(DaySchema), required=True)


class PriceRuleRequestSchema(Schema):
    """Of what a rule leaves out any will do. The rule that names most holds, a batch above all, of those the newest."""

    batch = api.Whole(attribute="batch_id", validate=validate.Range(1, 2**63 - 1))
    region = api.region()
    methodology = api.methodology()
    vintage = api.Month(attribute="vintage_month")
    tiers = fields.List(
        fields.Nested(offers.TierSchema), required=True, validate=validate.Length(0, pricing.TIERS_MAX),
        metadata={"description": "ascending, the first from 1 g; none: the rule of this very scope is taken back"},
    )  # fmt: skip
    valid_from = fields.AwareDateTime(metadata={"description": "default: now; never in the past"})


class PriceRuleSchema(Schema):
    id = fields.Integer(required=True)
    batch = fields.Integer(required=True, allow_none=True)
    region = fields.String(required=True, allow_none=True)
    methodology = fields.String(required=True, allow_none=True)
    vintage = fields.String(required=True, allow_none=True)
    tiers = fields.List(fields.Nested(offers.TierSchema), required=True)
    valid_from = api.Instant(required=True)
    made_at = api.Instant(required=True)


class PriceRulesSchema(Schema):
    items = fields.List(fields.Nested(PriceRuleSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


@blp.route("/prices")
@auth.allow(auth.ANYONE)
@blp.arguments(PricesArgs, location="query")
@blp.response(200, DaysSchema)
def list_paid_prices(args: dict[str, Any]) -> dict[str, Any]:
    """What companies paid, day by day, oldest first."""
    return {"items": list_prices.list_prices(api.platform(), args, args["days"], datetime.now(UTC))}


@blp.route("/prices/rules")
@auth.allow(auth.ANYONE)
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, PriceRulesSchema)
def list_price_rules(args: dict[str, Any]) -> dict[str, Any]:
    """Every price rule that was ever made, newest first."""
    return api.page(*list_prices.list_rules(api.platform(), api.read_place(args, int), args["limit"]))


@blp.route("/operator/prices", methods=["POST"])
@auth.allow("operator")
@blp.arguments(PriceRuleRequestSchema)
@blp.response(201, PriceRuleSchema)
@blp.keyed
def add_price_rule(rule: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Ask for another price; quotes that were given hold. Errors: not_found, request_invalid."""
    return set_price.set_price(api.platform(), keyed, rule, datetime.now(UTC))
