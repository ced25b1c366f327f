"""What the pages of a certificate are drawn with: words, a QR code, and the ornaments of a thing worth keeping."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal
from zoneinfo import ZoneInfo

import segno
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

FONT = "NotoSansSC"
ZONE = ZoneInfo("Asia/Shanghai")
WIDTH, HEIGHT = A4
LEFT, RIGHT = 64.0, WIDTH - 64.0
WIDE = RIGHT - LEFT
GREEN, GOLD, INK, SOFT = HexColor("#0f4c3a"), HexColor("#a9843f"), HexColor("#1c2624"), HexColor("#5d6b67")
RED, PALE = HexColor("#b3261e"), HexColor("#eef4f0")
_FRAME = "frame"

# --- words ---------------------------------------------------------------------------------------------------------


def quantity_text(quantity_g: int) -> tuple[str, str]:
    """(number, unit) as people read it, nothing rounded: tonnes from one tonne on, kilograms from one kilogram on."""
    for grams, unit in ((1_000_000, "t"), (1_000, "kg")):
        if quantity_g >= grams:
            whole, rest = divmod(quantity_g, grams)
            digits = f"{rest:0{len(str(grams)) - 1}d}".rstrip("0")
            return f"{whole:,}" + (f".{digits}" if digits else ""), unit
    return f"{quantity_g:,}", "g"


def co2e(size: float) -> str:
    """CO2e with a real subscript: the font has no sign for it."""
    return f'CO<sub rise="{size * 0.16:.2f}" size="{size * 0.66:.2f}">2</sub>e'


def style(
    size: float, color: Color = INK, *, leading: float = 1.4, at: Literal[0, 1, 2] = TA_LEFT, cjk: bool = True
) -> Any:
    """cjk: lines may break between any two signs, as Chinese does; else between words."""
    return ParagraphStyle(
        f"{size}{color}{leading}{at}{cjk}", fontName=FONT, fontSize=size, leading=size * leading, textColor=color,
        alignment=at, wordWrap="CJK" if cjk else None,
    )  # fmt: skip


def short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def percent(ppm: int) -> str:
    """Parts per million as percent with two places, rounded down."""
    return f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"


def set_text(page: Canvas, markup: str, style: Any, x: float, top: float, width: float) -> float:
    """Set a paragraph with its top at `top`; where the next may begin."""
    paragraph = Paragraph(markup, style)
    _, height = paragraph.wrap(width, HEIGHT)
    paragraph.drawOn(page, x, top - height)
    return top - height


def bold(page: Canvas, text: str, size: float, y: float, *, color: Color = INK, spacing: float = 0) -> None:
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


def paper(page: Canvas, body: dict[str, Any]) -> None:
    """What is under the words of every page; the frame is written into the file once, however many have it."""
    if body["demonstration"]:
        _watermark(page)
    if not page.hasForm(_FRAME):
        page.beginForm(_FRAME)
        _draw_frame(page)
        page.endForm()
    page.doForm(_FRAME)


def _draw_frame(page: Canvas) -> None:
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
            leaf(page, x, y, 6)


def rosette(page: Canvas, x: float, y: float) -> None:
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


def leaf(page: Canvas, x: float, y: float, size: float) -> None:
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


def rule(page: Canvas, y: float) -> None:
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


def qr(page: Canvas, url: str, x: float, y: float, size: float) -> None:
    """The address as a QR code, its quiet zone left to the paper; a click on it opens the page."""
    matrix = segno.make(url, error="m").matrix
    cell = size / len(matrix)
    page.setFillColor(INK)
    path = page.beginPath()
    for row, line in enumerate(matrix):
        for column, dark in enumerate(line):
            if dark:
                path.rect(x + column * cell, y + size - (row + 1) * cell, cell, cell)
    page.drawPath(path, stroke=0, fill=1)
    page.linkURL(url, (x, y, x + size, y + size))
