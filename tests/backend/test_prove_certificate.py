"""A certificate as the platform shows it: what proves it, what its page says, and the whole file checked again."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend import auth
from backend.api import pages
from backend.usecases import prove_certificate, render_certificate, sequence_log
from rewards import certificates
from tests.market import Market, ok, refused

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def number(market: Market) -> str:
    """A certificate whose place in the log is still to come."""
    market.issued(*[40_500] * 25)
    market.paid(300)
    return str(market.retired(100)["certificate"]["number"])


def sequence(market: Market) -> None:
    sequence_log.sequence_log(market.platform, datetime.now(UTC))


def file(market: Market, number: str) -> dict[str, Any]:
    """The certificate as it stands; nobody is made to sequence the log for it."""
    shown: dict[str, Any] = ok(market.stage.http.get(f"/v1/certificates/{number}"), 200)
    return shown


def prove(market: Market, signed: dict[str, Any], *, later: timedelta = timedelta(0)) -> dict[str, Any]:
    return prove_certificate.prove_certificate(market.platform, signed, datetime.now(UTC) + later)


def test_a_certificate_is_genuine_and_then_in_the_log(market: Market, number: str) -> None:
    waiting = prove(market, file(market, number))
    assert (waiting["verdict"], waiting["place"], waiting["late"]) == ("waiting", None, False)
    assert waiting["checks"] == {"signature": True, "serials": True, "logged": None, "amendments": None}
    assert prove(market, file(market, number), later=timedelta(hours=2))["late"]
    sequence(market)
    signed = file(market, number)
    proof = prove(market, signed, later=timedelta(hours=2))
    assert (proof["verdict"], proof["reason"], proof["late"]) == ("genuine", None, False)
    assert proof["checks"] == {"signature": True, "serials": True, "logged": True, "amendments": None}
    assert proof["sha256"] == certificates.sha256(signed["certificate"])
    place = proof["place"]
    told = ok(market.stage.http.get(f"/v1/log/proofs/inclusion?index={place['index']}"), 200)
    assert (told["entry"], told["size"], told["path"]) == (place["entry"], place["size"], place["path"])


def test_an_amendment_is_proven_with_its_place(market: Market, number: str) -> None:
    market.lowered((1, 40_000))
    sequence(market)
    proof = prove(market, file(market, number))
    assert (proof["verdict"], proof["checks"]["amendments"]) == ("genuine", True)
    [place] = proof["places"]
    assert place["index"] > proof["place"]["index"]


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (lambda s: s["certificate"].update(quantity_g=1000), {"signature", "logged"}),
        (lambda s: s["certificate"].update(serials=["TPH-310000-cycling-202606-1-1-99"]),
         {"signature", "serials", "logged"}),
        (lambda s: s["signature"].update(value="A" * 86), {"signature"}),
        (lambda s: s["signature"].update(kid="another"), {"signature"}),
        (lambda s: s["log"].update(entry=s["log"]["entry"].replace("100", "101")), {"logged"}),
        (lambda s: s["log"].update(proof="nonsense"), {"logged"}),
        (lambda s: s["amendments"][0]["amendment"].update(owed_g=0, covered=True), {"amendments"}),
    ],
)  # fmt: skip
def test_whatever_is_changed_is_found_and_the_reason_told(
    market: Market, number: str, change: Any, failed: set[str]
) -> None:
    market.lowered(*((deed, 0) for deed in range(1, 26)))
    sequence(market)
    signed = file(market, number)
    assert prove(market, signed)["verdict"] == "genuine"
    change(signed)
    proof = prove(market, signed)
    assert (proof["verdict"], proof["place"], proof["places"], proof["sha256"]) == ("wrong", None, [], None)
    assert {name for name, holds in proof["checks"].items() if holds is False} == failed
    assert proof["reason"]["zh"]
    assert proof["reason"]["en"]


def test_one_that_was_signed_anew_with_the_platforms_key_is_not_what_the_log_has(market: Market, number: str) -> None:
    sequence(market)
    signed = file(market, number)
    signed["certificate"]["note"] = "written later"
    value = auth.sign(market.platform.proof_keys[0], certificates.canonical(signed["certificate"]))
    signed["signature"]["value"] = value
    proof = prove(market, signed)
    assert (proof["verdict"], proof["checks"]["signature"], proof["checks"]["logged"]) == ("wrong", True, False)
    canonical = certificates.canonical(signed["certificate"]).decode()
    with market.platform.db.transaction() as conn:  # and put into the books
        conn.execute("alter table certificate disable trigger user")
        conn.execute("update certificate set canonical = %s, signature = %s", (canonical, value))
        conn.execute("alter table certificate enable trigger user")
    told = {name: signed[name] for name in ("certificate", "signature")}
    checked = ok(market.stage.http.post("/v1/certificates/verify", json=told), 200)
    assert (checked["valid"], checked["checks"]["known"], checked["checks"]["logged"]) == (False, True, False)


def test_the_whole_file_as_it_was_downloaded_can_be_checked_again(market: Market, number: str) -> None:
    other = market.retired(50)["certificate"]["number"]
    before = file(market, number)
    market.lowered((1, 40_000))
    sequence(market)
    whole = file(market, number)
    assert [whole["log"] is None, whole["amendments"][0]["log"] is None, before["log"]] == [False, False, None]
    verify = "/v1/certificates/verify"
    for given in (before, whole):
        checked = ok(market.stage.http.post(verify, json=given), 200)
        assert checked["valid"]
        assert set(checked["checks"].values()) == {True}
    market.retired(10)
    sequence(market)  # the log grows: a proof of before is as good as one of now
    assert file(market, number)["log"]["proof"] != whole["log"]["proof"]
    assert ok(market.stage.http.post(verify, json=whole), 200)["valid"]
    wrong = copy.deepcopy(whole) | {"log": file(market, other)["log"]}
    assert not ok(market.stage.http.post(verify, json=wrong), 200)["valid"]
    refused(market.stage.http.post(verify, json=whole | {"log": {"entry": 1, "proof": "x"}}), 422, "request_invalid")
    refused(market.stage.http.post(verify, json=whole | {"more": 1}), 422, "request_invalid")


# --- the page ------------------------------------------------------------------------------------------------------


def test_a_page_that_is_asked_for_first_gets_the_certificate_its_place_in_the_log(market: Market, number: str) -> None:
    assert file(market, number)["log"] is None
    page = market.stage.http.get(f"/v1/certificates/{number}", headers=BROWSER | {"Accept-Language": "en"}).text
    assert "it stands in the public log as entry" in page
    assert file(market, number)["log"] is not None


def test_the_page_is_for_browsers_in_their_language_and_under_the_policy_of_pages(market: Market, number: str) -> None:
    path = f"/v1/certificates/{number}"
    for language, said in (("zh-CN,zh;q=0.9", "查验通过"), ("en-GB,en;q=0.9", "This certificate is genuine")):
        answer = market.stage.http.get(path, headers=BROWSER | {"Accept-Language": language})
        assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
        assert answer.headers["Vary"] == "Accept, Accept-Language"
        assert answer.headers["Content-Security-Policy"] == pages.SECURITY["Content-Security-Policy"]
        assert said in answer.text
        assert "<style" not in answer.text
        assert "<script" not in answer.text
    data = market.stage.http.get(path)
    assert (data.content_type, data.headers["Vary"]) == ("application/json", "Accept")


def test_a_number_that_was_never_issued_is_a_problem_to_programs_and_a_warning_to_people(market: Market) -> None:
    for name in ("TPH-C-2026-999999", "<i>x<i>", "TPH-C-2026-000001%00", "9" * 5000):
        refused(market.stage.http.get(f"/v1/certificates/{name}"), 404, "not_found")
        answer = market.stage.http.get(f"/v1/certificates/{name}", headers=BROWSER)
        assert (answer.status_code, answer.content_type) == (404, "text/html; charset=utf-8")
        assert "没有这个编号的证书" in answer.text
        assert "<i>" not in answer.text


def test_a_pdf_that_is_still_drawn_says_so_to_programs_and_people(market: Market, number: str) -> None:
    path = f"/v1/certificates/{number}.pdf"
    program, person = market.stage.http.get(path), market.stage.http.get(path, headers=BROWSER)
    for answer in (program, person):
        assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
    assert program.json == {"status": "rendering"}
    assert (person.headers["Refresh"], "正在绘制 PDF" in person.text) == ("2", True)
    render_certificate.render_certificate(market.platform, number, datetime.now(UTC))
    for headers in ({}, BROWSER):
        answer = market.stage.http.get(path, headers=headers)
        assert (answer.status_code, answer.content_type, answer.data[:5]) == (200, "application/pdf", b"%PDF-")
