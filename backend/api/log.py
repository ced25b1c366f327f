"""The log, for anybody: head, tiles and bundles as C2SP tlog-tiles lays them out; proofs; keys; cosignatures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, request
from marshmallow import Schema, fields, validate

from backend import api, auth
from backend.errors import Problem, field_problem
from backend.usecases import build_verifier, show_log

blp = api.Routes("log", __name__, url_prefix="/v1/log", description="日志 · Log")

SIZE = validate.Range(0, 2**63 - 1)
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
SECONDS = {"Cache-Control": "public, max-age=2"}


class SizeArgs(Schema):
    size = fields.Integer(validate=SIZE, metadata={"description": "of a checkpoint; absent: the newest"})


class InclusionArgs(SizeArgs):
    index = fields.Integer(required=True, validate=SIZE)


class ConsistencyArgs(Schema):
    from_size = fields.Integer(required=True, validate=SIZE, data_key="from")
    to_size = fields.Integer(validate=SIZE, data_key="to", metadata={"description": "absent: the newest checkpoint"})


class InclusionSchema(Schema):
    index = fields.Integer(required=True)
    size = fields.Integer(required=True)
    entry = fields.String(required=True)
    path = fields.List(fields.String(), required=True, metadata={"description": "base64, from the sibling up"})
    proof = fields.String(required=True, metadata={"description": "the same with its checkpoint: C2SP tlog-proof"})


class ConsistencySchema(Schema):
    from_size = fields.Integer(required=True, data_key="from", attribute="from")
    to_size = fields.Integer(required=True, data_key="to", attribute="to")
    path = fields.List(fields.String(), required=True, metadata={"description": "base64 (RFC 6962, 2.1.2)"})


class CheckpointSchema(Schema):
    size = fields.Integer(required=True)
    made_at = fields.AwareDateTime(required=True)


class CheckpointsSchema(Schema):
    items = fields.List(fields.Nested(CheckpointSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class KeySchema(Schema):
    key = fields.String(required=True, metadata={"description": "<origin>+<key id>+<base64>"})
    in_use = fields.Boolean(required=True)


class KeyChangeSchema(Schema):
    index = fields.Integer(required=True, metadata={"description": "of the entry that says which keys sign"})
    checkpoint = fields.String(required=True, metadata={"description": "the first head that holds it"})


class KeysSchema(Schema):
    origin = fields.String(required=True)
    keys = fields.List(fields.Nested(KeySchema), required=True)
    witnesses = fields.List(fields.String(), required=True)
    changes = fields.List(fields.Nested(KeyChangeSchema), required=True, metadata={"description": "oldest first"})


class CosignedSchema(Schema):
    size = fields.Integer(required=True)
    accepted = fields.List(fields.String(), required=True)
    known = fields.List(fields.String(), required=True)


@blp.route("/checkpoint")
@auth.allow(auth.ANYONE)
@blp.arguments(SizeArgs, location="query")
@blp.response(200, {"type": "string"}, content_type="text/plain")
def get_checkpoint(args: dict[str, Any]) -> Response:
    """The newest signed head, or that of a size, with the cosignatures there are. Errors: not_found."""
    note = show_log.show_checkpoint(api.platform(), args.get("size"))
    return Response(note, content_type="text/plain; charset=utf-8", headers=SECONDS)


@blp.route("/checkpoints")
@auth.allow(auth.ANYONE)
@blp.arguments(api.PageArgs, location="query")
@blp.response(200, CheckpointsSchema)
def list_checkpoints(args: dict[str, Any]) -> dict[str, Any]:
    """The sizes of all heads ever signed, newest first."""
    return api.page(*show_log.list_checkpoints(api.platform(), api.read_place(args, int), args["limit"]))


@blp.route("/tile/<path:path>")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def get_tile(path: str) -> Response:
    """`<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`; never changes. Errors: not_found."""
    return Response(show_log.show_tile(api.platform(), path), content_type="application/octet-stream", headers=FOR_EVER)


@blp.route("/proofs/inclusion")
@auth.allow(auth.ANYONE)
@blp.arguments(InclusionArgs, location="query")
@blp.response(200, InclusionSchema)
def prove_inclusion(args: dict[str, Any]) -> dict[str, Any]:
    """The entry at a place, and the proof that it is there. Errors: not_found."""
    return show_log.prove_inclusion(api.platform(), args["index"], args.get("size"))


@blp.route("/proofs/consistency")
@auth.allow(auth.ANYONE)
@blp.arguments(ConsistencyArgs, location="query")
@blp.response(200, ConsistencySchema)
def prove_consistency(args: dict[str, Any]) -> dict[str, Any]:
    """That nothing of the log as it was at a size has been changed since. Errors: not_found."""
    return show_log.prove_consistency(api.platform(), args["from_size"], args.get("to_size"))


@blp.route("/keys")
@auth.allow(auth.ANYONE)
@blp.response(200, KeysSchema)
def list_keys() -> dict[str, Any]:
    """Every key that ever signed the log's heads, as its own entries tell, and the witnesses it knows."""
    return show_log.list_keys(api.platform())


@blp.route("/verify.py")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/x-python", description="needs Python 3.11 and nothing else")
def get_verifier() -> Response:
    """The stand-alone script that checks receipts, memberships, certificates and checkpoints offline."""
    return Response(build_verifier.build_verifier(), content_type="text/x-python; charset=utf-8")


@blp.route("/cosignatures", methods=["POST"])
@auth.allow(auth.ANYONE)
@blp.response(200, CosignedSchema)
def take_cosignatures() -> dict[str, Any]:
    """A witness's cosignature (C2SP tlog-cosignature): the head as text with its line. Errors: forbidden, not_found."""
    if (request.content_length or 0) > 65_536:
        raise Problem("body_too_large")
    try:
        note = request.get_data(cache=False).decode()
    except UnicodeDecodeError:
        raise field_problem("body", "field_invalid", "not UTF-8") from None
    return show_log.take_cosignatures(api.platform(), note, datetime.now(UTC))
