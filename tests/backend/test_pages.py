"""The public pages of the standard: every methodology has one, in both languages, with its sources."""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from backend.usecases import describe_methodology, list_behaviours
from rules import standard
from rules.standard import SHIPPED
from tests import cast
from tests.cast import Stage

TODAY = date(2026, 11, 1)


@pytest.fixture(scope="module")
def stage(module_database_url: str, valkey_url: str) -> Iterator[Stage]:
    with cast.stage(module_database_url, valkey_url) as made:
        yield made


def read(stage: Stage, path: str, **headers: str) -> str:
    answer = stage.http.get(path, headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    return answer.get_data(as_text=True)


def plain(page: str) -> str:
    """What a reader sees of its characters."""
    return html.unescape(page)


def test_every_methodology_has_its_page_in_both_languages_and_names_its_sources(stage: Stage) -> None:
    for pack in stage.platform.standard.methodologies:
        document = standard.pack_json(pack)
        chinese, english = (plain(read(stage, f"/standard/{pack.code}?lang={language}")) for language in ("zh", "en"))
        assert f"<h1>{pack.name_zh}</h1>" in chinese
        assert f"<h1>{pack.name_en}</h1>" in english
        for factor in document.get("factors", {}).values():
            assert factor["name"]["zh"] in chinese
            for value in factor["values"]:
                assert value["value"].replace("-", "−") in english
                for said in ("factor_id", "source", "from", "review_by"):
                    assert value[said] in english, (pack.code, said)
                assert value["caveat"]["zh"] in chinese
                for said in ("gas_basis", "boundary"):
                    assert (value.get(said) or factor.get(said) or "") in english
        assert ("What is missing" in english) == (pack.status == "draft")
        assert document["status_reason"]["zh"] in chinese
        if pack.status != "draft":
            assert f'href="/v1/standard/packs/{pack.content_sha256}"' in english


def test_what_is_left_unsaid_is_said_to_be_missing(stage: Stage) -> None:
    for pack in stage.platform.standard.methodologies:
        unsaid = 7 - len(standard.pack_json(pack).get("statements") or {})
        assert read(stage, f"/standard/{pack.code}?lang=en").count("<em>Not stated</em>") == unsaid


def test_the_list_shows_all_of_them_and_their_state(stage: Stage) -> None:
    page = read(stage, "/standard?lang=en")
    for pack in stage.platform.standard.methodologies:
        assert f'href="/standard/{pack.code}?lang=en"' in page
    assert "Points only" in page
    assert "Demonstration" in page


def test_the_figure_of_a_methodology_is_what_a_unit_comes_to_today(stage: Stage, redis_url: str) -> None:
    told = {b["code"]: b["headline"] for rows in list_behaviours.list_behaviours(stage.platform, TODAY).values()
            for b in rows}  # fmt: skip
    for code, data in (("electricity_saving", {"energy_wh": 1000}), ("metro", {"distance_m": 1000})):
        item = {"type": f"{code}.v1", "on": TODAY.isoformat(), "data": data}
        measured = stage.http.post("/v1/quantify", json=item).json["reduction_mg"]
        assert told[code]["low"] == told[code]["high"] == f"{measured / 1000:.2f}".rstrip("0").rstrip(".")
    assert (told["plastic_substitution"]["low"], told["plastic_substitution"]["high"]) == ("−283.02", "283.02")
    assert told["walking"] is told["own_cup"] is None


def test_a_figure_that_rests_on_an_outdated_number_is_not_shown(stage: Stage) -> None:
    pack = next(pack for pack in stage.platform.standard.packs if pack.code == "metro")
    assert list_behaviours.headline(stage.platform, pack, date(2040, 1, 1)) is None
    assert stage.http.get("/standard/metro").status_code == 200


def test_a_worked_example_shows_each_step_as_it_is_calculated(stage: Stage) -> None:
    commute = describe_methodology.describe_methodology(stage.platform, "metro", TODAY)["examples"][0]
    assert commute["case"].kind == "published"
    assert [(step["name"], step["grams"]) for step in commute["steps"]] == [
        ("baseline", "5,980"), ("project", "1,350"), ("leakage", "0"), ("reduction", "4,630"),
    ]  # fmt: skip
    assert commute["steps"][0]["numbers"]["zh"] == "22 公里 × 5.98/22 千克CO₂e/人公里"
    invoices = describe_methodology.describe_methodology(stage.platform, "e_invoice", TODAY)["examples"][0]
    assert "× 177.67 gCO₂e/use ×" in invoices["steps"][0]["numbers"]["en"]  # the low end, not 298.55


def test_a_number_is_shown_to_hold_until_the_next_one_does(stage: Stage) -> None:
    factors = describe_methodology.describe_methodology(stage.platform, "metro", TODAY)["factors"]
    beijing = [row["period"] for row in factors[0]["rows"] if row["region"]["en"] == "Beijing"]
    assert beijing == [["2024-01-01", "2025-12-31"], ["2026-01-01", ""]]
    assert factors[1]["rows"][0]["period"] == ["2019-12-01", "2019-12-31"]  # printed with its own end, the day after


def test_the_language_is_the_one_asked_for_then_the_browsers_then_chinese(stage: Stage) -> None:
    assert '<html lang="zh-CN">' in read(stage, "/standard")
    assert '<html lang="en">' in read(stage, "/standard", **{"Accept-Language": "en-GB"})
    assert '<html lang="zh-CN">' in read(stage, "/standard?lang=zh", **{"Accept-Language": "en-GB"})


def test_drafts_cannot_be_picked_in_the_calculator(stage: Stage) -> None:
    page = read(stage, "/calculator")
    assert 'value="metro"' in page
    assert 'value="own_cup"' not in page


@pytest.mark.parametrize("name", ["standard.css", "calculator.js", "texts.json"])
def test_the_files_of_the_pages_are_sent_again_only_when_they_changed(stage: Stage, name: str) -> None:
    first = stage.http.get(f"/pages/{name}")
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert stage.http.get(f"/pages/{name}", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/standard/nothing", "/pages/nothing.css", "/pages/..%2fpages.py", "/pages/.css"])
def test_what_is_not_there_is_a_problem(stage: Stage, path: str) -> None:
    answer = stage.http.get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_text_with_markup_is_shown_and_never_run(module_database_url: str, valkey_url: str, tmp_path: Path) -> None:
    markup = "<script>alert(1)</script>\"'{x}"
    folder = tmp_path / "methodologies" / "box_reuse"
    shutil.copytree(SHIPPED / "methodologies" / "carton_reuse", folder)
    written = (folder / "methodology.yaml").read_text("utf-8").replace("carton_reuse", "box_reuse", 2)
    quoted = "'" + markup.replace("'", "''") + "'"
    for name in ("快递纸箱再利用", "再利用的纸箱数", "Number of cartons used again", "Express carton used again"):
        written = written.replace(f"zh: {name}", f"zh: {quoted}").replace(f"en: {name}", f"en: {quoted}")
    (folder / "methodology.yaml").write_text(written, "utf-8")
    with cast.stage(module_database_url, valkey_url, TANPUHUI_STANDARD=str(tmp_path)) as made:
        for path in ("/standard", "/standard/box_reuse", "/calculator", "/standard?lang=%3Cscript%3E"):
            page = read(made, path)
            assert "<script>" not in page
            assert markup in plain(page) or "lang=" in path
