"""The auditor's day: all is recomputed from the tables, and whatever was changed behind the platform's back is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from backend import auth
from backend.errors import Problem
from backend.store import audit, facts
from backend.usecases import (
    audit_log,
    ingest_events,
    merge_persons,
    pay_order,
    pay_out,
    refund_order,
    sequence_log,
    settle_sales,
    show_log,
)
from backend.usecases.collect_findings import Check
from rewards import leaves, merkle, notes
from rewards.offline import PlatformKey, read_keys
from tests import cast
from tests.backend.test_correct_events import correct, data_of
from tests.backend.test_erase_person import erased
from tests.cast import Client, Stage, recent
from tests.market import ATTESTED, RECEIVED, RETIREMENT, keyed, ok

Connection = psycopg.Connection[Any]

PEOPLE = [f"p{n}" for n in range(24)]
POOLED = 41  # days ago: on every day of the year in a month whose pool can be closed
[WITNESS] = auth.signing_keys(json.dumps([auth.new_key()[0]]))
[STRANGER] = auth.signing_keys(json.dumps([auth.new_key()[0]]))


def now() -> datetime:
    return datetime.now(UTC)


def witness_key() -> notes.NoteKey:
    return notes.NoteKey("witness.example", notes.COSIGNATURE, auth.raw_public(WITNESS))


class Scene:
    """A platform on which everything has happened that makes a leaf of the log; its heads, oldest first."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.platform, self.url = stage, stage.platform, stage.platform.settings.database_url
        self.operator, self.verifier = stage.client("operator", "平台运营"), stage.client("verifier", "华测认证")
        self.company, self.other = stage.client("company", "深圳绿源"), stage.client("company", "另一家")
        self.bikes = stage.partner("valleybike", PEOPLE, of="city")
        self.wallet = stage.partner("wallet", PEOPLE, of="city")
        self.heads: list[str] = []
        for act in (self.ride, self.sell, self.regret, self.leave):
            act()
            self.sequence()

    def sequence(self) -> None:
        sequence_log.sequence_log(self.platform, now())
        self.heads.append(show_log.show_checkpoint(self.platform))
        told, at_s = notes.read_checkpoint(self.heads[-1]), int(now().timestamp())
        signature = auth.raw_signature(WITNESS, notes.cosigned_message(told.text, at_s))
        line = notes.signature_line(witness_key(), at_s.to_bytes(8, "big") + signature)
        show_log.take_cosignatures(self.platform, f"{told.text}\n{line}", now())

    def ride(self) -> None:
        """Plain rides, one that goes on, duplicates that are better, corrections, a case, a merge."""
        at, bikes, wallet = recent(8, days_ago=POOLED), self.bikes, self.wallet
        self.rides = {who: bikes.event(f"{who}-1", who, at, distance_m=3000 + 100 * n) for n, who in enumerate(PEOPLE)}
        bikes.verdicts(*self.rides.values())
        for n in (0, 1):
            bikes.verdicts(bikes.event(f"on-{n}", "p1", at + timedelta(hours=2, minutes=21 * n), asset_ref="b7"))
        noon = at + timedelta(hours=4)
        wallet.verdicts(*(wallet.event(f"w-{who}", who, noon, evidence="device") for who in PEOPLE[:6]))
        earlier = noon - timedelta(seconds=30)  # which goes before
        bikes.verdicts(*(bikes.event(f"better-{who}", who, earlier, distance_m=2500) for who in PEOPLE[:3]))
        bikes.verdicts(bikes.event("fast", "p2", at + timedelta(hours=6), 5, distance_m=9000))
        ok(bikes.post("/v1/events/fast/appeals", {"words": "downhill"}), 201)
        [case] = ok(self.operator.get("/v1/operator/cases"), 200)["items"]
        decision = {"decision": "count", "note": "looked"}
        ok(self.operator.post(f"/v1/operator/cases/{case['case']}/decision", decision), 200)
        correct(bikes, "p3-1", kind="replace", data=data_of(self.rides["p3"], distance_m=4000))
        correct(bikes, "p4-1", kind="withdraw")
        correct(bikes, "better-p1", kind="withdraw")  # which lets its duplicate count after all
        self.stage.link(bikes, ["twin"], shared=True)
        bikes.verdicts(bikes.event("twin-1", "twin", at), bikes.event("twin-2", "twin", at + timedelta(hours=8)))
        one, twin = bikes.people["p5"], bikes.people["twin"]
        merge_persons.merge_persons(self.platform, one, twin, self.operator.id, "one phone", now())
        days = [(who, n) for who in PEOPLE for n in range(8)]  # more than a tile of the log
        bikes.verdicts(*(bikes.event(f"{who}-day-{n}", who, recent(8, days_ago=5 + n)) for who, n in days))

    def close(self) -> None:
        day = recent(8, days_ago=POOLED)
        batch = ok(self.operator.post(f"/v1/pools/310000.cycling.1.0.0.{day:%Y%m}/close"), 201)["id"]
        for decision in ("rejected", "attested"):
            statement = ATTESTED | {"decision": decision}
            ok(self.verifier.post(f"/v1/batches/{batch}/attestation", statement), 201)
        ok(self.operator.post(f"/v1/batches/{batch}/issue", {"price_fen_per_tonne": 90_000_000}), 201)

    def order(self, grams: int, company: Client | None = None) -> dict[str, Any]:
        company = company or self.company
        quote = ok(company.post("/v1/quotes", {"quantity_g": grams}), 201)
        return dict(ok(company.post("/v1/orders", {"quote_id": quote["id"]}), 201))

    def paid(self, grams: int, company: Client | None = None) -> dict[str, Any]:
        order = self.order(grams, company)
        told = RECEIVED | {"amount_fen": order["amount_fen"]}
        return dict(ok(self.operator.post(f"/v1/operator/orders/{order['id']}/payment", told), 200))

    def sell(self) -> None:
        """Three batches, one of them not issued; orders of all states; grams given away and used up; money shared."""
        company, at = self.company, recent(13, days_ago=POOLED)
        self.close()
        self.bikes.verdicts(*(self.bikes.event(f"{who}-2", who, at, distance_m=4000) for who in PEOPLE))
        self.close()
        away = {"region": "440300", "evidence": "device"}
        evening = at + timedelta(hours=4)
        self.wallet.verdicts(*(self.wallet.event(f"away-{who}", who, evening, **away) for who in PEOPLE[9:20]))
        ok(self.operator.post(f"/v1/pools/440300.cycling.1.0.0.{at:%Y%m}/close"), 201)
        self.paid(500)
        self.paid(70, self.other)
        self.end_orders()
        self.order(20)
        ok(company.post("/v1/transfers", {"quantity_g": 60, "to": self.other.id}), 201)
        ok(company.post("/v1/transfers", {"quantity_g": 15, "registry": "elsewhere"}), 201)
        ok(company.post("/v1/retirements", RETIREMENT | {"quantity_g": 200}), 201)
        ok(self.other.post("/v1/retirements", RETIREMENT | {"quantity_g": 10}), 201)
        settle_sales.settle_sales(self.platform, now(), at_once=True)  # grams of these orders were used
        self.pay_out()

    def end_orders(self) -> None:
        """Cancelled, expired and paid all the same, refunded."""
        company = self.company
        ok(company.call("DELETE", f"/v1/orders/{self.order(30)['id']}"), 200)
        late = self.order(30)
        with self.platform.db.transaction() as conn:
            conn.execute("update purchase_order set expires_at = now() where order_id = %s", (late["id"],))
        ok(company.post("/v1/quotes", {"quantity_g": 1}), 201)
        pay_order.receive_payment(self.platform, late["id"], late["amount_fen"], "stray-1", now())
        back = self.paid(40)
        ok(company.post(f"/v1/orders/{back['id']}/refund", {"reason": "too many"}), 200)
        for refund in ok(self.operator.get("/v1/operator/refunds"), 200)["items"]:
            if refund["order"] == back["id"]:
                refund_order.confirm_refund(self.platform, keyed(self.operator.id), refund["id"], "icbc", now())

    def pay_out(self) -> None:
        people, operator = list(self.bikes.people.values()), self.operator
        terms = {"citizens_ppm": 800_000, "partners_ppm": 100_000, "platform_ppm": 50_000, "fund_ppm": 50_000}
        told = terms | {"from_on": f"{now() + timedelta(days=40):%Y-%m-%d}", "note": {"zh": "新", "en": "new"}}
        ok(operator.post("/v1/operator/terms", told), 201)
        for person, state in zip(people, ("requested", "done", "failed"), strict=False):
            asked = pay_out.withdraw_money(self.platform, keyed(f"person:{person}"), person, {"amount_fen": 5}, now())
            if state != "requested":
                told = {"state": state, "external_ref": "bank"}
                pay_out.confirm_payout(self.platform, keyed(operator.id), asked["id"], told, now())
        ok(operator.post("/v1/operator/payouts", {"account": "fund", "amount_fen": 3, "bank_ref": "x"}), 201)

    def regret(self) -> None:
        """Recalls, and a batch that is sold out."""
        correct(self.bikes, "p6-1", kind="replace", data=data_of(self.rides["p6"], distance_m=2000))
        correct(self.bikes, "p7-1", kind="withdraw")
        left = sum(o["available_g"] for o in ok(self.company.get("/v1/offers"), 200)["items"])
        self.paid(left)
        ok(self.company.post("/v1/retirements", RETIREMENT | {"quantity_g": left}), 201)
        settle_sales.settle_sales(self.platform, now(), at_once=True)

    def leave(self) -> None:
        """Somebody with deeds in batches, one of them recalled, and deeds in none."""
        erased(self.stage, self.bikes.people["p7"])


@contextmanager
def played(database_url: str, redis_url: str) -> Iterator[Scene]:
    with cast.stage(database_url, redis_url, TANPUHUI_LOG_WITNESSES=str(witness_key())) as stage:
        yield Scene(stage)


@pytest.fixture(scope="module")
def scene(module_database_url: str, valkey_url: str) -> Iterator[Scene]:
    with played(module_database_url, valkey_url) as made:
        yield made


@pytest.fixture
def conn(scene: Scene) -> Iterator[Connection]:
    """Without triggers and foreign keys; whatever is done is undone."""
    with psycopg.connect(scene.url) as connection:
        connection.execute("set session_replication_role = replica")
        yield connection
        connection.rollback()


def audited(conn: Connection, **asked: Any) -> list[Check]:
    return list(audit_log.audit_log(conn, audit_log.Asked(**asked), lambda *_: None))


def told(checks: list[Check]) -> list[str]:
    return [f"{check.name}: {' | '.join(one.rows)}: {one.en}" for check in checks for one in check.findings]


def counts(checks: list[Check]) -> dict[str, int]:
    return {name: count for check in checks for name, count in check.counts.items()}


def head(note: str) -> notes.Checkpoint:
    return notes.read_checkpoint(note)


def first(conn: Connection, sql: str) -> Any:
    row = conn.execute(sql).fetchone()  # type: ignore[call-overload]
    return row[0] if row else None


def test_of_a_platform_that_nobody_touched_nothing_is_found(scene: Scene) -> None:
    with audit.snapshot(scene.url) as conn:
        checks = audited(conn)
    assert told(checks) == []
    looked_at = counts(checks)
    assert {kind for kind in facts.KINDS if not looked_at[kind]} == set()
    assert looked_at["entries"] == head(scene.heads[-1]).size > merkle.TILE_WIDTH
    assert (looked_at["checkpoints"], looked_at["cosignatures"], looked_at["nodes"]) == (4, 4, 1)
    for name in ("versions", "records", "transfers", "points charged", "payouts", "members", "moved blocks", "registry",
                 "certificates", "amendments", "leaves without rows", "recalls of erased people"):  # fmt: skip
        assert looked_at[name] > 0, name
    assert looked_at["leaves without rows"] == looked_at["leaves that erasures account for"]
    assert looked_at["not protected yet"] == 0


def test_where_nothing_has_happened_nothing_is_found(database_url: str) -> None:
    with audit.snapshot(database_url) as conn:
        assert told(audited(conn)) == []


def test_what_happened_since_the_last_head_is_not_protected_yet(stage: Stage) -> None:
    bikes = stage.partner("valleybike", ["lin"])
    bikes.verdicts(bikes.event("r1", "lin", recent()))
    sequence_log.sequence_log(stage.platform, now())
    bikes.verdicts(bikes.event("r2", "lin", recent(10)))
    with audit.snapshot(stage.platform.settings.database_url) as conn:
        checks = audited(conn)
        assert told(checks) == []
        assert counts(checks)["not protected yet"] == 1


def test_a_range_of_the_log_is_between_two_heads(scene: Scene, conn: Connection) -> None:
    sizes = [head(note).size for note in scene.heads]
    checks = audited(conn, first=sizes[1], until=sizes[2])
    looked_at = counts(checks)
    assert told(checks) == []
    assert (looked_at["entries"], looked_at["checkpoints"]) == (sizes[2], 3)
    assert sum(looked_at.get(kind, 0) for kind in (*facts.KINDS, "versions")) == sizes[2] - sizes[1]
    assert looked_at["not protected yet"] == sizes[3] - sizes[2]
    conn.execute("update sale_terms set note = '{}'")
    [finding] = told(audited(conn, until=sizes[2]))
    assert "sale_terms 1" in finding
    assert told(audited(conn, first=sizes[1], until=sizes[2])) == []  # it is older
    for unknown in ({"first": 7}, {"until": sizes[0] + 1}):
        with pytest.raises(Problem, match="no checkpoint has the size"):
            audited(conn, **unknown)


# --- a history that is written anew ----------------------------------------------------------------------------------


def forge_sale(conn: Connection) -> int:
    """Change a sale and its entry, so that they fit again; the leaf's place."""
    conn.execute("update purchase_order set quantity_g = quantity_g + 1 where order_id = 2")
    conn.execute("update order_line set quantity_g = quantity_g + 1 where order_id = 2")
    [fact] = facts.facts(conn, "sale", [2])
    salt = leaves.leaf_salt(fact["salt"], "sale", 2, 0)
    entry = leaves.entry("sale", fact["public"], leaves.row_commitment(salt, fact["row"]))
    conn.execute("update log_leaf set entry = %s where kind = 'sale' and ref_id = 2", (entry,))
    return int(first(conn, "select leaf_index from log_leaf where kind = 'sale' and ref_id = 2"))


def rewrite(conn: Connection, keys: list[auth.SigningKey]) -> None:
    """Make tree and heads of the log anew out of what its leaves are now, signed by these keys."""
    origin = first(conn, "select origin from log_checkpoint limit 1")
    named = [notes.NoteKey(origin, notes.ED25519, auth.raw_public(key)) for key in keys]
    entries = [entry for (entry,) in conn.execute("select entry from log_leaf order by leaf_index").fetchall()]
    edge: list[list[bytes]] = [[] for _ in range(8)]
    done = 0
    conn.execute("delete from log_node")
    for (size,) in conn.execute("select size from log_checkpoint order by size").fetchall():
        hashes = [merkle.leaf_hash(entry) for entry in entries[done:size]]
        for node in merkle.grow(edge, done, hashes):
            conn.execute("insert into log_node values (%s, %s, %s)", node)
        done, root = size, merkle.edge_root(edge)
        text = notes.head_text(origin, size, root)
        signed = [
            notes.signature_line(n, auth.raw_signature(k, text.encode())) for n, k in zip(named, keys, strict=True)
        ]
        note = f"{text}\n{''.join(signed)}"
        conn.execute("update log_checkpoint set root = %s, note = %s where size = %s", (root, note, size))
    conn.execute("delete from log_cosignature")


def test_a_leaf_that_is_written_anew_with_its_row_makes_another_root(scene: Scene, conn: Connection) -> None:
    index = forge_sale(conn)
    found = told(audited(conn))
    sizes = [head(note).size for note in scene.heads]
    assert sizes[0] <= index < sizes[1]
    assert (
        f"log: log_leaf {sizes[0]}..{sizes[1] - 1} | log_checkpoint {sizes[1]}: the leaves do not make the root"
        in "\n".join(found)
    )
    assert not any(line.startswith("facts") for line in found)


def test_a_tree_and_heads_that_are_written_anew_lack_the_signature(scene: Scene, conn: Connection) -> None:
    forge_sale(conn)
    rewrite(conn, [STRANGER])
    found = told(audited(conn))
    for note in scene.heads:
        assert f"log: log_checkpoint {head(note).size}: no key that is trusted signed it" in found


def test_who_has_the_keys_rewrites_history_unseen_but_for_the_head_that_the_auditor_kept(
    scene: Scene, conn: Connection
) -> None:
    forge_sale(conn)
    rewrite(conn, list(scene.platform.proof_keys))
    found = told(audited(conn))
    assert not any(line.startswith(("log", "facts", "deeds")) for line in found), found
    for kept in scene.heads[1:]:
        [line, *_] = told(audited(conn, kept={"my.note": head(kept)}))
        size = head(kept).size
        assert line.startswith(
            f"log: log_leaf 0..{size - 1} | log_checkpoint {size}: the leaves do not make the root of"
        )
    assert told(audited(conn, kept={"my.note": head(scene.heads[0])})) == found  # from before that sale


def test_keys_that_the_log_names_itself_are_trusted_only_where_the_auditor_has_none(
    scene: Scene, conn: Connection
) -> None:
    origin = head(scene.heads[0]).origin
    named = notes.NoteKey(origin, notes.ED25519, auth.raw_public(STRANGER))
    entry = leaves.entry("keys", {"keys": [str(named)]})
    conn.execute("update log_leaf set entry = %s where kind = 'keys'", (entry,))
    rewrite(conn, [STRANGER])
    own = read_keys("\n".join(str(key) for key, _ in sequence_log.note_keys(scene.platform, origin)).encode())
    assert not any(line.startswith("log") for line in told(audited(conn)))
    assert any("no key that is trusted signed it" in line for line in told(audited(conn, keys=own)))
    [line] = [line for line in told(audited(conn, kept={"my.note": head(scene.heads[0])})) if "of my.note" not in line
              and line.startswith("log")]  # fmt: skip
    assert "no key that is trusted signed my.note" in line


def test_the_keys_of_the_auditor_are_those_of_the_platform_or_of_another(scene: Scene, conn: Connection) -> None:
    origin = head(scene.heads[0]).origin
    own = read_keys("\n".join(str(key) for key, _ in sequence_log.note_keys(scene.platform, origin)).encode())
    checks = audited(conn, keys=own, kept={note: head(note) for note in scene.heads})
    assert told(checks) == []
    assert not any(check.remarks for check in checks)
    elsewhere = [PlatformKey(own[0].public, own[0].kid, "another.example/v1/log")]
    assert any("no key that is trusted" in line for line in told(audited(conn, keys=elsewhere)))


def test_a_log_that_is_cut_off_is_shorter_than_the_head_that_the_auditor_kept(scene: Scene, conn: Connection) -> None:
    size = head(scene.heads[-2]).size
    for table, column in (("log_leaf", "leaf_index"), ("log_checkpoint", "size - 1"), ("log_cosignature", "size - 1")):
        conn.execute(f"delete from {table} where {column} >= {size}")  # type: ignore[call-overload]
    found = told(audited(conn, kept={"my.note": head(scene.heads[-1])}))
    assert any(f"the log has {size} leaves, fewer than my.note says" in line for line in found)
    assert "leaves: erasure 1: the log does not know this erasure" in found


def test_a_head_that_was_never_the_logs_is_told(scene: Scene, conn: Connection) -> None:
    other = replace(head(scene.heads[1]), size=head(scene.heads[1]).size + 1)
    found = told(audited(conn, kept={"my.note": other}))
    assert any("the checkpoint my.note is not among the log's own" in line for line in found)


@pytest.mark.parametrize(
    "damage",
    [
        "insert into pack_version select encode(sha256('x'), 'hex'), 'a', 'b', 'x'",
        "insert into pack_version select encode(sha256('[]'), 'hex'), 'a', 'b', '[]'",
        "update purchase_order set shares_ppm = '{null,1}' where state = 'paid'",
        "update certificate set canonical = 'x'",
        "update certificate set canonical = '[]', kid = '', signature = 'x'",
        "update amendment set canonical = '{'",
        'update retirement set request = \'{"beneficiaries": 7, "period_from": "x"}\'',
        "update log_leaf set entry = '\\xff00' where leaf_index = 9",
        "update log_leaf set entry = '[]', kind = 'erasure' where leaf_index = 9",
        "update log_leaf set kind = 'keys' where leaf_index = 9",
        "update log_checkpoint set note = '', origin = '', root = ''",
        "update log_cosignature set key = 'x', line = 'y'",
        "update event set facts = '[7]'",
        "update event set facts = null, day = null, region = null",
        "update event set pack_sha256 = ''",
        "update batch_tile set hashes = '\\x00', first_hash = ''",
        "update transfer set ref_id = null, person_id = null",
        "update settlement set income_fen = 0, citizens_fen = -5",
        "delete from batch_member",
        "delete from client",
        "delete from log_leaf",
        "delete from log_checkpoint",
    ],
)
def test_whatever_stands_in_the_tables_is_told_and_stops_nothing(conn: Connection, damage: str) -> None:
    conn.execute(damage)  # type: ignore[call-overload]
    checks = audited(conn)
    assert told(checks)
    assert checks[-1].counts["identities"] > 0


def test_behind_a_missing_leaf_nothing_can_be_computed_and_that_is_all_that_is_told(conn: Connection) -> None:
    conn.execute("delete from log_leaf where leaf_index = 9")
    found = [line for line in told(audited(conn)) if line.startswith("log:")]
    assert found == ["log: log_leaf 9: the leaf is missing"]


# --- deeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("update deed set region = '440300' where deed_id = 9", "deed 9/1 region is 440300, should be 310000"),
        ("update deed set class = 'waste' where deed_id = 9", "deed 9/1 class is waste, should be mobility"),
        ("update deed set reduction_mg = 1 where deed_id = 9", "deed 9/1 reduction_mg is 1, should be {mg}"),
        ("update event set measured_mg = 1 where event_id = 9", "event 9 measured_mg is 1, should be {mg}"),
        ("update event set points = 1 where event_id = 9", "event 9 points is 1, should be {points}"),
        ("update event set code = 'capped' where event_id = 9", "event 9 code is capped, should be ok"),
        ("update event set cap_mg = 7 where event_id = 9", "deed 9/1 | event 9 | person 9 | log_leaf "),
        ("update event set pack_sha256 = '\\x00' where event_id = 9", "event 9 pack is 00, should be {pack}"),
        ("update event set day = day + 1 where event_id = 9", "event 9 day is "),
        ("update event set facts = '{{\"distance_m\": 9}}' where event_id = 9",
         "receipts: event 9 | deed 9/1: measured_mg of event 9 is {mg}, should be 429"),
    ],
)  # fmt: skip
def test_which_row_of_a_deed_was_changed_is_told_for_certain(conn: Connection, change: str, says: str) -> None:
    row = conn.execute(
        "select reduction_mg, points, encode(pack_sha256, 'hex') from event where event_id = 9 and deed_id = 9"
    ).fetchone()
    assert row
    values = dict(zip(("mg", "points", "pack"), row, strict=True))
    conn.execute(change.format(**values))  # type: ignore[call-overload]
    assert any(says.format(**values) in line for line in told(audited(conn)))


def test_who_had_to_wait_for_another_is_no_finding_and_moments_that_were_changed_are_one(stage: Stage) -> None:
    bikes = stage.partner("valleybike", ["lin"])
    for n in range(3):
        ride = bikes.event(f"r{n}", "lin", recent(8, 21 * n), asset_ref="b7")
        asked_at = now() - timedelta(milliseconds=200 * n)
        ingest_events.ingest_events(stage.platform, bikes.id, json.dumps([ride]).encode(), asked_at)
    sequence_log.sequence_log(stage.platform, now())
    with psycopg.connect(stage.platform.settings.database_url) as conn:
        assert told(audited(conn)) == []
        conn.execute("set session_replication_role = replica")
        conn.execute("update event set received_at = received_at + interval '1 second' where event_id = 1")
        [line, *_] = told(audited(conn))
        assert line.startswith("deeds: deed 1/1 | event 1 | log_leaf ")
        assert "the order of made_at, received_at, changed_at is another" in line
        conn.rollback()


# --- erasures --------------------------------------------------------------------------------------------------------


def test_what_was_deleted_passes_for_no_erasure(conn: Connection) -> None:
    conn.execute("delete from deed where deed_id = 9")
    conn.execute("delete from correction where old_event_id = 4")
    found = told(audited(conn))
    assert any(line.startswith("erasures: deed 9/1 | event 9 | transfer ") for line in found)
    assert any(
        line.startswith("erasures: correction 4 | event 4: it is gone, and no erasure took it") for line in found
    )


def test_who_deletes_all_traces_of_a_person_leaves_more_leaves_without_rows_than_erasures_say(
    scene: Scene, conn: Connection
) -> None:
    person = scene.bikes.people["p20"]
    conn.execute("insert into erased_person values (%s)", (person,))
    for table in ("deed", "event", "reverdict", "person"):
        conn.execute(f"delete from {table} where person_id = {person}")  # type: ignore[call-overload]
    found = told(audited(conn))
    [line] = [line for line in found if line.startswith("erasures: ")]
    assert "deed * | correction * | erasure *: leaves without rows is " in line


def test_a_recall_of_who_left_is_kept_by_the_sums(conn: Connection) -> None:
    conn.execute("update recall set recalled_mg = recalled_mg - 1 where deed_id not in (select deed_id from deed)")
    found = told(audited(conn))
    assert "batches: batch_recall 1: recalled_mg is " in "\n".join(found)
    assert any("reductions_of_deeds" in line for line in found)
