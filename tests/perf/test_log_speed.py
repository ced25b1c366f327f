"""What the log costs: the hot path with and without leaves, sequencing, proofs in a large log, bytes a leaf.

Ratios in the same run, to ingest without leaves, to a raw COPY, to a look-up by primary key. A million leaves; with
--long ten million, or LEAVES=10000000 ./run perf -k log.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.store import log
from backend.usecases import export_log, log_deeds, sequence_log, show_log
from rewards import merkle, notes
from tests import cast
from tests.cast import Client, Stage, recent
from tests.market import ok
from tests.perf import raw_copy

BATCHES, SIZE, PEOPLE = 20, 1000, 2000  # of ingest
WAITING = 200_000  # leaves sequenced by the sequencer itself
ASKED = 300  # proofs of each kind


def test_leaves_on_the_hot_path_are_measured_against_none(
    database_url: str, module_database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batches by turns into two databases, so that a busy machine slows both."""
    with cast.stage(database_url, redis_url) as one, cast.stage(module_database_url, redis_url) as other:
        sides: dict[str, tuple[Stage, Callable[..., None]]] = {
            "with": (one, log_deeds.log_deeds), "without": (other, lambda conn, changes: None),
        }  # fmt: skip
        sent = {name: _bodies(stage) for name, (stage, _) in sides.items()}
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(BATCHES):
            for name in sorted(sides, reverse=bool(number % 2)):
                monkeypatch.setattr(log_deeds, "log_deeds", sides[name][1])
                partner, bodies = sent[name]
                began = time.perf_counter()
                assert partner.send(bodies[number]).status_code == 200
                seconds[name].append(time.perf_counter() - began)
        deeds, leaves, none = one.count("deed"), one.count("log_pending"), other.count("log_pending")
    _tell(
        events=BATCHES * SIZE, leaves=leaves,
        events_per_second_with_leaves=round(BATCHES * SIZE / sum(seconds["with"])),
        events_per_second_without=round(BATCHES * SIZE / sum(seconds["without"])),
        time_with_to_without=round(statistics.median(seconds["with"]) / statistics.median(seconds["without"]), 3),
    )  # fmt: skip
    assert (leaves, none) == (deeds, 0)


def test_a_large_log_is_measured(database_url: str, redis_url: str, tmp_path: Path, long: bool) -> None:
    count = int(os.environ.get("LEAVES", "10000000" if long else "1000000"))
    with cast.stage(database_url, redis_url) as stage:
        took = {"fill": _timed(lambda: _fill(stage, count))}
        with stage.platform.db.transaction() as conn:
            conn.execute("set local statement_timeout = 0")
            conn.execute(_WAITING, {"first": count, "count": WAITING})
        took["sequence"] = _timed(lambda: sequence_log.sequence_log(stage.platform, datetime.now(UTC)))
        head = notes.read_checkpoint(stage.http.get("/v1/log/checkpoint").get_data(as_text=True))
        assert head.size == count + WAITING
        found = _proofs(stage, head)
        took["export"] = _timed(lambda: export_log.export_log(stage.platform, tmp_path, lambda done, total: None))
        exported = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        sizes = _bytes(stage)
    part = f"leaf_index >= {count}"
    rows, copy_seconds = raw_copy.seconds_to_copy(database_url, {"log_leaf": part})
    assert rows == WAITING
    _tell(
        leaves=head.size, seconds={name: round(s, 1) for name, s in took.items()}, **found,
        sequenced_per_second=round(WAITING / took["sequence"]),
        sequencing_to_copy=round(took["sequence"] / copy_seconds, 2),
        bytes_a_leaf={name: round(size / head.size, 1) for name, size in sizes.items()},
        exported_bytes_a_leaf=round(exported / head.size, 1),
    )  # fmt: skip


def _bodies(stage: Stage) -> tuple[Client, list[list[dict[str, Any]]]]:
    """A partner, and the same rides for each stage, each ride a deed of its own."""
    chance = random.Random(1)
    partner = stage.partner("valleybike", [f"p{n}" for n in range(PEOPLE)])
    assert partner.token

    def ride(number: int, n: int) -> dict[str, Any]:
        at = recent(6, days_ago=60 - number) + timedelta(seconds=chance.randrange(50_000))
        return partner.event(f"e{number}-{n}", f"p{chance.randrange(PEOPLE)}", at, chance.choice([5, 20, 30]))

    return partner, [[ride(number, n) for n in range(SIZE)] for number in range(BATCHES)]


def _fill(stage: Stage, count: int) -> None:
    """So many leaves as sequencing would have written them, the keys first, under a head that the next step follows."""
    sequence_log.sequence_log(stage.platform, datetime.now(UTC))
    edge: list[list[bytes]] = [[] for _ in range(8)]
    with stage.platform.db.transaction() as conn:
        conn.execute("set local statement_timeout = 0")
        conn.execute(_LEAVES, {"count": count})
        for first in range(0, count, 256 * 256):
            log.add_nodes(conn, merkle.grow(edge, first, log.tile(conn, 0, first, min(first + 256 * 256, count))))
        root = merkle.edge_root(edge)
        text = notes.head_text(show_log.head(conn)["origin"], count, root)
        log.add_checkpoint(conn, count, text.split("\n")[0], root, text, datetime.now(UTC))
    with stage.platform.db.transaction() as conn:
        conn.execute("analyze log_leaf")


def _proofs(stage: Stage, head: notes.Checkpoint) -> dict[str, Any]:
    """Milliseconds of proofs over HTTP, each checked, and what they are to a look-up of one leaf."""
    chance = random.Random(2)
    took: dict[str, list[float]] = {"inclusion": [], "consistency": [], "look_up": []}
    with stage.platform.db.transaction() as conn:
        roots = {n: show_log.tree(conn, n).root() for n in (chance.randrange(1, head.size) for _ in range(ASKED))}
    for old, root in roots.items():
        index = chance.randrange(head.size)
        began = time.perf_counter()
        told = ok(stage.http.get(f"/v1/log/proofs/inclusion?index={index}"), 200)
        took["inclusion"].append(time.perf_counter() - began)
        proof = notes.read_proof(told["proof"])
        assert merkle.is_included(merkle.leaf_hash(told["entry"].encode()), index, head.size, proof.path, head.root)
        began = time.perf_counter()
        told = ok(stage.http.get(f"/v1/log/proofs/consistency?from={old}"), 200)
        took["consistency"].append(time.perf_counter() - began)
        path = [notes.read_base64(one) for one in told["path"]]
        assert merkle.is_consistent(old, root, head.size, head.root, path)
        began = time.perf_counter()
        with stage.platform.db.transaction(snapshot=True) as conn:
            assert log.entries(conn, index, index + 1)
        took["look_up"].append(time.perf_counter() - began)
    median = {name: statistics.median(times) for name, times in took.items()}
    return {
        "milliseconds": {
            name: {"p50": round(median[name] * 1000, 2), "p95": round(sorted(times)[-len(times) // 20] * 1000, 2)}
            for name, times in took.items()
        },
        "inclusion_to_look_up": round(median["inclusion"] / median["look_up"], 1),
        "consistency_to_look_up": round(median["consistency"] / median["look_up"], 1),
    }


def _bytes(stage: Stage) -> dict[str, int]:
    with stage.platform.db.transaction() as conn:
        row = conn.execute(_SIZES).fetchone()
    assert row
    return dict(zip(("log_leaf", "its_indexes", "log_node"), map(int, row), strict=True))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _tell(**report: Any) -> None:
    print("\n" + json.dumps(report))


_ENTRY = """convert_to('{"commitment":"' || encode(sha256(n::text::bytea), 'base64') || '","kind":"deed"}', 'UTF8')"""
_LEAVES = f"""
insert into log_leaf select n, 'deed', n, 1, {_ENTRY} from generate_series(1, %(count)s::bigint - 1) n
"""
_WAITING = f"""
insert into log_pending (kind, ref_id, ref_no, entry)
select 'deed', n, 1, {_ENTRY} from generate_series(%(first)s::bigint, %(first)s + %(count)s::bigint - 1) n
"""
_SIZES = """
select pg_table_size('log_leaf'), pg_indexes_size('log_leaf'), pg_total_relation_size('log_node')
"""
