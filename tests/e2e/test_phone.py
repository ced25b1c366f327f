"""The phone page in a real browser: log in, points, reduction, deeds with verdicts, the other language, log out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from backend.app import create_app
from backend.embedded import process
from backend.usecases import sequence_log
from mobile_mock import server
from mobile_mock.phone import pages
from rules import reasons
from tests import cast, phones
from tests.cast import Client, Stage, recent

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class City:
    """A served platform and phone page, with lin's week on it."""

    stage: Stage
    phone_url: str
    bikes: Client


@pytest.fixture(scope="module")
def city(module_database_url: str, valkey_url: str) -> Iterator[City]:
    if not (pages.ASSETS / "weui.min.css").exists():
        pytest.skip(f"no assets in {pages.ASSETS}: ./run makes them")
    port = process.free_port()
    origin = f"http://127.0.0.1:{port}"
    settings = phones.identity_environment(origin) | {"TANPUHUI_CORS_ORIGINS": origin}
    with (
        cast.stage(module_database_url, valkey_url, **settings) as stage,
        phones.serving(create_app(stage.platform)) as api_base,
        phones.serving(server.create_app(api_base), port) as phone_url,
    ):
        yield City(stage, phone_url, a_week_of(stage))


def a_week_of(stage: Stage) -> Client:
    """Lin rides, takes the metro, recycles and goes without plastic; a few records go wrong."""
    names = ("valleybike", "metrolink", "lvhui", "qingsu")
    bikes, metro, scale, shop = (stage.partner(name, ["lin"], of="city") for name in names)
    stage.link(bikes, ["wang"], shared=True)
    bikes.verdicts(
        *(
            bikes.event(f"b{d}", "lin", recent(8, 5 * d, days_ago=d), distance_m=1500 + 400 * d)
            for d in range(6, 0, -1)
        ),
        bikes.event("b-unknown", "lin", recent(18, days_ago=2), distance_m=None),
        bikes.event("b-fast", "lin", recent(19, days_ago=1), minutes=10, distance_m=9000),
        *(bikes.event(f"old{i}", "lin", recent(7 + i % 12, 30, days_ago=20 + i // 12), minutes=15) for i in range(30)),
        bikes.event("w1", "wang", recent(9, days_ago=1), act_ref="valleybike:77"),
    )
    metro.verdicts(
        *(
            metro.event(f"m{d}", "lin", recent(17, 40, days_ago=d), type="metro.v1", distance_m=11_200, minutes=31)
            for d in (5, 4, 2)
        ),
        metro.event("m-same-time", "lin", recent(8, 6, days_ago=1), type="metro.v1", distance_m=9000, minutes=22,
                    evidence="self_declared"),
    )  # fmt: skip
    scale.verdicts(
        scale.event("s1", "lin", recent(19, days_ago=3), type="recycling.v1", minutes=0, distance_m=None,
                    material="PET", mass_g=260),
        scale.event("s2", "lin", recent(20, days_ago=1), type="recycling.v1", minutes=0, distance_m=None,
                    material="CORRUGATED", mass_g=310),
    )  # fmt: skip
    shop.verdicts(
        shop.event("p1", "lin", recent(12, days_ago=2), type="plastic_substitution.v1", minutes=0, distance_m=None,
                   item="express_loopbox", count=2),
        shop.event("p2", "lin", recent(13, days_ago=1), type="plastic_substitution.v1", minutes=0, distance_m=None,
                   item="express_carton", count=1),
    )  # fmt: skip
    return bikes


@pytest.fixture(scope="module")
def launch(chromium: str) -> Iterator[Callable[..., Browser]]:
    with sync_playwright() as playwright:
        yield lambda **more: playwright.chromium.launch(executable_path=chromium, args=ARGS, **more)


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Browser, city: City) -> Iterator[Page]:
    """A phone that has never been here; anything the browser complains of fails the test."""
    context = browser.new_context(viewport={"width": 375, "height": 812}, device_scale_factor=2, locale="zh-CN")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(city.phone_url)
    yield page
    context.close()
    assert [
        c for c in complaints if not c.startswith("Failed to load resource")
    ] == []  # answers other than 200 are meant


def log_in(page: Page, who: str) -> None:
    page.locator("#login").click()
    page.locator("input[name=account]").fill(who)
    page.locator(".sheet .weui-btn_primary").click()
    expect(page.locator(".hero")).to_be_visible()


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.wait_for_function("document.fonts.status === 'loaded'")
    page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")


def open_tab(page: Page, name: str) -> None:
    page.locator(f".page:not([hidden]) [data-tab={name}]").click()
    expect(page.locator(f"[data-page={name}]")).to_be_visible()


def test_a_citizen_logs_in_and_sees_points_reduction_and_deeds(city: City, page: Page) -> None:
    expect(page.locator("#login")).to_have_text("手机号一键登录")
    picture(page, "login-zh")
    page.locator("#login").click()
    picture(page, "login-sheet-zh")
    page.locator(".sheet .weui-btn_default").click()
    expect(page.locator("#wx-toast")).to_contain_text("你取消了登录")
    log_in(page, "union-lin")
    lin = city.bikes.people["lin"]
    points, reduction_mg = city.stage.balance(lin, "points"), city.stage.balance(lin, "reductions_mg")
    assert points > 0
    expect(page.locator(".hero__points")).to_have_text(f"{points:,}")
    expect(page.locator("[data-reduction]")).to_have_attribute("data-reduction", str(reduction_mg))
    assert 1_000_000 < reduction_mg < 10_000_000
    expect(page.locator(".hero__total b")).to_have_text(f"{reduction_mg // 10_000 / 100:g}")  # kilograms, rounded down
    expect(page.locator(".chart__day")).to_have_count(7)
    shown = page.locator(".chart__day").evaluate_all("days => days.map(d => Number(d.dataset.mg))")
    assert sum(1 for mg in shown if mg > 0) >= 5
    assert 0 < sum(shown) < reduction_mg
    expect(page.locator(".home [data-deed]")).to_have_count(5)
    picture(page, "home-zh")


def test_the_list_shows_verdicts_with_readable_reasons_and_goes_on(city: City, page: Page) -> None:
    log_in(page, "union-lin")
    open_tab(page, "deeds")
    rows = page.locator(".deeds [data-deed]")
    expect(rows).to_have_count(20)
    for verdict in ("refused", "duplicate_of"):
        expect(page.locator(f".deeds [data-verdict={verdict}]").first).to_be_visible()
    expect(page.locator(".deeds")).to_contain_text(reasons.REASONS["too_fast"][0])
    picture(page, "deeds-zh")
    page.locator("#more").click()
    expect(rows).to_have_count(40)
    page.locator("#more").click()
    expect(page.locator(".deeds__end")).to_be_visible()
    ids = rows.evaluate_all("rows => rows.map(r => r.dataset.deed)")
    with city.stage.platform.db.transaction() as conn:
        own = conn.execute("select count(*) from event where person_id = %s", (city.bikes.people["lin"],)).fetchone()
    assert len(ids) == len(set(ids)) == own[0]


def test_a_deed_opens_with_its_facts_and_closes_again(page: Page) -> None:
    log_in(page, "union-lin")
    open_tab(page, "deeds")
    page.locator(".deeds [data-deed]", has=page.locator("[data-verdict=duplicate_of]")).first.click()
    detail = page.locator("[data-page=deed]")
    expect(detail.locator(".detail__reason")).to_have_text(reasons.REASONS["overlap"][0])
    expect(detail).to_contain_text("实际计入")
    expect(detail).to_contain_text("valleybike")
    picture(page, "deed-duplicate-zh")
    detail.locator(".nav__back").click()
    expect(page.locator("[data-page=deeds]")).to_be_visible()
    page.locator(".deeds [data-deed]", has_text="回收").first.click()
    expect(detail).to_contain_text("310 g")
    expect(detail.locator("#proof")).to_be_visible()
    picture(page, "deed-credited-zh")
    page.go_back()
    expect(page.locator(".deeds [data-deed]")).to_have_count(20)


def test_a_receipt_is_kept_on_the_phone_once_its_deed_is_in_the_log(city: City, page: Page, tmp_path: Path) -> None:
    log_in(page, "union-lin")
    sequence_log.sequence_log(city.stage.platform, datetime.now(UTC))
    open_tab(page, "deeds")
    page.locator(".deeds [data-deed]", has_text="回收").first.click()
    detail = page.locator("[data-page=deed]")
    expect(detail.locator("#proof")).to_have_text(re.compile(r"公开日志第 \d+ 条，共 \d+ 条"))
    detail.locator("#save-receipt").scroll_into_view_if_needed()
    picture(page, "deed-proof-zh")
    with page.expect_download() as saved:
        detail.locator("#save-receipt").click()
    saved.value.save_as(tmp_path / "receipt.json")
    receipt = json.loads((tmp_path / "receipt.json").read_text("utf-8"))
    assert receipt["format"] == "tanpuhui-receipt/2"
    assert receipt["log"]["proof"].startswith("c2sp.org/tlog-proof@v1\n")
    assert saved.value.suggested_filename == f"receipt-{receipt['deed']}.json"


def open_verdict(page: Page, code: str) -> Locator:
    """The detail page of a deed of the list, by its reason in the page's language."""
    open_tab(page, "deeds")
    zh, en = reasons.REASONS[code]
    reason = zh if page.locator("html").get_attribute("lang") == "zh-CN" else en
    page.locator(".deeds [data-deed]", has_text=reason).first.click()
    return page.locator("[data-page=deed]")


def test_a_verdict_is_explained_by_its_rule_and_can_be_appealed(city: City, page: Page) -> None:
    log_in(page, "union-lin")
    detail = open_verdict(page, "too_fast")
    expect(detail.locator(".detail__rule")).to_have_text("规则：平均时速不超过 25 公里")
    picture(page, "deed-rule-zh")
    detail.locator("#appeal").click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".weui-dialog__btn_primary").click()  # nothing was written
    expect(page.locator("#wx-toast")).to_contain_text("请先写明理由")
    detail.locator("#appeal").click()
    dialog.locator("textarea").fill("里程单位写错了，应为 900 米")
    picture(page, "appeal-zh")
    dialog.locator(".weui-dialog__btn_primary").click()
    expect(detail.locator(".appeal__open")).to_have_text("申诉处理中，请稍候")
    picture(page, "appeal-sent-zh")
    page.reload()
    expect(open_verdict(page, "too_fast").locator(".appeal__open")).to_be_visible()  # not once more while it is open
    operator = city.stage.client("operator", "staff")
    [case] = operator.get("/v1/operator/cases").json["items"]
    assert (case["event"], case["words"], case["opened_by"]) == ("b-fast", "里程单位写错了，应为 900 米", "person")


def test_rules_and_appeals_speak_english_too(page: Page) -> None:
    log_in(page, "union-lin")
    open_tab(page, "me")
    page.locator("[data-lang=en]").click()
    detail = open_verdict(page, "overlap")
    expect(detail.locator(".detail__rule")).to_contain_text("Rule: acts that share more than")
    assert "—" not in detail.locator(".detail__rule").inner_text()
    picture(page, "deed-rule-en")
    detail.locator("#appeal").click()
    picture(page, "appeal-en")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(detail.locator("#appeal")).to_be_visible()


def test_english_is_one_touch_away_and_stays(page: Page) -> None:
    log_in(page, "union-lin")
    open_tab(page, "me")
    expect(page.locator("#partners")).to_contain_text("metrolink")
    expect(page.locator("#consents")).to_contain_text("已同意")
    picture(page, "me-zh")
    page.locator("[data-lang=en]").click()
    expect(page.locator("#logout")).to_have_text("Log out")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    picture(page, "me-en")
    open_tab(page, "home")
    expect(page.locator(".hero h2")).to_have_text("My points")
    picture(page, "home-en")
    open_tab(page, "deeds")
    expect(page.locator(".deeds")).to_contain_text(reasons.REASONS["too_fast"][1])
    picture(page, "deeds-en")
    page.locator(".deeds [data-deed]").first.click()
    picture(page, "deed-en")
    page.reload()
    expect(page.locator(".hero h2")).to_have_text("My points")
    assert not page.locator(".page:not([hidden])").get_by_text("积分").count()


def test_a_session_goes_on_when_the_access_token_has_run_out(page: Page) -> None:
    log_in(page, "union-lin")
    spoil = (
        "s => { s.access_token = 'old'; localStorage.setItem('session', JSON.stringify(s)); return s.refresh_token }"
    )
    before = page.evaluate(f"({spoil})(JSON.parse(localStorage.getItem('session')))")
    page.reload()  # three calls at once meet the old token, and one refresh serves them all
    expect(page.locator(".hero")).to_be_visible()
    assert page.evaluate("JSON.parse(localStorage.getItem('session')).refresh_token") != before
    page.evaluate("localStorage.setItem('session', JSON.stringify({access_token: 'old', refresh_token: 'old'}))")
    page.reload()
    expect(page.locator("#login")).to_be_visible()


def test_logging_out_leaves_nothing_behind_and_another_person_sees_their_own(city: City, page: Page) -> None:
    log_in(page, "union-lin")
    open_tab(page, "me")
    page.locator("#logout").click()
    expect(page.locator("#login")).to_be_visible()
    assert page.evaluate("localStorage.getItem('session')") is None
    log_in(page, "union-wang")
    expect(page.locator(".home [data-deed]")).to_have_count(1)
    open_tab(page, "me")
    expect(page.locator("#partners")).not_to_contain_text("metrolink")


def test_someone_new_is_welcomed(page: Page) -> None:
    log_in(page, "139 0000 0000")
    expect(page.locator(".hero__points")).to_have_text("0")
    expect(page.locator(".none")).to_contain_text("还没有记录")
    picture(page, "home-new-zh")
    open_tab(page, "deeds")
    expect(page.locator(".deeds__end")).to_have_text("还没有记录")


def test_a_platform_that_is_away_is_said_so_and_can_be_tried_again(page: Page) -> None:
    log_in(page, "union-lin")
    page.route("**/v1/me**", lambda route: route.abort())
    open_tab(page, "me")
    expect(page.locator(".failed")).to_contain_text("网络不可用")
    page.unroute("**/v1/me**")
    page.locator(".failed button").click()
    expect(page.locator("#partners")).to_be_visible()


def test_a_browser_without_a_chinese_font_gets_ours(city: City, launch: Callable[..., Browser], tmp_path: Path) -> None:
    if not shutil.which("fc-list"):
        pytest.skip("no fc-list here to find the Chinese fonts to hide: apt install fontconfig")
    chinese = subprocess.run(["fc-list", ":lang=zh", "file"], capture_output=True, text=True, check=True).stdout
    hidden = "".join(f"<glob>{line.rstrip(': ')}</glob>" for line in chinese.splitlines())
    fonts = tmp_path / "fonts.conf"
    fonts.write_text(
        "<fontconfig><include>/etc/fonts/fonts.conf</include>"
        f"<selectfont><rejectfont>{hidden}</rejectfont></selectfont></fontconfig>"
    )
    browser = launch(env={**os.environ, "FONTCONFIG_FILE": str(fonts)})
    page = browser.new_page(viewport={"width": 375, "height": 812})
    with page.expect_response("**/NotoSansSC-Regular.ttf") as font:
        page.goto(city.phone_url)
    assert font.value.ok
    picture(page, "login-shipped-font")
    assert page.evaluate("document.fonts.check('16px \"Noto Sans SC Shipped\"', '碳普惠')")
    browser.close()


@pytest.fixture
def strict(city: City) -> Callable[[str], str]:
    """The content security policy of a file of the page."""

    def policy(name: str) -> str:
        answer = server.create_app("http://127.0.0.1:9").test_client().get(name)
        assert answer.status_code == 200, name
        return str(answer.headers["Content-Security-Policy"])

    return policy


@pytest.mark.parametrize("name", ["/", "/app.js", "/config.json", "/assets/preact.js"])
def test_the_page_may_run_only_its_own_files(strict: Callable[[str], str], name: str) -> None:
    policy = strict(name)
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "connect-src 'self' http://127.0.0.1:9;" in policy
