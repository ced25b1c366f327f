"""Offers and quotes: what is for sale, and at what price."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import batches, pools
from backend.usecases import answer_once, list_offers, quote_credits

blp = api.Routes("offers", __name__, url_prefix="/v1", description="报价 · Offers")

QUANTITY = validate.Range(1, 10**13)


PRICE = validate.Range(1, 10**9)


class TierSchema(Schema):
    """The price of an order of that many grams and more."""

    from_g = api.Whole(required=True, validate=QUANTITY)
    price_fen_per_tonne = api.Whole(required=True, validate=PRICE)


class OfferSchema(batches.OriginSchema):
    batch = fields.Integer(required=True)
    gas_basis = fields.String(required=True)
    available_g = fields.Integer(required=True)
    price_fen_per_tonne = fields.Integer(required=True, metadata={"description": "for a tonne, or all there is"})
    prices = fields.List(fields.Nested(TierSchema), required=True)


class OffersSchema(Schema):
    items = fields.List(fields.Nested(OfferSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class QuoteRequestSchema(Schema):
    quantity_g = api.Whole(required=True, validate=QUANTITY, metadata={"example": 1_000_000})
    region = api.region()
    methodology = api.methodology()
    vintage = api.Month(attribute="vintage_month")
    demonstration = fields.Boolean(metadata={"description": "default: whether this platform is one"})
    partial_ = fields.Boolean(
        data_key="partial",
        attribute="partial",
        load_default=False,
        metadata={"description": "take what there is, if it is less"},
    )
    limit_fen_per_tonne = api.Whole(validate=PRICE, metadata={"description": "buy nothing dearer"})


class LineSchema(Schema):
    batch = fields.Integer(required=True)
    quantity_g = fields.Integer(required=True)
    price_fen_per_tonne = fields.Integer(required=True)
    amount_fen = fields.Integer(required=True)


class QuoteSchema(Schema):
    id = fields.Integer(required=True)
    quantity_g = fields.Integer(required=True)
    asked_g = fields.Integer(required=True, metadata={"description": "more than quantity_g where partial"})
    amount_fen = fields.Integer(required=True, metadata={"description": "all lines together, rounded up once"})
    currency = fields.String(required=True)
    lines = fields.List(fields.Nested(LineSchema), required=True)
    demonstration = fields.Boolean(required=True)
    expires_at = api.Instant(required=True)


@blp.route("/offers")
@auth.allow(auth.ANYONE)
@blp.arguments(pools.OriginFilterArgs, location="query")
@blp.response(200, OffersSchema)
def list_open_offers(args: dict[str, Any]) -> dict[str, Any]:
    """Batches with grams to sell. A province's code takes its cities too."""
    wanted, place = (
        {name: args.get(name) for name in ("region", "pack_code", "vintage_month")},
        api.read_place(args, int),
    )
    return api.page(*list_offers.list_offers(api.platform(), wanted, place or 0, args["limit"], datetime.now(UTC)))


@blp.route("/quotes", methods=["POST"])
@auth.allow("company")
@blp.arguments(QuoteRequestSchema)
@blp.response(201, QuoteSchema)
@blp.keyed
def create_quote(wish: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """A price that holds for 15 minutes; nothing is set aside yet. Errors: sold_out."""
    return quote_credits.quote_credits(api.platform(), keyed, wish, datetime.now(UTC))
