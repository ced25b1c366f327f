"""The pages of the registry: what the search finds, in words, in both languages, with its files and feeds."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest

from backend.api import registry_page
from tests import cast
from tests.backend.test_search_registry import SHOP, Books
from tests.cast import Stage
from tests.market import CODE, Market


@pytest.fixture(scope="module")
def books(module_database_url: str, valkey_url: str) -> Iterator[Books]:
    with cast.stage(module_database_url, valkey_url) as stage:
        yield Books(stage)


def read(stage: Stage, path: str = "/registry", status: int = 200, **asked: Any) -> str:
    """What a reader sees of the page's characters; the policy is that of all public pages, but for its own form."""
    answer = stage.http.get(path, query_string=asked or None)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    page = answer.get_data(as_text=True)
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://", page)
    return html.unescape(page)


def shown(page: str) -> list[str]:
    return re.findall(r'data-number="([^"]+)"', page)


def test_the_page_shows_what_the_search_finds_and_leads_to_its_certificates(books: Books) -> None:
    for asked in ({}, {"beneficiary": "青山"}, {"methodology": "metro", "period": "2025"}, {"batch": "4"}):
        page, items = read(books.stage, lang="en", **asked), books.ask(**asked)["items"]
        assert shown(page) == [item["number"] for item in items]
        for item in items:
            assert f'href="/v1/certificates/{item["number"]}?lang=en"' in page
            assert all(entity["uscc"] in page for entity in item["beneficiaries"])
            for line in item["lines"]:
                assert f'href="/registry/batches/{line["batch"]}?lang=en"' in page
                assert all(serial in page for serial in line["serials"][: registry_page.SERIALS_SHOWN])


def test_both_languages_say_the_same_and_keep_the_question(books: Books) -> None:
    asked = {"beneficiary": "青山", "period": "2025", "region": "330000"}
    chinese, english = read(books.stage, lang="zh", **asked), read(books.stage, lang="en", **asked)
    assert shown(chinese) == shown(english) == [books.numbers[4]]
    assert "查询结果" in chinese
    assert "What was found" in english
    for page, other in ((chinese, "en"), (english, "zh")):
        assert 'value="青山"' in page
        assert '<option value="330000" selected>' in page
        [link] = re.findall(r'<a class="lang" href="([^"]+)"', page)
        assert shown(read(books.stage, link)) == [books.numbers[4]]
        assert f"lang={other}" in link
    assert not re.search(
        r"[一-鿿]", re.sub(r"<[^>]*>|青山|统一社会信用代码|碳普惠|中文|[（）\w]*有限公司|深圳绿源", "", english)
    )


def test_the_files_and_feeds_hold_what_the_page_finds(books: Books) -> None:
    page = read(books.stage, lang="zh", beneficiary="青山", region="330100")
    links = re.findall(r'href="(/v1/registry[^"]+)"', page)
    assert len([link for link in links if "beneficiary=%E9%9D%92%E5%B1%B1" in link]) == 5
    assert "/v1/registry/cad-trust.json?region=330100" in links
    assert {books.stage.http.get(link).status_code for link in links} == {200}


def test_the_pages_of_a_search_lead_from_one_to_the_next(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_page, "A_PAGE", 2)
    page, found = read(books.stage, lang="en", methodology="cycling"), []
    while True:
        found += shown(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if not following:
            break
        page = read(books.stage, following[1])
        assert "Back to the newest" in page
    assert found == [books.numbers[n - 1] for n in books.found(methodology="cycling")]


@pytest.mark.parametrize(
    ("asked", "zh", "en"),
    [
        ({"beneficiary": "绿"}, "至少写名称中的两个字", "two signs of a name at least"),
        ({"beneficiary": CODE[:-1] + "X"}, "校验位不符", "the check sign does not fit"),
        ({"beneficiary": "a\x00b"}, "写名称中的两个字以上", "Two signs of the name"),
        ({"serial": "TPH-1"}, "首号-末号", "TPH-<region>-<pack>"),
        ({"batch": "x"}, "批次编号", "Its number"),
        ({"period": "2026-13"}, "写作 2026 或 2026-05", "As 2026 or 2026-05"),
        ({"vintage": "6"}, "写作 2026-05", "As 2026-05"),
        ({"retired_to": "x"}, "日期写作", "A day, as"),
        ({"purpose": "x"}, "请重新选择", "Choose again"),
        ({"region": "x"}, "请重新选择", "Choose again"),
        ({"cursor": "x"}, "请从头查起", "start again"),
    ],
)
def test_what_is_wrong_with_a_question_is_said_at_its_field(
    books: Books, asked: dict[str, str], zh: str, en: str
) -> None:
    for language, words in (("zh", zh), ("en", en)):
        page = read(books.stage, status=422, lang=language, **asked)
        assert words in page
        assert 'role="alert"' in page
        assert shown(page) == []


def test_a_question_with_markup_is_shown_and_never_run(books: Books) -> None:
    markup = "\"><b onclick='x'>"
    answer = books.stage.http.get("/registry", query_string={"beneficiary": markup, "lang": "<b>", "x": markup})
    assert "<b onclick" not in answer.get_data(as_text=True)
    assert markup in html.unescape(answer.get_data(as_text=True))


def test_before_the_first_retirement_and_where_nothing_fits_the_page_says_so(books: Books, stage: Stage) -> None:
    assert "Nothing has been retired yet" in read(stage, lang="en")
    assert "还没有注销记录" in read(stage, lang="zh")
    assert "No retirement fits" in read(books.stage, lang="en", purpose="product")
    assert "没有更早的批次" in read(stage, "/registry/batches", lang="zh")


def test_the_record_of_a_batch_is_on_its_page(books: Books) -> None:
    for record in books.stage.http.get("/v1/registry/batches").json["items"]:
        whole = books.stage.http.get(f"/v1/registry/batches/{record['id']}").json
        page = read(books.stage, f"/registry/batches/{record['id']}", lang="en")
        for place in ("available", "reserve", "reserved", "held", "retired", "cancelled", "transferred"):
            row = page.partition(f'data-place="{place}"')[2].partition("</tr>")[0]
            assert f">{whole[f'{place}_g']:,} g<" in row, place
        assert all(f"<code>{s['serial']}</code>" in page for s in whole["serials"])
        assert shown(page) == [r["number"] for r in whole["retirements"]]
        for words in ("华测认证", "no material misstatement", "5%", whole["members_root"], whole["approval"]):
            assert words in page
        assert f'href="/registry/batches/{record["id"]}?lang=en"' in read(books.stage, "/registry/batches", lang="en")
        assert books.market.company.id not in page


def test_of_few_people_the_page_tells_no_number_and_of_a_recall_it_tells_what_replaced_it(stage: Stage) -> None:
    market = Market(stage, people=19)
    batch = market.issued(*[50_000] * 19)
    market.paid(500)
    market.lowered((1, 20_000))
    page = read(stage, f"/registry/batches/{batch['id']}", lang="en")
    assert page.count("fewer than 20 people: not told") == 2
    assert "30,000 mg recalled, 0 g owed" in page
    assert "Nothing of this batch has been retired yet" in page
    assert stage.http.get("/registry/batches/99").status_code == 404
    assert SHOP["name"] not in page


def test_grams_are_exact_whatever_their_unit() -> None:
    shown = [registry_page.grams(g) for g in (0, 999, 1000, 1001, 1_234_560)]
    assert shown == [("0", "gram"), ("999", "gram"), ("1", "kilogram"), ("1.001", "kilogram"), ("1,234.56", "kilogram")]
