"""The company console: one page for the people at a company who buy and retire. In Chinese and English.

The page itself holds nothing: its script signs in with the company's key, which stays in the browser, and asks the API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Response

from backend import api, auth
from backend.api import pages
from backend.usecases import tell_client
from rewards import retirement

blp = api.Routes("console", __name__, template_folder="templates", description="企业控制台 · Company console")

TEXTS: pages.Texts = json.loads((pages.STATIC / "console.json").read_text("utf-8"))


@blp.route("/console")
@auth.allow(auth.ANYONE)
@blp.response(200, {"type": "string"}, content_type="text/html")
def get_console_page() -> Response:
    """The console: sign in with the company's key, then buy, hold, retire. All data come from the API."""
    settings = api.platform().settings
    return pages.render(
        "console/console.html",
        TEXTS,
        audience=settings.public_url,
        demonstration=settings.demonstration,
        provider=bool(settings.payment_url),
        purposes=_said(retirement.PURPOSES),
        kinds=_said(tell_client.KINDS),
    )


def _said(words: Mapping[str, tuple[str, str]]) -> list[tuple[str, dict[str, str]]]:
    """(code, its words), in their order."""
    return [(code, {"zh": zh, "en": en}) for code, (zh, en) in words.items()]
