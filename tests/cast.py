"""The cast: partners, people and the platform of a test, acting as they would from outside."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from flask.testing import FlaskClient
from jwt.api_jws import PyJWS

from backend import auth
from backend.app import create_app
from backend.platform import Platform
from backend.usecases import add_client, add_people

SECRET = "a secret for tests only, long enough"
SIGNING_KEYS = json.dumps([auth.new_key()[0]])
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BASE = "http://localhost"


def environment(database_url: str, redis_url: str, **more: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url, "REDIS_URL": redis_url, "TANPUHUI_SECRET": SECRET,
        "TANPUHUI_SIGNING_KEYS": SIGNING_KEYS, "TANPUHUI_PUBLIC_URL": BASE, "TANPUHUI_LOG_LEVEL": "ERROR", **more,
    }  # fmt: skip


@dataclass
class Client:
    """One client of the platform with its key; talks to the application as over HTTP."""

    http: FlaskClient
    role: str
    name: str
    key: dict[str, str]
    id: str = ""
    subjects: dict[str, str] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    _token: str = ""

    @property
    def token(self) -> str:
        """A token by a client assertion, fetched once."""
        if not self._token:
            answer = self.http.post("/v1/oauth/token", data=token_request(self.id, self.key))
            assert answer.status_code == 200, answer.get_data(as_text=True)
            self._token = answer.json["access_token"]
        return self._token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        if method != "GET":
            headers.setdefault("Idempotency-Key", secrets.token_hex(8))
        return self.http.open(path, method=method, json=body, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, body, **headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def send(self, events: Sequence[dict[str, Any]] | dict[str, Any] | bytes, **headers: str) -> Any:
        """Sign and post a batch (or one event, or raw bytes)."""
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        signed = {"X-JWS-Signature": sign(body, self.key), "Authorization": f"Bearer {self.token}"}
        return self.http.post("/v1/events", data=body, content_type="application/json", headers=signed | headers)

    def verdicts(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        """Send one batch; its verdicts."""
        answer = self.send(list(events))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json["verdicts"]

    def event(self, ref: str, who: str, started_at: datetime, minutes: float = 20, **more: Any) -> dict[str, Any]:
        """A ride of `who` (a partner_ref) as CloudEvent; `more` overrides members of data, or type and subject."""
        subject = more.pop("subject", None) or self.subjects.get(who, who)
        kind = more.pop("type", "cycling.v1")
        data = {
            "started_at": started_at.isoformat(), "ended_at": (started_at + timedelta(minutes=minutes)).isoformat(),
            "region": "310000", "evidence": "order", "distance_m": 2310,
        } | more  # fmt: skip
        data = {k: v for k, v in data.items() if v is not None}
        return {"specversion": "1.0", "id": ref, "source": f"urn:partner:{self.name}", "type": kind,
                "subject": subject, "time": data["started_at"], "data": data}  # fmt: skip


def token_request(client_id: str, key: dict[str, str], **claims: Any) -> dict[str, str]:
    now = int(datetime.now(UTC).timestamp())
    payload = {"iss": client_id, "sub": client_id, "aud": BASE, "iat": now, "exp": now + 120,
               "jti": secrets.token_hex(8)} | claims  # fmt: skip
    assertion = jwt.encode(payload, jwt.PyJWK(key, algorithm="EdDSA").key, algorithm="EdDSA")
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion}


def sign(body: bytes, key: dict[str, str]) -> str:
    """Detached JWS over the raw body (RFC 7797, b64=false)."""
    private = jwt.PyJWK(key, algorithm="EdDSA").key
    return PyJWS().encode(body, private, algorithm="EdDSA", headers={"kid": key["kid"]}, is_payload_detached=True)


@dataclass
class Stage:
    """A platform with its application; clients and people come in as an operator would let them."""

    platform: Platform
    http: FlaskClient

    def client(self, role: str, name: str, **more: Any) -> Client:
        key = auth.new_key()[0]
        if role == "partner":
            more.setdefault("waived_from", LONG_AGO)
        client_id, _ = add_client.add_client(self.platform, role, name, key, **more)
        return Client(self.http, role, name, key, client_id)

    def partner(self, name: str, people: Sequence[str] = (), *, of: str = "", **more: Any) -> Client:
        """A partner linked to people. `of`: these ids are login ids too, so another partner's are the same people."""
        client = self.client("partner", name, **more)
        self.link(client, people, shared=bool(of))
        return client

    def link(
        self, client: Client, people: Sequence[str], *, shared: bool = False,
        purposes: Sequence[str] = ("points", "pool"), consented_at: datetime = LONG_AGO,
    ) -> None:  # fmt: skip
        rows = [(ref, f"union-{ref}" if shared else None) for ref in people]
        for ref, person_id, subject in add_people.add_people(
            self.platform, client.id, rows, purposes=purposes, consented_at=consented_at, text_version="t1",
            evidence=b"signed",
        ):  # fmt: skip
            client.subjects[ref], client.people[ref] = subject, person_id

    def balance(self, person_id: int, book: str, *, but: str = "") -> int:
        """Net of a person's transfers, straight from the table. `but`: a reason that is left out."""
        with self.platform.db.transaction() as conn:
            row = conn.execute(
                "select coalesce(sum(case when credit = 'person' then amount else -amount end), 0) from transfer"
                " where person_id = %s and book = %s and reason <> %s",
                (person_id, book, but),
            ).fetchone()
        return int(row[0]) if row else 0

    def count(self, table: str) -> int:
        with self.platform.db.transaction() as conn:
            return int(conn.execute(f"select count(*) from {table}").fetchone()[0])  # type: ignore[call-overload,index]


@contextmanager
def stage(database_url: str, redis_url: str, **more: str) -> Iterator[Stage]:
    platform = Platform.open(environment(database_url, redis_url, **more))
    try:
        yield Stage(platform, create_app(platform).test_client())
    finally:
        platform.close()


def recent(hour: int = 8, minute: int = 0, *, days_ago: int = 20) -> datetime:
    """A civil time in China some days ago."""
    from zoneinfo import ZoneInfo

    day = datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(days=days_ago)
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0)
