"""A citizen's money: the statement of what sales brought, and withdrawing it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import batches, money
from backend.usecases import answer_once, pay_out, show_statement

blp = api.Routes("my_money", __name__, url_prefix="/v1/me", description="我的资金 · My money")


class OwnBatchSchema(batches.OriginSchema):
    id = fields.Integer(required=True)


class ClaimantSchema(Schema):
    name = fields.String(required=True, metadata={"description": "of several beneficiaries of one certificate: all"})
    name_en = fields.String(required=True)
    retired_g = fields.Integer(required=True)
    certificates = fields.Integer(required=True)


class LinePayoutSchema(Schema):
    id = fields.Integer(required=True)
    reference = fields.String(required=True)
    method = fields.String(required=True)
    state = fields.String(required=True)


class StatementLineSchema(Schema):
    id = fields.Integer(required=True)
    kind = fields.String(required=True, metadata={"enum": ["share", "payout", "payout_failed"]})
    at = api.Instant(required=True)
    amount_fen = fields.Integer(required=True, metadata={"description": "negative: paid out"})
    batch = fields.Nested(OwnBatchSchema, metadata={"description": "of a share: whose sales it is from"})
    own_mg = fields.Integer(metadata={"description": "what the person's own deeds are of that batch"})
    batch_income_fen = fields.Integer(metadata={"description": "what the batch's sales had brought in all by then"})
    claimed_by = fields.List(fields.Nested(ClaimantSchema), metadata={"description": "for whom the batch was retired"})
    note = fields.Nested(money.TermsNoteSchema)
    payout = fields.Nested(LinePayoutSchema)


class StatementSchema(Schema):
    balance_fen = fields.Integer(required=True)
    lines = fields.List(fields.Nested(StatementLineSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class StatementArgs(Schema):
    cursor = fields.String(metadata={"description": "next_cursor of the page before"})
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class WithdrawalSchema(Schema):
    amount_fen = api.Whole(required=True, validate=money.FEN)
    method = fields.String(load_default="manual", validate=validate.OneOf(["manual", "provider"]))
    payout_code = fields.String(
        validate=validate.Length(1, 200), load_only=True,
        metadata={"description": "the provider's one-time code for whom it pays; kept nowhere"},
    )  # fmt: skip


@blp.route("/statement")
@auth.allow(auth.CITIZEN)
@blp.arguments(StatementArgs, location="query")
@blp.response(200, StatementSchema)
def get_my_statement(page: dict[str, Any]) -> dict[str, Any]:
    """What the sales of your acts brought, who claims them now, and what was paid out; newest first."""
    place = api.read_moment(page)
    found, following = show_statement.show_statement(api.platform(), g.caller.person_id, place, page["limit"])
    cursor = api.write_cursor(following[0].isoformat(), following[1]) if following else None
    return found | {"next_cursor": cursor}


@blp.route("/withdrawals", methods=["POST"])
@auth.allow(auth.CITIZEN)
@blp.arguments(WithdrawalSchema)
@blp.response(201, money.PayoutSchema)
@blp.keyed
def withdraw_my_money(wish: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Have money paid out: by hand against the reference, or by the payment provider. Errors: not_enough_money,
    request_invalid."""
    return pay_out.withdraw_money(api.platform(), keyed, g.caller.person_id, wish, datetime.now(UTC))


@blp.route("/withdrawals")
@auth.allow(auth.CITIZEN)
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, money.PayoutsSchema)
def list_my_withdrawals(args: dict[str, Any]) -> dict[str, Any]:
    """Your withdrawals, newest first."""
    mine = {"account": "person", "account_id": g.caller.person_id}
    return api.page(*pay_out.list_payouts(api.platform(), mine, api.read_place(args, int), args["limit"]))
