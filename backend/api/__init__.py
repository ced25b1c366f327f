"""The HTTP interface: one module a resource, its schemas beside its routes.

A view parses, calls one use case and shapes the answer. No SQL, no commits, no rules here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import json
import math
import pkgutil
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import wraps
from typing import Any, NoReturn, cast

from apispec import APISpec
from flask import Request, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError, fields, missing, validate
from webargs.flaskparser import FlaskParser
from werkzeug.routing import BaseConverter

from backend import auth
from backend.errors import CATALOGUE, PROBLEM_TYPE, Problem
from backend.platform import Platform
from backend.usecases import answer_once

ID = "int(max=9223372036854775807)"  # of our numbers in a route: what a bigint holds
DEPTH_MAX = 64  # of nesting in a body
ERRORS_MAX = 50  # told of one request

SPEC_OPTIONS = {
    "info": {
        "description": "碳普惠开放平台 · The open carbon-inclusion platform: one deed, one credit.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    "servers": [{"url": "/"}],
}


class FieldErrorSchema(Schema):
    field = fields.String(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)


class ProblemSchema(Schema):
    """RFC 9457 problem details with our stable `code`."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"enum": sorted(CATALOGUE)})
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema))


def read_json(raw: bytes | str) -> Any:
    """What a body says, as I-JSON (RFC 7493): UTF-8, no name twice, no half of a surrogate pair, no endless number.

    msgspec reads events faster and as strictly. Raises Problem `json_invalid`.
    """
    try:
        value = json.loads(
            raw if isinstance(raw, str) else raw.decode(),
            object_pairs_hook=_members, parse_constant=_no_number, parse_float=_finite,
        )  # fmt: skip
        _check_values(value)
    except (ValueError, RecursionError) as error:
        raise Problem("json_invalid", str(error)[:200]) from None
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has the same name twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is not a number of JSON, or too large")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _check_values(value: Any) -> None:
    """Raises ValueError for nesting too deep, integers beyond a bigint, and text that is no Unicode."""
    level = [value]
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                item.encode()
            elif isinstance(item, dict):
                below += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                below += item
            elif isinstance(item, int) and not -(2**63) <= item < 2**63:
                _no_number(str(item))
        if not below:
            return
        level = below
    raise ValueError(f"nested more than {DEPTH_MAX} deep")


class JSON(DefaultJSONProvider):
    """The application's JSON, in and out."""

    ensure_ascii = False
    sort_keys = False

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return read_json(s)


class _Parser(FlaskParser):
    """webargs with the application's own reading of bodies."""

    def _raw_load_json(self, req: Request) -> Any:
        return req.get_json() if req.is_json and req.get_data(cache=True) else missing


class Reference(BaseConverter):
    """Somebody else's id in a route, exactly as it is: it may hold, begin and end with slashes."""

    part_isolating = False
    regex = ".+?"
    weight = 200


class Routes(Blueprint):
    """A blueprint whose operations are named after their views, so that generated clients read well."""

    ARGUMENTS_PARSER = _Parser()

    def route(self, rule: str, **options: Any) -> Callable[[Any], Any]:
        register = super().route(rule, **options)

        def decorate(view: Any) -> Any:
            view = self.doc(operationId=view.__name__)(view)
            return register(view)

        return decorate

    def keyed(self, view: Any) -> Any:
        """The call carries an Idempotency-Key: the view gets it, with a digest of the body, as its argument `keyed`."""

        @wraps(view)
        def with_key(*args: Any, **kwargs: Any) -> Any:
            return view(*args, keyed=_keyed_request(), **kwargs)

        return self.doc(parameters=[_KEY_HEADER])(with_key)


_KEY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "the same key with the same body gets the first answer back; with another body, `key_reused`",
}


def _keyed_request() -> answer_once.KeyedRequest:
    """Who asks what under which key. Raises Problem `key_missing`."""
    key = request.headers.get("Idempotency-Key", "")
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", key):
        raise Problem("key_missing", "Idempotency-Key: 1 to 255 printable ASCII characters")
    body = request.get_json() if request.is_json and request.get_data(cache=True) else None
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    caller = f"person:{g.caller.id}" if g.caller.role == auth.CITIZEN else g.caller.id
    return answer_once.KeyedRequest(caller, key, f"{request.method} {request.path}", digest)


class Whole(fields.Integer):
    """A number of a body: a JSON integer. Neither 1.9 nor "1" is rounded or read into one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strict=True, **options)


class Instant(fields.AwareDateTime):
    """An instant in an answer; in an answer that was kept it is text already."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value if isinstance(value, str) else super()._serialize(value, attr, obj, **kwargs)


class Day(fields.Date):
    """A civil day in an answer; in an answer that was kept it is text already."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value if isinstance(value, str) else super()._serialize(value, attr, obj, **kwargs)


class Month(fields.String):
    """A vintage month, 'YYYY-MM'; loads as its first day."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text) or text.startswith("0000"):
            raise ValidationError("Not a month, write it as 2026-06.")
        return date.fromisoformat(f"{text}-01")


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _printable(value: str) -> None:
    if _CONTROL.search(value) or not value.strip():
        raise ValidationError("Has no text, or characters that cannot be shown.")


def text(longest: int, **options: Any) -> fields.String:
    """A field for words that people write: 1 to `longest` characters, none of them unprintable."""
    return fields.String(validate=[validate.Length(1, longest), _printable], **options)


def region() -> fields.String:
    """A field for the region that is wished for, by its code."""
    return fields.String(validate=validate.Regexp(r"^[0-9]{6}(?!\n)$"), metadata={"description": "GB/T 2260"})


def methodology() -> fields.String:
    """A field for the methodology that is wished for, by its code."""
    return fields.String(attribute="pack_code", validate=validate.Regexp(r"^[a-z][a-z0-9_]{0,63}(?!\n)$"))


class PageArgs(Schema):
    cursor = fields.String(metadata={"description": "next_cursor of the page before"})
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))


def page(items: list[Any], following: Any) -> dict[str, Any]:
    """A page of a list: the cursor holds the place of its last item, None at the end."""
    return {"items": items, "next_cursor": None if following is None else write_cursor(following)}


def read_place(args: dict[str, Any], kind: type) -> Any:
    """The place to go on from, None for the first page; numbers within a bigint. Raises Problem `cursor_invalid`."""
    values = read_cursor(args.get("cursor"), kind)
    if values and kind is int and not 0 <= values[0] < 2**63:
        raise Problem("cursor_invalid")
    if values and kind is str and _CONTROL.search(values[0]):
        raise Problem("cursor_invalid")
    return values[0] if values else None


def read_moment(args: dict[str, Any]) -> tuple[datetime, int] | None:
    """The same for a list by instants and numbers, as `write_cursor(instant.isoformat(), number)` made it."""
    values = read_cursor(args.get("cursor"), str, int)
    if not values:
        return None
    try:
        at = datetime.fromisoformat(values[0])
        if at.tzinfo is None or not 0 <= values[1] < 2**63:
            raise Problem("cursor_invalid")
        return at.astimezone(UTC), values[1]
    except (ValueError, OverflowError):
        raise Problem("cursor_invalid") from None


def blueprints() -> list[Blueprint]:
    """The blueprint `blp` of every module of this package, in the order of their names."""
    modules = sorted(m.name for m in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}").blp for name in modules]


def document(spec: APISpec) -> None:
    """Add to the OpenAPI document what the decorators cannot say."""
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    for methods in spec._paths.values():
        for operation in methods.values():
            if isinstance(operation, dict):
                for answer in operation.get("responses", {}).values():
                    _say_problem(answer)


def _say_problem(answer: Any) -> None:
    content = answer.get("content", {}) if isinstance(answer, dict) else {}
    shown = content.get("application/json", {}).get("schema", {})
    if isinstance(shown, dict) and str(shown.get("$ref", "")).endswith("/Problem"):
        content[PROBLEM_TYPE] = content.pop("application/json")


def platform() -> Platform:
    return cast(Platform, current_app.extensions["tanpuhui"])


def language() -> str:
    """'zh' or 'en' by Accept-Language; Chinese when nothing is asked."""
    return "en" if request.accept_languages.best_match(["zh", "zh-CN", "en"], default="zh") == "en" else "zh"


def field_errors(messages: Any, path: str = "") -> list[dict[str, str]]:
    """marshmallow's nested messages as a flat list of {field, code, detail}, the first ERRORS_MAX of them."""
    return _flat(messages, path)[:ERRORS_MAX]


def _flat(messages: Any, path: str) -> list[dict[str, str]]:
    if isinstance(messages, dict):
        found = []
        for name, inner in messages.items():
            where = path if path == "" and name in ("json", "query", "headers", "form", "files") else f"{path}.{name}"
            found += _flat(inner, where.strip(".").encode("utf-8", "replace").decode()[:200])
        return found
    if isinstance(messages, list | tuple):
        return [e for m in messages for e in _flat(m, path)]
    return [{"field": path, "code": "field_invalid", "detail": str(messages)}] if messages else []


def write_cursor(*values: Any) -> str:
    """An opaque place in a list."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def read_cursor(text: str | None, *kinds: type) -> list[Any] | None:
    """The values of a cursor, checked against their kinds. Raises Problem `cursor_invalid`."""
    if not text:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise Problem("cursor_invalid") from None
    if not isinstance(values, list) or [type(v) for v in values] != list(kinds):
        raise Problem("cursor_invalid")
    return values
