"""Money: terms, flows and settlements; refunds, payouts and invoices; the provider's signed word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, g, request
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import batches
from backend.usecases import (
    answer_once,
    invoice_order,
    list_flows,
    pay_out,
    publish_terms,
    refund_order,
    settle_sales,
    take_notification,
)

blp = api.Routes("money", __name__, url_prefix="/v1", description="资金 · Money")

FEN = validate.Range(1, 10**15)
PPM = validate.Range(0, 1_000_000)


class TermsNoteSchema(Schema):
    zh = api.text(1000, required=True)
    en = api.text(1000, required=True)


class TermsRequestSchema(Schema):
    """How each sale is shared: parts per million, one million in all."""

    from_on = fields.Date(required=True, metadata={"description": "civil day, Asia/Shanghai"})
    citizens_ppm = api.Whole(required=True, validate=PPM)
    partners_ppm = api.Whole(required=True, validate=PPM)
    platform_ppm = api.Whole(required=True, validate=PPM)
    fund_ppm = api.Whole(required=True, validate=PPM, metadata={"description": "public-benefit fund 公益基金"})
    note = fields.Nested(TermsNoteSchema, required=True)


class TermsSchema(Schema):
    from_on = api.Day(required=True, allow_none=True)
    citizens_ppm = fields.Integer(required=True)
    partners_ppm = fields.Integer(required=True)
    platform_ppm = fields.Integer(required=True)
    fund_ppm = fields.Integer(required=True)
    note = fields.Nested(TermsNoteSchema, required=True)
    published_at = api.Instant(required=True, allow_none=True, metadata={"description": "null: the standard's own"})
    in_force = fields.Boolean()


class TermsListSchema(Schema):
    items = fields.List(fields.Nested(TermsSchema), required=True)


class PotsSchema(Schema):
    citizens_fen = fields.Integer(required=True)
    partners_fen = fields.Integer(required=True)
    platform_fen = fields.Integer(required=True)
    fund_fen = fields.Integer(required=True)


class MonthFlowSchema(PotsSchema):
    month = fields.String(required=True)
    sold_fen = fields.Integer(required=True)
    refunded_fen = fields.Integer(required=True)
    paid_out_fen = fields.Integer(required=True)


class FlowTotalsSchema(PotsSchema):
    sold_fen = fields.Integer(required=True)
    refunded_fen = fields.Integer(required=True)
    paid_out_fen = fields.Integer(required=True)
    from_buyers_fen = fields.Integer(required=True, metadata={"description": "= paid out + all that is held"})
    waiting_in_batches_fen = fields.Integer(
        required=True, metadata={"description": "not final yet, or left by rounding"}
    )
    held_for_citizens_fen = fields.Integer(required=True)
    held_for_partners_fen = fields.Integer(required=True)
    held_by_platform_fen = fields.Integer(required=True)
    held_by_fund_fen = fields.Integer(required=True)
    on_its_way_fen = fields.Integer(required=True)
    people_paid = fields.Integer(required=True, allow_none=True, metadata={"description": "null below 20"})


class BatchFlowSchema(PotsSchema, batches.OriginSchema):
    batch = fields.Integer(required=True)
    sold_g = fields.Integer(required=True)
    income_fen = fields.Integer(required=True)
    waiting_fen = fields.Integer(required=True)
    not_final_fen = fields.Integer(required=True, metadata={"description": "of it; the rest is left by rounding"})
    last_at = api.Instant(required=True, allow_none=True)


class FlowsSchema(Schema):
    as_of = api.Instant(required=True)
    totals = fields.Nested(FlowTotalsSchema, required=True)
    months = fields.List(fields.Nested(MonthFlowSchema), required=True)
    batches = fields.List(fields.Nested(BatchFlowSchema), required=True)
    terms = fields.List(fields.Nested(TermsSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata={"description": "of batches"})


class SettlementSchema(PotsSchema):
    settlement = fields.Integer(required=True)
    batch = fields.Integer(required=True)
    people = fields.Integer(required=True)
    is_last = fields.Boolean(required=True)


class SettlementsSchema(Schema):
    items = fields.List(fields.Nested(SettlementSchema), required=True)


class RefundSchema(Schema):
    id = fields.Integer(required=True)
    reference = fields.String(required=True)
    order = fields.Integer(required=True)
    company = fields.String(required=True)
    amount_fen = fields.Integer(required=True)
    reason = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": ["requested", "done", "failed"]})
    method = fields.String(required=True)
    external_ref = fields.String(required=True, allow_none=True)
    asked_at = api.Instant(required=True)
    done_at = api.Instant(required=True, allow_none=True)


class RefundsSchema(Schema):
    items = fields.List(fields.Nested(RefundSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class StateArgs(api.PageArgs):
    state = fields.String(validate=validate.OneOf(["requested", "done", "failed"]))


class SentSchema(Schema):
    bank_ref = api.text(100, required=True)


class PayoutSchema(Schema):
    id = fields.Integer(required=True)
    reference = fields.String(required=True)
    account = fields.String(required=True, metadata={"enum": ["person", "partner", "platform", "fund"]})
    amount_fen = fields.Integer(required=True)
    method = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": ["requested", "done", "failed"]})
    asked_at = api.Instant(required=True)
    done_at = api.Instant(required=True, allow_none=True)


class PayoutsSchema(Schema):
    items = fields.List(fields.Nested(PayoutSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PayoutRequestSchema(Schema):
    account = fields.String(required=True, validate=validate.OneOf(["partner", "platform", "fund"]))
    partner = fields.String(validate=validate.Length(1, 64), metadata={"description": "client id, for a partner's"})
    amount_fen = api.Whole(required=True, validate=FEN)
    bank_ref = api.text(100, required=True)


class PayoutOutcomeSchema(Schema):
    state = fields.String(required=True, validate=validate.OneOf(["done", "failed"]))
    external_ref = api.text(100, required=True)


class BuyerSchema(Schema):
    name = api.text(100, required=True)
    uscc = api.text(40, required=True, metadata={"description": "统一社会信用代码"})


class InvoiceRequestSchema(Schema):
    buyer = fields.Nested(BuyerSchema, required=True)


class InvoiceSchema(Schema):
    """The amount is what was paid, tax included; the 发票 states the tax."""

    number = fields.String(required=True)
    order = fields.Integer(required=True)
    company = fields.String(required=True)
    kind = fields.String(required=True, metadata={"enum": ["invoice", "credit_note"]})
    buyer = fields.Nested(BuyerSchema, required=True)
    amount_fen = fields.Integer(required=True)
    asked_at = api.Instant(required=True)
    tax_ref = fields.String(required=True, allow_none=True, metadata={"description": "number of the 发票"})
    issued_at = api.Instant(required=True, allow_none=True)


class InvoicesSchema(Schema):
    items = fields.List(fields.Nested(InvoiceSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class InvoicesArgs(api.PageArgs):
    waiting = fields.Boolean(load_default=False, metadata={"description": "only those not issued yet"})


class TaxRefSchema(Schema):
    tax_ref = api.text(60, required=True)


@blp.route("/terms")
@auth.allow(auth.ANYONE)
@blp.response(200, TermsListSchema)
def list_terms() -> dict[str, Any]:
    """How sales are shared: all terms ever published, the latest to bind first, and those the standard begins with."""
    return {"items": publish_terms.list_terms(api.platform(), datetime.now(UTC))}


@blp.route("/operator/terms", methods=["POST"])
@auth.allow("operator")
@blp.arguments(TermsRequestSchema)
@blp.response(201, TermsSchema)
@blp.keyed
def add_terms(terms: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Publish terms some days before they bind. Errors: request_invalid, too_early, conflict."""
    return publish_terms.publish_terms(api.platform(), keyed, terms, datetime.now(UTC))


@blp.route("/flows")
@auth.allow(auth.ANYONE)
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, FlowsSchema)
def get_flows(args: dict[str, Any]) -> dict[str, Any]:
    """Where every fen of the sales is, by month, batch and account. For people: /flows."""
    place, now = api.read_place(args, int), datetime.now(UTC)
    found, following = list_flows.list_flows(api.platform(), place, args["limit"], now)
    return found | {"next_cursor": None if following is None else api.write_cursor(following)}


@blp.route("/operator/settlements", methods=["POST"])
@auth.allow("operator")
@blp.response(200, SettlementsSchema)
def settle_final_sales() -> dict[str, Any]:
    """Share out now what the clock would in its time; asked twice it pays once."""
    done = settle_sales.settle_sales(api.platform(), datetime.now(UTC), g.caller.id, at_once=True)
    return {"items": done}


@blp.route("/operator/refunds")
@auth.allow("operator")
@blp.arguments(StateArgs, location="query")
@blp.response(200, RefundsSchema)
def list_refunds(args: dict[str, Any]) -> dict[str, Any]:
    """Refunds, newest first; `state=requested` by bank_transfer are those to send."""
    place = api.read_place(args, int)
    return api.page(*refund_order.list_refunds(api.platform(), args.get("state"), place, args["limit"]))


@blp.route(f"/operator/refunds/<{api.ID}:refund_id>", methods=["POST"])
@auth.allow("operator")
@blp.arguments(SentSchema)
@blp.response(200, RefundSchema)
@blp.keyed
def confirm_refund(body: dict[str, Any], refund_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """The money has been sent back by bank. Errors: not_found, conflict."""
    return refund_order.confirm_refund(api.platform(), keyed, refund_id, body["bank_ref"], datetime.now(UTC))


@blp.route("/operator/payouts")
@auth.allow("operator")
@blp.arguments(StateArgs, location="query")
@blp.response(200, PayoutsSchema)
def list_payouts(args: dict[str, Any]) -> dict[str, Any]:
    """Payouts, newest first; `state=requested` by hand are those to make."""
    place = api.read_place(args, int)
    return api.page(*pay_out.list_payouts(api.platform(), {"state": args.get("state")}, place, args["limit"]))


@blp.route("/operator/payouts", methods=["POST"])
@auth.allow("operator")
@blp.arguments(PayoutRequestSchema)
@blp.response(201, PayoutSchema)
@blp.keyed
def add_payout(wish: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """A partner's, the platform's or the fund's share was paid by bank. Errors: not_found, not_enough_money."""
    return pay_out.pay_partner(api.platform(), keyed, wish, datetime.now(UTC))


@blp.route(f"/operator/payouts/<{api.ID}:payout_id>", methods=["POST"])
@auth.allow("operator")
@blp.arguments(PayoutOutcomeSchema)
@blp.response(200, PayoutSchema)
@blp.keyed
def confirm_payout(told: dict[str, Any], payout_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """What became of a payout by hand. Errors: not_found, conflict."""
    return pay_out.confirm_payout(api.platform(), keyed, payout_id, told, datetime.now(UTC))


@blp.route(f"/orders/<{api.ID}:order_id>/invoice", methods=["POST"])
@auth.allow("company")
@blp.arguments(InvoiceRequestSchema)
@blp.response(201, InvoiceSchema)
@blp.keyed
def ask_for_invoice(body: dict[str, Any], order_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Ask for the invoice of a paid order. Errors: not_found, conflict, request_invalid."""
    return invoice_order.invoice_order(api.platform(), keyed, order_id, body["buyer"], datetime.now(UTC))


@blp.route("/invoices")
@auth.allow("company")
@blp.arguments(InvoicesArgs, location="query")
@blp.response(200, InvoicesSchema)
def list_own_invoices(args: dict[str, Any]) -> dict[str, Any]:
    """The company's invoices and credit notes, newest first."""
    return _invoices(args, g.caller.id)


@blp.route("/operator/invoices")
@auth.allow("operator")
@blp.arguments(InvoicesArgs, location="query")
@blp.response(200, InvoicesSchema)
def list_invoices(args: dict[str, Any]) -> dict[str, Any]:
    """All; `waiting=true` are those to issue."""
    return _invoices(args, None)


@blp.route("/operator/invoices/<number>", methods=["POST"])
@auth.allow("operator")
@blp.arguments(TaxRefSchema)
@blp.response(200, InvoiceSchema)
@blp.keyed
def issue_invoice(body: dict[str, Any], number: str, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """It has been issued under that number of the tax office. Errors: not_found, conflict."""
    return invoice_order.issue_invoice(api.platform(), keyed, number, body["tax_ref"], datetime.now(UTC))


@blp.route("/payments/provider/notifications", methods=["POST"])
@auth.allow(auth.ANYONE)
@blp.response(204)
def take_provider_notification() -> Response:
    """The payment provider's signed word (Pay-Signature, see backend/payments.py). Errors: not_found,
    signature_missing, signature_invalid, json_invalid, request_invalid."""
    headers, body = dict(request.headers), request.get_data()
    take_notification.take_notification(api.platform(), headers, body, datetime.now(UTC))
    return Response(status=204)


def _invoices(args: dict[str, Any], client_id: str | None) -> dict[str, Any]:
    place = api.read_place(args, int)
    return api.page(*invoice_order.list_invoices(api.platform(), client_id, args["waiting"], place, args["limit"]))
