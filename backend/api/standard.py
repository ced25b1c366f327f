"""The standard as anybody can read it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request
from marshmallow import Schema, ValidationError, fields, validate

from backend import api, auth
from backend.errors import Problem
from backend.usecases import list_methodologies, list_regions, quantify_deeds, show_receipt
from rules import replay

blp = api.Routes("standard", __name__, url_prefix="/v1", description="标准 · The standard")


class StandardRegionSchema(Schema):
    """A region of GB/T 2260 and its reference point."""

    code = fields.String(required=True, metadata={"example": "310000"})
    name_zh = fields.String(required=True)
    name_en = fields.String(required=True)
    parent = fields.String(required=True, allow_none=True, metadata={"description": "the province it lies in"})
    timezone = fields.String(required=True)
    lat_udeg = fields.Integer(
        required=True, allow_none=True, metadata={"description": "millionths of a degree, WGS-84"}
    )
    lon_udeg = fields.Integer(required=True, allow_none=True)
    radius_km = fields.Integer(
        required=True, allow_none=True, metadata={"description": "from there to its farthest boundary"}
    )


class RegionsSchema(Schema):
    items = fields.List(fields.Nested(StandardRegionSchema), required=True)


@blp.route("/standard/regions")
@auth.allow(auth.ANYONE)
@blp.response(200, RegionsSchema)
def list_standard_regions() -> dict[str, Any]:
    """Every region in which a deed can count, in the order of the codes."""
    return {"items": list_regions.list_regions(api.platform())}


class BilingualSchema(Schema):
    zh = fields.String(required=True)
    en = fields.String(required=True)


class MethodologySchema(Schema):
    code = fields.String(required=True)
    version = fields.String(required=True)
    event_type = fields.String(required=True)
    category = fields.String(required=True)
    name = fields.Nested(BilingualSchema, required=True)
    status = fields.String(required=True, metadata={"description": "'provisional' without the official text"})
    in_force_from = fields.Date(required=True, allow_none=True, metadata={"description": "null: a draft"})
    in_force_to = fields.Date(required=True, allow_none=True)
    sha256 = fields.String(required=True, metadata={"description": "of pack.json: /v1/standard/packs/{sha256}"})


class MethodologiesSchema(Schema):
    items = fields.List(fields.Nested(MethodologySchema), required=True)


class PackApprovalSchema(Schema):
    region = fields.String(required=True)
    use = fields.String(required=True)
    body = fields.String(required=True)
    document = fields.String(required=True)
    from_ = fields.Date(required=True, data_key="from", attribute="from")
    to = fields.Date(required=True, allow_none=True)


class MethodologyVersionSchema(MethodologySchema):
    approvals = fields.List(fields.Nested(PackApprovalSchema), required=True)
    cases = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True,
        metadata={"description": "worked examples: published, cross-source, derived (which prove stability only)"},
    )  # fmt: skip
    words = fields.Dict(required=True, metadata={"description": "the formula in words: baseline, project, leakage"})
    pack = fields.Dict(required=True, metadata={"description": "pack.json"})


class MethodologyVersionsSchema(Schema):
    code = fields.String(required=True)
    versions = fields.List(fields.Nested(MethodologyVersionSchema), required=True)


class FactorsArgs(Schema):
    region = fields.String(metadata={"description": "only the value that holds there; CN: the nation"})
    on = fields.Date(metadata={"description": "only the value in force on that day"})


class FactorsSchema(Schema):
    items = fields.List(fields.Dict(), required=True)


class QuantifySchema(Schema):
    """A deed that might have been."""

    type = fields.String(required=True, metadata={"example": "metro.v1"})
    region = fields.String(load_default="CN", metadata={"example": "110000"})
    on = fields.Date(metadata={"description": "civil day of the deed; absent: today"})
    data = fields.Dict(keys=fields.String(), required=True, metadata={"example": {"distance_m": 22000}})
    evidence = fields.String(load_default="order", validate=validate.OneOf(replay.EVIDENCE))


class QuantifiedSchema(Schema):
    """The result, or the code and field that refuse it."""

    code = fields.String(required=True)
    field = fields.String()
    reason = fields.Nested(BilingualSchema)
    reduction_mg = fields.Integer()
    points = fields.Integer()
    daily_cap_mg = fields.Integer(allow_none=True)
    daily_points = fields.Integer(allow_none=True)
    warnings = fields.List(fields.Dict(), metadata={"description": "{code, zh, en}: numbers past their review date"})
    tariff = fields.String(allow_none=True, metadata={"description": "the local tariff that sets the points"})
    methodology = fields.Dict()
    receipt = fields.Dict(metadata={"description": "steps and sources; replayed offline like a deed's"})


@blp.route("/standard/methodologies")
@auth.allow(auth.ANYONE)
@blp.response(200, MethodologiesSchema)
def list_standard_methodologies() -> dict[str, Any]:
    """Every version of every methodology, in short."""
    return {"items": list_methodologies.list_methodologies(api.platform())}


@blp.route("/standard/methodologies/<code>")
@auth.allow(auth.ANYONE)
@blp.response(200, MethodologyVersionsSchema)
def get_standard_methodology(code: str) -> dict[str, Any]:
    """All versions of one methodology in full: statements, facts, factors, approvals. Errors: not_found."""
    return list_methodologies.show_methodology(api.platform(), code)


@blp.route("/standard/factors")
@auth.allow(auth.ANYONE)
@blp.arguments(FactorsArgs, location="query")
@blp.response(200, FactorsSchema)
def list_standard_factors(args: dict[str, Any]) -> dict[str, Any]:
    """Every factor with unit, gas basis, boundary, and dated values by region with source, tier and caveat."""
    return {
        "items": list_methodologies.list_factors(
            api.platform(), args.get("region"), args.get("on"), datetime.now(UTC).date()
        )
    }


@blp.route("/standard/packs/<sha256>")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "object"}, description="pack.json, byte for byte what the hash is of")
def get_standard_pack(sha256: str) -> Response:
    """The published pack.json with this hash, which never changes. Errors: not_found."""
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(show_receipt.show_pack(api.platform(), sha256), content_type="application/json", headers=headers)


@blp.route("/standard/replay.py")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/x-python", description="needs Python 3.11 and nothing else")
def get_standard_replay() -> Response:
    """The stand-alone script that replays receipts offline."""
    return Response(Path(replay.__file__).read_bytes(), content_type="text/x-python; charset=utf-8")


@blp.route("/quantify", methods=["POST"])
@blp.doc(
    requestBody={"required": True, "content": {"application/json": {"schema": {"oneOf": [
        {"$ref": "#/components/schemas/Quantify"},
        {"type": "array", "maxItems": quantify_deeds.ITEMS_MAX,
         "items": {"$ref": "#/components/schemas/Quantify"}}]}}}},
)  # fmt: skip
@auth.allow(auth.ANYONE)
@blp.response(200, QuantifiedSchema(many=True), description="one answer an item, in order; a single item gets its own")
def quantify() -> Response:
    """What a deed would come to, step by step; nothing is stored. Errors: request_invalid, too_many_requests."""
    quantify_deeds.check_rate(api.platform(), request.remote_addr or "", datetime.now(UTC))
    body = api.read_json(request.get_data())
    items = body if isinstance(body, list) else [body]
    if not 1 <= len(items) <= quantify_deeds.ITEMS_MAX:
        raise Problem("request_invalid", f"send 1 to {quantify_deeds.ITEMS_MAX} items")
    try:
        loaded = QuantifySchema(many=True).load(items)
    except ValidationError as error:
        raise Problem("request_invalid", errors=api.field_errors(error.messages)) from None
    told = quantify_deeds.quantify_deeds(api.platform(), loaded)
    return jsonify(told if isinstance(body, list) else told[0])
