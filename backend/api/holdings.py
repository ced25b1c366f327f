"""Holdings and retirements of a company."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import batches, certificates, offers
from backend.usecases import answer_once, list_holdings, list_retirements, retire_credits, transfer_credits
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


class BeneficiarySchema(EntitySchema):
    """One of several, with its part."""

    quantity_g = api.Whole(required=True, validate=offers.QUANTITY)


class NeutralityClaimSchema(Schema):
    """A claim of the beneficiary's: what it reduced itself before it compensated the rest."""

    own_reductions_g = api.Whole(required=True, validate=validate.Range(0, 10**15))
    statement = api.text(1000, required=True)


class FootprintSchema(Schema):
    """What the company states that it retires against."""

    quantity_g = api.Whole(required=True, validate=offers.QUANTITY)
    boundary = api.text(300, required=True)


class RetirementRequestSchema(Schema):
    quantity_g = api.Whole(required=True, validate=offers.QUANTITY)
    batch = api.Whole(validate=validate.Range(1, 2**63 - 1), metadata={"description": "default: the oldest"})
    demonstration = fields.Boolean(metadata={"description": "as in a quote"})
    beneficiary = fields.Nested(EntitySchema, metadata={"description": "or beneficiaries"})
    beneficiaries = fields.List(
        fields.Nested(BeneficiarySchema), validate=validate.Length(1, 50),
        metadata={"description": "several, whose parts add up to quantity_g"},
    )  # fmt: skip
    purpose = fields.String(required=True, validate=validate.OneOf(list(retirement.PURPOSES)))
    period_from = fields.Date(required=True)
    period_to = fields.Date(required=True)
    jurisdiction = fields.String(
        load_default="CN",
        validate=validate.Regexp(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?(?!\n)$"),
        metadata={"description": "ISO 3166"},
    )
    footprint = fields.Nested(FootprintSchema)
    neutrality_claim = fields.Nested(NeutralityClaimSchema, metadata={"description": "needs footprint"})
    on_behalf_of = fields.Nested(EntitySchema)
    note = api.text(500)


class RetirementSchema(Schema):
    number = fields.String(required=True, metadata={"description": "of its certificate"})
    quantity_g = fields.Integer(required=True)
    beneficiaries = fields.List(fields.Dict(), required=True)
    purpose = fields.String(required=True)
    period_from = fields.String(required=True)
    period_to = fields.String(required=True)
    demonstration = fields.Boolean(required=True)
    has_pdf = fields.Boolean(required=True)
    retired_at = api.Instant(required=True)


class RetirementsSchema(Schema):
    items = fields.List(fields.Nested(RetirementSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class TransferRequestSchema(Schema):
    quantity_g = api.Whole(required=True, validate=offers.QUANTITY)
    to = fields.String(validate=validate.Length(1, 64), metadata={"description": "a company's client id"})
    registry = api.text(100, metadata={"description": "or another registry: ours are used up, for ever"})
    registry_note = api.text(300, metadata={"description": "the account there"})
    batch = api.Whole(validate=validate.Range(1, 2**63 - 1), metadata={"description": "default: the oldest"})
    demonstration = fields.Boolean(metadata={"description": "as in a quote"})


class TransferSchema(Schema):
    id = fields.Integer(required=True)
    quantity_g = fields.Integer(required=True)
    to = fields.String(required=True, allow_none=True)
    registry = fields.String(required=True, allow_none=True)
    serials = fields.List(fields.String(), required=True)
    made_at = api.Instant(required=True)


class TransferLineSchema(Schema):
    id = fields.Integer(required=True)
    quantity_g = fields.Integer(required=True)
    from_ = fields.String(required=True, data_key="from", attribute="from")
    from_name = fields.String(required=True)
    to = fields.String(required=True, allow_none=True)
    to_name = fields.String(required=True, allow_none=True)
    registry = fields.String(required=True, allow_none=True)
    registry_note = fields.String(required=True, allow_none=True)
    made_at = api.Instant(required=True)


class TransfersSchema(Schema):
    items = fields.List(fields.Nested(TransferLineSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


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
    """Use credits up, for ever; the certificate. Its PDF follows. An entity that is named for the first time is looked
    into; real credits wait for that. Errors: request_invalid, entity_waiting, not_enough_held, own_boundary."""
    return retire_credits.retire_credits(api.platform(), keyed, wish, datetime.now(UTC))


@blp.route("/retirements")
@auth.allow("company")
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, RetirementsSchema)
def list_own_retirements(args: dict[str, Any]) -> dict[str, Any]:
    """The company's retirements, newest first."""
    place = api.read_place(args, int)
    return api.page(*list_retirements.list_retirements(api.platform(), g.caller.id, place, args["limit"]))


@blp.route("/transfers", methods=["POST"])
@auth.allow("company")
@blp.arguments(TransferRequestSchema)
@blp.response(201, TransferSchema)
@blp.keyed
def create_transfer(wish: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Give held grams to another company, or take them out to another registry. Errors: request_invalid,
    not_enough_held, own_boundary."""
    return transfer_credits.transfer_credits(api.platform(), keyed, wish, datetime.now(UTC))


@blp.route("/transfers")
@auth.allow("company")
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, TransfersSchema)
def list_own_transfers(args: dict[str, Any]) -> dict[str, Any]:
    """What the company gave and received, newest first."""
    place = api.read_place(args, int)
    return api.page(*transfer_credits.list_transfers(api.platform(), g.caller.id, place, args["limit"]))
