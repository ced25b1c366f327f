"""Formulas: an expert's few lines, read as a syntax tree, checked, and written out anew over integers.

A formula is text that is never executed as it stands. Whatever is not a name, an integer or a decimal in quotes,
arithmetic, a comparison or a conditional expression is refused. Every number is a fraction, so additions are brought to
common denominators when a plan is built; units are checked on the way.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from rules import reading, units

RESULTS = ("baseline_g", "project_g", "leakage_g")  # the functions a formula consists of; each answers grams


class FormulaError(ValueError):
    """A mistake in a formula: its line in the file, a code of `reading.MISTAKES` and that text's fields."""

    def __init__(self, line: int, code: str, **fields: str) -> None:
        super().__init__(code, fields)
        self.line, self.code, self.fields = line, code, fields


def read(text: str) -> tuple[ast.FunctionDef, ...]:
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


class Term(NamedTuple):
    """A number: an integer, or the text of an integer expression, over a positive integer; and its dimension.

    The dimension None is that of a literal 0: it fits any other.
    """

    numerator: int | str
    denominator: int
    dimension: units.Dimension | None


def known(value: Fraction, dimension: units.Dimension | None = ()) -> Term:
    return Term(value.numerator, value.denominator, dimension)


def _times(text: int | str, factor: int) -> int | str:
    if isinstance(text, int):
        return text * factor
    return text if factor == 1 else f"({text}*{factor})"


def _translate(node: ast.expr, names: Mapping[str, Term]) -> Term:
    """One expression over integers. This is the whitelist: what has no case here cannot be in a formula."""
    match node:
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return known(Fraction(value), () if value else None)
        case ast.Constant(value=str() as text):
            number = reading.decimal(text)
            if number is None:
                raise FormulaError(node.lineno, "formula_decimal", what=text)
            return known(number)
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
            return add(node, _translate(left, names), _translate(right, names), "+" if isinstance(op, ast.Add) else "-")
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return product(_translate(left, names), _translate(right, names))
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _quotient(node, _translate(left, names), _translate(right, names))
        case ast.IfExp(test=ast.Compare(left=left, ops=[op], comparators=[right]), body=body, orelse=orelse):
            return _choice(node, names, (left, op, right), body, orelse)
    raise FormulaError(getattr(node, "lineno", 1), "formula_forbidden", what=ast.unparse(node))


def _common(node: ast.expr, left: Term, right: Term) -> tuple[int | str, int | str, int, units.Dimension | None]:
    """Both numerators over one denominator. Raises FormulaError when the dimensions differ."""
    if None not in (left.dimension, right.dimension) and left.dimension != right.dimension:
        readable = [units.readable(term.dimension or ()) for term in (left, right)]
        raise FormulaError(node.lineno, "formula_units", what=ast.unparse(node), left=readable[0], right=readable[1])
    denominator = math.lcm(left.denominator, right.denominator)
    scaled = [_times(term.numerator, denominator // term.denominator) for term in (left, right)]
    return scaled[0], scaled[1], denominator, right.dimension if left.dimension is None else left.dimension


def add(node: ast.expr, left: Term, right: Term, sign: str) -> Term:
    one, two, denominator, dimension = _common(node, left, right)
    if isinstance(one, int) and isinstance(two, int):
        return known(Fraction(one + two if sign == "+" else one - two, denominator), dimension)
    return Term(f"({one}{sign}({two}))", denominator, dimension)


def product(left: Term, right: Term) -> Term:
    dimension = units.multiply(left.dimension or (), right.dimension or ())
    if isinstance(right.numerator, int):
        left, right = right, left
    if isinstance(left.numerator, int):  # a known number times anything: in lowest terms
        known = Fraction(left.numerator, left.denominator * right.denominator)
        return Term(_times(right.numerator, known.numerator), known.denominator, dimension)
    return Term(f"({left.numerator}*{right.numerator})", left.denominator * right.denominator, dimension)


def _quotient(node: ast.expr, left: Term, right: Term) -> Term:
    if not isinstance(right.numerator, int) or right.numerator == 0:
        raise FormulaError(node.lineno, "formula_division", what=ast.unparse(node))
    inverse = known(1 / Fraction(right.numerator, right.denominator), ())
    dimension = units.multiply(left.dimension or (), right.dimension or (), -1)
    return product(left, inverse)._replace(dimension=dimension)


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
    names: Mapping[str, Term],
    test: tuple[ast.expr, ast.cmpop, ast.expr],
    body: ast.expr,
    orelse: ast.expr,
) -> Term:
    left, op, right = test
    if type(op) not in _COMPARISONS:
        raise FormulaError(node.lineno, "formula_forbidden", what=ast.unparse(node.test))
    one, two, _, _ = _common(node.test, _translate(left, names), _translate(right, names))
    yes, no, denominator, dimension = _common(node, _translate(body, names), _translate(orelse, names))
    if isinstance(one, int) and isinstance(two, int):
        return Term(yes if _COMPARISONS[type(op)][1](one, two) else no, denominator, dimension)
    return Term(f"({yes} if {one}{_COMPARISONS[type(op)][0]}{two} else {no})", denominator, dimension)


def call(function: ast.FunctionDef, names: Mapping[str, Term]) -> Term:
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


def sign_of(function: ast.FunctionDef, name: str) -> int:
    """1 where more of `name` makes more of the result, -1 where it makes less, 0 where it is absent or neither.

    Facts and other factors are taken to be positive.
    """
    local = {
        n.targets[0].id: n.value
        for n in function.body
        if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
    }
    signs: set[int] = set()

    def visit(node: ast.expr, sign: int) -> None:
        match node:
            case ast.Name(id=found) if found == name:
                signs.add(sign)
            case ast.Name(id=found) if found in local:
                visit(local[found], sign)
            case ast.UnaryOp(operand=operand):
                visit(operand, -sign)
            case ast.BinOp(left=left, op=op, right=right):
                visit(left, sign)
                visit(right, -sign if isinstance(op, ast.Sub | ast.Div) else sign)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(test)):
                    signs.add(0)
                visit(body, sign)
                visit(orelse, sign)

    for node in function.body:
        if isinstance(node, ast.Return) and node.value is not None:
            visit(node.value, 1)
    return signs.pop() if len(signs) == 1 else 0


def readable(value: Fraction) -> str:
    """A number for a person, to six digits."""
    return f"{Decimal(value.numerator) / value.denominator:.6g}"
