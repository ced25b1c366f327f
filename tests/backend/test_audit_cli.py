"""`tanpuhui audit`: on the database, with a role that may only read, and on a streaming replica; one finding a line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner, Result

from backend import cli
from backend.cli.audit import COUNTED
from backend.embedded import postgres, process
from backend.usecases import audit_tables
from rewards import notes
from tests import processes
from tests.backend.test_audit_log import Scene, played


@pytest.fixture(scope="module")
def scene(module_database_url: str, valkey_url: str) -> Iterator[Scene]:
    with played(module_database_url, valkey_url) as made:
        yield made


@pytest.fixture
def tampered(scene: Scene) -> Iterator[Scene]:
    """A deed has another amount, for the time of a test."""
    yield from changed(
        scene,
        "update deed set points = points + 7 where deed_id = 9",
        "update deed set points = points - 7 where deed_id = 9",
    )


def changed(scene: Scene, change: str, back: str) -> Iterator[Scene]:
    for statement in (change, back):
        with psycopg.connect(scene.url, autocommit=True) as conn:
            conn.execute("set session_replication_role = replica")
            conn.execute(statement)  # type: ignore[call-overload]
        if statement == change:
            yield scene


def audit(url: str, *words: str | Path) -> Result:
    """The command with nothing set but the address of the database."""
    unset = dict.fromkeys([name for name in os.environ if name.startswith(("TANPUHUI_", "REDIS_", "PG"))])
    return CliRunner().invoke(cli.main, ["audit", *map(str, words)], env=unset | {"DATABASE_URL": url})


def test_an_untouched_database_is_told_to_be_so_a_line_a_check(scene: Scene) -> None:
    done = audit(scene.url)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line for line in lines if ": ok / 成立" not in line and "--key FILE" not in line] == []
    assert any(line.startswith("deeds / 行为: ok / 成立; ") and " versions 版本" in line for line in lines)
    counted = {
        name for line in audit(scene.url, "--json").stdout.splitlines() for name in json.loads(line).get("counts", ())
    }
    assert set(COUNTED) - {"records without a pack"} == counted
    assert "nothing was found / 未发现问题" in done.stderr


def test_what_is_found_is_told_a_line_a_finding_and_by_the_exit_code(tampered: Scene) -> None:
    done = audit(tampered.url)
    assert done.exit_code == 1
    assert "deeds / 行为: FOUND / 发现 1" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("  deed 9/1 | log_leaf ")]
    assert line.endswith("deed 9/1 points 为 198，应为 191") or " points is " in line
    assert "findings: of the rows in a line one at least was changed" in done.stderr


def test_programs_read_json_lines(tampered: Scene) -> None:
    done = audit(tampered.url, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["summary"]["ok"] is False
    assert lines[-1]["summary"]["findings"] == sum(line["findings"] for line in lines if "check" in line)
    [found] = [line for line in lines if line.get("finding") == "deeds"]
    assert found["rows"][0] == {"table": "deed", "key": "9/1"}
    assert found["zh"] != found["en"]
    assert all(line["counts"] or line["check"] == "leaves" for line in lines if "check" in line)


def test_heads_that_the_auditor_kept_are_files(scene: Scene, tmp_path: Path) -> None:
    kept = []
    for number, note in enumerate(scene.heads):
        kept.append(tmp_path / f"{number}.note")
        kept[-1].write_text(note)
    key = tmp_path / "keys.json"
    key.write_text(json.dumps(scene.stage.http.get("/v1/log/keys").json))
    done = audit(scene.url, "--from", kept[0], "--to", kept[2], "--key", key)
    assert done.exit_code == 0, done.output
    first, last = (notes.read_checkpoint(scene.heads[n]).size for n in (0, 2))
    assert f"{last:,} entries 条目" in done.stdout
    assert audit(scene.url, "--from", first, "--to", last).exit_code == 0
    other = notes.read_checkpoint(scene.heads[0])
    text = notes.head_text(other.origin, other.size, bytes(32))
    kept[0].write_text(scene.heads[0].replace(other.text, text))
    done = audit(scene.url, "--from", kept[0])
    assert done.exit_code == 1
    assert "history was changed since / " in done.stdout
    assert f"the checkpoint's signature by {other.origin} is wrong / 检查点上" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--from", "7"], "没有大小为 7 的检查点 · no checkpoint has the size 7"),
        (["--to", "no-such-file"], "neither a size nor a file with a checkpoint / 既非大小也非检查点文件"),
        (["--from", __file__], "this is no checkpoint"),
        (["--key", __file__], "this is no Ed25519 key of a log or a witness"),
        (["--database", "postgresql://127.0.0.1:9/none"], "the database cannot be read / 无法读取数据库"),
    ],
)
def test_what_cannot_be_done_is_told_with_another_exit_code(scene: Scene, words: list[str], says: str) -> None:
    done = audit(scene.url, *words)
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert done.stdout == ""


def test_a_range_that_ends_before_it_begins_and_a_database_of_another_version_are_refused(scene: Scene) -> None:
    first, last = (str(notes.read_checkpoint(scene.heads[n]).size) for n in (0, 2))
    assert "--from is behind --to" in audit(scene.url, "--from", last, "--to", first).stderr
    undone = changed(scene, "update migration set name = 'x' where name like '0012%'",
                     "update migration set name = '0012_erasure.sql' where name = 'x'")  # fmt: skip
    for _ in undone:
        done = audit(scene.url)
        assert (done.exit_code, "0012_erasure.sql" in done.stderr) == (2, True)


def test_the_list_says_of_every_table_what_protects_it(scene: Scene) -> None:
    done = audit("postgresql://127.0.0.1:9/none", "--list")
    assert done.exit_code == 0
    assert all(f"│ {name} " in done.stdout for name in audit_tables.TABLES)
    assert "are not protected yet" in done.stdout
    lines = [json.loads(line) for line in audit(scene.url, "--list", "--json").stdout.splitlines()]
    assert {line["table"]: line["by"] for line in lines} == {n: kept.by for n, kept in audit_tables.TABLES.items()}


def test_a_role_that_may_only_read_is_enough(scene: Scene) -> None:
    name = urlsplit(scene.url).path[1:]
    with psycopg.connect(scene.url, autocommit=True) as conn:
        conn.execute(f"create role auditor_{name} login password 'x'")  # type: ignore[call-overload]
        conn.execute(f"grant select on all tables in schema public to auditor_{name}")  # type: ignore[call-overload]
    mine = urlsplit(scene.url)._replace(netloc=f"auditor_{name}:x@{urlsplit(scene.url).netloc.rpartition('@')[2]}")
    assert audit(mine.geturl()).exit_code == 0
    with psycopg.connect(scene.url, autocommit=True) as conn:
        conn.execute(f"revoke select on log_leaf from auditor_{name}")  # type: ignore[call-overload]
    done = audit(mine.geturl())
    assert (done.exit_code, "permission denied for table log_leaf" in done.stderr) == (2, True)
    with psycopg.connect(scene.url, autocommit=True) as conn:
        conn.execute(f"drop owned by auditor_{name}")  # type: ignore[call-overload]
        conn.execute(f"drop role auditor_{name}")  # type: ignore[call-overload]


@contextmanager
def replica(home: Path, primary: str) -> Iterator[str]:
    """A streaming replica of the server of a database; the address of the same database there."""
    folder = postgres._folder(home)
    user = postgres._user_for(folder)
    as_user: dict[str, Any] = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}
    command = [postgres._binaries(user) / "pg_basebackup", "-d", primary, "-D", folder / "data", "-R", "-X", "stream"]
    subprocess.run([*command, "-c", "fast"], check=True, cwd="/", capture_output=True, **as_user)
    (folder / "password").write_text(str(urlsplit(primary).password))
    with process.locked(folder) as lock:
        server = postgres.Server(folder, home / "postgres.log", lock, durable=False)
        try:
            server.start()
            yield f"{server.url.rpartition('/')[0]}{urlsplit(primary).path}"
        finally:
            server.stop()


def position(url: str, asked: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute(f"select {asked} - '0/0'::pg_lsn").fetchone()  # type: ignore[call-overload]
    return int(row[0]) if row else 0


def test_a_streaming_replica_is_enough_and_the_address_of_it_all_that_is_set(scene: Scene, home: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        command = [shutil.which("tanpuhui") or Path(sys.executable).with_name("tanpuhui"), "audit"]
        environment = {"DATABASE_URL": there, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def caught_up() -> bool:
        return position(there, "pg_last_wal_replay_lsn()") >= position(scene.url, "pg_current_wal_lsn()")

    with replica(home, scene.url) as there:
        with psycopg.connect(there) as conn:
            assert conn.execute("select pg_is_in_recovery()").fetchone() == (True,)
        done = run()
        assert (done.returncode, done.stderr.count("nothing was found")) == (0, 1), done.stdout + done.stderr
        tampering = changed(scene, "update sale_terms set shares_ppm = '{0,0,0,1000000}'",
                            "update sale_terms set shares_ppm = '{800000,100000,50000,50000}'")  # fmt: skip
        for _ in tampering:
            assert processes.eventually(caught_up)
            done = run()
            assert done.returncode == 1
            assert "sale_terms 1 | log_leaf " in done.stdout
