"""Conservation: proof, live from the tables, that everything is accounted for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields

from backend import api, auth
from backend.api import batches
from backend.usecases import check_conservation
from rewards import ledger

blp = api.Routes("conservation", __name__, url_prefix="/v1", description="守恒 · Conservation")


class IdentitySchema(Schema):
    name = fields.String(required=True, metadata={"enum": list(ledger.IDENTITIES)})
    ok = fields.Boolean(required=True)
    left = fields.Integer(required=True)
    right = fields.Integer(required=True)
    unit = fields.String(required=True)
    scope = fields.String(required=True, metadata={"description": "'all', or where it fails"})
    zh = fields.String(required=True)
    en = fields.String(required=True)


class BatchFiguresSchema(batches.OriginSchema):
    batch = fields.Integer(required=True)
    ok = fields.Boolean(required=True)
    attested_mg = fields.Integer(required=True)
    adjustment_mg = fields.Integer(required=True)
    carried_mg = fields.Integer(required=True, allow_none=True, metadata={"description": "null until issued"})
    remainder_mg = fields.Integer(required=True, allow_none=True)
    issued_g = fields.Integer(required=True, allow_none=True)
    available_g = fields.Integer(required=True)
    reserve_g = fields.Integer(required=True)
    reserved_g = fields.Integer(required=True)
    held_g = fields.Integer(required=True)
    retired_g = fields.Integer(required=True)
    cancelled_g = fields.Integer(required=True)
    transferred_g = fields.Integer(required=True, metadata={"description": "out, to other registries"})
    recalled_mg = fields.Integer(required=True, metadata={"description": "what its deeds have lost since the close"})
    not_minted_mg = fields.Integer(required=True, allow_none=True, metadata={"description": "of it, before the issue"})
    replaced_g = fields.Integer(required=True, metadata={"description": "cancelled for its recalls, here or elsewhere"})
    owed_g = fields.Integer(required=True, metadata={"description": "recalled grams not replaced yet"})
    frozen = fields.Boolean(required=True)


class ConservationSchema(Schema):
    as_of = api.Instant(required=True)
    ok = fields.Boolean(required=True)
    identities = fields.List(fields.Nested(IdentitySchema), required=True)
    batches = fields.List(fields.Nested(BatchFiguresSchema), required=True)


class ConservationArgs(Schema):
    fresh = fields.Boolean(load_default=False, metadata={"description": "live, for operators and regulators"})


@blp.route("/conservation")
@auth.allow(auth.ANYONE)
@blp.arguments(ConservationArgs, location="query")
@blp.response(200, ConservationSchema)
def get_conservation(args: dict[str, Any]) -> dict[str, Any]:
    """Every identity of the books at one moment, at most 60 seconds old."""
    if args["fresh"]:
        auth.authenticate(("operator", "regulator"))
    found = check_conservation.check_conservation(api.platform(), datetime.now(UTC), fresh=args["fresh"])
    return found if args["fresh"] else found | {"identities": [_nameless(line) for line in found["identities"]]}


def _nameless(line: dict[str, Any]) -> dict[str, Any]:
    """A person's number is not told to everybody."""
    return line | {"scope": re.sub(r"person [0-9]+", "a person", line["scope"])}
