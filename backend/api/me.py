"""A citizen's own pages: who I am, my points, my deeds. Nobody else's data can be asked for here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Response, g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api.events import RuleSchema
from backend.errors import Problem
from backend.usecases import answer_once, check_points, erase_person, list_deeds, show_me, show_receipt
from rules import model

blp = api.Routes("me", __name__, url_prefix="/v1/me", description="我的 · Me")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class TextSchema(Schema):
    zh = fields.String(required=True)
    en = fields.String(required=True)


class LinkedPartnerSchema(Schema):
    partner = fields.String(required=True, attribute="client_id")
    name = fields.String(required=True)
    linked_at = fields.AwareDateTime(required=True)


class MyConsentSchema(Schema):
    purpose = fields.String(required=True, metadata={"enum": list(show_me.PURPOSES)})
    given = fields.Boolean(required=True)
    given_at = fields.AwareDateTime()
    withdrawn_at = fields.AwareDateTime(allow_none=True)
    text_version = fields.String()
    source = fields.String(metadata={"description": "'person', or the partner that brought it"})


class MyTotalsSchema(Schema):
    reduction_mg = fields.Integer(required=True, metadata={"description": "milligrams CO2e"})
    points = fields.Integer(required=True)


class MeSchema(Schema):
    id = fields.String(required=True, attribute="person_id")
    since = fields.AwareDateTime(required=True)
    partners = fields.List(fields.Nested(LinkedPartnerSchema), required=True)
    consents = fields.List(fields.Nested(MyConsentSchema), required=True)
    totals = fields.Nested(MyTotalsSchema, required=True)


class ErasureRequestSchema(Schema):
    confirm = fields.String(required=True, validate=validate.Equal("erase"), metadata={"enum": ["erase"]})


class ErasureSchema(Schema):
    reductions_cancelled_mg = fields.Integer(required=True, metadata={"description": "of deeds that were in no batch"})
    points_expired = fields.Integer(required=True)
    fund_fen = fields.Integer(required=True, metadata={"description": "given to the public-benefit fund"})
    on_its_way_fen = fields.Integer(required=True, metadata={"description": "of withdrawals that are still paid"})
    deeds_removed = fields.Integer(required=True)
    deeds_in_batches = fields.Integer(required=True, metadata={"description": "stay, and lead to nobody"})
    statement = fields.Nested(TextSchema, required=True)


class PageArgs(Schema):
    cursor = fields.String(metadata={"description": "next_cursor of the page before"})
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class PointsLineSchema(Schema):
    on = fields.Date(required=True, attribute="on_day", metadata={"description": "civil day of the deeds"})
    points = fields.Integer(required=True)
    reduction_mg = fields.Integer(required=True)


class MyPointsSchema(Schema):
    balance = fields.Integer(required=True)
    reduction_mg = fields.Integer(required=True)
    lines = fields.List(fields.Nested(PointsLineSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class RegionNameSchema(Schema):
    code = fields.String(required=True)
    name = fields.Nested(TextSchema, required=True)


class MethodologyNameSchema(Schema):
    code = fields.String(required=True)
    version = fields.String(required=True)
    status = fields.String(required=True, metadata={"description": "'provisional' without the official text"})
    name = fields.Nested(TextSchema, required=True)


class FactSchema(Schema):
    name = fields.String(required=True)
    title = fields.Nested(TextSchema, required=True, allow_none=True)
    value = fields.Raw(required=True)
    label = fields.Nested(TextSchema, required=True, allow_none=True, metadata={"description": "of a choice"})


class MyDeedSchema(Schema):
    id = fields.String(required=True, attribute="event_id")
    type = fields.String(required=True, attribute="event_type")
    methodology = fields.Nested(MethodologyNameSchema, required=True, allow_none=True)
    partner = fields.String(required=True, metadata={"description": "name of the app that sent it"})
    started_at = fields.AwareDateTime(required=True)
    ended_at = fields.AwareDateTime(required=True)
    region = fields.Nested(RegionNameSchema, required=True, allow_none=True)
    facts = fields.List(fields.Nested(FactSchema), required=True)
    evidence = fields.String(required=True, allow_none=True)
    verdict = fields.String(required=True, metadata={"enum": sorted(set(model.CODES.values()))})
    code = fields.String(required=True, metadata={"enum": list(model.CODES)})
    reason = fields.Nested(TextSchema, required=True)
    rule = fields.Nested(RuleSchema, required=True)
    in_case = fields.Boolean(required=True, metadata={"description": "a person is looking into it"})
    deed = fields.String(required=True, allow_none=True, attribute="deed_id")
    counted_by = fields.String(required=True, allow_none=True, metadata={"description": "whose record stands instead"})
    reduction_mg = fields.Integer(required=True)
    points = fields.Integer(required=True)


class MyDeedsSchema(Schema):
    items = fields.List(fields.Nested(MyDeedSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


@blp.route("")
@auth.allow(auth.CITIZEN)
@blp.response(200, MeSchema)
def get_me() -> dict[str, Any]:
    """Since when, linked partners, consents, totals."""
    return show_me.show_me(api.platform(), g.caller.person_id)


@blp.route("", methods=["DELETE"])
@auth.allow(auth.CITIZEN)
@blp.arguments(ErasureRequestSchema)
@blp.response(200, ErasureSchema)
@blp.keyed
def erase_me(_wish: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Erase the account for good; from then on its tokens are refused. Errors: request_invalid, token_invalid."""
    return erase_person.erase_person(api.platform(), keyed, g.caller.person_id, datetime.now(UTC))


@blp.route("/points")
@auth.allow(auth.CITIZEN)
@blp.arguments(PageArgs, location="query")
@blp.response(200, MyPointsSchema)
def get_my_points(page: dict[str, Any]) -> dict[str, Any]:
    """The balance, and its lines by day, newest first."""
    place = api.read_cursor(page.get("cursor"), str)
    shown = check_points.check_points(api.platform(), g.caller.person_id, _day(place), page["limit"])
    cursor = api.write_cursor(shown.next_before.isoformat()) if shown.next_before else None
    return {
        "balance": shown.balance,
        "reduction_mg": shown.reduction_mg,
        "lines": shown.lines,
        "next_cursor": cursor,
    }


@blp.route("/deeds")
@auth.allow(auth.CITIZEN)
@blp.arguments(PageArgs, location="query")
@blp.response(200, MyDeedsSchema)
def get_my_deeds(page: dict[str, Any]) -> dict[str, Any]:
    """Every record of the person, newest first, with its current verdict and a readable reason."""
    place = api.read_cursor(page.get("cursor"), int, int)
    items, following = list_deeds.list_deeds(api.platform(), g.caller.person_id, _place(place), page["limit"])
    cursor = api.write_cursor((following[0] - _EPOCH) // _US, following[1]) if following else None
    return {"items": items, "next_cursor": cursor}


@blp.route(f"/deeds/<{api.ID}:deed_id>/receipt")
@auth.allow(auth.CITIZEN)
@blp.response(200, {"type": "object"}, description="canonical JSON (RFC 8785), see rules/README.md")
def get_my_receipt(deed_id: int) -> Response:
    """How one deed was measured, step by step: rules/replay.py replays it offline. Errors: not_found."""
    body = show_receipt.show_receipt(api.platform(), g.caller.person_id, deed_id, datetime.now(UTC))
    headers = {"Content-Disposition": f'inline; filename="receipt-{deed_id}.json"'}
    return Response(body, content_type="application/json", headers=headers)


class MembershipArgs(Schema):
    certificate = fields.String(required=True, validate=validate.Length(1, 40), metadata={"description": "its number"})


@blp.route(f"/deeds/<{api.ID}:deed_id>/membership")
@auth.allow(auth.CITIZEN)
@blp.arguments(MembershipArgs, location="query")
@blp.response(200, {"type": "object"}, description="canonical JSON (RFC 8785), see rewards/PROOFS.md")
def get_my_membership(args: dict[str, Any], deed_id: int) -> Response:
    """That the deed is in a batch which a company retired; nothing else of it. Errors: not_found, conflict."""
    number, now = args["certificate"], datetime.now(UTC)
    body = show_receipt.show_membership(api.platform(), g.caller.person_id, deed_id, number, now)
    headers = {"Content-Disposition": f'inline; filename="membership-{deed_id}.json"'}
    return Response(body, content_type="application/json", headers=headers)


def _day(values: list[Any] | None) -> date | None:
    try:
        return date.fromisoformat(values[0]) if values else None
    except ValueError:
        raise Problem("cursor_invalid") from None


def _place(values: list[Any] | None) -> list_deeds.Place | None:
    if values is None:
        return None
    try:
        started_at = _EPOCH + values[0] * _US
    except OverflowError:
        raise Problem("cursor_invalid") from None
    if not 0 <= values[1] < 2**63:
        raise Problem("cursor_invalid")
    return started_at, values[1]
