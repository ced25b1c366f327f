"""`tanpuhui log` as its users run it: rounds, alarms with their evidence, states that are kept, a witness at work."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend import auth, witnesses
from backend.cli import log as log_cli
from backend.usecases import follow_log, sequence_log
from rewards import notes
from tests import cast, logs, phones
from tests.cast import Stage
from tests.logs import Log, deed_entry, keys_entry, new_key, note_key
from tests.market import Market

KEY = new_key()
WITNESS_KEY = auth.new_key()[0]
[WITNESS_SIGNER] = auth.signing_keys(json.dumps([WITNESS_KEY]))
WITNESS = note_key(WITNESS_SIGNER, "witness.example/w1", notes.COSIGNATURE)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnesses, "PAUSES_S", (0, 0))
    monkeypatch.setattr(follow_log, "CACHED_S", 0)


@pytest.fixture
def log() -> Log:
    made = Log([KEY])
    made.publish(keys_entry(KEY), *(deed_entry(n) for n in range(299)))
    return made


@pytest.fixture
def url(log: Log) -> Iterator[str]:
    with logs.serving(log) as address:
        yield address


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "log.key"
    file.write_text(f"{note_key(KEY)}\n")
    return file


def monitor(url: str, state: Path, *more: object) -> Result:
    words = ["monitor", url, "--once", "--state", state, *more]
    return CliRunner().invoke(log_cli.group, [str(word) for word in words])


def test_a_monitor_needs_no_platform_and_keeps_what_it_saw(log: Log, url: str, key_file: Path, tmp_path: Path) -> None:
    """In a process of its own, with nothing set."""
    state = tmp_path / "state.json"
    command = [Path(sys.executable).parent / "tanpuhui", "log", "monitor", url, "--once"]
    command += ["--state", state, "--key", key_file]
    first = subprocess.run(command, capture_output=True, text=True, env={}, cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert "log.example/v1/log: 300 条 entries (+300)" in first.stdout
    assert follow_log.read_state(state.read_bytes()).note == log.files["checkpoint"].decode()
    log.publish(deed_entry(300))
    second = subprocess.run(command, capture_output=True, text=True, env={}, cwd=tmp_path)
    assert (second.returncode, "301 条 entries (+1)" in second.stdout) == (0, True), second.stderr


def test_without_a_key_the_first_use_is_said_loudly_and_once(log: Log, url: str, tmp_path: Path) -> None:
    told = monitor(url, tmp_path / "state.json")
    assert told.exit_code == 0, told.output
    for words in ("未指定公钥", "no key was given", "over http anybody", f"信任 trusted: {note_key(KEY)}", "first use"):
        assert words in told.output
    again = monitor(url, tmp_path / "state.json")
    assert (again.exit_code, "no key was given" in again.output) == (0, False)
    assert "首用信任 first use" in again.output


def test_an_alarm_is_loud_and_leaves_both_heads_beside_the_state(
    log: Log, url: str, key_file: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    assert monitor(url, state, "--key", key_file).exit_code == 0
    kept, known = state.read_bytes(), log.files["checkpoint"]
    log.entries[7] = deed_entry(777)
    log.publish(deed_entry(300))
    for number in (1, 2):  # it sounds as long as the log is as it is, and no evidence is written over
        told = monitor(url, state, "--key", key_file)
        assert told.exit_code == 3, told.output
        assert "警报 ALARM" in told.output
        assert (
            "the first 300 entries are not what they were / 条目与检查点的根不符：前 300 条已不同于从前" in told.output
        )
        evidence = tmp_path / f"state.json.alarm-{number}"
        assert (evidence / "known.checkpoint").read_bytes() == known
        assert (evidence / "met.checkpoint").read_bytes() == log.files["checkpoint"]
        assert url in (evidence / "alarm.txt").read_text()
    assert state.read_bytes() == kept


def test_what_cannot_be_looked_at_is_no_alarm(log: Log, url: str, key_file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    lost = log.files.pop("tile/entries/001.p/44")
    for address in (url, "http://127.0.0.1:1", "ftp://x", "x"):
        told = monitor(address, state, "--key", key_file)
        assert (told.exit_code, "Error:" in told.output) == (1, True), told.output
    log.files["tile/entries/001.p/44"] = lost
    assert monitor(url, state, "--key", key_file).exit_code == 0


def test_a_damaged_state_is_told_and_left_alone(url: str, key_file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert monitor(url, state).exit_code == 0
    state.write_bytes(state.read_bytes()[:-9])
    damaged = state.read_bytes()
    told = monitor(url, state)
    assert (told.exit_code, "the state is damaged / 状态文件已损坏" in told.output) == (1, True)
    assert state.read_bytes() == damaged


def test_a_state_is_used_by_one_monitor_at_a_time(url: str, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with (tmp_path / "state.json.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = monitor(url, state)
        assert (told.exit_code, "another one is at it" in told.output) == (1, True)
    assert monitor(url, state).exit_code == 0


def test_a_monitor_goes_on_through_trouble_until_the_alarm(
    log: Log, url: str, key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dict(log.files)
    rounds = iter(["away", "back", "shrunk"])

    def pause(seconds: float) -> None:
        """Something else every time that the monitor sleeps."""
        if seconds != 7:
            return
        what = next(rounds)
        log.files = {} if what == "away" else dict(whole)
        if what == "shrunk":
            log.files["checkpoint"] = log.note(10).encode()

    monkeypatch.setattr("time.sleep", pause)
    words = ["monitor", url, "--every", "7", "--state", str(tmp_path / "state.json"), "--key", str(key_file)]
    told = CliRunner().invoke(log_cli.group, words)
    assert told.exit_code == 3, told.output
    assert (told.output.count("300 条 entries"), told.output.count("没有日志 · no log is here")) == (2, 1)
    assert "the log shrank: it had 300 entries, and has 10" in told.output


def test_the_key_file_may_be_any_that_the_platform_hands_out(log: Log, url: str, tmp_path: Path) -> None:
    for number, text in enumerate(
        (json.dumps(KEY.public_jwk), json.dumps({"keys": [KEY.public_jwk]}), log.files["keys"].decode())
    ):
        file = tmp_path / f"{number}.key"
        file.write_text(text)
        told = monitor(url, tmp_path / f"{number}.json", "--key", file)
        assert (told.exit_code, "no key was given" in told.output) == (0, False), told.output
    file.write_text(json.dumps(new_key().public_jwk))
    told = monitor(url, tmp_path / "3.json", "--key", file)
    assert (told.exit_code, "no known key signed this head" in told.output) == (3, True)
    file.write_text("{")
    assert monitor(url, tmp_path / "4.json", "--key", file).exit_code == 1


# --- as a witness --------------------------------------------------------------------------------------------------


@pytest.fixture
def witness_file(tmp_path: Path) -> Path:
    file = tmp_path / "witness.key"
    file.write_text(json.dumps(WITNESS_KEY))
    return file


@pytest.fixture
def stage(database_url: str, redis_url: str) -> Iterator[Stage]:
    with cast.stage(database_url, redis_url, TANPUHUI_LOG_WITNESSES=str(WITNESS)) as made:
        yield made


def test_a_monitor_cosigns_what_it_found_right(stage: Stage, witness_file: Path, tmp_path: Path) -> None:
    Market(stage).issued(*[200_000] * 40)
    sequence_log.sequence_log(stage.platform, datetime.now(UTC))
    with phones.serving(stage.http.application) as url:
        told = monitor(url, tmp_path / "state.json", "--witness", witness_file, "--name", WITNESS.name)
        assert (told.exit_code, "已见证 · cosigned: 44" in told.output) == (0, True), told.output
        again = monitor(url, tmp_path / "state.json", "--witness", witness_file, "--name", WITNESS.name)
        assert again.exit_code == 0
        stranger = monitor(url, tmp_path / "state.json", "--witness", witness_file, "--name", "another.example")
        assert (stranger.exit_code, "did not take the cosignature (403)" in stranger.output) == (0, True)
    head = notes.read_checkpoint(stage.http.get("/v1/log/checkpoint").get_data(as_text=True))
    assert notes.signers(head, [WITNESS], auth.is_ed25519) == [WITNESS]
    assert len(head.signatures) == 2


def test_a_witness_signs_nothing_that_it_found_wrong(log: Log, url: str, witness_file: Path, tmp_path: Path) -> None:
    words = ("--witness", witness_file, "--name", WITNESS.name)
    assert monitor(url, tmp_path / "state.json", *words).exit_code == 0
    told = notes.read_checkpoint(log.files.pop("cosignatures").decode())
    assert notes.signers(told, [WITNESS], auth.is_ed25519) == [WITNESS]
    log.entries[7] = deed_entry(777)
    log.publish(deed_entry(300))
    assert monitor(url, tmp_path / "state.json", *words).exit_code == 3
    assert "cosignatures" not in log.files


@pytest.mark.parametrize(
    "more",
    [("--name", "w"), ("--witness", "W"), ("--witness", "W", "--name", "a b"), ("--witness", "W", "--name", "a+b")],
)
def test_a_witness_needs_a_key_and_a_name(url: str, witness_file: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    words = [str(witness_file) if word == "W" else word for word in more]
    assert monitor(url, tmp_path / "state.json", *words).exit_code == 2
    assert not (tmp_path / "state.json").exists()


def test_a_witnesss_key_must_be_private_and_ed25519(url: str, tmp_path: Path) -> None:
    for content in (
        "{",
        "7",
        "[]",
        "{}",
        json.dumps(KEY.public_jwk),
        json.dumps({"kty": "EC", "crv": "P-256", "d": "AA"}),
        json.dumps(WITNESS_KEY | {"d": "AA"}),
    ):
        file = tmp_path / "witness.key"
        file.write_text(content)
        told = monitor(url, tmp_path / "state.json", "--witness", file, "--name", "w")
        assert told.exit_code == 2, (content, told.output, told.exception)


# --- the operator's commands ---------------------------------------------------------------------------------------


def tanpuhui(stage: Stage, monkeypatch: pytest.MonkeyPatch, *words: Any, **more: str) -> Result:
    settings = stage.platform.settings
    for name, value in cast.environment(settings.database_url, settings.redis_url, **more).items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(log_cli.group, [str(word) for word in words])


def test_adopting_says_what_was_logged(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    Market(stage).issued(*[200_000] * 3)
    with stage.platform.db.transaction() as conn:
        for table in ("log_pending", "batch_tile", "batch_tree"):
            conn.execute(f"alter table {table} disable trigger user")
            conn.execute(f"delete from {table}")
    told = tanpuhui(stage, monkeypatch, "adopt")
    assert (told.exit_code, told.stdout) == (0, "deed\t3\nclose\t1\nattestation\t1\nissue\t1\n")
    with stage.platform.db.transaction() as conn:
        conn.execute("select pg_advisory_xact_lock(hashtext('log'), 0)")
        busy = tanpuhui(stage, monkeypatch, "adopt")
        assert (busy.exit_code, "being sequenced: try again" in busy.stderr) == (1, True)
    again = tanpuhui(stage, monkeypatch, "adopt")
    assert (again.exit_code, again.stdout, "nothing was missing" in again.stderr) == (0, "", True)


def test_asking_witnesses_by_hand_says_what_each_said(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence_log.sequence_log(stage.platform, datetime.now(UTC))
    [signing_key] = stage.platform.proof_keys
    witness = logs.Witness("witness.example/w2", [note_key(signing_key, "localhost/v1/log")])
    with logs.witnessing(witness) as url:
        known = f"{witness.public} {url}, {WITNESS} http://127.0.0.1:1"
        told = tanpuhui(stage, monkeypatch, "cosign", TANPUHUI_LOG_WITNESSES=known)
        assert told.exit_code == 1
        assert "witness.example/w2\t1\n" in told.stdout
        assert "witness.example/w1\thttp://127.0.0.1:1/add-checkpoint 无应答 · no answer" in told.stdout
        again = tanpuhui(stage, monkeypatch, "cosign", TANPUHUI_LOG_WITNESSES=f"{witness.public} {url}")
        assert (again.exit_code, "nobody to ask" in again.stderr) == (0, True)
    assert witness.answers == [200]
