"""A person leaves: nothing leads to them any more, nothing is credited again, and everybody else's books stand."""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from backend import auth
from backend.errors import PROBLEM_TYPE, Problem
from backend.store import events, log
from backend.usecases import erase_person, merge_persons, sequence_log, settle_sales
from rewards import ledger
from tests import cast, phones
from tests.backend.test_correct_events import correct, data_of
from tests.backend.test_import_claims import claimed
from tests.backend.test_routes import routes
from tests.cast import Client, Stage, recent
from tests.market import ATTESTED, RECEIVED, at_once, keyed, ok, refused
from tests.phones import Citizen, log_in

POOLED = 41  # days ago: on every day of the year in a month whose pool can be closed


@pytest.fixture
def stage(database_url: str, redis_url: str, provider: str) -> Iterator[Stage]:
    with cast.stage(database_url, redis_url, **phones.identity_environment(provider)) as made:
        yield made


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang", "zhao"], of="city")


@pytest.fixture
def wallet(stage: Stage) -> Client:
    return stage.partner("wallet", ["lin", "wang"], of="city")


@pytest.fixture
def operator(stage: Stage) -> Client:
    return stage.client("operator", "staff")


def now() -> datetime:
    return datetime.now(UTC)


def later() -> datetime:
    return now() + timedelta(days=8)


def call(stage: Stage, method: str, path: str, person_id: int, body: Any = None, key: str | None = None) -> Any:
    token = auth.issue_token(stage.platform.keys, auth.CITIZEN, str(person_id), now())
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": secrets.token_hex(8) if key is None else key}
    return stage.http.open(path, method=method, json=body, headers=headers)


def erased(stage: Stage, person_id: int) -> dict[str, Any]:
    return dict(ok(call(stage, "DELETE", "/v1/me", person_id, {"confirm": "erase"}), 200))


def books_balance(operator: Client) -> None:
    found = ok(operator.get("/v1/conservation?fresh=1"), 200)
    assert found["ok"], [line for line in found["identities"] if not line["ok"]]


def rows(stage: Stage, sql: str, *values: object) -> list[Any]:
    with stage.platform.db.transaction() as conn:
        return conn.execute(sql, values).fetchall()  # type: ignore[call-overload,no-any-return]


def closed(operator: Client, day: datetime) -> int:
    """The batch of the rides of that day's month."""
    return int(ok(operator.post(f"/v1/pools/310000.cycling.1.0.0.{day:%Y%m}/close"), 201)["id"])


def sold(stage: Stage, operator: Client, batch_id: int, quantity_g: int) -> Client:
    """Attest and issue the batch, sell so much of it at 90 fen a gram, and share the money; the buyer."""
    verifier, company = stage.client("verifier", "v"), stage.client("company", "c")
    ok(verifier.post(f"/v1/batches/{batch_id}/attestation", ATTESTED), 201)
    ok(operator.post(f"/v1/batches/{batch_id}/issue", {"price_fen_per_tonne": 90_000_000}), 201)
    quote = ok(company.post("/v1/quotes", {"quantity_g": quantity_g}), 201)
    order = ok(company.post("/v1/orders", {"quote_id": quote["id"]}), 201)
    told = RECEIVED | {"amount_fen": order["amount_fen"]}
    ok(operator.post(f"/v1/operator/orders/{order['id']}/payment", told), 200)
    settle_sales.settle_sales(stage.platform, later(), at_once=True)
    return company


def everything(stage: Stage, where: str = "") -> dict[str, str]:
    """Every table there is, whoever made it, as text."""
    sql = """select t.table_name from information_schema.tables t join pg_class c on c.relname = t.table_name
             where t.table_schema = 'public' and t.table_type = 'BASE TABLE' and not c.relispartition"""
    names = [name for (name,) in rows(stage, sql)]
    return {name: "\n".join(text for (text,) in rows(stage, f'select t::text from "{name}" t')) for name in names}


def met(traces: dict[str, list[str]], tables: dict[str, str]) -> dict[str, set[str]]:
    """trace -> the tables in which it is met."""
    found: dict[str, set[str]] = defaultdict(set)
    for trace, words in traces.items():
        pattern = re.compile(rf"(?<![0-9a-wyz])x?(?:{'|'.join(map(re.escape, words))})(?![0-9a-z])")
        found[trace] |= {table for table, text in tables.items() if pattern.search(text)}
    return found


@pytest.fixture
def lin(stage: Stage, provider: str, bikes: Client, wallet: Client, operator: Client) -> Citizen:
    """Lin's life, in every table: two logins, three partners, deeds of all kinds, cases, claims, a batch, money.

    Her numbers are met nowhere by chance, her words begin with Q, her deeds are at a microsecond of their own.
    """
    with stage.platform.db.transaction() as conn:
        conn.execute("alter sequence person_person_id_seq restart 7000000001")
        conn.execute("alter sequence event_id_seq restart 8000000001")
    lin = log_in(stage.http, provider, "union-lin-1")
    first = int(lin.session["person"]["id"])
    partners = [stage.partner(name) for name in ("aspeed", "bpay", "cmetro")]
    for partner in partners[:2]:
        stage.link(partner, ["lin-1"], shared=True)
    stage.link(partners[2], ["lin-2"], shared=True)
    aspeed, bpay, cmetro = partners
    at = recent(8, days_ago=POOLED) + timedelta(seconds=1, microseconds=234567)
    hours = [at + timedelta(hours=n, minutes=n) for n in range(10)]
    mended = aspeed.event("Qmended", "lin-1", hours[2], distance_m=2000, act_ref="aspeed:2")
    aspeed.verdicts(
        aspeed.event("Qpooled", "lin-1", hours[0], act_ref="aspeed:1", asset_ref="B1"),
        aspeed.event("Qfast", "lin-1", hours[1], 5, distance_m=9000), mended,
        aspeed.event("Qback", "lin-1", hours[3], act_ref="aspeed:3"),
        aspeed.event("Qown", "lin-1", hours[5], evidence="self_declared", act_ref="aspeed:4"),
        aspeed.event("Qlow", "lin-1", hours[6], distance_m=4000),
    )  # fmt: skip
    bpay.verdicts(bpay.event("Qcopy", "lin-1", hours[4], evidence="device", act_ref="bpay:5"))
    aspeed.verdicts(  # bpay is told: its record is a copy now; and other content comes under an id that is used
        aspeed.event("Qbetter", "lin-1", hours[4], act_ref="aspeed:6"),
        aspeed.event("Qpooled", "lin-1", hours[7], distance_m=1234),
    )  # fmt: skip
    cmetro.verdicts(cmetro.event("Qmerged", "lin-2", hours[8]), cmetro.event("Qagain", "lin-2", hours[0]))
    correct(aspeed, "Qmended", kind="replace", data=data_of(mended, distance_m=3000))
    correct(aspeed, "Qback", kind="withdraw")
    ok(aspeed.post("/v1/events/Qfast/appeals", {"words": "Qwords of an appeal"}), 201)
    claimed(operator, {"kind": "issued", "act_ref": "aspeed:4"})
    merge_persons.merge_persons(stage.platform, first, cmetro.people["lin-2"], operator.id, "Qreason", now())
    sold(stage, operator, closed(operator, at), 100)
    sequence_log.sequence_log(stage.platform, now())
    correct(aspeed, "Qlow", kind="withdraw")  # recalls
    ok(call(stage, "POST", "/v1/me/withdrawals", first, {"amount_fen": 7}), 201)
    return lin


def traces_of(stage: Stage) -> dict[str, list[str]]:
    """What leads to Lin, by kind."""
    asked = {
        "accounts": "select person_id from person where person_id > 7e9",
        "numbers": "select event_id from event where person_id > 7e9 union select deed_id from deed",
        "times": "select unnest(array[started_at, ended_at]) from event where person_id > 7e9",
        "references": "select event_ref from event where person_id > 7e9",
        "words": "select reason from person_alias union select words from review where opened_by <> 'platform'",
        "subjects": "select subject from link where person_id > 7e9",
        "partners' names": "select encode(partner_ref_digest, 'hex') from link where person_id > 7e9",
        "logins": "select encode(key_digest, 'hex') from person_key where person_id > 7e9",
        "sessions": "select encode(digest, 'hex') from refresh_token where person_id > 7e9",
        "salts": "select encode(salt, 'hex') from person where person_id > 7e9",
        "contents": "select encode(content_digest, 'hex') from claim where event_id > 8e9",
        "ids": "select encode(id_digest, 'hex') from claim where event_id > 8e9",
        "sealed": "select encode(sealed, 'hex') from act_claim where person_id > 7e9",
        "acts": "select encode(act_digest, 'hex') from act_claim where person_id > 7e9",
        "assets": "select encode(asset_digest, 'hex') from event where person_id > 7e9 and asset_digest is not null",
    }
    return {kind: [str(one).removesuffix("+00:00") for (one,) in rows(stage, sql)] for kind, sql in asked.items()}


def test_of_an_erased_person_nothing_is_left_in_any_table_but_numbers_and_digests(
    stage: Stage, lin: Citizen, operator: Client
) -> None:
    traces = traces_of(stage)
    before = met(traces, everything(stage))
    assert all(traces[kind] and before[kind] for kind in traces), before  # each is there to be found
    assert {"event", "reverdict", "deed", "claim", "act_claim", "correction", "review", "claim_conflict", "notice",
            "message", "person", "person_key", "person_alias", "link", "consent", "refresh_token", "idempotency",
            "batch_member", "transfer", "payout", "recall", "log_leaf"} <= set().union(*before.values())  # fmt: skip
    books_balance(operator)
    erased(stage, int(lin.session["person"]["id"]))
    books_balance(operator)
    stays = {
        "accounts": {"transfer", "batch_member", "payout", "erased_person"},
        "numbers": {"transfer", "batch_member", "recall", "log_leaf", "log_pending"},
        "partners' names": {"erased_key"}, "logins": {"erased_key"}, "ids": {"erased_id"},
        "acts": {"act_claim", "external_claim"},
    }  # fmt: skip
    after = met(traces, everything(stage))
    assert {kind: after[kind] for kind in traces if after[kind]} == stays
    assert rows(stage, "select distinct person_id, class, event_id, sealed from act_claim") == [(0, "", 0, None)]
    assert rows(stage, "select count(*) from event where event_ref like 'Q%%'") == [(0,)]
    assert {at.astimezone(recent().tzinfo).day for (at,) in rows(stage, "select started_at from batch_member")} == {1}


def test_the_answer_tells_what_was_done_in_numbers_and_words(stage: Stage, lin: Citizen) -> None:
    person_id = int(lin.session["person"]["id"])
    accounts = [p for (p,) in rows(stage, "select person_id from person where person_id > 7e9")]
    has = {book: sum(stage.balance(p, book) for p in accounts) for book in (ledger.POINTS, ledger.MONEY)}
    [(own_mg,)] = rows(stage, "select sum(reduction_mg) from current_deed where evidence = 'self_declared'")
    leaves = rows(stage, "select (select count(*) from log_leaf where kind in ('deed', 'correction')) +"
                         " (select count(*) from log_pending where kind in ('deed', 'correction'))")  # fmt: skip
    done = erased(stage, person_id)
    words = done.pop("statement")
    assert done == {
        "reductions_cancelled_mg": own_mg, "points_expired": has[ledger.POINTS], "fund_fen": has[ledger.MONEY],
        "on_its_way_fen": 7, "deeds_removed": 1, "deeds_in_batches": 5,
    }  # fmt: skip
    for text in words.values():
        assert [int(n) for n in re.findall(r"\d+", text)] == [
            own_mg, done["points_expired"], done["fund_fen"], 1, 5, 7
        ]  # fmt: skip
    assert done["fund_fen"] > 0
    assert rows(stage, "select leaves from erasure") == leaves
    pending = rows(stage, "select convert_from(entry, 'UTF8')::json from log_pending where kind = 'erasure'")
    assert pending[0][0]["leaves"] == leaves[0][0]


def test_nobody_else_notices(stage: Stage, provider: str, bikes: Client, wallet: Client, operator: Client) -> None:
    at = recent(8, days_ago=POOLED)
    for n, who in enumerate(("lin", "wang", "zhao")):
        for hour in range(3):
            bikes.verdicts(bikes.event(f"{who}-{hour}", who, at + timedelta(hours=hour), distance_m=3000 + 500 * n))
    wallet.verdicts(wallet.event("copy", "wang", at, evidence="device"))
    batch_id = closed(operator, at)
    sold(stage, operator, batch_id, 50)
    bikes.verdicts(*(bikes.event(f"{who}-late", who, at + timedelta(hours=9)) for who in ("lin", "wang")))
    sequence_log.sequence_log(stage.platform, now())
    theirs = [bikes.people["wang"], bikes.people["zhao"]]

    def shown() -> list[Any]:
        [(deed,)] = rows(stage, "select max(deed_id) from batch_member where person_id = %s", theirs[0])
        paths = ["/v1/me", "/v1/me/points", "/v1/me/deeds", "/v1/me/statement", f"/v1/me/deeds/{deed}/receipt"]
        found = [ok(call(stage, "GET", path, p), 200) for p in theirs[:1] for path in paths]
        tables = ("event", "deed", "transfer", "consent", "link", "batch_member")
        found += [sorted(rows(stage, f"select t::text from {t} t where person_id = any(%s)", theirs)) for t in tables]
        with stage.platform.db.transaction() as conn:
            return [*found, log.member_hashes(conn, batch_id), bikes.get("/v1/events/wang-1").json]

    before = shown()
    erased(stage, bikes.people["lin"])
    assert shown() == before
    books_balance(operator)
    [batch] = ok(stage.http.get("/v1/conservation"), 200)["batches"]
    assert sum(batch[f"{place}_g"] for place in ledger.PLACES) == batch["issued_g"]
    assert sequence_log.sequence_log(stage.platform, now()) == 1  # the word of the erasure
    assert shown()[:-2] == [*before[:4], shown()[4], *before[5:-2]]  # the proofs in receipts are of a newer head


def test_an_erased_event_that_is_sent_again_is_of_nobody_and_never_credited(
    stage: Stage, bikes: Client, operator: Client
) -> None:
    ride = bikes.event("r1", "lin", recent(), act_ref="valleybike:1")
    bikes.verdicts(ride, bikes.event("r2", "lin", recent(12), distance_m=None))
    erased(stage, bikes.people["lin"])
    for again in (ride, bikes.event("r1", "lin", recent(9)), bikes.event("r2", "lin", recent(12), distance_m=None),
                  bikes.event("r3", "lin", recent(15))):  # fmt: skip
        [verdict] = bikes.verdicts(again)
        assert (verdict["verdict"], verdict["code"], verdict["field"]) == ("refused", "subject_unknown", "subject")
        assert (verdict["deed"], verdict["reduction_mg"], verdict["points"]) == (None, 0, 0)
    assert {ref for (ref,) in rows(stage, "select event_ref from event")} == {"r3"}  # which had not been known
    [other] = bikes.verdicts(bikes.event("r1", "wang", recent()))
    assert (other["verdict"], other["code"]) == ("refused", "id_reused")
    refused(bikes.get("/v1/events/r1"), 404, "not_found")
    refused(bikes.post("/v1/events/r1/appeals", {"words": "why"}), 404, "not_found")
    for kind in ({"kind": "withdraw"}, {"kind": "replace", "data": ride["data"]}):
        assert correct(bikes, "r1", **kind)["code"] == "event_unknown"
    assert operator.get("/v1/operator/cases").json["items"] == []
    books_balance(operator)


def test_what_is_erased_between_two_looks_is_met_by_neither(
    stage: Stage, bikes: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_claims = events.find_claims

    def slowly(*args: Any) -> Any:
        found = find_claims(*args)
        monkeypatch.undo()
        erased(stage, bikes.people[who])
        return found

    for ref, who in (("r1", "lin"), ("r2", "zhao")):
        bikes.verdicts(bikes.event(ref, who, recent()))
    who = "lin"
    monkeypatch.setattr(events, "find_claims", slowly)
    assert bikes.verdicts(bikes.event("r1", "wang", recent()))[0]["code"] == "id_reused"
    who = "zhao"
    monkeypatch.setattr(events, "find_claims", slowly)
    assert correct(bikes, "r2", kind="withdraw")["code"] == "event_unknown"


def test_the_number_of_an_erased_deed_is_credited_to_nobody_else(
    stage: Stage, bikes: Client, wallet: Client, operator: Client
) -> None:
    bikes.verdicts(
        bikes.event("r1", "lin", recent(), act_ref="valleybike:1"),
        bikes.event("r2", "lin", recent(10), act_ref="valleybike:2"),
        bikes.event("r3", "lin", recent(12), 5, distance_m=9000, act_ref="valleybike:3"),
    )
    wallet.verdicts(wallet.event("w4", "lin", recent(14), act_ref="valleybike:4", evidence="device"))
    correct(bikes, "r2", kind="withdraw")
    erased(stage, bikes.people["lin"])
    codes = {}
    for n in (1, 2, 3, 4):
        [verdict] = bikes.verdicts(bikes.event(f"again{n}", "wang", recent(6 + 2 * n), act_ref=f"valleybike:{n}"))
        codes[n] = (verdict["verdict"], verdict["code"])
    held_back, free = ("in_review", "act_ref_conflict"), ("credited", "ok")
    assert codes == {1: held_back, 2: free, 3: free, 4: held_back}  # what counted no longer is free for others
    cases = operator.get("/v1/operator/cases").json["items"]
    assert [c["event"] for c in cases] == ["again1", "again4"]
    path = f"/v1/operator/cases/{cases[0]['case']}/decision"
    refused(operator.post(path, {"decision": "release", "note": "looked"}), 409, "conflict")  # not even by a person
    assert ok(operator.post(path, {"decision": "refuse", "note": "looked"}), 200)["verdict"] == "refused"
    books_balance(operator)


def test_every_token_of_an_erased_person_is_refused_on_every_route(stage: Stage, provider: str) -> None:
    lin = log_in(stage.http, provider, "union-lin")
    person_id = int(lin.session["person"]["id"])
    erased(stage, person_id)
    mine = [(m, path) for m, path, roles in routes(stage.http.application) if auth.CITIZEN in roles]
    assert len(mine) > 7
    for method, path in mine:
        for body in (None, {"confirm": "erase"}, {"amount_fen": 1}):
            answer = call(stage, method, path, person_id, body)
            problem = refused(answer, 401, "token_invalid")
            assert answer.content_type == PROBLEM_TYPE
            assert "erased" in problem["detail"]
    token = {"refresh_token": lin.session["refresh_token"]}
    refused(stage.http.post("/v1/sessions/refresh", json=token), 401, "token_invalid")


def test_nobody_is_erased_by_accident(stage: Stage, bikes: Client) -> None:
    person_id = bikes.people["lin"]
    for body in (None, {}, {"confirm": "yes"}, {"confirm": True}, [], {"confirm": "erase", "more": 1}):
        refused(call(stage, "DELETE", "/v1/me", person_id, body), 422, "request_invalid")
    refused(call(stage, "DELETE", "/v1/me", person_id, {"confirm": "erase"}, key=""), 400, "key_missing")
    assert ok(call(stage, "GET", "/v1/me", person_id), 200)["id"] == str(person_id)
    assert stage.count("erasure") == 0


def test_who_is_erased_twice_at_once_is_erased_once(stage: Stage, bikes: Client, operator: Client) -> None:
    bikes.verdicts(bikes.event("r1", "lin", recent()))
    person_id = bikes.people["lin"]
    me = f"person:{person_id}"

    def leave(key: str) -> Any:
        return erase_person.erase_person(stage.platform, keyed(me, "DELETE /v1/me", key), person_id, now())

    done = at_once(*(lambda key=key: leave(key) for key in ("a", "a", "b", "c")))  # type: ignore[misc]
    assert sorted(d.code if isinstance(d, Problem) else "done" for d in done) == ["done", *["token_invalid"] * 3]
    assert stage.count("erasure") == 1
    assert rows(stage, "select count(*) from idempotency where client_id = %s", me) == [(0,)]
    books_balance(operator)


def test_the_same_login_opens_an_account_that_knows_nothing_and_takes_no_deed_from_before(
    stage: Stage, provider: str, bikes: Client, operator: Client
) -> None:
    old = log_in(stage.http, provider, "union-lin").session["person"]["id"]
    bikes.verdicts(bikes.event("r1", "lin", recent()))
    erased(stage, int(old))
    lin = log_in(stage.http, provider, "union-lin")
    me = lin.ok("/v1/me")
    assert me["id"] not in (old, None)
    assert (me["partners"], me["totals"]) == ([], {"reduction_mg": 0, "points": 0})
    assert not any(c["given"] for c in me["consents"])
    stage.link(bikes, ["lin"], shared=True)  # the old file once more: known again, but what it agreed to was erased
    assert bikes.people["lin"] == int(me["id"])
    assert not any(c["given"] for c in lin.ok("/v1/me")["consents"])
    with stage.platform.db.transaction() as conn:  # as if all that had been a day ago
        conn.execute("update reopened set opened_at = opened_at - interval '1 day'")
    stage.link(bikes, ["lin"], shared=True, consented_at=now() - timedelta(hours=20))
    with stage.platform.db.transaction() as conn:  # the person says so; then the opening is what counts
        conn.execute("update consent set source = 'person', given_at = '2020-01-01' where person_id = %s", (me["id"],))
    told = bikes.verdicts(
        bikes.event("r1", "lin", recent()), bikes.event("r2", "lin", recent()),
        bikes.event("r3", "lin", now() - timedelta(hours=25)), bikes.event("r4", "lin", now() - timedelta(hours=2)),
    )  # fmt: skip
    assert [v["code"] for v in told] == ["id_reused", "no_consent", "no_consent", "ok"]
    earlier = bikes.event("r4", "lin", now() - timedelta(hours=26))["data"]
    assert correct(bikes, "r4", kind="replace", data=earlier)["code"] == "no_consent"
    zhao = bikes.people["zhao"]  # whoever the account turns out to be
    merge_persons.merge_persons(stage.platform, zhao, int(me["id"]), operator.id, "one phone", now())
    assert bikes.verdicts(bikes.event("r5", "lin", recent(9)))[0]["code"] == "no_consent"
    books_balance(operator)


def test_a_partner_s_own_name_for_a_person_opens_no_way_back_either(stage: Stage, provider: str) -> None:
    partner = stage.partner("orchard", ["u1", "u2"])
    old = dict(partner.subjects)
    erased(stage, partner.people["u1"])
    stage.link(partner, ["u1", "u2"])
    assert (partner.subjects["u1"] == old["u1"], partner.subjects["u2"] == old["u2"]) == (False, True)
    told = partner.verdicts(partner.event("a", "u1", recent()), partner.event("b", "u2", recent()))
    assert [v["code"] for v in told] == ["no_consent", "ok"]


GUARDED = {
    "delete from {}": ("event", "deed", "reverdict", "correction", "claim", "act_claim", "claim_conflict", "transfer",
                       "batch_member", "message", "recall", "log_leaf"),
    "update {} set person_id = 1": ("event", "deed", "reverdict", "transfer", "batch_member", "claim_conflict"),
    "update {} set started_at = now()": ("batch_member", "claim", "act_claim", "event"),
    "update {} set reduction_mg = 0": ("batch_member", "deed", "event"),
    "truncate {} cascade": ("event", "deed", "claim", "act_claim", "reverdict", "correction", "batch_member"),
}  # fmt: skip
ALLOWED = {
    ("delete from {}", t) for t in ("event", "deed", "reverdict", "correction", "claim", "act_claim", "claim_conflict")
} | {("update {} set started_at = now()", t) for t in ("batch_member", "act_claim")}  # fmt: skip


def test_only_an_erasure_removes_rows_and_only_those(stage: Stage, lin: Citizen) -> None:
    tried = {(sql, table) for sql, tables in GUARDED.items() for table in tables}
    assert [one for one in tried if done(stage, *one, "off")] == []
    assert {one for one in tried if done(stage, *one, "on")} == ALLOWED


def done(stage: Stage, sql: str, table: str, setting: str) -> bool:
    """Whether the database lets that be done; it is taken back."""
    try:
        with stage.platform.db.transaction() as conn:
            conn.execute("select set_config('tanpuhui.erasing', %s, true)", (setting,))
            conn.execute(sql.format(table))  # type: ignore[call-overload]
            raise psycopg.Rollback
    except psycopg.errors.RaiseException:
        return False
    return True


def test_an_erasure_and_what_is_sent_at_that_moment_come_one_after_the_other(
    stage: Stage, bikes: Client, wallet: Client, operator: Client
) -> None:
    for n in range(6):
        who = f"p{n}"
        for partner in (bikes, wallet):
            stage.link(partner, [who], shared=True)
        ride = bikes.event(f"{who}-0", who, recent(7), act_ref=f"valleybike:{n}")
        bikes.verdicts(ride)

        def send(partner: Client, who: str = who, n: int = n) -> list[str]:
            events = [partner.event(f"{who}-{i}", who, recent(8 + i), act_ref=f"valleybike:{n}{i}") for i in range(5)]
            http = stage.http.application.test_client()
            return [v["code"] for v in Client(**(vars(partner) | {"http": http})).verdicts(*events)]

        def mend(ride: dict[str, Any] = ride, who: str = who) -> str:
            http = stage.http.application.test_client()
            mine = Client(**(vars(bikes) | {"http": http}))
            return str(correct(mine, f"{who}-0", kind="replace", data=data_of(ride, distance_m=999))["code"])

        def leave(who: str = who) -> Any:
            me = bikes.people[who]
            return erase_person.erase_person(stage.platform, keyed(f"person:{me}"), me, now())

        bikes.token, wallet.token  # noqa: B018  (fetched before the race)
        *codes, mended, done = at_once(lambda: send(bikes), lambda: send(wallet), mend, leave)
        assert "deeds_removed" in done, done
        assert mended in ("ok", "event_unknown", "no_consent")
        for told in codes:
            assert set(told) <= {"ok", "same_act", "id_reused", "same_record"} or set(told) == {"subject_unknown"}
        left = [f"{t} where person_id = {bikes.people[who]}" for t in ("event", "deed", "link", "person", "reverdict")]
        assert [rows(stage, f"select count(*) from {one}") for one in left] == [[(0,)]] * 5
    books_balance(operator)


def test_of_a_login_and_an_erasure_at_one_moment_either_comes_first(stage: Stage, provider: str, bikes: Client) -> None:
    for _ in range(5):
        lin = log_in(stage.http, provider, "union-lin")
        me, codes = int(lin.session["person"]["id"]), [phones.login_code(provider, "union-lin") for _ in range(2)]

        def enter(code: str) -> int:
            http = stage.http.application.test_client()
            return int(http.post("/v1/sessions", json={"provider": "wechat", "code": code}).status_code)

        def refresh(token: str = lin.session["refresh_token"]) -> int:
            http = stage.http.application.test_client()
            return int(http.post("/v1/sessions/refresh", json={"refresh_token": token}).status_code)

        def leave(me: int = me) -> Any:
            return erase_person.erase_person(stage.platform, keyed(f"person:{me}"), me, now())

        *entered, refreshed, done = at_once(*(lambda c=c: enter(c) for c in codes), refresh, leave)  # type: ignore[misc]
        assert "statement" in done, done
        assert entered == [200, 200]
        assert refreshed in (200, 401)
        assert rows(stage, "select count(*) from refresh_token where person_id = %s", me) == [(0,)]
