"""Batches: attested by a verifier, then issued; what they owe after a recall is covered, a freeze is lifted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.usecases import (
    answer_once,
    attest_batch,
    cover_batch,
    issue_credits,
    lift_freeze,
    list_batches,
    show_dossier,
)

blp = api.Routes("batches", __name__, url_prefix="/v1", description="批次：核查与签发 · Batches")

READERS = ("operator", "verifier", "regulator", "company")
MG_MAX = 10**17


class OriginRegionSchema(Schema):
    code = fields.String(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)


class OriginMethodologySchema(Schema):
    code = fields.String(required=True)
    version = fields.String(required=True)
    zh = fields.String(required=True)
    en = fields.String(required=True)


class OriginSchema(Schema):
    """Where grams come from."""

    region = fields.Nested(OriginRegionSchema, required=True)
    methodology = fields.Nested(OriginMethodologySchema, required=True)
    vintage = fields.String(required=True, metadata={"example": "2026-06"})
    provisional = fields.Boolean(metadata={"description": "written without the official text"})
    demonstration = fields.Boolean(required=True, metadata={"description": "no claim may be made"})


class SampleSchema(Schema):
    deeds = api.Whole(required=True, validate=validate.Range(0, 10**9))
    method = api.text(2000, required=True)


class AttestationRequestSchema(Schema):
    decision = fields.String(required=True, validate=validate.OneOf(["attested", "rejected"]))
    assurance = fields.String(required=True, validate=validate.OneOf(["limited", "reasonable"]))
    materiality_ppm = api.Whole(required=True, validate=validate.Range(0, 1_000_000))
    sample = fields.Nested(SampleSchema, required=True)
    findings = api.text(8000, required=True)
    independence = api.text(2000, required=True, metadata={"description": "the statement of independence"})
    adjustment_mg = api.Whole(
        load_default=0, validate=validate.Range(0, MG_MAX), metadata={"description": "taken off what is issued"}
    )


class AttestationSchema(AttestationRequestSchema):
    verifier = fields.String(required=True, attribute="verifier_name")
    attested_at = api.Instant(required=True)


class IssueRequestSchema(Schema):
    price_fen_per_tonne = api.Whole(
        required=True, validate=validate.Range(1, 10**9), metadata={"description": "the operator's", "example": 6000}
    )


class IssueSchema(IssueRequestSchema):
    """1000 x issued_g + remainder_mg = reduction_mg - adjustment_mg - recalled_mg + carried_mg."""

    issued_g = fields.Integer(required=True)
    reserve_g = fields.Integer(required=True, metadata={"description": "of it, correction reserve"})
    remainder_mg = fields.Integer(required=True)
    carried_from = fields.Integer(required=True, allow_none=True, metadata={"description": "the batch carried from"})
    carried_mg = fields.Integer(required=True)
    recalled_mg = fields.Integer(
        required=True, attribute="not_minted_mg", metadata={"description": "recalled before the issue"}
    )
    issued_at = api.Instant(required=True)


class FrozenSchema(Schema):
    """The books of the batch did not add up: nothing of it is offered, ordered or retired till that is lifted."""

    reason = fields.String(required=True)
    frozen_at = api.Instant(required=True)


class BatchSchema(OriginSchema):
    id = fields.Integer(required=True)
    pool = fields.String(required=True)
    ordinal = fields.Integer(required=True, metadata={"description": "the n-th batch of its pool"})
    state = fields.String(required=True, metadata={"enum": ["closed", "rejected", "attested", "issued"]})
    approval = fields.String(required=True)
    deeds = fields.Integer(required=True, allow_none=True)
    people = fields.Integer(required=True, allow_none=True)
    reduction_mg = fields.Integer(required=True, allow_none=True)
    recalled_mg = fields.Integer(
        required=True, allow_none=True, metadata={"description": "what its deeds have lost since the close"}
    )
    owed_g = fields.Integer(
        required=True, metadata={"description": "recalled grams not replaced yet: the series is not offered meanwhile"}
    )
    frozen = fields.Nested(FrozenSchema, required=True, allow_none=True)
    closed_at = api.Instant(required=True)
    attestation = fields.Nested(AttestationSchema, required=True, allow_none=True)
    issue = fields.Nested(IssueSchema, required=True, allow_none=True)


class CoverSchema(Schema):
    from_batch = api.Whole(
        required=True,
        validate=validate.Range(1, 2**63 - 1),
        metadata={"description": "whose unsold grams are cancelled"},
    )
    quantity_g = api.Whole(validate=validate.Range(1, 10**15), metadata={"description": "default: all that is owed"})


class LiftSchema(Schema):
    note = api.text(2000, required=True, metadata={"description": "what was found"})


class BatchesSchema(Schema):
    items = fields.List(fields.Nested(BatchSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DossierArgs(Schema):
    seed = fields.String(
        load_default="1", validate=validate.Length(1, 64), metadata={"description": "draws the sample"}
    )
    sample = fields.Integer(load_default=20, validate=validate.Range(0, show_dossier.SAMPLE_MAX))


class AnomalySchema(Schema):
    """`kind`, in words, and the figures that it touches."""

    kind = fields.String(required=True, metadata={"enum": list(show_dossier.ANOMALIES)})
    zh = fields.String(required=True)
    en = fields.String(required=True)
    deeds = fields.Integer()
    people = fields.Integer()
    reduction_mg = fields.Integer()
    largest_ppm = fields.Integer()


class DrawnSchema(Schema):
    deed = fields.Integer(required=True)
    person = fields.String(required=True, metadata={"description": "a handle within this batch"})
    reduction_mg = fields.Integer(required=True)
    receipt = fields.Dict(required=True, allow_none=True, metadata={"description": "replayed by rules/replay.py"})
    problem = fields.String()


class SampleDrawnSchema(Schema):
    seed = fields.String(required=True)
    size = fields.Integer(required=True)
    deeds = fields.List(fields.Nested(DrawnSchema), required=True)


class DossierSchema(Schema):
    batch = fields.Nested(BatchSchema, required=True)
    evidence = fields.List(fields.Dict(), required=True, metadata={"description": "by tier: deeds, reduction_mg"})
    partners = fields.List(fields.Dict(), required=True, metadata={"description": "through whom the deeds came"})
    deeds = fields.Dict(required=True, metadata={"description": "spread of single deeds, in mg; negative ones"})
    people = fields.Dict(required=True, metadata={"description": "how much single people have of it"})
    quality = fields.Dict(required=True, metadata={"description": "late, corrected, capped deeds; open cases"})
    verdicts = fields.List(fields.Dict(), required=True, metadata={"description": "of all records it was made from"})
    anomalies = fields.List(fields.Nested(AnomalySchema), required=True)
    sample = fields.Nested(SampleDrawnSchema, required=True)


@blp.route("/batches")
@auth.allow(*READERS)
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, BatchesSchema)
def list_all_batches(args: dict[str, Any]) -> dict[str, Any]:
    """Batches, newest first."""
    place = api.read_place(args, int)
    return api.page(*list_batches.list_batches(api.platform(), g.caller.role, place, args["limit"]))


@blp.route(f"/batches/<{api.ID}:batch_id>")
@auth.allow(*READERS)
@blp.response(200, BatchSchema)
def get_batch(batch_id: int) -> dict[str, Any]:
    """One batch. Errors: not_found."""
    return list_batches.show_batch(api.platform(), g.caller.role, batch_id)


@blp.route(f"/batches/<{api.ID}:batch_id>/dossier")
@auth.allow("verifier", "operator", "regulator")
@blp.arguments(DossierArgs, location="query")
@blp.response(200, DossierSchema)
def get_batch_dossier(args: dict[str, Any], batch_id: int) -> dict[str, Any]:
    """What a verifier reads before it attests: figures, anomalies, and receipts of a sample. Errors: not_found."""
    role, seed = g.caller.role, args["seed"]
    return show_dossier.show_dossier(api.platform(), batch_id, role, seed, args["sample"])


@blp.route(f"/batches/<{api.ID}:batch_id>/attestation", methods=["POST"])
@auth.allow("verifier")
@blp.arguments(AttestationRequestSchema)
@blp.response(201, BatchSchema)
def attest_closed_batch(statement: dict[str, Any], batch_id: int) -> dict[str, Any]:
    """核查: state what was found. After a rejection another statement may follow. Errors: not_found, conflict."""
    return attest_batch.attest_batch(api.platform(), batch_id, g.caller.id, statement, datetime.now(UTC))


@blp.route(f"/batches/<{api.ID}:batch_id>/issue", methods=["POST"])
@auth.allow("operator")
@blp.arguments(IssueRequestSchema)
@blp.response(201, BatchSchema)
def issue_batch(body: dict[str, Any], batch_id: int) -> dict[str, Any]:
    """签发: mint whole grams and offer them. Errors: not_found, conflict."""
    price = body["price_fen_per_tonne"]
    return issue_credits.issue_credits(api.platform(), batch_id, g.caller.id, price, datetime.now(UTC))


@blp.route(f"/operator/batches/<{api.ID}:batch_id>/cover", methods=["POST"])
@auth.allow("operator")
@blp.arguments(CoverSchema)
@blp.response(200, BatchSchema)
@blp.keyed
def cover_owed_grams(body: dict[str, Any], batch_id: int, keyed: answer_once.KeyedRequest) -> dict[str, Any]:
    """Cancel unsold grams of a batch of the same methodology for what this one owes. Errors: not_found, conflict,
    sold_out, request_invalid."""
    return cover_batch.cover_batch(
        api.platform(), keyed, batch_id, body["from_batch"], body.get("quantity_g"), datetime.now(UTC)
    )


@blp.route(f"/operator/batches/<{api.ID}:batch_id>/lift", methods=["POST"])
@auth.allow("operator")
@blp.arguments(LiftSchema)
@blp.response(200, BatchSchema)
def lift_batch_freeze(body: dict[str, Any], batch_id: int) -> dict[str, Any]:
    """Let a frozen batch move again, with a note on what was found. Errors: not_found, conflict."""
    return lift_freeze.lift_freeze(api.platform(), batch_id, g.caller.id, body["note"], datetime.now(UTC))
