"""One client or citizen talking to the platform over HTTP."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from mobile_mock.demo.host import Failed
from mobile_mock.traffic import keys
from mobile_mock.traffic.client import ASSERTION_TYPE

_http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=120))


class Caller:
    """Somebody with an access token. Raises Failed with the platform's own words when it refuses."""

    def __init__(self, base_url: str, token: str = "", language: str = "en") -> None:
        self._base_url, self._language = base_url, language
        self.token = token

    @classmethod
    def client(cls, base_url: str, client_id: str, key: Path) -> Caller:
        """A client that signs an assertion for its token."""
        assertion = keys.load(key).assertion(client_id, f"{base_url}/v1/oauth/token")
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        body = urlencode(form)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = _http.request("POST", f"{base_url}/v1/oauth/token", body=body, headers=headers)
        if answer.status != 200:
            raise Failed(f"no token for {client_id}: {answer.data.decode()}")
        return cls(base_url, answer.json()["access_token"])

    def get(self, path: str) -> Any:
        return self._call("GET", path, None).json()

    def post(self, path: str, body: Any = None) -> Any:
        return self._call("POST", path, body).json()

    def fetch(self, path: str, tries: int = 60) -> bytes:
        """A file that may still be in the making (202)."""
        for _ in range(tries):
            answer = self._call("GET", path, None)
            if answer.status == 200:
                return answer.data
            time.sleep(1)
        raise Failed(f"{path} was never ready: is a worker running?")

    def until(self, path: str, holds: Callable[[Any], bool], tries: int = 60) -> Any:
        """Ask until the answer is as it should be. Raises Failed when it never is."""
        for _ in range(tries):
            found = self.get(path)
            if holds(found):
                return found
            time.sleep(0.5)
        raise Failed(f"{path} did not come to what was waited for: {found}")

    def _call(self, method: str, path: str, body: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Accept-Language": self._language}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        answer = _http.request(method, self._base_url + path, json=body, headers=headers, retries=False)
        if answer.status >= 400:
            raise Failed(f"{method} {path}: {answer.status} {answer.data.decode()}")
        return answer
