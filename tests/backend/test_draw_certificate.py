"""The certificate on paper: the same bytes for the same certificate, nothing left out, page one never too full."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import zlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import segno
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from backend.usecases import draw_annex, draw_certificate, draw_parts
from rewards import certificates, retirement
from rewards.serials import Span

BENEFICIARY = {
    "name": "深圳市绿源新材料科技股份有限公司",
    "name_en": "Shenzhen Lvyuan Co., Ltd.",
    "uscc": "91440300708461136T",
}
SIGNATURE = {"kid": "Fz1hZ5n3m0N0Zk0p2sVv5mA3h1cJw3r1o0m6q8Xb9dE", "alg": "EdDSA", "value": "AbCd" * 21}


def signed(batches: int = 1, spans: int = 1, demonstration: bool = True, **more: Any) -> dict[str, Any]:
    sources = [
        certificates.Source(
            7 + i, "420100", "武汉市", "Wuhan", "plastic_substitution", "1.0.0", "减少一次性塑料制品",
            "Plastic substitution", True, demonstration, "CO2e", date(2026, 6, 1), "华测认证", "limited",
            120, 300, bytes(32), 0,
            [Span(1 + 10 * k, 5 + 10 * k) for k in range(spans)],
        )
        for i in range(batches)
    ]  # fmt: skip
    request = {
        "beneficiary": BENEFICIARY, "purpose": "own_emissions", "period_from": date(2025, 1, 1),
        "period_to": date(2025, 12, 31), "jurisdiction": "CN", **more,
    }  # fmt: skip
    body = certificates.certificate(
        number="TPH-C-2026-000042",
        retired_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
        company={"id": "co-42", "name": "深圳绿源"},
        request=request,
        sources=sources,
        issuer="https://tanpuhui.example.org",
        url="https://tanpuhui.example.org/v1/certificates/TPH-C-2026-000042",
    )
    return {"certificate": body, "signature": SIGNATURE}


def of_several(count: int, **more: Any) -> dict[str, Any]:
    made = signed(batches=4, footprint={"quantity_g": 30, "boundary": "范围一和二 scope 1+2"}, **more)
    body = made["certificate"]
    body["beneficiaries"] = [BENEFICIARY | {"name": f"第{n}公司", "quantity_g": 10 + n} for n in range(count)]
    del body["beneficiary"]
    return made


LONGEST: dict[str, Any] = {
    "beneficiary": {"name": "极" * 100, "name_en": "Word " * 30, "uscc": BENEFICIARY["uscc"]},
    "on_behalf_of": {"name": "长" * 100, "name_en": "Long " * 30, "uscc": BENEFICIARY["uscc"]},
    "footprint": {"quantity_g": 10**13, "boundary": "边" * 300},
    "neutrality_claim": {"own_reductions_g": 10**15, "statement": "减" * 1000},
    "note": "<b>&" * 125,
}


def streams(pdf: bytes) -> list[bytes]:
    """What the file's pages are drawn by, and all else that it has compressed."""
    found = re.findall(rb"/ASCII85Decode /FlateDecode.*?stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    return [zlib.decompress(base64.a85decode(one.strip(), adobe=True)) for one in found]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All words that are set on paper, as they are set."""
    words: list[str] = []
    draw_on, draw_string = Paragraph.drawOn, Canvas.drawString

    def note_paragraph(self: Paragraph, *place: Any, **more: Any) -> None:
        words.append(self.getPlainText(identify=True))
        draw_on(self, *place, **more)

    def note_string(self: Canvas, x: float, y: float, text: str, **more: Any) -> None:
        words.append(text)
        draw_string(self, x, y, text, **more)

    monkeypatch.setattr(Paragraph, "drawOn", note_paragraph)
    monkeypatch.setattr(Canvas, "drawString", note_string)
    return words


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def test_the_same_certificate_is_drawn_with_the_same_bytes_in_any_process() -> None:
    program = (
        "import sys; from tests.backend import test_draw_certificate as t;"
        "sys.stdout.buffer.write(t.draw_certificate.draw_certificate(t.signed(5, 40)))"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    draw_certificate.draw_certificate(of_several(3))  # nor does it matter what this process drew before
    assert drawn == {draw_certificate.draw_certificate(signed(5, 40))}


def test_what_was_recalled_later_or_logged_is_not_on_it() -> None:
    later = {"amendments": [{"amendment": {"owed_g": 5}, "signature": SIGNATURE, "log": None}], "log": {"entry": "{}"}}
    assert draw_certificate.draw_certificate(signed() | later) == draw_certificate.draw_certificate(signed())


@pytest.mark.parametrize(("batches", "spans", "expected"), [(1, 1, 1), (3, 1, 1), (5, 1, 2), (2, 4, 2), (60, 3, 6)])
def test_a_long_lineage_goes_on_in_an_annex(batches: int, spans: int, expected: int) -> None:
    assert pages(draw_certificate.draw_certificate(signed(batches, spans))) == expected


def test_every_batch_and_serial_is_on_it(written: list[str]) -> None:
    made = signed(30, 20)
    draw_certificate.draw_certificate(made)
    body = made["certificate"]
    assert set(body["serials"]) <= set(written)
    assert {str(line["batch"]) for line in body["lineage"]} <= set(written)


def test_beyond_measure_it_says_how_many_more_there_are(
    written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(draw_annex, "LINES_MOST", 5)
    monkeypatch.setattr(draw_annex, "SERIALS_MOST", 10)
    draw_certificate.draw_certificate(signed(8, 3))
    text = "\n".join(written)
    assert "另有 3 批" in text
    assert "另有 14 段序号" in text


def test_all_that_it_must_say_is_on_page_one_in_both_languages(written: list[str]) -> None:
    made = signed(2, footprint={"quantity_g": 30, "boundary": "范围一 scope 1"}, on_behalf_of=BENEFICIARY)
    body = made["certificate"]
    assert pages(draw_certificate.draw_certificate(made)) == 1
    text = "\n".join(written)
    for said in (
        body["number"], BENEFICIARY["name"], BENEFICIARY["name_en"], BENEFICIARY["uscc"], "2025-01-01", "2025-12-31",
        body["purpose"]["zh"], body["purpose"]["en"], "范围一 scope 1", "33.33 % covered", "武汉市", "Wuhan",
        "减少一次性塑料制品", "Plastic substitution", "1.0.0", "2026-06", "华测认证", "limited", "有限保证",
        "300 次 deeds", "120 人 people", "示范，不得用于任何声明", "DEMONSTRATION",
        certificates.sha256(body), SIGNATURE["kid"], body["url"],
        *body["serials"], *draw_certificate.METHODS,
        *(s[lang] for s in body["statements"][1:] for lang in ("zh", "en")),
    ):  # fmt: skip
        assert said in text, said


def test_a_count_of_fewer_than_twenty_people_is_not_on_it(written: list[str]) -> None:
    made = signed()
    [line] = made["certificate"]["lineage"]
    del line["people_in_batch"], line["deeds_in_batch"]
    draw_certificate.draw_certificate(made)
    assert "—" in written
    assert not any("people" in text for text in written)


@pytest.mark.parametrize("count", [1, 50])
def test_the_longest_words_have_room_and_are_whole_in_the_annex(count: int, written: list[str]) -> None:
    made = signed(4, 1, **LONGEST)
    body = made["certificate"]
    body["statements"] = retirement.statements(demonstration=True, provisional=True, waiting=True, neutrality=True)
    body |= {"quantity_g": 10**15 - 1, "company": {"id": "co-42", "name": "司" * 100}}
    if count > 1:
        body["beneficiaries"] = [body.pop("beneficiary") | {"quantity_g": 10**14}] * count
    assert draw_certificate.layout(made).room >= 0
    draw_certificate.draw_certificate(made)
    joined = "".join(written).replace("\n", "").replace(" ", "")
    for words in ("极" * 100, "长" * 100, "司" * 100, "Long" * 30, "边" * 300, "减" * 1000, "<b>&" * 125):
        assert words in joined


def test_a_quantity_is_written_as_people_read_it_and_never_rounded() -> None:
    shown = {g: " ".join(draw_parts.quantity_text(g)) for g in (1, 999, 1_000, 1_234, 1_000_000, 12_500_001, 10**13)}
    assert list(shown.values()) == ["1 g", "999 g", "1 kg", "1.234 kg", "1 t", "12.500001 t", "10,000,000 t"]


@pytest.mark.parametrize("count", [2, 6, 50])
def test_several_beneficiaries_are_all_on_it_each_with_its_part(count: int, written: list[str]) -> None:
    made = of_several(count)
    assert draw_certificate.layout(made).room >= 0
    draw_certificate.draw_certificate(made)
    text = "\n".join(written)
    assert all(one["name"] in text and f"{one['quantity_g']} g" in text for one in made["certificate"]["beneficiaries"])


def test_the_code_on_it_leads_to_its_page() -> None:
    """The dark squares of the drawing are those of a QR code of the page's address."""
    made = signed()
    url = made["certificate"]["url"]
    expected = [[bool(dark) for dark in line] for line in segno.make(url, error="m").matrix]
    pdf = draw_certificate.draw_certificate(made)
    assert f"/URI ({url})".encode() in pdf
    [drawing] = [s for s in streams(pdf) if len(re.findall(rb" re\b", s)) > 100]
    squares = [
        (float(x), float(y))
        for x, y, wide, high in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re\b", drawing)
        if wide == high and float(wide) < 4
    ]
    cell = 76 / len(expected)
    left, top = min(x for x, _ in squares), max(y for _, y in squares)
    found = {(round((top - y) / cell), round((x - left) / cell)) for x, y in squares}
    assert found == {(r, c) for r, line in enumerate(expected) for c, dark in enumerate(line) if dark}


def test_a_missing_font_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_certificate, "FONT_FILE", Path("/nowhere/font.ttf"))
    draw_certificate.load_font.cache_clear()
    with pytest.raises(draw_certificate.FontMissing, match=r"/nowhere/font.ttf .*\./run"):
        draw_certificate.draw_certificate(signed())
