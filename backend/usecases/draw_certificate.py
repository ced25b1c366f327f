"""Draw a certificate: A4, Chinese and English on one sheet, the same bytes for the same certificate.

The drawing says nothing that the signed JSON does not say, and never anything of later amendments. Page one hangs on a
wall; what it has no room for follows in an annex.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.enums import TA_CENTER
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from backend import config
from backend.usecases import draw_annex, draw_parts
from backend.usecases.draw_parts import (
    FONT,
    GOLD,
    GREEN,
    HEIGHT,
    INK,
    LEFT,
    PALE,
    RED,
    RIGHT,
    SOFT,
    WIDE,
    WIDTH,
    co2e,
    percent,
    quantity_text,
    set_text,
    short,
    style,
)
from rewards import certificates

FONT_FILE = config.REPOSITORY / "build" / "assets" / "NotoSansSC-Regular.ttf"
LINES_ON_FRONT, SERIALS_ON_FRONT, NAMES_ON_FRONT, SIGNS_ON_FRONT = 4, 6, 6, 80
METHODS = (
    "减排量由每一次行为按所列方法学及其版本核算，事后签发，并经所列核查方核查。",
    "Each act was measured by the methodology and version named above; credits were issued afterwards, "
    "once a verifier had attested the batch.",
)


class FontMissing(Exception):
    """The Chinese font is not there."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How page one is filled. room: the points that are left on it, negative when its parts run into one another."""

    annex: bool
    lines: int  # of the lineage
    names: int = NAMES_ON_FRONT  # of several beneficiaries
    signs: int = SIGNS_ON_FRONT  # of each of the words that people wrote
    room: float = 0


def draw_certificate(signed: dict[str, Any]) -> bytes:
    """The PDF of {"certificate", "signature"}. Raises FontMissing."""
    chosen = layout(signed)
    body, buffer = signed["certificate"], io.BytesIO()
    page = Canvas(buffer, pagesize=A4, invariant=1, lang="zh-CN", initialFontName=FONT)  # type: ignore[arg-type]
    page.setTitle(f"{body['number']} 碳普惠减排量注销证书 Certificate of retirement")
    page.setAuthor(body["issuer"])
    page.setSubject(f"SHA-256 {certificates.sha256(body)}")
    draw_parts.paper(page, body)
    _front(page, signed, chosen, max(0.0, min(26.0, chosen.room / 6)))
    if chosen.annex:
        draw_annex.draw_annex(page, body)
    page.save()
    return buffer.getvalue()


def layout(signed: dict[str, Any]) -> Layout:
    """The first way to fill page one that has room."""
    load_font()
    body = signed["certificate"]
    choices = [Layout(True, 0), Layout(True, 0, 4), Layout(True, 0, 2), Layout(True, 0, 2, 12)]
    if (
        len(body["lineage"]) <= LINES_ON_FRONT
        and len(body["serials"]) <= SERIALS_ON_FRONT
        and len(certificates.beneficiaries(body)) <= NAMES_ON_FRONT
        and all(len(text) <= SIGNS_ON_FRONT for *_, text in draw_annex.words(body))
        and all(len(text) <= SIGNS_ON_FRONT for text in body.get("on_behalf_of", {}).values())
    ):
        choices.insert(0, Layout(False, len(body["lineage"])))
    for chosen in choices:
        room = _front(Canvas(io.BytesIO()), signed, chosen, 0)
        if room >= 0:
            break
    return _with_lines(replace(chosen, room=room), body["lineage"]) if chosen.annex else replace(chosen, room=room)


def _with_lines(chosen: Layout, lineage: Sequence[dict[str, Any]]) -> Layout:
    """The same with as many lines of the lineage as there is room for."""
    for lines in range(min(LINES_ON_FRONT, len(lineage)), 0, -1):
        cells = map(draw_annex.lineage_cells, lineage[:lines])
        room = chosen.room - draw_annex.HEADS - sum(draw_annex.row_height(draw_annex.LINEAGE, row) for row in cells)
        if room >= 0:
            return replace(chosen, lines=lines, room=room)
    return chosen


@cache
def load_font() -> None:
    try:
        pdfmetrics.registerFont(TTFont(FONT, str(FONT_FILE)))
    except (TTFError, OSError) as error:
        raise FontMissing(
            f"{FONT_FILE} cannot be read: the set-up makes it (`./run up` or `./run demo`); "
            "字体缺失：请先运行 ./run 完成安装"
        ) from error


def _front(page: Canvas, signed: dict[str, Any], chosen: Layout, gap: float) -> float:
    """Page one, with `gap` more between its parts; the room that is left."""
    body = signed["certificate"]
    draw_parts.leaf(page, WIDTH / 2, HEIGHT - 78 - gap / 3, 15)
    draw_parts.bold(page, "碳普惠减排量注销证书", 27, HEIGHT - 130 - gap / 2, color=GREEN, spacing=5)
    draw_parts.bold(page, "CERTIFICATE OF RETIREMENT", 11, HEIGHT - 150 - gap / 2, color=GOLD, spacing=3.4)
    draw_parts.rule(page, HEIGHT - 166 - gap * 0.7)
    y = _opening(page, body, HEIGHT - 178 - gap, chosen)
    y = _amount(page, body, y - 8 - gap)
    y = _details(page, body, y - 12 - gap, chosen.signs)
    y = draw_annex.lineage(page, body["lineage"][: chosen.lines], y - 10 - gap)
    y = _note(page, len(body["lineage"]) - chosen.lines, "批次", "further batches", y)
    if chosen.annex:
        y = _note(page, len(body["serials"]), "序号", "serial ranges", y)
    else:
        y = set_text(page, "序号 Serial numbers", style(7.5, SOFT), LEFT, y - 4 - gap / 4, 200)
        y, _ = draw_annex.serials(page, body["serials"], y)
    return y - 8 - _foot(page, body, signed["signature"])


def _note(page: Canvas, count: int, zh: str, en: str, y: float) -> float:
    """How much more is in the annex."""
    if count <= 0:
        return y
    text = f"附页所列{zh}　{en} in the annex: {count:,}"
    return set_text(page, text, style(7.5, SOFT), LEFT, y - 3, WIDE)


# --- for whom ------------------------------------------------------------------------------------------------------


def _opening(page: Canvas, body: dict[str, Any], y: float, chosen: Layout) -> float:
    on = datetime.fromisoformat(body["issued_at"]).astimezone(draw_parts.ZONE)
    if body["demonstration"]:
        text = "示范，不得用于任何声明 · DEMONSTRATION, NO CLAIM MAY BE MADE"
        page.setStrokeColor(RED)
        page.setLineWidth(0.9)
        page.roundRect(WIDTH / 2 - 178, y - 19, 356, 19, 4)
        set_text(page, text, style(9.5, RED, leading=1.2, at=TA_CENTER), LEFT, y - 3.5, WIDE)
        y -= 27
    line = f"编号 No. {body['number']}　·　{on.year} 年 {on.month} 月 {on.day} 日　{on:%Y-%m-%d}"
    y = set_text(page, line, style(8.5, SOFT, at=TA_CENTER), LEFT, y, WIDE) - 9
    y = set_text(page, "兹证明下列减排量已永久注销，归属", style(11, at=TA_CENTER), LEFT, y, WIDE)
    english = "This certifies that the reductions stated below have been retired for good, for the benefit of"
    y = set_text(page, english, style(8.5, SOFT, at=TA_CENTER, cjk=False), LEFT, y, WIDE) - 4
    entities = certificates.beneficiaries(body)
    y = _name(page, entities[0], y) if len(entities) == 1 else _names(page, entities, y, chosen.names)
    if "on_behalf_of" in body:
        other = body["on_behalf_of"]
        names = [escape(short(other[n], chosen.signs)) for n in ("name", "name_en") if other.get(n)]
        shown = " ".join([*names, escape(other["uscc"])])
        y = set_text(page, f"代表 on behalf of　{shown}", style(9, at=TA_CENTER), LEFT, y - 2, WIDE)
    return y


def _name(page: Canvas, entity: dict[str, str], y: float) -> float:
    size = max(9.0, min(21.0, 0.97 * WIDE / pdfmetrics.stringWidth(entity["name"], FONT, 1)))
    y = set_text(page, escape(entity["name"]), style(size, GREEN, leading=1.45, at=TA_CENTER), LEFT, y, WIDE)
    if entity.get("name_en"):
        y = set_text(page, escape(entity["name_en"]), style(10, GREEN, at=TA_CENTER, cjk=False), LEFT, y, WIDE)
    code = f"统一社会信用代码 Unified Social Credit Code　{escape(entity['uscc'])}"
    return set_text(page, code, style(8.5, SOFT, at=TA_CENTER), LEFT, y - 1, WIDE)


def _names(page: Canvas, entities: Sequence[dict[str, Any]], y: float, names: int) -> float:
    """Several beneficiaries, each with its part; of many the first: the annex has them all."""
    for entity in entities[:names]:
        number, unit = quantity_text(entity["quantity_g"])
        second = " · ".join(escape(short(entity[n], 60)) for n in ("name_en", "uscc") if entity.get(n))
        shown = f"{escape(short(entity['name'], 34))}　<font color='#1c2624' size='10'>{number} {unit}</font>"
        y = set_text(page, shown, style(12, GREEN, leading=1.35, at=TA_CENTER), LEFT, y, WIDE)
        y = set_text(page, second, style(7.5, SOFT, leading=1.3, at=TA_CENTER), LEFT, y, WIDE) - 2
    if (more := len(entities) - names) > 0:
        note = f"及另外 {more} 个受益主体，见附页 · and {more} more, listed in the annex"
        y = set_text(page, note, style(8, SOFT, at=TA_CENTER), LEFT, y, WIDE)
    return y


# --- what ----------------------------------------------------------------------------------------------------------


def _amount(page: Canvas, body: dict[str, Any], y: float) -> float:
    number, unit = quantity_text(body["quantity_g"])
    draw_parts.rosette(page, WIDTH / 2, y - 34)
    size = max(20.0, min(38.0, 0.7 * WIDE / pdfmetrics.stringWidth(f"{number} {unit}", FONT, 1)))
    shown = f'{number} <font size="{size * 0.55}">{unit} {co2e(size * 0.55)}</font>'
    y = set_text(page, shown, style(size, GREEN, leading=1.35, at=TA_CENTER), LEFT, y, WIDE)
    exact = f"{body['quantity_g']:,} 克二氧化碳当量 grams {co2e(8.5)}"
    return set_text(page, exact, style(8.5, SOFT, at=TA_CENTER), LEFT, y - 1, WIDE)


def _details(page: Canvas, body: dict[str, Any], y: float, signs: int) -> float:
    company, purpose, period = body["company"], body["purpose"], body["period"]
    rows = [
        ("注销人", "Retired by", f"{escape(short(company['name'], 2 * signs))}　{_quiet(escape(company['id']), 7)}"),
        ("用途", "Purpose", f"{purpose['zh']}　{_quiet(purpose['en'])}"),
        ("期间 · 地域", "Period · place", f"{period['from']} — {period['to']}　·　{escape(body['jurisdiction'])}"),
    ]
    if "footprint" in body:
        number, unit = quantity_text(body["footprint"]["quantity_g"])
        stated = f"{number} {unit} {co2e(9)}　{escape(short(body['footprint']['boundary'], signs))}"
        rows.append(("所陈述的足迹", "Stated footprint", f"{stated}　·　已抵 {percent(body['covered_ppm'])} covered"))
    if "neutrality_claim" in body:
        claim = body["neutrality_claim"]
        number, unit = quantity_text(claim["own_reductions_g"])
        own = _quiet(f"自身减排 own reductions {number} {unit}")
        rows.append(("中和声明", "Neutrality claim", f"{escape(short(claim['statement'], signs))}　{own}"))
    if "note" in body:
        rows.append(("备注", "Note", escape(short(body["note"], signs))))
    for zh, en, value in rows:
        page.setStrokeColor(PALE)
        page.setLineWidth(0.7)
        page.line(LEFT, y + 1, RIGHT, y + 1)
        set_text(page, f"{zh}　{_quiet(en, 7)}", style(9, leading=1.5), LEFT, y - 1, 140)
        y = set_text(page, value, style(9, leading=1.5), LEFT + 142, y - 1, WIDE - 142) - 2
    return y


def _quiet(markup: str, size: float = 8) -> str:
    return f"<font color='#5d6b67' size='{size}'>{markup}</font>"


# --- what it rests on ----------------------------------------------------------------------------------------------


def _foot(page: Canvas, body: dict[str, Any], signature: dict[str, str]) -> float:
    """Statements, proof and QR code, from the bottom up; where they begin."""
    code, bottom = 76.0, 66.0
    draw_parts.qr(page, body["url"], RIGHT - code, bottom, code)
    caption = style(6.4, SOFT, leading=1.3, at=TA_CENTER)
    set_text(page, "扫码查验 Scan to check", caption, RIGHT - code - 6, bottom - 2, code + 12)
    wide, value = WIDE - code - 16, signature["value"]
    proof = (
        f"签发 Issued by　{escape(body['issuer'])}<br/>查验 Check　{escape(body['url'])}<br/>"
        "证书数据（RFC 8785）的 SHA-256，公开日志所载 SHA-256 of its data, as in the public log<br/>"
        f"<font color='#1c2624'>{certificates.sha256(body)}</font><br/>"
        f"签名 Signature　{escape(signature['alg'])}　{escape(signature['kid'])}<br/>"
        f"{escape(value[: len(value) // 2])}<br/>{escape(value[len(value) // 2 :])}"
    )
    paragraph = Paragraph(proof, style(6.8, SOFT, leading=1.56))
    _, height = paragraph.wrap(wide, HEIGHT)
    paragraph.drawOn(page, LEFT, 56.0)
    said = [(s["zh"], s["en"]) for s in body["statements"] if not s["zh"].startswith("示范")]
    statement = Paragraph("<br/>".join(f"{zh} {en}" for zh, en in (METHODS, *said)), style(6.7, INK, leading=1.42))
    _, tall = statement.wrap(WIDE, HEIGHT)
    above = max(56.0 + height, bottom + code) + 5
    statement.drawOn(page, LEFT, above)
    page.setStrokeColor(GOLD)
    page.setLineWidth(0.6)
    top = above + tall + 6
    page.line(LEFT, top, RIGHT, top)
    return top
