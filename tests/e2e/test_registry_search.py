"""The registry in a real browser: asked by hand on a phone and at a desk, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.app import create_app
from tests import cast, phones
from tests.backend.test_search_registry import Books

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def served(module_database_url: str, valkey_url: str) -> Iterator[tuple[str, Books]]:
    with cast.stage(module_database_url, valkey_url) as stage, phones.serving(create_app(stage.platform)) as url:
        yield url, Books(stage)


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def page(browser: Browser, served: tuple[str, Books], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that must not complain (a breach of the policy is a complaint), nor ask any other host for anything."""
    made = browser.new_page(viewport=request.param)
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda r: complaints.append(r.url) if not r.url.startswith((served[0], "data:")) else None)
    yield made
    assert made.evaluate("document.documentElement.scrollWidth <= innerWidth")
    made.close()
    assert complaints == []


def numbers(page: Page) -> list[str]:
    return [str(found.get_attribute("data-number")) for found in page.locator("[data-number]").all()]


def test_a_company_is_found_by_its_name_and_then_narrowed_down(page: Page, served: tuple[str, Books]) -> None:
    base, books = served
    page.goto(f"{base}/registry?lang=zh")
    page.get_by_label("受益人").fill("青山")
    page.keyboard.press("Enter")
    page.wait_for_url("**beneficiary=**")
    assert numbers(page) == [books.numbers[4], books.numbers[2]]
    page.get_by_text("更多条件").click()
    page.get_by_label("用于哪一年、哪一月").fill("2026-05")
    page.get_by_role("button", name="查询").click()
    page.wait_for_url("**period=2026-05**")
    assert numbers(page) == [books.numbers[2]]
    expect(page.get_by_label("用于哪一年、哪一月")).to_be_visible()  # what was asked stays open
    page.get_by_role("link", name="English").click()
    assert numbers(page) == [books.numbers[2]]
    page.get_by_role("link", name="Clear").click()
    assert len(numbers(page)) == 6


def test_from_a_retirement_to_its_batch_and_to_its_certificate(page: Page, served: tuple[str, Books]) -> None:
    base, books = served
    page.goto(f"{base}/registry?lang=en&serial=1:1")
    assert numbers(page) == [books.numbers[0]]
    page.locator("[data-number] .lines a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Batch 1")
    assert numbers(page) == [books.numbers[4], books.numbers[0]]
    link = page.locator(f"[data-number='{books.numbers[0]}'] .proof a").get_attribute("href")
    certificate = page.request.get(f"{base}{link}", headers={"Accept": "application/json"}).json()["certificate"]
    assert certificate["number"] == books.numbers[0]


def test_the_table_is_downloaded_as_it_is_shown(page: Page, served: tuple[str, Books]) -> None:
    base, books = served
    page.goto(f"{base}/registry?lang=en&purpose=event")
    with page.expect_download() as download:
        page.get_by_role("link", name="Table (CSV)").click()
    assert download.value.suggested_filename.endswith(".csv")
    lines = download.value.path().read_text("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert books.numbers[1] in lines[1]
