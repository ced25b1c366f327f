"""The public registry, for anybody: who retired what for whom, and the record of every batch that was issued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, pre_load, validate

from backend import api, auth
from backend.api import batches
from backend.usecases import describe_batches, search_registry
from rewards import retirement

blp = api.Routes("registry", __name__, url_prefix="/v1", description="公开登记簿 · Public registry")

LIMIT = validate.Range(1, 100)
BATCH = validate.Range(1, 2**63 - 1)


class Asked(Schema):
    """What is asked in an address; a field of a form that was left empty is not asked."""

    @pre_load
    def drop_empty(self, given: Mapping[str, str], **_: Any) -> dict[str, str]:
        return {name: given[name].strip() for name in given if given[name].strip()}


class BatchesWish(Asked):
    """Which batches."""

    batch = fields.Integer(validate=BATCH)
    methodology = api.methodology()
    region = api.region()
    vintage = api.Month(attribute="vintage_month", metadata={"example": "2026-06"})


class RegistryWish(BatchesWish):
    """Which retirements: those that are all of it."""

    beneficiary = api.text(
        100, metadata={"description": "统一社会信用代码, or part of a name, Chinese or English: two signs at least"}
    )
    serial = api.text(
        200, metadata={"description": "TPH-<region>-<pack>-<yyyymm>-<batch>-<first>-<last>, or batch:number"}
    )
    retired_from = fields.Date(metadata={"description": "civil day (Asia/Shanghai)"})
    retired_to = fields.Date(metadata={"description": "civil day, included"})
    period = fields.String(
        validate=validate.Regexp(r"^20[0-9]{2}(-(0[1-9]|1[0-2]))?(?!\n)$"),
        metadata={"description": "a year or month of this century: claimed for any part of it", "example": "2026-05"},
    )
    purpose = fields.String(validate=validate.OneOf(list(retirement.PURPOSES)))


class RegistryArgs(RegistryWish):
    cursor = fields.String(metadata={"description": "next_cursor of the page before"})
    limit = fields.Integer(load_default=50, validate=LIMIT)


class RecordsArgs(BatchesWish):
    demonstration = fields.Boolean(metadata={"description": "only those, or only the others"})
    cursor = fields.String(metadata={"description": "next_cursor of the page before"})
    limit = fields.Integer(load_default=20, validate=LIMIT)


class NamedSchema(Schema):
    """A legal entity, and its part of the grams."""

    name = fields.String(required=True)
    name_en = fields.String()
    uscc = fields.String(required=True, metadata={"description": "统一社会信用代码 (GB 32100)"})
    quantity_g = fields.Integer(required=True)


class PurposeSchema(Schema):
    code = fields.String(required=True, metadata={"enum": list(retirement.PURPOSES)})
    zh = fields.String(required=True)
    en = fields.String(required=True)


class ClaimedPeriodSchema(Schema):
    from_ = fields.String(required=True, data_key="from", attribute="from")
    to = fields.String(required=True)


class RetiredLineSchema(Schema):
    """The grams that came out of one batch."""

    batch = fields.Integer(required=True)
    region = fields.Nested(batches.OriginRegionSchema, required=True)
    methodology = fields.Nested(batches.OriginMethodologySchema, required=True)
    vintage = fields.String(required=True, metadata={"example": "2026-06"})
    quantity_g = fields.Integer(required=True)
    demonstration = fields.Boolean(required=True)
    serials = fields.List(fields.String(), required=True)


class RegistryItemSchema(Schema):
    """A retirement, as its certificate says."""

    number = fields.String(required=True, metadata={"description": "of the certificate"})
    url = fields.String(required=True, metadata={"description": "the certificate, for ever"})
    retired_at = fields.AwareDateTime(required=True)
    company = fields.String(required=True, metadata={"description": "who retired"})
    beneficiaries = fields.List(fields.Nested(NamedSchema), required=True)
    purpose = fields.Nested(PurposeSchema, required=True)
    period = fields.Nested(ClaimedPeriodSchema, required=True)
    quantity_g = fields.Integer(required=True)
    demonstration = fields.Boolean(required=True, metadata={"description": "no claim may be made"})
    lines = fields.List(fields.Nested(RetiredLineSchema), required=True)


class RegistrySchema(Schema):
    items = fields.List(fields.Nested(RegistryItemSchema), required=True)
    next_cursor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "null at the end; a page before it may hold fewer than asked for, even none"},
    )


class PublicAttestationSchema(Schema):
    verifier = fields.String(required=True)
    assurance = fields.String(required=True)
    materiality_ppm = fields.Integer(required=True)
    sample = fields.Nested(batches.SampleSchema, required=True, allow_none=True)
    findings = fields.String(required=True)
    independence = fields.String(required=True)
    attested_at = fields.AwareDateTime(required=True)


class BatchRecordSchema(batches.OriginSchema):
    """issued_g = available_g + reserve_g + reserved_g + held_g + retired_g + cancelled_g + transferred_g."""

    id = fields.Integer(required=True)
    url = fields.String(required=True, metadata={"description": "this record, for ever"})
    retirements_url = fields.String(required=True)
    gas_basis = fields.String(required=True)
    approval = fields.String(required=True)
    issued_at = fields.AwareDateTime(required=True)
    issued_g = fields.Integer(required=True)
    available_g = fields.Integer(required=True)
    reserve_g = fields.Integer(required=True, metadata={"description": "correction reserve"})
    reserved_g = fields.Integer(required=True, metadata={"description": "set aside for orders"})
    held_g = fields.Integer(required=True)
    retired_g = fields.Integer(required=True)
    cancelled_g = fields.Integer(required=True)
    transferred_g = fields.Integer(required=True, metadata={"description": "out, to other registries"})
    owed_g = fields.Integer(required=True, metadata={"description": "recalled grams not replaced yet"})
    frozen = fields.Boolean(required=True)
    people = fields.Integer(required=True, allow_none=True, metadata={"description": "null below 20"})
    deeds = fields.Integer(required=True, allow_none=True, metadata={"description": "null below 20 people"})
    members_root = fields.String(required=True, allow_none=True, metadata={"description": "base64: rewards/PROOFS.md"})
    attestation = fields.Nested(PublicAttestationSchema, required=True)


class PlacedSchema(Schema):
    place = fields.String(required=True)
    serial = fields.String(required=True)
    quantity_g = fields.Integer(required=True)


class WholeBatchRecordSchema(BatchRecordSchema):
    serials = fields.List(fields.Nested(PlacedSchema), required=True, metadata={"description": "no owner is told"})
    serials_complete = fields.Boolean(required=True)
    amendments = fields.List(fields.Dict(), required=True, metadata={"description": "what was recalled, oldest first"})
    retirements = fields.List(fields.Nested(RegistryItemSchema), required=True, metadata={"description": "the newest"})
    retirements_complete = fields.Boolean(required=True)


class BatchRecordsSchema(Schema):
    items = fields.List(fields.Nested(BatchRecordSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def page(args: dict[str, Any]) -> dict[str, Any]:
    """{items, next_cursor} of a search. Raises Problem request_invalid, cursor_invalid."""
    platform, place = api.platform(), api.read_moment(args)
    items, following = search_registry.search_registry(platform, args, place, args["limit"])
    cursor = api.write_cursor(following[0].isoformat(), following[1]) if following else None
    return {"items": items, "next_cursor": cursor}


@blp.route("/registry")
@auth.allow(auth.ANYONE)
@blp.arguments(RegistryArgs, location="query")
@blp.response(200, RegistrySchema)
def search_public_registry(args: dict[str, Any]) -> dict[str, Any]:
    """Retirements by whatever is known of them, newest first. Errors: request_invalid, cursor_invalid."""
    return page(args)


@blp.route("/registry/batches")
@auth.allow(auth.ANYONE)
@blp.arguments(RecordsArgs, location="query")
@blp.response(200, BatchRecordsSchema)
def list_batch_records(args: dict[str, Any]) -> dict[str, Any]:
    """Issued batches, newest first, and where their grams are. Errors: cursor_invalid."""
    place = api.read_place(args, int)
    return api.page(
        *describe_batches.describe_batches(api.platform(), args, args.get("demonstration"), place, args["limit"])
    )


@blp.route(f"/registry/batches/<{api.ID}:batch_id>")
@auth.allow(auth.ANYONE)
@blp.response(200, WholeBatchRecordSchema)
def get_batch_record(batch_id: int) -> dict[str, Any]:
    """One batch: where its serials are, what was recalled, what was retired out of it. Errors: not_found."""
    return describe_batches.describe_batch(api.platform(), batch_id)
