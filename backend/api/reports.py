"""Reports: the quality of partners' data, and accounts that look like one person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.usecases import report_partners, report_twins

blp = api.Routes("reports", __name__, url_prefix="/v1/reports", description="报告 · Reports")


class PartnerReportArgs(api.PageArgs):
    year = fields.Integer(validate=validate.Range(2000, 2199), metadata={"description": "civil year; absent: this one"})


class PartnerRowSchema(Schema):
    """Events of a type and period as first sent, by the verdict that holds now. null: of too few people to be told."""

    event_type = fields.String(required=True, metadata={"description": "'unknown': of no methodology"})
    period = fields.String(required=True, metadata={"description": "2026-05, 2026-Q2 or 2026, by the civil day"})
    merged = fields.Boolean(required=True, metadata={"description": "stands for periods of too few people"})
    suppressed = fields.Boolean(required=True, metadata={"description": "even all of the year is of too few people"})
    received = fields.Integer()
    people = fields.Integer()
    credited = fields.Integer(allow_none=True)
    duplicates = fields.Integer(allow_none=True)
    duplicates_by_code = fields.Dict(keys=fields.String(), values=fields.Integer(), allow_none=True)
    refused = fields.Integer(allow_none=True)
    refused_by_code = fields.Dict(
        keys=fields.String(), values=fields.Integer(), allow_none=True,
        metadata={"description": "'other': codes of too few people, together"},
    )  # fmt: skip
    held = fields.Integer(allow_none=True)
    not_told_apart = fields.Integer(metadata={"description": "events of the verdicts that are null, together"})
    late = fields.Integer(allow_none=True, metadata={"description": "came more than `late_after_h` after the end"})
    corrected = fields.Integer(allow_none=True, metadata={"description": "replaced by the partner"})
    withdrawn = fields.Integer(allow_none=True)
    reverdicted = fields.Integer(
        allow_none=True, metadata={"description": "another code than at first, by no correction of the partner"}
    )
    shares_ppm = fields.Dict(keys=fields.String(), values=fields.Integer())


class PartnerReportSchema(Schema):
    partner = fields.String(required=True)
    name = fields.String(required=True)
    year = fields.Integer(required=True)
    rows = fields.List(fields.Nested(PartnerRowSchema), required=True)


class PartnerReportsSchema(Schema):
    items = fields.List(fields.Nested(PartnerReportSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class TwinSchema(Schema):
    handle = fields.String(required=True, metadata={"description": "a name for the person that only you are told"})
    person_id = fields.Integer(required=True, allow_none=True, metadata={"description": "for operators"})
    records = fields.Integer(required=True, metadata={"description": "how many the person has in all"})


class TwinRecordSchema(Schema):
    event_type = fields.String(required=True)
    region = fields.String(required=True)
    facts = fields.Dict(required=True)
    started_at = fields.String(required=True)
    ended_at = fields.String(required=True)
    expected_ppb = fields.Integer(
        required=True,
        metadata={"description": "others that would coincide by chance, in billionths: how many begin in the same "
                  "second (by the hour's rate, or really) times the share of the day's that last and say the same"},
    )  # fmt: skip


class TwinsSchema(Schema):
    id = fields.String(required=True)
    people = fields.List(fields.Nested(TwinSchema), required=True)
    identical = fields.Integer(required=True)
    chance_ppb = fields.Integer(required=True, metadata={"description": "the product over the evidence, in billionths"})
    evidence = fields.List(fields.Nested(TwinRecordSchema), required=True)


class TwinPagesSchema(Schema):
    items = fields.List(fields.Nested(TwinsSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


@blp.route("/partners")
@auth.allow("regulator", "operator", "partner")
@blp.arguments(PartnerReportArgs, location="query")
@blp.response(200, PartnerReportsSchema)
def report_on_partners(args: dict[str, Any]) -> dict[str, Any]:
    """Received, credited, duplicate, refused, held, late, corrected events of each partner by type and civil month."""
    place = api.read_place(args, str) or ""
    return api.page(*report_partners.report_partners(
        api.platform(), g.caller.role, g.caller.id, args.get("year"), place, args["limit"], datetime.now(UTC)
    ))  # fmt: skip


@blp.route("/twins")
@auth.allow("regulator", "operator")
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, TwinPagesSchema)
def report_on_twins(args: dict[str, Any]) -> dict[str, Any]:
    """Pairs of people with records equal to the second, beyond chance. Operators can merge them; nothing else does."""
    place = api.read_place(args, str) or ""
    return api.page(*report_twins.report_twins(
        api.platform(), g.caller.role, g.caller.id, place, args["limit"], datetime.now(UTC)
    ))  # fmt: skip
