"""What a citizen and a company are handed proves itself: receipts, memberships, certificates, amendments in the log."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from backend import auth
from backend.store import log
from backend.usecases import adopt_log, log_deeds, sequence_log
from rewards import leaves, merkle, notes
from tests import cast, phones
from tests.cast import Client, Stage
from tests.market import Market, ok, refused
from tests.phones import Citizen


@pytest.fixture
def stage(database_url: str, redis_url: str, provider: str) -> Iterator[Stage]:
    with cast.stage(database_url, redis_url, **phones.identity_environment(provider)) as made:
        yield made


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("citybike", ["lin", "wang"], of="city")


def sequence(stage: Stage) -> int:
    return sequence_log.sequence_log(stage.platform, datetime.now(UTC))


def checkpoint(stage: Stage) -> notes.Checkpoint:
    return notes.read_checkpoint(stage.http.get("/v1/log/checkpoint").get_data(as_text=True))


def proven(stage: Stage, logged: dict[str, str]) -> dict[str, Any]:
    """The entry of what is logged, once its proof and the checkpoint in it hold."""
    proof = notes.read_proof(logged["proof"])
    head = notes.read_checkpoint(proof.checkpoint)
    keys = [notes.read_key(one["key"]) for one in ok(stage.http.get("/v1/log/keys"), 200)["keys"]]
    assert notes.signers(head, keys, auth.is_ed25519)
    leaf = merkle.leaf_hash(logged["entry"].encode())
    assert merkle.is_included(leaf, proof.index, head.size, proof.path, head.root)
    return dict(json.loads(logged["entry"]))


def opened(receipt: dict[str, Any]) -> bytes:
    """The opening of a receipt's commitment, made as PROOFS.md says out of what the receipt tells."""
    records = [
        {
            "pack": r["pack"]["sha256"], "region": r["region"], "day": r["day"], "evidence": r["evidence"],
            "facts": r["facts"], "measured_mg": r["calculation"]["measured_mg"],
            "started_us": micros(r["started_at"]), "ended_us": micros(r["ended_at"]), **r["credited"],
        }
        for r in receipt["records"]
    ]  # fmt: skip
    named = {name: receipt[name] for name in ("deed", "version", "reduction_mg", "points", "row")}
    return leaves.deed_opening(base64.b64decode(receipt["salt"]), named | {"records": records})


def micros(text: str) -> int:
    at = datetime.fromisoformat(text).astimezone(UTC)
    return round(at.timestamp()) * 1_000_000 + at.microsecond


def test_whoever_asks_for_a_receipt_gets_its_deed_into_the_log(stage: Stage, bikes: Client, lin: Citizen) -> None:
    bikes.verdicts(bikes.event("r1", "lin", cast.recent(8)))
    deed = lin.ok("/v1/me/deeds")["items"][0]["deed"]
    with stage.platform.db.transaction() as conn:
        assert log.try_to_sequence(conn)  # another sequencer is at it: shown as it is, nobody waits
        receipt = lin.ok(f"/v1/me/deeds/{deed}/receipt")
        assert (receipt["format"], receipt["log"], receipt["batch"]) == ("tanpuhui-receipt/2", None, None)
    receipt = lin.ok(f"/v1/me/deeds/{deed}/receipt")
    assert proven(stage, receipt["log"])["kind"] == "deed"
    assert sequence(stage) == 0


def test_a_receipt_opens_the_commitment_in_the_log(stage: Stage, bikes: Client, lin: Citizen) -> None:
    events = [bikes.event("r1", "lin", cast.recent(8), minutes=20, asset_ref="bike:7"),
              bikes.event("r2", "lin", cast.recent(8, 21), minutes=10, asset_ref="bike:7"),
              bikes.event("r3", "wang", cast.recent(9))]  # fmt: skip
    bikes.verdicts(*events)
    sequence(stage)
    [deed] = {item["deed"] for item in lin.ok("/v1/me/deeds")["items"]}
    receipt = lin.ok(f"/v1/me/deeds/{deed}/receipt")
    assert len(receipt["records"]) == 2
    entry = proven(stage, receipt["log"])
    commitment = leaves.deed_commitment(receipt["head"], opened(receipt))
    assert entry == {"kind": "deed", "commitment": base64.b64encode(commitment).decode()}
    receipt["records"][1]["facts"]["distance_m"] += 1
    assert leaves.deed_commitment(receipt["head"], opened(receipt)) != commitment


def test_the_leaf_that_is_written_with_a_deed_is_the_one_that_the_tables_give(stage: Stage, bikes: Client) -> None:
    rides = [bikes.event(f"r{n}", "lin", cast.recent(8, 21 * n), minutes=20, asset_ref="bike:7") for n in range(3)]
    bikes.verdicts(rides[0])
    bikes.verdicts(*rides[1:])
    raw = json.dumps({"kind": "withdraw", "reason": "sent by mistake"}).encode()
    headers = {"X-JWS-Signature": cast.sign(raw, bikes.key), "Authorization": f"Bearer {bikes.token}"}
    path = "/v1/events/r1/corrections"
    ok(stage.http.post(path, data=raw, content_type="application/json", headers=headers), 200)
    with stage.platform.db.transaction() as conn:
        rows = conn.execute("select ref_id, ref_no, entry from log_pending where kind = 'deed' order by pending_id")
        written = {(deed, version): bytes(entry) for deed, version, entry in rows}
        stored = {key: one.entry for key, one in log_deeds.stored(conn, list(written)).items()}
    assert len(written) >= 3
    assert written == stored


def test_a_citizen_proves_that_the_ride_is_in_the_batch_that_a_company_retired(stage: Stage, lin: Citizen) -> None:
    market = Market(stage)
    person = lin.ok("/v1/me")["id"]
    deed = market.deed(250_000, person=int(person))
    batch = market.issued(*[200_000] * 40)
    market.paid(300)
    number = market.retired(300)["certificate"]["number"]
    sequence(stage)
    signed = ok(stage.http.get(f"/v1/certificates/{number}.json"), 200)
    told = proven(stage, signed["log"])
    assert (told["certificate"], told["quantity_g"]) == (number, 300)
    shown = lin.ok(f"/v1/me/deeds/{deed}/membership", certificate=number)
    assert set(shown) == {"format", "head", "opening", "log", "batch", "certificate"}
    entry = proven(stage, shown["log"])
    commitment = leaves.deed_commitment(shown["head"], base64.b64decode(shown["opening"]))
    assert entry["commitment"] == base64.b64encode(commitment).decode()
    inside, closed = shown["batch"], proven(stage, shown["batch"]["close"])
    leaf = merkle.leaf_hash(shown["log"]["entry"].encode())
    path = [base64.b64decode(one) for one in inside["path"]]
    root = base64.b64decode(closed["members_root"])
    assert merkle.is_included(merkle.leaf_hash(leaf), inside["index"], inside["size"], path, root)
    assert (closed["batch"], closed["deeds"], inside["size"]) == (batch["id"], 41, 41)
    [line] = shown["certificate"]["certificate"]["lineage"]
    assert (line["batch"], line["members_root"], line["deeds_in_batch"]) == (batch["id"], closed["members_root"], 41)
    assert number in inside["certificates"]


def test_a_certificate_without_grams_of_the_deeds_batch_proves_nothing_of_it(stage: Stage, lin: Citizen) -> None:
    market = Market(stage)
    person = int(lin.ok("/v1/me")["id"])
    deed = market.deed(250_000, person=person, month=date(2026, 5, 1))
    market.issued(500_000)
    market.paid(300)
    number = market.retired(300)["certificate"]["number"]
    sequence(stage)
    refused(lin.get(f"/v1/me/deeds/{deed}/membership", certificate=number), 422, "request_invalid")
    refused(lin.get(f"/v1/me/deeds/{deed}/membership", certificate="TPH-C-2026-999999"), 404, "not_found")


def test_what_happens_on_the_market_stands_in_the_log_and_says_no_more_than_it_may(stage: Stage) -> None:
    market = Market(stage)
    market.issued(*[200_000] * 40)
    market.paid(300)
    market.retired(300)
    sequence(stage)
    size = checkpoint(stage).size
    told = [json.loads(ok(stage.http.get(f"/v1/log/proofs/inclusion?index={i}"), 200)["entry"]) for i in range(size)]
    kinds = [entry["kind"] for entry in told]
    assert [kind for kind in kinds if kind != "deed"] == ["keys", "close", "attestation", "issue", "sale", "retirement"]
    [sale] = [entry for entry in told if entry["kind"] == "sale"]
    assert set(sale) == {"kind", "at", "lines", "commitment"}
    assert sale["lines"] == [{"batch": 1, "quantity_g": 300}]
    assert market.company.id not in json.dumps(told)
    assert all(set(entry) == {"kind", "commitment"} for entry in told if entry["kind"] == "deed")


def test_what_was_done_before_there_was_a_log_is_adopted_once(stage: Stage) -> None:
    market = Market(stage)
    market.issued(*[200_000] * 3)
    market.paid(300)
    market.retired(300)
    with stage.platform.db.transaction() as conn:
        before = waiting(conn)
        for table in ("log_pending", "batch_tile", "batch_tree"):
            conn.execute(f"alter table {table} disable trigger user")
            conn.execute(f"delete from {table}")
            conn.execute(f"alter table {table} enable trigger user")
    refused(market.operator.post("/v1/pools/310000.cycling.1.0.0.202606/close"), 409, "conflict")
    market.deed(200_000)
    with stage.platform.db.transaction() as conn:
        conn.execute("delete from log_pending")
    refused(market.operator.post("/v1/pools/310000.cycling.1.0.0.202606/close"), 409, "conflict")
    adopted = adopt_log.adopt_log(stage.platform)
    assert adopted == {"deed": 4, "close": 1, "attestation": 1, "issue": 1, "sale": 1, "retirement": 1}
    with stage.platform.db.transaction() as conn:
        assert before < waiting(conn)
    assert adopt_log.adopt_log(stage.platform) == {}
    ok(market.operator.post("/v1/pools/310000.cycling.1.0.0.202606/close"), 201)


def waiting(conn: Any) -> set[bytes]:
    return {bytes(entry) for (entry,) in conn.execute("select entry from log_pending")}
