"""What other mechanisms have claimed is not credited here; what was credited before is looked into."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from backend import cli
from backend.store import migrate
from backend.usecases import import_claims, list_deeds, read_claims, share_key
from tests import cast
from tests.backend.test_correct_events import correct, data_of
from tests.backend.test_settle_deeds import books_equal_a_whole_life
from tests.cast import Client, Stage, recent
from tests.market import Market


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang"], of="city")


@pytest.fixture
def wallet(stage: Stage) -> Client:
    return stage.partner("wallet", ["lin", "wang"], of="city")


@pytest.fixture
def operator(stage: Stage) -> Client:
    return stage.client("operator", "staff")


def claimed(operator: Client, *rows: dict[str, Any], mechanism: str = "ccer") -> Any:
    """Import a list; the answer."""
    answer = operator.post("/v1/operator/claims", {"mechanism": mechanism, "source": "list 7", "claims": list(rows)})
    assert answer.status_code == 200, answer.json
    return answer.json


def number(act_ref: str, kind: str = "issued") -> dict[str, str]:
    return {"kind": kind, "act_ref": act_ref}


def span(kind: str = "counted", **more: str) -> dict[str, str]:
    """All rides of valleybike in Shanghai on the day of `recent()`."""
    day = recent().date().isoformat()
    return {
        "kind": kind, "operator": "valleybike", "activity": "cycling.v1", "region": "310000", "from": day, "to": day,
    } | more  # fmt: skip


def code_of(client: Client, ref: str) -> str:
    return str(client.get(f"/v1/events/{ref}").json["code"])


def cases(operator: Client) -> dict[str, dict[str, Any]]:
    return {c["event"]: c for c in operator.get("/v1/operator/cases").json["items"]}


@pytest.mark.parametrize(
    ("kind", "conflict", "words"),
    [("issued", "double_issuance", "issued credits"), ("used", "double_use", "used up"),
     ("counted", "double_claiming", "in a total")],
)  # fmt: skip
def test_a_claimed_number_is_refused_and_the_conflict_is_named(
    stage: Stage, operator: Client, bikes: Client, kind: str, conflict: str, words: str
) -> None:
    claimed(operator, number("valleybike:1", kind))
    told = bikes.send(
        [bikes.event("r1", "lin", recent(), act_ref="valleybike:1"), bikes.event("r2", "lin", recent(12))],
        **{"Accept-Language": "en"},
    )
    refused, other = told.json["verdicts"]
    assert (refused["verdict"], refused["code"], refused["reduction_mg"]) == ("refused", "claimed_elsewhere", 0)
    assert (refused["conflict"], refused["mechanism"]) == (conflict, "ccer")
    assert other["code"] == "ok"
    shown = bikes.get("/v1/events/r1", **{"Accept-Language": "en"}).json
    assert shown["conflict"] == conflict
    assert words in shown["detail"]
    [again] = bikes.verdicts(bikes.event("r1", "lin", recent(), act_ref="valleybike:1"))
    assert again["original"]["conflict"] == conflict
    shown, _ = list_deeds.list_deeds(stage.platform, bikes.people["lin"], None, 10)
    [reason] = [deed["reason"] for deed in shown if deed["code"] == "claimed_elsewhere"]
    assert words in reason["en"]
    assert "ccer" in reason["zh"]


def test_a_copy_of_a_claimed_deed_is_refused_whichever_record_comes_first(
    stage: Stage, operator: Client, bikes: Client, wallet: Client
) -> None:
    """By number, and by the clock: the deed is claimed, not only the message that carried the number."""
    claimed(operator, number("valleybike:1"), span(asset_ref="bike:9"))
    first = recent(8)
    [copy] = wallet.verdicts(wallet.event("w1", "lin", first + timedelta(seconds=20), evidence="device"))
    assert copy["code"] == "ok"  # nothing says yet that this is the claimed ride
    [ride] = bikes.verdicts(bikes.event("r1", "lin", first, act_ref="valleybike:1"))
    assert ride["code"] == "claimed_elsewhere"
    assert code_of(wallet, "w1") == "claimed_elsewhere"
    bikes.verdicts(bikes.event("r2", "wang", recent(12), act_ref="valleybike:2", asset_ref="bike:9"))
    late = recent(12) + timedelta(minutes=5)  # another clock, the same number
    [same] = wallet.verdicts(wallet.event("w2", "wang", late, act_ref="valleybike:2", evidence="device"))
    assert (code_of(bikes, "r2"), same["code"]) == ("claimed_elsewhere", "claimed_elsewhere")
    for person_id in bikes.people.values():
        assert stage.balance(person_id, "reductions_mg") == 0
        assert books_equal_a_whole_life(stage, person_id) == {"refused": 2}


def test_a_claimed_deed_takes_no_place_in_time(operator: Client, bikes: Client) -> None:
    claimed(operator, number("valleybike:1"))
    claimed_ride = bikes.event("r1", "lin", recent(8), 40, act_ref="valleybike:1")
    inside = bikes.event("r2", "lin", recent(8, 10), 20, act_ref="valleybike:2")
    assert [v["code"] for v in bikes.verdicts(claimed_ride, inside)] == ["claimed_elsewhere", "ok"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "claimed_elsewhere"),
        ({"operator": "*"}, "claimed_elsewhere"),
        ({"activity": "*"}, "claimed_elsewhere"),
        ({"region": "CN"}, "claimed_elsewhere"),
        ({"asset_ref": "bike:9"}, "claimed_elsewhere"),
        ({"region": "110000"}, "ok"),
        ({"operator": "wallet"}, "ok"),
        ({"activity": "metro.v1"}, "ok"),
        ({"asset_ref": "bike:1"}, "ok"),
        ({"from": "2020-01-01", "to": "2020-12-31"}, "ok"),
    ],
)
def test_a_span_is_claimed_by_operator_activity_region_and_days(
    operator: Client, bikes: Client, wallet: Client, change: dict[str, str], code: str
) -> None:
    assert claimed(operator, span(**change))["new"] == 1
    [ride] = bikes.verdicts(bikes.event("r1", "lin", recent(0, 5), asset_ref="bike:9"))
    assert ride["code"] == code
    assert wallet.id


def test_a_province_claims_its_cities_and_a_day_is_a_civil_day(operator: Client, bikes: Client) -> None:
    claimed(operator, span(region="440000"))
    rides = [
        bikes.event("r1", "lin", recent(23, 50), region="440300"),
        bikes.event("r2", "lin", recent(23, 50) - timedelta(days=1), region="440300"),
        bikes.event("r3", "lin", recent(12), region="420100"),
    ]
    assert [v["code"] for v in bikes.verdicts(*rides)] == ["claimed_elsewhere", "ok", "ok"]


def test_a_bad_row_harms_no_other_and_is_named_by_its_line(stage: Stage, operator: Client, bikes: Client) -> None:
    told = claimed(
        operator, number("valleybike:1"), {"kind": "taken", "act_ref": "a:1"}, {"kind": "issued"}, "x",
        number("No number"), span(), span(region="990000"), span(operator="nobody", asset_ref="b"),
        span(to="2020-01-01"), {"kind": "used", "act_digest": "ab"},
        number("a:1") | {"region": "310000"}, {"kind": "used", "colour": "red"},
        span(operator="*", activity="*", region="CN"), number("a:2") | {"mechanism": "other"},
        span(operator="*", asset_ref="b"), {"kind": 1, "act_ref": "a:3"}, span(operator=bikes.id),
    )  # fmt: skip
    wrong = {e["line"]: e["field"] for e in told["errors"]}
    assert wrong == {
        2: "kind", 3: "operator", 4: "", 5: "act_ref", 7: "region", 8: "operator", 9: "to",
        10: "act_digest", 11: "region", 12: "colour", 13: "operator", 14: "mechanism", 15: "operator", 16: "kind",
    }  # fmt: skip
    assert all(e["detail"] and e["code"] in ("field_missing", "field_invalid") for e in told["errors"])
    assert (told["new"], told["known"], stage.count("external_claim")) == (2, 1, 2)  # by name or by id is the same


def test_the_same_list_twice_changes_nothing_until_it_is_withdrawn(
    stage: Stage, operator: Client, bikes: Client
) -> None:
    rows = [number("valleybike:1"), number("valleybike:1", "used"), number("valleybike:1")]
    first, again = claimed(operator, *rows), claimed(operator, *rows)
    assert (first["new"], first["known"]) == (2, 1)
    assert (again["list"], again["new"], again["known"]) == (None, 0, 3)
    assert (stage.count("claim_list"), stage.count("external_claim")) == (1, 2)
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:1"))
    path = f"/v1/operator/claims/{first['list']}/withdrawal"
    assert operator.post(path, {"reason": "not theirs"}).status_code == 200
    assert operator.post(path, {"reason": "not theirs"}).json["code"] == "conflict"
    assert operator.post("/v1/operator/claims/99/withdrawal", {"reason": "x"}).status_code == 404
    [free] = bikes.verdicts(bikes.event("r2", "lin", recent(8), act_ref="valleybike:1"))
    assert free["code"] == "claimed_elsewhere"  # another record of the deed that was refused while it was claimed
    [other] = bikes.verdicts(bikes.event("r3", "lin", recent(12), act_ref="valleybike:3"))
    assert other["code"] == "ok"
    assert claimed(operator, *rows)["new"] == 2
    [lists, _] = operator.get("/v1/operator/claims").json["items"]
    assert (lists["mechanism"], lists["claims"], lists["reason"]) == ("ccer", 2, "not theirs")


def test_a_deed_refused_for_a_claim_that_fell_is_counted_by_an_appeal(
    stage: Stage, operator: Client, bikes: Client
) -> None:
    made = claimed(operator, number("valleybike:1"))
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:1"))
    operator.post(f"/v1/operator/claims/{made['list']}/withdrawal", {"reason": "not theirs"})
    bikes.post("/v1/events/r1/appeals", {"words": "nobody else claims it"})
    case = cases(operator)["r1"]
    answer = operator.post(f"/v1/operator/cases/{case['case']}/decision", {"decision": "count", "note": "seen"})
    assert (answer.json["verdict"], answer.json["reduction_mg"] > 0) == ("credited", True)
    assert books_equal_a_whole_life(stage, bikes.people["lin"]) == {"credited": 1}


def test_deeds_credited_before_are_reported_and_an_operator_decides(
    stage: Stage, operator: Client, bikes: Client, wallet: Client
) -> None:
    ride = bikes.event("r1", "lin", recent(8), act_ref="valleybike:1", asset_ref="bike:9")
    bikes.verdicts(ride, bikes.event("r2", "wang", recent(8), asset_ref="bike:7"))
    wallet.verdicts(wallet.event("w1", "lin", recent(8) + timedelta(seconds=30), evidence="device"))
    told = claimed(operator, number("valleybike:1"), span("counted", asset_ref="bike:7"))
    assert {(c["event"], c["conflict"], c["pooled"], c["verdict"]) for c in told["conflicts"]} == {
        ("r1", "double_issuance", False, "credited"), ("r2", "double_claiming", False, "credited"),
    }  # fmt: skip
    assert operator.get("/v1/operator/claims/conflicts").json["items"] == told["conflicts"]
    assert claimed(operator, number("valleybike:1"))["conflicts"] == []
    assert code_of(bikes, "r1") == "ok"  # nothing changes by itself
    [copy] = wallet.verdicts(wallet.event("w2", "lin", recent(8), act_ref="valleybike:1", evidence="device"))
    assert copy["verdict"] == "duplicate_of"  # nor by another copy of it
    open_cases = cases(operator)
    assert {c["kind"] for c in open_cases.values()} == {"claimed"}
    for ref, decision in (("r1", "refuse"), ("r2", "uphold")):
        path = f"/v1/operator/cases/{open_cases[ref]['case']}/decision"
        assert operator.post(path, {"decision": decision, "note": "looked"}).status_code == 200
    assert (code_of(bikes, "r1"), code_of(bikes, "r2")) == ("claimed_elsewhere", "ok")
    assert bikes.get("/v1/events/r1").json["conflict"] == "double_issuance"
    assert (code_of(wallet, "w1"), code_of(wallet, "w2")) == ("claimed_elsewhere", "claimed_elsewhere")
    assert stage.balance(bikes.people["lin"], "reductions_mg") == 0
    assert books_equal_a_whole_life(stage, bikes.people["lin"]) == {"refused": 3}
    listed = {c["event"]: c for c in operator.get("/v1/operator/claims/conflicts").json["items"]}
    assert (listed["r1"]["decision"], listed["r1"]["code"]) == ("refuse", "claimed_elsewhere")


def test_a_correction_meets_claims_as_a_new_event_does(operator: Client, bikes: Client) -> None:
    ride = bikes.event("r1", "lin", recent(8), act_ref="valleybike:1")
    bikes.verdicts(ride)
    claimed(operator, number("valleybike:1"), number("valleybike:2"))
    assert (
        correct(bikes, "r1", kind="replace", data=data_of(ride, distance_m=2000))["code"] == "ok"
    )  # still in its case
    now = correct(bikes, "r1", kind="replace", data=data_of(ride, act_ref="valleybike:2"))
    assert (now["code"], now["conflict"]) == ("claimed_elsewhere", "double_issuance")


def test_what_was_held_while_the_list_came_is_not_released_past_it(operator: Client, bikes: Client) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:1"))
    bikes.verdicts(bikes.event("r2", "wang", recent(12), act_ref="valleybike:1", asset_ref="bike:9"))
    assert code_of(bikes, "r2") == "act_ref_conflict"
    claimed(operator, span(asset_ref="bike:9"))
    case = cases(operator)["r2"]["case"]
    answer = operator.post(f"/v1/operator/cases/{case}/decision", {"decision": "release", "note": "looked"})
    assert answer.json["code"] == "claimed_elsewhere"


def test_claims_cost_a_batch_the_same_statements_whatever_its_size(
    stage: Stage, operator: Client, bikes: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(operator, *(number(f"valleybike:{n}") for n in range(40)), *(span(asset_ref=f"b{n}") for n in range(40)))
    claimed(operator, {"kind": "issued", "act_digest": "ab" * 32}, mechanism="elsewhere")
    seen: list[str] = []
    execute = psycopg.Cursor.execute

    def counting(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        seen.append(str(query))
        return execute(self, query, *args, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", counting)
    counts = []
    for day, size in ((5, 1), (6, 30)):
        seen.clear()
        at = recent(6, days_ago=day)
        rides = [
            bikes.event(f"e{day}-{i}", "lin", at + timedelta(minutes=25 * i), act_ref=f"valleybike:{day}-{i}")
            for i in range(size)
        ]
        assert {v["code"] for v in bikes.verdicts(*rides)} <= {"ok", "capped"}
        counts.append(sum("external_claim" in q or "claim_list" in q for q in seen))
    assert counts[0] == counts[1] <= 4


def test_the_terminal_imports_csv_and_json_and_names_lines(
    stage: Stage, bikes: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = terminal(stage, monkeypatch)
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:1"))
    file = tmp_path / "list.csv"
    file.write_text("kind,act_ref,document\nissued,valleybike:1,project 7\nissued,nonsense,\n\nused,valleybike:2,\n")
    done = run("claims", "import", str(file), "--mechanism", "ccer")
    assert done.exit_code == 1
    assert f"{file}:3: act_ref:" in done.stderr
    [conflict] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (conflict["event_ref"], conflict["conflict"], conflict["pooled"]) == ("r1", "double_issuance", False)
    as_json = tmp_path / "list.json"
    as_json.write_text(json.dumps([{"kind": "used", "act_ref": "valleybike:2"}, number("valleybike:3")]))
    again = run("claims", "import", str(as_json), "--mechanism", "ccer", "--format", "json")
    assert (again.exit_code, "1 new, 1 known, 0 with mistakes" in again.stderr) == (0, True)
    assert run("claims", "list").stdout.count("in force") == 2
    assert run("claims", "withdraw", "1", "--reason", "a mistake").exit_code == 0
    assert run("claims", "list").stdout.count("in force") == 1
    for text, why in (("colour\nred\n", "unknown column"), ("", "no claims")):
        file.write_text(text)
        assert why in run("claims", "import", str(file), "--mechanism", "ccer").stderr
    assert "a name of up to 40" in run("claims", "import", str(as_json), "--mechanism", "CCER!").stderr


def terminal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings = stage.platform.settings
    for name, value in cast.environment(settings.database_url, settings.redis_url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TANPUHUI_SECRET", settings.secret)
    return lambda *args: CliRunner().invoke(cli.main, args)


@pytest.fixture
def elsewhere(postgres_url: str, redis_url: str) -> Iterator[Stage]:
    """Another platform: its own database, its own secret."""
    name = f"elsewhere_{secrets.token_hex(8)}"
    url = f"{postgres_url.rpartition('/')[0]}/{name}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        migrate.upgrade(url)
        with cast.stage(url, redis_url, TANPUHUI_SECRET="quite another secret, also long enough") as made:
            yield made
        connection.execute(f"drop database {name} with (force)")


def exported(stage: Stage, mechanism: str, **more: Any) -> list[dict[str, str]]:
    month = recent().strftime("%Y-%m")
    regulator = stage.client("regulator", f"city {secrets.token_hex(3)}")
    path = f"/v1/claims/export?mechanism={mechanism}&region=310000&month={month}"
    answer = regulator.get(path)
    assert answer.status_code == 200, answer.json
    assert answer.json["unnumbered"] == more.get("unnumbered", 0)
    return list(answer.json["items"])


def test_two_platforms_block_each_others_deeds(
    stage: Stage, operator: Client, bikes: Client, wallet: Client, elsewhere: Stage
) -> None:
    there, staff = elsewhere.partner("valleybike", ["lin", "wang"]), elsewhere.client("operator", "staff")
    key = share_key.show_key(stage.platform, "there")
    share_key.accept_key(elsewhere.platform, "here", key, datetime.now(UTC))
    assert share_key.show_key(elsewhere.platform, "here") == key
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:1"), bikes.event("r9", "lin", recent(18)))
    wallet.verdicts(
        wallet.event("w1", "lin", recent(8), act_ref="wallet:77", evidence="device")
    )  # a copy, numbered anew
    there.verdicts(there.event("t1", "lin", recent(9), act_ref="valleybike:2"))
    there.verdicts(there.event("t2", "wang", recent(9), act_ref="valleybike:3"))
    ours, theirs = exported(stage, "there", unnumbered=1), exported(elsewhere, "here")
    assert (len(ours), len(theirs)) == (2, 2)
    assert {row["kind"] for row in ours} == {"counted"}
    assert claimed(staff, *ours, mechanism="here")["new"] == 2
    assert claimed(operator, *theirs, mechanism="there")["new"] == 2
    for sender, ref, act_ref in (
        (there, "x1", "valleybike:1"),
        (there, "x2", "wallet:77"),
        (bikes, "x3", "valleybike:3"),
    ):
        [refused] = sender.verdicts(sender.event(ref, "wang", recent(20), act_ref=act_ref, evidence="device"))
        assert (refused["code"], refused["conflict"]) == ("claimed_elsewhere", "double_claiming"), ref
    [free] = there.verdicts(there.event("x4", "lin", recent(20), act_ref="valleybike:4"))
    assert free["code"] == "ok"


def test_an_exchanged_list_finds_what_was_credited_before(
    stage: Stage, operator: Client, bikes: Client, elsewhere: Stage
) -> None:
    there = elsewhere.partner("valleybike", ["lin"])
    share_key.accept_key(elsewhere.platform, "here", share_key.show_key(stage.platform, "there"), datetime.now(UTC))
    for client in (bikes, there):
        client.verdicts(client.event("r1", "lin", recent(8), act_ref="valleybike:1"))
        client.verdicts(client.event("r2", "lin", recent(12), act_ref=f"valleybike:{client.id}"))
    told = claimed(operator, *exported(elsewhere, "here"), mechanism="there")
    assert [c["event"] for c in told["conflicts"]] == ["r1"]
    assert [c["kind"] for c in cases(operator).values()] == ["claimed"]


def test_a_stranger_computes_the_same_digests_from_the_recipe(
    stage: Stage, bikes: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:8812"))
    run = terminal(stage, monkeypatch)
    key = bytes.fromhex(run("claims", "key", "ccer").stdout.strip())
    name = hashlib.sha256(b"valleybike" + b"\x1f" + b"8812").digest()
    month = recent().strftime("%Y-%m")
    told = run("claims", "export", "--mechanism", "ccer", "--region", "CN", "--month", month)
    assert told.stdout == f"kind,act_digest,document\ncounted,{hmac.new(key, name, 'sha256').hexdigest()},\n"
    as_json = run("claims", "export", "--mechanism", "other", "--region", "CN", "--month", month, "--format", "json")
    [row] = json.loads(as_json.stdout)["claims"]
    assert row["act_digest"] not in told.stdout  # another mechanism, another key


def test_nothing_that_is_stored_of_a_claim_can_be_tried_out_without_the_secret(
    stage: Stage, operator: Client, bikes: Client
) -> None:
    claimed(operator, number("valleybike:1"), span(asset_ref="bike:9"))
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:2"))
    plain = hashlib.sha256(b"valleybike\x1f2").digest()
    with stage.platform.db.transaction() as conn:
        rows = conn.execute("select c::text from external_claim c").fetchall()
        [(sealed,)] = conn.execute("select sealed from act_claim").fetchall()
    assert plain not in sealed
    assert not any("valleybike:1" in str(row) or "bike:9" in str(row) for row in rows)


def test_a_key_is_not_changed_under_lists_that_were_made_with_it(stage: Stage, operator: Client) -> None:
    claimed(operator, {"kind": "issued", "act_digest": "ab" * 32}, mechanism="there")
    with pytest.raises(Exception, match="another key is in use"):
        share_key.accept_key(stage.platform, "there", b"k" * 32, datetime.now(UTC))
    share_key.accept_key(stage.platform, "there", share_key.show_key(stage.platform, "there"), datetime.now(UTC))
    share_key.accept_key(stage.platform, "new", b"k" * 32, datetime.now(UTC))
    with pytest.raises(Exception, match="another key is in use"):
        share_key.accept_key(stage.platform, "new", b"q" * 32, datetime.now(UTC))


def test_a_scan_that_did_not_finish_is_made_up_by_the_next_import(
    stage: Stage, operator: Client, bikes: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent(8), act_ref="valleybike:1"))

    def stopped(*_: Any) -> None:
        raise RuntimeError("the process was killed here")

    with monkeypatch.context() as broken:
        broken.setattr(import_claims, "_scan", stopped)
        with pytest.raises(RuntimeError):
            import_claims.import_claims(
                stage.platform, "ccer", [(1, number("valleybike:1"))], "list", operator.id, datetime.now(UTC)
            )
    assert cases(operator) == {}
    claimed(operator, number("valleybike:1"))
    assert list(cases(operator)) == ["r1"]


def test_lists_are_read_as_they_are_written() -> None:
    assert read_claims.read_csv("\ufeffkind,act_ref\nissued,a:1\n") == [(2, {"kind": "issued", "act_ref": "a:1"})]
    for text in ("{", "3", "[" * 100_000):
        with pytest.raises(ValueError, match="JSON"):
            read_claims.read_json(text)


def test_a_pooled_deed_that_is_claimed_is_recalled_when_an_operator_refuses_it(stage: Stage) -> None:
    market, at = Market(stage), recent(8, days_ago=45)
    rides = [market.partner.event(f"r{i}", f"p{i}", at, act_ref=f"valleybike:{i}") for i in range(10)]
    assert {v["code"] for v in market.partner.verdicts(*rides)} == {"ok"}
    batch = market.issued(pool=f"310000.cycling.1.0.0.{at:%Y%m}")
    month = at.strftime("%Y-%m")
    told = market.operator.get(f"/v1/claims/export?mechanism=ccer&region=310000&month={month}").json
    assert {(row["kind"], row["document"]) for row in told["items"]} == {("issued", f"batch {batch['id']}")}
    [conflict] = claimed(market.operator, number("valleybike:1"))["conflicts"]
    assert (conflict["pooled"], conflict["batch"], conflict["region"]) == (True, batch["id"], "310000")
    path = f"/v1/operator/cases/{conflict['case']}/decision"
    assert market.operator.post(path, {"decision": "refuse", "note": "issued there"}).status_code == 200
    assert code_of(market.partner, "r1") == "claimed_elsewhere"
    assert market.figures(batch["id"])["recalled_mg"] == conflict["reduction_mg"]
    left = market.operator.get(f"/v1/claims/export?mechanism=ccer&region=310000&month={month}").json
    assert len(left["items"]) == len(told["items"]) - 1
