"""What an audit looked at and what it found: a `Check` a part of it. All findings are counted, the first are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

SHOWN = 1000  # findings of a check that are kept

Tell = Callable[[str, int, int], None]  # (what is looked at, how much of it is done, of how much)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold. rows: `<table> <key>`, the most likely first; one of them was changed."""

    rows: tuple[str, ...]
    zh: str
    en: str


@dataclass(slots=True)
class Check:
    """A part of the audit under its name. counts: what was looked at, by English name; remarks: what to know of it."""

    name: str
    zh: str
    en: str
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    remarks: list[tuple[str, str]] = field(default_factory=list)  # (zh, en)

    def find(self, rows: Iterable[str | None], english: str, chinese: str) -> None:
        """rows: without those that are not there."""
        self.found += 1
        if len(self.findings) < SHOWN:
            self.findings.append(Finding(tuple(dict.fromkeys(row for row in rows if row)), chinese, english))

    def differs(self, rows: Iterable[str | None], what: str, found: object, expected: object) -> None:
        """found None: it is missing. expected None: nothing explains it."""
        if found is None:
            self.find(rows, f"{what}: {expected} is missing", f"{what}：缺少 {expected}")
        elif expected is None:
            self.find(rows, f"{what}: nothing explains {found}", f"{what}：{found} 没有依据")
        else:
            self.find(rows, f"{what} is {found}, should be {expected}", f"{what} 为 {found}，应为 {expected}")
