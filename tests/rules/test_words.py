"""A methodology is told in words that a citizen understands, in both languages: formulas, units, amounts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import replay, standard, words
from rules.model import Pack

STANDARD = standard.load()
UNITS = ["pm", "g", "Wh", "l", "use", "step"]


def pack_of(code: str) -> Pack:
    return next(pack for pack in STANDARD.packs if pack.code == code)


def test_the_metro_in_words() -> None:
    told = words.of_formula(standard.pack_json(pack_of("metro")))
    assert told["baseline"] == {
        "zh": "乘坐距离 × 地铁所替代的出行",
        "en": "Distance ridden × What a metro trip replaces",
    }
    assert told["leakage"] == {"zh": "0", "en": "0"}


def test_a_choice_names_its_own_factors_and_a_condition_is_read_out() -> None:
    document = standard.pack_json(pack_of("recycling"))
    assert "PET bottles, recycled" in words.of_formula(document, "PET")["project"]["en"]
    assert "(by kind)" in words.of_formula(document)["project"]["en"]
    assert " if " in words.of_formula(document, "PET")["baseline"]["en"]
    assert "若" in words.of_formula(document, "PET")["baseline"]["zh"]


def test_the_numbers_come_into_their_places_and_of_an_interval_the_end_that_counts() -> None:
    invoice = words.template(standard.pack_json(pack_of("e_invoice")))["baseline"]["en"]
    assert invoice == "{count} × {paper_invoice:low} × {non_travel_share:low}"
    used = {"value": "298.55", "per": "1", "uncertainty": {"low": "177.67", "high": "433.12"}}
    shown = words.fill(invoice, lambda name, end: words.number(used, end) if name == "paper_invoice" else name)
    assert shown == "count × 177.67 × non_travel_share"
    assert words.number({"value": "-1.7537", "per": "1"}, "low") == "(−1.7537)"
    assert words.number({"value": "5.98", "per": "22"}) == "5.98/22"


@pytest.mark.parametrize("pack", STANDARD.packs, ids=lambda pack: pack.code)
def test_no_name_of_the_formula_is_left_untranslated_and_every_hole_has_its_number(pack: Pack) -> None:
    document = standard.pack_json(pack)
    names = {fact["name"] for fact in document["facts"]} | set(document.get("bindings", {}))
    for step, texts in words.of_formula(document).items():
        assert not {name for name in names if "_" in name and name in texts["zh"] + texts["en"]}
        for text in words.template(document)[step].values():
            assert set(re.findall(r"\{(\w+)", text)) <= names


@pytest.mark.parametrize("pack", STANDARD.packs, ids=lambda pack: pack.code)
def test_the_end_in_the_words_is_the_end_that_is_calculated_with(pack: Pack) -> None:
    """Where the template says low or high, the replay takes that end of an interval, of whatever factor."""
    document = standard.pack_json(pack)
    for function in replay.ast.parse(document["formula"]).body:
        if not isinstance(function, replay.ast.FunctionDef):
            continue
        text = words.template(document)[function.name.removesuffix("_g")]["en"]
        for name, end in re.findall(r"\{(\w+)(?::(\w+))?\}", text):
            if name in document.get("bindings", {}):
                used = {"value": "2", "per": "1", "unit": "1", "uncertainty": {"low": "1", "high": "3"}}
                assert replay._end(function, name, used, True) == {"low": 1, "": 2, "high": 3}[end]


@pytest.mark.parametrize("pack", STANDARD.packs, ids=lambda pack: pack.code)
def test_no_title_keeps_the_small_unit(pack: Pack) -> None:
    for fact in standard.pack_json(pack)["facts"]:
        if words.human(fact.get("unit", ""))[0]:
            assert not re.search(r"（|metres|grams|watt|litres", " ".join(words.title(fact).values()))


@given(st.integers(0, 10**12), st.sampled_from(UNITS))
def test_an_amount_for_people_is_the_same_amount(value: int, unit: str) -> None:
    whole, _, behind = words.amount(value, unit)["en"].split(" ")[0].replace(",", "").partition(".")
    assert int(whole + behind.ljust(words.human(unit)[0], "0")) == value


def test_amounts_units_and_times_as_people_read_them() -> None:
    assert words.amount(22_500, "pm") == {"zh": "22.5 公里", "en": "22.5 km"}
    assert words.amount(7250, "step") == {"zh": "7,250 步", "en": "7,250 steps"}
    assert words.amount(3, "use") == {"zh": "3", "en": "3"}
    assert words.unit("kgCO2e/pkm") == {"zh": "千克CO₂e/人公里", "en": "kgCO₂e/person-km"}
    assert words.unit("kgCO2/kWh")["en"] == "kgCO₂/kWh"
    assert words.unit("kgCO2e/t.km")["zh"] == "千克CO₂e/吨·公里"
    assert words.unit("1") == {"zh": "", "en": ""}
    assert words.duration(14_400) == {"zh": "4 小时", "en": "4 h"}
    assert words.duration(5_443_200)["en"] == "63 d"
    assert words.duration(90)["zh"] == "90 秒"
