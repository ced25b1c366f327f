"""Certificates: for anybody, without an account."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, render_template_string, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.usecases import show_certificate
from rewards import certificates

blp = api.Routes("certificates", __name__, url_prefix="/v1/certificates", description="证书 · Certificates")


# What a phone shows that has read the QR code.
_PAGE = """<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ c.number }}</title><style>
body{margin:0;background:#eef4f0;color:#1c2624}
body{font:16px/1.6 "PingFang SC","Noto Sans SC","Microsoft YaHei",sans-serif}
main{max-width:640px;margin:24px auto;background:#fff;border-top:6px solid #0f4c3a;padding:24px 28px;border-radius:6px}
h1{font-size:22px;color:#0f4c3a;margin:0}h1 small{display:block;font-size:12px;letter-spacing:2px;color:#a9843f}
.ok,.no,.demo{border:1px solid;border-radius:6px;padding:8px 12px;margin:16px 0}
.ok{color:#0f4c3a}.no,.demo{color:#b3261e}
.q{font-size:34px;color:#0f4c3a}dt{font-size:13px;color:#5d6b67;margin-top:10px}dd{margin:0;overflow-wrap:anywhere}
p{font-size:13px;color:#5d6b67}a{color:#0f4c3a}</style><main>
<h1>碳普惠减排量注销证书<small>CERTIFICATE OF RETIREMENT</small></h1>
{% if valid %}<div class="ok">✓ 查验通过：签名有效，序号已注销<br>
Valid: signed by this platform, its serials are retired</div>
{% else %}<div class="no">✗ 查验未通过 Not valid</div>{% endif %}
{% if c.demonstration %}<div class="demo">{{ c.statements[0].zh }}<br>{{ c.statements[0].en }}</div>{% endif %}
<div class="q">{{ "{:,}".format(c.quantity_g) }} g CO<sub>2</sub>e</div>
<dl><dt>编号 Number<dd>{{ c.number }}<dt>注销时间 Retired at<dd>{{ c.issued_at }}
<dt>受益人 Beneficiary{% for b in beneficiaries %}<dd>{{ b.name }} {{ b.name_en }}<br>{{ b.uscc }}
{% if b.quantity_g %} · {{ "{:,}".format(b.quantity_g) }} g{% endif %}{% endfor %}
{% if c.on_behalf_of %}<dt>代表 On behalf of<dd>{{ c.on_behalf_of.name }}<br>{{ c.on_behalf_of.uscc }}{% endif %}
{% if c.footprint %}<dt>所陈述的足迹 Stated footprint
<dd>{{ "{:,}".format(c.footprint.quantity_g) }} g CO<sub>2</sub>e · {{ c.footprint.boundary }}
<br>已抵 covered {{ "%.2f"|format(c.covered_ppm / 10000) }} %{% endif %}
{% if c.neutrality_claim %}<dt>中和声明 Neutrality claim<dd>{{ c.neutrality_claim.statement }}<br>
自身减排 own reductions {{ "{:,}".format(c.neutrality_claim.own_reductions_g) }} g{% endif %}
<dt>注销人 Retired by<dd>{{ c.company.name }}<dt>用途 Purpose<dd>{{ c.purpose.zh }} {{ c.purpose.en }}
<dt>期间 Period<dd>{{ c.period["from"] }} — {{ c.period.to }}
<dt>来源 Lineage{% for l in c.lineage %}<dd>{{ l.region.zh }} {{ l.region.en }} · {{ l.methodology.zh }}
{{ l.methodology.en }} {{ l.methodology.version }} · {{ l.vintage }} · {{ "{:,}".format(l.quantity_g) }} g
{% if l.own_ppm %}<br>含自有合作方 own partners {{ "%.2f"|format(l.own_ppm / 10000) }} %{% endif %}{% endfor %}
<dt>序号 Serials{% for s in c.serials %}<dd>{{ s }}{% endfor %}</dl>
{% for a in amendments %}<div class="{{ 'ok' if a.covered else 'no' }}"><b>补充说明 Amendment {{ a.number }}</b><br>
{{ a.statement.zh }}<br>{{ a.statement.en }}<br>批次 Batch {{ a.batch }} · 当日召回 recalled on the day
{{ "{:,}".format(a.recalled_mg) }} mg · 累计 in all {{ "{:,}".format(a.recalled_in_all_g) }} g
{% for r in a.replaced_by %}<br>− {{ "{:,}".format(r.quantity_g) }} g · {{ r.serials | join(", ") }}{% endfor %}
</div>{% endfor %}{% for s in c.statements %}<p>{{ s.zh }}<br>{{ s.en }}</p>{% endfor %}
<p><a href="/v1/certificates/{{ c.number }}.pdf">PDF</a> · <a href="/v1/certificates/{{ c.number }}.json">JSON</a></p>
</main></html>"""


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
    signed = show_certificate.show_certificate(api.platform(), number)
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) != "text/html":
        return signed
    checked = show_certificate.verify_certificate(api.platform(), **signed)
    amendments = [a["amendment"] for a in signed["amendments"]]
    page = render_template_string(
        _PAGE, c=signed["certificate"], valid=checked["valid"], amendments=amendments,
        beneficiaries=certificates.beneficiaries(signed["certificate"]),
    )  # fmt: skip
    return Response(page, content_type="text/html; charset=utf-8", headers={"Vary": "Accept"})


@blp.route("/<number>.json")
@auth.allow(auth.ANYONE)
@blp.response(200, AmendedCertificateSchema)
def get_certificate_json(number: str) -> dict[str, Any]:
    """The same, to be saved as a file. Errors: not_found."""
    return show_certificate.show_certificate(api.platform(), number)


@blp.route("/<number>.pdf")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/pdf")
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
@blp.arguments(AmendedCertificateSchema)
@blp.response(200, VerificationSchema)
def verify_certificate(body: dict[str, Any]) -> dict[str, Any]:
    """Is it ours, unchanged, and are its serials retired?"""
    return show_certificate.verify_certificate(api.platform(), **body)
