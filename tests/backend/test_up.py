"""`tanpuhui up` as its users run it: one line with the address, everything restarted that dies, one signal to stop."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from backend.embedded import up as up_command
from tests import processes

OURS = ("DATABASE_URL", "REDIS_URL", "PORT", "TANPUHUI_")


def environ(home: Path, **more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | {
        "TANPUHUI_HOME": str(home),
        "WEB_CONCURRENCY": "1",
        **more,
    }


def tanpuhui(*words: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "tanpuhui", *words]
    return subprocess.run(command, env=environ(home, **more), capture_output=True, text=True)


@contextmanager
def up(home: Path, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `tanpuhui up` that has said it is; yields it and its base URL."""
    command = [Path(sys.executable).parent / "tanpuhui", "up"]
    home.mkdir(exist_ok=True)
    with (
        (home / "up.log").open("a") as log,
        subprocess.Popen(command, env=environ(home, **more), stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Tanpuhui is up: http://127.0.0.1:"), (home / "up.log").read_text()
            yield process, line.split()[-1]
        finally:
            process.terminate()


def is_ready(base_url: str) -> bool:
    try:
        return urllib3.request("GET", f"{base_url}/readyz", timeout=5, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


@pytest.fixture(scope="module")
def running(services_home: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """One `tanpuhui up` on embedded services for all tests that do not stop it."""
    with up(services_home / "up") as (process, base_url):
        yield process, base_url, services_home / "up"


def test_what_dies_comes_back_under_the_same_address(running: tuple[subprocess.Popen[str], str, Path]) -> None:
    process, base_url, home = running
    for name in ("gunicorn", "tanpuhui work", "tanpuhui schedule", "valkey-server", "bin/postgres"):
        (victim,) = [pid for pid, command in processes.children(process.pid).items() if name in command]
        os.kill(victim, signal.SIGKILL)

        def is_back(name: str = name, victim: int = victim) -> bool:
            others = [command for pid, command in processes.descendants(process.pid).items() if pid != victim]
            return processes.is_gone(victim) and any(name in command for command in others) and is_ready(base_url)

        assert processes.eventually(is_back), (name, (home / "up.log").read_text())


def test_a_command_in_another_shell_finds_the_running_platform(
    running: tuple[subprocess.Popen[str], str, Path], home: Path
) -> None:
    assert tanpuhui("db", "upgrade", home=running[2]).returncode == 0
    assert "tanpuhui up" in tanpuhui("db", "upgrade", home=home).stderr
    for name in ("secrets.json", "up.json"):
        assert (running[2] / name).stat().st_mode & 0o777 == 0o600


def test_a_port_or_a_home_that_is_taken_is_refused_in_words(
    running: tuple[subprocess.Popen[str], str, Path], home: Path
) -> None:
    told = tanpuhui("up", home=home, PORT=running[1].rpartition(":")[2])
    assert (told.returncode, "PORT" in told.stderr) == (1, True)
    same = tanpuhui("up", home=running[2])
    assert (same.returncode, "TANPUHUI_HOME" in same.stderr) == (1, True)
    assert is_ready(running[1])


@pytest.mark.parametrize("one_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_second_one_takes_another_port_and_stops_at_one_signal(
    running: tuple[subprocess.Popen[str], str, Path], home: Path, one_signal: signal.Signals
) -> None:
    with up(home) as (process, base_url):
        assert base_url != running[1]
        assert is_ready(base_url)
        below = processes.descendants(process.pid)
        for name in ("bin/postgres", "valkey-server", "gunicorn", "tanpuhui work", "tanpuhui schedule"):
            assert any(name in command for command in below.values()), name
        process.send_signal(one_signal)
        assert process.wait() == 0
        assert [command for pid, command in below.items() if not processes.is_gone(pid)] == []
        assert not (home / "up.json").exists()
    assert is_ready(running[1])


def test_killing_up_itself_leaves_nothing_running_and_the_keys_in_place(home: Path) -> None:
    with up(home) as (process, _):
        below = processes.descendants(process.pid)
        process.kill()
        process.wait()
        assert processes.eventually(lambda: all(processes.is_gone(pid) for pid in below))
    keys = (home / "secrets.json").read_text()
    with up(home) as (_, base_url):
        assert is_ready(base_url)
        assert (home / "secrets.json").read_text() == keys


def test_with_services_of_ones_own_nothing_is_embedded(home: Path, database_url: str, redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with up(home, DATABASE_URL=database_url, REDIS_URL=redis_url, PORT=str(port)) as (process, base_url):
        assert base_url == f"http://127.0.0.1:{port}"
        assert is_ready(base_url)
        assert not any(
            "postgres" in command or "valkey" in command for command in processes.descendants(process.pid).values()
        )
        note = json.loads((home / "up.json").read_text())
        assert (note["base_url"], note["database_url"], note["redis_url"]) == (base_url, database_url, redis_url)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_who_listens_for_other_machines_is_told_of_the_proxy(
    host: str, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server((host, 0)) as listener:
        up_command._say_who_is_let_in(listener)
    assert ("reverse proxy" in capsys.readouterr().err) == warned
