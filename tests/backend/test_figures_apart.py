"""No table of the public figures, nor any sum or difference of tables, tells of few people or mostly of one.

The milligrams of a deed are a large base and a bit of its own, so a published sum says exactly which deeds are in it.
Deeds that are in the very same sums can never be told apart, whatever is added or subtracted; each such group must bear
being told. That is checked over all tables and filters at once, and with what batches hold known beside them.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from backend.store import conservation, figures
from backend.store.figures import Place
from backend.usecases import show_figures
from rewards import certificates
from rules import standard
from tests.market import Market, ok

FEW = 4  # instead of 20, so that small tables have everything
NOW = datetime(2026, 11, 1, tzinfo=UTC)
MOST = 150  # deeds of a table
ANSWERED = 153  # the number of a table that is told in much detail
BASE = 1 << 2 * MOST
STANDARD = standard.load()
MONTHS = [date(2025, 12, 1), *(date(2026, month, 1) for month in (3, 5, 6, 7))]
REGIONS = ["310000", "440000", "440100", "440300", "330100"]
HELDS = ["open", "demonstration", "real"]
PACKS = ["cycling", "metro", "recycling", "e_invoice"]
WANTED = {
    "months": ["", "2025", "2026", "2026-Q2", "2026-Q3", "2025-12", "2026-03", "2026-05", "2026-06", "2026-07"],
    "regions": ["", *REGIONS, "330000"],
    "behaviours": ["", *PACKS, "travel", "goods"],
}


@dataclass(frozen=True)
class Deed:
    person: int
    region: str
    pack: str
    month: date
    held: str

    @property
    def key(self) -> tuple[Any, ...]:
        return self.region, self.pack, "1.0.0", self.month, self.held


class Database:
    @contextmanager
    def transaction(self, **_: Any) -> Iterator[None]:
        yield None


class Books:
    """What the store would count of some deeds."""

    def __init__(self, deeds: Sequence[Deed]) -> None:
        self.deeds = deeds
        self.places = [Place(n, *key) for n, key in enumerate(dict.fromkeys(deed.key for deed in deeds))]
        numbers = {place[1:]: place.number for place in self.places}
        self.mine: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for at, deed in enumerate(deeds):
            self.mine[deed.person, numbers[deed.key]].append(at)

    def gather(self, _: None) -> list[Place]:
        return self.places

    def counted(self, _: None, cells: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
        inside: defaultdict[int, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for (person, place), found in self.mine.items():
            for cell in [c for number, c in cells if number == place]:
                inside[cell][person] += found
        return [self._row(cell, list(people.values())) for cell, people in inside.items()]

    def _row(self, cell: int, people: list[list[int]]) -> dict[str, Any]:
        mg = [sum(map(worth, found)) for found in people]
        pooled = [sum(worth(at) for at in found if self.deeds[at].held != "open") for found in people]
        return {
            "cell": cell, "people": len(people), "deeds": sum(map(len, people)), "measured_mg": sum(mg),
            "deeds_of_one": max(map(len, people)), "measured_people": len(mg), "measured_of_one": max(mg),
            "measured_of_all": sum(mg), "pooled_people": sum(map(bool, pooled)), "pooled_of_one": max(pooled),
            "pooled_of_all": sum(pooled),
        }  # fmt: skip

    def may_be_told(self, group: frozenset[int]) -> bool:
        each = Counter(self.deeds[at].person for at in group)
        return len(each) >= FEW and 2 * max(each.values()) <= len(group)


def worth(at: int, base: int = BASE) -> int:
    return base + (1 << at)


def deeds_in(row: dict[str, Any], base: int = BASE) -> frozenset[int]:
    """Which deeds the row's milligrams are of, held against how many it tells."""
    count, bits = divmod(row["measured_mg"], base)
    found = frozenset(at for at in range(MOST) if bits >> at & 1)
    assert len(found) == count == row["deeds"]
    return found


def published(books: Books, wanted: dict[str, list[str]]) -> Iterator[frozenset[int]]:
    """The deeds of every row of every table under every filter; rows of a table are apart and make up its totals."""
    platform: Any = SimpleNamespace(db=Database(), standard=STANDARD, settings=SimpleNamespace(demonstration=True))
    for labels in itertools.product(*wanted.values()):
        found = show_figures.show_figures(platform, dict(zip(wanted, labels, strict=True)), NOW)
        totals = [deeds_in(row) for row in found["totals"]]
        yield from totals
        for table in show_figures.TABLES:
            rows = [deeds_in(row) for row in found[table]]
            assert sum(map(len, rows)) == len(frozenset().union(*rows))
            assert frozenset().union(*rows) == frozenset().union(*totals)
            yield from rows


def told_apart(books: Books, sums: set[frozenset[int]]) -> list[frozenset[int]]:
    """Groups of deeds that are in the same sums; open ones and those of batches apart, for batches are public."""
    signs: defaultdict[tuple[Any, ...], set[int]] = defaultdict(set)
    ordered = sorted(sums, key=sorted)
    for at, deed in enumerate(books.deeds):
        signs[deed.held == "open", tuple(at in one for one in ordered)].add(at)
    return [frozenset(group) for group in signs.values()]


def check(monkeypatch: pytest.MonkeyPatch, deeds: Sequence[Deed]) -> list[frozenset[int]]:
    """All that is told of these deeds bears being told; the sums."""
    books = Books(deeds)
    monkeypatch.setattr(certificates, "PEOPLE_SHOWN_FROM", FEW)
    monkeypatch.setattr(figures, "gather", books.gather)
    monkeypatch.setattr(figures, "counted", books.counted)
    monkeypatch.setattr(figures, "given_back", lambda _: {})
    monkeypatch.setattr(conservation, "batches", lambda _: [])
    sums = set(published(books, WANTED))
    check_sums(books, sums)
    return sorted(sums, key=len)


def check_sums(books: Books, sums: set[frozenset[int]]) -> None:
    """Of what is in no sum, no more is known than the total (of all that is open, or of all that is in batches)."""
    for group in told_apart(books, sums):
        in_a_sum = any(group <= one for one in sums)
        is_open = books.deeds[min(group)].held == "open"
        whole = {at for at, deed in enumerate(books.deeds) if (deed.held == "open") == is_open}
        assert books.may_be_told(group) or (not in_a_sum and group == whole), sorted(group)


def drawn(seed: int) -> list[Deed]:
    """Deeds of some people in some cells, as uneven as life: a few cells have most of them."""
    chance = random.Random(seed)
    regions, packs, months = (chance.sample(kinds, chance.randint(1, 4)) for kinds in (REGIONS, PACKS, MONTHS))
    helds = chance.sample(HELDS, chance.randint(1, 3))
    people, evenness = chance.randint(3, 30), chance.choice([0.5, 1, 3])

    def some(kinds: Sequence[Any]) -> Any:
        return kinds[int(len(kinds) * chance.random() ** evenness)]

    return [
        Deed(chance.randint(1, people), some(regions), some(packs), some(months), some(helds))
        for _ in range(chance.randint(0, MOST))
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_whatever_is_added_and_subtracted_no_group_of_few_is_told(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    sums = check(monkeypatch, drawn(seed))
    event(f"{min(len(sums) // 10 * 10, 50)} sums or more")


def test_the_drawn_tables_are_often_told_in_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the test above would say little."""
    assert sum(len(check(monkeypatch, drawn(seed))) >= 10 for seed in range(40)) >= 15


def test_the_same_holds_for_what_the_platform_answers(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "PEOPLE_SHOWN_FROM", FEW)
    base = 1 << 45
    deeds = [replace(deed, held="open") for deed in drawn(ANSWERED)][:45]
    for at, deed in enumerate(deeds):
        person = market.people[deed.person - 1]
        market.deed(worth(at, base), person=person, region=deed.region, pack=deed.pack, month=deed.month)
    largest, _ = Counter(deed.key for deed in deeds).most_common(1)[0]
    ok(market.operator.post(f"/v1/pools/{largest[0]}.{largest[1]}.1.0.0.{largest[3]:%Y%m}/close"), 201)
    books = Books([replace(deed, held="demonstration") if deed.key == largest else deed for deed in deeds])
    show_figures.forget(market.platform)
    sums = set()
    for month, region, behaviour in itertools.product(*WANTED.values()):
        wanted = {"month": month, "region": region, "behaviour": behaviour}
        for table in show_figures.TABLES:
            asked = {name: label for name, label in wanted.items() if label}
            found = ok(market.stage.http.get(f"/v1/reports/{table}", query_string=asked), 200)
            sums |= {deeds_in(row, base) for row in found["items"] + found["totals"]}
    check_sums(books, sums)
    monkeypatch.undo()
    assert len(sums) >= 20
