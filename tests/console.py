"""People at the company console: what they open, press and read. For tests with a real browser."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Locator, Page, Route

from backend.api import pages
from tests.cast import Client
from tests.market import RECEIVED, Market, ok

STATIC = Path(pages.__file__).parent / "static"
TEXTS: dict[str, dict[str, str]] = json.loads((STATIC / "console.json").read_text("utf-8"))


def key_file(key: Any) -> Any:
    return {"name": "key.json", "mimeType": "application/json", "buffer": json.dumps(key).encode()}


def opened(page: Page, base: str, language: str = "zh", view: str = "") -> None:
    page.goto(f"{base}/console?lang={language}#{view}")
    page.wait_for_selector("body[data-ready]")


def signed_in(page: Page, base: str, company: Client, language: str = "zh", view: str = "offers") -> None:
    opened(page, base, language, view)
    page.fill("[name=client]", company.id)
    page.set_input_files("#key-file", key_file(company.key))
    page.click("form.entry button[type=submit]")
    page.wait_for_selector("#views:not([hidden])", state="attached")
    shown(page)


def shown(page: Page) -> None:
    page.wait_for_selector("#main[aria-busy=false]")


def go(page: Page, view: str) -> None:
    """To a view by its link or, for one of its parts, by its address."""
    if not page.url.endswith(f"#{view}"):
        page.evaluate("view => { document.querySelector('#main').ariaBusy = 'true'; location.hash = view; }", view)
        shown(page)


def said(page: Page, name: str) -> str:
    """A text of the console in the language of the page, without what is put into it."""
    language = "zh" if str(page.get_attribute("html", "lang")).startswith("zh") else "en"
    return TEXTS[name][language]


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=said(page, name), exact=True)


def ordered(page: Page) -> int:
    page.wait_for_url(re.compile("#orders/"))
    page.wait_for_selector(".steps")
    return int(page.url.rpartition("/")[2])


def type_amount(page: Page, amount: str, unit: str) -> None:
    page.select_option("[name=quantity_g] + select", unit)
    page.fill("[name=quantity_g]", amount)


def quoted(page: Page, quantity: str) -> None:
    page.fill("[name=quantity_g]", quantity)
    button(page, "ask_quote").click()
    page.wait_for_selector(".quote")


def confirm(market: Market, order_id: int) -> None:
    """The operator has the money."""
    order = next(o for o in ok(market.operator.get("/v1/operator/orders"), 200)["items"] if o["id"] == order_id)
    told = RECEIVED | {"amount_fen": order["amount_fen"], "bank_ref": f"icbc-{order_id}"}
    ok(market.operator.post(f"/v1/operator/orders/{order_id}/payment", told), 200)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of this name, tag or text is reached, and it shows that it is."""
    ask = """() => { const e = document.activeElement;
      return [[e.name, e.tagName, e.textContent.trim()], getComputedStyle(e).outlineStyle !== 'none']; }"""
    for _ in range(40):
        page.keyboard.press("Tab")
        names, visible = page.evaluate(ask)
        assert visible, names
        if name in names:
            return
    raise AssertionError(f"{name} is not reached by Tab")


def lost(route: Route) -> None:
    """It arrives, and the answer does not."""
    route.fetch()
    route.abort()


def p256_key() -> dict[str, str]:
    """A new private key of the other kind there is."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    parts = {"x": numbers.public_numbers.x, "y": numbers.public_numbers.y, "d": numbers.private_value}
    encoded = {n: base64.urlsafe_b64encode(v.to_bytes(32, "big")).rstrip(b"=").decode() for n, v in parts.items()}
    return {"kty": "EC", "crv": "P-256", **encoded}
