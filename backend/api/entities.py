"""Legal entities and a company's own boundary."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import holdings
from backend.usecases import answer_once, declare_partner, review_entity

blp = api.Routes("entities", __name__, url_prefix="/v1", description="主体与边界 · Entities and boundaries")


class EntityRecordSchema(Schema):
    uscc = fields.String(required=True)
    name = fields.String(required=True)
    name_en = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, metadata={"enum": list(review_entity.STATES)})
    note = fields.String(required=True, allow_none=True)
    asked_at = api.Instant(required=True)
    decided_at = api.Instant(required=True, allow_none=True)


class EntitiesSchema(Schema):
    items = fields.List(fields.Nested(EntityRecordSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class EntitiesArgs(api.PageArgs):
    state = fields.String(validate=validate.OneOf(review_entity.STATES))


class EntityDecisionSchema(Schema):
    state = fields.String(required=True, validate=validate.OneOf(review_entity.STATES[1:]))
    note = api.text(500, required=True, metadata={"description": "what it was held against"})
    name = api.text(100, metadata={"description": "as it stands in the register"})
    name_en = api.text(150)


class OwnPartnerRequestSchema(Schema):
    partner = fields.String(required=True, validate=validate.Length(1, 64), metadata={"description": "client id"})


class OwnPartnerSchema(Schema):
    partner = fields.String(required=True)
    name = fields.String(required=True)
    declared_at = api.Instant(required=True)


class PartnerSchema(Schema):
    partner = fields.String(required=True)
    name = fields.String(required=True)


class OwnPartnersSchema(Schema):
    items = fields.List(fields.Nested(OwnPartnerSchema), required=True)
    partners = fields.List(fields.Nested(PartnerSchema), metadata={"description": "all there are, to choose from"})


@blp.route("/entities", methods=["POST"])
@auth.allow("company")
@blp.arguments(holdings.EntitySchema)
@blp.response(201, EntityRecordSchema)
@blp.keyed
def create_entity(entity: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Have an entity looked into before you retire for it. Errors: request_invalid."""
    return review_entity.add_entity(api.platform(), keyed, entity, datetime.now(UTC))


@blp.route("/entities")
@auth.allow("company")
@blp.arguments(EntitiesArgs, location="query")
@blp.response(200, EntitiesSchema)
def list_own_entities(args: dict[str, Any]) -> dict[str, Any]:
    """The entities that the company was the first to name."""
    return _entities(args, g.caller.id)


@blp.route("/operator/entities")
@auth.allow("operator")
@blp.arguments(EntitiesArgs, location="query")
@blp.response(200, EntitiesSchema)
def list_entities(args: dict[str, Any]) -> dict[str, Any]:
    """All entities; `state=waiting` are those to look into."""
    return _entities(args, None)


@blp.route("/operator/entities/<uscc>", methods=["POST"])
@auth.allow("operator")
@blp.arguments(EntityDecisionSchema)
@blp.response(200, EntityRecordSchema)
@blp.keyed
def decide_entity(decision: dict[str, Any], uscc: str, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Accept or refuse an entity, under its one name; may be decided again. Errors: not_found."""
    return review_entity.decide_entity(api.platform(), keyed, uscc, decision, datetime.now(UTC))


@blp.route("/own-partners", methods=["POST"])
@auth.allow("company")
@blp.arguments(OwnPartnerRequestSchema)
@blp.response(201, OwnPartnersSchema)
@blp.keyed
def declare_own_partner(body: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Declare a partner that is inside your boundary: reductions through it are yours already. Only an operator can end
    a declaration. Errors: not_found."""
    return declare_partner.declare_partner(api.platform(), keyed, body["partner"], datetime.now(UTC))


@blp.route("/own-partners")
@auth.allow("company")
@blp.response(200, OwnPartnersSchema)
def list_own_partners() -> dict[str, Any]:
    """Those declared, and all there are."""
    return declare_partner.list_own_partners(api.platform(), g.caller.id)


@blp.route("/operator/companies/<company>/own-partners/<partner>", methods=["DELETE"])
@auth.allow("operator")
@blp.response(204)
def end_own_partner(company: str, partner: str) -> None:
    """The partner is not inside the company any more. Errors: not_found."""
    declare_partner.end_declaration(api.platform(), company, partner, g.caller.id, datetime.now(UTC))


def _entities(args: dict[str, Any], client_id: str | None) -> dict[str, Any]:
    place = api.read_place(args, str)
    return api.page(*review_entity.list_entities(api.platform(), args.get("state"), client_id, place, args["limit"]))
