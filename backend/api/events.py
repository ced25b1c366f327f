"""Events: a partner's signed batches and their verdicts.

marshmallow documents the shapes here; the items themselves are decoded one by one in usecases/read_events.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import INCLUDE, Schema, fields, validate

from backend import api, auth
from backend.errors import Problem
from backend.usecases import check_signature, ingest_events, show_event
from rules.claims import CONFLICTS
from rules.model import CODES, EVIDENCE_TIERS
from rules.places import DATUMS
from rules.reasons import REASONS, claim_words

blp = api.Routes("events", __name__, description="事件 · Events")

CONTENT_TYPES = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")


class PointSchema(Schema):
    """In degrees, in the `datum` of the event."""

    lat = fields.Float(required=True, validate=validate.Range(-90, 90))
    lon = fields.Float(required=True, validate=validate.Range(-180, 180))


class DataSchema(Schema):
    """What the partner knows of the deed. The methodology's own facts (distance_m, mass_g, ...) stand beside these."""

    class Meta:
        unknown = INCLUDE

    started_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(metadata={"description": "absent: the same as started_at"})
    region = fields.String(
        metadata={"description": "GB/T 2260, six digits; may be left out beside coordinates", "example": "310000"}
    )
    origin = fields.Nested(PointSchema, metadata={"description": "where it began: checked, and not kept"})
    destination = fields.Nested(PointSchema, metadata={"description": "where it ended: checked, and not kept"})
    datum = fields.String(metadata={"enum": list(DATUMS), "description": "required beside coordinates"})
    evidence = fields.String(required=True, metadata={"enum": list(EVIDENCE_TIERS)})
    act_ref = fields.String(metadata={"description": "issuer:number of the order, gate or weighing"})
    asset_ref = fields.String()


class EventSchema(Schema):
    """A CloudEvents 1.0 envelope."""

    specversion = fields.String(required=True, metadata={"enum": ["1.0"]})
    id = fields.String(required=True)
    source = fields.String(required=True)
    type = fields.String(required=True, metadata={"example": "cycling.v1"})
    subject = fields.String(required=True, metadata={"description": "the pairwise subject of the person"})
    time = fields.AwareDateTime()
    data = fields.Nested(DataSchema, required=True)


class RuleSchema(Schema):
    """Which rule decided, and its numbers on that day: of the standard, so that anybody can check."""

    code = fields.String(required=True, metadata={"enum": list(CODES)})
    parameters = fields.Dict(required=True, metadata={"description": "names with their unit last; {} where none"})


class VerdictSchema(Schema):
    """What became of one event. Codes in the order in which they are checked: see rules/model.py."""

    id = fields.String(required=True, allow_none=True)
    verdict = fields.String(required=True, metadata={"enum": list(dict.fromkeys(CODES.values()))})
    code = fields.String(required=True, metadata={"enum": list(CODES)})
    reason = fields.String(required=True)
    deed = fields.String(required=True, allow_none=True)
    duplicate_of = fields.String(required=True, allow_none=True)
    reduction_mg = fields.Integer(required=True)
    points = fields.Integer(required=True)
    methodology = fields.String(required=True, allow_none=True)
    version = fields.String(required=True, allow_none=True)
    rule = fields.Nested(RuleSchema, required=True)
    field = fields.String(metadata={"description": "the offending field, where one field is at fault"})
    detail = fields.String()
    conflict = fields.String(
        metadata={"enum": list(CONFLICTS.values()), "description": "with claimed_elsewhere: double what"}
    )
    mechanism = fields.String(metadata={"description": "with claimed_elsewhere: who has claimed the deed"})
    original = fields.Dict(metadata={"description": "the first verdict, when repeated or since changed"})


class VerdictsSchema(Schema):
    verdicts = fields.List(fields.Nested(VerdictSchema), required=True)


@blp.route("/v1/events", methods=["POST"])
@blp.doc(
    security=[{"bearer": []}],
    parameters=[{"in": "header", "name": "X-JWS-Signature", "required": True, "schema": {"type": "string"},
                 "description": "detached JWS (RFC 7797, b64=false) over the raw body"}],
    requestBody={"required": True, "content": {kind: {"schema": {"oneOf": [
        {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
        {"$ref": "#/components/schemas/Event"}]}} for kind in CONTENT_TYPES}},
)  # fmt: skip
@blp.response(200, VerdictsSchema, description="one verdict an event, in order; a single event gets its verdict itself")
@auth.allow("partner")
def post_events() -> ResponseReturnValue:
    """Judge a batch of 1 to 1,000 events; each gets its own verdict, and a retry gets the first answers back."""
    if request.mimetype not in CONTENT_TYPES:
        raise Problem("type_not_supported", f"send one of: {', '.join(CONTENT_TYPES)}")
    body = request.get_data()
    check_signature.check_signature(api.platform(), g.caller.id, request.headers.get("X-JWS-Signature", ""), body)
    verdicts, single = ingest_events.ingest_events(api.platform(), g.caller.id, body, datetime.now(UTC))
    told = [tell(v, api.language()) for v in verdicts]
    return jsonify(told[0] if single else {"verdicts": told})


@blp.route("/v1/events/<reference:event_ref>", methods=["GET"])
@blp.doc(security=[{"bearer": []}])
@blp.response(200, VerdictSchema)
@auth.allow("partner")
def get_event(event_ref: str) -> ResponseReturnValue:
    """The verdict again: the one that holds now. Only the partner's own events are found."""
    return jsonify(tell(show_event.show_event(api.platform(), g.caller.id, event_ref), api.language()))


def tell(verdict: dict[str, Any], language: str) -> dict[str, Any]:
    """The verdict with its reason in the reader's language."""
    zh, en = REASONS[verdict["code"]]
    told = {"id": verdict["id"], "verdict": verdict["verdict"], "code": verdict["code"],
            "reason": zh if language == "zh" else en}  # fmt: skip
    told |= verdict
    if "conflict" in verdict:
        told["detail"] = claim_words(verdict["conflict"], verdict["mechanism"], language)
    if "original" in told:
        told["original"] = tell(told["original"], language)
    return told
