"""The public figures in a real browser: every screen and language, links and keyboard, the files beside the tables."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.app import create_app
from backend.usecases import show_figures
from tests import cast, phones
from tests.market import ATTESTED, Market, ok

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
REGIONS = ("310000", "440300", "440100")
PACKS = ("cycling", "metro", "recycling")


@dataclass
class Nation:
    """A served platform, at first with nothing to tell."""

    market: Market
    base: str

    def grow(self) -> None:
        """Four months in three cities, one of them of few; two batches, of which some is sold and retired."""
        market = self.market
        for month in range(3, 7):
            for at, (region, pack) in enumerate((region, pack) for region in REGIONS for pack in PACKS):
                few = region == REGIONS[2] or (pack == PACKS[2] and month % 2)
                for person in market.people[: 5 if few else 30]:
                    market.deed((900 + 17 * at * month) * 100_000, person=person, month=date(2026, month, 1),
                                region=region, pack=pack)  # fmt: skip
        for pack in PACKS[:2]:
            batch = ok(market.operator.post(f"/v1/pools/310000.{pack}.1.0.0.202605/close"), 201)["id"]
            ok(market.verifier.post(f"/v1/batches/{batch}/attestation", ATTESTED), 201)
            ok(market.operator.post(f"/v1/batches/{batch}/issue", {"price_fen_per_tonne": 6_000_000}), 201)
        market.paid(3_000_000)
        market.retired(1_200_000)
        show_figures.forget(market.platform)


@pytest.fixture
def nation(database_url: str, redis_url: str) -> Iterator[Nation]:
    with (
        cast.stage(database_url, redis_url) as stage,
        phones.serving(create_app(stage.platform)) as base,
    ):
        yield Nation(Market(stage), base)


@pytest.fixture
def page(browser: Browser, nation: Nation) -> Iterator[Page]:
    """A browser that must not complain (a breach of a policy is a complaint), nor ask any other host for anything."""
    context = browser.new_context(viewport=DESK, accept_downloads=True)  # type: ignore[arg-type]
    made = context.new_page()
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda a: complaints.append(a.url) if not a.url.startswith((nation.base, "data:")) else None)
    yield made
    context.close()
    assert complaints == []


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESK)])
def test_the_figures_fit_every_screen_in_both_languages(
    nation: Nation, page: Page, name: str, size: dict[str, int]
) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for state in ("empty", "told"):
        if state == "told":
            nation.grow()
        for language, title in (("zh", "公开数据"), ("en", "Public figures")):
            page.goto(f"{nation.base}/figures?lang={language}")
            expect(page.locator("h1")).to_have_text(title)
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            expect(page.locator("svg.columns:visible")).to_have_count(int(state == "told"))
            page.screenshot(path=SCREENSHOTS / f"figures-{state}-{name}-{language}.png", full_page=True)


def test_no_label_of_the_chart_leaves_it_or_covers_another(nation: Nation, page: Page) -> None:
    nation.grow()
    for size, language in itertools.product((PHONE, DESK), ("zh", "en")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.goto(f"{nation.base}/figures?lang={language}")
        chart = page.locator("svg.columns:visible")
        outer = chart.bounding_box()
        boxes = [label.bounding_box() for label in chart.locator("text").all()]
        assert outer is not None
        assert len(boxes) > 8
        for at, box in enumerate(boxes):
            assert box is not None
            assert outer["x"] - 1 <= box["x"]
            assert box["x"] + box["width"] <= outer["x"] + outer["width"] + 1
            assert box["y"] + box["height"] <= outer["y"] + outer["height"] + 1
            for other in boxes[:at]:
                assert other is not None
                apart = other["x"] + other["width"] <= box["x"] or box["x"] + box["width"] <= other["x"]
                assert (
                    apart or other["y"] + other["height"] <= box["y"] + 1 or box["y"] + box["height"] <= other["y"] + 1
                )


def test_a_reader_goes_from_all_to_a_city_and_back_and_takes_the_numbers_home(nation: Nation, page: Page) -> None:
    nation.grow()
    page.goto(f"{nation.base}/figures?lang=en")
    expect(page.locator("#regions-table [data-merged]").first).to_contain_text("(merged)")
    expect(page.locator("#regions-table [data-code='440100']")).to_have_count(0)  # of five people
    page.get_by_role("link", name="Shanghai").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".chosen b")).to_have_text("Shanghai")
    row = page.locator("#months-table tr[data-code='2026-05']")
    measured = row.locator("td[data-label=Measured]").inner_text().replace(",", "")
    with page.expect_download() as download:
        page.locator("#months .files a", has_text="CSV").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    [may] = [line for line in csv.DictReader(io.StringIO(text)) if line["code"] == "2026-05"]
    assert int(may["measured_mg"]) // 1000 == int(measured.replace(".", ""))
    assert int(may["retired_g"]) == 1_200_000
    assert download.value.suggested_filename == "tanpuhui-months.csv"
    page.get_by_role("link", name=re.compile("中文")).click()
    expect(page.locator(".chosen b")).to_have_text("上海市")
    page.get_by_role("link", name="取消“上海市”").click()
    expect(page.locator(".chosen")).to_have_count(0)
    expect(page.locator("h1")).to_have_text("公开数据")
