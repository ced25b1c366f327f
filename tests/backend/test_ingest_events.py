"""A partner's signed batch: every event its verdict, one deed one credit, a retry harmless."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest

from tests.cast import Client, Stage, recent


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang"], of="city")


def test_a_plausible_ride_is_credited_with_milligrams_and_points(stage: Stage, bikes: Client) -> None:
    [verdict] = bikes.verdicts(bikes.event("r1", "lin", recent()))
    assert (verdict["verdict"], verdict["code"], verdict["methodology"]) == ("credited", "ok", "cycling")
    assert verdict["reduction_mg"] > 0
    assert verdict["points"] > 0
    assert verdict["deed"]
    assert verdict["duplicate_of"] is None
    lin = bikes.people["lin"]
    assert stage.balance(lin, "reductions_mg") == verdict["reduction_mg"]
    assert stage.balance(lin, "points") == verdict["points"]


def test_a_retry_of_a_batch_gets_the_first_verdicts_back_and_nothing_more(stage: Stage, bikes: Client) -> None:
    batch = [bikes.event("r1", "lin", recent(8)), bikes.event("r2", "lin", recent(9), distance_m=None)]
    first = bikes.verdicts(*batch)
    books = stage.count("transfer"), stage.count("event"), stage.count("deed")
    again = bikes.verdicts(*batch)
    assert [v["verdict"] for v in again] == ["repeated", "repeated"]
    assert [(v["reduction_mg"], v["points"]) for v in again] == [(0, 0), (0, 0)]
    assert [v["original"] for v in again] == first
    assert (stage.count("transfer"), stage.count("event"), stage.count("deed")) == books


def test_the_same_message_twice_in_one_batch_is_repeated(bikes: Client) -> None:
    event = bikes.event("r1", "lin", recent())
    first, second = bikes.verdicts(event, event)
    assert first["verdict"] == "credited"
    assert second["verdict"] == "repeated"
    assert second["original"] == first


def test_a_used_id_with_other_content_is_refused_whatever_start_time_it_carries(stage: Stage, bikes: Client) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent(8)))
    later, other = bikes.verdicts(bikes.event("r1", "lin", recent(15)), bikes.event("r1", "wang", recent(8)))
    assert (later["verdict"], later["code"]) == ("refused", "id_reused")
    assert (other["verdict"], other["code"]) == ("refused", "id_reused")
    assert stage.balance(bikes.people["wang"], "points") == 0
    assert stage.count("event") == 3  # kept for audit


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "flying.v1"}, "type_unknown"),
        ({"subject": "nobody"}, "subject_unknown"),
        ({"region": "999999"}, "region_unknown"),
        ({"distance_m": None}, "distance_unknown"),
        ({"distance_m": 0}, "distance_unknown"),
        ({"distance_m": -5}, "fact_out_of_range"),
        ({"distance_m": "far"}, "fact_invalid"),
        ({"distance_m": 9000, "minutes": 20}, "too_fast"),
        ({"minutes": 0.9}, "too_short"),
        ({"minutes": 181}, "too_long"),
    ],
)
def test_an_event_that_cannot_count_is_refused_with_its_code(bikes: Client, change: dict, code: str) -> None:
    [verdict] = bikes.verdicts(bikes.event("r1", "lin", recent(), **change))
    assert (verdict["verdict"], verdict["code"]) == ("refused", code)
    assert (verdict["reduction_mg"], verdict["points"], verdict["deed"]) == (0, 0, None)


def test_events_of_the_future_and_beyond_the_window_are_refused(bikes: Client) -> None:
    future, ancient = bikes.verdicts(
        bikes.event("r1", "lin", recent(days_ago=-2)), bikes.event("r2", "lin", recent(days_ago=402))
    )
    assert (future["code"], ancient["code"]) == ("in_future", "too_late")


def test_a_malformed_event_harms_no_neighbour_and_claims_no_id(bikes: Client) -> None:
    good, broken = bikes.event("r1", "lin", recent(8)), bikes.event("r2", "lin", recent(9))
    del broken["data"]["started_at"]
    first, second = bikes.verdicts(broken, good)
    assert (first["id"], first["verdict"], first["code"]) == ("r2", "malformed", "field_missing")
    assert first["field"] == "data.started_at"
    assert second["verdict"] == "credited"
    assert bikes.verdicts(bikes.event("r2", "lin", recent(9)))[0]["verdict"] == "credited"


def test_the_same_ride_through_two_partners_is_credited_once(stage: Stage, bikes: Client) -> None:
    wallet = stage.partner("wallet", ["lin", "wang"], of="city")
    assert wallet.people == bikes.people
    assert wallet.subjects["lin"] != bikes.subjects["lin"]
    ride = bikes.verdicts(bikes.event("r1", "lin", recent(7, 59)))[0]
    copy = wallet.verdicts(wallet.event("w77", "lin", recent(7, 59) + timedelta(seconds=40)))[0]
    assert (copy["verdict"], copy["code"], copy["reduction_mg"]) == ("duplicate_of", "same_record", 0)
    assert copy["duplicate_of"]
    assert copy["duplicate_of"] != ride["deed"]  # handles are scoped to a partner
    assert stage.balance(bikes.people["lin"], "reductions_mg") == ride["reduction_mg"]


def test_the_same_order_number_forwarded_for_the_same_person_is_one_deed(stage: Stage, bikes: Client) -> None:
    wallet = stage.partner("wallet", ["lin"], of="city")
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:8812"))
    copy = wallet.verdicts(wallet.event("w1", "lin", recent(11), act_ref="valleybike:8812"))[0]
    assert (copy["verdict"], copy["code"]) == ("duplicate_of", "same_act")


def test_an_order_number_claimed_for_another_person_waits_for_review_and_changes_nothing(
    stage: Stage, bikes: Client
) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:8812"))
    held = bikes.verdicts(bikes.event("r2", "wang", recent(8), act_ref="valleybike:8812"))[0]
    assert (held["verdict"], held["code"], held["points"]) == ("in_review", "act_ref_conflict", 0)
    assert stage.balance(bikes.people["wang"], "points") == 0


def test_only_the_issuer_of_a_number_may_sign_it_as_an_order(stage: Stage, bikes: Client) -> None:
    """A forwarder that starts its record earlier does not push the operator's own record aside."""
    wallet = stage.partner("wallet", ["lin"], of="city")
    wallet.verdicts(wallet.event("w1", "lin", recent(8), act_ref="valleybike:8812"))
    own = bikes.verdicts(bikes.event("r1", "lin", recent(8, 0) + timedelta(seconds=30), act_ref="valleybike:8812"))[0]
    assert own["verdict"] == "credited"
    now = wallet.get("/v1/events/w1").json
    assert (now["verdict"], now["code"], now["reduction_mg"]) == ("duplicate_of", "same_act", 0)
    assert now["original"]["verdict"] == "credited"
    assert stage.balance(bikes.people["lin"], "reductions_mg") == own["reduction_mg"]
    [notice] = wallet.get("/v1/notices").json["items"]  # the first reporter is told, of its own record only
    assert notice["kind"] == "verdicts"
    assert notice["body"]["events"] == [{"id": "w1", "verdict": "duplicate_of", "code": "same_act"}]
    assert bikes.get("/v1/notices").json["items"] == []


def test_a_number_squatted_by_a_forwarder_is_looked_into_and_then_free_for_its_issuer(
    stage: Stage, bikes: Client
) -> None:
    wallet = stage.partner("wallet", ["lin", "wang"], of="city")
    operator = stage.client("operator", "staff")
    refused, squatting = wallet.verdicts(
        wallet.event("w1", "wang", recent(7), minutes=0.1, act_ref="valleybike:8813"),
        wallet.event("w2", "wang", recent(8), act_ref="valleybike:8812"),
    )
    assert (refused["code"], squatting["verdict"]) == ("too_short", "credited")
    held, free = bikes.verdicts(
        bikes.event("r1", "lin", recent(8), act_ref="valleybike:8812"),
        bikes.event("r2", "lin", recent(10), act_ref="valleybike:8813"),  # what is refused claims nothing
    )
    assert (held["code"], free["verdict"]) == ("act_ref_conflict", "credited")
    cases = {c["event"]: c["case"] for c in operator.get("/v1/operator/cases").json["items"]}
    assert set(cases) == {"r1", "w2"}
    for ref, decision in (("w2", "refuse"), ("r1", "release")):
        answer = operator.post(f"/v1/operator/cases/{cases[ref]}/decision", {"decision": decision, "note": "seen"})
        assert answer.status_code == 200, answer.json
    assert wallet.get("/v1/events/w2").json["code"] == "review_refused"
    assert bikes.get("/v1/events/r1").json["verdict"] == "credited"
    forwarded = wallet.verdicts(wallet.event("w3", "lin", recent(8), act_ref="valleybike:8812"))[0]
    assert forwarded["verdict"] == "duplicate_of"


def test_a_withdrawn_ride_s_number_is_free_for_the_right_person(stage: Stage, bikes: Client) -> None:
    from tests.backend.test_correct_events import correct

    bikes.verdicts(bikes.event("r1", "wang", recent(8), act_ref="valleybike:8812"))
    correct(bikes, "r1", kind="withdraw")
    [right] = bikes.verdicts(bikes.event("r2", "lin", recent(8), act_ref="valleybike:8812"))
    assert right["verdict"] == "credited"


def test_a_verdict_can_be_asked_again_by_its_own_partner_only(stage: Stage, bikes: Client) -> None:
    wallet = stage.partner("wallet", ["lin"], of="city")
    [verdict] = bikes.verdicts(bikes.event("r/1 ?", "lin", recent()))
    assert bikes.get("/v1/events/r%2F1%20%3F").json == verdict
    assert wallet.get("/v1/events/r%2F1%20%3F").status_code == 404


def test_a_day_is_capped_exactly_and_the_cap_cuts_the_amount_not_the_deed(stage: Stage, bikes: Client) -> None:
    rides = [bikes.event(f"r{h}", "lin", recent(h), minutes=55, distance_m=20_000) for h in range(5, 23)]
    verdicts = bikes.verdicts(*rides)
    assert {v["verdict"] for v in verdicts} == {"credited"}
    assert "capped" in {v["code"] for v in verdicts}
    from rules import quantification

    platform = stage.platform
    pack = platform.standard.pack("cycling.v1", recent().date())
    region = platform.standard.region("310000")
    cap_mg = quantification.measure(platform.standard, pack, region, {"distance_m": 1000}, recent().date()).daily_cap_mg
    assert sum(v["reduction_mg"] for v in verdicts) == cap_mg == stage.balance(bikes.people["lin"], "reductions_mg")


def test_without_consent_to_points_nothing_is_credited(stage: Stage) -> None:
    bikes = stage.client("partner", "valleybike")
    stage.link(bikes, ["lin"], purposes=())
    stage.link(bikes, ["wang"], consented_at=recent(12))
    lin, before, after = bikes.verdicts(
        bikes.event("r1", "lin", recent(8)),
        bikes.event("r2", "wang", recent(11)),
        bikes.event("r3", "wang", recent(13)),
    )
    assert [v["code"] for v in (lin, before, after)] == ["no_consent", "no_consent", "ok"]


def test_two_batches_for_one_person_at_the_same_moment_credit_a_ride_once(stage: Stage, bikes: Client) -> None:
    wallet = stage.partner("wallet", ["lin", "wang"], of="city")
    rides = [(who, recent(h)) for who in ("lin", "wang") for h in range(6, 22)]
    errors: list[BaseException] = []

    def send(client: Client, offset: int) -> None:
        try:
            order = random.Random(offset).sample(rides, len(rides))
            events = [
                client.event(f"{client.name}-{who}-{at:%H}", who, at + timedelta(seconds=offset)) for who, at in order
            ]
            for i in range(0, len(events), 5):
                client.verdicts(*events[i : i + 5])
        except BaseException as error:
            errors.append(error)

    for client in (bikes, wallet):
        assert client.token
    threads = [
        threading.Thread(target=send, args=(c, o)) for c, o in ((bikes, 0), (wallet, 20), (bikes, 0), (wallet, 20))
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    with stage.platform.db.transaction() as conn:
        [(standing,)] = conn.execute(
            "select count(*) from deed d where stands and not exists"
            " (select 1 from deed n where n.deed_id = d.deed_id and n.version > d.version)"
        ).fetchall()
    assert standing == len(rides)


def test_the_order_of_arrival_changes_no_verdict_and_no_balance(
    database_url: str, redis_url: str, stage: Stage, bikes: Client
) -> None:
    """The same events in three orders and splits, for three people, end in the same verdicts and balances."""
    wallet = stage.client("partner", "wallet")
    outcomes = []
    for n, seed in enumerate((1, 2, 3)):
        who = f"p{n}"
        stage.link(bikes, [who], shared=True)
        stage.link(wallet, [who], shared=True)
        rng = random.Random(7)
        made = []
        for i in range(40):
            client = (bikes, wallet)[i % 2]
            at = recent(days_ago=20 + i % 2) + timedelta(minutes=rng.randrange(0, 900), seconds=rng.randrange(60))
            metres = rng.choice([900, 2100, 4000, 9000, None])
            made.append((client, client.event(f"{who}-{i:02}", who, at, rng.choice([5, 25, 40]), distance_m=metres)))
        random.Random(seed).shuffle(made)
        for start in range(0, len(made), 7 * seed):
            for client in (bikes, wallet):
                if chunk := [event for c, event in made[start : start + 7 * seed] if c is client]:
                    client.verdicts(*chunk)
        final = {}
        for client, event in made:
            now = client.get(f"/v1/events/{event['id']}").json
            final[event["id"][3:]] = (now["verdict"], now["code"], now["reduction_mg"], now["points"])
        person = bikes.people[who]
        outcomes.append((final, stage.balance(person, "reductions_mg"), stage.balance(person, "points")))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert len({v[0] for v in outcomes[0][0].values()}) == 3  # credited, duplicate_of and refused all occur
    assert sum(v[2] for v in outcomes[0][0].values()) == outcomes[0][1]
    assert sum(v[3] for v in outcomes[0][0].values()) == outcomes[0][2]
