"""A colleague's mistakes are told by file and line, all of them at once, in words that say what to do."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rules import standard
from rules.reading import MISTAKES, Mistake

CYCLING = standard.SHIPPED / "methodologies" / "cycling"
FORMULA = "methodologies/hiking/formula.py"
PACK = "methodologies/hiking/methodology.yaml"
FACTORS = "factors/hiking.yaml"

FACTOR = """factors:
  - id: hiking.shoes
    name: {zh: 鞋, en: Shoes}
    unit: kgCO2e/pkm
    gas_basis: CO2e
    boundary: cradle-to-gate
    values:
      - value: 0.004
        from: 2024-01-01
        factor_id: TEST
        status: published
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound pack of its own, `hiking`, beside the shipped ones."""
    root = tmp_path / "city"
    for name in ("methodology.yaml", "formula.py"):
        text = (CYCLING / name).read_text("utf-8").replace("code: cycling", "code: hiking")
        text = text.replace("cycling.v1", "hiking.v1").replace("travel.cycling_per_pkm", "hiking.shoes")
        path = root / "methodologies" / "hiking" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (root / "factors").mkdir()
    (root / FACTORS).write_text(FACTOR, "utf-8")
    return root


def mistakes(*folders: Path) -> tuple[Mistake, ...]:
    with pytest.raises(standard.StandardError) as caught:
        standard.load(*folders)
    return caught.value.mistakes


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text("utf-8").splitlines(), 1) if text in line)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_a_sound_pack_loads(folder: Path) -> None:
    assert standard.load(folder).has_type("hiking.v1")


SURE = "uncertainty: {low: 0.005, high: 0.006, kind: 95% CI}"

# file, what stands there, what a slip makes of it, where it is told (text on that line), the code, words of the telling
SLIPS = [
    (FACTORS, "unit: kgCO2e/pkm", "unit: kgCO2e/pmk", "unit: ", "unit", "'pmk' is no unit we know"),
    (FACTORS, "gas_basis: CO2e", "gas_basis: CO2", "unit: ", "unit", "write CO2"),
    (FACTORS, "gas_basis: CO2e", "gas_basis: GHG", "gas_basis: GHG", "not_one_of", "CO2e-AR4"),
    (FACTORS, "value: 0.004", "value: 0,001", "value: 0,001", "not_a_number", "decimal number such as 0.239"),
    (FACTORS, "value: 0.004", "value: .inf", "value: .inf", "not_a_number", "decimal number"),
    (FACTORS, "value: 0.004", "value: 1e999", "value: 1e999", "not_a_number", "decimal number"),
    (FACTORS, "value: 0.004", "value: 0.004\n        per: 0", "per: 0", "not_a_number", "'per'"),
    (FACTORS, "from: 2024-01-01", "from: 1.1.2024", "from: 1.1.2024", "not_a_date", "2025-08-01"),
    (FACTORS, "from: 2024-01-01", "from: 2024-02-30", "from: 2024-02-30", "not_a_date", "2025-08-01"),
    (FACTORS, "from: 2024-01-01", "from: 2024-01-01\n        to: 2023-01-01", "to: 2023", "empty_time", "not after"),
    (FACTORS, "from: 2024-01-01", "from: 2024-01-01\n        region: '999900'", "'999900'", "no_region", "regions.csv"),
    (FACTORS, "factor_id: TEST", "factor: TEST", "value: 0.004", "missing", "'factor_id' is missing"),
    (FACTORS, "factor_id: TEST", "factor_id: T\n        sauce: x", "sauce", "unknown_field", "'sauce' is not known"),
    (FACTORS, "status: published", "status: provisional", "status", "caveat", "must say why"),
    (FACTORS, "status: published", "status: sure", "status", "not_one_of", "provisional, published"),
    (FACTORS, "{zh: 鞋, en: Shoes}", "{zh: 鞋}", "{zh: 鞋}", "missing", "'en' is missing"),
    (FACTORS, "{zh: 鞋, en: Shoes}", "Shoes", "name: Shoes", "not_a_map", "name: value"),
    (FACTORS, "    values:\n      - value", "    values:\n        value", "values:", "not_a_list", "behind '-'"),
    (FACTORS, "    values:", "    unit: kgCO2e/km\n    values:", "CO2e/km", "twice", "'unit' is written twice"),
    (FACTORS, "    unit: ", "   unit: ", "unit", "yaml", "not valid YAML"),
    (FACTORS, "id: hiking.shoes", "id: hiking.socks", "factors:", "no_factor", "no factor 'hiking.shoes'"),
    (FACTORS, "id: hiking.shoes", "id: travel.metro_per_pkm", "id: travel", "redefined", "another unit, gas basis"),
    (FACTORS, "from: 2024-01-01", "from: 2025-01-01", "factors:", "no_value", "no value on 2024-01-01"),
    (PACK, "unit: pm", "unit: metre", "unit: metre", "unit", "'metre' is no unit"),
    (PACK, "fact: distance_m", "fact: Distance", "fact: Distance", "not_a_name", "lower-case letters"),
    (PACK, "fact: distance_m", "fact: points", "fact: points", "not_a_name", "reserved"),
    (PACK, "fact: distance_m", "fact: lambda", "fact: lambda", "not_a_name", "reserved"),
    (PACK, "maximum: 75000", "maximum: far", "maximum: far", "not_an_integer", "whole number"),
    (PACK, "daily_mg: 2400000", "daily_mg: 2.4e6", "daily_mg", "not_an_integer", "whole number"),
    (PACK, "category: travel", "category: fun", "category", "not_one_of", "digital_finance"),
    (PACK, "exclusion_class: mobility", "exclusion_class: feet", "exclusion_class", "no_class", "'feet'"),
    (PACK, "in_force_from: 2024-01-01", "in_force_from: soon", "in_force_from", "not_a_date", "2025-08-01"),
    (PACK, "  cycling: {factor", "  Cycling: {factor", "Cycling:", "not_a_name", "lower-case letters"),
    (PACK, "hiking.shoes}", "hiking.shoes}\n  hats: {factor: hiking.shoes}", "code:", "formula_unused", "'hats'"),
    (PACK, "statements:", "statement:", "code:", "missing", "'statements'"),
    (PACK, "    dated_on: \"2022\"\n", "", "    zh: 23%", "missing", "'dated_on'"),
    (PACK, "event_type: hiking.v1", "event_type: cycling.v1", "in_force_from", "both_in_force", "at the same time"),
    (PACK, "code: hiking", "code: cycling", "version", "same_version", "cycling 1.0.0 is defined twice"),
    (FORMULA, "distance_m * cycling", "distance_m * 0.0072", "* 0.0072", "formula_float", "from a factor"),
    (FORMULA, "distance_m * cycling", "pow(distance_m, 2)", "pow", "formula_forbidden", "pow(distance_m, 2)"),
    (FORMULA, "distance_m * cycling", "distance_m.real * cycling", ".real", "formula_forbidden", "distance_m.real"),
    (FORMULA, "distance_m * cycling", "distance_m + cycling", "+ cycling", "formula_units", "do not go together"),
    (FORMULA, "distance_m * cycling", "distance_m * bicycle", "bicycle", "formula_name", "cycling"),
    (FORMULA, "distance_m * cycling", "cycling * '2'", "def baseline_g", "formula_units", "do not go together"),
    (FORMULA, "return 0", "return 1", "def baseline_g", "formula_units", "do not go together"),
    (FORMULA, "def leakage_g():", "def leakage():", "def leakage", "formula_function", "leakage_g"),
    (FORMULA, "def leakage_g():\n    return 0\n", "", "Cycling:", "formula_missing", "let it return 0"),
    (FORMULA, "def leakage_g():", "def leakage_g(:", "def leakage_g", "formula_syntax", "cannot be read"),
    (FORMULA, "def leakage_g():\n", "import os\n\n\ndef leakage_g():\n", "import os", "formula_function", "import"),
    (FORMULA, "    return 0", "    for x in y:\n        return 0", "for x", "formula_forbidden", "for x in y"),
    (FACTORS, "status: published", "status: published\n        review_by: soon", "review_by", "not_a_date", "2025"),
    (FACTORS, "status: published", "status: published\n        tier: X", "tier: X", "not_one_of", "P, S, U, own"),
    (FACTORS, "value: 0.004", "value: 4", "value: 4", "out_of_band", "hiking.shoes is 4000, outside of 2 to 300 gCO2e"),
    (FACTORS, "value: 0.004", "value: 0.004\n        band: miles", "band: miles", "no_band", "no band 'miles'"),
    (FACTORS, "value: 0.004", "value: 0.004\n        band: share", "band: share", "band_unit", "'share' does not fit"),
    (FACTORS, "value: 0.004", f"value: 0.004\n        {SURE}", "uncertainty", "interval", "above the value"),
    (PACK, "status: provisional", "status: draft", "code:", "missing", "'missing' is missing"),
    (PACK, "status: provisional", "status: sketch", "status: sketch", "not_one_of", "draft, provisional, published"),
    (PACK, "{of: baseline,", "{of: basement,", "{of: basement", "not_one_of", "baseline, leakage, project, reduction"),
    (PACK, "of: baseline, per: distance_m", "of: baseline, per: miles", "per: miles", "not_one_of", "distance_m"),
    (PACK, "band: pkm_emission", "band: pkm_omission", "pkm_omission", "no_band", "no band 'pkm_omission'"),
    (PACK, "band: pkm_emission", "band: vkm_emission", "band: vkm_", "band_unit", "the unit of band 'vkm_emission'"),
    (PACK, "band: pkm_reduction", "band: pkm_reduction, x: 1", "x: 1", "unknown_field", "'x' is not known"),
    (PACK, "    daily_mg: 2400000\n", "", "  - from: 2024", "missing", "'daily_mg' is missing"),
    (PACK, "daily_mg: 2400000", "daily_points: many", "daily_points", "not_an_integer", "whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "place", "code", "words"), SLIPS, ids=lambda part: str(part)[:24])
def test_a_slip_is_told_where_it_stands(
    folder: Path, file: str, old: str, new: str, place: str, code: str, words: str
) -> None:
    edit(folder / file, old, new)
    told = [mistake for mistake in mistakes(folder) if mistake.code == code]
    assert told, mistakes(folder)
    where = PACK if code in ("no_factor", "no_value") else file
    places = [(mistake.file, mistake.line) for mistake in told if words in mistake.en]
    assert (f"city/{where}", line_of(folder / where, place)) in places, told


# a line more in a pack, where its mistake is told (text on that line), the code, words of the telling
LINES = [
    ("region_rule: middle", "region_rule: middle", "not_one_of", "declared, end, start"),
    ("measures: neither", "measures: neither", "not_one_of", "points, reduction"),
    ("formula: magic", "formula: magic", "not_one_of", "nothing_measured, quantity_times_baseline"),
    ("formula: ../cycling/formula", "formula: ..", "not_one_of", "nothing_measured, quantity_times_baseline"),
    ("formula: quantity_times_factor", "code:", "missing", "'quantity' is missing"),
    ("formula: quantity_times_factor\nquantity: points", "quantity: points", "not_a_name", "reserved"),
    ("formula: quantity_times_factor\nquantity: steps", "code:", "formula_unused", "does not use 'distance_m'"),
    ("quantity: distance_m", "quantity:", "unknown_field", "'quantity' is not known"),
    ("evidence_percent: {device: 101}", "evidence_p", "not_a_percent", "'device' should be"),
    ("evidence_percent: {order: -1}", "evidence_p", "not_a_percent", "from 0 to 100"),
    ("evidence_percent: {device: half}", "evidence_p", "not_an_integer", "whole number"),
    ("evidence_percent: {hearsay: 10}", "evidence_p", "unknown_field", "screenshot"),
]


@pytest.mark.parametrize(("line", "place", "code", "words"), LINES, ids=lambda part: str(part)[:24])
def test_a_slip_in_a_field_that_may_be_left_out_is_told(
    folder: Path, line: str, place: str, code: str, words: str
) -> None:
    edit(folder / PACK, "gas_basis:", f"{line}\ngas_basis:")
    told = [
        (mistake.file, mistake.line) for mistake in mistakes(folder) if mistake.code == code and words in mistake.en
    ]
    assert (f"city/{PACK}", line_of(folder / PACK, place)) in told


def test_two_gas_bases_in_one_formula_are_a_mistake(folder: Path) -> None:
    edit(folder / FACTORS, "gas_basis: CO2e", "gas_basis: CO2e-AR4")
    [mistake] = mistakes(folder)
    assert (mistake.file, mistake.code) == (f"city/{FORMULA}", "formula_units")
    assert "emission CO2e cradle-to-gate" in mistake.en
    assert "emission CO2e-AR4 cradle-to-gate" in mistake.en


def test_two_boundaries_in_one_formula_are_a_mistake(folder: Path) -> None:
    edit(folder / FACTORS, "boundary: cradle-to-gate", "boundary: gate-to-grave")
    [mistake] = mistakes(folder)
    assert (mistake.file, mistake.code) == (f"city/{FORMULA}", "formula_units")


def test_a_pack_cannot_claim_another_boundary_than_its_numbers_have(folder: Path) -> None:
    edit(folder / PACK, "boundary: cradle-to-gate", "boundary: cradle-to-grave")
    [mistake] = mistakes(folder)
    assert mistake.code == "formula_result"
    assert "should be emission CO2e cradle-to-grave" in mistake.en


def test_a_region_cannot_override_the_boundary_while_the_pack_is_in_force(folder: Path) -> None:
    value = (
        "{region: '420100', value: 0.005, boundary: gate-to-grave, from: 2024-01-01, factor_id: T, status: published}"
    )
    edit(folder / FACTORS, "status: published\n", f"status: published\n      - {value}\n")
    [mistake] = mistakes(folder)
    assert mistake.code == "formula_units"
    edit(folder / FACTORS, "from: 2024-01-01, factor_id", "from: 2022-01-01, to: 2023-01-01, factor_id")
    standard.load(folder)  # before the pack was in force it harms nobody


def test_two_values_for_one_day_are_a_mistake_also_in_two_files(folder: Path) -> None:
    again = FACTOR.replace("0.004", "0.005")
    (folder / "factors/z.yaml").write_text(again, "utf-8")
    [mistake] = mistakes(folder)
    assert (mistake.file, mistake.line, mistake.code) == ("city/factors/z.yaml", 9, "overlap")
    assert "hiking.shoes has two values in force at once in CN from 2024-01-01" in mistake.en


def test_a_value_cannot_slip_in_between_two_others(folder: Path) -> None:
    values = "".join(
        f"      - {{value: {n}, from: {day}, to: {end}, factor_id: T, status: published}}\n"
        for n, day, end in ((0.005, "2025-01-01", "2026-01-01"), (0.006, "2025-06-01", "2027-01-01"))
    )
    edit(folder / FACTORS, "status: published\n", f"status: published\n{values}")
    assert [mistake.code for mistake in mistakes(folder)] == ["overlap"]


def test_every_choice_needs_its_factor(folder: Path) -> None:
    values = "{left: {zh: 左, en: left}, right: {zh: 右, en: right}}"
    shoe = f"  - {{fact: shoe, kind: choice, name: {{zh: 鞋, en: Shoe}}, values: {values}}}\n"
    edit(folder / PACK, "facts:\n", f"facts:\n{shoe}")
    edit(folder / PACK, "  cycling: {factor: hiking.shoes}", "  cycling: {by: shoe, factors: {left: hiking.shoes}}")
    [mistake] = mistakes(folder)
    assert (mistake.code, mistake.en) == ("no_choice", "no factor is given for the choice 'right'")
    edit(folder / PACK, "{left: hiking.shoes}", "{left: hiking.shoes, right: hiking.shoes}")
    standard.load(folder)
    edit(folder / PACK, "by: shoe", "by: sock")
    assert [mistake.code for mistake in mistakes(folder)] == ["not_one_of"]


def test_a_pack_that_leaves_a_statement_out_cannot_be_approved_for_the_pool(folder: Path) -> None:
    one = "pack: hiking, version: 1.0.0, region: CN, use: pool, from: 2024-01-01, body: B, document: D"
    approval = f"approvals:\n  - {{{one}}}\n"
    (folder / "approvals.yaml").write_text(approval, "utf-8")
    standard.load(folder)
    text = (folder / PACK).read_text("utf-8")
    start, end = text.index("  leakage:"), text.index("  choice:")
    (folder / PACK).write_text(text[:start] + text[end:], "utf-8")
    [mistake] = mistakes(folder)
    assert (mistake.file, mistake.line, mistake.code) == ("city/approvals.yaml", 2, "incomplete")
    assert "leakage" in mistake.en
    (folder / "approvals.yaml").write_text(approval.replace("pool", "points"), "utf-8")
    standard.load(folder)


@pytest.mark.parametrize(
    ("pack", "use", "code"),
    [
        ("walking, version: 1.0.0", "demonstration", "points_only"),
        ("walking, version: 1.0.0", "pool", "points_only"),
        ("walking, version: 9.9.9", "points", "no_pack"),
        ("own_cup, version: 0.1.0", "points", "no_pack"),  # a draft
        ("hiking, version: 1.0.0", "selling", "not_one_of"),
    ],
)
def test_an_approval_must_fit_its_pack(folder: Path, pack: str, use: str, code: str) -> None:
    one = f"{{pack: {pack}, region: CN, use: {use}, from: 2024-01-01, body: B, document: D}}"
    (folder / "approvals.yaml").write_text(f"approvals:\n  - {one}\n", "utf-8")
    told = mistakes(folder)
    assert [(mistake.file, mistake.line, mistake.code) for mistake in told] == [("city/approvals.yaml", 2, code)]
    assert use in told[0].en or code == "no_pack" or "points, pool" in told[0].en


def test_a_pack_that_sets_points_only_can_be_approved_for_points(folder: Path) -> None:
    one = "{pack: walking, version: 1.0.0, region: CN, use: points, from: 2024-01-01, body: B, document: D}"
    (folder / "approvals.yaml").write_text(f"approvals:\n  - {one}\n", "utf-8")
    loaded = standard.load(folder)
    walking = loaded.pack_version("walking", "1.0.0")
    assert walking
    assert loaded.approval(walking, "310000", "points", date(2026, 6, 1))


GRID = "{code: GRID-X, name: {zh: 网, en: Grid}, provinces: ['310000'], status: published}"


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("'310000'", "'990000'", "no_region", "'990000' is not in regions.csv"),
        ("['310000']", "'310000'", "not_a_list", "behind '-'"),
        (", status: published", "", "missing", "'status' is missing"),
        ("published", "provisional", "caveat", "must say why"),
        ("provinces", "members", "unknown_field", "'members' is not known"),
        ("{zh: 网, en: Grid}", "{zh: 网}", "missing", "'en' is missing"),
    ],
)
def test_a_grid_must_be_of_provinces_that_exist(folder: Path, old: str, new: str, code: str, words: str) -> None:
    assert old in GRID
    (folder / "grids.yaml").write_text(f"grids:\n  - {GRID.replace(old, new)}\n", "utf-8")
    told = [mistake for mistake in mistakes(folder) if mistake.code == code]
    assert [(mistake.file, mistake.line) for mistake in told] == [("city/grids.yaml", 2)]
    assert words in told[0].en


BAND = "{id: shoes, unit: gCO2e/pkm, low: 1, high: 9, name: {zh: 鞋, en: Shoes}, status: published}"


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("low: 1", "low: 10", "interval", "low should not be above"),
        ("gCO2e/pkm", "gCO2e/mile", "unit", "'mile' is no unit"),
        ("high: 9", "high: much", "not_a_number", "decimal number"),
        ("id: shoes", "name_of_it: shoes", "unknown_field", "'name_of_it' is not known"),
    ],
)
def test_a_band_must_be_of_a_unit_and_from_low_to_high(folder: Path, old: str, new: str, code: str, words: str) -> None:
    (folder / "bands.yaml").write_text(f"bands:\n  - {BAND}\n", "utf-8")
    edit(folder / FACTORS, "value: 0.004", "value: 0.004\n        band: shoes")
    standard.load(folder)
    assert old in BAND
    (folder / "bands.yaml").write_text(f"bands:\n  - {BAND.replace(old, new)}\n", "utf-8")
    told = [mistake for mistake in mistakes(folder) if mistake.code == code]
    assert [(mistake.file, mistake.line) for mistake in told] == [("city/bands.yaml", 2)]
    assert words in told[0].en


def test_a_draft_needs_its_words_only_and_loads_beside_the_others(folder: Path) -> None:
    text = (folder / PACK).read_text("utf-8").replace("status: provisional", "status: draft")
    head, tail = text[: text.index("exclusion_class:")], text[text.index("statements:") :]
    missing = "missing: {zh: 数值, en: A number}\n"
    (folder / PACK).write_text(head + missing + tail, "utf-8")
    (folder / FORMULA).unlink()
    loaded = standard.load(folder)
    [draft] = [one for one in loaded.drafts if one.code == "hiking"]
    assert loaded.has_type("hiking.v1")
    assert loaded.pack("hiking.v1", date(2026, 6, 1)) is None
    assert loaded.pack_version("hiking", "1.0.0") is None
    assert standard.pack_json(draft)["missing"]["en"] == "A number"
    (folder / PACK).write_text(head + "missing: {zh: 数值}\n" + tail, "utf-8")
    assert [(mistake.code, mistake.en) for mistake in mistakes(folder)] == [("missing", "'en' is missing")]


@pytest.mark.parametrize(
    ("tariff", "code"),
    [
        ("pack: flying, unit: gCO2/pkm", "no_pack"),
        ("pack: hiking, unit: gCO2/kWh", "tariff_unit"),
        ("pack: hiking, unit: gCO2/mile", "unit"),
    ],
)
def test_a_tariff_must_fit_its_pack(folder: Path, tariff: str, code: str) -> None:
    rest = "id: X, region: '420100', from: 2024-01-01, value: 5, as_printed: 5, provider: P, status: published"
    (folder / "tariffs.yaml").write_text(f"tariffs:\n  - {{{rest}, {tariff}}}\n", "utf-8")
    assert [(mistake.file, mistake.line, mistake.code) for mistake in mistakes(folder)] == [
        ("city/tariffs.yaml", 2, code)
    ]


def test_a_case_must_name_facts_and_a_region_that_exist(folder: Path) -> None:
    case = "id: X, kind: derived, origin: us, title: T, source: S, on: 2024-06-01, unit: gCO2e, at_least: 0, at_most: 1"
    text = f"cases:\n  - {{{case}, region: '999900', facts: {{distance: 5}}}}\n"
    (folder / "methodologies/hiking/cases.yaml").write_text(text, "utf-8")
    assert {mistake.code for mistake in mistakes(folder)} == {"no_region", "unknown_field"}


def test_all_mistakes_are_told_at_once_in_order_and_in_both_languages(folder: Path) -> None:
    edit(folder / FACTORS, "value: 0.004", "value: much")
    edit(folder / PACK, "category: travel", "category: fun")
    edit(folder / PACK, "daily_mg: 2400000", "daily_mg: many")
    told = mistakes(folder)
    assert [(mistake.file, mistake.code) for mistake in told] == [
        (f"city/{FACTORS}", "not_a_number"),
        (f"city/{PACK}", "not_one_of"),
        (f"city/{PACK}", "not_an_integer"),
    ]
    with pytest.raises(standard.StandardError) as caught:
        standard.load(folder)
    assert str(caught.value).splitlines()[0] == (
        f"city/{FACTORS}:8: 'value' should be a decimal number such as 0.239 / “value”应是十进制数，如 0.239"
    )


def test_an_empty_file_and_a_missing_folder_are_told(folder: Path) -> None:
    (folder / PACK).write_text("", "utf-8")
    assert {mistake.code for mistake in mistakes(folder)} == {"missing"}
    assert [mistake.code for mistake in mistakes(folder / "nowhere")] == ["no_folder"]


def test_a_pack_without_its_formula_is_told(folder: Path) -> None:
    (folder / FORMULA).unlink()
    assert [(mistake.file, mistake.code) for mistake in mistakes(folder)[:1]] == [(f"city/{FORMULA}", "unreadable")]


def test_every_mistake_has_words_in_both_languages() -> None:
    assert all(zh and en for zh, en in MISTAKES.values())
    assert all(any("一" <= letter <= "鿿" for letter in zh) or zh == "{what}" for zh, _ in MISTAKES.values())
