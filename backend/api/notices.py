"""Notices: what a company or a partner is told."""

from __future__ import annotations

from typing import Any

from flask import g
from marshmallow import Schema, fields

from backend import api, auth
from backend.usecases import list_notices

blp = api.Routes("notices", __name__, url_prefix="/v1", description="通知 · Notices")


KINDS = ("recall", "correction_cost", "verdicts", "webhook_disabled")


class NoticeSchema(Schema):
    """`recall`: grams of yours are of a batch that recalled some; brought up to date within a day. `correction_cost`:
    points and grams that your corrections cost. `verdicts`: yours that changed. `webhook_disabled`: one was silent.
    """

    id = fields.Integer(required=True)
    kind = fields.String(required=True, metadata={"enum": list(KINDS)})
    body = fields.Dict(required=True, metadata={"description": "zh, en, and the figures"})
    made_at = api.Instant(required=True)


class NoticesSchema(Schema):
    items = fields.List(fields.Nested(NoticeSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


@blp.route("/notices")
@auth.allow("company", "partner")
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, NoticesSchema)
def get_notices(args: dict[str, Any]) -> dict[str, Any]:
    """What you were told, newest first. Errors: cursor_invalid."""
    items, following = list_notices.list_notices(api.platform(), g.caller.id, api.read_moment(args), args["limit"])
    cursor = api.write_cursor(following[0].isoformat(), following[1]) if following else None
    return {"items": items, "next_cursor": cursor}
