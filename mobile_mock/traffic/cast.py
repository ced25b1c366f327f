"""Who is made: partners, cities, people with their homes and links, and the hours at which they do things.

The hours keep a person's deeds apart: slots of one person never come nearer than half an hour, so that which records
tell of one deed is known from how they were made and needs no rule.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from mobile_mock.traffic.trips import CHINA

CITIES = ("310000", "420100", "440300")  # Shanghai, Wuhan, Shenzhen


@dataclass(frozen=True, slots=True)
class Partner:
    """A made partner app: what it reports, how often (a share of all), and in which slots of the day."""

    name: str
    type: str
    share: float
    slots: str


# In this order within a round of sending: what valleybike reports comes before metrolink passes it on.
PARTNERS = (
    Partner("valleybike", "cycling.v1", 0.40, "ride"),
    Partner("metrolink", "metro.v1", 0.30, "ride"),
    Partner("lvhui", "recycling.v1", 0.15, "stop"),
    Partner("qingsu", "plastic_substitution.v1", 0.15, "stop"),
)
BY_NAME = {partner.name: partner for partner in PARTNERS}

# Rides begin up to 40 minutes into their slot and last up to 60; stops begin up to 25 minutes into theirs. `night` is
# for rides that are too long: they end before the first slot of the next day.
SLOTS = {
    "ride": (time(7), time(10), time(13), time(16)),
    "stop": (time(18, 30), time(19, 30)),
    "night": (time(21),),
}
LATITUDE_S = {"ride": 40 * 60, "stop": 25 * 60, "night": 25 * 60}


@dataclass(frozen=True, slots=True)
class Person:
    """A made person: the login provider's id, the city they live in, and their own name at each linked partner."""

    provider_id: str
    region: str
    refs: dict[str, str]


def people(rng: random.Random, count: int, seed: int) -> list[Person]:
    """`count` persons; four in five use several partner apps, and each partner has somebody."""
    made = []
    for number in range(1, count + 1):
        uses = rng.choices((1, 2, 3, 4), (20, 35, 25, 20))[0] if number > 1 else len(PARTNERS)
        linked = set(rng.sample([partner.name for partner in PARTNERS], uses))
        refs = {p.name: f"{p.name[:2]}-{seed}-{number:06d}" for p in PARTNERS if p.name in linked}
        made.append(Person(f"made-union-{seed}-{number:06d}", rng.choice(CITIES), refs))
    return made


class Calendar:
    """Hands out each slot of each person's days in the month once."""

    def __init__(self, rng: random.Random, month: date) -> None:
        self._rng = rng
        after = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
        self._days = [month + timedelta(days=n) for n in range((after - month).days)]
        self._free: dict[tuple[str, str], list[tuple[date, time]]] = {}

    def capacity(self, slots: str) -> int:
        """How many slots of a kind one person has in the month."""
        return len(self._days) * len(SLOTS[slots])

    def take(self, choices: Sequence[Person], slots: str) -> tuple[Person, datetime]:
        """Somebody with time, and a moment within one of their slots. Raises ValueError when all are busy."""
        for person in self._rng.choices(choices, k=20) + list(choices):
            free = self._free.get((person.provider_id, slots))
            if free is None:
                free = [(day, slot) for day in self._days for slot in SLOTS[slots]]
                self._rng.shuffle(free)
                self._free[person.provider_id, slots] = free
            if free:
                day, slot = free.pop()
                late = timedelta(seconds=self._rng.randrange(LATITUDE_S[slots]))
                return person, datetime.combine(day, slot, CHINA) + late
        raise ValueError("too many events for so few people in one month: ask for fewer events or more people")
