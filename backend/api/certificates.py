"""Certificates: for anybody, without an account."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.usecases import show_certificate

blp = api.Routes("certificates", __name__, url_prefix="/v1/certificates", description="证书 · Certificates")


class SignatureSchema(Schema):
    """Over the RFC 8785 form of `certificate`, by the key `kid` of /.well-known/jwks.json."""

    kid = fields.String(required=True, validate=validate.Length(max=200))
    alg = fields.String(required=True, validate=validate.Length(max=20), metadata={"enum": list(auth.ALGORITHMS)})
    value = fields.String(required=True, validate=validate.Length(max=1000), metadata={"description": "base64url"})


class SignedCertificateSchema(Schema):
    certificate = fields.Dict(required=True)
    signature = fields.Nested(SignatureSchema, required=True)


class ChecksSchema(Schema):
    signature = fields.Boolean(required=True, metadata={"description": "a key of this platform signed exactly this"})
    known = fields.Boolean(required=True, metadata={"description": "the same stands in this platform's books"})
    serials_retired = fields.Boolean(required=True, metadata={"description": "its serials are retired under it"})


class VerificationSchema(Schema):
    valid = fields.Boolean(required=True)
    number = fields.String(required=True, allow_none=True)
    checks = fields.Nested(ChecksSchema, required=True)


@blp.route("/<number>")
@auth.allow(auth.ANYONE)
@blp.response(200, SignedCertificateSchema)
def get_certificate(number: str) -> dict[str, Any]:
    """The signed certificate. Errors: not_found."""
    return show_certificate.show_certificate(api.platform(), number)


@blp.route("/<number>.json")
@auth.allow(auth.ANYONE)
@blp.response(200, SignedCertificateSchema)
def get_certificate_json(number: str) -> dict[str, Any]:
    """The same, to be saved as a file. Errors: not_found."""
    return show_certificate.show_certificate(api.platform(), number)


@blp.route("/<number>.pdf")
@auth.allow(auth.ANYONE)
@blp.response(200, fields.String(metadata={"format": "binary"}), content_type="application/pdf")
@blp.alt_response(202, description="Still being rendered: ask again after Retry-After seconds")
def get_certificate_pdf(number: str) -> ResponseReturnValue:
    """The rendering in Chinese and English; 202 while it is being made. Errors: not_found."""
    pdf = show_certificate.show_pdf(api.platform(), number)
    if pdf is None:
        return jsonify(status="rendering"), 202, {"Retry-After": "2"}
    shown = {"Content-Disposition": f'inline; filename="{number}.pdf"'}
    return Response(pdf, content_type="application/pdf", headers=shown)


@blp.route("/verify", methods=["POST"])
@auth.allow(auth.ANYONE)
@blp.arguments(SignedCertificateSchema)
@blp.response(200, VerificationSchema)
def verify_certificate(body: dict[str, Any]) -> dict[str, Any]:
    """Is it ours, unchanged, and are its serials retired?"""
    return show_certificate.verify_certificate(api.platform(), body["certificate"], body["signature"])
