"""Made traffic of four partners in three cities, declared as made, with its own answer key.

    <partner>.jsonl       events in the order of sending, `partner_ref` in place of `subject`
    <partner>.people.csv  partner_ref,provider_id: for `tanpuhui people add --ids FILE --person-column`
    key.jsonl             for each event and occurrence the verdict and code that the truth asks for
    manifest.json         seed, shares, totals, and the plan: how many events of which partner make which batch

The key is known from how each event was made. It supposes what an honest set-up gives: each partner is the issuer of
act_refs under its own name, consents hold for the whole time, all is sent in the plan's order within a year.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from mobile_mock.traffic import cast, deeds
from mobile_mock.traffic.cast import Calendar, Partner, Person
from mobile_mock.traffic.deeds import Message

NOTE = "生成的数据，非真实行为 / made data, no real behaviour"
BAD_KINDS = (*deeds.FAULTS, "reused_id", "anothers_order")
BEYOND_WINDOW_OF_LATE = 5  # one late event in five is beyond the window of acceptance


def make(
    out: Path,
    seed: int,
    *,
    month: date,
    events: int = 2000,
    people: int = 300,
    duplicate_share: float = 0.15,
    late_share: float = 0.05,
    bad_share: float = 0.05,
    batch: int = 200,
) -> dict[str, Any]:
    """Write the made traffic of a month into a folder; its manifest.

    The shares are of `events`, all occurrences counted; late events are genuine ones but for those beyond the window.
    Raises ValueError for shares that leave no genuine event, or too few people for so many events.
    """
    duplicates, late, bad = (round(events * share) for share in (duplicate_share, late_share, bad_share))
    if min(duplicates, late, bad) < 0 or duplicates + bad + late >= events or people < 2:
        raise ValueError("there must be two people or more, and more events than duplicate, late and bad ones together")
    maker = _Maker(seed, people, month)
    maker.add_genuine(events - duplicates - bad, late)
    maker.add_bad(bad)
    maker.add_again(duplicates)
    messages = sorted(maker.messages, key=lambda m: m.sent_at)  # stable: what was made later comes later
    plan, ordered = _rounds(messages, batch)
    out.mkdir(parents=True, exist_ok=True)
    _write_events(out, ordered)
    _write_people(out, maker.people)
    manifest = {
        "made": True,
        "note": NOTE,
        "seed": seed,
        "month": f"{month:%Y-%m}",
        "people": people,
        "events": events,
        "duplicates": duplicates,
        "late": late,
        "bad": bad,
        "partners": dict(Counter(m.partner for m in ordered)),
        "kinds": dict(Counter(m.kind for m in ordered)),
        "verdicts": dict(Counter(m.verdict for m in ordered)),
        "codes": dict(Counter(m.code for m in ordered)),
        "plan": plan,
    }
    (out / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    return manifest


def default_month(today: date) -> date:
    """The last month that ended ten days ago or more: its window for late events is over, so its pool can close."""
    return ((today - timedelta(days=10)).replace(day=1) - timedelta(days=1)).replace(day=1)


@dataclass
class _Maker:
    """Makes messages; everything random comes from the seed."""

    seed: int
    count: int
    month: date
    messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._numbers = iter(range(1, 10**9))
        self.people = cast.people(self._rng, self.count, self.seed)
        self._calendar = Calendar(self._rng, self.month)
        self._unused: list[Message] | None = None
        self._linked = {p.name: [one for one in self.people if p.name in one.refs] for p in cast.PARTNERS}

    def add_genuine(self, count: int, late: int) -> None:
        """Genuine deeds, the last `late` of which are late."""
        shares = [partner.share for partner in cast.PARTNERS]
        for n, partner in enumerate(self._rng.choices(cast.PARTNERS, shares, k=count)):
            message = self._genuine(partner)
            if n >= count - late:
                message = deeds.late(self._rng, message, beyond=n >= count - late // BEYOND_WINDOW_OF_LATE)
            self.messages.append(message)

    def add_bad(self, count: int) -> None:
        """Bad events, of every kind in turn."""
        made = [self._bad(kind) for kind in islice(cycle(BAD_KINDS), count)]
        self.messages += made

    def add_again(self, count: int) -> None:
        """Second tellings of what there is: each deed at most once, but the very same message any number of times."""
        weights = [weight for _, weight in deeds.AGAIN.values()]
        claimed = [m for m in self.messages if m.verdict != "malformed" and m.code != "id_reused"]
        for kind in self._rng.choices(list(deeds.AGAIN), weights, k=count):
            first = None if kind == "resent" else self._unused_first(partial(deeds.fits, kind))
            if first is None:
                kind, first = "resent", self._rng.choice(claimed)
            self.messages.append(deeds.AGAIN[kind][0](self._rng, first, self._ref()))

    def _genuine(self, partner: Partner, slots: str = "") -> Message:
        person, at = self._calendar.take(self._linked[partner.name], slots or partner.slots)
        return deeds.genuine(self._rng, partner, person, at, self._ref())

    def _bad(self, kind: str) -> Message:
        fault = deeds.FAULTS.get(kind)
        partner = cast.BY_NAME[fault.partner if fault else "valleybike"]
        message = self._genuine(partner, fault.slots if fault else "")
        if fault:
            return deeds.spoilt(self._rng, kind, message)
        first = self._unused_first(lambda m: m.partner == partner.name and m.person is not message.person)
        if first is None:
            return deeds.spoilt(self._rng, "distance_unknown", message)
        return (deeds.reused_id if kind == "reused_id" else deeds.anothers_order)(self._rng, message, first)

    def _unused_first(self, fit: Callable[[Message], bool]) -> Message | None:
        """A genuine deed that nothing else refers to yet, None when none fits."""
        if self._unused is None:
            self._unused = [m for m in self.messages if m.kind == "genuine"]
            self._rng.shuffle(self._unused)
        for place in reversed(range(len(self._unused))):
            if fit(self._unused[place]):
                return self._unused.pop(place)
        return None

    def _ref(self) -> str:
        return f"{self.month:%Y%m}-{self.seed}-{next(self._numbers):06d}"


def _rounds(messages: Sequence[Message], size: int) -> tuple[list[dict[str, Any]], list[Message]]:
    """The plan of batches and the messages in its order: rounds of `size`, in each one batch a partner."""
    plan: list[dict[str, Any]] = []
    ordered: list[Message] = []
    for start in range(0, len(messages), size):
        for partner in cast.PARTNERS:
            told = [m for m in messages[start : start + size] if m.partner == partner.name]
            if told:
                plan.append({"partner": partner.name, "events": len(told)})
                ordered += told
    return plan, ordered


def _write_events(out: Path, ordered: Iterable[Message]) -> None:
    lines: dict[str, list[str]] = {partner.name: [] for partner in cast.PARTNERS}
    key: list[str] = []
    told: Counter[tuple[str, str]] = Counter()
    for message in ordered:
        name, ref = message.partner, message.event["id"]
        told[name, ref] += 1
        answer = {"partner": name, "line": len(lines[name]) + 1, "id": ref, "occurrence": told[name, ref]}
        answer |= {"kind": message.kind, "verdict": message.verdict, "code": message.code}
        if message.original:
            answer["original"] = dict(zip(("verdict", "code"), message.original, strict=True))
        lines[name].append(json.dumps(message.event, ensure_ascii=False))
        key.append(json.dumps(answer))
    for name, told_lines in lines.items():
        _write_lines(out / f"{name}.jsonl", told_lines)
    _write_lines(out / "key.jsonl", key)


def _write_people(out: Path, people: Iterable[Person]) -> None:
    lines: dict[str, list[str]] = defaultdict(lambda: ["partner_ref,provider_id"])
    for person in people:
        for partner, ref in person.refs.items():
            lines[partner].append(f"{ref},{person.provider_id}")
    for partner, rows in lines.items():
        _write_lines(out / f"{partner}.people.csv", rows)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
