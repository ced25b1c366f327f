"""`tanpuhui standard`: the tools of whoever writes, checks or compares methodologies."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from backend import config
from backend.cli.terminal import load_standard, opened, say
from backend.usecases import compare_standards
from rules import coverage, show, standard, writing

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])


@click.group("standard")
def group() -> None:
    """The standard: methodologies, factors, parameters, approvals.

    Beside the shipped standard the folders in TANPUHUI_STANDARD are read: a city can keep its own packs there.
    """


@group.command("check")
@click.argument("folders", nargs=-1, type=FOLDER)
def check(folders: tuple[Path, ...]) -> None:
    """Load every pack and explain every mistake with file and line; warn of numbers past their review date."""
    loaded = load_standard(folders)
    for pack in loaded.methodologies:
        click.echo(f"{pack.code} {pack.version}\t{pack.status}\t{pack.name_zh} · {pack.name_en}")
        if left := standard.unfinished(pack):
            say(f"still to be filled in: {pack.code} {pack.version}: {', '.join(left)} / 尚有待填")
    today = datetime.now(UTC).date()
    for factor in loaded.factors.values():
        for value in factor.values:
            if value.review_by and value.review_by < today and (value.to_on is None or value.to_on > today):
                which = f"{factor.id} {value.region} {value.value_id}"
                say(f"review overdue since {value.review_by}: {which} / 已过复核日期")
    say("no mistakes / 没有错误")


@group.command("test")
@click.argument("folders", nargs=-1, type=FOLDER)
def test(folders: tuple[Path, ...]) -> None:
    """Run the worked examples of every pack."""
    loaded = load_standard(folders)
    kinds: Counter[str] = Counter()
    failed = 0
    for pack in loaded.packs:
        for case in loaded.run_cases(pack):
            failed += not case.ok
            kinds[case.case.kind] += 1
            click.echo(f"{'ok  ' if case.ok else 'FAIL'}\t{pack.code}\t{case}")
    say(", ".join(f"{kinds[kind]} {kind}" for kind in standard.CASE_KINDS))
    if failed:
        raise click.ClickException(f"{failed} cases failed")


@group.command("show")
@click.argument("code")
def show_pack(code: str) -> None:
    """What a methodology says."""
    loaded = load_standard()
    found = [pack for pack in loaded.methodologies if pack.code == code]
    if not found:
        known = sorted({p.code for p in loaded.methodologies})
        raise click.ClickException(f"no pack {code!r}; there are: {', '.join(known)}")
    for pack in found:
        click.echo(show.describe(loaded, pack))


@group.command("coverage")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for machines.")
def show_coverage(as_json: bool) -> None:
    """The working list of everyday behaviours: what measures each, with which numbers, and what is missing."""
    loaded = load_standard()
    rows = coverage.table(loaded, coverage.behaviours())
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    table = Table(show_lines=False, padding=(0, 1))
    heads = ("#", "类 行为 behaviour", "pack", "status", "formula", "factors (tier)", "regions", "cases p/x/d")
    for head in (*heads, "approvals", "missing"):
        table.add_column(head, overflow="fold")
    for row in rows:
        cases = "/".join(str(row["cases"][kind]) for kind in standard.CASE_KINDS)
        table.add_row(
            str(row["n"]), f"{row['category']} {row['zh']} {row['en']}", "\n".join(row["packs"]), row["status"],
            row["formula"], row["factors"], str(row["regions"]), cases, row["approvals"], row["missing"],
        )  # fmt: skip
    Console(width=None if os.isatty(1) else 220).print(table)
    say(coverage.summary(rows))
    for one in coverage.left_out():
        say(f"not expressed: {one['id']}: {one['reason']['en']}")


@group.command("new")
@click.argument("code")
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Your folder of packs; made if missing.")
@click.option("--name-zh", required=True)
@click.option("--name-en", required=True)
@click.option("--category", required=True, type=click.Choice(writing.CATEGORIES))
def new(code: str, folder: Path, name_zh: str, name_en: str, category: str) -> None:
    """Begin a methodology in FOLDER: files to fill in, which load and whose made-up numbers say that they are."""
    try:
        made = writing.new_pack(folder, code, name_zh, name_en, category, datetime.now(UTC).date())
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    for path in made:
        click.echo(path)
    say(f"fill them in, then: tanpuhui standard check {folder} / 填写后运行检查")


@group.command("approve")
@click.argument("pack", metavar="CODE@VERSION")
@click.option("--use", required=True, type=click.Choice(["points", "pool", "demonstration"]))
@click.option("--region", default="CN", show_default=True, help="GB/T 2260, or CN.")
@click.option("--body", required=True, help="Which body approves.")
@click.option("--document", required=True, help="The document, so that it can be found.")
@click.option("--from", "starts", required=True, type=DAY)
@click.option("--to", "ends", type=DAY, help="First day on which it no longer holds.")
@click.option("--folder", type=click.Path(path_type=Path), help="[default: the first folder of TANPUHUI_STANDARD]")
def approve(
    pack: str, use: str, region: str, body: str, document: str, starts: datetime, ends: datetime | None,
    folder: Path | None,
) -> None:  # fmt: skip
    """Record an approval in FOLDER/approvals.yaml, if the standard stays sound with it."""
    folders = config.standard_folders(os.environ)
    where = folder or (folders[0] if folders else None)
    if where is None:
        raise click.ClickException("where? give --folder, or set TANPUHUI_STANDARD / 请用 --folder 指定文件夹")
    code, _, version = pack.partition("@")
    record = {"pack": code, "version": version, "region": region, "use": use, "from": f"{starts:%Y-%m-%d}",
              "to": f"{ends:%Y-%m-%d}" if ends else "", "body": body, "document": document}  # fmt: skip
    try:
        writing.add_approval(where, record, [f for f in folders if f.resolve() != where.resolve()])
    except standard.StandardError as error:
        raise click.ClickException(str(error)) from None
    say(f"recorded in {where / 'approvals.yaml'}; running processes read it when they start again")


@group.command("approvals")
def approvals() -> None:
    """All approvals: pack, region, use, dates, body, document."""
    for one in load_standard().approvals:
        cells = (f"{one.pack_code}@{one.pack_version}", one.region, one.use, one.valid_from, one.valid_to or "",
                 one.body, one.document)  # fmt: skip
        click.echo("\t".join(map(str, cells)))


@group.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--from", "starts", type=DAY, default="2024-01-01", show_default=True, help="First day of the deeds.")
@click.option("--to", "ends", type=DAY, help="Day after the last.  [default: today]")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for machines.")
def diff(a: str, b: str, starts: datetime, ends: datetime | None, as_json: bool) -> None:
    """What a change from standard A to standard B would do to the deeds stored here; nothing is posted.

    A and B are `-` (the standard in force) or a folder: a whole standard, or packs and numbers that come on top.
    """
    days: tuple[date, date] = (starts.date(), ends.date() if ends else datetime.now(UTC).date())
    with opened() as platform:
        one, two = (_side(side) for side in (a, b))
        rows = compare_standards.compare_standards(platform, one, two, *days)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    table = Table(padding=(0, 1))
    for head in ("region", "behaviour", "deeds", "changed", "A kg", "B kg", "B - A kg", "%", "not in A", "not in B"):
        table.add_column(head, justify="left" if head in ("region", "behaviour") else "right")
    for row in rows:
        kg = [f"{row[name] / 1_000_000:,.3f}" for name in ("a_mg", "b_mg", "change_mg")]
        table.add_row(
            row["region"], row["behaviour"], f"{row['deeds']:,}", f"{row['changed']:,}", *kg, row["percent"],
            str(row["unmeasured_a"]), str(row["unmeasured_b"]),
        )  # fmt: skip
    Console(width=None if os.isatty(1) else 160).print(table)


def _side(name: str) -> standard.Standard:
    """The standard that an argument of `diff` means."""
    if name == "-":
        return load_standard()
    folder = Path(name)
    if not folder.is_dir():
        raise click.ClickException(f"{name} is no folder, and not '-' / 不是文件夹")
    try:
        return standard.load_alone(folder) if (folder / "regions.csv").exists() else load_standard((folder,))
    except standard.StandardError as error:
        raise click.ClickException(str(error)) from None
