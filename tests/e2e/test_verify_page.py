"""The page where proofs are checked, in a real browser: what the platform handed out holds, and nothing is sent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.app import create_app
from backend.usecases import sequence_log
from mobile_mock import server
from tests import cast, phones
from tests.cast import Stage
from tests.e2e.checking import DESK, PHONE, Checker
from tests.market import Market
from tests.phones import log_in
from tests.rewards.offline_files import Log

HOLDING = ("certificate", "receipt", "receipt of the batch", "membership", "head", "older head")


@dataclass
class World:
    """A platform that is served, and the files that it handed out."""

    stage: Stage
    url: str
    files: dict[str, bytes] = field(default_factory=dict)

    def sequence(self) -> None:
        sequence_log.sequence_log(self.stage.platform, datetime.now(UTC))

    def fetch(self, path: str) -> bytes:
        answer = self.stage.http.get(path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return bytes(answer.get_data())


@pytest.fixture(scope="module")
def world(module_database_url: str, valkey_url: str) -> Iterator[World]:
    with phones.serving(server.create_app("http://127.0.0.1:9")) as provider:
        environment = phones.identity_environment(provider)
        with (
            cast.stage(module_database_url, valkey_url, **environment) as stage,
            phones.serving(create_app(stage.platform)) as url,
        ):
            made = World(stage, url)
            hand_out(made, provider)
            yield made


def hand_out(world: World, provider: str) -> None:
    """Rides, a batch with one of them, a retirement; and the files of all that."""
    stage, files = world.stage, world.files
    bikes = stage.partner("citybike", ["lin", "wang"], of="city")
    lin = log_in(stage.http, provider, "union-lin")
    market = Market(stage)
    market._ids = itertools.count(1000)  # behind the deeds of the rides
    bikes.verdicts(bikes.event("r1", "lin", datetime(2026, 6, 3, 2, tzinfo=UTC)))
    bikes.verdicts(bikes.event("r2", "lin", cast.recent(8)))
    world.sequence()
    files["older head"] = world.fetch("/v1/log/checkpoint")
    market.issued(*[200_000] * 40)
    market.paid(300)
    number = market.retired(300)["certificate"]["number"]
    world.sequence()
    for item in lin.ok("/v1/me/deeds")["items"]:
        receipt = lin.get(f"/v1/me/deeds/{item['deed']}/receipt").get_data()
        if json.loads(receipt)["batch"]:
            path = f"/v1/me/deeds/{item['deed']}/membership"
            files |= {"receipt of the batch": receipt, "membership": lin.get(path, certificate=number).get_data()}
        else:
            files["receipt"] = receipt
    sha256 = json.loads(files["receipt"])["records"][0]["pack"]["sha256"]
    files["pack.json"] = world.fetch(f"/v1/standard/packs/{sha256}")
    files["certificate"] = world.fetch(f"/v1/certificates/{number}.json")
    files["head"] = world.fetch("/v1/log/checkpoint")
    files["growth"] = world.fetch("/v1/log/proofs/consistency?from=3")


@pytest.fixture
def page(browser: Browser, world: World) -> Iterator[Page]:
    """A page that must not complain, and after it is loaded may not ask anybody for anything."""
    made = browser.new_page(viewport=DESK)
    complaints: list[str] = []
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("request", lambda one: complaints.append(one.url) if not one.url.startswith((world.url, "data:")) else None)
    yield made
    made.close()
    assert complaints == []


def test_what_the_platform_handed_out_holds_with_its_keys_and_nothing_is_sent(page: Page, world: World) -> None:
    checker = Checker(page).open(world.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = checker.check({name: world.files[name] for name in (*HOLDING, "pack.json")})
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(HOLDING, "holds")
    assert "is entry 47 of 48 of the public log" in found["certificate"].said
    assert "one of the 41 deeds of batch 1" in found["receipt of the batch"].said
    assert "in no batch yet" in found["receipt"].all
    assert "Shanghai, 2026-06 (Cycling) is in batch 1, of which 300 g CO₂e were retired" in found["membership"].said
    assert "These reductions are not CCER" in found["certificate"].all
    assert asked == []


def test_without_a_network_the_open_page_checks_as_before(page: Page, world: World) -> None:
    checker = Checker(page).open(world.url)
    page.context.set_offline(True)
    found = checker.check({name: world.files[name] for name in (*HOLDING, "pack.json")})
    assert {one.verdict for one in found.values()} == {"holds"}
    changed = world.files["certificate"].replace(b'"quantity_g":300', b'"quantity_g":301')
    assert changed != world.files["certificate"]
    assert checker.check({"certificate": changed})["certificate"].verdict == "refused"


def test_the_policy_lets_the_page_reach_nobody(browser: Browser, world: World) -> None:
    page = browser.new_page()
    Checker(page).open(world.url)
    answered: list[str] = []
    page.on("response", lambda response: answered.append(response.url))
    tried = page.evaluate("""async () => {
      const kept = [];
      document.addEventListener("securitypolicyviolation", (event) => kept.push(event.effectiveDirective));
      const told = await fetch("/v1/log/keys").then(() => "sent", () => "kept");
      navigator.sendBeacon("/v1/log/keys", "x");
      new Image().src = "/v1/log/keys";
      const form = document.body.appendChild(document.createElement("form"));
      form.action = "/v1/log/keys";
      form.submit();
      try { new EventSource("/v1/log/keys"); new WebSocket("ws://127.0.0.1:9/"); } catch { kept.push("thrown"); }
      await new Promise((done) => setTimeout(done, 300));
      const connects = kept.filter((one) => one === "connect-src").length;
      return [told, connects >= 2, kept.includes("img-src"), kept.includes("form-action")];
    }""")
    assert tried == ["kept", True, True, True]
    assert answered == []
    page.close()


def test_a_file_is_dropped_anywhere_on_the_page(page: Page, world: World) -> None:
    checker = Checker(page).open(world.url)
    checker._after(lambda: page.evaluate("""(text) => {
      const data = new DataTransfer();
      data.items.add(new File([text], "dropped.json"));
      for (const type of ["dragover", "drop"]) {
        const event = new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
        document.querySelector("footer").dispatchEvent(event);
      }
    }""", world.files["certificate"].decode()))  # fmt: skip
    assert checker.verdicts()["dropped.json"].verdict == "holds"


def test_a_certificate_that_waits_is_undecided_until_its_later_file_is_given(page: Page, world: World) -> None:
    checker = Checker(page).open(world.url)
    waiting = json.dumps(json.loads(world.files["certificate"]) | {"log": None}).encode()
    early = checker.check({"certificate": waiting})["certificate"]
    assert (early.verdict, early.reason) == ("open", "unlogged")
    assert "the retirement is not in the log yet" in early.said
    assert "300 g CO₂e" in early.all
    found = checker.add({"certificate": world.files["certificate"]})
    assert {name: one.verdict for name, one in found.items()} == {"certificate": "holds"}


def test_a_key_of_ones_own_replaces_the_platforms(page: Page, world: World) -> None:
    checker = Checker(page).open(world.url)
    assert checker.check({"certificate": world.files["certificate"]})["certificate"].verdict == "holds"
    page.click("#trust summary")
    shown = page.locator("#keys li")
    expect(shown.first).to_contain_text("localhost/v1/log+")
    checker.trust(str(Log(seed=9).key))
    assert page.inner_text("#trusted") == "the key that you gave"
    assert checker.verdicts()["certificate"].reason == "signature_kid"
    checker._after(lambda: page.click("#back"))
    assert checker.verdicts()["certificate"].verdict == "holds"
    for path in ("/v1/log/keys", "/.well-known/jwks.json"):
        found = checker.add({"keys.json": world.fetch(path)})  # dropped among the others
        assert page.inner_text("#trusted") == "the key that you gave"
        assert found["certificate"].verdict == "holds", path
    checker._after(lambda: page.set_input_files("#keyfile", [
        {"name": "key.txt", "mimeType": "text/plain", "buffer": str(Log(seed=9).key).encode()}]))  # fmt: skip
    assert checker.verdicts()["certificate"].verdict == "refused"


def test_a_head_that_was_kept_shows_that_the_log_only_grew(page: Page, world: World) -> None:
    checker = Checker(page).open(world.url)
    checker.keep(world.files["older head"])
    found = checker.check({name: world.files[name] for name in ("head", "certificate", "growth")})
    assert {one.verdict for one in found.values()} == {"holds"}
    assert "The log grew from 3 to 48 entries, and nothing before was changed" in found["certificate"].all
    checker.keep(world.files["head"])
    assert checker.check({"head": world.files["older head"]})["head"].reason == "checkpoint_again"


def test_what_cannot_be_checked_is_named_and_says_what_to_give_instead(page: Page, world: World) -> None:
    checker = Checker(page).open(world.url)
    found = checker.check({"a.pdf": b"%PDF-1.7", "b.json": b'{"a": 1}', "c.json": b"[1", "d": b"\x00\xff"})
    assert {name: one.reason for name, one in found.items()} == {
        "a.pdf": "file_pdf", "b.json": "file_unknown", "c.json": "json_broken", "d": "file_utf8"
    }  # fmt: skip
    assert "JSON file instead" in found["a.pdf"].said
    checker.check({"pack.json": world.files["pack.json"]})
    assert "What is to be checked is still missing" in page.inner_text("#lone")
    checker.check({"growth.json": world.files["growth"], "head": world.files["head"]})
    assert "only with a checkpoint that you kept" in page.inner_text("#lone")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("Object.defineProperty(crypto, 'subtle', {value: undefined});"
         "Object.defineProperty(window, 'isSecureContext', {value: false});", "not opened over https"),
        ("SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('no', 'NotSupportedError'));",
         "cannot check Ed25519 signatures"),
    ],
)  # fmt: skip
def test_a_browser_that_cannot_check_says_so_and_names_the_script(
    page: Page, world: World, harm: str, words: str
) -> None:
    page.add_init_script(harm)
    Checker(page).open(world.url)
    told = page.inner_text("#obstacle")
    assert words in told
    assert "/v1/log/verify.py" in told
    expect(page.locator("#check")).to_be_hidden()


def test_the_page_is_used_by_keyboard_alone(page: Page, world: World) -> None:
    page.on("filechooser", lambda _: None)  # from here on they are caught: it takes the browser a moment to do so
    checker = Checker(page).open(world.url)
    page.focus(".skip")
    seen = []
    while "files" not in seen and len(seen) < 12:
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    given = {"name": "certificate.json", "mimeType": "application/json", "buffer": world.files["certificate"]}
    checker._after(lambda: chooser.value.set_files([given]))  # type: ignore[list-item]
    assert page.inner_text("#said") == "1 genuine, 0 undecided, 0 refused"
    assert page.get_attribute("#said", "aria-live") == "polite"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Remove certificate.json"
    checker._after(lambda: page.keyboard.press("Enter"))
    assert checker.verdicts() == {}
    assert page.evaluate("document.activeElement.id") == "files"


def test_every_control_has_a_name(page: Page, world: World) -> None:
    Checker(page).open(world.url).check({name: world.files[name] for name in ("certificate", "head")})
    nameless = """[...document.querySelectorAll("input, textarea, button")].filter((one) =>
        !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim()))"""
    assert page.evaluate(f"{nameless}.map((one) => one.id)") == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_verdict_is_wider_than_a_phone_and_all_is_said_in_one_language(
    page: Page, world: World, language: str
) -> None:
    page.set_viewport_size(PHONE)
    checker = Checker(page).open(world.url, language)
    bad = world.files["certificate"].replace(b'"quantity_g":300', b'"quantity_g":301')
    checker.check(world.files | {"changed": bad, "no.pdf": b"%PDF-", "x" * 150: b"[1"})
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    text = page.inner_text("main")
    assert [wrong for wrong in ("undefined", "null", "NaN", "[object", "{") if wrong in text] == []
    words = {"zh": ("成立", "这份证书是真的"), "en": ("Genuine", "This certificate is genuine")}
    for known, said in words.items():
        assert all((word in text) == (known == language) for word in said)
