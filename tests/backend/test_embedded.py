"""The embedded PostgreSQL and Valkey: who may run them, what survives a kill, and that nothing outlives its parent."""

import multiprocessing
import multiprocessing.pool
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from backend.embedded import postgres, process, valkey
from tests import processes

as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def test_postgres_answers_while_running_and_is_gone_afterwards(home: Path) -> None:
    with postgres.prepared(home, durable=False) as server:
        server.start()
        assert query(server.url, "select current_database(), current_user") == [("tanpuhui", "tanpuhui")]
        assert server.process is not None
        pids = [server.process.pid, *processes.descendants(server.process.pid)]
    assert all(processes.is_gone(pid) for pid in pids)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)


def test_what_is_committed_is_there_at_the_next_start(home: Path) -> None:
    with postgres.running(home) as url:
        query(url, "create table deed as select 7 as reduction_mg")
    with postgres.running(home) as url:
        assert query(url, "select * from deed") == [(7,)]


def test_postgres_is_durable_unless_told_otherwise(home: Path) -> None:
    names = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
    statement = "select " + ", ".join(f"current_setting('{name}')" for name in names)
    with postgres.running(home) as url:
        assert query(url, statement) == [("on", "on", "on", "on")]
    with postgres.running(home, durable=False) as url:
        assert query(url, statement) == [("off", "off", "off", "on")]


def test_postgres_wants_its_password_and_listens_on_loopback_only(home: Path) -> None:
    with postgres.running(home, durable=False) as url:
        assert query(url, "select current_setting('listen_addresses'), current_setting('unix_socket_directories')") == [
            ("127.0.0.1", "")
        ]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(url, password="wrong")


def test_a_killed_postmaster_keeps_the_committed_rows(home: Path) -> None:
    with postgres.prepared(home) as server:
        server.start()
        query(server.url, "create table deed as select generate_series(1, 1000) as id")
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        assert not server.alive()
        assert (home / "postgres" / "data" / "postmaster.pid").exists()
    with postgres.running(home) as url:
        assert query(url, "select count(*), sum(id) from deed") == [(1000, 500500)]


def test_a_killed_postmaster_comes_back_under_the_same_address(home: Path) -> None:
    def restarted() -> bool:
        try:
            server.start()
        except process.EmbeddedError:  # its orphans have not noticed yet
            return False
        return True

    with postgres.prepared(home) as server:
        server.start()
        query(server.url, "create table deed as select 7 as id")
        assert server.process is not None
        server.process.kill()
        assert processes.eventually(lambda: not server.alive())
        assert processes.eventually(restarted)
        assert query(server.url, "select id from deed") == [(7,)]


def test_two_homes_run_side_by_side(home: Path) -> None:
    with (
        postgres.running(home / "one", durable=False) as one,
        postgres.running(home / "two", durable=False) as two,
        valkey.running(home / "one") as three,
        valkey.running(home / "two") as four,
    ):
        assert len({one, two}) == 2
        assert query(one, "select 1") == query(two, "select 1")
        redis.Redis.from_url(three).set("here", "three")
        assert redis.Redis.from_url(four).get("here") is None


def test_the_same_home_twice_is_refused_in_words(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PREDECESSOR_S", 0)
    refused = pytest.raises(process.EmbeddedError, match="TANPUHUI_HOME")
    with postgres.running(home, durable=False), refused, postgres.running(home):
        pass
    with valkey.running(home), refused, valkey.running(home):
        pass


def test_a_server_that_cannot_start_shows_the_end_of_its_log(home: Path) -> None:
    with postgres.prepared(home, durable=False) as server:
        (home / "postgres" / "data" / "PG_VERSION").write_text("9.6\n")
        with pytest.raises(process.EmbeddedError, match="incompatible"):
            server.start()


PARENT = """
import sys, time
from pathlib import Path
from backend.embedded import postgres, valkey
home = Path(sys.argv[1])
with postgres.prepared(home) as database, valkey.prepared(home) as cache:
    database.start()
    cache.start()
    print(database.process.pid, cache.process.pid, flush=True)
    time.sleep(3600)
"""


def test_killing_the_parent_leaves_no_postgres_and_no_valkey(home: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, home], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [
        pid
        for started in parent.stdout.readline().split()
        for pid in (int(started), *processes.descendants(int(started)))
    ]
    assert len(pids) > 2
    assert not any(processes.is_gone(pid) for pid in pids)
    parent.kill()
    parent.communicate()
    left = [pid for pid in pids if not processes.eventually(lambda pid=pid: processes.is_gone(pid))]  # type: ignore[misc]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []
    with postgres.running(home) as url:  # and the folder is free again
        assert query(url, "select 1") == [(1,)]


@as_root
def test_root_runs_postgres_as_another_user(home: Path) -> None:
    with postgres.prepared(home, durable=False) as server:
        server.start()
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0
    assert (home / "postgres").stat().st_mode & 0o077 == 0


@as_root
def test_root_may_keep_its_home_closed(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = home / "var-lib"
    monkeypatch.setattr(postgres, "ROOTS_FOLDER", elsewhere)
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with postgres.running(closed, durable=False) as url:
        query(url, "create table deed as select 7 as id")
    with postgres.running(closed, durable=False) as url:
        assert query(url, "select id from deed") == [(7,)]
    assert (closed / "postgres").resolve().is_relative_to(elsewhere)
    assert closed.stat().st_mode & 0o077 == 0

    (closed / "postgres").unlink()  # deleting a home is deleting its database: nothing of it stays elsewhere
    with postgres.running(closed, durable=False) as url:
        assert query(url, "select to_regclass('deed')") == [(None,)]
    assert len(list(elsewhere.glob("data-*"))) == 1


@as_root
def test_root_may_keep_its_checkout_closed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "ROOTS_FOLDER", home / "var-lib")
    monkeypatch.delenv("TANPUHUI_PG_BIN", raising=False)
    can = postgres._can
    monkeypatch.setattr(postgres, "_can", lambda user, flag, path: flag != "-x" and can(user, flag, path))
    with postgres.prepared(home, durable=False) as server:
        assert server.binaries.is_relative_to(home / "var-lib")
        server.start()
        assert query(server.url, "select 1") == [(1,)]


def _run_as_ordinary_user(home: Path, entry: pwd.struct_passwd) -> None:
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    with postgres.prepared(home, durable=False) as server:
        server.start()
        assert server.user is None
        assert server.process is not None
        (home / "uid").write_text(str(Path(f"/proc/{server.process.pid}").stat().st_uid))
        assert query(server.url, "select 1") == [(1,)]


@as_root
def test_an_ordinary_user_runs_postgres_as_itself(
    home: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    nobody = pwd.getpwnam("nobody")
    # The interpreter may lie where that user cannot execute it: hence a fork without exec, after all is imported.
    query(postgres_url, "select 1")
    monkeypatch.setenv("TANPUHUI_PG_BIN", str(postgres._binaries((nobody.pw_uid, nobody.pw_gid))))
    own = home / "own"
    own.mkdir()
    os.chown(own, nobody.pw_uid, nobody.pw_gid)
    child = multiprocessing.get_context("fork").Process(target=_run_as_ordinary_user, args=(own, nobody))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert (own / "uid").read_text() == str(nobody.pw_uid)


@as_root
def test_another_users_home_is_refused_in_words(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    with postgres.prepared(home, durable=False):
        pass

    def refused() -> None:
        os.setgroups([])
        os.setuid(nobody.pw_uid)
        with pytest.raises(process.EmbeddedError, match="belongs to another user"), postgres.prepared(home):
            pass

    if (home / "postgres").stat().st_uid == nobody.pw_uid:
        pytest.skip("no user postgres here: root runs it as nobody itself")
    child = multiprocessing.get_context("fork").Process(target=refused)
    child.start()
    child.join()
    assert child.exitcode == 0


def test_valkey_wants_its_password(home: Path) -> None:
    with valkey.running(home) as url:
        assert redis.Redis.from_url(url).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(url.replace(url.split("@")[0], "redis://")).ping()


def test_a_killed_valkey_keeps_what_it_acknowledged(home: Path) -> None:
    with valkey.prepared(home) as server:
        server.start()
        redis.Redis.from_url(server.url).set("job", "waiting")
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        server.start()
        assert redis.Redis.from_url(server.url).get("job") == b"waiting"


def test_a_child_is_tied_to_the_main_thread_only() -> None:
    with multiprocessing.pool.ThreadPool(1) as pool, pytest.raises(RuntimeError, match="main thread"):
        pool.apply(process.spawn, [["true"]])


def test_a_stubborn_process_is_killed_after_the_patience() -> None:
    child = process.spawn(["/bin/sh", "-c", "trap '' TERM; echo ready >&2; while :; do sleep 1; done"])
    process.stop(child, signal.SIGTERM, patience_s=0.2)
    assert child.returncode is not None
