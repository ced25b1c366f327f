"""kill -9 amid the traffic: what died comes back, the sender goes on, and the books are as if nothing had happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import urllib3

from mobile_mock.traffic.cast import PARTNERS
from tests import processes
from tests.backend import test_up

# Everything that must not depend on what died on the way; ids and times may.
TOTALS = """
with told(what, n, mg, points) as (
  select concat_ws(' ', 'event of', name, verdict, code), 1, reduction_mg, points
  from event join client using (client_id)
  union all select concat_ws(' ', 'changed to', verdict, code), 1, reduction_mg, points from reverdict
  union all select concat_ws(' ', 'deed', version, stands), 1, reduction_mg, points from deed
  union all select concat_ws(' ', book, debit, credit), 1, amount, 0 from transfer
  union all select concat_ws(' ', 'claim of', name), 1, 0, 0 from claim join client using (client_id)
  union all select concat_ws(' ', 'act of', issuer), 1, 0, 0 from act_claim
  union all select concat_ws(' ', 'pack', pack_code, pack_version), 1, 0, 0 from pack_version
)
select what, sum(n), sum(mg), sum(points) from told group by what
"""
STUCK = """
select count(*) from pg_locks join pg_stat_activity using (pid) where relation = %s::regclass and wait_event = %s
"""

Totals = dict[str, tuple[int, ...]]
Disturbance = Callable[[Path, str, subprocess.Popen[bytes]], None]


def test_killed_web_worker_and_database_change_nothing_in_the_books(home: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    traffic("generate", "--out", made, "--seed", 11, "--events", 2400, "--people", 200, "--batch", 40)
    calm, told_again = run(home / "calm", made, leave_alone)
    assert calm["reductions_mg measured person"][1] > 0
    rough, told_again_after_loss = run(home / "rough", made, kill_one_after_the_other)
    assert rough == calm
    assert told_again_after_loss > told_again  # the answer lost with the web process was given again


def run(home: Path, made: Path, disturb: Disturbance) -> tuple[Totals, int]:
    """Send made traffic to a platform of its own and disturb it; the totals, and how many events were `repeated`."""
    folder = shutil.copytree(made, home / "traffic")
    with test_up.up(home) as (up, base_url):
        partners = let_in(home, folder)
        url = json.loads((home / "up.json").read_text())["database_url"]
        command = [*TRAFFIC, "send", "--dir", folder, "--base-url", base_url, *partners]
        with (home / "sender.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as sender:
            disturb(home, url, sender)
        assert sender.returncode == 0, (home / "sender.log").read_text()
        assert json.loads(traffic("grade", "--dir", folder))["answer_key"] == "ok"
        assert urllib3.request("GET", f"{base_url}/v1/conservation").json()["ok"]
        assert "unexpected_error" not in (home / "up.log").read_text()  # "come again" is a 503, never a 500
        with psycopg.connect(url) as conn:
            totals = {what: tuple(map(int, amounts)) for what, *amounts in conn.execute(TOTALS)}
        up.send_signal(signal.SIGTERM)
        assert up.wait() == 0
    assert processes.eventually(lambda: not running(home)), running(home)
    said = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    return totals, sum(verdict["verdict"] == "repeated" for verdict in said)


def let_in(home: Path, folder: Path) -> list[str | Path]:
    """Let the made partners and their people in, as an operator does; the options by which the sender knows them."""
    key = home / "partners.key"  # one for all: it is not what this is about
    tanpuhui(home, "keys", "new", key)
    options: list[str | Path] = []
    for name in (partner.name for partner in PARTNERS):
        client = tanpuhui(home, "clients", "add", "--role", "partner", "--name", name, "--jwk", f"{key}.pub").strip()
        ids, subjects = folder / f"{name}.people.csv", home / f"{name}.subjects.csv"
        subjects.write_text(tanpuhui(home, "people", "add", "--partner", client, "--ids", ids, "--person-column"))
        options += ["--partner", name, client, key, subjects]
    return options


def leave_alone(home: Path, url: str, sender: subprocess.Popen[bytes]) -> None:
    """Nothing happens."""


def kill_one_after_the_other(home: Path, url: str, sender: subprocess.Popen[bytes]) -> None:
    """Kill each while events come in; before the next one, the sender must have gone on."""
    for name, kill in (("web", kill_web), ("worker", kill_worker), ("postgres", kill_database)):
        enough = events(url) + 100  # more than a round, so that every partner has its token: what commits is a batch
        assert processes.eventually(lambda enough=enough: events(url) > enough), (home / "up.log").read_text()
        assert sender.poll() is None, "all was sent before all was killed: make more traffic"
        kill(home, url)
        has_ended = f"{name} has ended, starting it again"
        assert processes.eventually(lambda text=has_ended: text in (home / "up.log").read_text()), name


def kill_web(home: Path, url: str) -> None:
    """Between commit and answer: the commit waits for a standby that does not exist."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("alter system set synchronous_standby_names = 'nobody'")
        conn.execute("select pg_reload_conf()")
        assert processes.eventually(lambda: is_stuck(conn, "event", "SyncRep"))
        kill_all(home, "gunicorn")
        conn.execute("alter system reset synchronous_standby_names")
        conn.execute("select pg_reload_conf()")


def kill_worker(home: Path, url: str) -> None:
    kill_all(home, "tanpuhui work")


def kill_database(home: Path, url: str) -> None:
    """Amid a transaction: events and deeds are written, the ledger is not."""
    with suppress(psycopg.OperationalError), psycopg.connect(url) as conn:
        conn.execute("lock table only transfer in share mode")
        assert processes.eventually(lambda: is_stuck(conn, "transfer", "relation"))
        kill_all(home, "bin/postgres")


def kill_all(home: Path, name: str) -> None:
    victims = [pid for pid, command in running(home).items() if name in command]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)


def running(home: Path) -> dict[int, str]:
    """The processes of a home, orphans too, by the folder they are in or were told of: pid -> command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone, or somebody else's
            place = str(home)
            if (folder / "cwd").readlink().is_relative_to(home) or place in (folder / "environ").read_text("latin-1"):
                found[int(folder.name)] = (folder / "cmdline").read_text("utf-8").replace("\0", " ")
    return found


def is_stuck(conn: psycopg.Connection[Any], table: str, wait_event: str) -> bool:
    """Does a transaction that has to do with the table wait for this?"""
    row = conn.execute(STUCK, (table, wait_event)).fetchone()
    return bool(row and row[0])


def events(url: str) -> int:
    with psycopg.connect(url) as conn:
        row = conn.execute("select count(*) from event").fetchone()
        return row[0] if row else 0


TRAFFIC = [sys.executable, "-m", "mobile_mock.traffic"]


def traffic(*words: object) -> str:
    """Run a command of partner traffic; its last line."""
    done = subprocess.run([*TRAFFIC, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def tanpuhui(home: Path, *words: object) -> str:
    done = test_up.tanpuhui(*map(str, words), home=home)
    assert done.returncode == 0, done.stderr
    return done.stdout
