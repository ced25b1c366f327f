"""The money in a real browser: the public page of the flows, and a citizen's earnings on the phone page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from backend.app import create_app
from backend.embedded import process
from backend.usecases import list_flows, settle_sales
from mobile_mock import server
from mobile_mock.phone import pages
from tests import cast, phones
from tests.market import Market, ok

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@dataclass
class City:
    """A served platform on which reductions were sold, lin's among them, and the phone page."""

    market: Market
    lin: int
    base: str
    phone_url: str

    def sell(self, quantity_g: int, *, settled: bool = True) -> None:
        """Lin's tenth of a batch of rides in Shanghai, at 6 fen a gram."""
        self.market.deed(30_000_000, person=self.lin)
        self.market.issued(*[9_000_000] * 30, price=6_000_000)
        self.market.paid(quantity_g)
        if settled:
            settle_sales.settle_sales(self.market.platform, datetime.now(UTC) + timedelta(days=8))
        list_flows.forget(self.market.platform)


@pytest.fixture
def city(database_url: str, redis_url: str) -> Iterator[City]:
    if not (pages.ASSETS / "weui.min.css").exists():
        pytest.skip(f"no assets in {pages.ASSETS}: ./run makes them")
    port = process.free_port()
    origin = f"http://127.0.0.1:{port}"
    settings = phones.identity_environment(origin) | {"TANPUHUI_CORS_ORIGINS": origin}
    with (
        cast.stage(database_url, redis_url, **settings) as stage,
        phones.serving(create_app(stage.platform)) as base,
        phones.serving(server.create_app(base), port) as phone_url,
    ):
        market = Market(stage)
        stage.link(market.partner, ["lin"], shared=True)
        yield City(market, market.partner.people["lin"], base, phone_url)


@pytest.fixture
def page(browser: Browser, city: City) -> Iterator[Page]:
    """A phone that must not complain (a breach of a policy is a complaint), nor ask any other host for anything."""
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, locale="zh-CN", timezone_id="Asia/Shanghai")
    made = context.new_page()
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    hosts = (city.base, city.phone_url, "data:")
    made.on("request", lambda asked: complaints.append(asked.url) if not asked.url.startswith(hosts) else None)
    yield made
    context.close()
    assert [c for c in complaints if not c.startswith("Failed to load resource")] == []  # a refusal is meant


def picture(page: Page, name: str, *, full: bool = False) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.wait_for_function("document.fonts.status === 'loaded'")
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled", full_page=full)


# --- the public page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESK)])
def test_the_flows_fit_every_screen_in_both_languages(city: City, page: Page, name: str, size: dict[str, int]) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    for sales in (0, 1):
        if sales:
            city.sell(100_000)
            city.market.paid(1_001)
        for language, title in (("zh", "资金流向"), ("en", "Money flows")):
            page.goto(f"{city.base}/flows?lang={language}")
            expect(page.locator("h1")).to_have_text(title)
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            expect(page.locator(".sankey:visible")).to_have_count(sales)
            picture(page, f"flows-{'sold' if sales else 'empty'}-{name}-{language}", full=True)


def test_no_label_of_the_picture_leaves_it_or_covers_another(city: City, page: Page) -> None:
    city.sell(100_000)
    city.market.paid(2_000)
    order = city.market.paid(500)
    ok(city.market.company.post(f"/v1/orders/{order['id']}/refund", {"reason": "second thoughts"}), 200)
    ok(city.market.operator.post("/v1/operator/payouts", {"account": "fund", "amount_fen": 1, "bank_ref": "b"}), 201)
    for size in (PHONE, DESK, {"width": 360, "height": 700}, {"width": 860, "height": 700}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.goto(f"{city.base}/flows?lang=en")
        boxes = page.locator(".sankey:visible text").evaluate_all(
            "texts => texts.map(t => t.getBoundingClientRect()).map(r => [r.left, r.top, r.right, r.bottom])"
        )
        frame = page.locator(".sankey:visible").bounding_box()
        assert frame
        assert len(boxes) >= 2 * 7
        for left, top, right, bottom in boxes:
            assert frame["x"] - 1 <= left < right <= frame["x"] + frame["width"] + 1
            assert frame["y"] - 1 <= top < bottom <= frame["y"] + frame["height"] + 1
        for one in boxes:
            covered = [other for other in boxes if other is not one and _overlap(one, other)]
            assert covered == [], size


def _overlap(one: list[float], other: list[float]) -> bool:
    """More than the air around the letters."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide > 2 and high > 6


def test_the_picture_is_told_to_those_who_do_not_see_it(city: City, page: Page) -> None:
    city.sell(100_000)
    page.goto(f"{city.base}/flows?lang=en")
    image = page.get_by_role("img", name="How the companies' payments flow")
    expect(image).to_have_count(1)
    said = page.locator(".sankey.narrow desc").text_content()
    assert said
    assert "Citizens ¥4,200.00, Partners ¥600.00, Platform ¥900.00, Public-benefit fund ¥300.00" in said
    bars = page.locator(".months [role=img]")
    assert all("companies paid ¥" in str(bar.get_attribute("aria-label")) for bar in bars.all())
    expect(page.locator("#identity")).to_contain_text("¥6,000.00 = ¥0.00 paid out + ¥6,000.00 held")


def test_the_language_of_the_flows_can_be_changed_and_the_page_is_walked_by_keyboard(city: City, page: Page) -> None:
    city.sell(100_000)
    page.goto(f"{city.base}/flows")
    expect(page.locator("h1")).to_have_text("资金流向")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.click(".lang")
    expect(page.locator("h1")).to_have_text("Money flows")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert not re.search(r"[\u4e00-\u9fff]", page.locator("main").inner_text())


# --- a citizen's earnings ------------------------------------------------------------------------------------------


def open_earnings(page: Page, city: City, language: str = "zh") -> Locator:
    """Log in as lin and go to the earnings by the page `me`."""
    page.goto(city.phone_url)
    page.locator("#login").click()
    page.locator("input[name=account]").fill("union-lin")
    page.locator(".sheet .weui-btn_primary").click()
    expect(page.locator(".hero")).to_be_visible()
    page.locator(".page:not([hidden]) [data-tab=me]").click()
    page.locator(f"[data-lang={language}]").click()
    page.locator("#earnings").click()
    expect(page.locator(".earnings__balance")).to_be_visible()
    return page.locator("[data-page=earnings]")


def withdraw(page: Page, amount: str) -> None:
    page.locator("input[name=amount]").fill(amount)
    page.locator("#withdraw").click()
    page.get_by_role("dialog").locator(".weui-dialog__btn_primary").click()


def test_who_has_earned_nothing_yet_is_told_how_it_comes(city: City, page: Page) -> None:
    shown = open_earnings(page, city)
    expect(shown.locator(".earnings__balance")).to_have_text("0.00")
    expect(shown.locator(".none")).to_contain_text("还没有收益")
    expect(page.locator("#withdraw")).to_have_count(0)
    picture(page, "earnings-none-zh")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_citizen_sees_the_line_of_a_sale_and_who_claims_it_now(city: City, page: Page, language: str) -> None:
    city.sell(100_000)
    shown = open_earnings(page, city, language)
    expect(shown.locator(".earnings__balance")).to_have_text("420.00")
    line = shown.locator("[data-kind=share]")
    said = {"zh": ["骑行", "上海", "2026-06", "30 kg", "¥6,000.00", "尚未注销"],
            "en": ["Cycling", "Shanghai", "2026-06", "30 kg", "¥6,000.00", "not retired yet"]}  # fmt: skip
    for words in ["+420.00", *said[language]]:
        expect(line).to_contain_text(words)
    city.market.retired(50_000)
    page.reload()
    page.locator(".page:not([hidden]) [data-tab=me]").click()
    expect(page.locator("#earnings")).to_contain_text("¥420.00")
    picture(page, f"me-earned-{language}")
    page.locator("#earnings").click()
    expect(line.locator(".line__note")).to_contain_text(
        {"zh": "深圳市绿源新材料有限公司", "en": "Shenzhen Lvyuan"}[language]
    )
    expect(line).to_contain_text("50 kg")
    picture(page, f"earnings-{language}")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_citizen_withdraws_and_gets_the_reference_to_present(city: City, page: Page, language: str) -> None:
    city.sell(100_000)
    shown = open_earnings(page, city, language)
    page.locator("input[name=amount]").fill("120.5")
    page.locator("#withdraw").click()
    expect(page.get_by_role("dialog")).to_contain_text("¥120.50")
    picture(page, f"earnings-ask-{language}")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    withdraw(page, "１２０.５")
    reference = page.locator("#reference")
    expect(reference).to_have_text("TPH-W-000001")
    expect(shown.locator(".earnings__balance")).to_have_text("299.50")
    line = shown.locator("[data-kind=payout]")
    expect(line).to_contain_text("−120.50")
    expect(line).to_contain_text("TPH-W-000001")
    expect(line).to_contain_text("付款中" if language == "zh" else "On its way")
    picture(page, f"earnings-withdrawn-{language}")
    operator = city.market.operator
    [payout] = ok(operator.get("/v1/operator/payouts?state=requested"), 200)["items"]
    assert (payout["reference"], payout["amount_fen"]) == ("TPH-W-000001", 12_050)
    done = {"state": "failed", "external_ref": "account closed"}
    ok(operator.post(f"/v1/operator/payouts/{payout['id']}", done), 200)
    shown.locator(".nav__back").click()
    expect(page.locator("#earnings")).to_contain_text("¥420.00")  # read again when seen again
    page.locator("#earnings").click()
    expect(shown.locator("[data-kind=payout_failed]")).to_contain_text("+120.50")
    picture(page, f"earnings-failed-{language}")


@pytest.mark.parametrize("typed", ["", "abc", "0", "0.001", "-1", "1e2", "420.01", "99999999999999"])
def test_what_is_no_amount_or_more_than_there_is_is_not_asked_for(city: City, page: Page, typed: str) -> None:
    city.sell(100_000)
    open_earnings(page, city, "en")
    page.locator("input[name=amount]").fill(typed)
    page.locator("#withdraw").click()
    said = "The balance is too small: ¥420.00 at most" if typed == "420.01" else "Please type an amount of 0.01 or more"
    expect(page.locator("#wx-toast")).to_contain_text(said)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_withdrawal_that_lost_its_answer_is_made_once(city: City, page: Page) -> None:
    city.sell(100_000)
    shown = open_earnings(page, city)

    def swallow(route: Route) -> None:
        """The request arrives; its answer does not."""
        route.fetch()
        route.abort()

    page.route("**/v1/me/withdrawals", lambda r: swallow(r) if r.request.method == "POST" else r.continue_())
    withdraw(page, "100")
    expect(page.locator("#wx-toast")).to_contain_text("不会重复提现")
    page.unroute("**/v1/me/withdrawals")
    withdraw(page, "100.00")
    expect(page.locator("#reference")).to_have_text("TPH-W-000001")
    expect(shown.locator(".earnings__balance")).to_have_text("320.00")
    expect(shown.locator("[data-kind=payout]")).to_have_count(1)


def test_a_refusal_of_the_platform_is_told_and_can_be_tried_again(city: City, page: Page) -> None:
    city.sell(100_000)
    shown = open_earnings(page, city, "en")
    person = phones.log_in(city.market.stage.http, city.phone_url, "union-lin")
    header = {"Authorization": f"Bearer {person.session['access_token']}", "Idempotency-Key": "elsewhere"}
    ok(person.http.post("/v1/me/withdrawals", json={"amount_fen": 41_000}, headers=header), 201)
    withdraw(page, "420")
    expect(page.locator("#wx-toast")).to_contain_text("The balance is too small: ¥10.00 at most")
    withdraw(page, "10")
    expect(shown.locator(".earnings__balance")).to_have_text("0.00")
    expect(page.locator("#withdraw")).to_have_count(0)


def test_a_long_statement_goes_on_and_no_line_comes_twice(city: City, page: Page) -> None:
    city.sell(100_000)
    person = phones.log_in(city.market.stage.http, city.phone_url, "union-lin")
    for n in range(24):
        header = {"Authorization": f"Bearer {person.session['access_token']}", "Idempotency-Key": f"k{n}"}
        ok(person.http.post("/v1/me/withdrawals", json={"amount_fen": 100}, headers=header), 201)
    shown = open_earnings(page, city)
    expect(shown.locator("[data-line]")).to_have_count(20)
    shown.locator("#more").click()
    expect(shown.locator("[data-line]")).to_have_count(25)
    lines = shown.locator("[data-line]").evaluate_all("lines => lines.map(l => l.dataset.line)")
    assert len(set(lines)) == 25
    expect(shown.locator("#more")).to_have_count(0)


def test_a_statement_that_cannot_be_had_is_said_so_and_asked_for_again(city: City, page: Page) -> None:
    page.route("**/v1/me/statement**", lambda route: route.abort())
    page.goto(city.phone_url)
    page.locator("#login").click()
    page.locator("input[name=account]").fill("union-lin")
    page.locator(".sheet .weui-btn_primary").click()
    page.locator(".page:not([hidden]) [data-tab=me]").click()
    expect(page.locator("#logout")).to_be_visible()  # the page `me` does without
    page.locator("#earnings").click()
    failed = page.locator("[data-page=earnings] .failed")
    expect(failed).to_contain_text("网络不可用")
    page.unroute("**/v1/me/statement**")
    failed.locator("button").click()
    expect(page.locator(".earnings__balance")).to_have_text("0.00")
