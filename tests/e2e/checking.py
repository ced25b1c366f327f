"""The page where proofs are checked, as somebody uses it: a key is given, files are chosen, verdicts are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playwright.sync_api import Locator, Page

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@dataclass(frozen=True)
class Verdict:
    """What the page says of a file. said: the sentence below the title; all: the whole card with its steps."""

    verdict: str
    reason: str
    kind: str
    said: str
    all: str


class Checker:
    """An open page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, base: str, language: str = "en", key: str = "") -> Checker:
        self.page.goto(f"{base}/verify?lang={language}")
        self.page.wait_for_selector("body[data-ready]")
        if key:
            self.trust(key)
        return self

    def trust(self, key: str) -> None:
        """Trust this key instead; an empty one: the platform's."""
        self._after(lambda: self.page.evaluate(_TYPE_KEY, key))

    def keep(self, checkpoint: bytes | None) -> None:
        """Give a checkpoint as one that was kept, or none."""
        self._after(lambda: self.page.set_input_files("#known", [_file("kept", checkpoint)] if checkpoint else []))

    def check(self, files: Mapping[str, bytes]) -> dict[str, Verdict]:
        """The verdicts on files by name, in place of all that were given before."""
        if self.page.locator("#anew").is_visible():
            self._after(lambda: self.page.click("#anew"))
        return self.add(files)

    def add(self, files: Mapping[str, bytes]) -> dict[str, Verdict]:
        given = [_file(name, raw) for name, raw in files.items()]
        self._after(lambda: self.page.set_input_files("#files", given))
        return self.verdicts()

    def verdicts(self) -> dict[str, Verdict]:
        return {name: Verdict(*values) for name, *values in self.page.evaluate(_READ)}

    def card(self, name: str) -> Locator:
        return self.page.locator(".verdict", has=self.page.locator(".file", has_text=name))

    def _after(self, act: object) -> None:
        """Do something, and wait until all is checked anew."""
        assert callable(act)
        before = int(self.page.get_attribute("#verdicts", "data-round") or 0)
        act()
        self.page.wait_for_function("n => Number(document.querySelector('#verdicts').dataset.round) > n", arg=before)


_TYPE_KEY = (
    "text => { const key = document.querySelector('#key'); key.value = text; key.dispatchEvent(new Event('input')); }"
)
_READ = """[...document.querySelectorAll('.verdict')].map((card) => [
    card.querySelector('.file').textContent, card.dataset.verdict, card.dataset.reason ?? '', card.dataset.kind,
    card.querySelector('.words').textContent, card.textContent])"""


def _file(name: str, raw: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "application/json", "buffer": raw}
