"""The Flask application: routes, errors as problems, request ids, metrics, health."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

import psycopg
import psycopg_pool
import structlog
from flask import Flask, Response, g, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from backend import api, auth, logs, metrics
from backend.errors import PROBLEM_TYPE, Problem
from backend.platform import Platform
from backend.store import db
from backend.usecases import erase_person

log = structlog.get_logger()

_BY_STATUS = {
    400: "json_invalid",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "type_not_supported",
    422: "request_invalid",
    429: "too_many_requests",
}


class ProblemApi(Api):
    """flask-smorest with RFC 9457 problems in place of its own error shape, in answers and in the document."""

    ERROR_SCHEMA = api.ProblemSchema

    def _register_error_handlers(self) -> None:
        """Errors are answered by the app's own handlers."""


def create_app(platform: Platform | None = None) -> Flask:
    """The application on an opened platform; from the environment when none is given."""
    platform = platform or Platform.open(os.environ)
    logs.configure(platform.settings.log_level)
    app = Flask("tanpuhui", static_folder=None)
    app.json = api.JSON(app)
    app.url_map.merge_slashes = False  # an id may hold two slashes
    app.url_map.converters["reference"] = api.Reference
    app.extensions["tanpuhui"] = platform
    app.config.update(
        SIGNING_KEYS=platform.settings.signing_keys,
        CHECK_PERSON=partial(erase_person.check_person, platform),
        MAX_CONTENT_LENGTH=platform.settings.body_max_bytes,
        API_TITLE="Tanpuhui 碳普惠",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS=api.SPEC_OPTIONS,
    )
    _answer_errors(app)
    _follow_requests(app, platform)
    documented = ProblemApi(app)
    for blueprint in api.blueprints():
        documented.register_blueprint(blueprint)
    api.document(documented.spec)
    return app


def _answer_errors(app: Flask) -> None:
    def answer(problem: Problem) -> Response:
        text = app.json.dumps(problem.body(api.language(), request.path))
        return Response(text.encode("utf-8", "replace"), problem.status, problem.headers, content_type=PROBLEM_TYPE)

    def http_error(error: HTTPException) -> Response:
        data = getattr(error, "data", None) or {}
        problem = Problem(_BY_STATUS.get(error.code or 500, "internal"), errors=api.field_errors(data.get("messages")))
        return answer(problem)

    def database_away(error: Exception) -> Response:
        log.warning("database_unavailable", error=type(error).__name__)
        return answer(Problem("unavailable", headers={"Retry-After": "1"}))

    def unexpected(error: Exception) -> Response:
        log.exception("unexpected_error", error=type(error).__name__)
        return answer(Problem("internal", extra={"request_id": g.request_id}))

    app.register_error_handler(Problem, answer)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(RecursionError, lambda _: answer(Problem("json_invalid", "nested too deeply")))
    # Of them, LockNotAvailable and QueryCanceled: the database is there, but somebody holds what this call needs.
    app.register_error_handler(psycopg.OperationalError, database_away)
    app.register_error_handler(psycopg_pool.PoolTimeout, database_away)
    app.register_error_handler(db.ClaimLost, database_away)  # lost every race: the batch may be sent again
    app.register_error_handler(psycopg.DataError, lambda _: answer(Problem("request_invalid", "not to be stored")))
    app.register_error_handler(OverflowError, lambda _: answer(Problem("request_invalid", "out of range")))
    app.register_error_handler(Exception, unexpected)


def _follow_requests(app: Flask, platform: Platform) -> None:
    """A request id, one log line and one metric sample a request; CORS for the named origins."""

    @app.before_request
    def begin() -> Any:
        g.request_id = logs.request_id(request.headers.get("X-Request-Id", ""))
        g.began_s = time.perf_counter()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        if request.method == "OPTIONS" and request.headers.get("Access-Control-Request-Method"):
            return Response(status=204)
        return None

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.began_s
        route = request.url_rule.rule if request.url_rule else "(none)"
        metrics.observe_request(request.method, route, response.status_code, seconds)
        caller = g.get("caller")
        client = caller.id if caller and caller.role != auth.CITIZEN else None  # people never appear in logs
        log.info("request", method=request.method, route=route, status=response.status_code, client=client,
                 milliseconds=round(seconds * 1000, 1))  # fmt: skip
        response.headers["X-Request-Id"] = g.request_id
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
        origin = request.headers.get("Origin", "")
        if origin in platform.settings.cors_origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Idempotency-Key"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
        return response

    @app.teardown_request
    def forget(_: BaseException | None) -> None:
        structlog.contextvars.clear_contextvars()
