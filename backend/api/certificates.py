"""Certificates: for anybody, without an account."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.api import flows_page, pages
from backend.errors import Problem
from backend.usecases import draw_parts, prove_certificate, show_certificate
from rewards import certificates

blp = api.Routes(
    "certificates", __name__, url_prefix="/v1/certificates", template_folder="templates",
    description="证书 · Certificates",
)  # fmt: skip


TEXTS: pages.Texts = {**pages.TEXTS, **json.loads((pages.STATIC / "certificate.json").read_text("utf-8"))}
LINES_SHOWN, SERIALS_SHOWN = 8, 12  # at once; the rest on demand
VARY = {"Vary": "Accept"}


class SignatureSchema(Schema):
    """Over the RFC 8785 form of `certificate`, by the key `kid` of /.well-known/jwks.json."""

    kid = fields.String(required=True, validate=validate.Length(max=200))
    alg = fields.String(required=True, validate=validate.Length(max=20), metadata={"enum": list(auth.ALGORITHMS)})
    value = fields.String(required=True, validate=validate.Length(max=1000), metadata={"description": "base64url"})


class LoggedSchema(Schema):
    """The entry of the log and the proof that it is in it (C2SP tlog-proof): see rewards/PROOFS.md."""

    entry = fields.String(required=True, validate=validate.Length(max=65_535))
    proof = fields.String(required=True, validate=validate.Length(max=65_536))


class SignedAmendmentSchema(Schema):
    """What was recalled of a batch on a day, and what replaced it; the certificate itself stays as it is."""

    amendment = fields.Dict(required=True)
    signature = fields.Nested(SignatureSchema, required=True)
    log = fields.Nested(LoggedSchema, load_default=None, allow_none=True)


class SignedCertificateSchema(Schema):
    certificate = fields.Dict(required=True)
    signature = fields.Nested(SignatureSchema, required=True)


class AmendedCertificateSchema(SignedCertificateSchema):
    log = fields.Nested(
        LoggedSchema, load_default=None, allow_none=True, metadata={"description": "null: not in the log yet"}
    )
    amendments = fields.List(
        fields.Nested(SignedAmendmentSchema), load_default=[], validate=validate.Length(max=1000),
        metadata={"description": "one a day and batch, oldest first"},
    )  # fmt: skip


class ChecksSchema(Schema):
    signature = fields.Boolean(required=True, metadata={"description": "a key of this platform signed exactly this"})
    known = fields.Boolean(required=True, metadata={"description": "the same stands in this platform's books"})
    serials_retired = fields.Boolean(required=True, metadata={"description": "its serials are retired under it"})
    logged = fields.Boolean(required=True, metadata={"description": "its entry is in the log; takes some seconds"})
    amendments = fields.Boolean(required=True, metadata={"description": "those given are signed and known, too"})


class VerificationSchema(Schema):
    valid = fields.Boolean(required=True)
    number = fields.String(required=True, allow_none=True)
    checks = fields.Nested(ChecksSchema, required=True)
    amendments = fields.List(fields.String(), required=True, metadata={"description": "numbers of those there are"})


@blp.route("/<number>")
@auth.allow(auth.ANYONE)
@blp.response(200, AmendedCertificateSchema)
def get_certificate(number: str) -> Any:
    """The signed certificate and any amendments; to a browser, a page with its verdict. Errors: not_found."""
    if not _is_for_people():
        return show_certificate.show_certificate(api.platform(), number), 200, VARY
    now = datetime.now(UTC)
    try:
        signed = show_certificate.certificate_file(api.platform(), number, now)
    except Problem as problem:
        if problem.code != "not_found":
            raise
        return _page("missing.html", 404, number=number)
    return _certificate_page(signed, now)


def _is_for_people() -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _certificate_page(signed: dict[str, Any], now: datetime) -> Response:
    zone, body = api.platform().standard.nation.timezone, signed["certificate"]
    proof = prove_certificate.prove_certificate(api.platform(), signed, now)
    if proof["verdict"] == "wrong":  # then its form cannot be relied on either
        found = json.dumps(signed, ensure_ascii=False, indent=2)
        return _page("wrong.html", 200, number=request.path.rpartition("/")[2], proof=proof, found=found)
    return _page(
        "certificate.html", 200, c=body, signed=signed, proof=proof, recalls=recalls(signed["amendments"]),
        beneficiaries=certificates.beneficiaries(body), checked_at=now.astimezone(zone),
        retired_at=datetime.fromisoformat(body["issued_at"]).astimezone(zone), grams=draw_parts.quantity_text,
        percent=flows_page.percent, lines_shown=LINES_SHOWN, serials_shown=SERIALS_SHOWN,
    )  # fmt: skip


def _page(template: str, status: int, **values: Any) -> Response:
    answer = pages.render(f"certificates/{template}", TEXTS, **values)
    answer.status_code = status
    answer.headers["Vary"] = "Accept, Accept-Language"
    return answer


def recalls(amendments: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What was recalled of the batches in all: {batches, recalled_g, owed_g, until}, by the last amendment of each."""
    last = {a["amendment"]["batch"]: a["amendment"] for a in amendments}.values()
    return {
        "batches": len(last),
        "recalled_g": sum(a["recalled_in_all_g"] for a in last),
        "owed_g": sum(a["owed_g"] for a in last),
        "until": max((a["made_on"] for a in last), default=None),
    }


@blp.route("/<number>.json")
@auth.allow(auth.ANYONE)
@blp.response(200, AmendedCertificateSchema)
def get_certificate_json(number: str) -> dict[str, Any]:
    """The same, to be saved as a file: with its place in the log. Errors: not_found."""
    return show_certificate.certificate_file(api.platform(), number, datetime.now(UTC))


@blp.route("/<number>.pdf")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/pdf")
@blp.alt_response(202, description="Still being rendered: ask again after Retry-After seconds")
def get_certificate_pdf(number: str) -> ResponseReturnValue:
    """The rendering, Chinese and English on one sheet; 202 while it is being made. Errors: not_found."""
    pdf = show_certificate.show_pdf(api.platform(), number)
    if pdf is None and _is_for_people():
        answer = _page("rendering.html", 202, number=number)
        answer.headers["Refresh"] = "2"
    elif pdf is None:
        answer = jsonify(status="rendering")
        answer.status_code = 202
    else:
        shown = {"Content-Disposition": f'inline; filename="{number}.pdf"'}
        return Response(pdf, content_type="application/pdf", headers=shown)
    answer.headers["Retry-After"] = "2"
    return answer


@blp.route("/verify", methods=["POST"])
@auth.allow(auth.ANYONE)
@blp.arguments(AmendedCertificateSchema)
@blp.response(200, VerificationSchema)
def verify_certificate(body: dict[str, Any]) -> dict[str, Any]:
    """Is it ours, unchanged, and are its serials retired?"""
    return show_certificate.verify_certificate(api.platform(), **body)
