"""Tokens for clients."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from backend import api, auth
from backend.usecases import issue_token

blp = api.Routes("oauth", __name__, description="令牌 · Tokens")

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenRequestSchema(Schema):
    """RFC 6749 client_credentials, authenticated by RFC 7523. Other parameters are ignored, as OAuth has it."""

    class Meta:
        unknown = EXCLUDE

    grant_type = fields.String(required=True, validate=validate.Equal("client_credentials"))
    client_assertion_type = fields.String(required=True, validate=validate.Equal(ASSERTION_TYPE))
    client_assertion = fields.String(required=True, validate=validate.Length(max=8192))


class TokenSchema(Schema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True)


@blp.route("/v1/oauth/token", methods=["POST"])
@blp.arguments(TokenRequestSchema, location="form")
@blp.response(200, TokenSchema)
@auth.allow(auth.ANYONE)
def create_token(form: dict[str, Any]) -> dict[str, Any]:
    """A short-lived access token for a client assertion signed with one of the client's keys."""
    token = issue_token.issue_token(api.platform(), form["client_assertion"], datetime.now(UTC))
    return {"access_token": token, "token_type": "Bearer", "expires_in": auth.ACCESS_S}
