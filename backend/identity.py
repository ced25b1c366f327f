"""The identity provider's code2session: a one-time code from the mini-program becomes an identity.

The provider's session_key is dropped here: it is neither kept nor logged nor answered.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import structlog
import urllib3

from backend import config
from backend.errors import Problem

log = structlog.get_logger()

PROVIDERS = ("wechat",)
_BAD_CODE = (40029, 40163)  # not valid, used before; any other errcode is the provider's or the operator's trouble
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # at DEBUG it logs the URL, so code and secret
_http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=5), retries=False, maxsize=8)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it is. `stable_id`: the union id or phone, else the openid with provider and app."""

    provider: str
    stable_id: str


def exchange(settings: config.Settings, provider: str, code: str) -> Identity:
    """The identity behind a one-time code.

    Raises Problem `code_invalid` for a code that is wrong, old or used; `provider_unavailable` when the provider is
    not set, does not answer in time or answers anything else.
    """
    if not settings.identity_url:
        raise Problem("provider_unavailable", "TANPUHUI_IDENTITY_URL is not set")
    answer = _ask(settings, code)
    errcode = answer.get("errcode", 0)
    if errcode in _BAD_CODE:
        raise Problem("code_invalid")
    openid = answer.get("openid")
    if errcode or not isinstance(openid, str) or not openid:
        log.warning("identity_provider_refused", errcode=errcode)
        raise _away()
    named = answer.get("unionid") or answer.get("phone")
    return Identity(provider, str(named or f"{provider}:{settings.identity_appid}:{openid}"))


def _ask(settings: config.Settings, code: str) -> dict[str, Any]:
    fields = {"appid": settings.identity_appid, "secret": settings.identity_secret, "js_code": code}
    fields["grant_type"] = "authorization_code"
    url = f"{settings.identity_url.rstrip('/')}/sns/jscode2session"
    try:
        response = _http.request("GET", url, fields=fields, redirect=False)
        answer = response.json() if response.status == 200 else None
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        log.warning(
            "identity_provider_away", error=type(error).__name__
        )  # the error's text holds the URL, so the secret
        raise _away() from None
    if not isinstance(answer, dict):
        log.warning("identity_provider_away", status=response.status)
        raise _away()
    return answer


def _away() -> Problem:
    return Problem("provider_unavailable", headers={"Retry-After": "2"})
