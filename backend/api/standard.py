"""The standard as anybody can read it."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from backend import api, auth
from backend.usecases import list_regions

blp = api.Routes("standard", __name__, url_prefix="/v1/standard", description="标准 · The standard")


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


@blp.route("/regions")
@auth.allow(auth.ANYONE)
@blp.response(200, RegionsSchema)
def list_standard_regions() -> dict[str, Any]:
    """Every region in which a deed can count, in the order of the codes."""
    return {"items": list_regions.list_regions(api.platform())}
