"""The registry as files, page by page: a table (CSV), and the same as JSON. Each page is of a moment of its own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from backend.platform import Platform
from backend.usecases import search_registry
from rewards import serials

PAGE = 500
FORMAT = "tanpuhui-registry/1"
BOM = "\ufeff"  # by which Excel knows UTF-8

# A row is a range of serials. The names as `serials check` knows them: serial and quantity.
COLUMNS = {
    "certificate": "证书编号", "url": "证书网址", "retired_at": "注销时间", "company": "注销企业",
    "beneficiary": "受益人", "uscc": "统一社会信用代码", "purpose": "用途",
    "period_from": "期间起", "period_to": "期间止", "batch": "批次", "region_code": "地区代码", "region": "地区",
    "methodology_code": "方法学代码", "methodology": "方法学", "version": "方法学版本", "vintage": "减排月份",
    "serial": "序列号", "quantity_g": "数量", "unit": "单位", "demonstration": "示范",
}  # fmt: skip
_FORMULAS = tuple("=+-@＝＋－＠\t\r\n")  # what may begin one, also as Chinese keyboards write it
_YES = {"zh": ("否", "是"), "en": ("no", "yes")}

Item = dict[str, Any]


def export_table(platform: Platform, wish: search_registry.Wish, language: str) -> Iterator[str]:
    """CSV (RFC 4180) for Excel: the header in the language, 'zh' or 'en', then a row a range of serials.

    The first page is searched at once. Raises Problem request_invalid.
    """
    pages = _pages(platform, wish)
    zone = platform.standard.nation.timezone

    def rows(item: Item) -> Iterator[list[str]]:
        at = item["retired_at"].astimezone(zone).isoformat(timespec="seconds")
        for line in item["lines"]:
            for serial in line["serials"]:
                yield _row(item | {"retired_at": at}, line, serial, language)

    header = list(COLUMNS.values()) if language == "zh" else list(COLUMNS)
    texts = (_csv(row for item in page for row in rows(item)) for page in pages)
    return chain([BOM + _csv([header])], texts)


def _csv(rows: Iterable[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([safe(cell) for cell in row] for row in rows)
    return out.getvalue()


def safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULAS) else cell


def _row(item: Item, line: Item, serial: str, language: str) -> list[str]:
    """In the order of COLUMNS."""
    entities = item["beneficiaries"]
    names = [entity.get("name_en") or entity["name"] if language == "en" else entity["name"] for entity in entities]
    region, methodology = line["region"], line["methodology"]
    return [
        item["number"], item["url"], item["retired_at"], item["company"], "; ".join(names),
        "; ".join(entity["uscc"] for entity in entities), item["purpose"][language], item["period"]["from"],
        item["period"]["to"], str(line["batch"]), region["code"], region[language], methodology["code"],
        methodology[language], methodology["version"], line["vintage"], serial,
        str(serials.parse(serial).span.quantity_g), "gCO2e", _YES[language][line["demonstration"]],
    ]  # fmt: skip


def export_json(
    platform: Platform, wish: search_registry.Wish, head: Item, shape: Callable[[Item], Item]
) -> Iterator[str]:
    """{"format", **head, "items"}: the items as `shape` makes them. Raises Problem request_invalid."""
    pages = _pages(platform, wish)
    opening = json.dumps({"format": FORMAT, **head}, ensure_ascii=False)[:-1]
    return chain([f'{opening}, "items": ['], listed((shape(i) for i in page) for page in pages), ["\n]}\n"])


def listed(pages: Iterable[Iterable[Item]]) -> Iterator[str]:
    """The members of a JSON list, a line each, page by page."""
    between = "\n"
    for page in pages:
        if text := ",\n".join(json.dumps(member, ensure_ascii=False) for member in page):
            yield between + text
            between = ",\n"


def _pages(platform: Platform, wish: search_registry.Wish) -> Iterator[list[Item]]:
    """What is wrong with the wish is said before anything is sent."""
    pages = search_registry.pages(platform, wish, PAGE)
    return chain([next(pages)], pages)
