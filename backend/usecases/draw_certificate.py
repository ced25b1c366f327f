"""Draw a certificate: A4, Chinese and English, the same bytes for the same certificate.

The drawing says nothing that the signed JSON does not say. Page one hangs on a wall; where the lineage is long, a
second page lists it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import segno
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from backend import config
from rewards import certificates

FONT_FILE = config.REPOSITORY / "build" / "assets" / "NotoSansSC-Regular.ttf"
FONT = "NotoSansSC"
ZONE = ZoneInfo("Asia/Shanghai")
WIDTH, HEIGHT = A4
LEFT, RIGHT = 64.0, WIDTH - 64.0
GREEN, GOLD, INK, SOFT = HexColor("#0f4c3a"), HexColor("#a9843f"), HexColor("#1c2624"), HexColor("#5d6b67")
RED, PALE = HexColor("#b3261e"), HexColor("#eef4f0")
LINES_ON_FRONT, SERIALS_ON_FRONT, SERIALS_ON_ANNEX = 4, 6, 110
NAMES_ON_FRONT = 6


class FontMissing(Exception):
    """The Chinese font is not there."""


def draw_certificate(signed: dict[str, Any]) -> bytes:
    """The PDF of {"certificate", "signature"}. Raises FontMissing."""
    annex, lines, room = layout(signed)
    body, buffer = signed["certificate"], io.BytesIO()
    page = Canvas(buffer, pagesize=A4, invariant=1, lang="zh-CN", initialFontName=FONT)  # type: ignore[arg-type]
    page.setTitle(f"{body['number']} 碳普惠减排量注销证书")
    page.setAuthor(body["issuer"])
    page.setSubject("Certificate of retirement")
    _front(page, signed, annex, lines, max(0.0, min(26.0, room / 6)))
    if annex:
        page.showPage()
        _annex(page, body)
    page.save()
    return buffer.getvalue()


def layout(signed: dict[str, Any]) -> tuple[bool, int, float]:
    """(with an annex, lines of lineage on page one, points left on page one): the first way that has room."""
    load_font()
    body = signed["certificate"]
    choices = [(True, LINES_ON_FRONT), (True, 1), (True, 0)]
    if len(body["lineage"]) <= LINES_ON_FRONT and len(body["serials"]) <= SERIALS_ON_FRONT:
        choices.insert(0, (False, LINES_ON_FRONT))
    for annex, lines in choices:
        room = _front(Canvas(io.BytesIO()), signed, annex, lines, 0)
        if room >= 0:
            break
    return annex, lines, room


@cache
def load_font() -> None:
    try:
        pdfmetrics.registerFont(TTFont(FONT, str(FONT_FILE)))
    except (TTFError, OSError) as error:
        raise FontMissing(
            f"{FONT_FILE} cannot be read: the set-up makes it (`./run up` or `./run demo`); "
            "字体缺失：请先运行 ./run 完成安装"
        ) from error


# --- words ---------------------------------------------------------------------------------------------------------


def quantity_text(quantity_g: int) -> tuple[str, str]:
    """(number, unit) as people read it, nothing rounded: tonnes from one tonne on, kilograms from one kilogram on."""
    for grams, unit in ((1_000_000, "t"), (1_000, "kg")):
        if quantity_g >= grams:
            whole, rest = divmod(quantity_g, grams)
            digits = f"{rest:0{len(str(grams)) - 1}d}".rstrip("0")
            return f"{whole:,}" + (f".{digits}" if digits else ""), unit
    return f"{quantity_g:,}", "g"


def _co2e(size: float) -> str:
    """CO2e with a real subscript: the font has no sign for it."""
    return f'CO<sub rise="{size * 0.16:.2f}" size="{size * 0.66:.2f}">2</sub>e'


def _style(size: float, color: Color = INK, *, leading: float = 1.4, centred: bool = False, cjk: bool = True) -> Any:
    return ParagraphStyle(
        f"{size}{color}{leading}{centred}{cjk}", fontName=FONT, fontSize=size, leading=size * leading, textColor=color,
        alignment=TA_CENTER if centred else 0, wordWrap="CJK" if cjk else None,
    )  # fmt: skip


def _text(page: Canvas, markup: str, style: Any, x: float, top: float, width: float) -> float:
    """Set a paragraph with its top at `top`; where the next may begin."""
    paragraph = Paragraph(markup, style)
    _, height = paragraph.wrap(width, HEIGHT)
    paragraph.drawOn(page, x, top - height)
    return top - height


def _bold(page: Canvas, text: str, size: float, y: float, *, color: Color = INK, spacing: float = 0) -> None:
    """A centred line, stroked as well as filled: the font has one weight."""
    width = pdfmetrics.stringWidth(text, FONT, size) + spacing * (len(text) - 1)
    line = page.beginText((WIDTH - width) / 2, y)
    line.setFont(FONT, size)
    line.setCharSpace(spacing)
    line.setFillColor(color)
    line.setStrokeColor(color)
    line.setTextRenderMode(2)
    page.saveState()
    page.setLineWidth(size * 0.022)
    line.textOut(text)
    page.drawText(line)
    page.restoreState()


# --- ornament ------------------------------------------------------------------------------------------------------


def _frame(page: Canvas) -> None:
    """A guilloche band between two rules."""
    page.setStrokeColor(GREEN)
    page.setLineWidth(1.1)
    page.rect(22, 22, WIDTH - 44, HEIGHT - 44)
    page.setLineWidth(0.35)
    page.rect(40, 40, WIDTH - 80, HEIGHT - 80)
    page.setStrokeColor(GOLD)
    page.setLineWidth(0.7)
    page.rect(44, 44, WIDTH - 88, HEIGHT - 88)
    page.setLineWidth(0.3)
    across, up = WIDTH - 62, HEIGHT - 62
    for phase in range(6):
        page.setStrokeColor(GREEN if phase % 2 else GOLD)
        shift = phase * math.pi / 3
        for y in (31.0, HEIGHT - 31):
            _curve(page, ((31 + across * t, y + 6 * math.sin(22 * math.tau * t + shift)) for t in _steps(660)))
        for x in (31.0, WIDTH - 31):
            _curve(page, ((x + 6 * math.sin(32 * math.tau * t + shift), 31 + up * t) for t in _steps(960)))
    page.setFillColor(white)
    page.setStrokeColor(GREEN)
    page.setLineWidth(0.8)
    for x in (31.0, WIDTH - 31):
        for y in (31.0, HEIGHT - 31):
            page.circle(x, y, 9, fill=1)
            _leaf(page, x, y, 6)


def _rosette(page: Canvas, x: float, y: float) -> None:
    """Faint interlaced curves behind the quantity, as on a banknote."""
    page.saveState()
    page.setStrokeColor(GREEN)
    page.setStrokeAlpha(0.12)
    page.setLineWidth(0.3)
    for middle, swing, lobes in ((104.0, 26.0, 10), (66.0, 22.0, 8), (30.0, 18.0, 6)):
        for phase in range(12):
            angles = (math.tau * t for t in _steps(300))
            radii = ((a, middle + swing * math.sin(lobes * a + phase * math.tau / 12)) for a in angles)
            _curve(page, ((x + 1.45 * r * math.cos(a), y + 0.5 * r * math.sin(a)) for a, r in radii))
    page.restoreState()


def _steps(n: int) -> Iterable[float]:
    return (i / n for i in range(n + 1))


def _curve(page: Canvas, points: Iterable[tuple[float, float]]) -> None:
    path, first = page.beginPath(), True
    for x, y in points:
        (path.moveTo if first else path.lineTo)(round(x, 2), round(y, 2))
        first = False
    page.drawPath(path)


def _leaf(page: Canvas, x: float, y: float, size: float) -> None:
    """Two leaves from one stem."""
    page.saveState()
    page.translate(x, y)
    page.setFillColor(GREEN)
    for side, scale in ((1, 1.0), (-1, 0.72)):
        path, s = page.beginPath(), size * scale
        path.moveTo(0, -size * 0.75)
        path.curveTo(side * s * 0.1, s * 0.3, side * s * 0.5, s * 0.75, side * s, s * 0.85)
        path.curveTo(side * s * 1.1, s * 0.1, side * s * 0.75, -s * 0.55, 0, -size * 0.75)
        page.drawPath(path, stroke=0, fill=1)
    page.restoreState()


def _rule(page: Canvas, y: float) -> None:
    page.setStrokeColor(GOLD)
    page.setFillColor(GOLD)
    page.setLineWidth(0.6)
    middle = WIDTH / 2
    page.line(LEFT + 70, y, middle - 9, y)
    page.line(middle + 9, y, RIGHT - 70, y)
    _diamond(page, middle, y, 3.6)


def _diamond(page: Canvas, x: float, y: float, size: float) -> None:
    path = page.beginPath()
    path.moveTo(x - size, y)
    for dx, dy in ((0, size), (size, 0), (0, -size)):
        path.lineTo(x + dx, y + dy)
    path.close()
    page.drawPath(path, stroke=0, fill=1)


def _watermark(page: Canvas) -> None:
    page.saveState()
    page.setFillColor(RED)
    page.setFillAlpha(0.07)
    page.translate(WIDTH / 2, HEIGHT / 2 - 40)
    page.rotate(38)
    page.setFont(FONT, 96)
    page.drawCentredString(0, 10, "示范 DEMO")
    page.restoreState()


def _qr(page: Canvas, url: str, x: float, y: float, size: float) -> None:
    matrix = [list(row) for row in segno.make(url, error="m").matrix]
    cell = size / len(matrix)
    page.setFillColor(INK)
    path = page.beginPath()
    for row, line in enumerate(matrix):
        for column, dark in enumerate(line):
            if dark:
                path.rect(x + column * cell, y + size - (row + 1) * cell, cell, cell)
    page.drawPath(path, stroke=0, fill=1)


# --- pages ---------------------------------------------------------------------------------------------------------


def _front(page: Canvas, signed: dict[str, Any], annex: bool, lines: int, gap: float) -> float:
    """Page one, with `gap` more between its parts; the room that is left, negative when they run into one another."""
    body = signed["certificate"]
    if body["demonstration"]:
        _watermark(page)
    _frame(page)
    _leaf(page, WIDTH / 2, HEIGHT - 78 - gap / 3, 15)
    _bold(page, "碳普惠减排量注销证书", 27, HEIGHT - 130 - gap / 2, color=GREEN, spacing=5)
    _bold(page, "CERTIFICATE OF RETIREMENT", 11, HEIGHT - 150 - gap / 2, color=GOLD, spacing=3.4)
    _rule(page, HEIGHT - 166 - gap * 0.7)
    y = _opening(page, body, HEIGHT - 178 - gap)
    y = _amount(page, body, y - 8 - gap)
    y = _details(page, body, y - 12 - gap)
    y = _lineage(page, body["lineage"][:lines], len(body["lineage"]), y - 10 - gap)
    if not annex:
        y = _serials(page, body["serials"], y - 4 - gap / 4, columns=1 if len(body["serials"]) < 4 else 2)
    else:
        n = len(body["serials"])
        note = f"序号共 {n} 段，见附页 · {n} serial ranges, listed in the annex"
        y = _text(page, note, _style(7.5, SOFT), LEFT, y - 5, RIGHT - LEFT)
    return y - 8 - _foot(page, body, signed["signature"])


def _opening(page: Canvas, body: dict[str, Any], y: float) -> float:
    on = datetime.fromisoformat(body["issued_at"]).astimezone(ZONE)
    wide = RIGHT - LEFT
    if body["demonstration"]:
        text = "示范，不得用于任何声明 · DEMONSTRATION, NO CLAIM MAY BE MADE"
        page.setStrokeColor(RED)
        page.setLineWidth(0.9)
        page.roundRect(WIDTH / 2 - 178, y - 19, 356, 19, 4)
        _text(page, text, _style(9.5, RED, leading=1.2, centred=True), LEFT, y - 3.5, wide)
        y -= 27
    line = f"编号 No. {body['number']}　·　{on.year} 年 {on.month} 月 {on.day} 日　{on:%Y-%m-%d}"
    y = _text(page, line, _style(8.5, SOFT, centred=True), LEFT, y, wide) - 9
    y = _text(page, "兹证明下列减排量已永久注销，归属", _style(11, centred=True), LEFT, y, wide)
    english = "This certifies that the reductions stated below have been retired for good, for the benefit of"
    y = _text(page, english, _style(8.5, SOFT, centred=True, cjk=False), LEFT, y, wide) - 4
    entities = certificates.beneficiaries(body)
    y = _name(page, entities[0], y) if len(entities) == 1 else _names(page, entities, y)
    if "on_behalf_of" in body:
        other = body["on_behalf_of"]
        shown = f"代表 on behalf of　{escape(other['name'])}　{escape(other['uscc'])}"
        y = _text(page, shown, _style(9, centred=True), LEFT, y - 2, wide)
    return y


def _name(page: Canvas, entity: dict[str, str], y: float) -> float:
    wide = RIGHT - LEFT
    size = max(11.0, min(21.0, 0.97 * wide / pdfmetrics.stringWidth(entity["name"], FONT, 1)))
    y = _text(page, escape(entity["name"]), _style(size, GREEN, leading=1.45, centred=True), LEFT, y, wide)
    if entity.get("name_en"):
        y = _text(page, escape(entity["name_en"]), _style(10, GREEN, centred=True, cjk=False), LEFT, y, wide)
    code = f"统一社会信用代码 Unified Social Credit Code　{escape(entity['uscc'])}"
    return _text(page, code, _style(8.5, SOFT, centred=True), LEFT, y - 1, wide)


def _names(page: Canvas, entities: Sequence[dict[str, Any]], y: float) -> float:
    """Several beneficiaries, each with its part; of many the first, and how many more the JSON names."""
    wide = RIGHT - LEFT
    for entity in entities[:NAMES_ON_FRONT]:
        number, unit = quantity_text(entity["quantity_g"])
        code = f"<font size='8' color='#5d6b67'>{escape(entity['uscc'])}</font>"
        shown = f"{escape(_short(entity['name'], 40))}　{code}　{number} {unit}"
        y = _text(page, shown, _style(11, GREEN, leading=1.4, centred=True), LEFT, y, wide)
    if (more := len(entities) - NAMES_ON_FRONT) > 0:
        note = f"及另外 {more} 个受益主体，见证书数据文件 · and {more} more, listed in the certificate's data"
        y = _text(page, note, _style(8, SOFT, centred=True), LEFT, y, wide)
    return y


def _amount(page: Canvas, body: dict[str, Any], y: float) -> float:
    number, unit = quantity_text(body["quantity_g"])
    _rosette(page, WIDTH / 2, y - 34)
    size = max(20.0, min(38.0, 0.7 * (RIGHT - LEFT) / pdfmetrics.stringWidth(f"{number} {unit}", FONT, 1)))
    shown = f'{number} <font size="{size * 0.55}">{unit} {_co2e(size * 0.55)}</font>'
    y = _text(page, shown, _style(size, GREEN, leading=1.35, centred=True), LEFT, y, RIGHT - LEFT)
    exact = f"{body['quantity_g']:,} 克二氧化碳当量 grams {_co2e(8.5)}"
    return _text(page, exact, _style(8.5, SOFT, centred=True), LEFT, y - 1, RIGHT - LEFT)


def _details(page: Canvas, body: dict[str, Any], y: float) -> float:
    purpose, period = body["purpose"], body["period"]
    company = (
        f"{escape(body['company']['name'])}　<font color='#5d6b67' size='7'>{escape(body['company']['id'])}</font>"
    )
    rows = [
        ("注销人", "Retired by", company),
        ("用途", "Purpose", f"{purpose['zh']}　<font color='#5d6b67'>{purpose['en']}</font>"),
        ("期间 · 地域", "Period · place", f"{period['from']} — {period['to']}　·　{escape(body['jurisdiction'])}"),
    ]
    if "footprint" in body:
        number, unit = quantity_text(body["footprint"]["quantity_g"])
        stated = f"{number} {unit} {_co2e(9)}　{escape(_short(body['footprint']['boundary'], 80))}"
        covered = f"　· 已抵 {_percent(body['covered_ppm'])} covered"
        rows.append(("所陈述的足迹", "Stated footprint", stated + covered))
    if "note" in body:
        rows.append(("备注", "Note", escape(_short(body["note"], 80))))
    for zh, en, value in rows:
        page.setStrokeColor(PALE)
        page.setLineWidth(0.7)
        page.line(LEFT, y + 1, RIGHT, y + 1)
        _text(page, f"{zh}　<font size='7' color='#5d6b67'>{en}</font>", _style(9, leading=1.5), LEFT, y - 1, 140)
        y = _text(page, value, _style(9, leading=1.5), LEFT + 142, y - 1, RIGHT - LEFT - 142) - 2
    return y


def _percent(ppm: int) -> str:
    """Parts per million as percent with two places, rounded down."""
    return f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"


_COLUMNS = (("批次", "Batch", 0), ("地区", "Region", 50), ("方法学", "Methodology", 148),
            ("月份", "Vintage", 322), ("数量", "Quantity", 380))  # fmt: skip


def _lineage(page: Canvas, lines: Sequence[dict[str, Any]], total: int, y: float) -> float:
    """Where the grams come from: one row a batch."""
    if lines:
        page.setFillColor(GREEN)
        page.rect(LEFT, y - 16, RIGHT - LEFT, 16, stroke=0, fill=1)
    for zh, en, x in _COLUMNS if lines else ():
        _text(page, f"{zh} <font size='6.5'>{en}</font>", _style(8, white, leading=1.2), LEFT + x + 5, y - 2.5, 120)
    y -= 16
    for number, line in enumerate(lines):
        top = y
        grams, unit = quantity_text(line["quantity_g"])
        method = line["methodology"]
        status = "　<font color='#b3261e'>暂行 provisional</font>" if method["status"] == "provisional" else ""
        if own := line.get("own_ppm"):
            status += f"　<font color='#b3261e'>含自有合作方 own partners {_percent(own)}</font>"
        cells = (
            str(line["batch"]),
            f"{line['region']['zh']} {line['region']['en']}",
            f"{method['zh']} {method['en']} {method['version']}{status}",
            line["vintage"],
            f"{grams} {unit}",
        )
        widths = (44, 94, 170, 54, 84)
        height = 5 + max(_height(text, width) for text, width in zip(cells, widths, strict=True))
        if number % 2 == 0:
            page.setFillColor(PALE)
            page.rect(LEFT, top - height, RIGHT - LEFT, height, stroke=0, fill=1)
        for text, (_, _, x), width in zip(cells, _COLUMNS, widths, strict=True):
            _text(page, text, _CELL, LEFT + x + 5, top - 2, width)
        y = top - height
    if total > len(lines):
        more = f"另有 {total - len(lines)} 批，见附页 · {total - len(lines)} more batches in the annex"
        y = _text(page, more, _style(7.5, SOFT), LEFT, y - 3, RIGHT - LEFT)
    return y


_CELL = _style(7.8, leading=1.35)


def _height(markup: str, width: float) -> float:
    return float(Paragraph(markup, _CELL).wrap(width, HEIGHT)[1])


def _serials(page: Canvas, serials: Sequence[str], y: float, *, columns: int) -> float:
    style = _style(7.2, SOFT, leading=1.4, cjk=False)
    y = _text(page, "序号 Serial numbers", _style(7.5, SOFT), LEFT, y, 200)
    rows = -(-len(serials) // columns)
    for column in range(columns):
        part = serials[column * rows : (column + 1) * rows]
        x = LEFT + column * (RIGHT - LEFT) / columns
        bottom = _text(page, "<br/>".join(part), style, x, y, (RIGHT - LEFT) / columns) if part else y
        if column == 0:
            lowest = bottom
    return lowest


def _foot(page: Canvas, body: dict[str, Any], signature: dict[str, str]) -> float:
    """Statements, signature and QR code, from the bottom up; where they begin."""
    qr, bottom = 76.0, 58.0
    _qr(page, body["url"], RIGHT - qr, bottom, qr)
    wide = RIGHT - LEFT - qr - 16
    value = signature["value"]
    signed = (
        f"签发平台 Issued by　{escape(body['issuer'])}<br/>"
        f"查验 Check　{escape(body['url'])}<br/>"
        f"签名 Signature　{signature['alg']}　{escape(signature['kid'])}<br/>"
        f"{escape(value[: len(value) // 2])}<br/>{escape(value[len(value) // 2 :])}"
    )
    paragraph = Paragraph(signed, _style(6.4, SOFT, leading=1.45))
    _, height = paragraph.wrap(wide, HEIGHT)
    paragraph.drawOn(page, LEFT, bottom)
    said = "<br/>".join(f"{s['zh']} {s['en']}" for s in body["statements"] if not s["zh"].startswith("示范"))
    statement = Paragraph(said, _style(6.8, INK, leading=1.45))
    _, tall = statement.wrap(wide, HEIGHT)
    statement.drawOn(page, LEFT, bottom + height + 7)
    page.setStrokeColor(GOLD)
    page.setLineWidth(0.6)
    top = bottom + height + tall + 14
    page.line(LEFT, top, RIGHT, top)
    return top


def _annex(page: Canvas, body: dict[str, Any]) -> None:
    if body["demonstration"]:
        _watermark(page)
    _frame(page)
    _bold(page, "附页　减排量来源与序号", 15, HEIGHT - 84, color=GREEN, spacing=2)
    _bold(page, "ANNEX: LINEAGE AND SERIAL NUMBERS", 8.5, HEIGHT - 100, color=GOLD, spacing=2)
    y = _text(page, f"编号 No. {body['number']}", _style(8.5, SOFT, centred=True), LEFT, HEIGHT - 108, RIGHT - LEFT)
    y = _lineage(page, body["lineage"][:20], len(body["lineage"]), y - 8)
    room = max(2, 2 * int((y - 104) / 10.2))
    shown = body["serials"][: min(room, SERIALS_ON_ANNEX)]
    y = _serials(page, shown, y - 8, columns=2)
    if len(shown) < len(body["serials"]):
        left = len(body["serials"]) - len(shown)
        more = (
            f"另有 {left} 段序号，见证书 JSON · {left} more ranges: see the certificate's JSON at {escape(body['url'])}"
        )
        _text(page, more, _style(7.5, SOFT), LEFT, y - 4, RIGHT - LEFT)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
