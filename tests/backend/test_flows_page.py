"""The public page of the money flows: the numbers of /v1/flows, in both languages, for anybody."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.api import flows_page
from backend.store import money
from backend.usecases import list_flows, settle_sales
from tests.cast import Stage
from tests.market import Market, ok


def read(stage: Stage, path: str = "/flows?lang=en") -> str:
    """What a reader sees of the page's characters; the page keeps the policy of all public pages."""
    list_flows.forget(stage.platform)
    answer = stage.http.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    page = answer.get_data(as_text=True)
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://", page)
    return html.unescape(page)


def flows(stage: Stage) -> dict[str, Any]:
    list_flows.forget(stage.platform)
    found: dict[str, Any] = ok(stage.http.get("/v1/flows"), 200)
    return found


def sold(market: Market, *grams: int, settled: bool = True) -> None:
    """A batch of 300 kg at 60,000 yuan a tonne (6 fen a gram), of which some is sold, final and shared out."""
    market.issued(*[10_000_000] * 30, price=6_000_000)
    for quantity_g in grams:
        market.paid(quantity_g)
    if settled:
        settle_sales.settle_sales(market.platform, datetime.now(UTC) + timedelta(days=8))


def publish(market: Market, note: str) -> str:
    """Terms that bind in 30 days; their day."""
    today = datetime.now(UTC).astimezone(market.platform.standard.nation.timezone).date()
    day = (today + timedelta(days=30)).isoformat()
    terms = {"citizens_ppm": 712_345, "partners_ppm": 100_000, "platform_ppm": 137_655, "fund_ppm": 50_000}
    said = {"from_on": day, "note": {"zh": note, "en": note}}
    ok(market.operator.post("/v1/operator/terms", terms | said), 201)
    return day


def test_before_the_first_sale_the_page_says_so_and_how_it_will_be_shared(stage: Stage) -> None:
    chinese, english = read(stage, "/flows?lang=zh"), read(stage)
    assert "还没有售出减排量" in chinese
    assert "Nothing has been sold yet" in english
    for page in (chinese, english):
        assert "<table" not in page
        assert [said in page for said in ("70%", "10%", "15%", "5%")] == [True] * 4


def test_every_number_of_the_flows_is_on_the_page(stage: Stage) -> None:
    market = Market(stage)
    sold(market, 100_000, 1_003)
    market.paid(777)  # waits: it can still be refunded
    pay = {"account": "fund", "amount_fen": 1_234, "bank_ref": "b2"}
    ok(market.operator.post("/v1/operator/payouts", pay), 201)
    told, page = flows(stage), read(stage)
    for name, amount in told["totals"].items():
        if name.endswith("_fen") and amount:
            assert flows_page.yuan(amount) in page, name
    [batch] = told["batches"]
    for name in ("income_fen", "citizens_fen", "partners_fen", "platform_fen", "fund_fen", "waiting_fen"):
        assert f">{flows_page.yuan(batch[name])}" in page.partition('data-batch="')[2], name
    assert "101.78 kg" in page
    assert "not final yet, or due next" in page
    paid_in, paid_out = told["totals"]["from_buyers_fen"], told["totals"]["paid_out_fen"]
    left, out, held = map(flows_page.yuan, (paid_in, paid_out, paid_in - paid_out))
    assert f"{left} = {out} paid out + {held} held or on its way" in page
    assert "Both sides are equal" in page


def test_a_sale_that_can_be_refunded_waits_and_one_that_is_refunded_goes_back(stage: Stage) -> None:
    market = Market(stage)
    sold(market, 1_000, settled=False)
    order = market.paid(500)
    page = read(stage)
    assert "None of it has been shared out yet" in page
    assert "not final yet, or due next" in page
    ok(market.company.post(f"/v1/orders/{order['id']}/refund", {"reason": "second thoughts"}), 200)
    where = flows_page.accounts(flows(stage)["totals"])
    assert {row["name"]: row["fen"] for row in where["rows"] if row["fen"]} == {"waiting": 6_000, "returning": 3_000}
    assert where["holds"]
    page = read(stage)
    assert "¥30.00 of it was for orders taken back" in page
    assert "¥30.00 going back to companies" in page


def test_what_is_shared_is_told_apart_by_what_has_left_the_accounts(stage: Stage) -> None:
    market = Market(stage)
    sold(market, 100_000)
    for account, amount in (("fund", 30_000), ("platform", 1)):
        pay = {"account": account, "amount_fen": amount, "bank_ref": "b"}
        ok(market.operator.post("/v1/operator/payouts", pay), 201)
    rows = {row["name"]: row for row in flows_page.accounts(flows(stage)["totals"])["rows"]}
    assert (rows["fund"]["out"], rows["fund"]["held"]) == (30_000, 0)
    assert (rows["platform"]["out"], rows["platform"]["held"]) == (1, 89_999)
    assert (rows["citizens"]["out"], rows["citizens"]["held"]) == (0, 420_000)


def test_both_languages_say_the_same_numbers_and_nothing_is_left_untranslated(stage: Stage) -> None:
    market = Market(stage)
    sold(market, 100_000)
    publish(market, "更多归公众 · more to the people")
    chinese, english = read(stage, "/flows?lang=zh"), read(stage)
    assert sorted(re.findall(r"¥[\d,.]+\d", chinese)) == sorted(re.findall(r"¥[\d,.]+\d", english))
    shown = re.sub(r'(?s)<b lang="zh-CN">.*?</b>|<a class="lang".*?</a>|更多归公众', "", english)
    assert re.findall(r"[\u4e00-\u9fff]+", shown.partition("<body")[2]) == []
    assert 'lang="zh-CN"' in chinese.partition(">")[2]
    assert all(set(text) == {"zh", "en"} for text in flows_page.TEXTS.values())


def test_of_fewer_than_twenty_people_no_number_is_told(stage: Stage) -> None:
    market = Market(stage, people=19)
    sold(market, 100_000)
    assert flows(stage)["totals"]["people_paid"] is None
    page = read(stage)
    assert "people got a share" not in page
    assert "19" not in re.findall(r">\s*(\d+)\b", page)


def test_of_twenty_people_and_more_it_is(stage: Stage) -> None:
    market = Market(stage, people=20)
    sold(market, 100_000)
    assert "<b>20</b> people got a share" in read(stage)


def test_terms_to_come_are_shown_before_they_bind_and_their_note_is_never_markup(stage: Stage) -> None:
    market = Market(stage)
    note = "<script>alert(1)</script>\"'{x}"
    day = publish(market, note)
    raw = stage.http.get("/flows?lang=en").get_data(as_text=True)
    assert "<script" not in raw
    page = html.unescape(raw)
    assert note in page
    assert f"From {day} on" in page
    assert "71.2345%" in page
    assert page.index('data-state="in_force"') < page.index('data-state="to_come"')
    assert "<script" not in stage.http.get("/flows?lang=%3Cscript%3E&cursor=").get_data(as_text=True)


def test_batches_go_on_by_cursor_until_there_are_no_more(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows_page, "BATCHES_A_PAGE", 2)
    market = Market(stage)
    for _ in range(3):
        market.issued(*[100_000] * 30, price=6_000_000)
    market.paid(8_500)
    told = [b["batch"] for b in flows(stage)["batches"]]
    assert told == sorted(told, reverse=True)
    assert len(told) == 3
    seen, path = [], "/flows?lang=en"
    while path:
        page = read(stage, path)
        seen += [int(number) for number in re.findall(r'data-batch="(\d+)"', page)]
        following = re.search(r'href="(/flows\?lang=en&cursor=[^"#]+)#batches" rel="next"', page)
        path = following[1] if following else ""
    assert seen == told
    answer = stage.http.get("/flows?cursor=nonsense")
    assert (answer.status_code, answer.json["code"]) == (400, "cursor_invalid")


def test_amounts_are_written_from_whole_numbers() -> None:
    assert [flows_page.yuan(fen) for fen in (0, 5, 123_456_789_012_345_678, -101)] == [
        "¥0.00", "¥0.05", "¥1,234,567,890,123,456.78", "−¥1.01",
    ]  # fmt: skip
    assert [flows_page.percent(ppm) for ppm in (0, 1, 125_000, 1_000_000)] == ["0%", "0.0001%", "12.5%", "100%"]
    assert [flows_page.kilograms(g) for g in (0, 1, 1_500, 12_345_678)] == ["0", "0.001", "1.5", "12,345.678"]


def test_a_bar_shows_the_least_part_and_never_more_than_there_is() -> None:
    parts = flows_page.bar([("citizens", 700), ("fund", 0), ("platform", 1)], 10**9)
    assert [(part["name"], part["width"]) for part in parts] == [("citizens", 2), ("platform", 2)]
    whole = flows_page.bar([("citizens", 1), ("partners", 1), ("fund", 1)], 3)
    assert sum(part["width"] for part in whole) == flows_page.BAR
    assert flows_page.bar([("sold", 0)], 0) == []


def test_months_without_money_are_drawn_as_empty_between_those_with() -> None:
    names = ("sold_fen", "refunded_fen", "citizens_fen", "partners_fen", "platform_fen", "fund_fen", "paid_out_fen")
    row = dict.fromkeys(names, 5)
    drawn = flows_page.drawn_months([row | {"month": "2025-11"}, row | {"month": "2026-02"}])
    assert [m["month"] for m in drawn] == ["2026-02", "2026-01", "2025-12", "2025-11"]
    assert [bool(m["sold_bar"]) for m in drawn] == [True, False, False, True]
    long = flows_page.drawn_months([row | {"month": "1999-01"}, row | {"month": "2026-02"}])
    assert len(long) == flows_page.MONTHS_DRAWN
    assert flows_page.drawn_months([]) == []


def test_books_that_do_not_add_up_are_said_not_to(stage: Stage) -> None:
    market = Market(stage)
    sold(market, 100_000)
    with market.platform.db.transaction() as conn:
        assert money.accounts(conn)["buyers"] == -600_000
    totals = flows(stage)["totals"]
    assert flows_page.accounts(totals)["holds"]
    assert not flows_page.accounts(totals | {"held_by_fund_fen": totals["held_by_fund_fen"] + 1})["holds"]
    assert not flows_page.accounts(totals | {"waiting_in_batches_fen": 1})["holds"]
