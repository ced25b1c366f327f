"""Holdings and retirements of a company."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import batches, certificates, offers
from backend.usecases import answer_once, list_holdings, retire_credits
from rewards import retirement

blp = api.Routes("holdings", __name__, url_prefix="/v1", description="持有与注销 · Holdings and retirements")


class HoldingSchema(batches.OriginSchema):
    batch = fields.Integer(required=True)
    held_g = fields.Integer(required=True)
    retired_g = fields.Integer(required=True)
    serials = fields.List(fields.String(), required=True, metadata={"description": "of what is held"})


class HoldingsSchema(Schema):
    held_g = fields.Integer(required=True)
    retired_g = fields.Integer(required=True)
    batches = fields.List(fields.Nested(HoldingSchema), required=True)


class EntitySchema(Schema):
    """A legal entity by its name and 统一社会信用代码 (GB 32100)."""

    name = api.text(100, required=True)
    name_en = api.text(150)
    uscc = api.text(40, required=True, metadata={"example": "91350100M000100Y43"})


class FootprintSchema(Schema):
    """What the company states that it retires against."""

    quantity_g = api.Whole(required=True, validate=offers.QUANTITY)
    boundary = api.text(300, required=True)


class RetirementRequestSchema(Schema):
    quantity_g = api.Whole(required=True, validate=offers.QUANTITY)
    batch = api.Whole(validate=validate.Range(1, 2**63 - 1), metadata={"description": "default: the oldest"})
    demonstration = fields.Boolean(metadata={"description": "as in a quote"})
    beneficiary = fields.Nested(EntitySchema, required=True)
    purpose = fields.String(required=True, validate=validate.OneOf(list(retirement.PURPOSES)))
    period_from = fields.Date(required=True)
    period_to = fields.Date(required=True)
    jurisdiction = fields.String(
        load_default="CN",
        validate=validate.Regexp(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?(?!\n)$"),
        metadata={"description": "ISO 3166"},
    )
    footprint = fields.Nested(FootprintSchema)
    on_behalf_of = fields.Nested(EntitySchema)
    note = api.text(500)


@blp.route("/holdings")
@auth.allow("company")
@blp.response(200, HoldingsSchema)
def get_holdings() -> dict[str, Any]:
    """What the company holds and has retired, by batch."""
    return list_holdings.list_holdings(api.platform(), g.caller.id)


@blp.route("/retirements", methods=["POST"])
@auth.allow("company")
@blp.arguments(RetirementRequestSchema)
@blp.response(201, certificates.SignedCertificateSchema)
@blp.keyed
def create_retirement(wish: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Use credits up, for ever; the certificate. Its PDF follows. Errors: request_invalid, not_enough_held."""
    return retire_credits.retire_credits(api.platform(), keyed, wish, datetime.now(UTC))
