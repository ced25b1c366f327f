"""kill -9 of the sequencer and of PostgreSQL at every step of sequencing: nothing lost, nothing twice, one history.

A real platform sequences what is written beside it; a stranger follows its log over HTTP from before to after.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend import witnesses
from backend.platform import Platform
from backend.store import log
from backend.usecases import follow_log
from tests import logs, processes
from tests.backend import test_up
from tests.backend.test_sequence_log import (
    every_head_holds_the_ones_before_it,
    every_head_is_that_of_the_entries,
    facts,
)
from tests.e2e.test_crash import is_stuck, kill_all, running

TABLES = ("log_pending", "log_leaf", "log_node", "log_checkpoint")  # in the order in which a step comes to them
VICTIMS = {"sequencer": "tanpuhui work", "database": "bin/postgres"}
COUNT = 600  # leaves a step: more than a tile


class Scene:
    """A running platform, what was written for its log, and a stranger who follows it."""

    def __init__(self, home: Path, url: str, base_url: str) -> None:
        self.home, self.url = home, url
        self.numbers = itertools.count(1)
        self.written: list[bytes] = []
        self.doubtful: list[bytes] = []  # whose commit was not answered
        self.server = witnesses.Server(f"{base_url}/v1/log")
        self.state: follow_log.State | None = None

    def connected(self, *, autocommit: bool = True) -> psycopg.Connection[Any]:
        """A connection, as soon as the database is back."""
        found: list[psycopg.Connection[Any]] = []

        def connects() -> bool:
            with suppress(psycopg.OperationalError):
                found.append(psycopg.connect(self.url, autocommit=autocommit))
            return bool(found)

        assert processes.eventually(connects)
        return found[0]

    def write(self) -> None:
        with self.connected(autocommit=False) as conn:
            numbers = [next(self.numbers) for _ in range(COUNT)]
            log.add_pending(conn, [("deed", number, 1, logs.deed_entry(number)) for number in numbers])
        self.written += [logs.deed_entry(number) for number in numbers]

    def keep_writing(self, stop: threading.Event) -> None:
        """Small transactions all the while, some rolled back, whatever becomes of the database."""
        while not stop.wait(0.01):
            number = next(self.numbers)
            try:
                with psycopg.connect(self.url) as conn:
                    log.add_pending(conn, [("deed", number, 1, logs.deed_entry(number))])
                    if number % 3 == 0:
                        conn.rollback()
                        continue
                    self.doubtful.append(logs.deed_entry(number))
                self.written.append(logs.deed_entry(number))
            except psycopg.Error:
                continue

    def follow(self) -> None:
        self.state = follow_log.follow_log(self.server, self.state, (), lambda state: None, lambda done, total: None)

    def waits(self) -> int:
        with self.connected() as conn:
            row = conn.execute("select count(*) from log_pending").fetchone()
        return int(row[0]) if row else 0


def kill_at(scene: Scene, victim: str, table: str) -> None:
    """Amid a step: it waits for a table, with all that it wrote before uncommitted."""
    watching = scene.connected()
    with suppress(psycopg.OperationalError), watching, scene.connected(autocommit=False) as conn:
        conn.execute(f"lock table only {table} in share mode")  # type: ignore[arg-type]
        assert processes.eventually(lambda: is_stuck(watching, table, "relation")), f"no sequencer came to {table}"
        kill_all(scene.home, victim)


def kill_before_answer(scene: Scene, victim: str) -> None:
    """Between the commit of a step and its answer: the commit waits for a standby that does not exist."""
    with suppress(psycopg.OperationalError), scene.connected() as conn:
        set_standby(conn, "set synchronous_standby_names = 'nobody'")
        stuck = processes.eventually(lambda: is_stuck(conn, "log_checkpoint", "SyncRep"))
        kill_all(scene.home, victim)
        assert stuck, "no step was committed"
    with scene.connected() as conn:
        set_standby(conn, "reset synchronous_standby_names")


def set_standby(conn: psycopg.Connection[Any], how: str) -> None:
    conn.execute(f"alter system {how}")  # type: ignore[arg-type]
    conn.execute("select pg_reload_conf()")


@pytest.mark.parametrize("victim", VICTIMS)
def test_whoever_is_killed_at_whatever_step_the_log_has_one_history(home: Path, victim: str) -> None:
    with test_up.up(home) as (up, base_url):
        told = json.loads((home / "up.json").read_text())
        scene = Scene(home, told["database_url"], base_url)
        for place in (*TABLES, "answer"):
            scene.write()
            if place == "answer":
                kill_before_answer(scene, VICTIMS[victim])
            else:
                kill_at(scene, VICTIMS[victim], place)
            assert processes.eventually(lambda: scene.waits() == 0), (place, (home / "up.log").read_text()[-3000:])
            assert processes.eventually(lambda: is_followed(scene)), place
            at = scene.state.head.size if scene.state else 0
            assert at == len(scene.written) + 1, place  # and the keys
        with writing(scene):
            for _ in range(3):
                size = scene.state.head.size if scene.state else 0
                assert processes.eventually(lambda: any(VICTIMS[victim] in line for line in running(home).values()))
                kill_all(home, VICTIMS[victim])
                assert processes.eventually(lambda size=size: grew(scene, size))
        assert processes.eventually(lambda: scene.waits() == 0)
        check(scene, told["environment"])
        up.send_signal(signal.SIGTERM)
        assert up.wait() == 0


@contextmanager
def writing(scene: Scene) -> Iterator[None]:
    stop = threading.Event()
    writer = threading.Thread(target=scene.keep_writing, args=(stop,), daemon=True)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def is_followed(scene: Scene) -> bool:
    """Whether the stranger could look; what must not be is raised."""
    with suppress(witnesses.Unanswered):
        scene.follow()
        return True
    return False


def grew(scene: Scene, size: int) -> bool:
    """Whether the log goes on: the victim is back."""
    return is_followed(scene) and scene.state is not None and scene.state.head.size > size


def check(scene: Scene, environment: dict[str, str]) -> None:
    """All that was committed is there once, in the order of its transactions; each head holds the ones before it."""
    platform = Platform.open(os.environ | environment | {"TANPUHUI_HOME": str(scene.home)})
    try:
        found = facts(platform, 0)
        every_head_is_that_of_the_entries(platform)
        every_head_holds_the_ones_before_it(platform)
    finally:
        platform.close()
    assert len(found) == len(set(found))
    assert set(scene.written) <= set(found) <= {*scene.written, *scene.doubtful}
    place = {entry: at for at, entry in enumerate(found)}
    for number in range(len(TABLES) + 1):
        part = [place[entry] for entry in scene.written[number * COUNT : (number + 1) * COUNT]]
        assert part == sorted(part)
    assert processes.eventually(lambda: is_followed(scene))
    assert scene.state is not None
    assert scene.state.head.size == len(found) + 1
