"""Reading what colleagues wrote: YAML with the line of every value, and mistakes told in their words.

Every value is read as the text that stands in the file, so that 0.239 is exactly 0.239 and no float ever comes in.
A mistake does not stop the reading: it is noted, a harmless value stands in, and all are raised together at the end.
"""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import yaml

MISTAKES = {
    "yaml": ("文件不是有效的 YAML：{what}", "this is not valid YAML: {what}"),
    "unreadable": ("读不到这个文件", "the file cannot be read"),
    "not_a_map": ("这里应是一组“名称: 值”", "a group of 'name: value' is expected here"),
    "not_a_list": ("这里应是以“-”开头的列表", "a list, each item behind '-', is expected here"),
    "not_text": ("“{what}”应是一个值，不是一组值", "'{what}' should be one value, not a group"),
    "twice": ("“{what}”写了两次", "'{what}' is written twice"),
    "missing": ("缺少“{what}”", "'{what}' is missing"),
    "unknown_field": ("不认识“{what}”；这里可以写：{known}", "'{what}' is not known here; known are: {known}"),
    "not_a_date": ("“{what}”应是日期，如 2025-08-01", "'{what}' should be a date such as 2025-08-01"),
    "not_an_integer": ("“{what}”应是整数", "'{what}' should be a whole number"),
    "not_a_number": ("“{what}”应是十进制数，如 0.239", "'{what}' should be a decimal number such as 0.239"),
    "not_one_of": ("“{what}”应是其中之一：{known}", "'{what}' should be one of: {known}"),
    "not_a_name": (
        "“{what}”只能用小写字母、数字和下划线",
        "'{what}' may hold lower-case letters, digits and _ only, and no reserved name",
    ),
    "not_a_percent": ("“{what}”应是 0 至 100 的整数", "'{what}' should be a whole number from 0 to 100"),
    "looser": (
        "“{what}”计入的比例不能高于标准的 {most}%",
        "no more of '{what}' can be credited than the standard's {most} %",
    ),
    "interval": (
        "区间的低值应不大于数值，高值应不小于数值",
        "low should not be above the value, nor high below it",
    ),
    "no_band": ("没有名为“{what}”的合理范围（见 bands.yaml）", "there is no band '{what}' in bands.yaml"),
    "out_of_band": (
        "{what} = {value}，超出合理范围“{band}”的 {low} 至 {high} {unit}：是否写错了单位（吨、千克、克）？",
        "{what} is {value}, outside of {low} to {high} {unit} (band '{band}'): is it a slip of units (t, kg, g)?",
    ),
    "band_unit": ("合理范围“{band}”的单位与 {what} 不符", "the unit of band '{band}' does not fit {what}"),
    "uncertain_sign": (
        "无法判断“{what}”变大时减排量变大还是变小，不能按保守一端取值",
        "whether more of '{what}' makes more or less of the reduction is not clear: no conservative end can be chosen",
    ),
    "points_only": (
        "只计积分的方法学不能批准用于 {what}",
        "a methodology that sets points only cannot be approved for '{what}'",
    ),
    "empty_time": ("结束日期 {to} 不晚于开始日期 {start}", "it ends on {to}, not after its start {start}"),
    "overlap": (
        "{what} 在 {region} 自 {on} 起有两个值同时有效",
        "{what} has two values in force at once in {region} from {on}",
    ),
    "unit": ("单位有误：{what}", "{what}"),
    "no_region": ("区域代码“{what}”不在 regions.csv 中", "the region '{what}' is not in regions.csv"),
    "no_factor": ("没有名为“{what}”的因子", "there is no factor '{what}'"),
    "no_pack": ("没有方法学“{what}”", "there is no methodology '{what}'"),
    "no_class": ("没有互斥类“{what}”", "there is no exclusion class '{what}' in parameters.yaml"),
    "no_folder": ("没有这个文件夹", "there is no such folder"),
    "place_row": ("places.csv 有一行读不懂：{what}", "a row of places.csv cannot be read: {what}"),
    "region_row": ("regions.csv 有一行读不懂：{what}", "a row of regions.csv cannot be read: {what}"),
    "tolerance": (
        "互斥类的重叠容差应小于最短的行为时长",
        "the class tolerates an overlap as long as the shortest deed of this pack",
    ),
    "no_choice": ("因子表没有为“{what}”给出因子", "no factor is given for the choice '{what}'"),
    "no_value": ("{what}", "{what}"),
    "redefined": (
        "“{what}”与先前的定义不一致：单位、口径和边界须相同",
        "'{what}' is defined before with another unit, gas basis or boundary",
    ),
    "same_version": ("{what} 已在别处定义", "{what} is defined twice"),
    "both_in_force": ("{what} 与 {other} 同时有效", "{what} and {other} are in force at the same time"),
    "nothing_here": (
        "文件夹里没有 methodologies、factors 或批准书等文件：请给出包含 methodologies 的文件夹",
        "there is nothing of a standard in this folder: give the folder that holds methodologies/",
    ),
    "unfinished": (
        "方法学还有待填的内容或占位数值，不能批准：{what}",
        "the methodology still has words to be filled in or placeholder numbers, it cannot be approved: {what}",
    ),
    "incomplete": (
        "方法学缺少说明，不能批准用于 pool：{what}",
        "the methodology does not state {what}: it cannot be approved for 'pool'",
    ),
    "caveat": ("暂定的数值须写明原因（caveat）", "a provisional number must say why (caveat)"),
    "tariff_unit": (
        "积分价目的单位“{what}”与该方法学的任何事实都不符",
        "the tariff's unit '{what}' fits no fact of that methodology",
    ),
    "formula_syntax": ("公式读不懂：{what}", "the formula cannot be read: {what}"),
    "formula_function": (
        "公式里不能有“{what}”；只写这三个函数：{known}",
        "'{what}' cannot stand here; a formula is these three functions, each once: {known}",
    ),
    "formula_arguments": (
        "{what} 的参数只能是名称，不带默认值、注解或装饰器",
        "{what} takes plain names only: no defaults, annotations or decorators",
    ),
    "formula_missing": (
        "公式缺少函数 {what}（没有这项排放就写 return 0）",
        "the function {what} is missing (where there is none, let it return 0)",
    ),
    "formula_decimal": ("“{what}”不是十进制数", "'{what}' is not a decimal number"),
    "formula_float": (
        "不能写浮点数 {what}：数值应来自因子，或写成引号里的十进制数",
        "no floats such as {what}: take the number from a factor, or put the decimal in quotes",
    ),
    "formula_name": (
        "不认识“{what}”；可用的事实和因子：{known}",
        "'{what}' is not known; facts and factors are: {known}",
    ),
    "formula_division": (
        "只能除以因子或常数（且不为零）：{what}",
        "only a factor or a constant other than zero may divide: {what}",
    ),
    "formula_forbidden": (
        "公式里只能有名称、四则运算、比较和条件表达式，不能有：{what}",
        "only names, arithmetic, comparisons and conditional expressions may be in a formula, not: {what}",
    ),
    "formula_return": ("{what} 没有以 return 结尾", "{what} does not end with a return"),
    "formula_units": (
        "单位不符：{what}（左边是 {left}，右边是 {right}）",
        "these units do not go together in {what}: left is {left}, right is {right}",
    ),
    "formula_result": ("结果应是 {right}，而不是 {left}", "the result should be {right}, and is {left}"),
    "formula_unused": ("公式没有用到“{what}”", "the formula does not use '{what}'"),
}


class Mistake(NamedTuple):
    """One thing wrong, where it stands, in both languages."""

    file: str
    line: int
    code: str
    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.en} / {self.zh}"


class StandardError(ValueError):
    """The standard cannot be used; `mistakes` holds everything that was found, in order of file and line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__("\n".join(map(str, self.mistakes)))


class Notes:
    """The mistakes found so far; files are named as seen from the folder they were found in."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def add(self, file: str, line: int, code: str, **fields: object) -> None:
        """Note a mistake of MISTAKES."""
        zh, en = (text.format(**fields) for text in MISTAKES[code])
        self.mistakes.append(Mistake(file, line, code, zh, en))

    def settle(self) -> None:
        """Raise StandardError when anything was noted."""
        if self.mistakes:
            raise StandardError(self.mistakes)


_NODES: type = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_NOTHING = yaml.MappingNode("", [], yaml.Mark("", 0, 0, 0, "", 0))


def decimal(text: str) -> Fraction | None:
    """A decimal number such as -0.239 or 5e-4, exactly; None for anything else."""
    return Fraction(text) if re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?(e-?[0-9]{1,2})?", text) else None


class Section:
    """A group of `name: value` lines. What was not asked for by `done()` is a mistake: most often a misspelling."""

    def __init__(self, notes: Notes, file: str, node: yaml.Node, fallback: Section | None = None) -> None:
        self.notes, self.file, self.line = notes, file, node.start_mark.line + 1
        self._nodes: dict[str, yaml.Node] = {}
        self._lines: dict[str, int] = {}
        self._asked: set[str] = set()
        self._looked_for: set[str] = set()
        self._fallback = fallback
        if not isinstance(node, yaml.MappingNode):
            notes.add(file, self.line, "not_a_map")
            return
        for key, value in node.value:
            if key.value in self._nodes:
                notes.add(file, key.start_mark.line + 1, "twice", what=key.value)
            self._nodes[key.value], self._lines[key.value] = value, key.start_mark.line + 1

    def __contains__(self, name: str) -> bool:
        self._looked_for.add(name)
        return name in self._nodes or (self._fallback is not None and name in self._fallback)

    def names(self) -> list[str]:
        """The names of this group, as they stand in the file; asking for them this way counts as asking for each."""
        self._asked.update(self._nodes)
        return list(self._nodes)

    def mistake(self, code: str, name: str = "", **fields: object) -> None:
        """Note a mistake at a value of this group, where it was taken from, or at the group itself."""
        inherited = self._fallback._lines.get(name, self.line) if self._fallback else self.line
        self.notes.add(self.file, self._lines.get(name, inherited), code, **fields)

    def text(self, name: str, default: str | None = None) -> str:
        """One value as it is written; without a default it must be there."""
        node = self._node(name, default is None)
        if node is None:
            return (
                self._fallback.text(name, default or "") if self._fallback and name in self._fallback else default or ""
            )
        if not isinstance(node, yaml.ScalarNode):
            self.mistake("not_text", name, what=name)
            return ""
        return str(node.value)

    def one_of(self, name: str, known: Collection[str], default: str | None = None) -> str:
        """One of several words."""
        text = self.text(name, default)
        if name in self and text not in known:
            self.mistake("not_one_of", name, what=name, known=", ".join(sorted(known)))
        return text

    def name(self, name: str, reserved: Collection[str] = ()) -> str:
        """A name that may stand in a formula."""
        text = self.text(name)
        if name in self:
            self.check_name(name, text, reserved)
        return text

    def check_name(self, name: str, text: str, reserved: Collection[str]) -> None:
        """Note a mistake at `name` when `text` is no name a formula could use."""
        if not re.fullmatch("[a-z][a-z0-9_]*", text) or text in reserved or keyword.iskeyword(text):
            self.mistake("not_a_name", name, what=text)

    def date(self, name: str, optional: bool = False) -> date | None:
        """A date, or None when it is optional and absent or empty."""
        text = self.text(name, "" if optional else None)
        if not text and (optional or name not in self):
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.mistake("not_a_date", name, what=name)
            return None

    def integer(self, name: str, optional: bool = False) -> int | None:
        """A whole number, or None when it is optional and absent or empty."""
        text = self.text(name, "" if optional else None)
        if not text and (optional or name not in self):
            return None
        if not re.fullmatch("-?[0-9]{1,18}", text):
            self.mistake("not_an_integer", name, what=name)
            return None
        return int(text)

    def number(self, name: str, default: str | None = None) -> Fraction:
        """A decimal number, exactly."""
        text = self.text(name, default)
        if not text and name not in self:
            return Fraction(0)
        number = decimal(text)
        if number is None:
            self.mistake("not_a_number", name, what=name)
        return number or Fraction(0)

    def both(self, name: str, optional: bool = False) -> dict[str, str]:
        """A text in both languages: {zh, en}."""
        if optional and name not in self:
            return {}
        section = self.section(name)
        texts = {"zh": section.text("zh"), "en": section.text("en")}
        section.done()
        return texts

    def texts(self, name: str) -> list[str]:
        """A list of values."""
        node = self._node(name, True)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode) or any(not isinstance(item, yaml.ScalarNode) for item in node.value):
            self.mistake("not_a_list", name)
            return []
        return [str(item.value) for item in node.value]

    def section(self, name: str) -> Section:
        """A group within this one; an empty one when it is missing, which is noted."""
        node = self._node(name, True)
        if node is None:
            if self._fallback and name in self._fallback:
                return self._fallback.section(name)
            return _Missing(self)
        return Section(self.notes, self.file, node)

    def sections(self, name: str, fallback: Section | None = None, optional: bool = False) -> Iterator[Section]:
        """The groups of a list; what one does not say is taken from `fallback`."""
        node = self._node(name, not optional)
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode):
            self.mistake("not_a_list", name)
            return
        for item in node.value:
            yield Section(self.notes, self.file, item, fallback)

    def done(self) -> None:
        """Note every name nobody asked for."""
        known = self._asked | self._looked_for
        for name in self._nodes.keys() - self._asked:
            near = difflib.get_close_matches(name, known - {name}, 1)
            told = [*near, *sorted(known - {name, *near})]  # the likeliest first
            self.mistake("unknown_field", name, what=name, known=", ".join(told))

    def _node(self, name: str, required: bool) -> yaml.Node | None:
        self._asked.add(name)
        if name not in self._nodes and required and name not in self:
            self.mistake("missing", what=name)
        return self._nodes.get(name)


class _Missing(Section):
    """Stands in for a group that is not there: asks nothing more of its writer."""

    def __init__(self, parent: Section) -> None:
        super().__init__(parent.notes, parent.file, _NOTHING)
        self.line = parent.line

    def mistake(self, code: str, name: str = "", **fields: object) -> None:
        """Its absence has been noted already."""


def read(notes: Notes, path: Path, file: str) -> Section:
    """A YAML file as a section; an empty one when it cannot be read, which is noted."""
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=_NODES)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        notes.add(file, mark.line + 1 if mark else 1, "yaml", what=error.problem or error)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        notes.add(file, 1, "unreadable")
    else:
        return Section(notes, file, node or _NOTHING)
    return _Missing(Section(notes, file, _NOTHING))
