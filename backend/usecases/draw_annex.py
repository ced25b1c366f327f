"""Draw what a certificate has no room for on its first page: every beneficiary, batch and serial, on as many pages as
it takes. The tables of the first page are these, too.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import white
from reportlab.lib.enums import TA_CENTER, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from backend.usecases import draw_parts as parts
from backend.usecases.draw_parts import FONT, GREEN, HEIGHT, LEFT, PALE, SOFT, WIDE, quantity_text, set_text, style
from rewards import certificates

LINES_MOST, SERIALS_MOST = 400, 2000  # more are in the certificate's data alone
HEADS = 23.0  # the height of a table's heads
_BOTTOM = 66.0
_TINY, _RED = "<font size='6.4' color='#5d6b67'>", "<font color='#b3261e'>"
_CELL, _NUMBER = style(7.4, leading=1.35), style(7.4, leading=1.35, at=TA_RIGHT)
_HEAD, _HEAD_NUMBER = style(7.6, white, leading=1.2), style(7.6, white, leading=1.2, at=TA_RIGHT)

Columns = Sequence[tuple[str, str, float, float]]  # 中文, English, left edge, width
LINEAGE: Columns = (
    ("批次", "Batch", 0, 34), ("行为与方法学", "Behaviour, methodology", 34, 133), ("地区", "Region", 167, 68),
    ("月份", "Vintage", 235, 42), ("核查", "Attested", 277, 64), ("依据", "Rests on", 341, 70),
    ("数量", "Quantity", 411, 56),
)  # fmt: skip
_WHOM: Columns = (
    ("受益主体", "Beneficiary", 0, 280), ("统一社会信用代码", "Unified Social Credit Code", 280, 117),
    ("数量", "Quantity", 397, 70),
)  # fmt: skip
_ASSURANCE = {"limited": "有限保证 limited", "reasonable": "合理保证 reasonable"}


def draw_annex(page: Canvas, body: dict[str, Any]) -> None:
    """The pages after the first."""
    counted = _Annex(Canvas(io.BytesIO(), pagesize=A4), body, 0)
    counted.draw()
    _Annex(page, body, counted.number).draw()


# --- tables --------------------------------------------------------------------------------------------------------


def words(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(中文, English, text) of what people wrote: page one cuts it short."""
    found = []
    if "footprint" in body:
        found.append(("所陈述足迹的边界", "Boundary of the stated footprint", body["footprint"]["boundary"]))
    if "neutrality_claim" in body:
        found.append(("中和声明", "Neutrality claim", body["neutrality_claim"]["statement"]))
    if "note" in body:
        found.append(("备注", "Note", body["note"]))
    return found


def heads(page: Canvas, columns: Columns, y: float) -> float:
    page.setFillColor(GREEN)
    page.rect(LEFT, y - HEADS, WIDE, HEADS, stroke=0, fill=1)
    for zh, en, x, width in columns:
        text = f"{zh}<br/><font size='6'>{en}</font>"
        set_text(page, text, _HEAD_NUMBER if zh == "数量" else _HEAD, LEFT + x + 4, y - 2, width - 8)
    return y - HEADS


def row(page: Canvas, columns: Columns, cells: Sequence[str], y: float, *, shaded: bool) -> float:
    height = row_height(columns, cells)
    if shaded:
        page.setFillColor(PALE)
        page.rect(LEFT, y - height, WIDE, height, stroke=0, fill=1)
    for (zh, _, x, width), text in zip(columns, cells, strict=True):
        set_text(page, text, _NUMBER if zh == "数量" else _CELL, LEFT + x + 4, y - 2, width - 8)
    return y - height


def row_height(columns: Columns, cells: Sequence[str]) -> float:
    tall = (Paragraph(text, _CELL).wrap(one[3] - 8, HEIGHT)[1] for one, text in zip(columns, cells, strict=True))
    return 5 + float(max(tall))


def lineage_cells(line: dict[str, Any]) -> list[str]:
    """A batch as cells of the table: where its grams come from, attested by whom, resting on how much."""
    number, unit = quantity_text(line["quantity_g"])
    method, attested = line["methodology"], line["attestation"]
    provisional = method["status"] == "provisional"
    own = line.get("own_ppm", 0)
    rests = "—"
    if "people_in_batch" in line:
        rests = f"{line['deeds_in_batch']:,} 次 deeds<br/>{line['people_in_batch']:,} 人 people"
    return [
        str(line["batch"]),
        f"{escape(method['zh'])} {method['version']}" + (f" {_RED}暂行</font>" if provisional else "")
        + f"<br/>{escape(method['en'])}" + (f" {_RED}provisional</font>" if provisional else "")
        + (f"<br/>{_RED}含自有合作方 own partners {parts.percent(own)}</font>" if own else ""),
        f"{escape(line['region']['zh'])}<br/>{escape(line['region']['en'])}",
        line["vintage"],
        f"{escape(attested['verifier'])}<br/>{_TINY}{_ASSURANCE.get(attested['assurance'], '')}</font>",
        rests,
        f"{number} {unit}",
    ]  # fmt: skip


def lineage(page: Canvas, lines: Sequence[dict[str, Any]], y: float) -> float:
    """Where the grams come from: one row a batch."""
    y = heads(page, LINEAGE, y) if lines else y
    for number, line in enumerate(lines):
        y = row(page, LINEAGE, lineage_cells(line), y, shaded=number % 2 == 0)
    return y


def serials(page: Canvas, texts: Sequence[str], y: float, room: float = HEIGHT) -> tuple[float, int]:
    """In columns, as many as there is room for: (where the next may begin, how many)."""
    widest = max(pdfmetrics.stringWidth(text, FONT, 1) for text in texts)
    columns = 2 if len(texts) > 3 and 0.48 * WIDE / widest > 6 else 1
    size = min(7.2, (0.97 if columns == 1 else 0.48) * WIDE / widest)
    rows = min(-(-len(texts) // columns), int((room - 10) / 10.2))
    shown = texts[: max(rows, 0) * columns]
    page.setFillColor(SOFT)
    page.setFont(FONT, size)
    for place, text in enumerate(shown):
        column, line = divmod(place, rows)
        page.drawString(LEFT + column * WIDE / 2, y - 9 - line * 10.2, text)
    return y - max(rows, 0) * 10.2 - 3, len(shown)


# --- pages ---------------------------------------------------------------------------------------------------------


class _Annex:
    """Pages one after another; `total` is told on each."""

    def __init__(self, page: Canvas, body: dict[str, Any], total: int) -> None:
        self.page, self.body, self.total = page, body, total
        self.number, self.y = 0, 0.0

    def draw(self) -> None:
        self._begin()
        whom, lines, texts = certificates.beneficiaries(self.body), self.body["lineage"], self.body["serials"]
        if len(whom) > 1:
            self._table("受益主体", "Beneficiaries", _WHOM, [_whom_cells(one) for one in whom])
        self._words("注销人", "Retired by", " ".join((self.body["company"]["name"], self.body["company"]["id"])))
        if other := self.body.get("on_behalf_of"):
            self._words("代表", "On behalf of", " ".join(other.values()))
        for zh, en, text in words(self.body):
            self._words(zh, en, text)
        self._table("减排量来源", "Lineage", LINEAGE, [lineage_cells(one) for one in lines[:LINES_MOST]])
        self._rest(len(lines) - LINES_MOST, "批", "batches")
        self._serials(texts[:SERIALS_MOST])
        self._rest(len(texts) - SERIALS_MOST, "段序号", "serial ranges")

    def _begin(self) -> None:
        """A new page."""
        page, number = self.page, self.body["number"]
        page.showPage()
        self.number += 1
        parts.paper(page, self.body)
        parts.bold(page, "附页　减排量来源与序号", 15, HEIGHT - 84, color=GREEN, spacing=2)
        parts.bold(page, "ANNEX: LINEAGE AND SERIAL NUMBERS", 8.5, HEIGHT - 100, color=parts.GOLD, spacing=2)
        line = f"证书编号 Certificate {number}　·　附页 Annex {self.number} / {self.total}"
        self.y = set_text(page, line, style(8.5, SOFT, at=TA_CENTER), LEFT, HEIGHT - 108, WIDE) - 8

    def _need(self, height: float) -> bool:
        """Begin a new page unless there is so much room; whether it did."""
        if self.y - height >= _BOTTOM:
            return False
        self._begin()
        return True

    def _title(self, zh: str, en: str, below: float) -> None:
        self._need(below + 18)
        title = f"{zh}　<font size='7.5' color='#5d6b67'>{en}</font>"
        self.y = set_text(self.page, title, style(9.5, GREEN), LEFT, self.y - 4, WIDE) - 3

    def _table(self, zh: str, en: str, columns: Columns, rows: Sequence[Sequence[str]]) -> None:
        self._title(zh, en, 60)
        self.y = heads(self.page, columns, self.y)
        for number, cells in enumerate(rows):
            if self._need(row_height(columns, cells)):
                self.y = heads(self.page, columns, self.y)
            self.y = row(self.page, columns, cells, self.y, shaded=number % 2 == 0)
        self.y -= 6

    def _words(self, zh: str, en: str, text: str) -> None:
        paragraph = style(8, leading=1.5)
        self._title(zh, en, Paragraph(escape(text), paragraph).wrap(WIDE, HEIGHT)[1])
        self.y = set_text(self.page, escape(text), paragraph, LEFT, self.y, WIDE) - 6

    def _serials(self, texts: Sequence[str]) -> None:
        self._title("序号", f"Serial numbers: {len(self.body['serials'])} ranges", 40)
        while texts:
            self.y, shown = serials(self.page, texts, self.y, self.y - _BOTTOM)
            if texts := texts[shown:]:
                self._begin()

    def _rest(self, count: int, zh: str, en: str) -> None:
        if count > 0:
            address = escape(self.body["url"])
            text = (
                f"另有 {count:,} {zh}，见证书数据 · {en} that only the certificate's data lists: {count:,}　{address}"
            )
            self._need(24)
            self.y = set_text(self.page, text, style(7.5, SOFT), LEFT, self.y - 2, WIDE) - 6


def _whom_cells(entity: dict[str, Any]) -> list[str]:
    number, unit = quantity_text(entity["quantity_g"])
    english = f"<br/>{escape(entity['name_en'])}" if entity.get("name_en") else ""
    return [escape(entity["name"]) + english, escape(entity["uscc"]), f"{number} {unit}"]
