"""A methodology in words that a citizen understands, Chinese and English: its formula, its units, its amounts."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from rules import formula

Text = dict[str, str]  # {zh, en}
Names = Mapping[str, str]
LANGUAGES = ("zh", "en")
_SIGNS: dict[type[ast.operator], str] = {ast.Add: " + ", ast.Sub: " − ", ast.Mult: " × ", ast.Div: " ÷ "}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "=", ast.NotEq: "≠",
}  # fmt: skip
_IF = {"zh": "若 {test} 则 {yes}，否则 {no}", "en": "{yes} if {test}, else {no}"}

# The small unit of a fact -> the places its decimal point is moved by, and what people say.
_HUMAN = {
    "pm": (3, "公里", "km"),
    "m": (3, "公里", "km"),
    "g": (3, "千克", "kg"),
    "Wh": (3, "千瓦时", "kWh"),
    "l": (3, "立方米", "m³"),
    "step": (0, "步", "steps"),
    "use": (0, "", ""),  # of what, the fact's title says
    "piece": (0, "", ""),
}
_ATOMS = {
    "1": ("", ""),
    "pkm": ("人公里", "person-km"),
    "vkm": ("车公里", "vehicle-km"),
    "km": ("公里", "km"),
    "kWh": ("千瓦时", "kWh"),
    "m3": ("立方米", "m³"),
    "use": ("次", "use"),
    "piece": ("件", "piece"),
    "trip": ("次出行", "trip"),
    "step": ("步", "step"),
    "kg": ("千克", "kg"),
    "g": ("克", "g"),
    "t": ("吨", "t"),
}
_TITLE_UNIT = re.compile(
    r"（(?:米|公里|克|千克|公斤|瓦时|千瓦时|升|次)）$|,? in (?:kilo)?(?:metres|grams|watt-hours|litres)$"
)
_TIMES = ((86400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min"), (1, "秒", "s"))


# --- formulas --------------------------------------------------------------------------------------------------------


def of_formula(doc: Mapping[str, Any], choice: str = "") -> dict[str, Text]:
    """baseline, project, leakage -> {zh, en}, from a pack.json. choice: of the kind whose factors are named."""
    return _functions(doc, lambda function, language: _names(doc, choice, language))


def template(doc: Mapping[str, Any]) -> dict[str, Text]:
    """The same with {name} for every fact and factor, to be filled with numbers.

    {name:low} and {name:high}: of an uncertain factor, the end that makes the reduction smaller.
    """
    conservative = bool(doc.get("rules")) and doc["rules"][-1]["conservative_bound"]
    names = [fact["name"] for fact in doc.get("facts", ())]

    def holes(function: ast.FunctionDef, language: str) -> Names:
        more = {name: _end(function, name) if conservative else "" for name in doc.get("bindings", {})}
        return {name: f"{{{name}}}" for name in names} | {name: f"{{{name}{end}}}" for name, end in more.items()}

    return _functions(doc, holes)


def fill(text: str, numbers: Callable[[str, str], str]) -> str:
    """A template with numbers(name, '' or 'low' or 'high') in its places."""
    return re.sub(r"\{(\w+)(?::(\w+))?\}", lambda hole: numbers(hole[1], hole[2] or ""), text)


def number(used: Mapping[str, Any], end: str = "") -> str:
    """The number of a factor value, or an end of its interval, as printed; a quotient as one."""
    text = str(used["uncertainty"][end] if end and used.get("uncertainty") else used["value"])
    text = text.replace("-", "−") + (f"/{used['per']}" if used.get("per", "1") != "1" else "")
    return f"({text})" if text.startswith("−") else text


def _end(function: ast.FunctionDef, name: str) -> str:
    more = formula.sign_of(function, name) * (1 if function.name == formula.RESULTS[0] else -1)
    return {1: ":low", -1: ":high"}.get(more, "")


def _functions(doc: Mapping[str, Any], names: Callable[[ast.FunctionDef, str], Names]) -> dict[str, Text]:
    if "formula" not in doc:
        return {}
    return {
        function.name.removesuffix("_g"): {
            language: _function(function, names(function, language), language) for language in LANGUAGES
        }
        for function in formula.read(doc["formula"])
    }


def _names(doc: Mapping[str, Any], choice: str, language: str) -> dict[str, str]:
    """What the names in the formula are called: titles of facts, names of factors."""
    names = {fact["name"]: title(fact)[language] for fact in doc["facts"]}
    for name, table in doc.get("bindings", {}).items():
        factor = table.get("") or table.get(choice) or next(iter(table.values()))
        names[name] = doc["factors"][factor]["name"][language]
        if "" not in table and not choice:
            names[name] += "等（按种类）" if language == "zh" else " (by kind)"
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


# --- units and amounts -----------------------------------------------------------------------------------------------


def title(fact: Mapping[str, Any]) -> Text:
    """What a fact is called, without the small unit that machines count it in."""
    return {language: _TITLE_UNIT.sub("", fact["title"][language]) for language in LANGUAGES}


def human(unit: str) -> tuple[int, Text]:
    """How many places the decimal point of a fact is moved by for people, and the unit they then read."""
    places, zh, en = _HUMAN.get(unit, (0, unit, unit))
    return places, {"zh": zh, "en": en}


def amount(value: int, unit: str) -> Text:
    """A fact's number for people, exactly: 22500 pm are 22.5 km."""
    places, name = human(unit)
    behind = f"{value % 10**places:0{places}d}".rstrip("0") if places else ""
    text = f"{value // 10**places:,}" + (f".{behind}" if behind else "")
    return {language: f"{text} {name[language]}".strip() for language in LANGUAGES}


def unit(text: str) -> Text:
    """A factor's unit: kgCO2e/pkm is 千克CO₂e/人公里, kgCO₂e/person-km."""
    return {language: _unit(text, place) for place, language in enumerate(LANGUAGES)}


def _unit(text: str, place: int) -> str:
    return re.sub(r"\w+", lambda atom: _atom(atom[0], place), text).replace(".", "·")


def _atom(text: str, place: int) -> str:
    mass, gas, kind = text.partition("CO2")
    if gas and mass in _ATOMS:
        return f"{_ATOMS[mass][place]}CO₂{kind}"
    return _ATOMS.get(text, (text, text))[place]


def duration(seconds: int) -> Text:
    """In the largest unit that leaves a whole number."""
    size, zh, en = next(one for one in _TIMES if seconds % one[0] == 0)
    return {"zh": f"{seconds // size:,} {zh}", "en": f"{seconds // size:,} {en}"}
