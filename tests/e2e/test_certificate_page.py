"""The public page of a certificate in a real browser: the verdict in words, the proof, the files to take along."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from backend import auth
from backend.app import create_app
from backend.usecases import prove_certificate, render_certificate, sequence_log, show_certificate
from rewards import certificates, merkle, notes, offline_script
from tests import cast, phones
from tests.backend import test_draw_certificate as drawn
from tests.market import CODE, Market

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
SIZES = pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESK)])


@dataclass
class Office:
    """A served platform and its certificates, by what became of them."""

    market: Market
    base: str
    batches: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)

    def retired(self, batch: str, **wish: Any) -> str:
        return str(self.market.retired(55, batch=self.batches[batch], **wish)["certificate"]["number"])

    def url(self, which: str, more: str = "") -> str:
        return f"{self.base}/v1/certificates/{self.numbers[which]}{more}"

    def file(self, which: str, more: str = ".json") -> bytes:
        with urllib.request.urlopen(self.url(which, more)) as answer:
            raw: bytes = answer.read()
        return raw


@pytest.fixture(scope="module")
def office(module_database_url: str, valkey_url: str) -> Iterator[Office]:
    with cast.stage(module_database_url, valkey_url) as stage, phones.serving(create_app(stage.platform)) as base:
        made = Office(Market(stage), base)
        fill(made)
        with psycopg.connect(module_database_url) as busy:  # as if another sequencer were at it
            busy.execute("select pg_advisory_lock(hashtext('log'), 0)")
            made.numbers["waiting"] = made.retired("covered")
            yield made


def fill(office: Office) -> None:
    """Certificates: good, its batch recalled and covered, or owed, tampered with, signed anew."""
    market, now = office.market, datetime.now(UTC)
    lost = {}
    for which, region in (("good", "310000"), ("covered", "440300"), ("owed", "330100")):
        lost[which] = market.deed(60_000, region=region)
        pool = f"{region}.cycling.1.0.0.202606"
        office.batches[which] = market.issued(*[40_500] * 24, pool=pool, region=region)["id"]
        market.paid(700, region=region)
    stated = {"footprint": {"quantity_g": 1_200, "boundary": "范围一和范围二 scope 1+2"}, "note": "年会 annual meeting"}
    office.numbers |= {which: office.retired(which, **stated) for which in office.batches}
    office.numbers |= {which: office.retired("good") for which in ("tampered", "resigned")}
    market.lowered((lost["covered"], 50_000))
    market.lowered(*((lost["owed"] + n, 0) for n in range(25)))  # the whole batch, more than there is to replace it
    for number in office.numbers.values():
        render_certificate.render_certificate(market.platform, number, now)
    sequence_log.sequence_log(market.platform, now)
    tamper(office)


def tamper(office: Office) -> None:
    """What somebody with the database could do, and somebody who has the key as well."""
    platform = office.market.platform
    key = platform.proof_keys[0]
    for which in ("tampered", "resigned"):
        body = json.loads(office.file(which))["certificate"]
        body["beneficiary"]["name"] = "另一家公司"
        text = certificates.canonical(body)
        with platform.db.transaction() as conn:
            conn.execute("set local session_replication_role = replica")
            conn.execute(
                "update certificate set canonical = %s, signature = case when %s then %s else signature end"
                " where number = %s",
                (text.decode(), which == "resigned", auth.sign(key, text), office.numbers[which]),
            )


@pytest.fixture
def page(browser: Browser, office: Office, redis_url: str) -> Iterator[Page]:
    """A phone that must not complain (a breach of the policy is a complaint), nor ask any other host for anything."""
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, locale="zh-CN")
    made = context.new_page()
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda r: complaints.append(r.url) if not r.url.startswith((office.base, "data:")) else None)
    yield made
    context.close()
    assert [c for c in complaints if "404 (NOT FOUND)" not in c] == []  # of the number that there is not


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"certificate-{name}.png", animations="disabled", full_page=True)


# --- the verdict ---------------------------------------------------------------------------------------------------


def test_the_verdict_stands_first_and_in_words(office: Office, page: Page) -> None:
    place = notes.read_proof(json.loads(office.file("good"))["log"]["proof"])
    size = notes.read_checkpoint(place.checkpoint).size
    page.goto(office.url("good", "?lang=en"))
    expect(page.locator("main h1")).to_have_text("This certificate is genuine")
    said = page.inner_text(".verdict")
    assert f"its 55 g CO₂e are retired for good; it stands in the public log as entry {place.index}, of {size}" in said
    assert page.inner_text(".demonstration").lower() == "demonstration, no claim may be made"
    open_all(page)
    assert page.locator(".checks li.good").count() == 3
    assert page.locator(".checks li.bad").count() == 0
    assert page.locator(".recalled").count() == 0
    page.goto(office.url("good", "?lang=zh"))
    assert page.inner_text("main h1") == "查验通过：本证书真实有效"
    assert f"是其中第 {place.index} 号条目（日志现有 {size} 条）" in page.inner_text(".verdict")


def test_one_that_waits_for_the_log_is_genuine_and_says_so(
    office: Office, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    page.goto(office.url("waiting", "?lang=en"))
    assert page.inner_text("main h1") == "This certificate is genuine, and waits for its place in the public log"
    open_all(page)
    assert "Log: not there yet" in page.inner_text("[data-check=logged]")
    assert "Not in the log yet" in page.inner_text("#steps")
    assert page.locator(".late").count() == 0
    monkeypatch.setattr(prove_certificate, "SOON", timedelta(0))
    page.reload()
    assert "more than an hour ago" in page.inner_text(".late")
    page.goto(office.url("waiting", "?lang=zh"))
    assert page.inner_text("main h1") == "查验通过：本证书真实，正在写入公开日志"


def test_what_was_recalled_and_replaced_is_told_and_explained(office: Office, page: Page) -> None:
    page.goto(office.url("covered", "?lang=en"))
    assert page.inner_text("main h1") == "This certificate is genuine"
    assert "10 g had been recalled from 1 of its batches, and all of it was replaced" in page.inner_text(
        ".recalled.covered"
    )
    page.click(".recalled a")
    [shown] = json.loads(office.file("covered"))["amendments"]
    amendment = shown["amendment"]
    told = page.inner_text(f"[id='{amendment['number']}']")
    assert amendment["statement"]["en"] in told
    assert "Covered" in told
    assert "10,000 mg" in told
    assert amendment["replaced_by"][0]["serials"][0] in told
    assert f"Entry {notes.read_proof(shown['log']['proof']).index} of the public log" in told
    page.goto(office.url("covered", "?lang=zh"))
    assert "1 个批次共召回 10 克，已全部由平台补足" in page.inner_text(".recalled")


def test_what_is_owed_is_told_plainly(office: Office, page: Page) -> None:
    owed_g = json.loads(office.file("owed"))["amendments"][-1]["amendment"]["owed_g"]
    assert owed_g > 0
    page.goto(office.url("owed", "?lang=en"))
    assert page.inner_text("main h1") == "This certificate is genuine"
    assert f"{owed_g} g of it have not been replaced yet" in page.inner_text(".recalled.owed")
    assert f"{owed_g} g still owed" in page.inner_text(".amendment .badge")
    page.goto(office.url("owed", "?lang=zh"))
    assert f"其中 {owed_g} 克平台尚未补足" in page.inner_text(".recalled.owed")


@pytest.mark.parametrize(
    ("which", "bad", "reason"),
    [("tampered", ["signature", "logged"], "not what a key of this platform signed"),
     ("resigned", ["logged"], "the log has another certificate")],
)  # fmt: skip
def test_one_that_was_tampered_with_is_refused_with_the_reason(
    office: Office, page: Page, which: str, bad: list[str], reason: str
) -> None:
    page.goto(office.url(which, "?lang=en"))
    assert page.inner_text("main h1") == "This certificate does not hold"
    assert page.get_attribute(".verdict", "data-verdict") == "wrong"
    assert [li.get_attribute("data-check") for li in page.locator(".checks li.bad").all()] == bad
    assert reason in page.inner_text(".reason")
    open_all(page)
    assert "另一家公司" in page.inner_text("pre")
    assert page.locator("text=另一家公司").count() == 1  # nowhere as if it held
    page.goto(office.url(which, "?lang=zh"))
    assert page.inner_text("main h1") == "查验未通过：这份证书不成立"


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "{}", '{"number": 1, "serials": 5, "beneficiary": []}'])
def test_whatever_stands_in_the_database_is_no_error_but_a_verdict(office: Office, page: Page, text: str) -> None:
    platform, number = office.market.platform, office.numbers["tampered"]
    with platform.db.transaction() as conn:
        conn.execute("set local session_replication_role = replica")
        before = conn.execute("select canonical from certificate where number = %s", (number,)).fetchone()
        conn.execute("update certificate set canonical = %s where number = %s", (text, number))
    page.goto(office.url("tampered", "?lang=en"))
    assert page.inner_text("main h1") == "This certificate does not hold"
    with platform.db.transaction() as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute("update certificate set canonical = %s where number = %s", (before[0] if before else "", number))


def test_a_number_that_was_never_issued_is_a_warning(office: Office, page: Page) -> None:
    for number in ("TPH-C-2026-999999", "<b>nonsense"):
        answer = page.goto(f"{office.base}/v1/certificates/{number}?lang=en")
        assert answer
        assert answer.status == 404
        assert page.inner_text("main h1") == "There is no certificate of this number"
        assert number in page.inner_text(".verdict")


# --- the proof and the files ---------------------------------------------------------------------------------------


def test_the_steps_of_the_proof_lead_from_the_certificate_to_the_signed_checkpoint(office: Office, page: Page) -> None:
    """With nothing but what stands on the page and the file."""
    body = json.loads(office.file("good"))["certificate"]
    page.goto(office.url("good", "?lang=en"))
    page.click("#steps > summary")
    facts = dict(zip(*(page.locator(f"#steps .fact {tag}").all_inner_texts() for tag in ("dt", "dd")), strict=True))
    digest = facts["SHA-256, hexadecimal"]
    assert digest == hashlib.sha256(certificates.canonical(body)).hexdigest()
    entry, note = page.locator("#steps pre").all_inner_texts()
    assert json.loads(entry)["sha256"] == digest
    leaf = merkle.leaf_hash(entry.encode())
    assert facts["Hash of the leaf (base64)"] == base64.b64encode(leaf).decode()
    path = [base64.b64decode(one) for one in page.locator("#steps .codes").first.locator("li").all_inner_texts()]
    head = notes.read_checkpoint(note.rstrip("\n") + "\n")
    index = int(re.search(r"leaf (\d+) of the log", page.inner_text("#steps"))[1])  # type: ignore[index]
    assert merkle.is_included(leaf, index, head.size, path, head.root)
    assert facts["Root (base64)"] == base64.b64encode(head.root).decode()
    with urllib.request.urlopen(f"{office.base}/v1/log/keys") as answer:
        keys = [notes.read_key(key["key"]) for key in json.load(answer)["keys"]]
    assert notes.signers(head, keys, auth.is_ed25519) == keys


def test_the_files_are_those_of_the_api_and_hold_offline_and_online(office: Office, page: Page) -> None:
    with urllib.request.urlopen(f"{office.base}/v1/log/keys") as answer:
        keys = answer.read()
    for which in ("good", "covered", "owed"):
        page.goto(office.url(which, "?lang=en"))
        with page.expect_download() as download:
            page.click(".take a[download$='.json']")
        assert download.value.suggested_filename == f"{office.numbers[which]}.json"
        raw = download.value.path().read_bytes()
        assert json.loads(raw) == json.loads(office.file(which))
        assert offline_script.verify_file("certificate", raw, {"key": [keys]})[-1].startswith("OK")
        headers = {"Content-Type": "application/json"}
        sent = urllib.request.Request(f"{office.base}/v1/certificates/verify", raw, headers)
        with urllib.request.urlopen(sent) as told:
            checked = json.load(told)
        assert (checked["valid"], set(checked["checks"].values())) == (True, {True})
        pdf = page.request.get(office.base + str(page.get_attribute("text=PDF, to print", "href"))).body()
        assert pdf == office.file(which, ".pdf")
        assert pdf.startswith(b"%PDF-")


def test_a_pdf_that_is_being_drawn_comes_by_itself(office: Office, page: Page) -> None:
    answer = page.goto(office.url("waiting", ".pdf?lang=en"))
    assert answer
    assert (answer.status, answer.headers["retry-after"], answer.headers["refresh"]) == (202, "2", "2")
    assert page.inner_text("h1") == "The PDF is being drawn"
    assert str(page.get_attribute("main a", "href")).startswith(f"/v1/certificates/{office.numbers['waiting']}")


def test_every_link_of_the_page_leads_somewhere(office: Office, page: Page) -> None:
    page.goto(office.url("covered", "?lang=en"))
    found = page.locator("a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    paths = sorted({link for link in found if not link.startswith("#")})
    assert len(paths) > 12
    dead = [link for link in paths if page.request.get(office.base + link).status != 200]
    assert dead == []
    assert all(page.locator(f"[id='{link[1:]}']").count() == 1 for link in found if link.startswith("#"))


# --- how it looks --------------------------------------------------------------------------------------------------


@SIZES
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_verdict_fits_every_screen(
    office: Office, page: Page, name: str, size: dict[str, int], language: str
) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    for which in office.numbers:
        page.goto(office.url(which, f"?lang={language}"))
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN" if language == "zh" else "en")
        picture(page, f"{which}-{name}-{language}")
        open_all(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), which
        if which == "good":
            picture(page, f"proof-{name}-{language}")
        page.evaluate("document.querySelectorAll('pre').forEach(p => p.remove())")  # data, which has braces
        text = page.inner_text("main")
        assert [wrong for wrong in ("{", "None", "Undefined") if wrong in text] == []


@SIZES
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_longest_certificate_fits_every_screen(
    office: Office, page: Page, name: str, size: dict[str, int], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty batches, hundreds of ranges, fifty beneficiaries with long names, all that may be said."""
    signed = drawn.signed(60, 5, **drawn.LONGEST) | {"log": None, "amendments": []}
    body = signed["certificate"]
    several = [{"name": f"{n}号" + "极" * 96, "name_en": "Word " * 30, "uscc": CODE, "quantity_g": 10**9 + n}
               for n in range(50)]  # fmt: skip
    body["beneficiaries"] = several
    del body["beneficiary"]
    body["lineage"][1] |= {"own_ppm": 123_456}
    proof = {
        "verdict": "genuine", "checks": dict.fromkeys(("signature", "serials", "logged"), True), "reason": None,
        "sha256": "ab" * 32, "places": [], "late": False,
        "place": {"index": 1234, "size": 70_000, "entry": json.dumps({"kind": "retirement", "lines": [1] * 200}),
                  "leaf": "A" * 44, "path": ["B" * 44] * 17, "root": "C" * 44, "checkpoint": "o\n1\nC\n\n— o D\n"},
    }  # fmt: skip
    monkeypatch.setattr(show_certificate, "certificate_file", lambda *_: signed)
    monkeypatch.setattr(prove_certificate, "prove_certificate", lambda *_: proof)
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.goto(office.url("good", f"?lang={language}"))
    said = "号条目（日志现有 70,000 条）" if language == "zh" else "as entry 1,234, of 70,000 there are by now"
    assert said in page.inner_text(".verdict")
    assert page.locator(".lineage tr:visible").count() <= 10
    picture(page, f"long-{name}-{language}")
    open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("tr[data-batch]").count() == 60
    text = page.inner_text("main")
    assert all(serial in text for serial in body["serials"])
    assert all(one["name"] in text for one in several)


def test_the_language_can_be_changed_and_is_the_readers_own_at_first(office: Office, page: Page) -> None:
    page.goto(office.url("good"))
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.click(".lang")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("main h1")).to_have_text("This certificate is genuine")
    page.click(".lang")
    expect(page.locator("main h1")).to_have_text("查验通过：本证书真实有效")
