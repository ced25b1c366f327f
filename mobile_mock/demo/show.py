"""What the demo shows on the way, in the terminal, in Chinese and English."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mobile_mock.demo.host import Place
from mobile_mock.traffic.grade import Mismatch

_console = Console(stderr=True, width=None if sys.stderr.isatty() else 140)


def step(title: str, text: str) -> None:
    _console.print(f"\n[bold green]{title}[/]  {text}")


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    with Progress(console=_console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)


def verdicts(said: Sequence[dict[str, Any]]) -> None:
    """How many of each verdict and code, and one reason for each, as a person reads it."""
    table = Table(
        "判定 verdict",
        "代码 code",
        "数 events",
        "减排 kg",
        "积分 points",
        "原因 reason",
        title="判定 What became of the events",
    )
    groups = Counter((v["verdict"], v["code"]) for v in said)
    for (verdict, code), n in sorted(groups.items(), key=lambda item: -item[1]):
        mine = [v for v in said if (v["verdict"], v["code"]) == (verdict, code)]
        kg = sum(v["reduction_mg"] for v in mine) / 1_000_000
        points = sum(v["points"] for v in mine)
        table.add_row(verdict, code, f"{n:,}", f"{kg:,.1f}", f"{points:,}", mine[0].get("reason", ""))
    _console.print(table)


def answer_key(count: int, wrong: Sequence[Mismatch]) -> None:
    _console.print(f"答案核对 answer key: {count - len(wrong):,} of {count:,} verdicts are right")
    for mismatch in wrong[:20]:
        _console.print(f"  [red]wrong[/] {mismatch}")


def batches(issued: Sequence[dict[str, Any]]) -> None:
    table = Table(
        "批次 batch", "来源 origin", "行为 deeds", "减排 kg", "签发 issued g", "储备 reserve g", title="签发 Issued"
    )
    for batch in issued:
        kg = (batch["reduction_mg"] or 0) / 1_000_000
        origin = f"{batch['region']['zh']} {batch['methodology']['zh']} {batch['vintage']}"
        issue = batch["issue"]
        table.add_row(
            str(batch["id"]),
            origin,
            f"{batch['deeds'] or 0:,}",
            f"{kg:,.1f}",
            f"{issue['issued_g']:,}",
            f"{issue['reserve_g']:,}",
        )
    _console.print(table)
    _console.print("[yellow]示范，不得用于任何声明 · demonstration, no claim may be made[/]")


def retirement(order: dict[str, Any], certificate: dict[str, Any]) -> None:
    _console.print(f"order {order['id']}: {order['quantity_g']:,} g for CNY {order['amount_fen'] / 100:,.2f}")
    _console.print(f"certificate [bold]{certificate['number']}[/]: {certificate['quantity_g']:,} g retired")


def flows(totals: dict[str, Any]) -> None:
    step("资金 Money back", "by published terms, to the fen")
    for zh, en, name in (
        ("公司支付", "companies paid", "sold_fen"), ("行为人", "the people", "citizens_fen"),
        ("合作方", "partners", "partners_fen"), ("平台", "the platform", "platform_fen"),
        ("公益基金", "public-benefit fund", "fund_fen"), ("留待取整", "left by rounding", "waiting_in_batches_fen"),
    ):  # fmt: skip
        _console.print(f"  {zh} {en}: CNY {totals[name] // 100:,}.{totals[name] % 100:02d}")
    if totals["people_paid"]:
        _console.print(f"  {totals['people_paid']:,} people have a line in their statement")


def citizen(me: dict[str, Any], deeds: dict[str, Any], statement: dict[str, Any]) -> None:
    totals = me["totals"]
    found = f"{totals['points']:,} points, {totals['reduction_mg'] / 1000:,.0f} g"
    step("居民 A citizen", f"logs in on the phone and finds {found}")
    for deed in deeds["items"]:
        line = f"{deed['started_at'][:16]}  {deed['verdict']:<13} {deed['points']:>4} points  {deed['reason']['en']}"
        _console.print(f"  {line}")
    _console.print(f"  earnings 收益: {statement['balance_fen']} fen")
    for line in statement["lines"][:3]:
        _console.print(f"  {line['amount_fen']:+} fen  {line.get('note', {}).get('en', line['kind'])}")


def proven(file: Path, lines: list[str]) -> None:
    _console.print(f"[bold]{file.name}[/]")
    for line in lines:
        _console.print(f"  {line}", markup=False, soft_wrap=True)


def proof(conservation: dict[str, Any]) -> None:
    table = Table(
        "等式 identity", "单位 unit", "左 left", "右 right", "", title="守恒 Conservation, live from the tables"
    )
    for identity in conservation["identities"]:
        mark = "[green]ok[/]" if identity["ok"] else "[red]FAILED[/]"
        table.add_row(identity["en"], identity["unit"], f"{identity['left']:,}", f"{identity['right']:,}", mark)
    _console.print(table)


def replayed(name: str, totals: dict[str, Any]) -> None:
    _console.print(
        f"{name}: {totals['trips']}; region {totals['region']} is stated, moved by {totals['shift_days']} days"
    )
    _console.print(f"  codes {totals['codes']}  skipped {totals['skipped']}")


def pages(place: Place, summary: dict[str, Any], keep: bool) -> None:
    _console.print(f"\n证书 certificate: {summary['certificate_pdf']}")
    if keep:
        step("浏览 Open", "Ctrl-C stops everything")
        for title, url in (
            ("手机页面 phone page", place.phone_url),
            ("接口文档 API reference", f"{place.base_url}/docs"),
            ("守恒 conservation", f"{place.base_url}/v1/conservation"),
            ("标准 the standard", f"{place.base_url}/standard"),
            ("计算器 calculator", f"{place.base_url}/calculator"),
            ("登记簿 registry", f"{place.base_url}/registry"),
            ("公开数据 figures", f"{place.base_url}/figures"),
            ("查验 verify", f"{place.base_url}/verify"),
            ("公司控制台 console", f"{place.base_url}/console  (key: {place.out / 'company.key'})"),
            ("资金流向 money flows", f"{place.base_url}/flows"),
            ("在售 offers", f"{place.base_url}/v1/offers"),
            ("证书 certificate", f"{place.base_url}/v1/certificates/{summary['certificate']}.pdf"),
        ):
            _console.print(f"  {title:<24} {url}")
