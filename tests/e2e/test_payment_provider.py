"""The stand-in payment provider speaks as a real one does: signed, repeated until heard, and its books add up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, expect

from mobile_mock import server
from mobile_mock.payment import provider
from tests import phones, processes

PHONE = {"width": 390, "height": 844}


def signature(at: str, nonce: str, body: bytes, secret: str = server.PAYMENT_SECRET) -> str:
    """Worked out here once more, as the protocol is written down."""
    message = at.encode() + b"\n" + nonce.encode() + b"\n" + body + b"\n"
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def signed(body: bytes, **changed: str) -> dict[str, str]:
    at = str(int(time.time()))
    headers = {"Pay-Merchant": server.MERCHANT, "Pay-Timestamp": at, "Pay-Nonce": "a nonce"}
    return headers | {"Pay-Signature": signature(at, "a nonce", body)} | {f"Pay-{k}": v for k, v in changed.items()}


class Merchant:
    """What the platform is to the provider: it asks, signed, and hears."""

    def __init__(self, http: FlaskClient) -> None:
        self.http = http
        self.statuses: list[int] = []  # of the next answers to callbacks; 204 when there are no more
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.notify_url = ""

    def app(self) -> Flask:
        app = Flask("merchant")

        @app.post("/hear")
        def hear() -> Response:
            self.heard.append((dict(request.headers), request.get_data()))
            return Response(status=self.statuses.pop(0) if self.statuses else 204)

        return app

    def ask(self, path: str, wish: dict[str, Any] | None = None, **changed: str) -> Any:
        """The answer to a POST of a wish, or to a GET; its signature is checked whatever it says."""
        body = b"" if wish is None else json.dumps(wish).encode()
        method = "GET" if wish is None else "POST"
        answer = self.http.open(f"/pay/v1{path}", method=method, data=body, headers=signed(body, **changed))
        at, nonce, given = (answer.headers[f"Pay-{name}"] for name in ("Timestamp", "Nonce", "Signature"))
        assert given == signature(at, nonce, answer.data)
        return answer

    def charge(self, ref: str, fen: int = 600, **more: Any) -> Any:
        until = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
        wish = {"charge_ref": ref, "amount_fen": fen, "currency": "CNY", "description": "碳普惠减排量 100 g CO2e"}
        return self.ask("/charges", wish | {"notify_url": self.notify_url, "expires_at": until} | more)

    def paid(self, ref: str, fen: int = 600) -> None:
        self.press(self.charge(ref, fen).json["charge_id"])

    def press(self, charge_id: str, button: str = "pay") -> None:
        assert self.http.post(f"/pay/{charge_id}", data={"do": button}).status_code == 303

    def refund(self, ref: str, charge_ref: str, fen: int) -> Any:
        wish = {"refund_ref": ref, "charge_ref": charge_ref, "amount_fen": fen, "currency": "CNY", "reason": "r"}
        return self.ask("/refunds", wish | {"notify_url": self.notify_url})

    def pay_out(self, ref: str, fen: int, code: str) -> Any:
        wish = {"payout_ref": ref, "amount_fen": fen, "currency": "CNY", "payout_code": code}
        return self.ask("/payouts", wish | {"notify_url": self.notify_url})

    def code(self, who: str) -> str:
        return str(self.http.get("/mock/payout-code", query_string={"as": who}).json["code"])

    def behave(self, **how: str) -> Any:
        return self.http.post("/mock/pay/behaviour", json=how)

    def ledger(self) -> Any:
        return self.http.get("/mock/pay/ledger").json

    def told(self, times: int) -> list[Any]:
        """The bodies of that many callbacks, whose signatures are checked."""
        assert processes.eventually(lambda: len(self.heard) >= times)
        for headers, body in self.heard:
            at, nonce, given = (headers[f"Pay-{name}"] for name in ("Timestamp", "Nonce", "Signature"))
            assert given == signature(at, nonce, body)
            assert abs(int(at) - time.time()) < 60
        assert len(self.heard) == times
        return [json.loads(body) for _, body in self.heard]


@pytest.fixture
def merchant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Merchant]:
    for name, hurried in (("FIRST_PAUSE_S", 0.005), ("LATE_S", 0.3), ("SLOW_S", 0.3)):
        monkeypatch.setattr(provider, name, hurried)
    made = Merchant(server.create_app("http://127.0.0.1:9").test_client())
    with phones.serving(made.app()) as url:
        made.notify_url = f"{url}/hear"
        yield made


def test_what_was_paid_is_told_signed_and_whole(merchant: Merchant) -> None:
    made = merchant.charge("O-1").json
    merchant.press(made["charge_id"])
    [word] = merchant.told(1)
    found = merchant.ask("/charges/O-1").json
    assert (found["state"], found["amount_fen"]) == ("paid", 600)
    assert (word["kind"], set(word)) == ("charge.paid", {"id", "kind", "made_at", "data"})
    assert word["data"] == {
        "ref": "O-1", "provider_id": found["transaction_id"], "amount_fen": 600, "currency": "CNY",
        "at": found["paid_at"],
    }  # fmt: skip


def test_a_word_is_repeated_until_it_is_answered_well(merchant: Merchant) -> None:
    merchant.statuses = [500, 404, 302, 503]
    merchant.paid("O-1")
    words = merchant.told(5)
    assert len({word["id"] for word in words}) == 1, "it is the same word, so it can be known again"
    assert len({headers["Pay-Nonce"] for headers, _ in merchant.heard}) == 5, "signed anew each time"
    time.sleep(0.3)
    assert len(merchant.told(5)) == 5


def test_a_merchant_that_never_answers_is_given_up_on(merchant: Merchant) -> None:
    merchant.statuses = [500] * 50
    merchant.paid("O-1")
    assert processes.eventually(lambda: len(merchant.heard) == provider.TRIES)
    time.sleep(0.3)
    assert len(merchant.heard) == provider.TRIES
    assert merchant.ask("/charges/O-1").json["state"] == "paid", "it can still be asked for"


def test_a_merchant_that_is_away_hears_when_it_is_back(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "FIRST_PAUSE_S", 0.05)
    away = Merchant(merchant.http)
    from tests.serving import free_port

    port = free_port()
    away.notify_url = f"http://127.0.0.1:{port}/hear"
    away.paid("O-1")
    time.sleep(0.1)
    with phones.serving(away.app(), port):
        assert away.told(1)[0]["data"]["ref"] == "O-1"


def test_callbacks_misbehave_as_they_are_told_to(merchant: Merchant) -> None:
    merchant.behave(callback="twice")
    merchant.paid("O-1")
    first, second = merchant.told(2)
    assert first == second
    merchant.heard.clear()
    merchant.behave(callback="wrong_amount")
    merchant.paid("O-2")
    assert merchant.told(1)[0]["data"]["amount_fen"] == 601
    assert merchant.ask("/charges/O-2").json["amount_fen"] == 600
    merchant.heard.clear()
    merchant.behave(callback="never")
    merchant.paid("O-3")
    merchant.behave(callback="late")
    merchant.paid("O-4")
    assert merchant.heard == []
    assert [word["data"]["ref"] for word in merchant.told(1)] == ["O-4"]
    merchant.heard.clear()
    merchant.behave(callback="bad_signature")
    merchant.paid("O-5")
    assert processes.eventually(lambda: len(merchant.heard) == 1)
    [(headers, body)] = merchant.heard
    assert headers["Pay-Signature"] != signature(headers["Pay-Timestamp"], headers["Pay-Nonce"], body)


def test_a_behaviour_that_there_is_not_changes_nothing(merchant: Merchant) -> None:
    for wrong in ({"callback": "loud"}, {"refund": "twice", "payout": "slow"}, {"weather": "fine"}, {"payout": 1}):
        assert merchant.behave(**wrong).status_code == 422  # type: ignore[arg-type]
    assert merchant.behave().json == {"callback": "normal", "refund": "done", "payout": "done"}


def test_only_the_merchant_is_served(merchant: Merchant) -> None:
    merchant.charge("O-1")
    stale = str(int(time.time()) - 301)
    for wrong in (
        {"Merchant": "another"}, {"Nonce": "other"}, {"Nonce": ""}, {"Signature": "x"}, {"Timestamp": "²"},
        {"Timestamp": stale, "Signature": signature(stale, "a nonce", b"")},
        {"Signature": signature(str(int(time.time())), "a nonce", b"", "another secret")},
    ):  # fmt: skip
        assert merchant.ask("/charges/O-1", **wrong).status_code == 401
    for path in ("/charges", "/refunds", "/payouts", "/charges/O-1/close"):
        assert merchant.http.post(f"/pay/v1{path}", json={}).status_code == 401
    for path in ("/charges/O-1", "/refunds/R-1", "/payouts/W-1"):
        assert merchant.http.get(f"/pay/v1{path}").status_code == 401


def test_what_is_signed_for_one_charge_closes_no_other(merchant: Merchant) -> None:
    merchant.charge("O-1")
    merchant.charge("O-2")
    assert merchant.ask("/charges/O-2/close", {"charge_ref": "O-1"}).status_code == 422
    assert merchant.ask("/charges/O-1/close", {"charge_ref": "O-1"}).json["state"] == "closed"
    assert merchant.ask("/charges/O-2").json["state"] == "open"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *[("amount_fen", w) for w in (0, -1, 6.0, "600", True, None, 10**16)], ("currency", "USD"), ("charge_ref", ""),
        ("charge_ref", 7), ("description", "x" * 501), ("notify_url", "ftp://x"), ("expires_at", "2026-01-01"),
        ("expires_at", "soon"),
    ],
)  # fmt: skip
def test_a_wish_that_is_none_is_refused(merchant: Merchant, name: str, wrong: object) -> None:
    assert merchant.charge(**{"ref": "O-1", name: wrong}).status_code == 422  # type: ignore[arg-type]
    assert merchant.ask("/charges/O-1").status_code == 404


def test_what_is_unknown_is_said_so_by_its_name(merchant: Merchant) -> None:
    for what in ("charge", "refund", "payout"):
        answer = merchant.ask(f"/{what}s/none")
        assert (answer.status_code, answer.json) == (404, {"code": "not_found", f"{what}_ref": "none"})


def test_many_at_once_do_everything_once_and_the_books_add_up(merchant: Merchant) -> None:
    """Twelve threads charge, pay, give back and pay out under the same references."""
    codes = [merchant.code(f"person {n}") for n in range(6)]

    def work() -> None:
        own = Merchant(merchant.http.application.test_client())
        own.notify_url = merchant.notify_url
        for n in range(6):
            own.paid(f"O-{n}", 100 + n)
            own.refund(f"R-{n}", f"O-{n}", 40)
            own.refund(f"R-again-{n}", f"O-{n}", 61 + n)  # one fen more than is left
            own.pay_out(f"W-{n}", 7 * n + 1, codes[n])

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert merchant.ledger() == {
        "taken_fen": 615, "back_fen": 240, "out_fen": 111,
        "taken": {f"O-{n}": 100 + n for n in range(6)}, "back": {f"R-{n}": 40 for n in range(6)},
        "out": {f"W-{n}": 7 * n + 1 for n in range(6)}, "people": {f"person {n}": 7 * n + 1 for n in range(6)},
    }  # fmt: skip
    words = merchant.told(18)
    assert len({word["id"] for word in words}) == 18
    sums = dict.fromkeys(("charge.paid", "refund.done", "payout.done"), 0)
    for word in words:
        sums[word["kind"]] += word["data"]["amount_fen"]
    assert sums == {"charge.paid": 615, "refund.done": 240, "payout.done": 111}


def test_who_is_paid_is_told_to_nobody(merchant: Merchant) -> None:
    code = merchant.code("lin")
    answers = [merchant.pay_out("W-1", 5, code), merchant.ask("/payouts/W-1")]
    merchant.told(1)
    for said in (*(answer.get_data(as_text=True) for answer in answers), merchant.heard[0][1].decode()):
        assert "lin" not in said
        assert code not in said
    assert merchant.http.get("/mock/payout-code").status_code == 422


# --- the page ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(merchant: Merchant) -> Iterator[str]:
    with phones.serving(merchant.http.application) as url:
        yield url


@pytest.fixture(params=["zh-CN", "en-GB"])
def page(request: pytest.FixtureRequest, browser: Browser, shop: str) -> Iterator[Page]:
    """A phone without scripts, in either language, that must not complain."""
    made = browser.new_page(viewport=PHONE, locale=request.param, java_script_enabled=False)  # type: ignore[arg-type]
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("request", lambda asked: complaints.append(asked.url) if not asked.url.startswith(shop) else None)
    yield made
    made.close()
    assert [c for c in complaints if "404" not in c and not c.endswith("/favicon.ico")] == []


def test_a_buyer_pays_on_a_page_without_a_script(page: Page, merchant: Merchant, shop: str) -> None:
    made = merchant.charge("O-1", 123_456_780, description="<b>碳普惠</b> & 减排量").json
    page.goto(f"{shop}/pay/{made['charge_id']}")
    chinese = page.get_attribute("html", "lang") == "zh-CN"
    expect(page.locator(".amount")).to_have_text("¥ 1,234,567.80")
    expect(page.get_by_text("<b>碳普惠</b> & 减排量", exact=True)).to_be_visible()
    expect(page.locator(".state")).to_have_text("待支付" if chinese else "Waiting for payment")
    page.get_by_role("button", name="支付 ¥" if chinese else "Pay ¥").click()
    expect(page.locator(".state")).to_contain_text("已支付" if chinese else "Paid.")
    expect(page.get_by_role("button")).to_have_count(0)
    assert merchant.told(1)[0]["data"]["amount_fen"] == 123_456_780
    page.go_back()
    page.reload()
    expect(page.get_by_role("button")).to_have_count(0)


def test_a_buyer_cancels_and_nothing_is_taken(page: Page, merchant: Merchant, shop: str) -> None:
    made = merchant.charge("O-1").json
    page.goto(f"{shop}/pay/{made['charge_id']}")
    page.get_by_role("link").click()  # the other language, which stays
    english = page.get_attribute("html", "lang") == "en"
    page.get_by_role("button", name="Cancel" if english else "取消").click()
    expect(page.locator("html")).to_have_attribute("lang", "en" if english else "zh-CN")
    expect(page.locator(".state")).to_have_text(
        "Closed: it can no longer be paid." if english else "已关闭，不能再支付"
    )
    assert (merchant.heard, merchant.ledger()["taken_fen"]) == ([], 0)


def test_an_unknown_page_says_so_and_an_expired_one_offers_no_button(
    page: Page, merchant: Merchant, shop: str
) -> None:  # fmt: skip
    answer = page.goto(f"{shop}/pay/none")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator(".state")).to_be_visible()
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    page.goto(f"{shop}/pay/{merchant.charge('O-1', expires_at=past).json['charge_id']}")
    expect(page.locator(".amount")).to_have_text("¥ 6.00")
    expect(page.get_by_role("button")).to_have_count(0)


def test_no_page_is_wider_than_a_phone(browser: Browser, merchant: Merchant, shop: str) -> None:
    made = merchant.charge("O-" + "9" * 200, 10**15, description="x" * 500).json
    page = browser.new_page(viewport={"width": 320, "height": 600})
    page.goto(f"{shop}/pay/{made['charge_id']}?lang=en")
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.close()
