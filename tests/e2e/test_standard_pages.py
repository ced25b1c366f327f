"""The calculator and the pages of the standard in a real browser: picked, typed, read, in Chinese and English."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from backend.app import create_app
from rules import standard
from tests import cast, phones

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1200, "height": 900}
pytestmark = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("TANPUHUI_REQUIRE_BROWSER"), reason="no Chromium: apt install chromium"
)


@pytest.fixture(scope="module")
def base(module_database_url: str, valkey_url: str) -> Iterator[str]:
    with cast.stage(module_database_url, valkey_url) as stage, phones.serving(create_app(stage.platform)) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, base: str) -> Iterator[Any]:
    """A page that must not complain, nor ask any other host for anything."""
    made = browser.new_page(viewport=PHONE)
    complaints: list[str] = []
    made.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda r: complaints.append(r.url) if not r.url.startswith((base, "data:")) else None)
    yield made
    made.close()
    assert complaints == []


def calculator(page: Any, base: str, code: str, language: str = "zh") -> None:
    page.goto(f"{base}/calculator?lang={language}#{code}")
    page.wait_for_selector("body[data-ready]")


def quantified(base: str, **item: Any) -> Any:
    body = json.dumps(item).encode()
    request = urllib.request.Request(f"{base}/v1/quantify", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_a_commute_through_beijing_is_shown_as_it_is_quantified(page: Any, base: str) -> None:
    calculator(page, base, "metro")
    page.select_option("#region", "110000")
    page.fill("#facts input", "22.5")
    page.click("button")
    page.wait_for_selector(".big")
    told = quantified(base, type="metro.v1", region="110000", data={"distance_m": 22_500})
    kilograms = page.inner_text(".big").split()[0]
    assert kilograms == f"{told['reduction_mg'] // 1000 / 1000:.3f}".rstrip("0")
    text = page.inner_text("#result")
    assert f"+ {told['points']} 积分" in text
    assert "地铁所替代的出行" in text
    assert "CPCD China Products Carbon Footprint Factors Database" in text
    assert "暂定" in text


def test_what_emits_more_is_said_so_and_points_only_claims_nothing(page: Any, base: str) -> None:
    calculator(page, base, "plastic_substitution", "en")
    page.select_option("#facts select", "express_carton")
    page.click("button")
    page.wait_for_selector(".big.bad")
    assert page.inner_text(".big").startswith("−")
    assert "It emits more" in page.inner_text("#result")
    page.select_option("#code", "walking")
    page.wait_for_selector("#facts input[name=steps]")
    page.select_option("#region", "420100")
    page.fill("#facts input", "7250")
    page.click("button")
    page.wait_for_selector("text=No reduction is claimed")
    assert "+ 145 points" in page.inner_text("#result")


def test_an_amount_that_cannot_be_is_refused_with_the_reason(page: Any, base: str) -> None:
    calculator(page, base, "metro", "en")
    for typed in ("99999", "many"):
        page.fill("#facts input", typed)
        page.click("button")
        page.wait_for_selector("#result .note")
        assert "could not be calculated" in page.inner_text("#result")


def test_the_calculator_is_used_by_keyboard_alone(page: Any, base: str) -> None:
    calculator(page, base, "cycling", "en")
    page.focus("#code")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "distance_m"
    page.keyboard.press("Control+A")
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    page.wait_for_selector(".big")
    assert page.inner_text(".big").startswith("477.7 ")
    assert page.get_attribute("#result", "aria-live") == "polite"


def test_the_receipt_of_the_calculator_is_a_file_that_replays(page: Any, base: str) -> None:
    from rules import replay

    calculator(page, base, "cycling", "en")
    page.click("button")
    page.wait_for_selector("a[download]")
    with page.expect_download() as download:
        page.click("a[download]")
    receipt = download.value.path().read_bytes()
    sha = json.loads(receipt)["records"][0]["pack"]["sha256"]
    with urllib.request.urlopen(f"{base}/v1/standard/packs/{sha}") as answer:
        lines, _ = replay.verify(receipt, [answer.read()])
    assert len(lines) == 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_is_wider_than_a_phone(page: Any, base: str, language: str) -> None:
    loaded = standard.load()
    paths = ["/standard", "/calculator", *(f"/standard/{p.code}" for p in (*loaded.packs, *loaded.drafts))]
    wide = []
    for path in paths:
        page.goto(f"{base}{path}?lang={language}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []


def test_the_language_can_be_changed_on_every_page(page: Any, base: str) -> None:
    page.set_viewport_size(DESK)
    page.goto(f"{base}/standard/metro?lang=zh")
    page.click(".lang")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.inner_text("h1") == "Metro ride"
