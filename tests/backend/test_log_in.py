"""A citizen logs in with the identity provider's one-time code, stays in by single-use refresh tokens, and logs out."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from flask import Flask, jsonify

from backend.usecases import log_in as log_in_case
from backend.usecases import refresh_session
from mobile_mock import server
from tests import cast, phones
from tests.cast import Stage
from tests.phones import log_in, login_code, post_login


@pytest.fixture
def stage(database_url: str, redis_url: str, provider: str) -> Iterator[Stage]:
    with cast.stage(database_url, redis_url, **phones.identity_environment(provider)) as made:
        yield made


@pytest.fixture
def odd_stage(database_url: str, redis_url: str) -> Iterator[Any]:
    """A platform whose provider answers whatever the test says."""
    answers: list[Any] = []
    app = Flask("odd")
    app.add_url_rule("/sns/jscode2session", view_func=lambda: answers.pop(0))
    with (
        phones.serving(app) as url,
        cast.stage(database_url, redis_url, **phones.identity_environment(url), TANPUHUI_LOG_LEVEL="DEBUG") as made,
    ):
        yield lambda *given: answers.extend(given) or made


def enter(stage: Stage) -> Any:
    return stage.http.post("/v1/sessions", json={"provider": "wechat", "code": "any"})


def refresh(stage: Stage, token: str) -> Any:
    return stage.http.post("/v1/sessions/refresh", json={"refresh_token": token})


def test_a_login_makes_a_person_and_tokens_that_work(stage: Stage, provider: str) -> None:
    lin = log_in(stage.http, provider, "13800138000")
    assert lin.session["token_type"] == "Bearer"
    assert lin.session["expires_in"] == 900
    assert lin.ok("/v1/me")["id"] == lin.session["person"]["id"]
    assert lin.ok("/v1/me")["since"] == lin.session["person"]["since"]


def test_the_same_phone_is_the_same_person_however_it_is_written(stage: Stage, provider: str) -> None:
    people = {log_in(stage.http, provider, who).session["person"]["id"] for who in ("13800138000", "+86 138-0013-8000")}
    assert len(people) == 1
    assert log_in(stage.http, provider, "13800138001").session["person"]["id"] not in people
    assert stage.count("person") == 2


def test_a_person_whom_a_partner_brought_finds_the_account_at_login(stage: Stage, provider: str) -> None:
    bikes = stage.partner("valleybike", ["lin"], of="city")
    lin = log_in(stage.http, provider, "union-lin")
    assert lin.session["person"]["id"] == str(bikes.people["lin"])
    me = lin.ok("/v1/me")
    assert [(p["partner"], p["name"]) for p in me["partners"]] == [(bikes.id, "valleybike")]
    given = {c["purpose"]: c["given"] for c in me["consents"]}
    assert given == {"points": True, "pool": True, "budget": False, "statistics": False}
    assert all(c["source"] == "valleybike" for c in me["consents"] if c["given"])
    assert me["totals"] == {"reduction_mg": 0, "points": 0}


def test_someone_new_has_no_partner_no_consent_and_no_points(stage: Stage, provider: str) -> None:
    me = log_in(stage.http, provider, "13900000000").ok("/v1/me")
    assert me["partners"] == []
    assert not any(c["given"] for c in me["consents"])
    assert me["totals"] == {"reduction_mg": 0, "points": 0}


def test_an_identity_without_phone_or_union_id_is_told_by_openid_provider_and_app(odd_stage: Any) -> None:
    stage = odd_stage(*(jsonify_later({"openid": o, "session_key": "k"}) for o in ("a", "b", "a")))
    ids = [enter(stage).json["person"]["id"] for _ in range(3)]
    assert ids[0] == ids[2] != ids[1]


def jsonify_later(body: dict[str, Any]) -> Any:
    with Flask("x").app_context():
        return jsonify(body)


def test_a_code_is_good_once(stage: Stage, provider: str) -> None:
    body = {"provider": "wechat", "code": login_code(provider, "13800138000")}
    assert stage.http.post("/v1/sessions", json=body).status_code == 200
    again = stage.http.post("/v1/sessions", json=body)
    assert (again.status_code, again.json["code"]) == (401, "code_invalid")
    unknown = stage.http.post("/v1/sessions", json=body | {"code": "made up"})
    assert (unknown.status_code, unknown.json["code"]) == (401, "code_invalid")


def test_an_unknown_provider_and_missing_fields_are_told_by_field(stage: Stage) -> None:
    answer = stage.http.post("/v1/sessions", json={"provider": "nobody"})
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")
    assert {e["field"] for e in answer.json["errors"]} == {"provider", "code"}


@pytest.mark.parametrize(
    "answer",
    [
        ("busy", 500),
        ("not json", 200),
        ("[1]", 200),
        ('{"errcode": -1}', 200),
        ('{"errcode": 40125}', 200),
        ("{}", 200),
        ('{"openid": 5}', 200),
        ("", 302, {"Location": "/elsewhere"}),
    ],
)
def test_a_provider_that_answers_nonsense_is_unavailable(odd_stage: Any, answer: Any) -> None:
    refused = enter(odd_stage(answer))
    assert (refused.status_code, refused.json["code"]) == (502, "provider_unavailable")
    assert refused.headers["Retry-After"]


def test_a_provider_that_is_away_is_unavailable_and_nobody_is_made(database_url: str, redis_url: str) -> None:
    with socket.socket() as held:  # bound but never listening: a connection is refused
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with cast.stage(database_url, redis_url, **phones.identity_environment(url)) as stage:
            assert enter(stage).json["code"] == "provider_unavailable"
            assert stage.count("person") == 0


def test_without_a_provider_nobody_logs_in(database_url: str, redis_url: str) -> None:
    with cast.stage(database_url, redis_url) as stage:
        assert enter(stage).json["code"] == "provider_unavailable"


def test_session_key_code_and_provider_secret_stay_on_the_server_and_out_of_the_log(
    odd_stage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stage = odd_stage(
        jsonify_later({"openid": "o", "session_key": "tiit-session", "unionid": "u"}),
        jsonify_later({"errcode": -1, "errmsg": "busy", "session_key": "tiit-session"}),
    )
    with structlog.testing.capture_logs() as said, caplog.at_level(logging.DEBUG):
        answers = [stage.http.post("/v1/sessions", json={"provider": "wechat", "code": "the-code"}) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 502]
    logged = "".join(r.getMessage() for r in caplog.records if r.name != "werkzeug")  # that one is the provider's
    assert [line["event"] for line in said] == ["request", "identity_provider_refused", "request"]
    spoken = str(said) + logged + "".join(a.get_data(as_text=True) for a in answers)
    for kept_in in ("tiit-session", "the-code", server.SECRET):
        assert kept_in not in spoken


def test_logins_that_race_make_one_person(stage: Stage, provider: str) -> None:
    people: list[str] = []
    barrier = threading.Barrier(6)

    def one() -> None:
        code = login_code(provider, "13800138000")
        barrier.wait()
        now = datetime.now(UTC)
        people.append(str(log_in_case.log_in(stage.platform, "wechat", code, now).person_id))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(people) == 6
    assert len(set(people)) == 1
    assert (stage.count("person"), stage.count("person_key")) == (1, 1)


def test_a_refresh_token_is_exchanged_for_new_tokens_of_the_same_person(stage: Stage, provider: str) -> None:
    lin = log_in(stage.http, provider, "13800138000").session
    answer = refresh(stage, lin["refresh_token"])
    assert answer.status_code == 200
    assert answer.json["person"] == lin["person"]
    assert answer.json["refresh_token"] != lin["refresh_token"]
    assert phones.Citizen(stage.http, answer.json).ok("/v1/me")["id"] == lin["person"]["id"]
    assert refresh(stage, answer.json["refresh_token"]).status_code == 200


def test_a_refresh_token_used_twice_ends_its_session_and_no_other(stage: Stage, provider: str) -> None:
    here = log_in(stage.http, provider, "13800138000").session
    elsewhere = log_in(stage.http, provider, "13800138000").session
    newer = refresh(stage, here["refresh_token"]).json
    stolen = refresh(stage, here["refresh_token"])
    assert (stolen.status_code, stolen.json["code"]) == (401, "token_invalid")
    assert refresh(stage, newer["refresh_token"]).status_code == 401
    assert refresh(stage, elsewhere["refresh_token"]).status_code == 200


def test_of_two_uses_of_a_refresh_token_at_one_moment_one_at_most_is_answered(stage: Stage, provider: str) -> None:
    token = log_in(stage.http, provider, "13800138000").session["refresh_token"]
    outcomes: list[bool] = []
    barrier = threading.Barrier(4)

    def one() -> None:
        barrier.wait()
        try:
            refresh_session.refresh_session(stage.platform, token, datetime.now(UTC))
            outcomes.append(True)
        except Exception:
            outcomes.append(False)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, False, True]


def test_a_refresh_token_runs_out_and_is_forgotten_at_the_next_login(stage: Stage, provider: str) -> None:
    token = log_in(stage.http, provider, "13800138000").session["refresh_token"]
    later = datetime.now(UTC) + timedelta(days=31)
    with pytest.raises(Exception, match="token_invalid"):
        refresh_session.refresh_session(stage.platform, token, later)
    log_in_case.log_in(stage.platform, "wechat", login_code(provider, "13800138000"), later)
    assert stage.count("refresh_token") == 1


def test_an_access_token_does_not_refresh_and_a_refresh_token_opens_nothing(stage: Stage, provider: str) -> None:
    lin = log_in(stage.http, provider, "13800138000").session
    assert refresh(stage, lin["access_token"]).json["code"] == "request_invalid"  # far too long for one
    assert refresh(stage, "unknown").json["code"] == "token_invalid"
    thief = phones.Citizen(stage.http, lin | {"access_token": lin["refresh_token"]})
    assert thief.get("/v1/me").status_code == 401


def test_the_database_keeps_no_token_and_no_phone(stage: Stage, provider: str) -> None:
    lin = log_in(stage.http, provider, "13800138000").session
    with stage.platform.db.transaction() as conn:
        kept = str(
            conn.execute("select t::text from refresh_token t union all select k::text from person_key k").fetchall()
        )
    assert lin["refresh_token"] not in kept
    assert "13800138000" not in kept


def test_logging_out_ends_the_session_and_can_be_said_twice(stage: Stage, provider: str) -> None:
    lin = log_in(stage.http, provider, "13800138000").session
    newer = refresh(stage, lin["refresh_token"]).json
    for _ in range(2):
        end = stage.http.post("/v1/sessions/end", json={"refresh_token": newer["refresh_token"]})
        assert end.status_code == 204
    assert refresh(stage, newer["refresh_token"]).status_code == 401
    assert stage.http.post("/v1/sessions/end", json={"refresh_token": "unknown"}).status_code == 204


def test_citizens_and_clients_do_not_open_each_other_s_doors(stage: Stage, provider: str) -> None:
    bikes = stage.partner("valleybike")
    assert bikes.get("/v1/me").json["code"] == "forbidden"
    lin = log_in(stage.http, provider, "13800138000")
    headers = {"Authorization": f"Bearer {lin.session['access_token']}"}
    assert stage.http.post("/v1/events", data=b"[]", headers=headers).json["code"] == "forbidden"
    assert stage.http.get("/v1/me").json["code"] == "token_missing"


def test_who_is_no_longer_there_is_told_to_log_in_again(stage: Stage, provider: str) -> None:
    lin = log_in(stage.http, provider, "13800138000")
    with stage.platform.db.transaction() as conn:
        for table in ("refresh_token", "person_key", "person"):
            conn.execute(f"delete from {table}")
    assert lin.get("/v1/me").json["code"] == "token_invalid"
    assert refresh(stage, lin.session["refresh_token"]).status_code == 401


def test_post_login_answers_are_never_cached(stage: Stage, provider: str) -> None:
    assert post_login(stage.http, provider, "13800138000").headers["Cache-Control"] == "no-store"
