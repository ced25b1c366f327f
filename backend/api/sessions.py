"""Sessions of citizens: in by the identity provider's one-time code, on by single-use refresh tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from backend import api, auth, identity
from backend.usecases import log_in, log_out, refresh_session

blp = api.Routes("sessions", __name__, url_prefix="/v1", description="登录 · Sessions")


class LoginSchema(Schema):
    provider = fields.String(required=True, validate=validate.OneOf(identity.PROVIDERS))
    code = fields.String(required=True, validate=validate.Length(1, 256), metadata={"description": "wx.login()"})


class RefreshSchema(Schema):
    refresh_token = fields.String(required=True, validate=validate.Length(1, 256))


class SessionPersonSchema(Schema):
    id = fields.String(required=True, attribute="person_id")
    since = fields.AwareDateTime(required=True)


class SessionSchema(Schema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "seconds"})
    refresh_token = fields.String(required=True, metadata={"description": "for one use"})
    person = fields.Nested(SessionPersonSchema, required=True)


def _shown(session: log_in.Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in ("access_token", "token_type", "expires_in", "refresh_token")} | {
        "person": {"person_id": session.person_id, "since": session.since}
    }


@blp.route("/sessions", methods=["POST"])
@auth.allow(auth.ANYONE)
@blp.arguments(LoginSchema)
@blp.response(200, SessionSchema)
def log_in_person(body: dict[str, str]) -> dict[str, Any]:
    """Log in with the one-time code of the identity provider. Errors: code_invalid, provider_unavailable."""
    return _shown(log_in.log_in(api.platform(), body["provider"], body["code"], datetime.now(UTC)))


@blp.route("/sessions/refresh", methods=["POST"])
@auth.allow(auth.ANYONE)
@blp.arguments(RefreshSchema)
@blp.response(200, SessionSchema)
def refresh_person_session(body: dict[str, str]) -> dict[str, Any]:
    """New tokens for a refresh token, once; used twice, it ends the session. Errors: token_invalid."""
    return _shown(refresh_session.refresh_session(api.platform(), body["refresh_token"], datetime.now(UTC)))


@blp.route("/sessions/end", methods=["POST"])
@auth.allow(auth.ANYONE)
@blp.arguments(RefreshSchema)
@blp.response(204)
def log_out_person(body: dict[str, str]) -> None:
    """Log out: this session's refresh tokens end."""
    log_out.log_out(api.platform(), body["refresh_token"], datetime.now(UTC))
