"""The generator of truth: its key, copies and score, on verdicts known to be right or wrong and on a real platform."""

import csv
import json
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mobile_mock.traffic.trips import CHINA, Trip
from mobile_mock.traffic.truth import copies, doubles, report, score
from mobile_mock.traffic.truth.copies import Bounds, Copy, Real
from mobile_mock.traffic.truth.deliver import Told, unsettled
from tests.e2e import test_traffic_platform
from tests.e2e.test_traffic_platform import Served, last, run

served = test_traffic_platform.served
AT = datetime(2026, 3, 2, 8, tzinfo=CHINA)
BOUNDS = Bounds(4, (0, 30), 0.15, 20, 0.1, "uniform")
OK, AGAIN = "credited ok", "duplicate_of same_record"


def trip(number: int, minute: float, minutes: float = 20, who: str = "lin", **more: Any) -> Trip:
    start = AT + timedelta(minutes=minute)
    facts = {"distance_m": 2000}
    return Trip(f"bike:{number}", who, "cycling.v1", start, start + timedelta(minutes=minutes), "order",
                f"bike:{number}", facts=facts, **more)  # fmt: skip


def real(*minutes: float) -> list[Real]:
    return [Real(trip(n, minute), 30, "", True) for n, minute in enumerate(minutes)]


def scored(reals: Sequence[Real], *told: tuple[int, int, str, str]) -> dict[str, Any]:
    """The figures when each (trip, partner, 'verdict code', handle) was said; operators' copies come first."""
    made, fates = [], {}
    for number, (of, partner, said, handle) in enumerate(told):
        tier = "order" if partner == 0 else "device"
        made.append(Copy(of, partner, number, tier, 0, 1.0, partner == 0, False, "", AT))
        verdict, code = said.split()
        fates[number] = Told(verdict, code, handle or None, 90 if verdict == "credited" else 0)
    return report.summary(score.judge(reals, made, fates))


def counts(figures: dict[str, Any]) -> dict[str, int]:
    return {name: n for name in report.OUTCOMES if (n := figures["all"][name])}


def test_the_copies_of_a_trip_with_one_credited_are_all_found() -> None:
    figures = scored(real(0), (0, 0, OK, "a"), (0, 1, AGAIN, "x"), (0, 2, AGAIN, "m"))
    assert counts(figures) == {"stands": 1, "found": 2}
    assert figures["all"]["found_proved"] == 2
    assert figures["aims"]["recall_99.5_to_30_s"] is True
    assert figures["aims"]["recall_98_to_90_s"] is None


def test_a_second_credited_copy_is_missed_and_its_milligrams_are_credited_twice() -> None:
    figures = scored(real(0), (0, 1, OK, "x"), (0, 0, OK, "a"), (0, 2, AGAIN, "m"))
    assert counts(figures) == {"stands": 1, "found": 1, "missed": 1}
    assert figures["by_tiers"]["order / device"]["credited_twice_mg"] == 90
    assert (figures["all"]["recall"], figures["all"]["precision"]) == (0.5, 1.0)
    assert figures["aims"]["recall_99.5_to_30_s"] is False


def test_one_level_below_its_aim_is_not_made_up_for_by_the_others() -> None:
    rides = [Real(trip(n, 300 * n), 90 if n == 0 else 60, "", True) for n in range(200)]
    told = [(n, partner, AGAIN if partner else OK, "") for n in range(200) for partner in (0, 1)]
    assert scored(rides, *told)["aims"]["recall_98_to_90_s"] is True
    told[1] = (0, 1, OK, "")
    figures = scored(rides, *told)
    assert figures["all"]["recall"] > 0.98
    assert figures["aims"]["recall_98_to_90_s"] is False


def test_a_trip_called_a_duplicate_of_the_ride_before_is_denied_and_costs_precision() -> None:
    rides = real(0, 21)
    figures = scored(rides, (0, 0, OK, "a"), (1, 0, "duplicate_of overlap", "a"), (1, 1, AGAIN, "x"))
    assert counts(figures) == {"stands": 1, "wrong": 1, "denied": 1}
    assert figures["all"]["wrongly_denied_mg"] == 90  # as many metres as the ride that earned 90 mg
    assert (figures["all"]["recall"], figures["all"]["precision"]) == (0.0, 0.0)
    assert figures["by_tiers"]["order / order"]["wrongly_denied_mg"] == 90


def test_a_name_that_the_partners_own_record_of_another_ride_carries_is_wrong_though_the_ride_stands() -> None:
    figures = scored(real(0, 21), (0, 1, OK, "x"), (1, 0, OK, "b"), (1, 1, AGAIN, "x"))
    assert counts(figures) == {"stands": 2, "wrong": 1}
    assert figures["all"]["wrongly_denied_mg"] == 0


def test_of_two_rides_under_one_name_of_a_partner_one_is_wrong() -> None:
    figures = scored(real(0, 21), (0, 0, OK, "a"), (1, 0, OK, "b"), (0, 1, AGAIN, "x"), (1, 1, AGAIN, "x"))
    assert counts(figures) == {"stands": 2, "found": 1, "wrong": 1}


@pytest.mark.parametrize(("minute", "proved"), [(21, 1), (19, 0)])
def test_a_name_is_proved_where_no_other_ride_touches(minute: float, proved: int) -> None:
    figures = scored(real(0, minute), (0, 0, OK, "a"), (1, 2, OK, "m"), (0, 1, AGAIN, "x"))
    assert counts(figures) == {"stands": 2, "found": 1}
    assert figures["all"]["found_proved"] == proved


def test_what_is_refused_or_held_is_counted_apart() -> None:
    figures = scored(
        real(0), (0, 0, "refused too_fast", ""), (0, 1, OK, "x"), (0, 2, AGAIN, "m"), (0, 3, "in_review suspicious", "")
    )
    assert counts(figures) == {"stands": 1, "found": 1, "refused": 1, "held": 1}
    assert figures["refused_for_themselves"] == {"too_fast": 1}


def test_trips_out_of_the_key_are_sent_but_not_scored() -> None:
    left_out = [Real(trip(0, 0), 0, "overlap", False), *real(300)]
    figures = scored(left_out, (0, 0, OK, "a"), (0, 1, OK, "x"), (1, 0, OK, "b"))
    assert counts(figures) == {"stands": 1}


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (trip(2, 20), ""),
        (trip(2, 19.9), ""),
        (trip(2, 19.5), "overlap"),
        (trip(2, 0.5), "seconds_apart"),
        (trip(2, 5, who="wang"), ""),
        (trip(2, 22, asset_ref="bike:9"), "restart"),
        (trip(2, 22, asset_ref="bike:8"), ""),
        (trip(2, 40, asset_ref="bike:9"), ""),
    ],
)
def test_the_key_holds_clean_trips_only(second: Trip, kind: str) -> None:
    read = [trip(1, 0, asset_ref="bike:9"), second]
    made, left_out = copies.reals(read, (0,), timedelta(seconds=10), random.Random(1))
    assert [one.left_out for one in made] == [kind, kind]
    assert sum(left_out.values()) == (2 if kind else 0)


def test_the_same_seed_makes_the_same_copies_and_each_differs_within_its_bounds() -> None:
    read = [trip(n, 60 * n, who=f"p{n % 7}") for n in range(300)]

    def made() -> tuple[list[Real], list[Copy], list[list[list[Copy]]]]:
        rng = random.Random(5)
        reals, _ = copies.reals(read, BOUNDS.levels_s, timedelta(seconds=10), rng)
        all_copies = copies.copies(reals, BOUNDS, 4, rng)
        return reals, all_copies, copies.batches(all_copies, 4, rng)

    reals, all_copies, batches = made()
    assert made() == (reals, all_copies, batches)
    assert {sum(c.trip == n for c in all_copies) for n in range(300)} == {1, 2, 3, 4}
    assert len({(c.trip, c.partner) for c in all_copies}) == len(all_copies)
    assert all(abs(c.offset_s) <= reals[c.trip].level_s for c in all_copies)
    assert {c.offset_s > 0 for c in all_copies if c.offset_s} == {True, False}
    sent = [[c for batch in queue for c in batch] for queue in batches]
    assert sorted(c.number for queue in sent for c in queue) == list(range(len(all_copies)))
    assert any(a.trip > b.trip for a, b in zip(sent[1], sent[1][1:], strict=False))
    for copy in all_copies:
        data = copies.event(reals[copy.trip], copy, "t", "s", "urn:x", "310000", {})["data"]
        moved = datetime.fromisoformat(data["started_at"]) - reals[copy.trip].trip.started_at
        assert moved == timedelta(seconds=copy.offset_s)
        assert 1700 <= data["distance_m"] <= 2300
        assert copy.partner or (data["distance_m"], data["evidence"], "act_ref" in data) == (2000, "order", True)


def test_only_what_may_have_changed_is_asked_for_again() -> None:
    reals = [*real(0, 600, 1200), Real(trip(3, 1800), 0, "", False)]
    of = [0, 0, 1, 2, 2, 3]
    made = [Copy(t, n % 2, n, "device", 0, 1.0, False, False, "", AT) for n, t in enumerate(of)]
    first = {n: Told("refused" if t == 2 else "credited", "ok") for n, t in enumerate(of)}
    assert [c.number for c in unsettled(reals, made, first)] == [0, 1, 5]


def test_real_doubles_are_told_by_kind() -> None:
    read = [
        trip(1, 0), trip(2, 5), trip(3, 500), trip(4, 500.2, 20.1), trip(5, 1000), trip(6, 1000, who="wang"),
        trip(7, 2000, asset_ref="bike:9"), trip(8, 2021, asset_ref="bike:9"), trip(9, 2030, asset_ref="bike:8"),
    ]  # fmt: skip
    found = {kind: [[t.event_id for t in case] for case in cases] for kind, cases in doubles.find(read).items()}
    first, second = ["bike:1", "bike:2"], ["bike:3", "bike:4"]
    assert found.pop("later_than_an_end") == [first, second, ["bike:8", "bike:9"]]
    assert found.pop("seconds_apart") == [second]
    assert found.pop("twins") == [["bike:5", "bike:6"]]
    assert found.pop("restart") == [["bike:7", "bike:8"]]
    assert found.pop("many_assets") == [["bike:8", "bike:9"]]
    assert found.pop("same_start") == found.pop("side_by_side") == []
    assert list(found) == ["later_than_an_end_60s_3h"]


def test_the_doubles_of_mibici_are_those_of_the_facts(shared: Callable[[str], Path]) -> None:
    facts = shared("data/facts.json")
    raw = sorted(str(path) for path in shared("data/mibici").glob("*.csv.gz"))
    said = last(run("doubles", "--format", "mibici", "--facts", str(facts), *raw))
    names = doubles.FACTS["mibici"]
    assert {kind: said["doubles"][kind] for kind in names} == {kind: said["facts"][names[kind]] for kind in names}


def rides(path: Path, people: Sequence[str], gap_minutes: float) -> Path:
    """A month of rides as CSV: two a day and person, the second soon after the first."""
    first = datetime.now(CHINA).replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=50)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "type", "started_at", "ended_at", "partner_ref", "evidence", "act_ref", "distance_m"))
        for day in range(20):
            for n, who in enumerate(people):
                start = first + timedelta(days=day, minutes=7 * n)
                for part in range(2):
                    end = start + timedelta(minutes=12 + n)
                    ref = f"bike:{day}-{n}-{part}"
                    rows.writerow((ref, "cycling.v1", start.isoformat(), end.isoformat(), who, "order", ref, 2000))
                    start = end + timedelta(minutes=gap_minutes)
    return path


def truth(served: Served, raw: Path, people: Sequence[str], *more: str) -> dict[str, Any]:
    partners: list[str] = []
    for name in ("bike", "metrolink", "lvhui"):
        partners += ["--partner", *served.partner(name, [(who, f"union-{who}") for who in people])]
    first_on = (datetime.now(CHINA).date() - timedelta(days=50)).isoformat()
    to = ["--base-url", served.url, *partners, "--region", "310000", "--shift-to", first_on]
    said = run("truth", "--format", "csv", *to, "--concurrency", "6", *more, str(raw))
    assert said.exit_code == (1 if False in last(said)["aims"].values() else 0), said.output
    return last(said)


def test_each_trip_is_credited_once_whatever_its_copies_say(served: Served) -> None:
    people = [f"p{n}" for n in range(6)]
    raw, out = rides(served.folder / "rides.csv", people, 30), served.folder / "judged.jsonl"
    said = truth(served, raw, people, "--jitter", "0,10,30", "--out", str(out))
    assert said["aims"] == {"recall_99.5_to_30_s": True, "recall_98_to_90_s": None, "precision_99.9": True}
    assert (said["all"]["stands"], said["trips"], said["left_out_of_the_key"]) == (240, 240, {})
    assert said["all"]["found"] == said["all"]["found_proved"] == said["copies"] - 240 > 150
    assert (said["all"]["credited_twice_mg"], said["all"]["wrongly_denied_mg"]) == (0, 0)
    judged = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(judged) == said["copies"]
    assert sum(line["reduction_mg"] for line in judged) == said["all"]["credited_mg"]


def test_doubles_in_the_source_are_left_out_of_the_key_and_what_became_of_them_is_told(served: Served) -> None:
    people = ["lin", "wang"]
    raw = rides(served.folder / "rides.csv", people, -6)
    said = truth(served, raw, people, "--copies", "1", "--jitter", "0")
    assert said["left_out_of_the_key"] == {"overlap": 80}
    assert said["said_of_the_left_out"] == {"overlap": {"credited ok": 40, "duplicate_of overlap": 40}}
    assert counts(said) == {}
