"""What is written beside its facts gets its place in the log: none lost, none twice, no order changed, whoever does it.

Writers that commit late or never, several sequencers at once, steps of any size: each head holds the ones before it.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.platform import Platform
from backend.store import log
from backend.usecases import follow_log, log_facts, sequence_log, show_log
from rewards import merkle, notes
from tests import cast, logs
from tests.backend.test_follow_log import Platforms
from tests.cast import Stage
from tests.market import Market

NUMBERS = itertools.count(1)
WRITERS = 4


@pytest.fixture(scope="module")
def lasting(module_database_url: str, valkey_url: str) -> Iterator[Stage]:
    """One log for all examples: each goes on where the last one ended."""
    with cast.stage(module_database_url, valkey_url) as made:
        yield made


def sequence(platform: Platform) -> int:
    return sequence_log.sequence_log(platform, datetime.now(UTC))


def write(conn: Any, count: int) -> list[bytes]:
    """Leaves of facts that never were, as a transaction writes them."""
    numbers = [next(NUMBERS) for _ in range(count)]
    log.add_pending(conn, [("deed", number, 1, logs.deed_entry(number)) for number in numbers])
    return [logs.deed_entry(number) for number in numbers]


def entries(platform: Platform, first: int = 0) -> list[bytes]:
    with platform.db.transaction() as conn:
        return log.entries(conn, first, 2**62)


def heads(platform: Platform, since: int = 0) -> list[notes.Checkpoint]:
    """All that were ever signed of such a size or more, oldest first."""
    with platform.db.transaction() as conn:
        sizes = [row["size"] for row in log.checkpoints(conn, 2**62, 100_000) if row["size"] >= since]
        return [notes.read_checkpoint(show_log.head(conn, size)["note"]) for size in reversed(sizes)]


def every_head_holds_the_ones_before_it(platform: Platform, since: int = 0) -> None:
    """By the tree as it is stored."""
    with platform.db.transaction() as conn:
        for before, after in itertools.pairwise(heads(platform, since)):
            tree = show_log.tree(conn, after.size)
            assert tree.root() == after.root
            path = tree.consistency(before.size)
            assert merkle.is_consistent(before.size, before.root, after.size, after.root, path)


def every_head_is_that_of_the_entries(platform: Platform) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in entries(platform)]
    edge: list[list[bytes]] = [[] for _ in range(8)]
    size = 0
    for head in heads(platform):
        merkle.grow(edge, size, leaves[size : head.size])
        size = head.size
        assert head.root == merkle.edge_root(edge)
    assert size == len(leaves)


# --- any interleaving ----------------------------------------------------------------------------------------------

ACTS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, WRITERS - 1), st.sampled_from([1, 2, 5, 300])),
    st.tuples(st.just("commit"), st.integers(0, WRITERS - 1), st.none()),
    st.tuples(st.just("roll back"), st.integers(0, WRITERS - 1), st.none()),
    st.tuples(st.just("sequence"), st.integers(1, 3), st.none()),
)


@given(acts=st.lists(ACTS, min_size=4, max_size=30), step=st.sampled_from([2, 7, 256, sequence_log.STEP]))
def test_whoever_commits_late_or_never_nothing_is_lost_doubled_or_moved(
    lasting: Stage, acts: list[tuple[str, int, int | None]], step: int
) -> None:
    url = lasting.platform.settings.database_url
    size = lasting.count("log_leaf")
    committed: list[bytes] = []
    open_writes: list[list[bytes]] = [[] for _ in range(WRITERS)]
    writers = [psycopg.connect(url) for _ in range(WRITERS)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sequence_log, "STEP", step)
        for act, who, count in acts:
            if act == "write":
                open_writes[who] += write(writers[who], count or 0)
            elif act == "sequence":
                known = entries(lasting.platform, size)
                at_once(lasting.platform, who)
                assert entries(lasting.platform, size)[: len(known)] == known
                assert sorted(facts(lasting.platform, size)) == sorted(committed)
            else:
                if act == "commit":
                    writers[who].commit()
                    committed += open_writes[who]
                else:
                    writers[who].rollback()
                open_writes[who] = []
        for who, writer in enumerate(writers):
            writer.commit()
            committed += open_writes[who]
            writer.close()
        at_once(lasting.platform, 1)
    assert sorted(facts(lasting.platform, size)) == sorted(committed)
    assert lasting.count("log_pending") == 0
    every_head_holds_the_ones_before_it(lasting.platform, since=size)


def test_after_all_that_every_head_is_that_of_the_entries(lasting: Stage) -> None:
    sequence(lasting.platform)
    every_head_is_that_of_the_entries(lasting.platform)
    every_head_holds_the_ones_before_it(lasting.platform)


def facts(platform: Platform, first: int) -> list[bytes]:
    """The entries from a place on, but those of keys."""
    return [entry for entry in entries(platform, first) if json.loads(entry)["kind"] != "keys"]


def at_once(platform: Platform, count: int) -> None:
    """So many sequencers at the same moment; what they left is done by the last."""
    barrier = threading.Barrier(count)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            barrier.wait()
            sequence(platform)
        except BaseException as error:  # told in the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    sequence(platform)


def test_writers_sequencers_and_strangers_at_once_end_in_one_history(stage: Stage, long: bool) -> None:
    rounds = 400 if long else 60
    url, stop = stage.platform.settings.database_url, threading.Event()
    committed: list[list[bytes]] = []
    failed: list[BaseException] = []

    def writer(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(url) as conn:
            for _ in range(rounds):
                wrote = write(conn, chance.choice([1, 3, 40]))
                stop.wait(chance.choice([0, 0, 0.002, 0.01]))
                if chance.random() < 0.2:
                    conn.rollback()
                else:
                    conn.commit()
                    committed.append(wrote)

    def sequencer() -> None:
        while not stop.is_set():
            sequence(stage.platform)

    def stranger() -> None:
        state = None
        while not stop.is_set():
            if stage.http.get("/v1/log/checkpoint").status_code == 200:
                state = follow_log.follow_log(Platforms(stage), state, (), lambda new: None, lambda done, total: None)

    def kept(work: Any) -> Any:
        def run(*values: Any) -> None:
            try:
                work(*values)
            except BaseException as error:
                failed.append(error)
                stop.set()

        return run

    writers = [threading.Thread(target=kept(writer), args=(seed,)) for seed in range(4)]
    others = [threading.Thread(target=kept(work)) for work in (sequencer, sequencer, sequencer, stranger)]
    for thread in (*writers, *others):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in others:
        thread.join()
    assert not failed, failed
    sequence(stage.platform)
    log_entries = facts(stage.platform, 0)
    assert sorted(log_entries) == sorted(itertools.chain(*committed))
    place = {entry: at for at, entry in enumerate(log_entries)}
    assert all([place[entry] for entry in wrote] == sorted(place[entry] for entry in wrote) for wrote in committed)
    every_head_holds_the_ones_before_it(stage.platform)
    every_head_is_that_of_the_entries(stage.platform)
    assert len(heads(stage.platform)) > 1


# --- steps -----------------------------------------------------------------------------------------------------------


def test_what_waits_is_sequenced_in_steps_each_under_a_head_of_its_own(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence_log, "STEP", 100)
    with stage.platform.db.transaction() as conn:
        wrote = write(conn, 350)
    assert sequence(stage.platform) == 351
    assert [head.size for head in heads(stage.platform)] == [100, 200, 300, 351]
    assert entries(stage.platform)[1:] == wrote
    assert sequence(stage.platform) == 0


def test_a_second_sequencer_does_nothing_while_one_is_at_it(stage: Stage) -> None:
    with stage.platform.db.transaction() as conn:
        write(conn, 5)
    with stage.platform.db.transaction() as conn:
        assert log.try_to_sequence(conn)
        assert sequence(stage.platform) == 0
    assert sequence(stage.platform) == 6


def test_a_fact_and_its_leaf_are_written_together_or_not_at_all(stage: Stage) -> None:
    market = Market(stage)
    batch = market.closed(200_000)
    sequence(stage.platform)
    size = heads(stage.platform)[-1].size

    def stumble() -> None:
        with stage.platform.db.transaction() as conn:
            log_facts.log_facts(conn, "close", [batch["id"]])
            raise LookupError

    with pytest.raises(LookupError):
        stumble()
    assert (stage.count("log_pending"), sequence(stage.platform)) == (0, 0)
    with pytest.raises(ValueError, match="a close to be logged is not there"), stage.platform.db.transaction() as conn:
        log_facts.log_facts(conn, "close", [batch["id"], 999])
    assert heads(stage.platform)[-1].size == size


def test_a_fact_is_never_logged_twice(stage: Stage) -> None:
    batch = Market(stage).closed(200_000)
    sequence(stage.platform)
    with stage.platform.db.transaction() as conn:
        log_facts.log_facts(conn, "close", [batch["id"]])
    with pytest.raises(psycopg.errors.UniqueViolation):
        sequence(stage.platform)


@pytest.mark.parametrize("table", ["log_leaf", "log_node", "log_checkpoint"])
def test_what_is_in_the_log_is_neither_changed_nor_taken_out(stage: Stage, table: str) -> None:
    with stage.platform.db.transaction() as conn:
        write(conn, 600)
    sequence(stage.platform)
    column = {"log_leaf": "entry", "log_node": "hash", "log_checkpoint": "root"}[table]
    for sql in (f"update {table} set {column} = 'x'", f"delete from {table}", f"truncate {table} cascade"):
        with pytest.raises(psycopg.Error), stage.platform.db.transaction() as conn:
            conn.execute(sql)  # type: ignore[call-overload]
    every_head_is_that_of_the_entries(stage.platform)


def test_the_log_keeps_its_name_when_the_platform_moves(database_url: str, redis_url: str) -> None:
    with cast.stage(database_url, redis_url) as stage:
        sequence(stage.platform)
        assert heads(stage.platform)[0].origin == "localhost/v1/log"
    with cast.stage(database_url, redis_url, TANPUHUI_PUBLIC_URL="https://elsewhere.example") as moved:
        with moved.platform.db.transaction() as conn:
            write(conn, 3)
        assert sequence(moved.platform) == 3
        assert {head.origin for head in heads(moved.platform)} == {"localhost/v1/log"}
