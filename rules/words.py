"""A methodology's formula in words, Chinese and English, out of the names of its facts and factors."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from rules import formula

Names = Mapping[str, str]
_SIGNS: dict[type[ast.operator], str] = {ast.Add: " + ", ast.Sub: " − ", ast.Mult: " × ", ast.Div: " ÷ "}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠",
}  # fmt: skip
_IF = {"zh": "若 {test} 则 {yes}，否则 {no}", "en": "{yes} if {test}, else {no}"}


def of_formula(doc: Mapping[str, Any], choice: str = "") -> dict[str, dict[str, str]]:
    """baseline, project, leakage -> {zh, en}, from a pack.json. choice: of the kind whose factors are named."""
    if "formula" not in doc:
        return {}
    functions = formula.read(doc["formula"])
    names = {language: _names(doc, choice, language) for language in ("zh", "en")}
    return {
        function.name.removesuffix("_g"): {
            language: _function(function, names[language], language) for language in names
        }
        for function in functions
    }


def _names(doc: Mapping[str, Any], choice: str, language: str) -> dict[str, str]:
    """What the names in the formula are called: titles of facts, names of factors."""
    names = {fact["name"]: fact["title"][language] for fact in doc["facts"]}
    for name, table in doc.get("bindings", {}).items():
        factor = table.get("") or table.get(choice) or next(iter(table.values()))
        names[name] = doc["factors"][factor]["name"][language]
        if "" not in table and not choice:
            names[name] += "（按种类）" if language == "zh" else " (by kind)"
    return names


def _function(function: ast.FunctionDef, names: Names, language: str) -> str:
    local = dict(names)
    for node in function.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                local[name] = f"({_words(value, local, language)})"
            case ast.Return(value=ast.expr() as value):
                return _words(value, local, language)
    return ""


def _words(node: ast.expr, names: Names, language: str, inside: bool = False) -> str:
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.UnaryOp(operand=operand):
            return f"−{_words(operand, names, language, True)}"
        case ast.BinOp(left=left, op=op, right=right):
            tight = isinstance(op, ast.Mult | ast.Div)
            text = _words(left, names, language, tight) + _SIGNS[type(op)] + _words(right, names, language, True)
            return f"({text})" if inside and not tight else text
        case ast.IfExp(test=ast.Compare(left=left, ops=[op], comparators=[right]), body=body, orelse=orelse):
            test = f"{_words(left, names, language)} {_COMPARE[type(op)]} {_words(right, names, language)}"
            yes, no = _words(body, names, language), _words(orelse, names, language)
            return "(" + _IF[language].format(test=test, yes=yes, no=no) + ")"
    return ast.unparse(node)
