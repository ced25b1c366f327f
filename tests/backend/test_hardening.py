"""What hostile callers send: strange JSON, forged and repeated assertions, endless waits. Answers, never a 500."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import jwt
import pytest

from backend import api, auth
from backend.errors import Problem
from backend.store import events
from tests import cast
from tests.cast import Client, Stage
from tests.market import refused

CERTIFICATE = {"certificate": {"number": "TPH-C-2026-000001"}, "signature": {"kid": "a", "alg": "EdDSA", "value": "A"}}
OPEN = ("/v1/sessions", "/v1/sessions/refresh", "/v1/sessions/end", "/v1/certificates/verify")
FOR_A_COMPANY = ("/v1/quotes", "/v1/orders", "/v1/orders/1/payment", "/v1/retirements")


@pytest.fixture(scope="module")
def stage(module_database_url: str, valkey_url: str) -> Iterator[Stage]:
    with cast.stage(module_database_url, valkey_url) as made:
        yield made


@pytest.fixture(scope="module")
def company(stage: Stage) -> Client:
    return stage.client("company", "绿源")


@pytest.fixture(scope="module")
def partner(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang"])


# --- JSON ----------------------------------------------------------------------------------------------------------


BROKEN = {
    "nested": b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
    "nested without end": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a long number": b'{"a":' + b"9" * 6000 + b"}",
    "beyond a bigint": b'{"a":9223372036854775808}',
    "infinite": b'{"a":1e400}',
    "not a number": b'{"a":NaN}',
    "half a surrogate pair": b'{"code":"\\ud800"}',
    "half a pair in a name": b'{"\\udfff":1}',
    "a name twice": b'{"a":1,"a":2}',
    "no UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "cut off": b'{"a":',
}


@pytest.mark.parametrize("path", [*OPEN, *FOR_A_COMPANY])
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_body_that_is_no_json_for_everybody_is_refused_as_such(
    stage: Stage, company: Client, path: str, body: bytes
) -> None:
    headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {company.token}"}
    answer = stage.http.post(path, data=body, content_type="application/json", headers=headers)
    refused(answer, 400, "json_invalid")


def test_what_a_number_of_json_can_be_is_read(stage: Stage) -> None:
    assert api.read_json('{"a":[9223372036854775807,-1,1.5,"🚲",null,true]}') == {
        "a": [9223372036854775807, -1, 1.5, "🚲", None, True]
    }
    assert api.read_json("[" * api.DEPTH_MAX + "]" * api.DEPTH_MAX)
    with pytest.raises(Problem):
        api.read_json("[" * (api.DEPTH_MAX + 1) + "]" * (api.DEPTH_MAX + 1))


def test_a_problem_that_quotes_what_cannot_be_written_is_told_all_the_same(stage: Stage) -> None:
    def fail() -> None:
        raise Problem("conflict", "\ud800" * 18)

    with cast.stage(stage.platform.settings.database_url, stage.platform.settings.redis_url) as other:
        other.http.application.add_url_rule("/fails", view_func=fail)
        assert refused(other.http.get("/fails"), 409, "conflict")["detail"] == "?" * 18


def test_a_thousand_mistakes_are_told_as_fifty(stage: Stage) -> None:
    answer = stage.http.post("/v1/sessions", json={f"k{i}": 1 for i in range(1000)} | {"x" * 5000: 1})
    errors = refused(answer, 422, "request_invalid")["errors"]
    assert len(errors) == api.ERRORS_MAX
    assert max(len(error["field"]) for error in errors) <= 200


def test_a_certificate_with_a_name_twice_is_not_verified_by_its_last_one(stage: Stage) -> None:
    text = json.dumps(CERTIFICATE)
    assert stage.http.post("/v1/certificates/verify", data=text, content_type="application/json").status_code == 200
    twice = text.replace('"number":', '"number": "TPH-C-2026-000002", "number":')
    answer = stage.http.post("/v1/certificates/verify", data=twice, content_type="application/json")
    refused(answer, 400, "json_invalid")


@pytest.mark.parametrize("value", [1.9, 1.0, "1", True, [1], "1e3"])
def test_grams_are_whole_numbers_and_nothing_is_read_into_one(company: Client, value: Any) -> None:
    for path, body in (("/v1/quotes", {"quantity_g": value}), ("/v1/orders", {"quote_id": value})):
        problem = refused(company.post(path, body), 422, "request_invalid")
        assert [error["field"] for error in problem["errors"]] == list(body)


def test_a_number_in_a_query_is_text_and_read_as_such(stage: Stage) -> None:
    assert stage.http.get("/v1/offers?limit=7").status_code == 200


# --- assertions and signatures -------------------------------------------------------------------------------------


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


HEADER = b'{"alg":"EdDSA","typ":"JWT"}'
FORGED = {
    "NUL in sub": (HEADER, b'{"sub":"a\\u0000b"}'),
    "half a surrogate pair in sub": (HEADER, b'{"sub":"\\ud800"}'),
    "a number as sub": (HEADER, b'{"sub":5}'),
    "a long sub": (HEADER, b'{"sub":"' + b"a" * 4000 + b'"}'),
    "deep": (HEADER, b'{"sub":' + b"[" * 2000 + b"]" * 2000 + b"}"),
    "a deep header": (b'{"alg":' + b"[" * 2000 + b"]" * 2000 + b"}", b"{}"),
    "a long number": (HEADER, b'{"sub":"x","exp":' + b"9" * 5000 + b"}"),
    "no object": (HEADER, b"[]"),
    "no UTF-8": (HEADER, b'{"sub":"\xff"}'),
}


def ask(stage: Stage, assertion: str) -> Any:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion}
    return stage.http.post("/v1/oauth/token", data=form)


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_forged_assertion_is_refused_however_strange(stage: Stage, forged: tuple[bytes, bytes]) -> None:
    header, payload = forged
    refused(ask(stage, f"{b64(header)}.{b64(payload)}.{b64(b'x' * 64)}"), 401, "assertion_invalid")
    token = f"Bearer {b64(header)}.{b64(payload)}.{b64(b'x' * 64)}"
    refused(stage.http.get("/v1/holdings", headers={"Authorization": token}), 401, "token_invalid")


@pytest.mark.parametrize("claim", [b'"exp":1e400', b'"exp":NaN', b'"exp":%d,"nbf":1e400', b'"exp":%d,"iat":[]'])
def test_a_signed_assertion_with_a_time_that_is_none_is_refused(stage: Stage, company: Client, claim: bytes) -> None:
    claims = json.dumps({"iss": company.id, "sub": company.id, "aud": cast.BASE}).encode()[:-1]
    later = int(datetime.now(UTC).timestamp()) + 100
    payload = claims + b"," + (claim % later if b"%d" in claim else claim) + b"}"
    signed = f"{b64(HEADER)}.{b64(payload)}"
    key = jwt.PyJWK(company.key, algorithm="EdDSA").key
    refused(ask(stage, f"{signed}.{b64(key.sign(signed.encode()))}"), 401, "assertion_invalid")


@pytest.mark.parametrize("jti", ["one", None], ids=["with jti", "without"])
def test_a_used_assertion_stays_used_however_its_end_is_written(stage: Stage, company: Client, jti: str | None) -> None:
    claims = {"jti": f"{jti}{datetime.now(UTC)}"} if jti else {"jti": "", "nonce": str(datetime.now(UTC))}
    assertion = cast.token_request(company.id, company.key, **claims)["client_assertion"]
    assert ask(stage, assertion).status_code == 200
    signed, _, signature = assertion.rpartition(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(signature[-1]) ^ 1]  # its lowest bits mean nothing
    for again in ("", "==", "====", f"{signature[:-1]}{last}", f"{signature[:5]}!{signature[5:]}"):
        other = f"{signed}.{again}" if len(again) > 4 else assertion + again
        refused(ask(stage, other), 401, "assertion_invalid")


def test_another_assertion_of_the_same_jti_is_a_repetition(stage: Stage, company: Client, partner: Client) -> None:
    first, second = (cast.token_request(company.id, company.key, jti="j", nonce=n)["client_assertion"] for n in "ab")
    assert ask(stage, first).status_code == 200
    refused(ask(stage, second), 401, "assertion_invalid")
    other = cast.token_request(partner.id, partner.key, jti="j")["client_assertion"]
    assert ask(stage, other).status_code == 200  # each client has jtis of its own


def test_a_signature_with_signs_in_it_that_mean_nothing_is_no_signature(stage: Stage) -> None:
    key = stage.platform.keys[0]
    signature = auth.sign(key, b"x")
    assert auth.is_signed(key, b"x", signature)
    assert not auth.is_signed(key, b"x", f"{signature[:5]}!!!!{signature[5:]}")


# --- events --------------------------------------------------------------------------------------------------------


def batch(partner: Client, ref: str, strange: bytes) -> bytes:
    """Two good events with a strange member of data between them."""
    days = iter(range(2, 5))
    one, two, three = (
        json.dumps(partner.event(f"{ref}-{i}", "lin", cast.recent(i, days_ago=next(days)))).encode() for i in range(3)
    )
    return b"[" + one + b", " + two[:-2] + b',"x":' + strange + b"}}, " + three + b"]"


STRANGE = {
    "half a surrogate pair": b'"\\ud800"',
    "half a pair before a quote": b'["\\ud800\\"", "]}"]',
    "deep": b"[" * 2000 + b"]" * 2000,
    "very deep": b'[{"a":' * 50_000 + b"1" + b"}]" * 50_000,
    "no UTF-8": b'"\xff\\ud800"',
    "a long number": b'"\\ud800",' + b'"y":' + b"9" * 5000,
}


@pytest.mark.parametrize("strange", STRANGE.items(), ids=lambda item: item[0])
def test_a_strange_event_does_not_harm_its_neighbours(partner: Client, strange: tuple[str, bytes]) -> None:
    answer = partner.send(batch(partner, strange[0], strange[1]))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    verdicts = [(v["verdict"], v["code"]) for v in answer.json["verdicts"]]
    assert verdicts[0][0] == verdicts[2][0] != "malformed"
    assert verdicts[1] == ("malformed", "field_invalid")


@pytest.mark.parametrize(
    "body",
    [b'[{"a":"\\ud800"}', b'[{"a":"\\ud800"}]x', b'x[{"a":"\\ud800"}]', b'[{"a":"\\ud800"},]', b'[{"a":"\\ud800}]',
     b'[{"a":"\\ud800"},{"a":}]', b'["\\ud800",NaN]', b'"\\ud800"', b'["\\ud800"}', b'["\\ud800"]]'],
)  # fmt: skip
def test_what_is_no_json_by_its_grammar_is_refused_whole(partner: Client, body: bytes) -> None:
    refused(partner.send(body), 400, "json_invalid")


@pytest.mark.parametrize("number", ["１２３", "a\u200b", "é", "a b", ""])
def test_the_number_of_an_order_is_of_printable_ascii(partner: Client, number: str) -> None:
    for name in ("act_ref", "prior_ref"):
        event = partner.event("n1", "lin", cast.recent(), **{name: f"valleybike:{number}"})
        [verdict] = partner.verdicts(event)
        assert (verdict["code"], verdict["field"]) == ("field_invalid", f"data.{name}")


@pytest.mark.parametrize("ref", ["/lead", "trail/", "a//b", "http://x/y", "a?b", "a b", "//"])
def test_an_event_is_found_by_its_id_exactly_as_it_is(partner: Client, ref: str) -> None:
    partner.verdicts(partner.event(ref, "wang", cast.recent(5, len(ref))))
    answer = partner.get(f"/v1/events/{quote(ref, safe='')}")
    assert (answer.status_code, answer.json.get("id")) == (200, ref), answer.get_data(as_text=True)
    refused(partner.get(f"/v1/events/{quote('/' + ref, safe='')}"), 404, "not_found")


def test_who_waits_too_long_for_a_person_gives_the_connection_back(
    stage: Stage, partner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOCK_WAIT_MS", 100)
    event = partner.event("waits", "wang", cast.recent(9))
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with stage.platform.db.transaction() as conn:
            events.lock_people(conn, [partner.people["wang"]])
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        answer = partner.send([event])
    finally:
        release.set()
        holder.join()
    refused(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]
    assert partner.verdicts(event)[0]["verdict"] == "credited"


def test_a_statement_that_takes_too_long_is_told_as_unavailable(stage: Stage) -> None:
    def sleep() -> None:
        with stage.platform.db.transaction() as conn:
            conn.execute("set local statement_timeout = 10")
            conn.execute("select pg_sleep(60)")

    with cast.stage(stage.platform.settings.database_url, stage.platform.settings.redis_url) as other:
        other.http.application.add_url_rule("/sleeps", view_func=sleep)
        refused(other.http.get("/sleeps"), 503, "unavailable")


# --- pools ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("month", ["999912", "999911", "000001", "197012", "220001"])
def test_a_pool_of_a_year_without_deeds_is_not_there(stage: Stage, month: str) -> None:
    operator = stage.client("operator", f"平台 {month}")
    refused(operator.get(f"/v1/pools/310000.cycling.1.0.0.{month}"), 404, "not_found")
    refused(operator.post(f"/v1/pools/310000.cycling.1.0.0.{month}/close"), 404, "not_found")


@pytest.mark.parametrize(
    ("role", "path", "body"),
    [
        ("company", "/v1/own-partners", {"partner": "a\x00b"}),
        ("company", "/v1/transfers", {"quantity_g": 1, "to": "a\x00b"}),
        ("company", "/v1/messages/replay", {"message": "a\x00b"}),
        ("operator", "/v1/operator/entities/a%00b", {"state": "accepted", "note": "n"}),
        ("operator", "/v1/operator/invoices/a%00b", {"tax_ref": "1"}),
        ("operator", "/v1/operator/prices", {"tiers": [], "valid_from": "9999-12-31T23:59:59-14:00"}),
    ],
)
def test_what_the_database_cannot_hold_is_refused(stage: Stage, role: str, path: str, body: dict[str, Any]) -> None:
    answer = stage.client(role, "odd").post(path, body)
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid"), answer.get_data(as_text=True)
