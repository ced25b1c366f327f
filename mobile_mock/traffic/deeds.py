"""Made deeds and how they are told: genuine ones, second tellings of the same deed, and bad events of every kind.

The expected verdict is written down where an event is made, from what was done to it; no rule is run.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mobile_mock.traffic.cast import Partner, Person

Event = dict[str, Any]

HEAVIEST_G = {"PET": 4000, "HDPE": 4000, "CORRUGATED": 4000, "ALUMINUM": 1200}  # two a day stay under any day's cap
ITEMS = ("box_pla", "box_tps", "express_loopbox")
WASTEFUL_ITEM = "express_carton"  # a carton used once where a reusable box was at hand: emits more than it replaces
WASTEFUL_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Message:
    """One event as one partner sends it once, and the verdict that the truth asks for."""

    partner: str
    person: Person
    event: Event
    sent_at: datetime
    kind: str
    verdict: str
    code: str
    original: tuple[str, str] | None = None  # verdict and code of the first one, when this is the same message again


def genuine(rng: random.Random, partner: Partner, person: Person, at: datetime, ref: str) -> Message:
    """A plausible deed, told by the partner in whose app it was done, some minutes after its end."""
    facts, lasts_s = _FACTS[partner.type](rng)
    data: Event = {"started_at": at.isoformat(), "ended_at": (at + timedelta(seconds=lasts_s)).isoformat()}
    data |= {"region": person.region, "evidence": "order", "act_ref": f"{partner.name}:{ref}", **facts}
    if partner.type == "cycling.v1":
        data["asset_ref"] = f"bike:{rng.randrange(1000, 9999)}"
    event = {
        "specversion": "1.0", "id": f"{partner.name}-{ref}", "source": f"urn:partner:{partner.name}",
        "type": partner.type, "partner_ref": person.refs[partner.name], "time": data["ended_at"], "made": True,
        "data": data,
    }  # fmt: skip
    sent_at = at + timedelta(seconds=lasts_s + rng.randrange(30, 900))
    if facts.get("item") == WASTEFUL_ITEM:
        return Message(partner.name, person, event, sent_at, "wasteful", "credited", "no_reduction")
    return Message(partner.name, person, event, sent_at, "genuine", "credited", "ok")


def _cycling(rng: random.Random) -> tuple[Event, int]:
    lasts_s = rng.randrange(600, 2400)
    return {"distance_m": round(lasts_s * rng.uniform(8, 14) / 3.6)}, lasts_s


def _metro(rng: random.Random) -> tuple[Event, int]:
    lasts_s = rng.randrange(600, 2400)
    return {"distance_m": round(lasts_s * rng.uniform(22, 34) / 3.6)}, lasts_s


def _recycling(rng: random.Random) -> tuple[Event, int]:
    material = rng.choice(list(HEAVIEST_G))
    return {"material": material, "mass_g": rng.randrange(200, HEAVIEST_G[material])}, 0


def _plastic(rng: random.Random) -> tuple[Event, int]:
    item = WASTEFUL_ITEM if rng.random() < WASTEFUL_SHARE else rng.choice(ITEMS)
    return {"item": item, "count": rng.randrange(1, 4)}, 0


_FACTS: dict[str, Callable[[random.Random], tuple[Event, int]]] = {
    "cycling.v1": _cycling,
    "metro.v1": _metro,
    "recycling.v1": _recycling,
    "plastic_substitution.v1": _plastic,
}


# --- the same deed told again ---------------------------------------------------------------------------------------


def resent(rng: random.Random, first: Message, ref: str) -> Message:
    """The very same message once more."""
    known = first.original or (first.verdict, first.code)
    return replace(
        first, sent_at=_later(rng, first), kind="resent", verdict="repeated", code="resent", original=known
    )  # fmt: skip


def forwarded(rng: random.Random, first: Message, ref: str) -> Message:
    """A valleybike ride seen by metrolink's phone app: other ids, another clock (up to 45 s off at either end)."""
    told = _told_by(first, "metrolink", ref)
    data = told.event["data"]
    data |= {"evidence": "device", "act_ref": f"metrolink:{ref}"}
    data["started_at"] = _moved(data["started_at"], rng.randint(-45, 45))
    data["ended_at"] = _moved(data["ended_at"], rng.randint(-45, 45))
    data["distance_m"] = round(data["distance_m"] * rng.uniform(0.97, 1.03))
    return replace(told, sent_at=_later(rng, first), kind="forwarded", verdict="duplicate_of", code="same_record")


def forwarded_order(rng: random.Random, first: Message, ref: str) -> Message:
    """A valleybike ride passed on by metrolink under valleybike's own order number."""
    told = _told_by(first, "metrolink", ref)
    told.event["data"]["evidence"] = "device"
    return replace(told, sent_at=_later(rng, first), kind="forwarded_order", verdict="duplicate_of", code="same_act")


def new_id(rng: random.Random, first: Message, ref: str) -> Message:
    """The partner's own retry, which made a new event id for an old order."""
    told = _told_by(first, first.partner, ref)
    return replace(told, sent_at=_later(rng, first), kind="new_id", verdict="duplicate_of", code="same_act")


def _seconds(data: dict[str, Any]) -> int:
    return int((datetime.fromisoformat(data["ended_at"]) - datetime.fromisoformat(data["started_at"])).total_seconds())


def two_at_once(rng: random.Random, first: Message, ref: str) -> Message:
    """A second bike, or the metro, in the middle of a ride: nobody rides two at once. It begins later, so it falls."""
    partner = rng.choice([name for name in ("valleybike", "metrolink") if name in first.person.refs])
    told = _told_by(first, partner, ref)
    data = told.event["data"]
    data |= {"act_ref": f"{partner}:{ref}", "asset_ref": f"bike:{rng.randrange(1000, 9999)}"}
    seconds = _seconds(data)
    data["started_at"], data["ended_at"] = (
        _moved(data["started_at"], rng.randrange(190, 230)),
        _moved(data["ended_at"], -20),
    )
    data["distance_m"] = data["distance_m"] * _seconds(data) // seconds  # as fast as the ride it lies in
    if partner == "metrolink":
        told.event["type"] = "metro.v1"
        del data["asset_ref"]
    return replace(told, sent_at=_later(rng, first), kind="two_at_once", verdict="duplicate_of", code="overlap")


AGAIN = {
    "resent": (resent, 40),
    "forwarded": (forwarded, 25),
    "forwarded_order": (forwarded_order, 15),
    "new_id": (new_id, 10),
    "two_at_once": (two_at_once, 10),
}


def fits(kind: str, first: Message) -> bool:
    """True when a deed can be told again in this way."""
    rides = first.partner == "valleybike"
    return {"resent": True, "new_id": True, "two_at_once": rides}.get(kind, rides and "metrolink" in first.person.refs)


# --- bad events -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to spoil a genuine event of a partner, and what must be said of it."""

    partner: str
    verdict: str
    code: str
    spoil: Callable[[random.Random, Event], None]
    slots: str = ""


def _data(**changes: Any) -> Callable[[random.Random, Event], None]:
    """Set members of data; None takes one away."""

    def spoil(rng: random.Random, event: Event) -> None:
        for name, value in changes.items():
            event["data"].pop(name, None) if value is None else event["data"].update({name: value})

    return spoil


def _lasting(low_s: int, high_s: int, low_km_h: float, high_km_h: float) -> Callable[[random.Random, Event], None]:
    """Another duration and speed, the start unchanged."""

    def spoil(rng: random.Random, event: Event) -> None:
        lasts_s = rng.randrange(low_s, high_s)
        data = event["data"]
        data["ended_at"] = event["time"] = _moved(data["started_at"], lasts_s)
        data["distance_m"] = max(1, round(lasts_s * rng.uniform(low_km_h, high_km_h) / 3.6))

    return spoil


def _ten_years_on(rng: random.Random, event: Event) -> None:
    for end in ("started_at", "ended_at"):
        event["data"][end] = _moved(event["data"][end], 3650 * 86400)


def _no_zone(rng: random.Random, event: Event) -> None:
    event["data"]["started_at"] = event["data"]["started_at"][:19]


def _half_a_metre(rng: random.Random, event: Event) -> None:
    event["data"]["distance_m"] += 0.5


def _stranger(rng: random.Random, event: Event) -> None:
    del event["partner_ref"]
    event["subject"] = f"nobody{rng.randrange(10**9)}"


def _type(rng: random.Random, event: Event) -> None:
    event["type"] = "skating.v1"


FAULTS = {
    "distance_unknown": Fault("valleybike", "refused", "distance_unknown", _data(distance_m=None)),
    "too_fast": Fault("valleybike", "refused", "too_fast", _lasting(600, 1200, 30, 45)),
    "too_short": Fault("valleybike", "refused", "too_short", _lasting(20, 50, 8, 14)),
    "too_long": Fault("valleybike", "refused", "too_long", _lasting(11100, 18000, 2, 4), "night"),
    "in_future": Fault("metrolink", "refused", "in_future", _ten_years_on),
    "no_start": Fault("metrolink", "malformed", "field_missing", _data(started_at=None)),
    "no_zone": Fault("qingsu", "malformed", "field_invalid", _no_zone),
    "half_a_metre": Fault("metrolink", "malformed", "field_invalid", _half_a_metre),
    "stranger": Fault("lvhui", "refused", "subject_unknown", _stranger),
    "unknown_type": Fault("valleybike", "refused", "type_unknown", _type),
    "unknown_region": Fault("qingsu", "refused", "region_unknown", _data(region="990000")),
    "no_mass": Fault("lvhui", "refused", "fact_missing", _data(mass_g=None)),
    "negative_mass": Fault("lvhui", "refused", "fact_out_of_range", _data(mass_g=-500)),
    "moon_rock": Fault("lvhui", "refused", "fact_invalid", _data(material="MOON_ROCK")),
}


def spoilt(rng: random.Random, kind: str, message: Message) -> Message:
    """A genuine message made bad. The message given must be used for nothing else."""
    fault = FAULTS[kind]
    fault.spoil(rng, message.event)
    return replace(message, kind=kind, verdict=fault.verdict, code=fault.code)


def reused_id(rng: random.Random, message: Message, first: Message) -> Message:
    """Another deed of the same partner under an id that was used before."""
    message.event["id"] = first.event["id"]
    sent_at = max(message.sent_at, _later(rng, first))
    return replace(message, sent_at=sent_at, kind="reused_id", verdict="refused", code="id_reused")


def anothers_order(rng: random.Random, message: Message, first: Message) -> Message:
    """Somebody else's ride under an order number that was used before."""
    message.event["data"]["act_ref"] = first.event["data"]["act_ref"]
    sent_at = max(message.sent_at, _later(rng, first))
    return replace(message, sent_at=sent_at, kind="anothers_order", verdict="in_review", code="act_ref_conflict")


def late(rng: random.Random, message: Message, beyond: bool) -> Message:
    """Sent 2 to 30 days after the deed or, beyond the window of acceptance, of a deed more than 400 days old."""
    if not beyond:
        return replace(message, sent_at=message.sent_at + timedelta(days=rng.randint(2, 30)), kind="late")
    back_s = -86400 * rng.randint(405, 700)
    for end in ("started_at", "ended_at"):
        message.event["data"][end] = _moved(message.event["data"][end], back_s)
    return replace(message, kind="beyond_window", verdict="refused", code="too_late")


def _told_by(first: Message, partner: str, ref: str) -> Message:
    event = copy.deepcopy(first.event)
    event |= {"id": f"{partner}-{ref}", "source": f"urn:partner:{partner}", "partner_ref": first.person.refs[partner]}
    return replace(first, partner=partner, event=event)


def _moved(instant: str, seconds: int) -> str:
    return (datetime.fromisoformat(instant) + timedelta(seconds=seconds)).isoformat()


def _later(rng: random.Random, first: Message) -> datetime:
    """Within minutes mostly, days now and then."""
    return first.sent_at + timedelta(seconds=rng.choice((rng.randrange(1, 600), rng.randrange(600, 3 * 86400))))
