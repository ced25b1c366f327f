"""Other mechanisms' claims: lists that block our deeds, what they met, and ours for them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.usecases import export_claims, import_claims, list_claims, withdraw_claims
from rules.claims import CONFLICTS

blp = api.Routes("claims", __name__, url_prefix="/v1", description="其他机制的主张 · Claims of other mechanisms")

ROWS_MAX = 1000
NAME = {"description": "the other mechanism's name, as agreed: a-z, 0-9, '.', '_', '-'", "example": "ccer"}
REGION = {"description": "GB/T 2260, or CN", "example": "310000"}


class ClaimSchema(Schema):
    """A deed by its number (act_ref or act_digest), or all deeds of a span: operator, activity, region, from, to."""

    mechanism = fields.String(metadata={"description": "where it stands, the same as the list's"})
    kind = fields.String(metadata={"enum": list(CONFLICTS)})
    act_ref = fields.String(metadata={"description": "issuer:number; kept as a keyed digest only"})
    act_digest = fields.String(metadata={"description": "64 hexadecimal digits, under the key shared with it"})
    operator = fields.String(metadata={"description": "a partner's client id or the name of its numbers; * any"})
    asset_ref = fields.String(metadata={"description": "one bike or car of that operator; kept as a keyed digest only"})
    activity = fields.String(metadata={"description": "an event type; * any", "example": "metro.v1"})
    region = fields.String(metadata=REGION)
    from_ = fields.String(data_key="from", metadata={"description": "first civil day", "example": "2026-06-01"})
    to = fields.String(metadata={"description": "last civil day", "example": "2026-06-30"})
    document = fields.String(metadata={"description": "the other registry's own document or project"})


class ListArgs(Schema):
    mechanism = fields.String(required=True, metadata=NAME)
    source = api.text(200, required=True, metadata={"description": "the document this list came as"})
    claims = fields.List(
        fields.Raw(), required=True, validate=validate.Length(1, ROWS_MAX),
        metadata={"items": {"$ref": "#/components/schemas/Claim"}, "description": "each is judged alone"},
    )  # fmt: skip


class RowErrorSchema(Schema):
    line = fields.Integer(required=True, metadata={"description": "the place in the list, from 1"})
    field = fields.String(required=True)
    code = fields.String(required=True, metadata={"enum": ["field_missing", "field_invalid"]})
    detail = fields.String(required=True)


class ConflictSchema(Schema):
    """A deed that was credited before it was found to be claimed, and what holds of it now."""

    deed = fields.String(required=True, allow_none=True, metadata={"description": "our handle of it, for you"})
    list_id = fields.Integer(required=True, data_key="list")
    line = fields.Integer(required=True)
    mechanism = fields.String(required=True)
    kind = fields.String(required=True, metadata={"enum": list(CONFLICTS)})
    conflict = fields.String(required=True, metadata={"enum": list(CONFLICTS.values())})
    document = fields.String(required=True)
    withdrawn = fields.Boolean(required=True, metadata={"description": "the list has been taken back"})
    event = fields.String(required=True, allow_none=True, attribute="event_ref")
    event_type = fields.String(required=True, allow_none=True)
    partner = fields.String(required=True, allow_none=True)
    started_at = api.Instant(required=True, allow_none=True)
    region = fields.String(required=True, allow_none=True)
    verdict = fields.String(required=True, allow_none=True)
    code = fields.String(required=True, allow_none=True)
    reduction_mg = fields.Integer(required=True, allow_none=True)
    pooled = fields.Boolean(required=True)
    batch = fields.Integer(required=True, allow_none=True, attribute="batch_id")
    case = fields.Integer(required=True, allow_none=True, attribute="case_id")
    decision = fields.String(required=True, allow_none=True)
    found_at = api.Instant(required=True)


class ImportedSchema(Schema):
    list_id = fields.Integer(required=True, allow_none=True, data_key="list")
    new = fields.Integer(required=True)
    known = fields.Integer(required=True, metadata={"description": "rows that were in force already"})
    errors = fields.List(fields.Nested(RowErrorSchema), required=True)
    conflicts = fields.List(fields.Nested(ConflictSchema), required=True)


class ConflictsArgs(api.PageArgs):
    list_id = fields.Integer(
        data_key="list", validate=validate.Range(1, 2**63 - 1), metadata={"description": "of this list only"}
    )


class ConflictsSchema(Schema):
    items = fields.List(fields.Nested(ConflictSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ClaimListSchema(Schema):
    list_id = fields.Integer(required=True, data_key="list")
    mechanism = fields.String(required=True)
    source = fields.String(required=True)
    imported_by = fields.String(required=True)
    imported_at = api.Instant(required=True)
    withdrawn_at = api.Instant(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    claims = fields.Integer(required=True)
    conflicts = fields.Integer(required=True)


class ClaimListsSchema(Schema):
    items = fields.List(fields.Nested(ClaimListSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class WithdrawalArgs(Schema):
    reason = api.text(500, required=True)


class WithdrawnSchema(Schema):
    status = fields.String(required=True)


class ExportArgs(api.PageArgs):
    mechanism = fields.String(required=True, metadata=NAME | {"description": "for whom: its key is used"})
    region = fields.String(required=True, metadata=REGION)
    month = api.Month(required=True, metadata={"example": "2026-06"})
    limit = fields.Integer(load_default=ROWS_MAX, validate=validate.Range(1, ROWS_MAX))


class ExportedSchema(Schema):
    kind = fields.String(required=True, metadata={"enum": ["issued", "counted"]})
    act_digest = fields.String(required=True)
    document = fields.String(required=True)


class ExportSchema(Schema):
    items = fields.List(fields.Nested(ExportedSchema), required=True)
    unnumbered = fields.Integer(required=True, metadata={"description": "deeds of this page without any number"})
    next_cursor = fields.String(required=True, allow_none=True)


@blp.route("/operator/claims", methods=["POST"])
@auth.allow("operator")
@blp.arguments(ListArgs)
@blp.response(200, ImportedSchema)
def import_claim_list(body: dict[str, Any]) -> import_claims.Imported:
    """Import up to 1,000 claims of one mechanism; the same again changes nothing. Errors: request_invalid."""
    rows = list(enumerate(body["claims"], 1))
    return import_claims.import_claims(
        api.platform(), body["mechanism"], rows, body["source"], g.caller.id, datetime.now(UTC)
    )


@blp.route("/operator/claims")
@auth.allow("operator", "regulator")
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, ClaimListsSchema)
def list_claim_lists(args: dict[str, Any]) -> dict[str, Any]:
    """The imported lists, oldest first."""
    return api.page(*list_claims.list_lists(api.platform(), api.read_place(args, int) or 0, args["limit"]))


@blp.route(f"/operator/claims/<{api.ID}:list_id>/withdrawal", methods=["POST"])
@auth.allow("operator")
@blp.arguments(WithdrawalArgs)
@blp.response(200, WithdrawnSchema)
def withdraw_claim_list(body: dict[str, Any], list_id: int) -> dict[str, str]:
    """A list blocks nothing from now on. Errors: not_found, conflict."""
    withdraw_claims.withdraw_claims(api.platform(), list_id, body["reason"], g.caller.id, datetime.now(UTC))
    return {"status": "withdrawn"}


@blp.route("/operator/claims/conflicts")
@auth.allow("operator", "regulator")
@blp.arguments(ConflictsArgs, location="query")
@blp.response(200, ConflictsSchema)
def list_claim_conflicts(args: dict[str, Any]) -> dict[str, Any]:
    """Deeds credited before they were found to be claimed, oldest first; a case of each is open or decided."""
    place = api.read_place(args, int) or 0
    return api.page(*list_claims.list_conflicts(api.platform(), g.caller.id, place, args["limit"], args.get("list_id")))


@blp.route("/claims/export")
@auth.allow("operator", "regulator")
@blp.arguments(ExportArgs, location="query")
@blp.response(200, ExportSchema)
def export_own_claims(args: dict[str, Any]) -> dict[str, Any]:
    """Our deeds of a region and month in the form of a claim list, so that another mechanism can block them too."""
    month: date = args["month"]
    page = export_claims.export_claims(
        api.platform(), args["mechanism"], args["region"], month, api.read_place(args, int) or 0, args["limit"]
    )
    return api.page(page.items, page.following) | {"unnumbered": page.unnumbered}
