"""The page where proofs are checked, as it is served: its policy, its keys, its words."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from typing import Any

from backend.api import pages, verify_page
from backend.usecases import sequence_log
from tests import cast
from tests.cast import Stage
from tests.market import ok
from tests.rewards.offline_files import witness

SCRIPTS = {path.name: path.read_text("utf-8") for path in sorted(pages.STATIC.glob("verify*.js"))}


def served(stage: Stage, language: str = "en") -> str:
    answer = stage.http.get(f"/verify?lang={language}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def data(page: str, name: str) -> Any:
    found = re.search(f'data-{name}="([^"]*)"', page)
    assert found
    return json.loads(html.unescape(found[1]))


def test_the_policy_lets_the_page_connect_to_nothing(stage: Stage) -> None:
    policy = stage.http.get("/verify").headers["Content-Security-Policy"]
    said = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert said == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'none'",
        "img-src": "data:", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip


def test_the_page_carries_the_platforms_keys_with_and_without_a_log(stage: Stage) -> None:
    jwks = ok(stage.http.get("/.well-known/jwks.json"), 200)["keys"]
    before = [json.loads(line) for line in data(served(stage), "keys")]
    assert {key["kid"] for key in before} == {key["kid"] for key in jwks}
    assert all("d" not in key for key in before)
    sequence_log.sequence_log(stage.platform, datetime.now(UTC))
    told = ok(stage.http.get("/v1/log/keys"), 200)
    lines = data(served(stage), "keys")
    assert [line for line in lines if not line.startswith("{")] == [key["key"] for key in told["keys"]]


def test_a_witness_that_the_log_knows_is_known_to_the_page(database_url: str, redis_url: str) -> None:
    key = str(witness("w1.example", 11)[0])
    with cast.stage(database_url, redis_url, TANPUHUI_LOG_WITNESSES=key) as stage:
        sequence_log.sequence_log(stage.platform, datetime.now(UTC))
        assert key in data(served(stage), "keys")


def test_the_page_is_in_both_languages_and_names_the_script_that_stands_alone(stage: Stage) -> None:
    for language, words in (("zh", "查验凭证"), ("en", "Check a proof")):
        page = served(stage, language)
        assert f"<h1>{words}</h1>" in page
        assert 'href="/v1/log/verify.py"' in page
        assert all(value not in page for value in ("<style", "onclick", "javascript:"))


def test_every_text_has_both_languages_with_the_same_places_to_fill() -> None:
    for name, text in verify_page.TEXTS.items():
        assert set(text) == {"zh", "en"}, name
        places = [sorted(set(re.findall(r"\{(\w+)\}", text[language]))) for language in ("zh", "en")]
        assert places[0] == places[1], name


def named(pattern: str) -> set[str]:
    return {found for script in SCRIPTS.values() for found in re.findall(pattern, script)}


def test_every_reason_and_step_of_the_script_has_its_text_and_every_text_is_used() -> None:
    reasons = named(r'(?:Refused\(|refuseUnless\([^\n]*, )"([a-z0-9_]+)"(?:\)[;,]|, \{)')
    reasons |= {"base64", "base64_length", "unlogged"}
    steps = named(r'told\("([a-z_]+)"') | {"known", "ungrown", "amended_owed", "amended_covered"}
    expected = {f"no_{one}" for one in reasons} | {f"step_{one}" for one in steps}
    assert expected - set(verify_page.TEXTS) == set()
    texts = {name for name in verify_page.TEXTS if name.startswith(("no_", "step_"))}
    assert texts - expected == set()
    template = (pages.STATIC.parent / "templates" / "verify" / "verify.html").read_text("utf-8")
    source = template + "".join(SCRIPTS.values())
    rest = {name for name in verify_page.TEXTS if not name.startswith(("no_", "step_", "kind_", "verdict_", "unit_"))}
    unused = [name for name in sorted(rest) if not re.search(rf"['\"`]{name}['\"`]", source)]
    assert unused == [name for name in unused if name.startswith(("entry_", "signed_"))]


def test_the_scripts_ask_nobody_and_stay_small() -> None:
    assert len(SCRIPTS) > 8
    for name, script in SCRIPTS.items():
        assert len(script.splitlines()) <= 500, name
        asking = re.search(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|eval|innerHTML)\b", script)
        assert asking is None, name
