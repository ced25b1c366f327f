"""Orders: reserve, pay, cancel; and the operator's side of paying."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import offers
from backend.usecases import answer_once, buy_credits, pay_order, refund_order, release_credits, show_order
from rewards import purchase

blp = api.Routes("orders", __name__, url_prefix="/v1", description="订单 · Orders")

BIGINT = validate.Range(1, 2**63 - 1)


class OrderRequestSchema(Schema):
    quote_id = api.Whole(required=True, validate=BIGINT)


class NoteSchema(Schema):
    zh = fields.String(required=True)
    en = fields.String(required=True)


class PaymentSchema(Schema):
    method = fields.String(required=True)
    amount_fen = fields.Integer(required=True)
    reference = fields.String(required=True, metadata={"description": "to be written on the transfer"})
    account = fields.String(required=True, metadata={"description": "where to pay to by bank; may be empty"})
    pay_url = fields.String(required=True, allow_none=True, metadata={"description": "the provider's page"})
    note = fields.Nested(NoteSchema, required=True)


class OrderSchema(Schema):
    id = fields.Integer(required=True)
    company = fields.String(required=True)
    quote = fields.Integer(required=True)
    state = fields.String(required=True, metadata={"enum": list(purchase.STATES)})
    quantity_g = fields.Integer(required=True)
    amount_fen = fields.Integer(required=True)
    currency = fields.String(required=True)
    lines = fields.List(fields.Nested(offers.LineSchema), required=True)
    made_at = api.Instant(required=True)
    expires_at = api.Instant(required=True, allow_none=True)
    final_at = api.Instant(
        required=True, allow_none=True, metadata={"description": "from then on the order cannot be refunded"}
    )
    steps = fields.Dict(required=True, metadata={"description": "state -> since when"})
    payment = fields.Nested(PaymentSchema, required=True)


class OrdersSchema(Schema):
    items = fields.List(fields.Nested(OrderSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class OrdersArgs(api.PageArgs):
    state = fields.String(validate=validate.OneOf(purchase.STATES))


class PaymentRequestSchema(Schema):
    method = fields.String(load_default="bank_transfer", validate=validate.OneOf(["bank_transfer", "provider"]))
    payer = api.text(200, metadata={"description": "the name of the paying account"})


class ReceivedPaymentSchema(Schema):
    amount_fen = api.Whole(required=True, validate=BIGINT)
    received_on = fields.Date(required=True)
    bank_ref = api.text(100, required=True, metadata={"description": "the bank's number of the transfer"})


class RefundRequestSchema(Schema):
    reason = api.text(500, required=True)


@blp.route("/orders", methods=["POST"])
@auth.allow("company")
@blp.arguments(OrderRequestSchema)
@blp.response(201, OrderSchema)
@blp.keyed
def create_order(body: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Reserve what was quoted, for 30 minutes. Errors: not_found, conflict, expired, unpaid_limit, sold_out."""
    return buy_credits.buy_credits(api.platform(), keyed, body["quote_id"], datetime.now(UTC))


@blp.route("/orders")
@auth.allow("company")
@blp.arguments(OrdersArgs, location="query")
@blp.response(200, OrdersSchema)
def list_own_orders(args: dict[str, Any]) -> dict[str, Any]:
    """The company's orders, newest first."""
    return _orders(args, g.caller.id)


@blp.route(f"/orders/<{api.ID}:order_id>")
@auth.allow("company")
@blp.response(200, OrderSchema)
def get_order(order_id: int) -> dict[str, Any]:
    """One of the company's orders. Errors: not_found."""
    return show_order.show_order(api.platform(), order_id, g.caller.id, datetime.now(UTC))


@blp.route(f"/orders/<{api.ID}:order_id>", methods=["DELETE"])
@auth.allow("company")
@blp.response(200, OrderSchema)
def cancel_order(order_id: int) -> dict[str, Any]:
    """Cancel an order that is not paid; cancelling twice is no error. Errors: not_found, conflict, expired."""
    return release_credits.cancel_order(api.platform(), order_id, g.caller.id, datetime.now(UTC))


@blp.route(f"/orders/<{api.ID}:order_id>/payment", methods=["POST"])
@auth.allow("company")
@blp.arguments(PaymentRequestSchema)
@blp.response(200, OrderSchema)
@blp.keyed
def declare_payment(told: dict[str, Any], order_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Say how you pay: by bank transfer (the reservation waits five days), or through the provider (half an hour;
    pay at `payment.pay_url`). Errors: not_found, conflict, expired, request_invalid, provider_unavailable."""
    return pay_order.declare_payment(api.platform(), keyed, order_id, told, datetime.now(UTC))


@blp.route(f"/orders/<{api.ID}:order_id>/refund", methods=["POST"])
@auth.allow("company")
@blp.arguments(RefundRequestSchema)
@blp.response(200, OrderSchema)
@blp.keyed
def refund_own_order(told: dict[str, Any], order_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Take a paid order back, whole, before `final_at`, while you hold all its grams. Errors: not_found, conflict."""
    return refund_order.refund_order(api.platform(), keyed, order_id, g.caller.id, told["reason"], datetime.now(UTC))


@blp.route(f"/operator/orders/<{api.ID}:order_id>/refund", methods=["POST"])
@auth.allow("operator")
@blp.arguments(RefundRequestSchema)
@blp.response(200, OrderSchema)
@blp.keyed
def refund_any_order(told: dict[str, Any], order_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """The same for a company. Errors: not_found, conflict."""
    return refund_order.refund_order(api.platform(), keyed, order_id, None, told["reason"], datetime.now(UTC))


@blp.route("/operator/orders")
@auth.allow("operator")
@blp.arguments(OrdersArgs, location="query")
@blp.response(200, OrdersSchema)
def list_company_orders(args: dict[str, Any]) -> dict[str, Any]:
    """Orders of all companies, newest first; `state=declared` are those whose money is awaited."""
    return _orders(args, None)


@blp.route(f"/operator/orders/<{api.ID}:order_id>/payment", methods=["POST"])
@auth.allow("operator")
@blp.arguments(ReceivedPaymentSchema)
@blp.response(200, OrderSchema)
@blp.keyed
def confirm_payment(told: dict[str, Any], order_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """The money came: the company holds its grams. Errors: not_found, conflict, expired, request_invalid."""
    told = told | {"received_on": told["received_on"].isoformat()}
    return pay_order.confirm_payment(api.platform(), keyed, order_id, told, datetime.now(UTC))


def _orders(args: dict[str, Any], client_id: str | None) -> dict[str, Any]:
    place, now = api.read_place(args, int), datetime.now(UTC)
    return api.page(*show_order.list_orders(api.platform(), client_id, args.get("state"), place, args["limit"], now))
