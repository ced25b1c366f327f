"""Every route states who may call it, and nobody else gets in; whatever comes in, the answer is never a 500."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend import auth
from backend.errors import CATALOGUE, PROBLEM_TYPE
from tests import cast
from tests.cast import Stage

SIGNED = ("/v1/events", "/v1/corrections", "/v1/sessions", "/v1/oauth")  # a token alone is not enough there
ROLES = (*auth.CLIENT_ROLES, auth.CITIZEN)


@pytest.fixture(scope="module")
def stage(module_database_url: str, valkey_url: str) -> Iterator[Stage]:
    with cast.stage(module_database_url, valkey_url) as made:
        yield made


@pytest.fixture(scope="module")
def tokens(stage: Stage) -> dict[str, str]:
    subjects = {role: stage.client(role, f"some {role}").id for role in auth.CLIENT_ROLES}
    subjects[auth.CITIZEN] = str(stage.partner("home", ["lin"]).people["lin"])
    return {r: auth.issue_token(stage.platform.keys, r, s, datetime.now(UTC)) for r, s in subjects.items()}


def routes(app: Flask) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(method, a path, the roles it states) of every route."""
    for rule in app.url_map.iter_rules():
        path = rule.rule
        for argument in rule.arguments:
            path = re.sub(rf"<(?:[^<>]*:)?{argument}>", "1", path)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            view = app.view_functions[rule.endpoint]
            yield method, path, getattr(view, "roles", ("openapi",) if "openapi" in rule.rule else ())


def test_every_route_states_who_may_call_it(stage: Stage) -> None:
    silent = [(m, p) for m, p, roles in routes(stage.http.application) if not roles]
    assert silent == []
    stated = {r for _, _, roles in routes(stage.http.application) for r in roles}
    assert stated <= {*ROLES, auth.ANYONE, "openapi"}


def test_no_route_lets_a_role_in_that_it_does_not_state(stage: Stage, tokens: dict[str, str]) -> None:
    closed = [r for r in routes(stage.http.application) if auth.ANYONE not in r[2] and r[2] != ("openapi",)]
    assert len(closed) > 10
    for method, path, roles in closed:
        nobody = stage.http.open(path, method=method)
        assert (nobody.status_code, nobody.json["code"]) == (401, "token_missing"), (method, path)
        for role in set(ROLES) - set(roles):
            answer = stage.http.open(path, method=method, headers={"Authorization": f"Bearer {tokens[role]}"})
            assert (answer.status_code, answer.json["code"]) == (403, "forbidden"), (method, path, role)


def test_whoever_may_call_a_route_gets_an_answer_and_never_a_500(stage: Stage, tokens: dict[str, str]) -> None:
    for method, path, roles in routes(stage.http.application):
        for role in roles:
            headers = {"Authorization": f"Bearer {tokens[role]}"} if role in tokens else {}
            for body in (None, {}, [], {"quantity_g": -1, "id": None}):
                answer = stage.http.open(
                    path, method=method, json=body, headers=headers | {"Idempotency-Key": "k" * 16}
                )
                if path == "/readyz":
                    continue
                assert answer.status_code < 500, (method, path, role, answer.get_data(as_text=True))
                assert answer.status_code not in (401, 403) or path.startswith(SIGNED)
                if answer.status_code >= 400:
                    assert answer.content_type == PROBLEM_TYPE, (method, path)
                    assert answer.json["code"] in CATALOGUE


def test_a_token_signed_by_somebody_else_or_expired_is_refused(stage: Stage) -> None:
    foreign = auth.signing_keys(json.dumps([auth.new_key()[0]]))
    old = auth.issue_token(stage.platform.keys, "operator", "op", datetime(2020, 1, 1, tzinfo=UTC))
    for token in (auth.issue_token(foreign, "operator", "op", datetime.now(UTC)), old, "a.b.c", ""):
        answer = stage.http.get("/v1/pools", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


def test_a_rotated_key_still_reads_the_tokens_it_signed(stage: Stage) -> None:
    old, new = auth.new_key()[0], auth.new_key()[0]
    token = auth.issue_token(auth.signing_keys(json.dumps([old])), "partner", "p", datetime.now(UTC))
    assert auth.read_token(auth.signing_keys(json.dumps([new, old])), token).id == "p"


def test_an_assertion_opens_one_token_once(stage: Stage) -> None:
    client = stage.client("partner", "once")
    form = cast.token_request(client.id, client.key)
    assert stage.http.post("/v1/oauth/token", data=form).status_code == 200
    again = stage.http.post("/v1/oauth/token", data=form)
    assert (again.status_code, again.json["code"]) == (401, "assertion_invalid")


@pytest.mark.parametrize("claims", [{"aud": "https://elsewhere"}, {"iss": "other"}, {"exp": 1}, {"exp": 4_000_000_000}])
def test_an_assertion_for_another_place_or_time_is_refused(stage: Stage, claims: dict[str, Any]) -> None:
    client = stage.client("partner", "wrong")
    answer = stage.http.post("/v1/oauth/token", data=cast.token_request(client.id, client.key, **claims))
    assert (answer.status_code, answer.json["code"]) == (401, "assertion_invalid")


def test_a_body_changed_after_signing_is_refused(stage: Stage) -> None:
    client = stage.client("partner", "signed")
    good = b"[]"
    for headers in ({"X-JWS-Signature": cast.sign(b"[ ]", client.key)}, {"X-JWS-Signature": "a..b"},
                    {"X-JWS-Signature": cast.sign(good, auth.new_key()[0])}, {"X-JWS-Signature": ""}):  # fmt: skip
        answer = client.send(good, **headers)
        assert (answer.status_code, answer.json["code"][:9]) == (401, "signature")
    assert client.send(good).json["code"] == "batch_empty"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_event_however_strange_gives_a_500(stage: Stage, data: st.DataObject) -> None:
    client = data.draw(st.sampled_from(_strangers(stage)))
    event = client.event("x1", "lin", cast.recent())
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.sampled_from([event, event["data"]])) if isinstance(event.get("data"), dict) else event
        place[data.draw(st.sampled_from([*event, *cast_names, "other"]))] = data.draw(json_values)
    answer = client.send([event])
    assert answer.status_code in (200, 400), answer.get_data(as_text=True)
    if answer.status_code == 200:
        [verdict] = answer.json["verdicts"]
        assert verdict["reason"]
        assert isinstance(verdict["reduction_mg"], int)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_body_however_broken_gives_a_500(stage: Stage, body: bytes) -> None:
    answer = _strangers(stage)[0].send(body)
    assert answer.status_code in (200, 400)


cast_names = ("started_at", "ended_at", "region", "evidence", "act_ref", "asset_ref", "distance_m")
_made: dict[int, list[cast.Client]] = {}


def _strangers(stage: Stage) -> list[cast.Client]:
    return _made.setdefault(id(stage), [stage.partner(f"stranger{id(stage)}", ["lin"])])
