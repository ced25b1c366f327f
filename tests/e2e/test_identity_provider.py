"""The stand-in identity provider speaks code2session as the real one does."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from flask.testing import FlaskClient

from mobile_mock import server
from mobile_mock.identity import provider


@pytest.fixture
def http() -> FlaskClient:
    return server.create_app("http://127.0.0.1:9").test_client()


def exchange(http: FlaskClient, code: str, **more: str) -> Any:
    asked = {"appid": server.APPID, "secret": server.SECRET, "js_code": code, "grant_type": "authorization_code"}
    return http.get("/sns/jscode2session", query_string=asked | more).json


def code_for(http: FlaskClient, who: str) -> str:
    return str(http.get("/mock/login", query_string={"as": who}).json["code"])


def test_a_code_gives_openid_session_key_and_phone_or_union_id_once(http: FlaskClient) -> None:
    code = code_for(http, "138 0013 8000")
    told = exchange(http, code)
    assert set(told) == {"openid", "session_key", "phone"}
    assert exchange(http, code)["errcode"] == 40029
    again = exchange(http, code_for(http, "138 0013 8000"))
    assert again["openid"] == told["openid"]
    assert again["session_key"] != told["session_key"]
    assert exchange(http, code_for(http, "union-lin"))["unionid"] == "union-lin"


def test_only_the_app_with_its_secret_may_exchange_and_a_refusal_uses_no_code_up(http: FlaskClient) -> None:
    code = code_for(http, "13800138000")
    assert exchange(http, code, appid="other")["errcode"] == 40013
    assert exchange(http, code, secret="guess")["errcode"] == 40125
    assert exchange(http, code, grant_type="password")["errcode"] == 40002
    assert exchange(http, "unknown")["errcode"] == 40029
    assert exchange(http, code)["phone"] == "13800138000"


def test_a_code_is_too_old_after_five_minutes() -> None:
    codes = provider.Codes()
    early, late = codes.issue("lin", 1000), codes.issue("lin", 1000)
    assert codes.take(early, 1000 + 299) == "lin"
    assert codes.take(late, 1000 + 300) is None


@pytest.mark.parametrize("who", ["", " ", "x" * 65])
def test_nobody_gets_no_code(http: FlaskClient, who: str) -> None:
    assert http.get("/mock/login", query_string={"as": who}).status_code == 400


def test_it_starts_by_one_command_and_says_where() -> None:
    command = [sys.executable, "-m", "mobile_mock.server", "--port", "0", "--api-base", "http://127.0.0.1:9/"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with urllib.request.urlopen(f"{url}/config.json") as answer:
                assert answer.read() == b'{"apiBase":"http://127.0.0.1:9","provider":"wechat"}\n'
        finally:
            process.terminate()
