"""The HTTP interface: one module a resource, its schemas beside its routes.

A view parses, calls one use case and shapes the answer. No SQL, no commits, no rules here.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import json
import pkgutil
from collections.abc import Callable
from typing import Any, cast

from apispec import APISpec
from flask import current_app, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields

from backend.errors import CATALOGUE, PROBLEM_TYPE, Problem
from backend.platform import Platform

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


class Routes(Blueprint):
    """A blueprint whose operations are named after their views, so that generated clients read well."""

    def route(self, rule: str, **options: Any) -> Callable[[Any], Any]:
        register = super().route(rule, **options)

        def decorate(view: Any) -> Any:
            view = self.doc(operationId=view.__name__)(view)
            return register(view)

        return decorate


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
    """marshmallow's nested messages as a flat list of {field, code, detail}."""
    if isinstance(messages, dict):
        found = []
        for name, inner in messages.items():
            where = path if path == "" and name in ("json", "query", "headers", "form", "files") else f"{path}.{name}"
            found += field_errors(inner, where.strip("."))
        return found
    if isinstance(messages, list | tuple):
        return [e for m in messages for e in field_errors(m, path)]
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
