"""The company console in a real browser: from a key file to a certificate, in Chinese and English."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from backend import payments
from backend.app import create_app
from backend.usecases import add_client, set_price
from tests import cast, console, phones
from tests.cast import Client
from tests.console import TEXTS, button, go, key_file, opened, ordered, quoted, said, shown, signed_in, tab_to
from tests.market import CODE, Market, keyed, ok

PHONE, DESK = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)
VIEWS = ("offers", "orders", "standing", "holdings", "retire", "transfer", "certificates", "invoices", "entities",
         "boundary", "messages", "webhooks")  # fmt: skip


@pytest.fixture(scope="module")
def market(module_database_url: str, valkey_url: str) -> Iterator[Market]:
    """Metro and cycling of two cities for sale, with steps of price, and a past."""
    with cast.stage(module_database_url, valkey_url) as stage:
        made = Market(stage)
        made.issued(3_000_000_000, 2_000_000_000)
        made.issued(900_000_000, price=7250, pool="440300.metro.1.0.0.202606", pack="metro", region="440300")
        past, tiers = datetime.now(UTC) - timedelta(days=200), ((1, 6800), (1_000_000, 6400))
        rule = {"region": "310000", "tiers": [{"from_g": g, "price_fen_per_tonne": fen} for g, fen in tiers]}
        set_price.set_price(stage.platform, keyed(made.operator.id), rule, past)
        made.paid(100_000, stage.client("company", "上海青禾"))
        yield made


@pytest.fixture(scope="module")
def base(market: Market) -> Iterator[str]:
    with phones.serving(create_app(market.platform)) as url:
        yield url


@pytest.fixture
def page(browser: Browser, base: str, redis_url: str) -> Iterator[Page]:
    """A desk that must not complain, nor ask any other host for anything. What the API refuses is no complaint.

    redis_url: emptied, so that the limit of requests a minute is this test's alone.
    """
    made = browser.new_page(viewport=DESK)
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda r: complaints.append(r.url) if not r.url.startswith((base, "data:")) else None)
    yield made
    made.close()
    refused = re.compile(
        r"Failed to load resource: (the server responded with a status of (401|409|422)|net::ERR_FAILED)"
    )
    assert [one for one in complaints if not refused.match(one)] == []


@pytest.fixture
def company(market: Market) -> Client:
    """A company of this test's own."""
    return market.stage.client("company", "深圳绿源")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_company_buys_holds_retires_and_has_its_certificate(
    page: Page, base: str, market: Market, company: Client, language: str
) -> None:
    signed_in(page, base, company, language)
    page.select_option("[name=region]", "310000")
    expect(page.locator(".offer")).to_have_count(1)
    quoted(page, "1.5")
    assert page.inner_text(".quote .big") == "¥96.00"  # 1.5 t at 64 yuan, the step from a tonne on
    expect(page.locator(".quote .countdown")).to_contain_text("14:5")
    button(page, "order_now").click()
    order_id = ordered(page)
    expect(page.locator(".steps [aria-current=step]")).to_contain_text(said(page, "state_reserved"))
    expect(page.locator(".copied code")).to_have_text(f"TPH-O-{order_id:06d}")
    page.get_by_label(said(page, "payer")).fill("深圳绿源")
    button(page, "declare").click()
    expect(page.locator(".steps [aria-current=step]")).to_contain_text(said(page, "state_declared"))
    console.confirm(market, order_id)
    go(page, "holdings")
    expect(page.locator(".rows")).to_contain_text("1,500,000")
    page.locator(".rows .links a").first.click()
    page.wait_for_selector("form.retire")
    assert page.inner_text("[name=batch] option:checked").startswith(said(page, "batch_number").split("{")[0])
    page.fill("[name=quantity_g]", "250.5")
    page.fill("[name='beneficiary.name']", "深圳市绿源新材料有限公司")
    page.fill("[name='beneficiary.uscc']", CODE)
    button(page, "review").click()
    expect(page.locator(".review")).to_contain_text(said(page, "for_good_long"))
    assert ok(company.get("/v1/retirements"), 200)["items"] == []
    button(page, "retire_yes").click()
    page.wait_for_selector(".certificate")
    retired = ok(company.get("/v1/retirements"), 200)["items"]
    assert [(one["quantity_g"], one["purpose"]) for one in retired] == [(250_500, "own_emissions")]
    number = retired[0]["number"]
    assert page.url.endswith(f"#certificates/{number}")
    assert page.inner_text(".certificate .big").startswith("250.5 ")
    hrefs = page.eval_on_selector_all(".certificate .files a", "all => all.map(a => a.getAttribute('href'))")
    assert hrefs == [f"/v1/certificates/{number}", f"/v1/certificates/{number}.json"]  # no worker here draws the PDF


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_view_is_shown_in_its_language_and_fits_a_phone(
    page: Page, base: str, market: Market, language: str
) -> None:
    market.paid(200_000)
    if not ok(market.company.get("/v1/retirements"), 200)["items"]:
        market.retired(50_000)
        ok(market.company.post("/v1/transfers", {"quantity_g": 10, "registry": "R", "registry_note": "a"}), 201)
        ok(market.company.post("/v1/standing-orders", {"quantity_g": 5, "limit_fen_per_tonne": 9, "day": 1}), 201)
        ok(market.company.post("/v1/own-partners", {"partner": market.stage.partner("own").id}), 201)
        ok(market.company.post("/v1/webhooks", {"url": "https://hooks.example.com/x"}), 201)
    certificate = ok(market.company.get("/v1/retirements"), 200)["items"][0]["number"]
    webhook = ok(market.company.get("/v1/webhooks"), 200)["items"][0]["id"]
    orders = [f"orders/{one['id']}" for one in ok(market.company.get("/v1/orders"), 200)["items"]]
    page.set_viewport_size(PHONE)
    signed_in(page, base, market.company, language)
    for view in (*VIEWS, orders[0], f"certificates/{certificate}", f"webhooks/{webhook}"):
        go(page, view)
        page.evaluate("document.querySelectorAll('#view details').forEach(d => d.open = true)")
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), view
        text = page.inner_text("body")
        assert [wrong for wrong in ("{", "undefined", "null", "NaN", "[object") if wrong in text] == [], view
        nameless = "main :is(input, select, textarea)"
        assert page.eval_on_selector_all(nameless, "a => a.filter(c => !c.labels.length && !c.ariaLabel).length") == 0
        headless = "all => all.filter(t => !t.caption || t.querySelector('th:not([scope])')).length"
        assert page.eval_on_selector_all("table", headless) == 0, view
        assert page.evaluate("document.activeElement.tagName") == "H1", view
        if language == "en":
            ours = {text["zh"] for text in TEXTS.values() if len(text["zh"]) > 2} - {"碳普惠", "English"}
            assert [one for one in ours if one in text] == [], view


def test_the_language_is_changed_without_signing_out(page: Page, base: str, company: Client) -> None:
    signed_in(page, base, company, "zh", "orders")
    page.click("#language")
    expect(page.locator("h1")).to_have_text("Orders")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#views a[aria-current]")).to_have_text("Orders")
    assert page.url.endswith("/console?lang=en#orders")


# --- signing in ---


def test_the_key_never_leaves_the_browser(page: Page, base: str, company: Client) -> None:
    sent: list[str] = []
    page.on("request", lambda r: sent.append(f"{r.url} {r.all_headers()} {r.post_data or ''}"))
    signed_in(page, base, company)
    asked = next(one for one in sent if "/v1/oauth/token" in one)
    assertion = urllib.parse.parse_qs(asked.rpartition(" ")[2])["client_assertion"][0]
    head, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in assertion.split(".")[:2])
    assert (head["alg"], body["iss"], body["sub"], body["aud"]) == ("EdDSA", company.id, company.id, cast.BASE)
    assert [one for one in sent if company.key["d"] in one] == []
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    page.reload()  # not remembered, so nobody is signed in
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("form.entry")).to_be_visible()


def test_a_remembered_key_signs_in_again_cannot_be_read_out_and_is_forgotten(
    page: Page, base: str, company: Client
) -> None:
    opened(page, base)
    page.fill("[name=client]", company.id)
    page.get_by_text("或粘贴私钥文本").click()
    page.fill("[name=key]", json.dumps(company.key))
    page.check("[name=remember]")
    page.click("form.entry button[type=submit]")
    page.wait_for_selector("#views:not([hidden])", state="attached")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#client")).to_have_text(company.id)
    exported = page.evaluate("""() => new Promise(resolve => {
      const opening = indexedDB.open('tanpuhui-console');
      opening.onsuccess = () => {
        const asked = opening.result.transaction('keys').objectStore('keys').get('signer');
        asked.onsuccess = () =>
          resolve(crypto.subtle.exportKey('jwk', asked.result.key).then(() => 'out', error => error.name));
      };
    })""")
    assert exported == "InvalidAccessError"
    page.click("#leave")
    expect(page.locator("form.entry")).to_be_visible()
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("form.entry")).to_be_visible()


def test_a_p256_key_signs_in(page: Page, base: str, market: Market) -> None:
    jwk = console.p256_key()
    client_id, _ = add_client.add_client(market.platform, "company", "P-256", jwk)
    signed_in(page, base, Client(market.stage.http, "company", "P-256", jwk, client_id))
    expect(page.locator("#client")).to_have_text(client_id)


@pytest.mark.parametrize(
    ("name", "refused"),
    [("foreign", "assertion_invalid"), ("public", "key_public"), ("text", "key_unreadable"), ("rsa", "key_kind"),
     ("damaged", "key_damaged"), ("partner", "not_company")],
)  # fmt: skip
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_wrong_key_is_told_clearly(
    page: Page, base: str, market: Market, company: Client, name: str, refused: str, language: str
) -> None:
    other = market.stage.client("company", "other")
    public = {k: v for k, v in company.key.items() if k != "d"}
    key = {"foreign": other.key, "public": public, "text": "hello", "rsa": {"kty": "RSA"},
           "damaged": company.key | {"d": company.key["d"][:20]}, "partner": market.partner.key}[name]  # fmt: skip
    opened(page, base, language)
    page.fill("[name=client]", market.partner.id if name == "partner" else company.id)
    file = key_file(key) | ({"buffer": b"-----BEGIN PRIVATE KEY-----"} if name == "text" else {})
    page.set_input_files("#key-file", file)
    page.click("form.entry button[type=submit]")
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text(TEXTS[f"refused_{refused}"][language])
    expect(problem).to_contain_text(TEXTS[f"next_{refused}"][language].split("{")[0])
    expect(page.locator("#views")).to_be_hidden()


def test_a_token_that_is_refused_is_renewed_silently(page: Page, base: str, company: Client) -> None:
    signed_in(page, base, company)
    page.route(
        "**/v1/orders*",
        lambda route: route.continue_(headers=route.request.headers | {"authorization": "Bearer a.b.c"}),
        times=1,
    )
    go(page, "orders")
    expect(page.locator("#view .quiet")).to_contain_text(TEXTS["no_orders"]["zh"])


# --- buying ---


def test_a_double_click_makes_one_order(page: Page, base: str, company: Client) -> None:
    signed_in(page, base, company)
    quoted(page, "0.01")
    page.evaluate("for (const _ of [1, 2, 3]) document.querySelector('.quote .act button').click()")
    ordered(page)
    assert len(ok(company.get("/v1/orders"), 200)["items"]) == 1


def test_a_lost_answer_is_asked_for_again_and_makes_one_retirement(
    page: Page, base: str, market: Market, company: Client
) -> None:
    market.paid(40_000, company)
    signed_in(page, base, company, "en", "retire")
    console.type_amount(page, "1,000", "kg")
    button(page, "review").click()
    expect(page.locator("[name='beneficiary.name']")).to_have_attribute("aria-invalid", "true")
    page.fill("[name='beneficiary.name']", "深圳市绿源新材料有限公司")
    page.fill("[name='beneficiary.uscc']", CODE[:-1] + "A")
    button(page, "review").click()
    button(page, "retire_yes").click()
    expect(page.locator("[name='beneficiary.uscc']")).to_be_focused()
    expect(page.locator("[name='beneficiary.uscc']")).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".wrong:visible")).to_contain_text("check sign")
    page.fill("[name='beneficiary.uscc']", CODE)
    button(page, "review").click()
    button(page, "retire_yes").click()
    expect(page.get_by_role("alert")).to_contain_text("You hold 40 kg")
    button(page, "change").click()
    page.get_by_role("button", name="All: 40 kg").click()
    button(page, "review").click()
    page.route("**/v1/retirements", console.lost, times=1)
    button(page, "retire_yes").click()
    expect(page.get_by_role("alert")).to_contain_text(TEXTS["refused_network"]["en"])
    button(page, "retire_yes").click()
    page.wait_for_selector(".certificate")
    assert [one["quantity_g"] for one in ok(company.get("/v1/retirements"), 200)["items"]] == [40_000]


def test_what_is_refused_says_what_to_do_next(page: Page, base: str, company: Client) -> None:
    signed_in(page, base, company)
    page.get_by_text("限价、部分成交").click()
    page.fill("[name=limit_fen_per_tonne]", "59.995")
    page.fill("[name=quantity_g]", "0.5")
    button(page, "ask_quote").click()
    expect(page.locator(".wrong:visible")).to_have_text(TEXTS["no_amount"]["zh"])
    page.fill("[name=limit_fen_per_tonne]", "59.99")
    button(page, "ask_quote").click()
    expect(page.get_by_role("alert")).to_contain_text("符合条件的可售量只有 0 克")
    expect(page.get_by_role("alert")).to_contain_text(TEXTS["next_sold_out"]["zh"])
    page.fill("[name=limit_fen_per_tonne]", "")
    quoted(page, "0.5")
    assert page.inner_text(".quote .big") == "¥34.00"


def test_a_quantity_is_exact_to_the_gram(page: Page, base: str, company: Client) -> None:
    signed_in(page, base, company)
    sent: list[Any] = []
    page.on("request", lambda r: sent.append(r.post_data_json) if r.url.endswith("/v1/quotes") else None)
    for typed, unit, grams in (
        ("0.000001", "t", 1), ("1,234.567", "kg", 1_234_567), ("７", "g", 7), ("1.0000001", "t", None),
        ("1,5", "t", None), ("0", "g", None), ("-1", "kg", None), ("many", "g", None),
    ):  # fmt: skip
        sent.clear()
        page.evaluate("document.querySelector('.answer').replaceChildren()")
        console.type_amount(page, typed, unit)
        button(page, "ask_quote").click()
        page.wait_for_selector(".quote" if grams else "[name=quantity_g][aria-invalid]")
        assert [one["quantity_g"] for one in sent] == ([grams] if grams else []), typed


def test_a_company_buys_by_keyboard_alone(page: Page, base: str, company: Client) -> None:
    opened(page, base, "en")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    tab_to(page, "client")
    page.keyboard.type(company.id)
    tab_to(page, "SUMMARY")
    page.keyboard.press("Enter")
    tab_to(page, "key")
    page.keyboard.insert_text(json.dumps(company.key))
    tab_to(page, "Sign in")
    page.keyboard.press("Enter")
    page.wait_for_selector("#views:not([hidden])", state="attached")
    shown(page)
    tab_to(page, "quantity_g")
    page.keyboard.type("0.02")
    page.keyboard.press("Enter")
    page.wait_for_selector(".quote")
    tab_to(page, "Place the order")
    page.keyboard.press("Enter")
    ordered(page)
    assert page.evaluate("document.activeElement.tagName") == "H1"
    tab_to(page, "I pay by bank transfer")
    page.keyboard.press("Enter")
    expect(page.locator(".steps [aria-current=step]")).to_contain_text("Declared")


def test_an_order_is_paid_at_the_provider(
    page: Page, base: str, market: Market, company: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = payments.Charge("c-1", "https://pay.example.com/c-1")
    monkeypatch.setattr(payments, "provider", lambda _: SimpleNamespace(charge=lambda *_: charge))
    signed_in(page, base, company, "en")
    page.evaluate("document.body.dataset.provider = 'true'")
    go(page, f"orders/{market.ordered(1000, company)['id']}")
    page.get_by_text("Pay online instead").click()
    button(page, "choose_provider").click()
    pay = page.get_by_role("link", name="Go to payment")
    expect(pay).to_have_attribute("href", charge.pay_url)
    expect(pay).to_have_attribute("rel", "noopener noreferrer")


def test_the_price_chart_is_told_in_words_and_as_a_table(page: Page, base: str, company: Client) -> None:
    signed_in(page, base, company, "en")
    page.select_option("[name=region]", "310000")
    expect(page.locator("svg.chart .asked")).to_have_count(1)
    label = str(page.get_attribute("svg.chart", "aria-label"))
    assert "¥64.00/t now" in label
    page.get_by_text("What was paid, as a table").click()
    expect(page.locator(".prices .rows").first).to_contain_text("¥68.00")
    page.select_option("[name=region]", "440300")
    expect(page.locator("svg.chart")).to_have_count(0)
    expect(page.locator(".prices")).to_contain_text("Nothing was sold")


# --- afterwards ---


def test_an_order_is_cancelled_and_another_refunded_with_its_invoice_answered(
    page: Page, base: str, market: Market, company: Client
) -> None:
    first, second = market.ordered(1000, company)["id"], market.paid(20_000, company)["id"]
    signed_in(page, base, company, "en", f"orders/{first}")
    button(page, "cancel_order").click()
    page.locator(".act .final").click()
    expect(page.locator(".steps [aria-current=step]")).to_contain_text("Cancelled")
    go(page, f"orders/{second}")
    page.locator("summary", has_text="Ask for the invoice").click()
    page.get_by_label("Name of the buyer").fill("深圳市绿源新材料有限公司")
    page.get_by_label("Unified social credit code").fill(CODE)
    button(page, "ask_invoice").click()
    expect(page.locator("#view")).to_contain_text("TPH-I-")
    page.locator("summary", has_text="Ask for a refund").click()
    page.get_by_label("Reason").fill("ordered twice")
    button(page, "ask_refund").click()
    page.locator(".review .final").click()
    expect(page.locator(".steps [aria-current=step]")).to_contain_text("Refunded")
    go(page, "invoices")
    expect(page.locator(".rows")).to_contain_text("Credit note")


def test_several_beneficiaries_a_footprint_and_a_claim_are_on_the_certificate(
    page: Page, base: str, market: Market, company: Client
) -> None:
    market.paid(30_000, company)
    signed_in(page, base, company, "zh", "retire")
    console.type_amount(page, "30", "kg")
    button(page, "several_beneficiaries").click()
    for place, (name, code, part) in enumerate((("深圳市绿源", CODE, "10"), ("厦门样本", "91350100M000100Y43", "20"))):
        page.fill(f"[name='beneficiaries.{place}.name']", name)
        page.fill(f"[name='beneficiaries.{place}.uscc']", code)
        page.fill(f"[name='beneficiaries.{place}.quantity_g']", part)
    expect(page.locator("form.retire")).to_contain_text("合计 30 千克，正好。")
    page.get_by_text("更多：代表").click()
    page.get_by_label("声明中和").check()
    expect(page.get_by_label("陈述足迹")).to_be_checked()
    page.fill("[name='footprint.quantity_g']", "0.06")
    page.fill("[name='footprint.boundary']", "总部")
    page.fill("[name='neutrality_claim.own_reductions_g']", "0")
    page.fill("[name='neutrality_claim.statement']", "总部 2025 年中和")
    button(page, "review").click()
    button(page, "retire_yes").click()
    page.wait_for_selector(".certificate")
    for text in ("深圳市绿源", "厦门样本", "20 千克", "已抵 50 %", "总部 2025 年中和"):
        expect(page.locator(".certificate")).to_contain_text(text)


def test_credits_are_given_to_another_company(page: Page, base: str, market: Market, company: Client) -> None:
    market.paid(5000, company)
    other = market.stage.client("company", "上海青禾二")
    signed_in(page, base, company, "en", "transfer")
    console.type_amount(page, "5000", "g")
    page.get_by_label("Client id of that company").fill("nobody")
    button(page, "review").click()
    button(page, "transfer_yes").click()
    expect(page.locator(".wrong:visible")).to_have_text("there is no such company")
    page.get_by_label("Client id of that company").fill(other.id)
    button(page, "review").click()
    button(page, "transfer_yes").click()
    expect(page.locator("#view")).to_contain_text("5 kg are transferred")
    assert ok(other.get("/v1/holdings"), 200)["held_g"] == 5000


def test_a_standing_order_is_made_and_ended(page: Page, base: str, company: Client) -> None:
    signed_in(page, base, company, "en", "standing")
    page.fill("[name=quantity_g]", "0.5")
    page.fill("[name=limit_fen_per_tonne]", "70")
    page.fill("[name=day]", "29")
    button(page, "make_standing").click()
    expect(page.locator(".wrong:visible")).to_have_text("This must be between 1 and 28.")
    page.fill("[name=day]", "28")
    button(page, "make_standing").click()
    expect(page.locator("#view")).to_contain_text("500 kg on day 28 of every month, at most ¥70.00/t")
    button(page, "end_standing").click()
    page.locator(".act .final").click()
    expect(page.locator("#view .badge")).to_have_text("Ended")


def test_an_entity_is_named_and_a_partner_declared(page: Page, base: str, market: Market, company: Client) -> None:
    signed_in(page, base, company, "zh", "entities")
    page.fill("[name=name]", "厦门样本")
    page.fill("[name=uscc]", "91350100M000100Y43")
    button(page, "ask_review").click()
    go(page, "boundary")
    button(page, "review").click()
    expect(page.locator(".wrong:visible")).to_have_text(TEXTS["missing"]["zh"])
    page.select_option("[name=partner]", market.partner.id)
    button(page, "review").click()
    page.locator(".review .final").click()
    expect(page.locator(".rows")).to_contain_text(market.partner.id)


def test_a_webhook_is_made_its_secret_shown_once_and_it_is_removed(page: Page, base: str, company: Client) -> None:
    signed_in(page, base, company, "en", "webhooks")
    page.get_by_label("Address").fill("ftp://example.com")
    button(page, "make_webhook").click()
    expect(page.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Address").fill("https://hooks.example.com/x")
    page.get_by_label("an order was paid").check()
    button(page, "make_webhook").click()
    expect(page.locator(".copied code")).to_contain_text("whsec_")
    page.get_by_role("link", name="Go on").click()
    expect(page.locator("h2.url")).to_have_text("https://hooks.example.com/x")
    assert "whsec_" not in page.content()
    made = ok(company.get("/v1/webhooks"), 200)["items"]
    assert [one["kinds"] for one in made] == [["order.paid"]]
    button(page, "send_test").click()
    expect(page.get_by_role("status")).to_contain_text("A test is on its way: look at ")
    button(page, "remove_webhook").click()
    page.locator(".act .final").click()
    expect(page.locator("#view")).to_contain_text("There are no webhooks yet.")
    go(page, "messages")
    expect(page.locator(".messages")).to_contain_text("a test")
