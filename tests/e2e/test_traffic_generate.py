"""Made traffic: what it declares is what it holds, its key covers every event, and grading finds what is wrong."""

import csv
import itertools
import json
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from mobile_mock.traffic import cast, cli, generate, grade

MONTH = date(2026, 10, 1)
Line = dict[str, Any]


def lines(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def made(folder: Path, **options: Any) -> tuple[dict[str, Any], dict[str, list[Line]], list[Line]]:
    manifest = generate.make(folder, options.pop("seed", 7), month=MONTH, **options)
    events = {partner.name: lines(folder / f"{partner.name}.jsonl") for partner in cast.PARTNERS}
    return manifest, events, lines(folder / "key.jsonl")


def test_the_declared_shares_are_the_shares_that_are_made(tmp_path: Path) -> None:
    manifest, events, key = made(tmp_path, events=1000, duplicate_share=0.2, late_share=0.1, bad_share=0.08)
    kinds = Counter(answer["kind"] for answer in key)
    assert sum(map(len, events.values())) == len(key) == 1000
    assert sum(kinds[kind] for kind in ("resent", "forwarded", "forwarded_order", "new_id", "two_at_once")) == 200
    assert sum(kinds[kind] for kind in generate.BAD_KINDS) == 80
    assert kinds["late"] + kinds["beyond_window"] == 100
    assert kinds["beyond_window"] == 20
    assert all(kinds[kind] >= 5 for kind in generate.BAD_KINDS)
    assert manifest["made"] is True
    assert manifest["kinds"] == kinds
    assert manifest["verdicts"] == Counter(answer["verdict"] for answer in key)


@settings(max_examples=20)
@given(
    st.integers(0, 10**6), st.integers(1, 300), st.floats(0, 0.5), st.floats(0, 0.2), st.floats(0, 0.2),
    st.integers(1, 100),
)  # fmt: skip
def test_the_key_covers_every_event_of_every_partner_once(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    duplicate: float,
    late: float,
    bad: float,
    size: int,
) -> None:
    folder = tmp_path_factory.mktemp("made")
    shares = {"duplicate_share": duplicate, "late_share": late, "bad_share": bad}
    manifest, events, key = made(folder, seed=seed, events=count, people=40, batch=size, **shares)
    told: Counter[tuple[str, str]] = Counter()
    for answer in key:
        event = events[answer["partner"]][answer["line"] - 1]
        told[answer["partner"], event["id"]] += 1
        assert (event["id"], told[answer["partner"], event["id"]]) == (answer["id"], answer["occurrence"])
        assert event["made"] is True
        assert (answer["verdict"] == "repeated") == ("original" in answer)
    assert {(answer["partner"], answer["line"]) for answer in key} == {
        (partner, number) for partner, told_events in events.items() for number in range(1, len(told_events) + 1)
    }
    planned: Counter[str] = Counter()
    for step in manifest["plan"]:
        planned[step["partner"]] += step["events"]
        assert 0 < step["events"] <= size
    assert planned == Counter({partner: len(told_events) for partner, told_events in events.items() if told_events})


def test_the_same_seed_makes_the_same_traffic_and_another_seed_another(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        made(tmp_path / name, seed=seed, events=300)
    read = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc"}
    assert read["a"] == read["b"]
    assert not set(read["a"]["key.jsonl"].splitlines()) & set(read["c"]["key.jsonl"].splitlines())


def test_the_genuine_deeds_of_a_person_are_ten_minutes_apart_and_within_the_month(tmp_path: Path) -> None:
    _, events, key = made(tmp_path, events=3000, people=60, late_share=0)
    owner = {}
    for partner in cast.PARTNERS:
        with (tmp_path / f"{partner.name}.people.csv").open() as file:
            owner |= {row["partner_ref"]: row["provider_id"] for row in csv.DictReader(file)}
    deeds: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for answer in key:
        if answer["kind"] in ("genuine", "too_long", "too_fast", "distance_unknown", "anothers_order"):
            event = events[answer["partner"]][answer["line"] - 1]
            ends = [datetime.fromisoformat(event["data"][end]) for end in ("started_at", "ended_at")]
            assert ends[0].date().replace(day=1) == MONTH
            deeds[owner[event["partner_ref"]]].append((ends[0], ends[1]))
    assert max(map(len, deeds.values())) > 20
    for spans in deeds.values():
        spans.sort()
        for (_, ended), (began, _) in itertools.pairwise(spans):
            assert began - ended >= timedelta(minutes=10)


def test_nobody_comes_near_a_days_cap(tmp_path: Path) -> None:
    _, events, key = made(tmp_path, events=3000, people=60)
    metres: Counter[tuple[str, str]] = Counter()
    for answer in key:
        event = events[answer["partner"]][answer["line"] - 1]
        if answer["kind"] == "genuine" and event["type"] == "cycling.v1":
            assert event["data"]["distance_m"] < 10_000
            metres[event["partner_ref"], event["data"]["started_at"][:10]] += event["data"]["distance_m"]
    assert max(metres.values()) < 40_000


def test_a_second_telling_comes_after_the_first_in_the_plan(tmp_path: Path) -> None:
    manifest, events, key = made(tmp_path)
    queue = {partner: iter(told) for partner, told in events.items()}
    ordered = [next(queue[step["partner"]]) for step in manifest["plan"] for _ in range(step["events"])]
    ids: set[str] = set()
    acts: set[str] = set()
    for event, answer in zip(ordered, key, strict=True):
        assert event["id"] == answer["id"]
        act = event["data"].get("act_ref")
        if answer["code"] in ("resent", "id_reused"):
            assert event["id"] in ids
        if answer["code"] in ("same_act", "act_ref_conflict"):
            assert act in acts
        ids.add(event["id"])
        acts.add(act)


def test_a_forwarded_ride_has_other_ids_and_a_clock_off_by_45_seconds_at_most(tmp_path: Path) -> None:
    _, events, key = made(tmp_path)
    own = {(e["partner_ref"][3:], e["data"]["asset_ref"]): e for e in events["valleybike"] if "partner_ref" in e}
    forwarded = [events[a["partner"]][a["line"] - 1] for a in key if a["kind"] == "forwarded"]
    assert len(forwarded) > 20
    offsets = set()
    for event in forwarded:
        first = own[event["partner_ref"][3:], event["data"]["asset_ref"]]
        assert (event["source"], event["type"]) == ("urn:partner:metrolink", "cycling.v1")
        assert event["id"] != first["id"]
        assert event["data"]["act_ref"] != first["data"]["act_ref"]
        for end in ("started_at", "ended_at"):
            off = datetime.fromisoformat(event["data"][end]) - datetime.fromisoformat(first["data"][end])
            offsets.add(off.total_seconds())
    assert -45 <= min(offsets) < 0 < max(offsets) <= 45


def test_people_are_linked_to_several_partners_in_three_cities(tmp_path: Path) -> None:
    _, events, _ = made(tmp_path)
    partners_of: Counter[str] = Counter()
    for partner in cast.PARTNERS:
        with (tmp_path / f"{partner.name}.people.csv").open() as file:
            partners_of.update(row["provider_id"] for row in csv.DictReader(file))
    assert len(partners_of) == 300
    assert sum(count > 1 for count in partners_of.values()) > 200
    assert {e["data"]["region"] for e in events["metrolink"]} == set(cast.CITIES)


@pytest.mark.parametrize(
    ("today", "month"), [((2026, 11, 20), (2026, 10)), ((2026, 11, 10), (2026, 9)), ((2026, 1, 11), (2025, 12))]
)
def test_the_month_made_by_default_has_been_over_for_ten_days(
    today: tuple[int, int, int], month: tuple[int, int]
) -> None:
    assert generate.default_month(date(*today)) == date(*month, 1)


def test_too_many_events_for_too_few_people_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more people"):
        generate.make(tmp_path, 1, month=MONTH, events=2000, people=3)
    with pytest.raises(ValueError, match="together"):
        generate.make(tmp_path, 1, month=MONTH, duplicate_share=0.9, bad_share=0.2)


def answered(folder: Path) -> list[Line]:
    """Verdicts as a faultless platform gives them."""
    keys = lines(folder / "key.jsonl")
    return [{k: v for k, v in key.items() if k not in ("kind", "occurrence")} | {"retried": False} for key in keys]


def graded(folder: Path, verdicts: list[Line]) -> tuple[int, Line]:
    (folder / "verdicts.jsonl").write_text("".join(json.dumps(v) + "\n" for v in verdicts))
    result = CliRunner().invoke(cli.main, ["grade", "--dir", str(folder)])
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


def test_right_verdicts_are_graded_ok_and_each_wrong_one_is_counted(tmp_path: Path) -> None:
    made(tmp_path, events=200)
    right = answered(tmp_path)
    assert graded(tmp_path, right) == (0, {"answer_key": "ok", "events": 200, "wrong": 0})
    wrong = [*right[:-1]]
    wrong[3] = wrong[3] | {"code": "capped"}
    wrong[4] = wrong[4] | {"id": "another"}
    assert graded(tmp_path, wrong) == (1, {"answer_key": "failed", "events": 200, "wrong": 3})
    assert graded(tmp_path, [*right, right[0] | {"line": 999}])[0] == 1


def test_a_batch_sent_twice_after_a_lost_answer_is_graded_by_its_first_verdicts(tmp_path: Path) -> None:
    made(tmp_path, events=200, duplicate_share=0)
    right = answered(tmp_path)
    first = next(n for n, v in enumerate(right) if v["verdict"] == "credited")
    again = {"verdict": "repeated", "code": "resent", "original": {"verdict": "credited", "code": "ok"}}
    right[first] = right[first] | again
    assert graded(tmp_path, right)[1]["wrong"] == 1, "nothing was lost: a repeated first telling is wrong"
    right[first] = right[first] | {"retried": True}
    assert graded(tmp_path, right)[1]["wrong"] == 0


def test_grading_before_sending_says_what_to_do(tmp_path: Path) -> None:
    made(tmp_path, events=20)
    result = CliRunner().invoke(cli.main, ["grade", "--dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "send" in result.stderr
    with pytest.raises(Exception, match=r"verdicts\.jsonl"):
        grade.grade(tmp_path)
