"""The certificate's page: the same bytes for the same certificate, two pages at most, whatever is in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.usecases import draw_certificate
from rewards import certificates
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


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def test_the_same_certificate_is_drawn_with_the_same_bytes_in_any_process() -> None:
    program = (
        "import sys; from tests.backend import test_draw_certificate as t;"
        "sys.stdout.buffer.write(t.draw_certificate.draw_certificate(t.signed(3, 4)))"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert drawn == {draw_certificate.draw_certificate(signed(3, 4))}


@pytest.mark.parametrize(("batches", "spans", "expected"), [(1, 1, 1), (4, 1, 1), (5, 1, 2), (2, 4, 2), (60, 40, 2)])
def test_a_long_lineage_goes_to_a_second_page_and_never_to_a_third(batches: int, spans: int, expected: int) -> None:
    assert pages(draw_certificate.draw_certificate(signed(batches, spans))) == expected


def test_the_longest_words_have_room() -> None:
    words: dict[str, Any] = {
        "beneficiary": {"name": "极" * 100, "name_en": "Word " * 30, "uscc": BENEFICIARY["uscc"]},
        "on_behalf_of": {"name": "长" * 100, "uscc": BENEFICIARY["uscc"]},
        "footprint": {"quantity_g": 10**13, "boundary": "边" * 300},
        "note": "<b>&" * 125,
    }
    pdf = draw_certificate.draw_certificate(signed(4, 1, **words))
    assert pages(pdf) == 2
    assert draw_certificate.layout(signed(4, 1, **words))[2] >= 0


def test_a_quantity_is_written_as_people_read_it_and_never_rounded() -> None:
    shown = {
        g: " ".join(draw_certificate.quantity_text(g)) for g in (1, 999, 1_000, 1_234, 1_000_000, 12_500_001, 10**13)
    }
    assert list(shown.values()) == ["1 g", "999 g", "1 kg", "1.234 kg", "1 t", "12.500001 t", "10,000,000 t"]


def test_several_beneficiaries_have_room_each_with_its_part() -> None:
    for count in (2, 6, 50):
        made = signed(batches=4, footprint={"quantity_g": 30, "boundary": "范围一和二 scope 1+2"})
        body = made["certificate"]
        body["beneficiaries"] = [BENEFICIARY | {"quantity_g": 10 + n} for n in range(count)]
        del body["beneficiary"]
        _, _, room = draw_certificate.layout(made)
        assert room >= 0
        assert draw_certificate.draw_certificate(made) == draw_certificate.draw_certificate(made)


def test_a_missing_font_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_certificate, "FONT_FILE", Path("/nowhere/font.ttf"))
    draw_certificate.load_font.cache_clear()
    with pytest.raises(draw_certificate.FontMissing, match=r"/nowhere/font.ttf .*\./run"):
        draw_certificate.draw_certificate(signed())
