"""Measuring: a pack's formula with its factors, turned into one exact integer calculation per region and time.

What is left per deed are a few integer multiplications (see `rules/formula.py`). Nothing is ever rounded but once, at
the end, towards minus infinity. The share of an evidence tier and the conservative end of an uncertain number are part
of the same calculation.
"""

from __future__ import annotations

import ast
import decimal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, Protocol

from rules import formula, units
from rules.formula import RESULTS, FormulaError, Term
from rules.model import Line, Measurement, Pack, Region, Rules

NATION = "CN"

_EXACT = decimal.Context(prec=400, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow])


class Outdated(LookupError):
    """A factor whose review is overdue beyond the days of grace: nothing is credited by it any more."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number in force in a region from a day until the day before `to_on` (None: until further notice).

    low, high: the interval its source gives, if any. review_by: the day by which somebody should have looked again.
    """

    region: str
    from_on: date
    to_on: date | None
    number: Fraction
    unit: units.Unit
    value_id: str
    low: Fraction | None = None
    high: Fraction | None = None
    review_by: date | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """What plans of one pack version are built from.

    functions: those of RESULTS, in that order. result: the dimension a reduction must have while the pack is in force.
    facts: the integer facts' units. factors: name in the formula -> choice ('' when there is none) -> dated values.
    caps, point_caps: milligrams and points a person and day. tariffs: local rates that set points only.
    rates: millionths of a point per gram. rules: the standard's own, by the day they begin; the first also before it.
    """

    functions: tuple[ast.FunctionDef, ...]
    result: units.Dimension
    in_force: tuple[date, date]
    facts: Mapping[str, units.Unit]
    factors: Mapping[str, Mapping[str, Sequence[Value]]]
    caps: Sequence[Value]
    tariffs: Sequence[Value]
    rates: Sequence[Value]
    point_caps: Sequence[Value] = ()
    points_only: bool = False
    rules: Sequence[Rules] = field(default_factory=lambda: (Rules(),))

    def rules_on(self, on: date) -> Rules:
        """The standard's own rules for deeds begun on a day."""
        return next((one for one in reversed(self.rules) if one.from_on <= on), self.rules[0])

    def days_of_change(self) -> list[date]:
        """Every day on which some number of the pack changes, anywhere, or becomes too old."""
        days = {day for value in self.values() for day in (value.from_on, value.to_on) if day}
        days |= {one.from_on for one in self.rules}
        reviews = {value.review_by for value in self.values() if value.review_by}
        days |= {day + timedelta(days=late + 1) for day in reviews for late in (0, *(r.grace_days for r in self.rules))}
        return sorted(days)

    def values(self) -> Iterable[Value]:
        """Every dated number of the pack."""
        for choices in self.factors.values():
            for values in choices.values():
                yield from values
        yield from (*self.caps, *self.point_caps, *self.tariffs, *self.rates)


class Plan(NamedTuple):
    """The calculation of one pack in one region for deeds begun in [from_on, to_on), believed by one evidence tier.

    run: facts -> numerators of baseline, project, leakage and reduction in grams, then reduction_mg and points_micro.
    shapes: of those four numerators, (multiple, places, per): value = numerator * multiple / 10^places / per.
    overdue: the numbers in it whose review is due.
    """

    from_on: date
    to_on: date
    run: Callable[[Mapping[str, int | str]], tuple[int, int, int, int, int, int]]
    shapes: tuple[tuple[int, int, int], ...]
    daily_cap_mg: int | None
    daily_points: int | None
    factor_ids: tuple[str, ...]
    tariff_id: str
    overdue: tuple[str, ...]


class Plans(Protocol):
    """Whoever keeps the plans: the standard."""

    def plan(self, pack: Pack, region: Region, choice: str, on: date, evidence: str) -> Plan: ...


def measure(
    standard: Plans, pack: Pack, region: Region, facts: Mapping[str, int | str], on: date, evidence: str = "order"
) -> Measurement:
    """What a deed begun on the civil day `on` is worth under a pack, in a region; facts as the pack declares them.

    The facts must have been found eligible: a missing one raises KeyError, an unknown choice or a day before any factor
    was in force LookupError, a factor too long past its review Outdated.
    """
    plan = standard.plan(pack, region, str(facts[pack.selector]) if pack.selector else "", on, evidence)
    *numerators, reduction_mg, points_micro = plan.run(facts)
    lines = tuple(map(_line, _LINE_NAMES, numerators, plan.shapes))
    return Measurement(
        reduction_mg, points_micro, plan.daily_cap_mg, lines, plan.factor_ids, plan.tariff_id, plan.daily_points,
        plan.overdue,
    )  # fmt: skip


_LINE_NAMES = (*RESULTS, "reduction_g")


def _line(name: str, numerator: int, shape: tuple[int, int, int]) -> Line:
    multiple, places, per = shape
    value = numerator * multiple
    if per != 1 and value % per == 0:
        value, per = value // per, 1
    return Line(name, Decimal(value).scaleb(-places, _EXACT), "gCO2e", per)


def _shape(denominator: int) -> tuple[int, int, int]:
    """denominator * multiple = 10^places * per, with `per` free of twos and fives."""
    per, places, multiple = denominator, 0, 1
    while per % 10 == 0 or per % 2 == 0 or per % 5 == 0:
        prime = 10 if per % 10 == 0 else 2 if per % 2 == 0 else 5
        per, places, multiple = per // prime, places + 1, multiple * (10 // prime)
    return multiple, places, per


def in_force(values: Iterable[Value], regions: Sequence[str], on: date) -> Value | None:
    """The value of the nearest region (prefecture, province, nation) that has one on that day."""
    for region in regions:
        for value in values:
            if value.region == region and value.from_on <= on and (value.to_on is None or on < value.to_on):
                return value
    return None


def chain(region: Region) -> tuple[str, ...]:
    """Where numbers of a region are looked for: itself, its province, the grid that serves it, the nation."""
    return tuple(dict.fromkeys(code for code in (region.code, region.parent, region.grid, NATION) if code))


# --- building plans -------------------------------------------------------------------------------------------------


def build(method: Method, regions: Sequence[str], choice: str, on: date, evidence: str = "order") -> Plan:
    """The plan of a pack for deeds begun on a day, in the nearest of the regions, for one choice ('' when none is).

    Raises LookupError when a factor is not in force on that day or the choice is unknown, Outdated when one is too old,
    FormulaError for a mistake in the formula, among them numbers of two units, gas bases or boundaries added together.
    """
    rules = method.rules_on(on)
    used = {name: _in_force(name, choices, choice, regions, on) for name, choices in method.factors.items()}
    for value in used.values():
        if value.review_by and (on - value.review_by).days > rules.grace_days:
            raise Outdated(value.value_id)
    terms = [formula.call(f, _names(method, f, used, rules)) for f in method.functions]
    where = method.functions[0]
    reduction = formula.add(_at(where), formula.add(_at(where), terms[0], terms[1], "-"), terms[2], "-")
    fits = reduction.dimension in (None, method.result)  # None: nothing but zeros, which are zero in any unit
    if not fits and method.in_force[0] <= on < method.in_force[1]:
        wrong, right = units.readable(reduction.dimension or ()), units.readable(method.result)
        raise FormulaError(where.lineno, "formula_result", left=wrong, right=right)
    caps = [in_force(values, regions, on) for values in (method.caps, method.point_caps)]
    tariff = in_force(method.tariffs, regions, on)
    rate = in_force(method.rates, regions, on)
    if rate is None:
        raise LookupError(f"points have no rate on {on}")
    percent = rules.percent[evidence]
    points = _points(method, tariff, rate.number, percent)
    days = method.days_of_change()
    return Plan(
        from_on=max((day for day in days if day <= on), default=date.min),
        to_on=min((day for day in days if day > on), default=date.max),
        run=_compile(method.facts, (*terms, reduction), points, percent, method.points_only),
        shapes=tuple(_shape(term.denominator) for term in (*terms, reduction)),
        daily_cap_mg=int(caps[0].number) if caps[0] else None,
        daily_points=int(caps[1].number) if caps[1] else None,
        factor_ids=tuple(dict.fromkeys(value.value_id for value in used.values())),
        tariff_id=tariff.value_id if tariff else "",
        overdue=tuple(dict.fromkeys(v.value_id for v in used.values() if v.review_by and v.review_by < on)),
    )


def _in_force(
    name: str, choices: Mapping[str, Sequence[Value]], choice: str, regions: Sequence[str], on: date
) -> Value:
    value = in_force(choices.get("") or choices[choice], regions, on)
    if value is None:
        raise LookupError(f"{name} has no value on {on} in {'/'.join(regions)}")
    return value


def _names(method: Method, function: ast.FunctionDef, used: Mapping[str, Value], rules: Rules) -> dict[str, Term]:
    """What the names in a function stand for: facts in base units, factors as one function must take them."""
    names = {
        n: formula.product(Term(n, 1, fact.dimension), formula.known(fact.scale)) for n, fact in method.facts.items()
    }
    for name, value in used.items():
        number = chosen(value, rules, function, name)[1]
        names[name] = formula.known(number * value.unit.scale, value.unit.dimension)
    return names


def chosen(value: Value, rules: Rules, function: ast.FunctionDef, name: str) -> tuple[str, Fraction]:
    """'value', 'low' or 'high', and that number: of an uncertain one the end that makes the reduction smaller."""
    if value.low is None or value.high is None or not rules.conservative:
        return "value", value.number
    raises = formula.sign_of(function, name) * (1 if function.name == RESULTS[0] else -1)
    return {1: ("low", value.low), -1: ("high", value.high)}.get(raises, ("value", value.number))


def _at(node: ast.FunctionDef) -> ast.expr:
    return ast.copy_location(ast.Name("baseline_g - project_g - leakage_g"), node)


def _points(method: Method, tariff: Value | None, micro_per_g: Fraction, percent: int) -> Term:
    """Millionths of a point: of the reduction, or by a local tariff of the distance, mass, count or trip."""
    if tariff is None:
        return formula.product(Term("reduction_mg", 1000, ()), formula.known(micro_per_g))
    quantity = tariff_quantity(tariff.unit, method.facts)
    rate = formula.known(tariff.number * tariff.unit.scale * micro_per_g * Fraction(percent, 100))
    if not quantity:
        return rate
    return formula.product(Term(quantity, 1, ()), formula.product(rate, formula.known(method.facts[quantity].scale)))


def tariff_quantity(unit: units.Unit, facts: Mapping[str, units.Unit]) -> str:
    """The fact a tariff is paid for, '' for one paid by the trip. Raises LookupError when no fact fits its unit."""
    per = tuple((name, -power) for name, power in unit.dimension if not name.startswith("emission "))
    if per == units.parse("trip").dimension:
        return ""
    for name, fact in facts.items():
        if fact.dimension == per:
            return name
    raise LookupError(unit.text)


def _compile(
    facts: Mapping[str, units.Unit], terms: Sequence[Term], points: Term, percent: int, points_only: bool
) -> Callable[[Mapping[str, int | str]], tuple[int, int, int, int, int, int]]:
    """The plan's function. Its text holds nothing but integers, operators and names of facts: all written by us."""
    reduction = terms[-1]
    lines = [f"    {name} = facts[{name!r}]" for name in facts]
    lines += [f"    {name} = {term.numerator}" for name, term in zip(_LINE_NAMES, terms, strict=True)]
    # The one rounding of a reduction: Python's // is towards minus infinity. Points are counted from there.
    lines.append(f"    reduction_mg = reduction_g*1000//{reduction.denominator}")
    if percent != 100:  # weaker evidence counts for less, never what emits more
        lines.append(
            f"    if reduction_g > 0: reduction_mg = reduction_g*{1000 * percent}//{reduction.denominator * 100}"
        )
    earned = f"({points.numerator})//{points.denominator}"
    lines.append(f"    points = {earned}" if points_only else f"    points = {earned} if reduction_mg > 0 else 0")
    lines.append(f"    return {', '.join(_LINE_NAMES)}, reduction_mg, points")
    space: dict[str, Callable[[Mapping[str, int | str]], tuple[int, int, int, int, int, int]]] = {}
    exec(compile("def run(facts):\n" + "\n".join(lines), "<plan>", "exec"), {"__builtins__": {}}, space)
    return space["run"]
