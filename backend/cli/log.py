"""`tanpuhui log`: follow a log as an outsider, write ours as files, have it cosigned."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from urllib.parse import urlsplit

import click
import jwt
from rich import progress
from rich.console import Console

from backend import auth, witnesses
from backend.cli.terminal import opened, say
from backend.usecases import adopt_log, ask_witnesses, export_log, follow_log
from rewards import notes, offline
from rules.replay import Refused

ALARM = 3
LONG = 10_000  # entries from which on there is a progress bar
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("log")
def group() -> None:
    """The public log: follow it, export it, have it cosigned."""


@group.command("monitor")
@click.argument("url")
@click.option("--key", type=click.File("rb"),
              help="The log's key: a line of /v1/log/keys, JWK, JWK Set.  [default: trust at first use]")  # fmt: skip
@click.option("--state", "path", type=FILE, help="What was seen so far.  [default: tanpuhui-log-HOST.json]")
@click.option("--every", type=click.IntRange(1), default=60, show_default=True, metavar="SECONDS")
@click.option("--once", is_flag=True, help="One round.")
@click.option("--witness", type=click.File("r"), metavar="JWK", help="A private Ed25519 JWK: cosign what is right.")
@click.option("--name", help="The witness's name, as the log knows it.")
def monitor(
    url: str, key: BinaryIO | None, path: Path | None, every: int, once: bool, witness: TextIO | None, name: str | None
) -> None:
    """Follow the log at URL (a platform, or its log's address): that it only grows, is what its heads say, and adds up.

    Needs no platform and no database. Exit code 3 is an ALARM: the log did what it must never do; the signed heads that
    show it are written beside the state. 1: it could not be looked at.
    """
    cosigner = _cosigner(witness, name)
    path = path or Path(f"tanpuhui-log-{urlsplit(url).hostname}.json")
    with _told(), _locked(path):
        given = offline.read_keys(key.read(follow_log.KEYS_MAX_BYTES)) if key else ()
        state = follow_log.read_state(path.read_bytes()) if path.exists() else None
        if state is None and not given:
            _warn_of_first_use(url)
        rounds = _Rounds(url, path, given, cosigner, state)
        while not rounds.run(is_last=once):
            time.sleep(every)


class _Rounds:
    """Rounds of a monitor, and what goes over from one to the next."""

    def __init__(
        self, url: str, path: Path, given: tuple[offline.PlatformKey, ...],
        cosigner: tuple[str, auth.SigningKey] | None, state: follow_log.State | None,
    ) -> None:  # fmt: skip
        self.url, self.path, self.given, self.cosigner, self.state = url, path, given, cosigner, state
        self.server: witnesses.Server | None = None
        self.cosigned = -1

    def run(self, *, is_last: bool) -> bool:
        """One round; whether it was the last. Raises SystemExit at an alarm, Unanswered in the last one."""
        is_first, before = self.state is None, self.state.head.size if self.state else 0
        try:
            self.server = self.server or _found(self.url)
            with _bar("reading 读取") as tell:
                self.state = follow_log.follow_log(self.server, self.state, self.given, self._save, tell)
            click.echo(_line(self.state, before))
            if is_first and not self.state.is_pinned:
                say("".join(f"!! 信任 trusted: {key}\n" for key in self.state.keys).strip())
            self._cosign(self.server)
        except follow_log.Alarm as alarm:
            _sound(self.path, self.url, alarm)
        except witnesses.Unanswered as unanswered:
            if is_last:
                raise
            say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {unanswered}")
        return is_last

    def _save(self, state: follow_log.State) -> None:
        _write(self.path, follow_log.write_state(state))

    def _cosign(self, server: witnesses.Server) -> None:
        """Cosign the head that was found right, and is kept, unless it was cosigned before."""
        if self.cosigner is None or self.state is None or self.cosigned == self.state.head.size:
            return
        note = follow_log.cosigned(self.state, *self.cosigner, int(time.time()))
        answer = server.ask("POST", "cosignatures", note.encode())
        if answer.status == 200:
            self.cosigned = self.state.head.size
            say(f"已见证 · cosigned: {self.cosigned}")
        else:
            words = answer.content[:300].decode("utf-8", "replace")
            say(f"日志未接受见证签名 · the log did not take the cosignature ({answer.status}): {words}")


def _cosigner(witness: TextIO | None, name: str | None) -> tuple[str, auth.SigningKey] | None:
    """The witness's name and key. Raises BadParameter."""
    if (witness is None) != (name is None):
        raise click.BadParameter("--witness and --name belong together")
    if witness is None or name is None:
        return None
    try:
        jwk = json.load(witness)
        if not jwk.get("d") or jwk.get("crv") != "Ed25519":
            raise ValueError("no private Ed25519 key")
        [key] = auth.signing_keys(json.dumps([jwk]))
        notes.read_key(str(notes.NoteKey(name, notes.COSIGNATURE, auth.raw_public(key))))
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise click.BadParameter(
            f"--witness needs a private Ed25519 JWK, --name no blank and no plus: {error}"
        ) from None
    return name, key


def _warn_of_first_use(url: str) -> None:
    say(
        "!! 未指定公钥：将信任日志首次自称的公钥，请与他人所存核对 · no key was given: what the log says of itself "
        "is trusted. Compare the key below with what others have, or name it with --key"
    )
    if urlsplit(url).scheme == "http":
        say("!! 以 http 访问：途中任何人都可替换该公钥 · over http anybody on the way could replace it")


def _found(url: str) -> witnesses.Server:
    """The log at an address: of the log itself, or of the platform. Raises Unanswered."""
    for place in (url.rstrip("/"), f"{url.rstrip('/')}/v1/log"):
        server = witnesses.Server(place)
        if server.get(export_log.CHECKPOINT, notes.NOTE_MAX_BYTES) is not None:
            return server
        server.close()
    raise witnesses.Unanswered(f"此处没有日志 · no log is here: {url}")


def _line(state: follow_log.State, before: int) -> str:
    """A round in a line."""
    sums, head = state.seen.sums, state.head
    names = {"issue": "签发 issued", "sale": "售出 sold", "refund": "退回 refunded", "transfer": "转出 transferred out",
             "retirement": "注销 retired", "cancellation": "核销 cancelled"}  # fmt: skip
    grams = ", ".join(f"{words} {sums.grams[kind]:,} g" for kind, words in names.items() if sums.grams[kind])
    keys = ", ".join(key.key_id.hex() for key in state.keys) + ("" if state.is_pinned else " (首用信任 first use)")
    return (
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {head.origin}: {head.size:,} 条 entries (+{head.size - before:,}), "
        f"根 root {auth.base64_text(head.root)}, 公钥 keys {keys}; "
        f"行为 deeds {sums.entries['deed']:,}{', ' if grams else ''}{grams}"
    )


def _sound(path: Path, url: str, alarm: follow_log.Alarm) -> None:
    """Say it loudly, and keep what shows it beside the state; it stays there until a person takes it away."""
    number = 1
    while (folder := path.with_name(f"{path.name}.alarm-{number}")).exists():
        number += 1
    folder.mkdir(parents=True)
    for name, note in alarm.shown.items():
        if note:
            (folder / f"{name}.checkpoint").write_text(note, "utf-8")
    (folder / "alarm.txt").write_text(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{url}\n{alarm}\n", "utf-8")
    say(f"\n!!! 警报 ALARM !!!\n{alarm}\n证据 evidence: {folder}\n")
    sys.exit(ALARM)


@group.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Write the log into FOLDER as static files (C2SP tlog-tiles) for any web server, or bring them up to date."""
    with _told(), opened() as platform:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / "export"), _bar("writing 写出") as tell:
            size, written = export_log.export_log(platform, folder, tell)
    say(f"{size:,} 条 entries; {written:,} 个文件写出 files written")


@group.command("adopt")
def adopt() -> None:
    """Log what was done before there was a log: once, when a platform is upgraded."""
    with opened() as platform:
        adopted = adopt_log.adopt_log(platform)
    for kind, count in adopted.items():
        click.echo(f"{kind}\t{count}")
    say("以上已入日志 · these are logged now" if adopted else "没有遗漏 · nothing was missing")


@group.command("cosign")
def cosign() -> None:
    """Ask the witnesses of TANPUHUI_LOG_WITNESSES to cosign the newest head, now; exit code 1 if one did not."""
    with opened() as platform:
        asked = ask_witnesses.ask_witnesses(platform, datetime.now(UTC))
    for one in asked:
        click.echo(f"{one.witness}\t{one.error or one.size}")
    if not asked:
        say("无须询问：没有带网址的见证者，或均已见证 · nobody to ask: no witness has an address, or all have cosigned")
    if any(one.error for one in asked):
        sys.exit(1)


# --- files and words -----------------------------------------------------------------------------------------------


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong, said in a sentence."""
    try:
        yield
    except (witnesses.Unanswered, Refused, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time for a file. Raises ClickException while another one is at it."""
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"另一进程正在使用 · another one is at it: {path}") from None
        yield


def _write(path: Path, content: bytes) -> None:
    """Wholly or not at all, and on the disk: a witness must not forget what it has signed."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@contextmanager
def _bar(words: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, where there is much to do."""
    stderr = Console(stderr=True)
    columns: tuple[Any, ...] = (*progress.Progress.get_default_columns(), progress.MofNCompleteColumn())
    with progress.Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(words, total=None, visible=False)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=total - done > LONG or bar.tasks[0].visible)

        yield tell
