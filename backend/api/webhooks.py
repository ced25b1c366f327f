"""Webhooks of partners and companies, their messages and the log of their deliveries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth, webhooks
from backend.usecases import answer_once, manage_webhooks, tell_client

blp = api.Routes("webhooks", __name__, url_prefix="/v1", description="推送 · Webhooks")

ROLES = ("partner", "company")
BIGINT = validate.Range(1, 2**63 - 1)


class WebhookRequestSchema(Schema):
    url = fields.String(required=True, validate=validate.Length(1, webhooks.URL_MAX), metadata={"format": "uri"})
    kinds = fields.List(
        fields.String(validate=validate.OneOf(list(tell_client.KINDS))), validate=validate.Length(max=50),
        metadata={"description": "default: all"},
    )  # fmt: skip


class WebhookSchema(Schema):
    id = fields.Integer(required=True)
    url = fields.String(required=True)
    kinds = fields.List(fields.String(), required=True, metadata={"description": "empty: all"})
    made_at = api.Instant(required=True)
    waiting = fields.Integer(required=True, metadata={"description": "messages that are not delivered yet"})
    failing_since = api.Instant(required=True, allow_none=True)
    disabled_at = api.Instant(required=True, allow_none=True)
    disabled_for = fields.String(required=True, allow_none=True)
    old_until = api.Instant(required=True, allow_none=True, metadata={"description": "the old secret signs till then"})
    secret = fields.String(metadata={"description": "whsec_…, shown when it is made and never again"})


class WebhooksSchema(Schema):
    items = fields.List(fields.Nested(WebhookSchema), required=True)


class DeliverySchema(Schema):
    message = fields.String(required=True)
    kind = fields.String(required=True)
    attempt = fields.Integer(required=True)
    at = api.Instant(required=True)
    took_ms = fields.Integer(required=True)
    status = fields.Integer(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)


class DeliveriesSchema(Schema):
    items = fields.List(fields.Nested(DeliverySchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class MessageSchema(Schema):
    id = fields.String(required=True)
    type = fields.String(required=True, metadata={"enum": list(tell_client.KINDS)})
    data = fields.Dict(required=True)
    made_at = api.Instant(required=True)


class MessagesSchema(Schema):
    items = fields.List(fields.Nested(MessageSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ReplaySchema(Schema):
    """One message, or all since a moment; to one webhook, or to all."""

    message = fields.String(attribute="public_id", validate=validate.Length(1, 100))
    since = fields.AwareDateTime()
    webhook = api.Whole(attribute="webhook_id", validate=BIGINT)


class ReplayedSchema(Schema):
    deliveries = fields.Integer(required=True, metadata={"description": "that wait now; 10,000 at once"})


class TestedSchema(Schema):
    message = fields.String(required=True)


@blp.route("/webhooks", methods=["POST"])
@auth.allow(*ROLES)
@blp.arguments(WebhookRequestSchema)
@blp.response(201, WebhookSchema)
@blp.keyed
def create_webhook(wish: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Be told by POST, signed as Standard Webhooks say. Errors: request_invalid, conflict."""
    return manage_webhooks.add_webhook(api.platform(), keyed, wish, datetime.now(UTC))


@blp.route("/webhooks")
@auth.allow(*ROLES)
@blp.response(200, WebhooksSchema)
def list_own_webhooks() -> dict[str, Any]:
    """Your webhooks; their secrets are not shown again."""
    return {"items": manage_webhooks.list_webhooks(api.platform(), g.caller.id)}


@blp.route(f"/webhooks/<{api.ID}:webhook_id>", methods=["DELETE"])
@auth.allow(*ROLES)
@blp.response(204)
def delete_webhook(webhook_id: int) -> None:
    """Nothing more is delivered there. Errors: not_found."""
    manage_webhooks.remove_webhook(api.platform(), g.caller.id, webhook_id)


@blp.route(f"/webhooks/<{api.ID}:webhook_id>/secret", methods=["POST"])
@auth.allow(*ROLES)
@blp.response(200, WebhookSchema)
@blp.keyed
def rotate_webhook_secret(webhook_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """A new secret; for a day every message carries both signatures. Errors: not_found."""
    return manage_webhooks.rotate_secret(api.platform(), keyed, webhook_id, datetime.now(UTC))


@blp.route(f"/webhooks/<{api.ID}:webhook_id>/secret/old", methods=["DELETE"])
@auth.allow(*ROLES)
@blp.response(200, WebhookSchema)
def delete_old_secret(webhook_id: int) -> dict[str, Any]:
    """You have changed over: only the new secret signs. Errors: not_found."""
    return manage_webhooks.drop_old_secret(api.platform(), g.caller.id, webhook_id)


@blp.route(f"/webhooks/<{api.ID}:webhook_id>/enable", methods=["POST"])
@auth.allow(*ROLES)
@blp.response(200, WebhookSchema)
@blp.keyed
def enable_webhook(webhook_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Deliver there again after it was disabled. Errors: not_found."""
    return manage_webhooks.enable_webhook(api.platform(), keyed, webhook_id, datetime.now(UTC))


@blp.route(f"/webhooks/<{api.ID}:webhook_id>/test", methods=["POST"])
@auth.allow(*ROLES)
@blp.response(202, TestedSchema)
@blp.keyed
def test_webhook(webhook_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Have a `webhook.test` delivered. Errors: not_found."""
    return manage_webhooks.send_test(api.platform(), keyed, webhook_id, datetime.now(UTC))


@blp.route(f"/webhooks/<{api.ID}:webhook_id>/deliveries")
@auth.allow(*ROLES)
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, DeliveriesSchema)
def list_webhook_deliveries(args: dict[str, Any], webhook_id: int) -> dict[str, Any]:
    """Every attempt, newest first. Errors: not_found."""
    place = api.read_place(args, int)
    return api.page(*manage_webhooks.list_deliveries(api.platform(), g.caller.id, webhook_id, place, args["limit"]))


@blp.route("/messages")
@auth.allow(*ROLES)
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, MessagesSchema)
def list_own_messages(args: dict[str, Any]) -> dict[str, Any]:
    """Everything you were told, newest first, whether or not you have a webhook."""
    place = api.read_place(args, int)
    return api.page(*manage_webhooks.list_messages(api.platform(), g.caller.id, place, args["limit"]))


@blp.route("/messages/replay", methods=["POST"])
@auth.allow(*ROLES)
@blp.arguments(ReplaySchema)
@blp.response(202, ReplayedSchema)
@blp.keyed
def replay_messages(which: dict[str, Any], keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Have messages delivered again, under the ids they had. Errors: not_found."""
    return manage_webhooks.replay_messages(api.platform(), keyed, which, datetime.now(UTC))
