"""Measuring: a pack's formula with its factors, turned into one exact integer calculation per region and time.

A formula is text that is never executed as it stands. It is read as a syntax tree; whatever is not a name, an integer
or a decimal in quotes, arithmetic, a comparison or a conditional expression is refused. The tree is then written out
anew over integers: every number is a fraction, so additions are brought to common denominators when the plan is built,
and what is left per deed are a few integer multiplications. Nothing is ever rounded but once, at the end, towards minus
infinity.
"""

from __future__ import annotations

import ast
import decimal
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, Protocol

from rules import reading, units
from rules.model import Line, Measurement, Pack, Region

NATION = "CN"
RESULTS = ("baseline_g", "project_g", "leakage_g")  # the functions a formula consists of; each answers grams

_EXACT = decimal.Context(prec=400, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow])


class FormulaError(ValueError):
    """A mistake in a formula: its line in the file, a code of `standard.MISTAKES` and that text's fields."""

    def __init__(self, line: int, code: str, **fields: str) -> None:
        super().__init__(code, fields)
        self.line, self.code, self.fields = line, code, fields


@dataclass(frozen=True, slots=True)
class Value:
    """A number in force in a region from a day until the day before `to_on` (None: until further notice)."""

    region: str
    from_on: date
    to_on: date | None
    number: Fraction
    unit: units.Unit
    value_id: str


@dataclass(frozen=True, slots=True)
class Method:
    """What plans of one pack version are built from.

    functions: those of RESULTS, in that order. result: the dimension a reduction must have while the pack is in force.
    facts: the integer facts' units. factors: name in the formula -> choice ('' when there is none) -> dated values.
    caps: milligrams a person and day. tariffs: local rates that set points only. rates: millionths of a point per gram.
    """

    functions: tuple[ast.FunctionDef, ...]
    result: units.Dimension
    in_force: tuple[date, date]
    facts: Mapping[str, units.Unit]
    factors: Mapping[str, Mapping[str, Sequence[Value]]]
    caps: Sequence[Value]
    tariffs: Sequence[Value]
    rates: Sequence[Value]

    def days_of_change(self) -> list[date]:
        """Every day on which some number of the pack changes, anywhere."""
        return sorted({day for value in self.values() for day in (value.from_on, value.to_on) if day})

    def values(self) -> Iterable[Value]:
        """Every dated number of the pack."""
        for choices in self.factors.values():
            for values in choices.values():
                yield from values
        yield from (*self.caps, *self.tariffs, *self.rates)


class Plan(NamedTuple):
    """The calculation of one pack in one region for deeds begun in [from_on, to_on).

    run: facts -> numerators of baseline, project, leakage and reduction in grams, then reduction_mg and points_micro.
    shapes: of those four numerators, (multiple, places, per): value = numerator * multiple / 10^places / per.
    """

    from_on: date
    to_on: date
    run: Callable[[Mapping[str, int | str]], tuple[int, int, int, int, int, int]]
    shapes: tuple[tuple[int, int, int], ...]
    daily_cap_mg: int | None
    factor_ids: tuple[str, ...]
    tariff_id: str


class Plans(Protocol):
    """Whoever keeps the plans: the standard."""

    def plan(self, pack: Pack, region: Region, choice: str, on: date) -> Plan: ...


def measure(standard: Plans, pack: Pack, region: Region, facts: Mapping[str, int | str], on: date) -> Measurement:
    """What a deed begun on the civil day `on` is worth under a pack, in a region; facts as the pack declares them.

    The facts must have been found eligible: a missing one raises KeyError, an unknown choice or a day before any factor
    was in force LookupError.
    """
    plan = standard.plan(pack, region, str(facts[pack.selector]) if pack.selector else "", on)
    *numerators, reduction_mg, points_micro = plan.run(facts)
    lines = tuple(map(_line, _LINE_NAMES, numerators, plan.shapes))
    return Measurement(reduction_mg, points_micro, plan.daily_cap_mg, lines, plan.factor_ids, plan.tariff_id)


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
    """Where numbers of a region are looked for: itself, its province, the nation."""
    return tuple(dict.fromkeys(code for code in (region.code, region.parent, NATION) if code))


# --- reading formulas -----------------------------------------------------------------------------------------------


def read_formula(text: str) -> tuple[ast.FunctionDef, ...]:
    """The three functions of a formula file, in the order of RESULTS. Raises FormulaError."""
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        raise FormulaError(error.lineno or 1, "formula_syntax", what=error.msg) from None
    found: dict[str, ast.FunctionDef] = {}
    for position, node in enumerate(module.body):
        if position == 0 and _is_text(node):
            continue
        if not isinstance(node, ast.FunctionDef) or node.name not in RESULTS or node.name in found:
            raise FormulaError(node.lineno, "formula_function", what=_name(node), known=", ".join(RESULTS))
        plain = ast.arguments([], [ast.arg(a.arg) for a in node.args.args], None, [], [], None, [])
        if ast.dump(node.args) != ast.dump(plain) or node.decorator_list or node.returns:
            raise FormulaError(node.lineno, "formula_arguments", what=node.name)
        found[node.name] = node
    for name in RESULTS:
        if name not in found:
            raise FormulaError(1, "formula_missing", what=name)
    return tuple(found[name] for name in RESULTS)


def arguments(function: ast.FunctionDef) -> tuple[str, ...]:
    """The facts and factors a function asks for."""
    return tuple(argument.arg for argument in function.args.args)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _name(node: ast.AST) -> str:
    return str(getattr(node, "name", "") or type(node).__name__.lower())


class _Term(NamedTuple):
    """A number: an integer, or the text of an integer expression, over a positive integer; and its dimension.

    The dimension None is that of a literal 0: it fits any other.
    """

    numerator: int | str
    denominator: int
    dimension: units.Dimension | None


def _known(value: Fraction, dimension: units.Dimension | None = ()) -> _Term:
    return _Term(value.numerator, value.denominator, dimension)


def _times(text: int | str, factor: int) -> int | str:
    if isinstance(text, int):
        return text * factor
    return text if factor == 1 else f"({text}*{factor})"


def _translate(node: ast.expr, names: Mapping[str, _Term]) -> _Term:
    """One expression over integers. This is the whitelist: what has no case here cannot be in a formula."""
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return _known(Fraction(value), () if value else None)
        case ast.Constant(value=str() as text):
            number = reading.decimal(text)
            if number is None:
                raise FormulaError(node.lineno, "formula_decimal", what=text)
            return _known(number)
        case ast.Constant(value=float() as number):
            raise FormulaError(node.lineno, "formula_float", what=repr(number))
        case ast.Name(id=name):
            if name not in names:
                raise FormulaError(node.lineno, "formula_name", what=name, known=", ".join(sorted(names)))
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            term = _translate(operand, names)
            return term._replace(numerator=_times(term.numerator, -1))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            return _sum(
                node, _translate(left, names), _translate(right, names), "+" if isinstance(op, ast.Add) else "-"
            )
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _product(_translate(left, names), _translate(right, names))
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _quotient(node, _translate(left, names), _translate(right, names))
        case ast.IfExp(test=ast.Compare(left=left, ops=[op], comparators=[right]), body=body, orelse=orelse):
            return _choice(node, names, (left, op, right), body, orelse)
    raise FormulaError(getattr(node, "lineno", 1), "formula_forbidden", what=ast.unparse(node))


def _common(node: ast.expr, left: _Term, right: _Term) -> tuple[int | str, int | str, int, units.Dimension | None]:
    """Both numerators over one denominator. Raises FormulaError when the dimensions differ."""
    if None not in (left.dimension, right.dimension) and left.dimension != right.dimension:
        readable = [units.readable(term.dimension or ()) for term in (left, right)]
        raise FormulaError(node.lineno, "formula_units", what=ast.unparse(node), left=readable[0], right=readable[1])
    denominator = math.lcm(left.denominator, right.denominator)
    scaled = [_times(term.numerator, denominator // term.denominator) for term in (left, right)]
    return scaled[0], scaled[1], denominator, right.dimension if left.dimension is None else left.dimension


def _sum(node: ast.expr, left: _Term, right: _Term, sign: str) -> _Term:
    one, two, denominator, dimension = _common(node, left, right)
    if isinstance(one, int) and isinstance(two, int):
        return _known(Fraction(one + two if sign == "+" else one - two, denominator), dimension)
    return _Term(f"({one}{sign}({two}))", denominator, dimension)


def _product(left: _Term, right: _Term) -> _Term:
    dimension = units.multiply(left.dimension or (), right.dimension or ())
    if isinstance(right.numerator, int):
        left, right = right, left
    if isinstance(left.numerator, int):  # a known number times anything: in lowest terms
        known = Fraction(left.numerator, left.denominator * right.denominator)
        return _Term(_times(right.numerator, known.numerator), known.denominator, dimension)
    return _Term(f"({left.numerator}*{right.numerator})", left.denominator * right.denominator, dimension)


def _quotient(node: ast.expr, left: _Term, right: _Term) -> _Term:
    if not isinstance(right.numerator, int) or right.numerator == 0:
        raise FormulaError(node.lineno, "formula_division", what=ast.unparse(node))
    inverse = _known(1 / Fraction(right.numerator, right.denominator), ())
    dimension = units.multiply(left.dimension or (), right.dimension or (), -1)
    return _product(left, inverse)._replace(dimension=dimension)


_COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[int, int], bool]]] = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
}


def _choice(
    node: ast.IfExp,
    names: Mapping[str, _Term],
    test: tuple[ast.expr, ast.cmpop, ast.expr],
    body: ast.expr,
    orelse: ast.expr,
) -> _Term:
    left, op, right = test
    if type(op) not in _COMPARISONS:
        raise FormulaError(node.lineno, "formula_forbidden", what=ast.unparse(node.test))
    one, two, _, _ = _common(node.test, _translate(left, names), _translate(right, names))
    yes, no, denominator, dimension = _common(node, _translate(body, names), _translate(orelse, names))
    if isinstance(one, int) and isinstance(two, int):
        return _Term(yes if _COMPARISONS[type(op)][1](one, two) else no, denominator, dimension)
    return _Term(f"({yes} if {one}{_COMPARISONS[type(op)][0]}{two} else {no})", denominator, dimension)


def _call(function: ast.FunctionDef, names: Mapping[str, _Term]) -> _Term:
    """A function's answer: assignments to new names, then one return."""
    local = {}
    for name in arguments(function):
        if name not in names:
            raise FormulaError(function.lineno, "formula_name", what=name, known=", ".join(sorted(names)))
        local[name] = names[name]
    for position, node in enumerate(function.body):
        match node:
            case ast.Return(value=ast.expr() as value) if position == len(function.body) - 1:
                return _translate(value, local)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in names and name not in local:
                local[name] = _translate(value, local)
            case ast.Expr() if position == 0 and _is_text(node):
                continue
            case _:
                raise FormulaError(node.lineno, "formula_forbidden", what=ast.unparse(node))
    raise FormulaError(function.lineno, "formula_return", what=function.name)


# --- building plans -------------------------------------------------------------------------------------------------


def build(method: Method, regions: Sequence[str], choice: str, on: date) -> Plan:
    """The plan of a pack for deeds begun on a day, in the nearest of the regions, for one choice ('' when none is).

    Raises LookupError when a factor is not in force on that day or the choice is unknown, FormulaError for a mistake in
    the formula, among them numbers of two units, gas bases or boundaries added to each other.
    """
    used: list[Value] = []
    names = {name: _product(_Term(name, 1, fact.dimension), _known(fact.scale)) for name, fact in method.facts.items()}
    for name, choices in method.factors.items():
        value = in_force(choices.get("") or choices[choice], regions, on)
        if value is None:
            raise LookupError(f"{name} has no value on {on} in {'/'.join(regions)}")
        used.append(value)
        names[name] = _known(value.number * value.unit.scale, value.unit.dimension)
    baseline, project, leakage = (_call(function, names) for function in method.functions)
    where = method.functions[0]
    reduction = _sum(_at(where), _sum(_at(where), baseline, project, "-"), leakage, "-")
    fits = reduction.dimension in (None, method.result)  # None: nothing but zeros, which are zero in any unit
    if not fits and method.in_force[0] <= on < method.in_force[1]:
        wrong, right = units.readable(reduction.dimension or ()), units.readable(method.result)
        raise FormulaError(where.lineno, "formula_result", left=wrong, right=right)
    cap = in_force(method.caps, regions, on)
    tariff = in_force(method.tariffs, regions, on)
    rate = in_force(method.rates, regions, on)
    if rate is None:
        raise LookupError(f"points have no rate on {on}")
    points = _points(method, tariff, rate.number)
    days = method.days_of_change()
    return Plan(
        from_on=max((day for day in days if day <= on), default=date.min),
        to_on=min((day for day in days if day > on), default=date.max),
        run=_compile(method.facts, (baseline, project, leakage, reduction), points),
        shapes=tuple(_shape(term.denominator) for term in (baseline, project, leakage, reduction)),
        daily_cap_mg=int(cap.number) if cap else None,
        factor_ids=tuple(dict.fromkeys(value.value_id for value in used)),
        tariff_id=tariff.value_id if tariff else "",
    )


def _at(node: ast.FunctionDef) -> ast.expr:
    return ast.copy_location(ast.Name("baseline_g - project_g - leakage_g"), node)


def _points(method: Method, tariff: Value | None, micro_per_g: Fraction) -> _Term:
    """Millionths of a point: of the reduction, or by a local tariff of the distance, mass, count or trip."""
    if tariff is None:
        return _product(_Term("reduction_mg", 1000, ()), _known(micro_per_g))
    quantity = tariff_quantity(tariff.unit, method.facts)
    rate = _known(tariff.number * tariff.unit.scale * micro_per_g)
    return _product(_Term(quantity, 1, ()), _product(rate, _known(method.facts[quantity].scale))) if quantity else rate


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
    facts: Mapping[str, units.Unit], terms: Sequence[_Term], points: _Term
) -> Callable[[Mapping[str, int | str]], tuple[int, int, int, int, int, int]]:
    """The plan's function. Its text holds nothing but integers, operators and names of facts: all written by us."""
    reduction = terms[-1]
    lines = [f"    {name} = facts[{name!r}]" for name in facts]
    lines += [f"    {name} = {term.numerator}" for name, term in zip(_LINE_NAMES, terms, strict=True)]
    # The one rounding of a reduction: Python's // is towards minus infinity. Points are counted from there.
    lines.append(f"    reduction_mg = reduction_g*1000//{reduction.denominator}")
    lines.append(f"    points = ({points.numerator})//{points.denominator} if reduction_mg > 0 else 0")
    lines.append(f"    return {', '.join(_LINE_NAMES)}, reduction_mg, points")
    space: dict[str, Callable[[Mapping[str, int | str]], tuple[int, int, int, int, int, int]]] = {}
    exec(compile("def run(facts):\n" + "\n".join(lines), "<plan>", "exec"), {"__builtins__": {}}, space)
    return space["run"]
