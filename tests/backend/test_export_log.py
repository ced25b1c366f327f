"""The log as static files: the very bytes of the platform's routes, followed by a stranger from any web server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.cli import log as log_cli
from backend.store import log
from backend.usecases import export_log, sequence_log
from rewards import merkle, notes
from tests import cast, logs
from tests.cast import Stage


def append(stage: Stage, count: int) -> int:
    """Let deeds wait and be sequenced; the log's size."""
    with stage.platform.db.transaction() as conn:
        known = stage.count("log_leaf")
        log.add_pending(conn, [("deed", known + n, 1, logs.deed_entry(known + n)) for n in range(count)])
    sequence_log.sequence_log(stage.platform, datetime.now(UTC))
    return stage.count("log_leaf")


def export(stage: Stage, folder: Path) -> tuple[int, int]:
    return export_log.export_log(stage.platform, folder, lambda done, total: None)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Silence."""


@contextmanager
def static(folder: Path) -> Iterator[str]:
    """The folder behind Python's own web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("count", [1, 254, 255, 256, 700, 65_536])
def test_the_files_are_the_very_bytes_of_the_routes(stage: Stage, tmp_path: Path, count: int) -> None:
    size = append(stage, count)
    exported, written = export(stage, tmp_path)
    found = files(tmp_path)
    assert (exported, written, export_log.total(size)) == (size, len(found) - 2, len(found) - 2)
    sample = sorted(found)[:: max(len(found) // 40, 1)]
    for path in {*sample, "checkpoint", *(path for path in found if ".p/" in path)} - {"keys"}:
        answer = stage.http.get(f"/v1/log/{path}")
        assert (answer.status_code, answer.data) == (200, found[path]), path
    assert stage.http.get("/v1/log/keys").json == json.loads(found["keys"])


def test_a_stranger_follows_the_files_from_any_web_server(stage: Stage, tmp_path: Path) -> None:
    append(stage, 700)
    export(stage, tmp_path / "web")
    with static(tmp_path / "web") as url:
        words = ["monitor", url, "--once", "--state", str(tmp_path / "state.json")]
        told = CliRunner().invoke(log_cli.group, words)
        assert (told.exit_code, "701 条 entries (+701)" in told.stdout) == (0, True), told.output
        append(stage, 300)
        export(stage, tmp_path / "web")
        told = CliRunner().invoke(log_cli.group, words)
        assert (told.exit_code, "1,001 条 entries (+300)" in told.stdout) == (0, True), told.output
        append(stage, 1)
        export(stage, tmp_path / "web")
        bundle = tmp_path / "web/tile/entries/003.p/234"
        bundle.write_bytes(merkle.bundle([*merkle.read_bundle(bundle.read_bytes())[:-1], logs.deed_entry(10**9)]))
        told = CliRunner().invoke(log_cli.group, words)
        assert (told.exit_code, "entry 1001 hashes otherwise" in told.stderr) == (3, True), told.output


def test_what_never_changes_is_not_written_again(stage: Stage, tmp_path: Path) -> None:
    append(stage, 699)
    export(stage, tmp_path)
    before = times(tmp_path)
    assert export(stage, tmp_path) == (700, 0)
    append(stage, 100)
    assert export(stage, tmp_path) == (800, 5)  # of entries and of leaves a full one and a part; of level 1 a part
    after = times(tmp_path)
    assert before.keys() - after.keys() == {"tile/0/002.p/188", "tile/entries/002.p/188"}  # the full ones are there
    written = {path for path, at in after.items() if before.get(path) != at}
    assert written == {"checkpoint", "keys", "tile/0/002", "tile/0/003.p/32", "tile/1/000.p/3", "tile/entries/002",
                       "tile/entries/003.p/32"}  # fmt: skip


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_file_that_was_lost_is_written_again(stage: Stage, tmp_path: Path) -> None:
    append(stage, 700)
    export(stage, tmp_path)
    whole = files(tmp_path)
    (tmp_path / "tile/0/001").unlink()
    assert export(stage, tmp_path) == (701, 1)
    assert files(tmp_path) == whole


def test_the_head_comes_last_and_halves_of_a_broken_export_are_written_anew(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(stage, 300)
    export(stage, tmp_path)
    head = (tmp_path / "checkpoint").read_bytes()
    append(stage, 600)
    write, room = export_log._write, iter(range(4))

    def fill_the_disk(path: Path, content: bytes) -> None:
        if next(room, None) is None:
            path.write_bytes(b"half")  # as a power cut may leave it
            raise OSError("No space left on device")
        write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(export_log, "_write", fill_the_disk)
        with pytest.raises(OSError, match="No space left"):
            export(stage, tmp_path)
    assert (tmp_path / "checkpoint").read_bytes() == head
    export(stage, tmp_path)
    fresh = tmp_path / "fresh"
    export(stage, fresh)
    expected = files(fresh)
    assert {path: raw for path, raw in files(tmp_path).items() if path in expected} == expected


def test_another_log_is_never_written_over(stage: Stage, tmp_path: Path) -> None:
    append(stage, 10)
    export(stage, tmp_path)
    ours = (tmp_path / "checkpoint").read_text()
    key = logs.new_key()
    strange = [
        logs.signed("localhost/v1/log", 11, bytes(32), [key]), ours.replace("localhost", "elsewhere"),
        logs.signed("localhost/v1/log", 2**62, bytes(32), [key]), "no head at all\n", "\xff",
    ]  # fmt: skip
    for text in strange:
        (tmp_path / "checkpoint").write_text(text)
        with pytest.raises(ValueError, match="holds another log, or a newer head"):
            export(stage, tmp_path)
        assert (tmp_path / "checkpoint").read_text() == text


def test_the_command_exports_and_says_how_much(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = stage.platform.settings
    for name, value in cast.environment(settings.database_url, settings.redis_url).items():
        monkeypatch.setenv(name, value)
    early = CliRunner().invoke(log_cli.group, ["export", str(tmp_path / "web")])
    assert (early.exit_code, "the log has no entry yet" in early.output) == (1, True), early.output
    append(stage, 700)
    told = CliRunner().invoke(log_cli.group, ["export", str(tmp_path / "web")])
    assert (told.exit_code, "701 条 entries; 7 个文件写出 files written" in told.stderr) == (0, True), told.output
    head = notes.read_checkpoint((tmp_path / "web/checkpoint").read_text())
    assert head.size == 701
