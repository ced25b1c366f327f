#!/usr/bin/env python3
"""Replay a receipt offline: python3 replay.py receipt.json pack.json [pack.json ...]

This file stands alone: it needs the Python standard library (3.11 or newer) and nothing of the platform. It reads the
formula and the numbers out of the published pack.json, calculates every record of the receipt anew in exact fractions,
and compares each number with what the receipt says. Exit code 0: everything agrees. 1: it does not, with the reason.

The platform itself measures with another implementation (compiled integers); its receipts are written with this one
and refused when the two differ by a milligram.

Only the calculation is checked here. That a receipt stands in the log is checked by verify.py (GET /v1/log/verify.py).
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any

FORMAT = "tanpuhui-receipt/1"  # the calculation alone
PROVEN = "tanpuhui-receipt/2"  # with what opens and proves its entry in the log
FUNCTIONS = ("baseline_g", "project_g", "leakage_g")
EVIDENCE = ("order", "device", "screenshot", "self_declared")
FILE_MAX_BYTES = 16 * 1024 * 1024

# What one of a unit is in base units (gram, metre, kilowatt-hour, use). Dimensions were checked when the pack was made.
_MASS = {"mg": Fraction(1, 1000), "g": Fraction(1), "kg": Fraction(1000), "t": Fraction(1_000_000)}
_UNITS = _MASS | {mass + gas: scale for mass, scale in _MASS.items() for gas in ("CO2", "CO2e")}
_UNITS |= dict.fromkeys(("1", "m", "pm", "vm", "kWh", "piece", "use", "trip", "step", "l", "h"), Fraction(1))
_UNITS |= dict.fromkeys(("km", "pkm", "vkm", "MWh", "m3"), Fraction(1000)) | {"Wh": Fraction(1, 1000)}


class Refused(ValueError):
    """The receipt does not hold; the reason in English and Chinese."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(f"{english} / {chinese}")


# --- calculating ----------------------------------------------------------------------------------------------------


def calculate(
    pack: Mapping[str, Any], region: str, facts: Mapping[str, int | str], on: date, evidence: str
) -> dict[str, Any]:
    """The calculation of one record: factors used, steps in grams (value over per), and the reduction in whole mg.

    pack: the content of pack.json. region: a code of GB/T 2260, or CN. Rounded once, at the end,
    towards minus infinity. Raises Refused when the facts or the day do not fit the pack.
    """
    _check_facts(pack, facts)
    names = {f["name"]: int(facts[f["name"]]) * _scale(f["unit"]) for f in pack["facts"] if f["kind"] == "integer"}
    chosen = {
        name: _factor(pack, name, table, facts, region, on) for name, table in sorted(pack.get("bindings", {}).items())
    }
    rules = _rules(pack, on)
    for used in chosen.values():
        _check_review(used, on, rules["review_grace_days"])
    grams = _run(pack["formula"], names, chosen, rules["conservative_bound"])
    grams["reduction_g"] = grams["baseline_g"] - grams["project_g"] - grams["leakage_g"]
    steps = [{"name": name, "unit": "gCO2e"} | _written(value) for name, value in grams.items()]
    percent = rules["evidence_percent"][evidence]
    milligrams = grams["reduction_g"] * 1000
    if milligrams > 0:  # weaker evidence counts for less, never what emits more
        milligrams = milligrams * percent / 100
    return {
        "factors": [{"name": name} | used for name, used in chosen.items()],
        "steps": steps,
        "evidence_percent": percent,
        "rounding": "once, towards minus infinity, to 1 mg",
        "measured_mg": milligrams.numerator // milligrams.denominator,
    }


def _rules(pack: Mapping[str, Any], on: date) -> Mapping[str, Any]:
    """The standard's own rules on a day; the first ones also hold before they begin."""
    begun = [rules for rules in pack["rules"] if rules["from"] <= on.isoformat()]
    return dict(max(begun or pack["rules"][:1], key=lambda rules: rules["from"]))


def _check_review(used: Mapping[str, Any], on: date, grace_days: int) -> None:
    review_by = used.get("review_by")
    if review_by and (on - date.fromisoformat(review_by)).days > grace_days:
        raise Refused(f"{used['factor_id']} is too long past its review date", f"{used['factor_id']} 已过复核期限")


def chain(region: str, grids: Mapping[str, str]) -> list[str]:
    """Where the numbers of a region are looked for: itself, its province (two digits), its grid, the nation."""
    if region == "CN":
        return ["CN"]
    province = f"{region[:2]}0000"
    return [code for code in (region, province, grids.get(province, ""), "CN") if code]


def _check_facts(pack: Mapping[str, Any], facts: Mapping[str, int | str]) -> None:
    known = {fact["name"]: fact for fact in pack["facts"]}
    if facts.keys() != known.keys():
        raise Refused(f"the facts should be {sorted(known)}", f"事实应为 {sorted(known)}")
    for name, fact in known.items():
        value = facts[name]
        if fact["kind"] == "choice":
            fits = isinstance(value, str) and value in fact["values"]
        else:
            fits = isinstance(value, int) and not isinstance(value, bool)
            fits = fits and fact["minimum"] <= value <= fact.get("maximum", value)
        if not fits:
            raise Refused(
                f"the fact {name} = {value!r} is outside of what the pack accepts", f"事实 {name} 超出方法学的范围"
            )


def _factor(
    pack: Mapping[str, Any], name: str, table: Mapping[str, str], facts: Mapping[str, int | str], region: str, on: date
) -> dict[str, Any]:
    """The value of a factor in force in the nearest region on a day, as pack.json says it."""
    chooses = [f["name"] for f in pack["facts"] if f["kind"] == "choice" and f["values"].keys() <= table.keys()]
    picked = table.get("") or next((table[str(facts[fact])] for fact in chooses), "")
    factor = pack["factors"].get(picked)
    if factor is None:
        raise Refused(f"pack.json has no factor for {name}", f"pack.json 没有 {name} 的因子")
    for code in chain(region, pack.get("grids", {})):
        values = sorted((v for v in factor["values"] if v["region"] == code), key=lambda v: v["from"])
        for value, after in zip(values, [*values, {}][1:], strict=True):
            end = value.get("to") or after.get("from", "")
            if value["from"] <= on.isoformat() and (not end or on.isoformat() < end):
                return {"id": picked, "unit": str(factor["unit"])} | dict(value)
    raise Refused(f"{picked} has no value on {on} in {region}", f"{picked} 在 {on} 没有适用于 {region} 的值")


def _scale(unit: str) -> Fraction:
    above, _, below = unit.partition("/")
    scale = Fraction(1)
    for atom in above.split("."):
        scale *= _atom(atom)
    for atom in below.split(".") if below else ():
        scale /= _atom(atom)
    return scale


def _atom(atom: str) -> Fraction:
    if atom not in _UNITS:
        raise Refused(f"the unit {atom!r} is not known", f"不认识单位 {atom}")
    return _UNITS[atom]


def _decimal(text: str) -> Fraction:
    if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?(e-?[0-9]{1,2})?", text):
        raise Refused(f"{text!r} is no decimal number", f"{text} 不是十进制数")
    return Fraction(text)


def _written(value: Fraction) -> dict[str, str]:
    """A fraction as decimal over per, `per` free of twos and fives: what has a finite decimal form gets per 1."""
    per, places = value.denominator, 0
    while per % 2 == 0 or per % 5 == 0:
        per, places = per // (10 if per % 10 == 0 else 2 if per % 2 == 0 else 5), places + 1
    scaled = value * per * 10**places
    digits = f"{abs(scaled.numerator):0{places + 1}d}"
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return {"value": ("-" if value < 0 else "") + text, "per": str(per)}


# --- formulas: names, arithmetic, comparisons, conditionals, and nothing else -----------------------------------------


def _run(
    formula: str, facts: Mapping[str, Fraction], factors: Mapping[str, Mapping[str, Any]], conservative: bool
) -> dict[str, Fraction]:
    functions = {node.name: node for node in ast.parse(formula).body if isinstance(node, ast.FunctionDef)}
    if functions.keys() != set(FUNCTIONS):
        raise Refused("the formula lacks a function", "公式缺少函数")
    grams = {}
    for name in FUNCTIONS:
        ends = {factor: _end(functions[name], factor, used, conservative) for factor, used in factors.items()}
        grams[name] = _call(functions[name], {**facts, **ends})
    return grams


def _end(function: ast.FunctionDef, name: str, used: Mapping[str, Any], conservative: bool) -> Fraction:
    """A factor as a function must take it: of an uncertain one the end that makes the reduction smaller."""
    text = used["value"]
    if conservative and "uncertainty" in used:
        more = _sign_of(function, name) * (1 if function.name == FUNCTIONS[0] else -1)
        text = {1: used["uncertainty"]["low"], -1: used["uncertainty"]["high"]}.get(more, text)
    return _decimal(text) / _decimal(used["per"]) * _scale(used["unit"])


def _sign_of(function: ast.FunctionDef, name: str) -> int:
    """1 where more of `name` makes more of the result, -1 where it makes less, 0 where it is absent or neither."""
    local = {node.targets[0].id: node.value for node in function.body
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    returned = [node.value for node in function.body if isinstance(node, ast.Return) and node.value is not None]
    signs = {sign for value in returned for sign in _signs(value, name, local, 1)}
    return signs.pop() if len(signs) == 1 else 0


def _signs(node: ast.expr, name: str, local: Mapping[str, ast.expr], sign: int) -> set[int]:
    match node:
        case ast.Name(id=found):
            return {sign} if found == name else _signs(local[found], name, local, sign) if found in local else set()
        case ast.UnaryOp(operand=operand):
            return _signs(operand, name, local, -sign)
        case ast.BinOp(left=left, op=op, right=right):
            other = -sign if isinstance(op, ast.Sub | ast.Div) else sign
            return _signs(left, name, local, sign) | _signs(right, name, local, other)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            tested = {0} if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(test)) else set()
            return tested | _signs(body, name, local, sign) | _signs(orelse, name, local, sign)
    return set()


def _call(function: ast.FunctionDef, names: Mapping[str, Fraction]) -> Fraction:
    local = {argument.arg: _name(argument.arg, names) for argument in function.args.args}
    for node in function.body:
        match node:
            case ast.Return(value=ast.expr() as value):
                return _value(value, local)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                local[name] = _value(value, local)
            case ast.Expr(value=ast.Constant(value=str())):
                continue
            case _:
                raise Refused("the formula holds what no formula may", "公式含有不允许的内容")
    raise Refused("a function of the formula does not return", "公式没有返回值")


def _name(name: str, names: Mapping[str, Fraction]) -> Fraction:
    if name not in names:
        raise Refused(f"the formula asks for {name}, which is neither fact nor factor", f"公式用到未知的 {name}")
    return names[name]


_COMPARE: dict[type[ast.cmpop], Callable[[Fraction, Fraction], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}


def _value(node: ast.expr, names: Mapping[str, Fraction]) -> Fraction:
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return Fraction(number)
        case ast.Constant(value=str() as text):
            return _decimal(text)
        case ast.Name(id=name):
            return _name(name, names)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names)
        case ast.BinOp(left=left, op=op, right=right):
            return _arithmetic(op, _value(left, names), _value(right, names))
        case ast.IfExp(test=ast.Compare(left=left, ops=[op], comparators=[right]), body=body, orelse=orelse):
            if type(op) in _COMPARE:
                holds = _COMPARE[type(op)](_value(left, names), _value(right, names))
                return _value(body if holds else orelse, names)
    raise Refused("the formula holds what no formula may", "公式含有不允许的内容")


def _arithmetic(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div() if right:
            return left / right
    raise Refused("the formula holds what no formula may", "公式含有不允许的内容")


# --- checking a receipt -----------------------------------------------------------------------------------------------


MEMBERS = {FORMAT: frozenset(("format", "deed", "records", "reduction_mg", "points"))}
MEMBERS[PROVEN] = MEMBERS[FORMAT] | {"version", "head", "row", "salt", "log", "batch"}


def check(receipt: Mapping[str, Any], packs: Iterable[bytes]) -> list[str]:
    """What was calculated, line by line. packs: pack.json files, byte for byte. Raises Refused with the reason."""
    members = MEMBERS.get(receipt.get("format", ""))
    if members is None:
        raise Refused(
            f"this is not a receipt of the format {FORMAT} or {PROVEN}", f"不是 {FORMAT} 或 {PROVEN} 格式的收据"
        )
    if receipt.keys() != members:
        raise Refused(f"a receipt has the members {sorted(members)}", f"收据应有 {sorted(members)}")
    known = {hashlib.sha256(raw).hexdigest(): raw for raw in packs}
    done = []
    for place, record in enumerate(receipt["records"], 1):
        done.append(f"{place}. {_check_record(record, known, receipt['deed'] is not None)}")
    for name in ("reduction_mg", "points"):
        total = sum(record["credited"][name] for record in receipt["records"])
        if not done or total != receipt[name]:
            raise Refused(
                f"{name} is {receipt[name]}, its records add up to {total}", f"{name} 与各条记录之和 {total} 不符"
            )
    return done


RECORD = frozenset(
    ("pack", "region", "day", "started_at", "ended_at", "evidence", "facts", "calculation", "national_mg", "credited")
)


def _check_record(record: Mapping[str, Any], packs: Mapping[str, bytes], of_deed: bool) -> str:
    """One record against its pack; the line to print. of_deed: credited to a person, not a dry run."""
    if record.keys() != RECORD:
        raise Refused(f"a record has the members {sorted(RECORD)}", f"每条记录应有 {sorted(RECORD)}")
    named = record["pack"]
    raw = packs.get(named["sha256"])
    if raw is None:
        raise Refused(f"no pack.json given has the hash {named['sha256']}", "所给的 pack.json 中没有哈希相符的")
    pack = json.loads(raw)
    for name in ("code", "version", "status"):
        if named[name] != pack[name]:
            raise Refused(f"{name} is {named[name]!r}, in pack.json {pack[name]!r}", f"{name} 与 pack.json 不符")
    _check_time(record, pack, of_deed)
    on = date.fromisoformat(record["day"])
    if not re.fullmatch(r"CN|[0-9]{6}", record["region"]):
        raise Refused("the region is no code of GB/T 2260", "地区不是 GB/T 2260 代码")
    if record["evidence"] not in EVIDENCE:
        raise Refused(f"the evidence should be one of {EVIDENCE}", f"证据等级应为 {EVIDENCE} 之一")
    expected = calculate(pack, record["region"], record["facts"], on, record["evidence"])
    for name, value in expected.items():
        if record["calculation"].get(name) != value:
            raise Refused(_difference(name, record["calculation"].get(name), value), f"{name} 与重算结果不符")
    if record["calculation"].keys() != expected.keys():
        raise Refused("the calculation has members that nobody can check", "计算中有无法核对的内容")
    _check_credited(record, expected["measured_mg"])
    if record["national_mg"] != (nation := national_mg(pack, record["facts"], on, record["evidence"])):
        raise Refused(f"the national value is {nation} mg, not {record['national_mg']}", "全国值与重算结果不符")
    return f"{pack['code']} {pack['version']}  {record['day']}  {record['region']}  {expected['measured_mg']} mg"


def _check_time(record: Mapping[str, Any], pack: Mapping[str, Any], of_deed: bool) -> None:
    """Of a deed: both moments with their zone, the day that of the start, and the pack in force on it."""
    moments = (record["started_at"], record["ended_at"])
    if not of_deed and moments == (None, None):
        return
    for moment in moments:
        if datetime.fromisoformat(moment).tzinfo is None:
            raise Refused(f"{moment!r} is no time with its zone", f"{moment} 不是带时区的时间")
    if datetime.fromisoformat(moments[1]) < datetime.fromisoformat(moments[0]):
        raise Refused("it ends before it starts", "结束早于开始")
    if moments[0][:10] != record["day"]:
        raise Refused("the day is not that of the start", "日期与开始时间不符")
    if not pack["in_force_from"] <= record["day"] < pack.get("in_force_to", "9999"):
        raise Refused("the methodology was not in force on that day", "该方法学当日未生效")


def national_mg(pack: Mapping[str, Any], facts: Mapping[str, int | str], on: date, evidence: str) -> int | None:
    """What the same record comes to with the nation's numbers; None where the nation has none on that day."""
    try:
        return int(calculate(pack, "CN", facts, on, evidence)["measured_mg"])
    except Refused:
        return None


def _difference(name: str, said: Any, found: Any) -> str:
    if isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        for one, other in zip(said, found, strict=True):
            if one != other:
                return f"{name}: the receipt says {json.dumps(one)}, calculated anew {json.dumps(other)}"
    return f"{name}: the receipt says {said!r}, calculated anew {found!r}"


def _check_credited(record: Mapping[str, Any], measured_mg: int) -> None:
    """The verdict code says how much of what was measured may have been credited."""
    code, mg, cap_mg = record["credited"]["code"], record["credited"]["reduction_mg"], record["credited"]["cap_mg"]
    fits = {
        "ok": mg == measured_mg > 0,
        "continues": mg == measured_mg > 0,
        "no_reduction": mg == measured_mg <= 0,
        "points_only": mg == measured_mg == 0,
        "capped": mg == measured_mg == 0 or (cap_mg is not None and 0 <= mg < measured_mg and mg <= cap_mg),
        "rest_of_day": 0 <= mg < measured_mg,
    }
    if not fits.get(code, False):
        raise Refused(
            f"{mg} mg credited as {code!r} of {measured_mg} mg measured", f"按 {code} 计入 {mg} 毫克与测得的不符"
        )


def read(raw: bytes) -> Any:
    """JSON of an acceptable size, no name twice. Raises Refused."""
    if len(raw) > FILE_MAX_BYTES:
        raise Refused("the file is too large", "文件过大")
    try:
        return json.loads(raw.decode(), object_pairs_hook=_members, parse_float=_no_float)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the file is not complete JSON: {str(error)[:100]}", "文件不是完整的 JSON") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name is there twice")
    return dict(pairs)


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is no integer")


# What reading a document of some other form can raise.
MALFORMED = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


def verify(receipt: bytes, packs: Sequence[bytes]) -> tuple[list[str], dict[str, Any]]:
    """Read and check a receipt file: (what was checked, the receipt). Raises Refused, whatever is wrong with it."""
    content = read(receipt)
    try:
        return check(content, packs), content
    except Refused:
        raise
    except MALFORMED as error:
        what = f"{type(error).__name__}: {str(error)[:100]}"
        raise Refused(
            f"the receipt or a pack is not of the form it should have ({what})", "收据或 pack.json 的结构有误"
        ) from None


def told(lines: Sequence[str], receipt: Mapping[str, Any]) -> str:
    """The good news for a person."""
    total = f"OK / 成立: {receipt['reduction_mg']} mg CO2e, {receipt['points']} points / 积分"
    only = "The calculation only: its proofs were not looked at / 只核对了计算，未核对其证明"
    return "\n".join([*lines, total, *[only] * (receipt["format"] == PROVEN)])


def main(files: Sequence[str]) -> int:
    """Exit code; the verdict on standard output, the reason of a refusal on standard error."""
    if not files or files[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if files else 1
    try:
        contents = []
        for file in files:
            with open(file, "rb") as opened:
                contents.append(opened.read(FILE_MAX_BYTES + 1))
        lines, receipt = verify(contents[0], contents[1:])
    except (OSError, Refused) as error:
        print(f"REFUSED / 不成立: {error}", file=sys.stderr)
        return 1
    print(told(lines, receipt))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
