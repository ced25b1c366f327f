"""The console's page and its texts, without a browser; what people do with it stands in e2e/test_console.py."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from backend.api import pages
from tests import cast
from tests.cast import Stage
from tests.console import STATIC, TEXTS


@pytest.fixture(scope="module")
def stage(module_database_url: str, valkey_url: str) -> Iterator[Stage]:
    with cast.stage(module_database_url, valkey_url) as made:
        yield made


def test_every_text_is_in_both_languages_and_each_that_is_named_is_there() -> None:
    places = {name: {language: sorted(re.findall(r"\{(\w+)\}", text)) for language, text in said.items()}
              for name, said in TEXTS.items()}  # fmt: skip
    assert [name for name, found in places.items() if set(found) != {"zh", "en"} or found["zh"] != found["en"]] == []
    assert [name for name, text in TEXTS.items() if not all(text.values())] == []
    written = [path.read_text("utf-8") for path in STATIC.glob("console*.js")]
    written.append((STATIC.parent / "templates" / "console" / "console.html").read_text("utf-8"))
    named = {name for text in written for name in re.findall(r"say\([\"'](\w+)[\"']", text)}
    assert named - TEXTS.keys() == set()


def test_no_script_is_longer_than_a_module_may_be() -> None:
    assert [path.name for path in STATIC.glob("console*.js") if len(path.read_text("utf-8").splitlines()) > 500] == []


def test_the_page_holds_no_data_and_keeps_the_strict_policy(stage: Stage) -> None:
    answer = stage.http.get("/console", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.headers["Content-Language"]) == (200, "en")
    assert answer.headers["Content-Security-Policy"] == pages.SECURITY["Content-Security-Policy"]
    text = answer.get_data(as_text=True)
    assert [inline for inline in ("<script>", "style=") if inline in text] == []
