"""A formula is told in words that a citizen understands, in both languages, for every methodology."""

from __future__ import annotations

import pytest

from rules import standard, words
from rules.model import Pack

STANDARD = standard.load()


def test_the_metro_in_words() -> None:
    pack = STANDARD.pack_version("metro", "1.0.0")
    assert pack
    told = words.of_formula(standard.pack_json(pack))
    assert told["baseline"] == {
        "zh": "乘坐距离（米） × 地铁所替代的出行",
        "en": "Distance ridden in metres × What a metro trip replaces",
    }
    assert told["leakage"] == {"zh": "0", "en": "0"}


def test_a_choice_names_its_own_factors_and_a_condition_is_read_out() -> None:
    pack = STANDARD.pack_version("recycling", "1.0.0")
    assert pack
    document = standard.pack_json(pack)
    assert "PET bottles, recycled" in words.of_formula(document, "PET")["project"]["en"]
    assert "(by kind)" in words.of_formula(document)["project"]["en"]
    assert " if " in words.of_formula(document, "PET")["baseline"]["en"]
    assert "若" in words.of_formula(document, "PET")["baseline"]["zh"]


@pytest.mark.parametrize("pack", STANDARD.packs, ids=lambda pack: pack.code)
def test_no_name_of_the_formula_is_left_untranslated(pack: Pack) -> None:
    document = standard.pack_json(pack)
    names = {fact["name"] for fact in document["facts"]} | set(document.get("bindings", {}))
    for texts in words.of_formula(document).values():
        assert not {name for name in names if "_" in name and name in texts["zh"] + texts["en"]}
