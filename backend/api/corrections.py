"""Corrections, appeals, the cases that operators decide, and merging persons."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import events
from backend.usecases import check_signature, correct_events, decide_case, list_cases, merge_persons, open_case

blp = api.Routes("corrections", __name__, url_prefix="/v1", description="更正与申诉 · Corrections and appeals")

DECISIONS = list(dict.fromkeys(d for kinds in decide_case.DECISIONS.values() for d in kinds))
BIGINT = validate.Range(1, 2**63 - 1)


class CorrectionSchema(Schema):
    """What the partner replaces or takes back. In a batch each names its event by `id`."""

    id = fields.String()
    kind = fields.String(required=True, metadata={"enum": ["replace", "withdraw"]})
    reason = fields.String(required=True)
    data = fields.Nested(events.DataSchema, metadata={"description": "with replace: all of it, as in an event"})


class AppealSchema(Schema):
    words = api.text(2000, required=True)


class OwnAppealSchema(AppealSchema):
    event = api.Whole(required=True, validate=BIGINT, metadata={"description": "as /v1/me/deeds names it"})


class OpenedSchema(Schema):
    status = fields.String(required=True)


class CaseSchema(Schema):
    case = fields.Integer(required=True, attribute="case_id")
    kind = fields.String(required=True, metadata={"enum": list(decide_case.DECISIONS)})
    opened_by = fields.String(required=True)
    opened_at = api.Instant(required=True)
    words = fields.String(required=True)
    event = fields.String(required=True, attribute="event_ref")
    event_type = fields.String(required=True)
    partner = fields.String(required=True)
    person_id = fields.Integer(required=True, allow_none=True)
    started_at = api.Instant(required=True)
    ended_at = api.Instant(required=True)
    region = fields.String(required=True, allow_none=True)
    evidence = fields.String(required=True, allow_none=True)
    facts = fields.Dict(required=True, allow_none=True)
    verdict = fields.String(required=True)
    code = fields.String(required=True)


class CasesSchema(Schema):
    items = fields.List(fields.Nested(CaseSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DecisionSchema(Schema):
    decision = fields.String(required=True, validate=validate.OneOf(DECISIONS))
    note = api.text(2000, required=True)


class DecidedSchema(Schema):
    verdict = fields.String(required=True)
    code = fields.String(required=True)
    reduction_mg = fields.Integer(required=True)
    points = fields.Integer(required=True)


class MergeSchema(Schema):
    person_id = api.Whole(required=True, validate=BIGINT, metadata={"description": "who stays"})
    merged_id = api.Whole(required=True, validate=BIGINT, metadata={"description": "who goes"})
    reason = api.text(500, required=True)


class MergedSchema(Schema):
    person_id = fields.Integer(required=True)
    merged_id = fields.Integer(required=True)
    verdicts_changed = fields.Integer(required=True)
    deeds_changed = fields.Integer(required=True)


def _correct(event_ref: str | None) -> ResponseReturnValue:
    body = request.get_data()
    check_signature.check_signature(api.platform(), g.caller.id, request.headers.get("X-JWS-Signature", ""), body)
    verdicts, single = correct_events.correct_events(
        api.platform(), g.caller.id, body, datetime.now(UTC), event_ref=event_ref
    )
    told = [events.tell(v, api.language()) for v in verdicts]
    return jsonify(told[0] if single else {"verdicts": told})


@blp.route("/events/<reference:event_ref>/corrections", methods=["POST"])
@blp.doc(security=[{"bearer": []}])
@blp.response(200, events.VerdictSchema, description="the verdict that holds now")
@auth.allow("partner")
def correct_event(event_ref: str) -> ResponseReturnValue:
    """Replace or take back one of your events; the body is signed as a batch of events is."""
    return _correct(event_ref)


@blp.route("/corrections", methods=["POST"])
@blp.doc(security=[{"bearer": []}])
@blp.response(200, events.VerdictsSchema, description="one verdict a correction, in order")
@auth.allow("partner")
def correct_many_events() -> ResponseReturnValue:
    """A signed batch of corrections, each naming its event by `id`."""
    return _correct(None)


@blp.route("/events/<reference:event_ref>/appeals", methods=["POST"])
@auth.allow("partner")
@blp.arguments(AppealSchema)
@blp.response(201, OpenedSchema)
def appeal_event(body: dict[str, Any], event_ref: str) -> dict[str, str]:
    """Ask a person to look at the verdict of your event. Errors: not_found, conflict."""
    open_case.appeal_of_partner(api.platform(), g.caller.id, event_ref, body["words"], datetime.now(UTC))
    return {"status": "open"}


@blp.route("/me/appeals", methods=["POST"])
@auth.allow(auth.CITIZEN)
@blp.arguments(OwnAppealSchema)
@blp.response(201, OpenedSchema)
def appeal_own_deed(body: dict[str, Any]) -> dict[str, str]:
    """Ask a person to look at a verdict. Errors: not_found, conflict."""
    open_case.appeal_of_person(api.platform(), g.caller.person_id, body["event"], body["words"], datetime.now(UTC))
    return {"status": "open"}


@blp.route("/operator/cases")
@auth.allow("operator")
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, CasesSchema)
def list_open_cases(args: dict[str, Any]) -> dict[str, Any]:
    """Held events and appeals that wait for a decision, oldest first."""
    return api.page(*list_cases.list_cases(api.platform(), api.read_place(args, int) or 0, args["limit"]))


@blp.route(f"/operator/cases/<{api.ID}:case_id>/decision", methods=["POST"])
@auth.allow("operator")
@blp.arguments(DecisionSchema)
@blp.response(200, DecidedSchema)
def decide_open_case(body: dict[str, Any], case_id: int) -> dict[str, Any]:
    """Decide a case; the verdict that holds from now on. Errors: not_found, conflict."""
    return decide_case.decide_case(
        api.platform(), case_id, body["decision"], g.caller.id, body["note"], datetime.now(UTC)
    )


@blp.route("/operator/merges", methods=["POST"])
@auth.allow("operator")
@blp.arguments(MergeSchema)
@blp.response(200, MergedSchema)
def merge_two_persons(body: dict[str, Any]) -> dict[str, int]:
    """Two accounts are one person: settle their deeds together. Errors: not_found, request_invalid."""
    return merge_persons.merge_persons(
        api.platform(), body["person_id"], body["merged_id"], g.caller.id, body["reason"], datetime.now(UTC)
    )
