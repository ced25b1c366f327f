"""The calculator and the pages of the standard in a real browser: picked, typed, read, in Chinese and English."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.app import create_app
from rules import replay, standard
from tests import cast, phones

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def base(module_database_url: str, valkey_url: str) -> Iterator[str]:
    with cast.stage(module_database_url, valkey_url) as stage, phones.serving(create_app(stage.platform)) as url:
        yield url


@pytest.fixture
def page(browser: Browser, base: str, redis_url: str) -> Iterator[Page]:
    """A phone that must not complain (a breach of the policy is a complaint), nor ask any other host for anything.

    redis_url: emptied, so that the limit of requests a minute is this test's alone.
    """
    made = browser.new_page(viewport=PHONE)
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda r: complaints.append(r.url) if not r.url.startswith((base, "data:")) else None)
    yield made
    made.close()
    assert complaints == []


def calculator(page: Page, base: str, code: str, language: str = "zh") -> None:
    page.goto(f"{base}/calculator?lang={language}#{code}")
    page.wait_for_selector("body[data-ready]")


def calculate(page: Page) -> str:
    """What the result says to those who do not see it."""
    page.click("button[type=submit]")
    answered(page)
    return page.inner_text("#said")


def answered(page: Page) -> None:
    page.wait_for_selector("#result[data-shown][aria-busy=false]")


def quantified(base: str, **item: Any) -> Any:
    body = json.dumps(item).encode()
    request = urllib.request.Request(f"{base}/v1/quantify", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_a_commute_through_beijing_is_shown_as_it_is_quantified(page: Page, base: str) -> None:
    calculator(page, base, "cycling")
    page.get_by_text("乘坐地铁", exact=True).click()
    page.select_option("#province", "110000")
    expect(page.locator("#city-label")).to_be_hidden()
    page.get_by_label("乘坐距离").fill("22.5")
    calculate(page)
    told = quantified(base, type="metro.v1", region="110000", data={"distance_m": 22_500})
    kilograms = told["reduction_mg"] // 1000
    assert page.inner_text(".big").split()[0] == f"{kilograms // 1000}.{kilograms % 1000:03d}".rstrip("0")
    text = page.inner_text("#result")
    assert f"+ {told['points']} 积分" in text
    for said in ("乘坐距离 × 地铁所替代的出行", "= 22.5 公里 × 0.1001 千克CO₂e/人公里", "CPCD China Products Carbon",
                 "暂定", "示范", "0.5554/0.5306", "2,252.25 克"):  # fmt: skip
        assert said in text
    reduction = page.locator(".row.sum .amount").last.inner_text()
    assert int(reduction.split()[0].replace(",", "").replace(".", "")) == told["reduction_mg"]


def test_a_city_of_a_province_is_asked_for_and_its_own_number_taken(page: Page, base: str) -> None:
    calculator(page, base, "walking", "en")
    page.select_option("#province", "420000")
    page.select_option("#city", "420100")
    page.get_by_label("Number of steps").fill("7,250")
    said = calculate(page)
    told = quantified(base, type="walking.v1", region="420100", data={"steps": 7250})
    assert said == f"You earn {told['points']} points, {told['points']} points"
    assert "no reduction is claimed" in page.inner_text("#result")


def test_what_emits_more_is_said_so(page: Page, base: str) -> None:
    calculator(page, base, "plastic_substitution", "en")
    page.get_by_text("A carton used once instead of").click()
    assert calculate(page).startswith("Reduction −283.024 g CO₂e, 0 points")
    expect(page.locator(".big.bad")).to_have_count(1)
    assert "This emits more than what it replaces" in page.inner_text("#result")


def test_a_result_that_is_shown_goes_with_the_form(page: Page, base: str) -> None:
    calculator(page, base, "plastic_substitution", "en")
    before = calculate(page)
    page.get_by_text("A carton used once instead of").click()
    expect(page.locator("#said")).not_to_have_text(before)
    page.get_by_text("Food", exact=True).click()
    expect(page.locator("#said")).to_contain_text("points")
    assert page.url.endswith("#" + str(page.get_attribute("#acts input:checked", "value")))


def test_weaker_evidence_counts_for_less_and_is_shown(page: Page, base: str) -> None:
    calculator(page, base, "cycling", "en")
    page.get_by_text("More: evidence, date").click()
    page.get_by_label("Evidence").select_option("self_declared")
    page.get_by_label("Date of the act").fill("2026-06-01")
    calculate(page)
    told = quantified(base, type="cycling.v1", data={"distance_m": 10_000}, evidence="self_declared", on="2026-06-01")
    assert f"{told['reduction_mg'] / 1000:.3f}".rstrip("0") in page.inner_text(".big")
    assert "50 %" in page.inner_text("#result")


@pytest.mark.parametrize("typed", ["many", "1,5", "", "-3", "1e3", "0"])
def test_what_is_no_amount_is_not_calculated(page: Page, base: str, typed: str) -> None:
    calculator(page, base, "metro", "en")
    field = page.get_by_label("Distance ridden")
    field.fill(typed)
    page.click("button[type=submit]")
    if typed:
        answered(page)
        assert "Please type a number above 0" in page.inner_text("#said")
        expect(field).to_have_attribute("aria-invalid", "true")
    else:
        assert field.evaluate("field => field.validity.valueMissing")
    expect(page.locator(".big")).to_have_count(0)


def test_a_refusal_gives_its_reason_and_the_range(page: Page, base: str) -> None:
    calculator(page, base, "metro", "en")
    page.get_by_label("Distance ridden").fill("99999")
    assert "outside the plausible range" in calculate(page)
    assert "up to 150 km" in page.inner_text("#result")
    page.get_by_label("Distance ridden").fill("10")
    page.get_by_text("More: evidence, date").click()
    page.get_by_label("Date of the act").fill("2001-01-01")
    assert "Not calculated" in calculate(page)


def test_a_platform_that_is_away_is_said_so(browser: Browser, base: str) -> None:
    page = browser.new_page(viewport=PHONE)
    calculator(page, base, "metro", "en")
    page.route("**/v1/quantify", lambda route: route.abort())
    assert "The platform does not answer" in calculate(page)
    page.close()


@pytest.mark.parametrize(
    ("typed", "places", "whole"),
    [("22.5", 3, 22_500), ("0.001", 3, 1), ("1,000", 0, 1000), ("1,234,567.5", 3, 1_234_567_500), ("７．５", 3, 7500),
     ("999999999999.999", 3, 999_999_999_999_999), ("1.2349", 3, 1234), ("2.5", 0, None), ("2.0", 0, 2),
     ("1,00", 3, None), ("0x10", 0, None)],
)  # fmt: skip
def test_an_amount_is_moved_over_by_its_digits(
    page: Page, base: str, typed: str, places: int, whole: int | None
) -> None:
    calculator(page, base, "metro")
    sent: list[Any] = []
    page.route("**/v1/quantify", lambda route: (sent.append(route.request.post_data_json), route.continue_()))
    page.evaluate(f"document.querySelector('#fields input').dataset.places = '{places}'")
    page.fill("#fields input", typed)
    calculate(page)
    assert [item["data"]["distance_m"] for item in sent] == ([] if whole is None else [whole])


def test_the_calculator_is_used_by_keyboard_alone(page: Page, base: str) -> None:
    calculator(page, base, "metro", "en")
    page.focus(".skip")
    seen = []
    while "distance_m" not in seen and len(seen) < 20:
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.name || document.activeElement.id"))
        if seen[-1] == "act":
            while page.evaluate("document.activeElement.value") != "cycling":
                page.keyboard.press("ArrowDown")
    assert [name for name in seen if name] == ["category", "act", "province", "distance_m"]
    page.keyboard.press("Control+A")
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    answered(page)
    assert page.inner_text(".big").startswith("477.7 ")
    assert page.get_attribute("#said", "aria-live") == "polite"


def test_every_control_has_a_name(page: Page, base: str) -> None:
    for code in ("recycling", "plastic_substitution", "carpool"):
        calculator(page, base, code, "en")
        page.get_by_text("More: evidence, date").click()
        nameless = "[...document.querySelectorAll('main :is(input, select)')].filter(c => !c.labels.length)"
        assert page.evaluate(f"{nameless}.length") == 0


def test_the_receipt_of_the_calculator_is_a_file_that_replays(page: Page, base: str) -> None:
    calculator(page, base, "cycling", "en")
    calculate(page)
    page.get_by_text("Check it yourself").click()
    with page.expect_download() as download:
        page.click("a[download='receipt.json']")
    receipt = download.value.path().read_bytes()
    with urllib.request.urlopen(base + str(page.get_attribute("a[download='pack.json']", "href"))) as answer:
        lines, _ = replay.verify(receipt, [answer.read()])
    assert len(lines) == 1


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_behaviour_is_calculated_as_it_stands(page: Page, base: str, language: str) -> None:
    """What each form begins with is an amount that counts, and its words have all their numbers."""
    page.set_viewport_size(DESK)
    for pack in standard.load().packs:
        page.goto("about:blank")
        calculator(page, base, pack.code, language)
        calculate(page)
        expect(page.locator(".big")).to_have_count(1)
        text = page.inner_text("#result")
        assert [wrong for wrong in ("{", "undefined", "null", "NaN") if wrong in text] == [], pack.code


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_is_wider_than_a_phone(page: Page, base: str, language: str) -> None:
    loaded = standard.load()
    paths = ["/standard", "/calculator", *(f"/standard/{p.code}" for p in loaded.methodologies)]
    wide = []
    for path in paths:
        page.goto(f"{base}{path}?lang={language}")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []


def test_the_language_can_be_changed_on_every_page(page: Page, base: str) -> None:
    page.set_viewport_size(DESK)
    for path, chinese, english in (
        ("/standard", "碳普惠标准", "The standard"),
        ("/standard/metro", "乘坐地铁", "Metro ride"),
        ("/calculator", "减排计算器", "Calculator"),
    ):
        page.goto(f"{base}{path}?lang=zh")
        expect(page.locator("h1")).to_have_text(chinese)
        page.click(".lang")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        expect(page.locator("h1")).to_have_text(english)
