"""Measuring is exact: whoever computes with fractions gets the same milligram."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import math
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import formula, quantification, standard, units
from rules.model import EVIDENCE_TIERS, Measurement, Pack, Region
from rules.quantification import Method, Value

STANDARD = standard.load()
DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))
REGIONS = st.sampled_from(sorted(STANDARD.regions.values(), key=lambda region: region.code))
PLAIN = units.parse("1")


def evaluate(node: ast.AST, names: Mapping[str, Fraction]) -> Fraction:
    """Another reading of a formula, with nothing of the engine's in it."""
    match node:
        case ast.Constant(value=value):
            return Fraction(value)
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(operand=operand):
            return -evaluate(operand, names)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = evaluate(left, names), evaluate(right, names)
            return {ast.Add: lambda: a + b, ast.Sub: lambda: a - b, ast.Mult: lambda: a * b, ast.Div: lambda: a / b}[
                type(op)
            ]()
        case ast.IfExp(test=ast.Compare(left=left, ops=[op], comparators=[right]), body=body, orelse=orelse):
            a, b = evaluate(left, names), evaluate(right, names)
            holds = {ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b, ast.Eq: a == b, ast.NotEq: a != b}
            return evaluate(body if holds[type(op)] else orelse, names)
    raise AssertionError(ast.dump(node))


def in_force(values: list[dict[str, str]], region: Region, on: date) -> dict[str, str]:
    for code in (region.code, region.parent, region.grid, "CN"):
        found = [value for value in values if value["region"] == code and value["from"] <= on.isoformat()]
        if found and on.isoformat() < (last := max(found, key=lambda value: value["from"])).get("to", "9999"):
            return last
    raise LookupError(region.code)


# What one of a unit is in grams, metres, kilowatt-hours, litres, uses: written down here, not taken from the engine.
SCALES = {
    "gCO2e/pkm": Fraction(1, 1000), "kgCO2e/pkm": Fraction(1), "gCO2e/vkm": Fraction(1, 1000), "vkm/pkm": Fraction(1),
    "kgCO2e/kg": Fraction(1), "kgCO2e/t": Fraction(1, 1000), "kgCO2e/piece": Fraction(1000),
    "gCO2e/use": Fraction(1), "kgCO2e/use": Fraction(1000), "kgCO2/kWh": Fraction(1000), "kgCO2e/m3": Fraction(1),
    "1": Fraction(1), "pm": Fraction(1), "g": Fraction(1), "use": Fraction(1), "step": Fraction(1), "l": Fraction(1),
    "Wh": Fraction(1, 1000),
    "gCO2/pkm": Fraction(1, 1000), "gCO2/trip": Fraction(1), "gCO2/use": Fraction(1), "gCO2/step": Fraction(1),
    "gCO2/kg": Fraction(1, 1000), "gCO2/kWh": Fraction(1),
}  # fmt: skip


def amounts(document: Mapping[str, Any], facts: Mapping[str, int | str]) -> dict[str, Fraction]:
    units_of = {fact["name"]: fact["unit"] for fact in document["facts"] if fact["kind"] == "integer"}
    return {name: int(facts[name]) * SCALES[unit] for name, unit in units_of.items()}


def grams_by_pack_json(pack: Pack, region: Region, facts: Mapping[str, int | str], on: date) -> Fraction:
    """The reduction by nothing but the published pack.json and fractions; of an interval the least of its ends."""
    document = standard.pack_json(pack)
    choices: dict[str, list[Fraction]] = {}
    for name, table in document.get("bindings", {}).items():
        factor = document["factors"][table.get("") or table[facts[pack.selector]]]
        value = in_force(factor["values"], region, on)
        ends = [value["uncertainty"][end] for end in ("low", "high")] if "uncertainty" in value else [value["value"]]
        choices[name] = [Fraction(end) / Fraction(value["per"]) * SCALES[factor["unit"]] for end in ends]
    results = {}
    for function in ast.parse(document["formula"]).body:
        if isinstance(function, ast.FunctionDef):
            [answer] = [node for node in function.body if isinstance(node, ast.Return)]
            assert answer.value is not None
            tried = [dict(zip(choices, numbers, strict=True)) for numbers in itertools.product(*choices.values())]
            found = [evaluate(answer.value, amounts(document, facts) | numbers) for numbers in tried]
            results[function.name] = min(found) if function.name == "baseline_g" else max(found)
    return results["baseline_g"] - results["project_g"] - results["leakage_g"]


def credited_percent(pack: Pack, on: date, evidence: str) -> int:
    [rules] = standard.pack_json(pack)["rules"]  # has not changed so far
    assert rules["from"] <= on.isoformat()
    assert rules["conservative_bound"] is True
    return int(rules["evidence_percent"][evidence])


Deed = tuple[Pack, Region, dict[str, int | str], date, str]


@st.composite
def deeds(draw: st.DrawFn) -> Deed:
    pack = draw(st.sampled_from(STANDARD.packs))
    facts: dict[str, int | str] = {}
    for fact in pack.facts:
        if fact.kind == "choice":
            facts[fact.name] = draw(st.sampled_from(sorted(fact.values)))
        else:
            facts[fact.name] = draw(st.integers(fact.minimum or 0, fact.maximum or 10**9))
    return pack, draw(REGIONS), facts, draw(DAYS), draw(st.sampled_from(EVIDENCE_TIERS))


@given(deeds())
def test_pack_json_alone_gives_the_same_milligram(deed: Deed) -> None:
    pack, region, facts, on, evidence = deed
    measured = quantification.measure(STANDARD, *deed)
    grams = grams_by_pack_json(pack, region, facts, on)
    percent = credited_percent(pack, on, evidence) if grams > 0 else 100
    assert measured.reduction_mg == math.floor(grams * 10 * percent)
    assert Fraction(measured.lines[-1].value) / measured.lines[-1].per == grams
    parts = [Fraction(line.value) / line.per for line in measured.lines[:-1]]
    assert parts[0] - parts[1] - parts[2] == grams


@given(deeds(), st.integers(1, 1000))
def test_doing_more_of_what_reduces_never_measures_less(deed: Deed, more: int) -> None:
    pack, region, facts, on, evidence = deed
    [amount] = [fact.name for fact in pack.facts if fact.kind == "integer"]
    one = quantification.measure(STANDARD, pack, region, facts, on, evidence)
    two = quantification.measure(STANDARD, pack, region, facts | {amount: int(facts[amount]) + more}, on, evidence)
    if one.reduction_mg > 0 or pack.points_only:
        assert two.reduction_mg >= one.reduction_mg
        assert two.points_micro >= one.points_micro
    elif one.reduction_mg < 0:
        assert two.reduction_mg < one.reduction_mg


@given(deeds())
def test_stronger_evidence_never_measures_less(deed: Deed) -> None:
    pack, region, facts, on, _ = deed
    order, *weaker = (quantification.measure(STANDARD, pack, region, facts, on, tier) for tier in EVIDENCE_TIERS)
    for one in weaker:
        assert one.lines == order.lines
        assert one.reduction_mg <= order.reduction_mg
        assert one.points_micro <= order.points_micro
        assert one.reduction_mg == order.reduction_mg or order.reduction_mg > 0


@given(deeds())
def test_nothing_earns_points_that_reduces_nothing(deed: Deed) -> None:
    """But for packs that claim no reduction, and pay by a tariff or not at all."""
    measured = quantification.measure(STANDARD, *deed)
    assert measured.points_micro >= 0
    if deed[0].points_only:
        assert measured.reduction_mg == 0
    else:
        assert (measured.points_micro == 0) or measured.reduction_mg > 0
    if not measured.tariff_id:
        assert measured.points_micro == max(measured.reduction_mg, 0) * 1000


@given(deeds())
def test_a_tariff_pays_its_grams_and_the_share_of_the_evidence(deed: Deed) -> None:
    pack, region, facts, on, evidence = deed
    measured = quantification.measure(STANDARD, *deed)
    rates = [one.document for one in STANDARD.tariffs if one.pack_code == pack.code]
    try:
        tariff = in_force([dict(rate) for rate in rates], region, on)
    except LookupError:
        assert measured.tariff_id == ""
        return
    assert measured.tariff_id == tariff["id"]
    [amount] = amounts(standard.pack_json(pack), facts).values()
    rate = Fraction(tariff["value"]) / Fraction(tariff.get("per", "1")) * SCALES[tariff["unit"]]
    grams = rate * (1 if tariff["unit"].endswith("/trip") else amount)
    earns = pack.points_only or measured.reduction_mg > 0
    assert measured.points_micro == math.floor(grams * 10_000 * credited_percent(pack, on, evidence) if earns else 0)


# --- any formula, not only ours ---

FACTS = {"a": PLAIN, "b": units.parse("1")}
NUMBERS = {"f": Fraction(5, 3), "g": Fraction(-7, 11), "h": Fraction(239, 1000)}


def formulas() -> st.SearchStrategy[str]:
    constants = st.one_of(st.integers(0, 99).map(str), st.decimals(0, 9, places=3).map(lambda number: f"'{number}'"))
    leaves = st.one_of(st.sampled_from([*FACTS, *NUMBERS]), constants)
    divisors = st.sampled_from([*NUMBERS, "7", "'0.3'"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            st.tuples(inner, divisors).map(lambda p: f"({p[0]} / {p[1]})"),
            inner.map(lambda one: f"(-{one})"),
            st.tuples(inner, inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner, inner).map(
                lambda p: f"({p[0]} if {p[1]} {p[2]} {p[3]} else {p[4]})"
            ),
        )

    return st.recursive(leaves, grow, max_leaves=12)


def method(baseline: str, project: str = "0") -> Method:
    names = ", ".join([*FACTS, *NUMBERS])
    text = f"def baseline_g({names}):\n    return {baseline}\n\n\ndef project_g({names}):\n    return {project}\n\n\n"
    text += "def leakage_g():\n    return 0\n"
    return Method(
        functions=formula.read(text),
        result=(),
        in_force=(date(2024, 1, 1), date.max),
        facts=FACTS,
        factors={name: {"": [Value("CN", date.min, None, number, PLAIN, name)]} for name, number in NUMBERS.items()},
        caps=[],
        tariffs=[],
        rates=[Value("CN", date.min, None, Fraction(1_000_000), units.parse("g"), "points")],
    )


@given(formulas(), formulas(), st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_any_formula_is_measured_as_fractions_would(baseline: str, project: str, a: int, b: int) -> None:
    plan = quantification.build(method(baseline, project), ("CN",), "", date(2024, 1, 1))
    names = {**NUMBERS, "a": Fraction(a), "b": Fraction(b)}
    grams = [evaluate(ast.parse(text, mode="eval").body, names) for text in (baseline, project)]
    *_, reduction_mg, points_micro = plan.run({"a": a, "b": b})
    assert reduction_mg == math.floor((grams[0] - grams[1]) * 1000)
    assert points_micro == max(reduction_mg, 0) * 1000


def measured(baseline: str, **facts: int) -> int:
    return quantification.build(method(baseline), ("CN",), "", date(2024, 1, 1)).run({"a": 0, "b": 0, **facts})[4]


def test_a_part_of_a_milligram_is_rounded_down_also_below_zero() -> None:
    assert measured("a * '0.0019'", a=1) == 1
    assert measured("-a * '0.0001'", a=1) == -1
    assert measured("-a * '0.0010'", a=1) == -1
    assert measured("-a * '0.0011'", a=1) == -2
    assert measured("a * '0.0001'", a=9) == 0


def test_thirds_are_rounded_once_and_not_before() -> None:
    assert measured("a / 3 + b / 3", a=1, b=2) == 1000
    assert measured("a / 3 * 3", a=1) == 1000


# --- values by region and time ---


def value(region: str, from_on: date, number: str, to_on: date | None = None) -> Value:
    return Value(region, from_on, to_on, Fraction(number), PLAIN, f"{region} {from_on}")


def test_the_nearest_region_with_a_value_counts() -> None:
    start = date(2024, 1, 1)
    values = [value("CN", start, "1"), value("440000", start, "2"), value("440300", date(2025, 1, 1), "3")]
    shenzhen = quantification.chain(Region("440300", "", "", "440000", standard.NATION.timezone))
    assert shenzhen == ("440300", "440000", "CN")
    found = [quantification.in_force(values, shenzhen, day) for day in (start, date(2025, 1, 1))]
    assert [one.number for one in found if one] == [2, 3]
    assert quantification.in_force(values, ("CN",), start - timedelta(days=1)) is None


@given(deeds(), st.integers(-400, 400))
def test_a_plan_serves_exactly_the_days_on_which_nothing_changes(deed: Deed, days: int) -> None:
    pack, region, facts, on, evidence = deed
    choice = str(facts[pack.selector]) if pack.selector else ""
    plan = STANDARD.plan(pack, region, choice, on, evidence)
    other = max(on + timedelta(days=days), date(2024, 1, 1))
    assert (STANDARD.plan(pack, region, choice, other, evidence) is plan) == (plan.from_on <= other < plan.to_on)


def test_a_day_before_any_factor_and_an_unknown_choice_are_told() -> None:
    pack = STANDARD.pack("recycling.v1", date(2024, 6, 1))
    assert pack
    shanghai = STANDARD.regions["310000"]
    with pytest.raises(LookupError, match="no value on 1999-01-01"):
        quantification.measure(STANDARD, pack, shanghai, {"material": "PET", "mass_g": 1}, date(1999, 1, 1))
    with pytest.raises(LookupError):
        quantification.measure(STANDARD, pack, shanghai, {"material": "URANIUM", "mass_g": 1}, date(2024, 6, 1))


def metro(region: str, on: date, distance_m: int = 1000) -> Measurement:
    pack = STANDARD.pack("metro.v1", on)
    assert pack
    return quantification.measure(STANDARD, pack, STANDARD.regions[region], {"distance_m": distance_m}, on)


def test_a_cleaner_grid_makes_a_metro_ride_reduce_more() -> None:
    on = date(2026, 3, 1)
    assert metro("530100", on).reduction_mg > metro("420100", on).reduction_mg > metro("310000", on).reduction_mg
    assert metro("540100", on).reduction_mg == 56960  # Tibet has no official value: the nation's


def test_the_nations_value_can_stand_beside_the_regions() -> None:
    on = date(2026, 3, 1)
    pack = STANDARD.pack("metro.v1", on)
    assert pack
    assert quantification.measure(STANDARD, pack, STANDARD.nation, {"distance_m": 1000}, on).reduction_mg == 56960


def test_a_local_tariff_sets_points_and_never_the_reduction() -> None:
    early, late = metro("420100", date(2025, 7, 31)), metro("420100", date(2025, 8, 1))
    assert early.reduction_mg == late.reduction_mg
    assert (early.tariff_id, early.points_micro) == ("WH.METRO.2024", 170_000_000)  # by the trip
    assert (late.tariff_id, late.points_micro) == ("WH.METRO.2025", 78_400_000)  # by the kilometre
    assert metro("420600", date(2025, 8, 1)).tariff_id == "HB.METRO.PROOF.2022"  # Xiangyang is in Hubei, not in Wuhan
    assert metro("430100", date(2025, 8, 1)).tariff_id == ""


def test_the_factors_behind_a_measurement_are_named() -> None:
    assert metro("420100", date(2024, 6, 1)).factor_ids == ("CN.TAXI.AVG", "CN.METRO.ACTUAL", "CN.GRID.AVG.2022.湖北")


def test_the_days_cap_goes_with_the_measurement() -> None:
    assert metro("420100", date(2024, 6, 1)).daily_cap_mg == 7_000_000


# --- what a formula may not do ---


def build(text: str) -> quantification.Plan:
    functions = formula.read(text)
    return quantification.build(dataclasses.replace(method("0"), functions=functions), ("CN",), "", date(2024, 1, 1))


LEAK = "\n\ndef leakage_g():\n    return 0\n"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("return a * 0.5", "formula_float"),
        ("return a * 1e3", "formula_float"),
        ("return a * 'half'", "formula_decimal"),
        ("return a * True", "formula_forbidden"),
        ("return a ** 2", "formula_forbidden"),
        ("return a % 2", "formula_forbidden"),
        ("return a // 2", "formula_forbidden"),
        ("return abs(a)", "formula_forbidden"),
        ("return __import__('os')", "formula_forbidden"),
        ("return a.real", "formula_forbidden"),
        ("return a.__class__", "formula_forbidden"),
        ("return [a][0]", "formula_forbidden"),
        ("return (lambda: a)()", "formula_forbidden"),
        ("return (b := a)", "formula_forbidden"),
        ("return sum(x for x in [a])", "formula_forbidden"),
        ("return a if 0 < a < 5 else 0", "formula_forbidden"),
        ("return a if a in b else 0", "formula_forbidden"),
        ("return f'{a}'", "formula_forbidden"),
        ("return print", "formula_name"),
        ("return surprise", "formula_name"),
        ("return f / a", "formula_division"),
        ("return a / 0", "formula_division"),
        ("for x in a:\n        pass\n    return a", "formula_forbidden"),
        ("while a:\n        pass\n    return a", "formula_forbidden"),
        ("import os\n    return a", "formula_forbidden"),
        ("global a\n    return a", "formula_forbidden"),
        ("a = 1\n    return a", "formula_forbidden"),
        ("c = a * 2\n    return c\n    return a", "formula_forbidden"),
        ("c = a * 2", "formula_return"),
        ("return", "formula_forbidden"),
    ],
)
def test_what_is_not_arithmetic_is_refused_and_never_run(body: str, code: str) -> None:
    text = f"def baseline_g(a, b, f):\n    {body}\n\n\ndef project_g():\n    return 0\n{LEAK}"
    with pytest.raises(formula.FormulaError) as caught:
        build(text)
    assert caught.value.code == code
    assert caught.value.line >= 2 or code == "formula_return"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def baseline_g(:", "formula_syntax"),
        ("import os\n", "formula_function"),
        ("x = 1\n", "formula_function"),
        ("def surprise():\n    return 0\n", "formula_function"),
        ("class baseline_g:\n    pass\n", "formula_function"),
        ("def baseline_g():\n    return 0\n" * 2, "formula_function"),
        ("def baseline_g(a=print()):\n    return 0\n", "formula_arguments"),
        ("def baseline_g(*a):\n    return 0\n", "formula_arguments"),
        ("def baseline_g(a: print()):\n    return 0\n", "formula_arguments"),
        ("@print\ndef baseline_g(a):\n    return 0\n", "formula_arguments"),
        ("def baseline_g(a):\n    return 0\n", "formula_missing"),
    ],
)
def test_a_formula_file_is_three_plain_functions(text: str, code: str) -> None:
    with pytest.raises(formula.FormulaError) as caught:
        formula.read(text)
    assert caught.value.code == code


def test_assignments_and_comments_help_to_read_a_formula() -> None:
    text = '"""What it is."""\n\n\ndef baseline_g(a, f):\n    "Why."\n    # twice\n    c = a * 2\n    return c * f\n'
    plan = build(f"{text}\n\ndef project_g():\n    return 0\n{LEAK}")
    assert plan.run({"a": 3, "b": 0})[4] == 10_000  # 3 x 2 x 5/3 grams
