"""The leaf that is written with a deed is the one that the tables give, whatever happened to it before and since."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from backend.api import corrections as corrections_api
from backend.api import events as events_api
from backend.usecases import log_deeds, sequence_log
from rewards import leaves
from tests.backend.test_any_history import History
from tests.backend.test_correct_events import correct, data_of
from tests.cast import Client, Stage, recent


def leaves_equal_the_tables(stage: Stage) -> dict[str, int]:
    """Every version of every deed has one leaf, and it is what the tables give; how many of what there were."""
    with stage.platform.db.transaction() as conn:
        rows = conn.execute("select deed_id, version, stands, reduction_mg from deed").fetchall()
        sql = """select ref_id, ref_no, entry from log_pending where kind = 'deed'
                 union all select ref_id, ref_no, entry from log_leaf where kind = 'deed'"""
        logged = [((deed, version), bytes(entry)) for deed, version, entry in conn.execute(sql)]
        stored = log_deeds.stored(conn, [(deed, version) for deed, version, _, _ in rows])
    assert sorted(key for key, _ in logged) == sorted((deed, version) for deed, version, _, _ in rows)
    assert dict(logged) == {key: one.entry for key, one in stored.items()}
    for deed, version, stands, reduction_mg in rows:
        body = stored[deed, version].body
        assert bool(body["records"]) is stands, (deed, version)
        assert sum(record["reduction_mg"] for record in body["records"]) == reduction_mg
    records = [len(one.body["records"]) for one in stored.values()]
    return {"versions": len(rows), "later": sum(v > 1 for _, v, _, _ in rows), "gone": records.count(0),
            "continued": sum(n > 1 for n in records)}  # fmt: skip


class Logged(History):
    """The same, by a partner whose cases are decided; what the books say is looked at elsewhere."""

    def the_books_balance_and_no_deed_is_credited_twice(self) -> None:
        """Left aside."""

    @rule(decision=st.sampled_from(["release", "refuse"]))
    def decide(self, decision: str) -> None:
        for case in self.operator.get("/v1/operator/cases").json["items"][:1]:
            path = f"/v1/operator/cases/{case['case']}/decision"
            self.operator.post(path, {"decision": decision, "note": "looked"})

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), minutes=st.sampled_from([3, 20]))
    def go_on(self, data: st.DataObject, minutes: int) -> None:
        """The same bike, a moment after another ride on it."""
        partner, event = data.draw(st.sampled_from(self.sent))
        start = datetime.fromisoformat(event["data"]["ended_at"]) + timedelta(seconds=30)
        self.count += 1
        who = next(name for name, subject in partner.subjects.items() if subject == event["subject"])
        more = {"asset_ref": event["data"].get("asset_ref"), "evidence": event["data"]["evidence"]}
        following = partner.event(f"e{self.count}", who, start, minutes, **more)
        partner.verdicts(following)
        self.sent.append((partner, following))

    @rule()
    def sequence(self) -> None:
        sequence_log.sequence_log(self.stage.platform, datetime.now().astimezone())


def test_after_any_history_every_leaf_is_what_the_tables_give(stage: Stage, long: bool) -> None:
    Logged.stage = stage
    Logged.operator = stage.client("operator", "staff")
    Logged.verifier = stage.client("verifier", "cangyan")
    Logged.company = stage.client("company", "coffee")
    examples, steps = (400, 50) if long else (60, 30)
    kept = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=not long, database=None,
        suppress_health_check=list(HealthCheck), print_blob=False, phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    run_state_machine_as_test(Logged, settings=kept)
    found = leaves_equal_the_tables(stage)
    assert all(found.values()), found  # the machine went everywhere
    assert stage.count("person_alias") > 0


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang"], of="city")


def ride(client: Client, ref: str, minute: int = 0, minutes: float = 20, **more: Any) -> dict[str, Any]:
    at = recent(8) + timedelta(minutes=minute)
    return client.event(ref, "lin", at, minutes, **{"asset_ref": "bike:7"} | more)


def test_a_deed_that_goes_on_with_the_same_bike_has_all_its_records(stage: Stage, bikes: Client) -> None:
    for number in range(4):
        bikes.verdicts(ride(bikes, f"r{number}", minute=21 * number))
    found = leaves_equal_the_tables(stage)
    assert (found["versions"], found["continued"]) == (4, 3)


def test_a_better_record_that_takes_a_deed_over_takes_over_its_leaf(stage: Stage, bikes: Client) -> None:
    wallet = stage.partner("wallet", ["lin"], of="city")
    wallet.verdicts(ride(wallet, "w1", evidence="self_declared", distance_m=2300))
    bikes.verdicts(ride(bikes, "r1"))
    wallet.verdicts(ride(wallet, "w2", evidence="self_declared", distance_m=2300))
    correct(bikes, "r1", kind="withdraw")
    assert leaves_equal_the_tables(stage)["later"] >= 2


def test_a_deed_corrected_and_withdrawn_has_a_leaf_a_version(stage: Stage, bikes: Client) -> None:
    event = ride(bikes, "r1")
    bikes.verdicts(event, ride(bikes, "r2", minute=21))
    correct(bikes, "r1", kind="replace", data=data_of(event, distance_m=3000))
    correct(bikes, "r1", kind="replace", data=data_of(event, distance_m=2000))
    correct(bikes, "r1", kind="withdraw")
    found = leaves_equal_the_tables(stage)
    assert found["later"] >= 3


def test_a_clock_that_goes_back_changes_no_leaf(
    stage: Stage, bikes: Client, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    clock = Clock()
    for module in (events_api, corrections_api):
        monkeypatch.setattr(module, "datetime", clock)
    for number in range(4):  # one bike, rides that continue one another
        bikes.verdicts(ride(bikes, f"r{number}", minute=21 * number))
        clock.back_s += 5
    correct(bikes, "r3", kind="withdraw")
    clock.back_s += 60
    bikes.verdicts(ride(bikes, "r4", minute=64))
    assert leaves_equal_the_tables(stage)["versions"] == 6


class Clock:
    """A host's clock that somebody sets back."""

    back_s = 0

    def now(self, tz: Any = None) -> datetime:
        return datetime.now(tz) - timedelta(seconds=self.back_s)


def test_two_accounts_that_are_one_person_keep_their_leaves(stage: Stage, bikes: Client) -> None:
    wallet = stage.partner("wallet", ["lin-2"])
    operator = stage.client("operator", "staff")
    bikes.verdicts(ride(bikes, "r1"), ride(bikes, "r2", minute=90))
    wallet.verdicts(wallet.event("w1", "lin-2", recent(8)), wallet.event("w2", "lin-2", recent(15)))
    first, second = bikes.people["lin"], wallet.people["lin-2"]
    for one, other in ((first, second),):
        answer = operator.post("/v1/operator/merges", {"person_id": one, "merged_id": other, "reason": "one phone"})
        assert answer.status_code == 200, answer.json
    wallet.verdicts(wallet.event("w3", "lin-2", recent(18)))
    correct(wallet, "w3", kind="withdraw")
    assert leaves_equal_the_tables(stage)["later"] >= 2


def test_a_leaf_says_nothing_of_its_deed_without_the_persons_salt(stage: Stage, bikes: Client) -> None:
    bikes.verdicts(ride(bikes, "r1"))
    with stage.platform.db.transaction() as conn:
        [(deed, entry)] = conn.execute("select ref_id, entry from log_pending").fetchall()
        one = log_deeds.stored(conn, [(deed, 1)])[deed, 1]
    assert bytes(entry) == one.entry
    guessed = leaves.deed_opening(leaves.leaf_salt(bytes(32), leaves.DEED, deed, 1), one.body)
    assert leaves.deed_entry(one.head, guessed) != one.entry
