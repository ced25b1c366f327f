"""`tanpuhui audit`: the auditor's day, on a database that is only read. Findings go to standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
import psycopg
from rich import progress
from rich.console import Console
from rich.table import Table

from backend import config
from backend.cli.serials import Unusable
from backend.cli.terminal import say
from backend.errors import Problem
from backend.store import audit as snapshots
from backend.store import migrate
from backend.usecases import audit_log, audit_tables, collect_findings
from rewards import notes, offline
from rules.replay import MALFORMED, Refused

KEPT_BY = {
    audit_tables.LEAF: "leaf / 叶",
    audit_tables.FOLLOWS: "follows / 重算",
    audit_tables.NOT: "not protected / 不受保护",
}
FILE_MAX_BYTES = 4 * 1024 * 1024

COUNTED = {  # what checks count, in Chinese
    "entries": "条目", "nodes": "节点", "checkpoints": "检查点", "not protected yet": "尚未受保护",
    "cosignatures": "见证签名", "correction": "更正", "recall": "召回", "close": "关池", "attestation": "核查",
    "issue": "签发", "cancellation": "取消", "amendment": "补充说明", "settlement": "分配", "sale": "售出",
    "refund": "退款", "transfer": "转让", "retirement": "注销", "terms": "条款", "erasure": "账户注销",
    "erased corrections": "随账户注销的更正", "recalls of erased people": "注销者的召回", "versions": "版本",
    "erased versions": "随账户注销的版本", "records": "记录", "records without a pack": "无包的记录",
    "packs": "方法学包", "leaves without rows": "无行之叶", "leaves that erasures account for": "账户注销所载的叶",
    "batches": "批次", "members": "成员", "certificates": "证书", "amendments": "补充说明",
    "leading records": "主记录", "roots": "原始记录", "reverdicts": "改判", "transfers": "转账",
    "points charged": "由他方承担的积分", "transfers of erasures": "账户注销的转账", "payouts": "付款",
    "lines of settlements": "分配明细", "settlements": "分配", "people of batches": "批次人数",
    "partners of batches": "批次合作方", "recalled": "批次召回", "live blocks": "现行区块",
    "first blocks": "初始区块", "cut blocks": "区块", "moved blocks": "移动", "order states": "订单",
    "registry": "登记", "identities": "恒等式",
}  # fmt: skip


@click.command("audit")
@click.option("--from", "since", metavar="CHECKPOINT",
              help="Look at facts from here on only: the size of a checkpoint, or a file with one that you kept. "
                   "The log itself is always recomputed from its first leaf.  [default: 0]")  # fmt: skip
@click.option("--to", "until", metavar="CHECKPOINT", help="Up to here.  [default: the newest]")
@click.option("--key", type=click.File("rb"),
              help="The platform's keys that you trust: lines of /v1/log/keys, JWK, JWK Set.  "
                   "[default: the log's own]")  # fmt: skip
@click.option("--database", metavar="URL", envvar="DATABASE_URL",
              help="The database or a replica of it.  [default: DATABASE_URL, or the running platform's]")  # fmt: skip
@click.option("--list", "as_list", is_flag=True, help="Say of every table what protects it, and stop.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: one a check, one a finding, the last the summary.")
def audit(
    since: str | None, until: str | None, key: BinaryIO | None, database: str | None, as_list: bool, as_json: bool
) -> None:  # fmt: skip
    """Recompute the log and everything in it from the tables, and tell every row that does not fit 核对日志与账目.

    Reads one moment of the database and writes nothing: a role that may only read will do, and a streaming replica. It
    needs no Redis, no secret and no key. A file given by --from or --to is a checkpoint that you kept (GET
    /v1/log/checkpoint): it must be signed, and the log must still be what it says. That alone shows a history that was
    rewritten by whoever has the platform's keys.

    Exit code 0: nothing was found; 1: there are findings; 2: it could not be done.
    """
    if as_list:
        _list(as_json)
        return
    kept: dict[str, notes.Checkpoint] = {}
    with _told():
        trusted = _keys(key.read(FILE_MAX_BYTES)) if key else ()
        asked = audit_log.Asked(_place(since, kept) or 0, _place(until, kept), kept, trusted)
        if asked.until is not None and asked.first > asked.until:
            raise Unusable("--from is behind --to / --from 晚于 --to")
        url = database or config.load(os.environ).database_url
        with snapshots.snapshot(url) as conn:
            if pending := [path.name for path in migrate.pending(conn)]:
                raise Unusable(
                    f"the database is of another version: it lacks / 数据库版本不符，缺少 {', '.join(pending)}"
                )
            found, bar = 0, _Bar()
            try:
                for check in audit_log.audit_log(conn, asked, bar.tell):
                    found += check.found
                    bar.clear()
                    _print(check, as_json)
            finally:
                bar.clear()
    _sum_up(found, as_json)
    sys.exit(1 if found else 0)


def _list(as_json: bool) -> None:
    if as_json:
        for name, kept in audit_tables.TABLES.items():
            click.echo(json.dumps({"table": name, **asdict(kept)}, ensure_ascii=False))
        return
    table = Table("table / 表", "kept by / 凭据", "how / 方式")
    for name, kept in audit_tables.TABLES.items():
        but = f"; but / 除外: {', '.join(kept.but)}" if kept.but else ""
        table.add_row(name, KEPT_BY[kept.by], f"{kept.en} / {kept.zh}{but}")
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    click.echo(f"{audit_tables.NEWEST[1]} / {audit_tables.NEWEST[0]}")


def _keys(raw: bytes) -> tuple[offline.PlatformKey, ...]:
    """Raises Refused."""
    try:
        return offline.read_keys(raw)
    except Refused:
        raise
    except MALFORMED:
        raise Refused("the key file is not of the form it should have", "公钥文件的结构有误") from None


def _place(text: str | None, kept: dict[str, notes.Checkpoint]) -> int | None:
    """The size that an option names; a checkpoint in a file is noted under the file's name. Raises Refused."""
    if text is None or (text.isascii() and text.isdigit()):
        return int(text) if text else None
    try:
        with Path(text).open("rb") as file:
            note = file.read(notes.NOTE_MAX_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(
            f"{text}: neither a size nor a file with a checkpoint / 既非大小也非检查点文件: {error}"
        ) from None
    kept[text] = notes.read_checkpoint(note)
    return kept[text].size


@contextmanager
def _told() -> Iterator[None]:
    """What keeps the audit from being done, in a sentence."""
    try:
        yield
    except (config.SettingsError, Refused) as error:
        raise Unusable(str(error)) from None
    except Problem as problem:
        raise Unusable(problem.detail or problem.code) from None
    except psycopg.errors.SerializationFailure as error:
        hint = "on a replica set hot_standby_feedback = on, or max_standby_streaming_delay = -1"
        raise Unusable(f"the replica took the rows away / 副本取消了查询: {error}; {hint}") from None
    except psycopg.Error as error:
        raise Unusable(f"the database cannot be read / 无法读取数据库: {error}") from None


class _Bar:
    """A progress bar on standard error that makes way for what is printed: both may be on one terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: progress.Progress | None = None
        self._tasks: dict[str, progress.TaskID] = {}

    def tell(self, what: str, done: int, whole: int) -> None:
        if not self._console.is_terminal:
            return
        if self._bar is None:
            self._bar = progress.Progress(console=self._console, transient=True)
            self._bar.start()
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what)
        self._bar.update(self._tasks[what], completed=done, total=whole)

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._bar, self._tasks = None, {}


def _print(check: collect_findings.Check, as_json: bool) -> None:
    if as_json:
        told = {"check": check.name, "zh": check.zh, "en": check.en, "counts": check.counts, "findings": check.found}
        click.echo(json.dumps(told | {"remarks": [dict(zip(("zh", "en"), one, strict=True)) for one in check.remarks]},
                              ensure_ascii=False))  # fmt: skip
        for one in check.findings:
            rows = [dict(zip(("table", "key"), row.split(" ", 1), strict=False)) for row in one.rows]
            click.echo(
                json.dumps({"finding": check.name, "rows": rows, "zh": one.zh, "en": one.en}, ensure_ascii=False)
            )
        return
    counts = ", ".join(f"{count:,} {what} {COUNTED[what]}" for what, count in check.counts.items() if count)
    verdict = f"FOUND / 发现 {check.found}" if check.found else "ok / 成立"
    click.echo(f"{check.en} / {check.zh}: {verdict}" + (f"; {counts}" if counts else ""))
    for zh, en in check.remarks:
        click.echo(f"  {en} / {zh}")
    for one in check.findings:
        click.echo(f"  {' | '.join(one.rows)}: {one.en} / {one.zh}")
    if check.found > len(check.findings):
        click.echo(f"  ... and {check.found - len(check.findings)} more / 另有 {check.found - len(check.findings)} 处")


def _sum_up(found: int, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"summary": {"ok": found == 0, "findings": found, "at": datetime.now(UTC).isoformat()}}))
    elif found:
        say(f"{found} findings: of the rows in a line one at least was changed / 共 {found} 处，每行所列至少一行被改动")
    else:
        say(f"nothing was found / 未发现问题。{' / '.join(reversed(audit_tables.NEWEST))}")
