"""Witnesses are asked to cosign the log's heads (C2SP tlog-witness): the stand-in keeps to the letter of it."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from backend import auth, witnesses
from backend.store import log
from backend.usecases import ask_witnesses, sequence_log, show_log
from backend.workers import schedule
from rewards import merkle, notes
from tests import cast, logs, processes
from tests.cast import Stage
from tests.logs import Witness, note_key

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def witness(stage: Stage) -> Witness:
    """One that trusts the platform's key."""
    return Witness("witness.example/w1", log_keys(stage))


def log_keys(stage: Stage) -> list[notes.NoteKey]:
    return [note_key(key, "localhost/v1/log") for key in stage.platform.proof_keys]


def append(stage: Stage, count: int) -> int:
    with stage.platform.db.transaction() as conn:
        known = stage.count("log_leaf")
        log.add_pending(conn, [("deed", known + n, 1, logs.deed_entry(known + n)) for n in range(count)])
    sequence_log.sequence_log(stage.platform, datetime.now(UTC))
    return stage.count("log_leaf")


def asking(stage: Stage, urls: dict[notes.NoteKey, str]) -> Stage:
    """The stage with these witnesses in its settings."""
    settings = dataclasses.replace(stage.platform.settings, log_witnesses=urls)
    return dataclasses.replace(stage, platform=dataclasses.replace(stage.platform, settings=settings))


def ask(stage: Stage) -> list[tuple[str, int | None, str]]:
    return [(one.witness, one.size, one.error) for one in ask_witnesses.ask_witnesses(stage.platform, NOW)]


def head(stage: Stage) -> notes.Checkpoint:
    return notes.read_checkpoint(stage.http.get("/v1/log/checkpoint").get_data(as_text=True))


def test_a_witness_cosigns_head_after_head(stage: Stage, witness: Witness) -> None:
    with logs.witnessing(witness) as url:
        asks = asking(stage, {witness.public: url})
        for count in (1, 300, 1, 700):
            size = append(stage, count)
            assert ask_witnesses.is_due(asks.platform)
            assert ask(asks) == [("witness.example/w1", size, "")]
            assert not ask_witnesses.is_due(asks.platform)
            assert ask(asks) == []
            assert notes.signers(head(stage), [witness.public], auth.is_ed25519) == [witness.public]
            assert witness.seen["localhost/v1/log"] == (size, head(stage).root)
    assert witness.answers == [200] * 4


def test_a_witness_that_remembers_something_else_says_so_and_is_asked_anew(stage: Stage, witness: Witness) -> None:
    """It cosigned a head whose answer was lost; or it lost what we have from it."""
    with logs.witnessing(witness) as url:
        asks = asking(stage, {witness.public: url})
        append(stage, 299)
        witness.seen["localhost/v1/log"] = (300, head(stage).root)
        size = append(stage, 100)
        assert ask(asks) == [(witness.public.name, size, "")]
        witness.seen.clear()
        size = append(stage, 100)
        assert ask(asks) == [(witness.public.name, size, "")]
    assert witness.answers == [409, 200, 409, 200]


def test_a_witness_that_has_seen_another_log_under_our_name_is_told_of_and_gives_nothing(
    stage: Stage, witness: Witness
) -> None:
    append(stage, 10)
    for seen, error in (
        ((11, bytes(32)), "another root"),
        ((5, bytes(32)), "does not accept the proof"),
        ((900, bytes(32)), "900"),
    ):
        with logs.witnessing(witness) as url:
            witness.seen["localhost/v1/log"] = seen
            [(name, size, told)] = ask(asking(stage, {witness.public: url}))
        assert (name, size, error in told) == (witness.public.name, None, True), told
    assert stage.count("log_cosignature") == 0
    assert len(witness.answers) <= 3 * ask_witnesses.TRIES


def test_a_witness_that_does_not_know_the_log_or_its_key_gives_nothing(stage: Stage, witness: Witness) -> None:
    append(stage, 10)
    strange = note_key(logs.new_key(), "localhost/v1/log")
    for trusted, error in (([], "does not know the log (404)"), ([strange], "does not know the log's key (403)")):
        witness.trusted = list(trusted)
        with logs.witnessing(witness) as url:
            [(_, size, told)] = ask(asking(stage, {witness.public: url}))
        assert (size, error in told) == (None, True), told
    assert stage.count("log_cosignature") == 0


def test_all_witnesses_are_asked_and_one_that_fails_takes_nothing_from_the_others(stage: Stage) -> None:
    size = append(stage, 10)
    good = [Witness(f"witness.example/{n}", log_keys(stage)) for n in range(3)]
    with logs.witnessing(good[0]) as one, logs.witnessing(good[1]) as two, logs.witnessing(good[2]) as three:
        silent = note_key(logs.new_key(), "silent.example", notes.COSIGNATURE)
        urls = {good[0].public: one, silent: "http://127.0.0.1:1", good[1].public: two, good[2].public: three}
        told = ask(asking(stage, urls))
    assert [(name, found) for name, found, _ in told] == [
        ("witness.example/0", size), ("silent.example", None), ("witness.example/1", size), ("witness.example/2", size),
    ]  # fmt: skip
    assert len(notes.signers(head(stage), [w.public for w in good], auth.is_ed25519)) == 3


def test_a_key_without_an_address_is_not_asked(stage: Stage, witness: Witness) -> None:
    append(stage, 10)
    assert not ask_witnesses.is_due(asking(stage, {witness.public: ""}).platform)
    assert not ask_witnesses.is_due(stage.platform)


# --- what is no cosignature ----------------------------------------------------------------------------------------


@contextmanager
def saying(content: Callable[[bytes], bytes], status: int = 200) -> Iterator[str]:
    """A server that answers whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = content(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    with logs.served(Handler) as url:
        yield url


def test_only_a_valid_cosignature_of_the_witness_itself_is_kept(stage: Stage, witness: Witness) -> None:
    append(stage, 10)
    other, text = Witness("witness.example/w2", []), head(stage).text
    log_signed = auth.raw_signature(stage.platform.proof_keys[0], text.encode())
    future = Witness("witness.example/w1", [], at_s=int(NOW.timestamp()) + 3600)
    future.key, future.public = witness.key, witness.public
    wrong = {
        "nothing": "", "no line": "OK\n", "a line cut off": witness.line(text)[:-1], "another's": other.line(text),
        "another head's": witness.line(text.replace("\n11\n", "\n12\n")),
        "without a time": notes.signature_line(witness.public, log_signed),
        "of the future": future.line(text), "the log's own": notes.signature_line(log_keys(stage)[0], log_signed),
        "too long": witness.line(text) * 1000, "with text": "hello\n" + witness.line(text),
    }  # fmt: skip
    for what, lines in wrong.items():
        with saying(lambda _, lines=lines: lines.encode()) as url:  # type: ignore[misc]
            [(_, size, error)] = ask(asking(stage, {witness.public: url}))
        assert (size, bool(error)) == (None, True), what
    assert stage.count("log_cosignature") == 0
    with saying(lambda _: (other.line(text) + witness.line(text)).encode()) as url:
        assert ask(asking(stage, {witness.public: url})) == [(witness.public.name, 11, "")]
    assert notes.signers(head(stage), [witness.public, other.public], auth.is_ed25519) == [witness.public]


@pytest.mark.parametrize("said", [b"", b"x", b"-1\n", b"007\n", b"9" * 30 + b"\n", b"5", b"\xff\n", b"5\r\n"])
def test_a_conflict_without_a_size_is_no_size(stage: Stage, witness: Witness, said: bytes) -> None:
    append(stage, 10)
    with saying(lambda _: said, 409) as url:
        [(_, size, error)] = ask(asking(stage, {witness.public: url}))
    assert (size, witnesses.OTHER_ROOT in error) == (None, True)


def test_what_a_witness_is_sent_is_what_the_protocol_says(stage: Stage, witness: Witness) -> None:
    size = append(stage, 700)
    old = 300
    asked: list[bytes] = []

    def answer(body: bytes) -> bytes:
        asked.append(body)
        return witness.line(head(stage).text).encode()

    with stage.platform.db.transaction() as conn:
        tree = merkle.Tree(old, lambda level, index, width: log.tile(conn, level, index * 256, index * 256 + width))
        log.add_checkpoint(conn, old, "localhost/v1/log", tree.root(), "an older head", NOW)
        log.add_cosignature(conn, old, str(witness.public), "a line", NOW)
        root = tree.root()
    with saying(answer) as url:
        assert ask(asking(stage, {witness.public: url})) == [(witness.public.name, size, "")]
    [body] = asked
    proof, _, note = body.decode().partition("\n\n")
    first, *lines = proof.split("\n")
    with stage.platform.db.transaction() as conn:
        assert (first, note) == ("old 300", show_log.head(conn, size)["note"])
    path = [notes.read_base64(line) for line in lines]
    assert merkle.is_consistent(300, root, size, head(stage).root, path)


# --- nothing waits for a witness -----------------------------------------------------------------------------------


@contextmanager
def hanging() -> Iterator[tuple[str, list[socket.socket]]]:
    """A server that takes a connection and never says a word."""
    line, callers = socket.create_server(("127.0.0.1", 0)), []  # type: tuple[socket.socket, list[socket.socket]]

    def serve() -> None:
        try:
            while True:
                callers.append(line.accept()[0])
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{line.getsockname()[1]}", callers
    finally:
        for one in (line, *callers):
            one.close()


def test_a_witness_that_hangs_holds_up_neither_clock_nor_sequencer(
    stage: Stage, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_witnesses, "ANSWER_S", 3.0)
    append(stage, 10)
    with hanging() as (url, callers):
        asks = asking(stage, {witness.public: url})
        assert schedule.ask_for_cosignatures(asks.platform, NOW) == 1
        assert processes.eventually(lambda: bool(callers))
        assert schedule.ask_for_cosignatures(asks.platform, NOW) == 0  # one at a time
        assert append(stage, 10) == 21  # while it hangs
        assert not schedule._asking.acquire(blocking=False)
        assert processes.eventually(lambda: not schedule._asking.locked())
    assert stage.count("log_cosignature") == 0


def test_the_clock_asks_the_witnesses(stage: Stage, witness: Witness) -> None:
    size = append(stage, 10)
    with logs.witnessing(witness) as url:
        asks = asking(stage, {witness.public: url})
        schedule.run_due(asks.platform, dict.fromkeys(range(len(schedule.ROUND)), NOW), NOW)
        assert processes.eventually(lambda: stage.count("log_cosignature") == 1)
        assert processes.eventually(lambda: not schedule._asking.locked())
    assert witness.seen["localhost/v1/log"][0] == size


def test_witnesses_come_from_the_settings(database_url: str, redis_url: str) -> None:
    keys = [note_key(logs.new_key(), f"w{n}.example", notes.COSIGNATURE) for n in range(2)]
    setting = f"{keys[0]}, {keys[1]}  https://w1.example/prefix/"
    with cast.stage(database_url, redis_url, TANPUHUI_LOG_WITNESSES=setting) as stage:
        assert stage.platform.settings.log_witnesses == {keys[0]: "", keys[1]: "https://w1.example/prefix"}
