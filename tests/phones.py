"""Citizens and their phones: the stand-in identity provider over real HTTP, and calls with a user token."""

from __future__ import annotations

import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from mobile_mock import server


@contextmanager
def serving(app: Flask, port: int = 0) -> Iterator[str]:
    """The application behind a real socket; its base URL."""
    made = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}"
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


def identity_environment(url: str) -> dict[str, str]:
    """The settings that make a platform ask the provider at `url`."""
    names = ("TANPUHUI_IDENTITY_URL", "TANPUHUI_IDENTITY_APPID", "TANPUHUI_IDENTITY_SECRET")
    return dict(zip(names, (url, server.APPID, server.SECRET), strict=True))


def login_code(provider_url: str, who: str) -> str:
    """What wx.login() gives on the phone of `who` (a phone number or union id)."""
    with urllib.request.urlopen(f"{provider_url}/mock/login?as={urllib.parse.quote(who)}") as answer:
        return str(json.load(answer)["code"])


@dataclass
class Citizen:
    """Somebody logged in."""

    http: FlaskClient
    session: dict[str, Any]

    def get(self, path: str, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.session['access_token']}"}
        return self.http.get(path, query_string=query, headers=headers)

    def ok(self, path: str, **query: Any) -> Any:
        """The body of an answer that must be 200."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json


def post_login(http: FlaskClient, provider_url: str, who: str) -> Any:
    return http.post("/v1/sessions", json={"provider": "wechat", "code": login_code(provider_url, who)})


def log_in(http: FlaskClient, provider_url: str, who: str) -> Citizen:
    answer = post_login(http, provider_url, who)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return Citizen(http, answer.json)
