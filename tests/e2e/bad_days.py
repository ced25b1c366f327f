"""A tiny real HTTP server that stands for the platform, and the bad days it may have."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

import jwt
from jwt.api_jws import PyJWS

from mobile_mock.traffic import client

Act = Callable[["Platform", BaseHTTPRequestHandler], bool]


@dataclass
class Platform:
    """Takes signed batches; `bad_days` are acted out one a request, each telling whether it has answered already."""

    private: Any
    algorithm: str
    lifetime_s: int = 900
    bad_days: list[Act] = field(default_factory=list)
    seen: dict[str, bytes] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    assertions: list[dict[str, Any]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    url: str = ""

    def token(self, form: dict[str, list[str]]) -> dict[str, Any]:
        assert form["grant_type"] == ["client_credentials"]
        assert form["client_assertion_type"] == [client.ASSERTION_TYPE]
        public, audience = self.private.public_key(), f"{self.url}/v1/oauth/token"
        claims = jwt.decode(form["client_assertion"][0], public, [self.algorithm], audience=audience, issuer="pa-1")
        assert claims["sub"] == "pa-1"
        assert 0 < claims["exp"] - claims["iat"] <= 300
        self.assertions.append(claims)
        self.tokens.append(f"token-{len(self.tokens)}")
        return {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.lifetime_s}

    def events(self, headers: Any, body: bytes) -> dict[str, Any]:
        public = self.private.public_key()
        signed = PyJWS().decode_complete(headers["X-JWS-Signature"], public, [self.algorithm], detached_payload=body)
        assert signed["header"]["b64"] is False
        assert signed["header"]["crit"] == ["b64"]
        assert headers["Content-Type"] == "application/cloudevents-batch+json"
        assert headers["Authorization"] == f"Bearer {self.tokens[-1]}"
        self.bodies.append(body)
        return {"verdicts": [self._verdict(event) for event in json.loads(body)]}

    def _verdict(self, event: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps(event).encode()
        first = {"id": event["id"], "verdict": "credited", "code": "ok", "reduction_mg": 1000, "points": 1}
        if self.seen.setdefault(event["id"], content) is not content:
            again = {"id": event["id"], "verdict": "repeated", "code": "resent", "reduction_mg": 0, "points": 0}
            return again | {"original": first}
        return first


def handler_of(platform: Platform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.body = self.rfile.read(int(self.headers["Content-Length"]))
            platform.connections.add(self.client_address)
            if self.path == "/v1/oauth/token":
                reply(self, 200, platform.token(parse_qs(self.body.decode())))
            elif not (platform.bad_days and platform.bad_days.pop(0)(platform, self)):
                reply(self, 200, platform.events(self.headers, self.body))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def reply(handler: BaseHTTPRequestHandler, status: int, told: dict[str, Any], **headers: str) -> None:
    body = json.dumps(told).encode()
    handler.send_response(status)
    for name, value in (headers | {"Content-Length": str(len(body))}).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


# --- bad days -------------------------------------------------------------------------------------------------------


def drops(platform: Platform, handler: BaseHTTPRequestHandler) -> bool:
    """Killed before it took the batch."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def takes_and_drops(platform: Platform, handler: Any) -> bool:
    """Killed between commit and answer."""
    platform.events(handler.headers, handler.body)
    return drops(platform, handler)


def is_away(platform: Platform, handler: BaseHTTPRequestHandler) -> bool:
    reply(handler, 503, {"code": "database_away", "title": "the database is away"}, Retry_After="1")
    return True


def forgot_its_keys(platform: Platform, handler: BaseHTTPRequestHandler) -> bool:
    reply(handler, 401, {"code": "token_invalid", "title": "token"})
    return True


def refuses(platform: Platform, handler: BaseHTTPRequestHandler) -> bool:
    reply(handler, 403, {"code": "forbidden", "title": "not yours", "detail": "this route is for: partner"})
    return True


def answers_nonsense(platform: Platform, handler: BaseHTTPRequestHandler) -> bool:
    reply(handler, 200, {"verdicts": []})
    return True
