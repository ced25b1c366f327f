"""The public pages of the standard: every methodology has one, in both languages, with its sources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rules import standard
from tests import cast
from tests.cast import Stage


@pytest.fixture(scope="module")
def stage(module_database_url: str, valkey_url: str) -> Iterator[Stage]:
    with cast.stage(module_database_url, valkey_url) as made:
        yield made


def read(stage: Stage, path: str, **headers: str) -> str:
    answer = stage.http.get(path, headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.content_type == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return answer.get_data(as_text=True)


def test_every_methodology_has_its_page_in_both_languages_and_names_its_sources(stage: Stage) -> None:
    for pack in (*stage.platform.standard.packs, *stage.platform.standard.drafts):
        document = standard.pack_json(pack)
        chinese, english = (read(stage, f"/standard/{pack.code}?lang={language}") for language in ("zh", "en"))
        assert f"<h1>{pack.name_zh}</h1>" in chinese
        assert pack.name_en.split("'")[0] in english
        for factor in document.get("factors", {}).values():
            for value in factor["values"]:
                assert value["factor_id"] in english
        assert ("What is missing" in english) == (pack.status == "draft")


def test_the_list_shows_all_of_them_and_their_state(stage: Stage) -> None:
    page = read(stage, "/standard?lang=en")
    for pack in (*stage.platform.standard.packs, *stage.platform.standard.drafts):
        assert f'href="/standard/{pack.code}?lang=en"' in page
    assert "Points only" in page
    assert "Demonstration" in page


def test_the_language_is_the_one_asked_for_then_the_browsers_then_chinese(stage: Stage) -> None:
    assert '<html lang="zh-CN">' in read(stage, "/standard")
    assert '<html lang="en">' in read(stage, "/standard", **{"Accept-Language": "en-GB"})
    assert '<html lang="zh-CN">' in read(stage, "/standard?lang=zh", **{"Accept-Language": "en-GB"})


def test_drafts_cannot_be_picked_in_the_calculator(stage: Stage) -> None:
    page = read(stage, "/calculator")
    assert 'value="metro"' in page
    assert 'value="own_cup"' not in page


@pytest.mark.parametrize("path", ["/standard/nothing", "/pages/nothing.css", "/pages/..%2fpages.py", "/pages/.css"])
def test_what_is_not_there_is_a_problem(stage: Stage, path: str) -> None:
    answer = stage.http.get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_text_with_markup_is_shown_and_never_run(stage: Stage) -> None:
    page = read(stage, "/standard?lang=%3Cscript%3E")
    assert "<script>" not in page
