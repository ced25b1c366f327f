"""The public page of the figures: the numbers of /v1/reports, in both languages, for anybody."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from backend.api import figures_page
from backend.usecases import check_conservation, close_pool, sequence_log, show_figures
from tests.cast import Stage
from tests.market import Market, ok, refused

JULY = date(2026, 7, 1)
COUNTED = ("deeds", *figures_page.COLUMNS)


def read(stage: Stage, query: str = "lang=en") -> str:
    """What a reader sees of the page's characters; the page keeps the policy of all public pages."""
    show_figures.forget(stage.platform)
    answer = stage.http.get(f"/figures?{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    page = answer.get_data(as_text=True)
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://", page)
    return html.unescape(page)


def numbers(page: str, table: str) -> dict[str, dict[str, Decimal]]:
    """code (with * for what is merged) -> heading -> number, as it stands in a table of the page; 'total' below."""
    found = {}
    body = re.search(rf'(?s)<table class="money told" id="{table}-table">.*?</table>', page)
    for row in re.findall(r"(?s)<tr.*?</tr>", body[0].partition("<tbody>")[2] if body else ""):
        named = re.search(r'<tr data-code="([^"]+)"( data-merged)?', row)
        cells = re.findall(r'<td data-label="([^"]+)"[^>]*>([^<]+)</td>', row)
        found[named[1] + "*" * bool(named[2]) if named else "total"] = {
            label: Decimal(re.sub(r"[^\d.-]", "", text.replace("−", "-")) or "0") for label, text in cells
        }
    return found


def sold(market: Market) -> None:
    """Two months in two regions, a behaviour of few; a batch of which some is sold, given back, retired, cancelled."""
    market.issued(*[2_000_123] * 30)
    for n in range(30):
        market.deed(1_500_000 + n, person=market.people[n], month=JULY, region="440300", pack="metro")
    for n in range(5):
        market.deed(1_000_000, person=market.people[n], month=JULY, region="440300", pack="recycling")
    market.deed(-77_000, person=market.people[0], month=JULY, region="440300", pack="metro")
    market.paid(10_000)
    order = market.paid(1_000)
    ok(market.company.post(f"/v1/orders/{order['id']}/refund", {"reason": "twice"}), 200)
    market.retired(3_210)
    ok(market.company.post("/v1/transfers", {"quantity_g": 5, "registry": "other"}), 201)
    market.lowered((1, 1_000_000))


def test_before_there_is_anything_to_tell_the_page_says_so_and_that_the_books_add_up(stage: Stage) -> None:
    for query, said in (("lang=zh", "还没有可以公布的数据"), ("lang=en", "Nothing can be told yet")):
        page = read(stage, query)
        assert said in page
        assert "<table" not in page
    assert "identities hold" in page
    assert "There is no checkpoint yet" in page
    assert "See all figures" in read(stage, "lang=en&region=310000")


def test_every_number_of_every_table_is_on_the_page_and_the_rows_make_up_the_total(market: Market) -> None:
    sold(market)
    page = read(market.stage)
    for table in show_figures.TABLES:
        told = ok(market.stage.http.get(f"/v1/reports/{table}"), 200)
        shown = numbers(page, table)
        rows = told["items"] + [row | {"code": "total", "merged": False} for row in told["totals"]]
        assert shown.keys() == {row["code"] + "*" * row["merged"] for row in rows}
        for row in rows:
            cells = shown[row["code"] + "*" * row["merged"]]
            assert cells["People"] == row["people"]
            assert cells["Deeds"] == row["deeds"]
            assert cells["Measured"] * 1000 == row["measured_mg"] // 1000
            for label, name in (("Issued", "issued_g"), ("Sold", "sold_g"), ("Given back", "given_back_g"),
                                ("Retired", "retired_g"), ("Transferred out", "transferred_g"),
                                ("Cancelled", "cancelled_g")):  # fmt: skip
                assert cells[label] * 1000 == row[name], (table, row["code"], label)
        assert min(rows[-1][name] for name in show_figures.AMOUNTS) > 0
    assert "recycling" not in numbers(page, "behaviours")


def test_both_languages_say_the_same_numbers_and_nothing_is_left_untranslated(market: Market) -> None:
    sold(market)
    chinese, english = read(market.stage, "lang=zh"), read(market.stage)
    for table in show_figures.TABLES:
        pairs = zip(numbers(chinese, table).items(), numbers(english, table).items(), strict=True)
        assert all((a, list(b.values())) == (c, list(d.values())) for (a, b), (c, d) in pairs)
    shown = re.sub(r'(?s)<b lang="zh-CN">.*?</b>|<a class="lang".*?</a>', "", english)
    assert re.findall(r"[\u4e00-\u9fff]+", shown.partition("<body")[2]) == []
    assert all(set(text) == {"zh", "en"} for text in figures_page.TEXTS.values())


def test_a_filter_is_shown_kept_by_every_link_and_can_be_taken_off(market: Market) -> None:
    sold(market)
    page = read(market.stage, "lang=en&region=440000&month=2026-Q3")
    assert numbers(page, "regions").keys() == {"440300", "total"}
    assert "People" not in numbers(page, "regions")["total"]
    links = re.findall(r'href="(/figures\?[^"]+)"', page)
    assert "/figures?lang=zh&month=2026-Q3&region=440000" in links
    assert "/figures?lang=en&region=440000" in links  # without the quarter
    assert "/figures?lang=en&month=2026-Q3&region=440300" in links
    assert "/v1/reports/months.csv?month=2026-Q3&region=440000" in page
    for place in ("Guangdong", "Q3 2026"):
        assert f"<b>{place}</b>" in page


def test_what_is_told_only_with_others_is_said_to_be_missing(market: Market) -> None:
    sold(market)
    page = read(market.stage, "lang=en&behaviour=recycling")
    assert "Of what you chose nothing can be told by itself" in page
    assert "is of too few people" in page
    assert "is of too few people" not in read(market.stage)


def test_demonstration_says_so_and_real_figures_go_before_it(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    sold(market)
    assert "no claim may be made" in read(market.stage)
    asked = close_pool.approval
    monkeypatch.setattr(
        close_pool, "approval", lambda p, key: (asked(p, key)[0], asked(p, key)[1] and key.pack_code != "bus")
    )
    for n in range(20):
        market.deed(1_000, person=market.people[n], pack="bus")
    page = read(market.stage)
    assert "no claim may be made" not in page
    assert numbers(page, "behaviours").keys() == {"bus", "total"}
    assert 'href="/figures?lang=en&standing=demonstration"' in page
    page = read(market.stage, "lang=en&standing=demonstration")
    assert "no claim may be made" in page
    assert "bus" not in numbers(page, "behaviours")
    assert 'href="/figures?lang=en&standing=real"' in page


def test_books_that_do_not_add_up_are_said_not_to(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check_conservation.check_conservation(stage.platform, datetime.now(UTC))
    [first, *others] = found["identities"]
    broken = found | {"ok": False, "identities": [first | {"ok": False}, *others]}
    monkeypatch.setattr(check_conservation, "check_conservation", lambda *_: broken)
    page = read(stage)
    assert "1 of" in page
    assert "do not hold" in page
    assert f"<li>{first['en']}</li>" in page


def test_the_size_of_the_log_and_its_last_checkpoint_are_shown(market: Market) -> None:
    market.deed(5)
    sequence_log.sequence_log(market.platform, datetime.now(UTC))
    text = market.stage.http.get("/v1/log/checkpoint").get_data(as_text=True)
    page = read(market.stage)
    size = re.search(r'id="log-size">([\d,]+)<', page)
    assert size is not None
    assert size[1].replace(",", "") == text.splitlines()[1]
    assert "There is no checkpoint yet" not in page


def test_what_is_asked_for_wrongly_is_refused_and_never_markup(stage: Stage) -> None:
    for query in ("region=<b>", "month=2026-13", "behaviour=%00", "standing=all"):
        refused(stage.http.get(f"/figures?{query}"), 422, "request_invalid")
    page = stage.http.get("/figures?lang=%3Cscript%3E&behaviour=nothing_known").get_data(as_text=True)
    assert "<script" not in page


def test_amounts_are_written_from_whole_numbers() -> None:
    assert [figures_page.amount(g, "kg") for g in (0, 1, 1_500, 12_345_678, -1)] == [
        "0", "0.001", "1.500", "12,345.678", "−0.001",
    ]  # fmt: skip
    assert figures_page.amount(1_234_567_899, "t") == "1,234.567"


def test_the_lines_of_the_chart_stand_for_round_numbers_and_reach_the_highest_column() -> None:
    assert [figures_page.step_for(most) for most in (1, 4, 5, 8, 9, 21, 41, 400, 401)] == [
        1,
        1,
        2,
        2,
        5,
        10,
        20,
        100,
        200,
    ]
    row: dict[str, Any] = dict.fromkeys((*COUNTED, *figures_page.WHERE), 0)
    rows = [row | {"code": f"2026-{m:02d}", "measured": m * 1000, "issued": 500, "retired": 500} for m in range(1, 13)]
    drawn = figures_page.chart(rows, figures_page.NARROW, "kg")
    assert drawn is not None
    assert (len(drawn["groups"]), drawn["left_out"]) == (8, 4)
    assert [line["label"] for line in drawn["lines"]] == ["0", "5", "10", "15"]
    heights = [[part["height"] for part in group["parts"]] for group in drawn["groups"]]
    assert heights[-1] == [12 * 170 // 15, 500 * 170 // 15_000]
    assert figures_page.chart([row | {"code": "2026-06"}], figures_page.WIDE, "kg") is None
