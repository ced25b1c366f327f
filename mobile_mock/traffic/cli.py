"""The command line of partner traffic."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich import progress
from rich.console import Console
from rich.table import Table

from mobile_mock.traffic import generate, grade, keys, moving, replay, send, terminal
from mobile_mock.traffic.client import Platform, Undelivered
from mobile_mock.traffic.connectors import FORMATS, Format, stations_path
from mobile_mock.traffic.trips import CHINA, InputError, Reading
from mobile_mock.traffic.truth import commands

SHOWN_MISMATCHES = 50
NO_COORDINATES = (
    "The region is stated, not measured: without --coordinates these serve for distance_m only and are not sent. "
    "Moving a trip rigidly to the region's reference point changes no distance: distance_m is the same either way."
)


@click.group()
def main() -> None:
    """Partner traffic: real raw files as signed batches of events, and made traffic with its answer key."""


@main.command("replay", epilog=NO_COORDINATES)
@terminal.sources
@terminal.sending
@click.option(
    "--client", "client_id", required=True, help="The partner's client id, as `tanpuhui clients add` printed."
)
@click.option("--key", "key_file", required=True, type=terminal.existing, help="The client's private JWK.")
@click.option(
    "--subjects", required=True, type=terminal.existing, help="CSV partner_ref,subject of `tanpuhui people add`."
)
@click.option("--region", default="", help="GB/T 2260 code in which the trips are said to lie.")
@click.option(
    "--shift-to",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Move all by whole days so that the earliest local date becomes this one; wall clock kept, zone +08:00.",
)
@click.option("--delay", default=0, help="Seconds added to both ends: a second reporter with another clock.")
@click.option(
    "--coordinates",
    type=click.Choice(list(moving.DATUMS)),
    help="Send origin and destination in this datum, moved rigidly to the region's reference point.",
)
@click.option("--rename", is_flag=True, help="Event ids and act_refs under this client's prefix: a second reporter.")
@click.option("--batch", default=1000, show_default=True, type=click.IntRange(1, 1000), help="Events in a batch.")
@click.option(
    "--concurrency", default=1, show_default=True, type=click.IntRange(1, 64), help="Batches on the way at once."
)
def replay_command(
    format_name: str,
    files: Sequence[Path],
    stations: Path | None,
    base_url: str,
    retry_for: float,
    client_id: str,
    key_file: Path,
    subjects: Path,
    region: str,
    shift_to: datetime | None,
    delay: int,
    coordinates: str | None,
    rename: bool,
    batch: int,
    concurrency: int,
) -> None:
    """Send the trips of raw FILES (.csv or .csv.gz); the last line is JSON totals. Sending again is harmless."""
    with terminal.plain_errors():
        source = FORMATS[format_name]
        region = region or source.region
        if not region and not source.rows_carry_region:
            raise InputError("--region is needed: the source's own place is not a region of the standard")
        stations = stations_path(source, stations, files)
        platform = Platform(
            base_url,
            client_id,
            keys.load(key_file),
            retry_for_s=retry_for,
            connections=concurrency,
            on_wait=terminal.say_waiting,
        )
        known = replay.subjects_in(subjects)
        days = terminal.days_to(shift_to.date(), source, files, stations) if shift_to else None
        issuer = client_id if rename else source.issuer
        mover = terminal.mover(coordinates, source, region, base_url) if coordinates else None
        placing = replay.Placing(region, source.zone, days, delay, issuer, rename, mover)
        began = time.monotonic()
        with terminal.read(source, files, stations, "sending") as (trips, reading):
            totals = replay.send(replay.events(trips, known, placing, reading), platform, batch, concurrency)
    seconds = time.monotonic() - began
    if totals.problem:
        terminal.stderr.print(f"not delivered: {totals.problem}; the same command again goes on", style="red")
    terminal.stderr.print(f"{source.note}. {NO_COORDINATES}", style="dim")
    click.echo(json.dumps(_summary(totals, reading, seconds, platform.retries, format_name, source, placing)))
    raise SystemExit(1 if totals.problem else 0)


def _summary(
    totals: replay.Totals,
    reading: Reading,
    seconds: float,
    retries: int,
    format_name: str,
    source: Format,
    placing: replay.Placing,
) -> dict[str, Any]:
    """The last line of a replay."""
    return {
        "files": reading.files,
        "rows": reading.rows,
        **totals.report(),
        "skipped": dict(reading.skipped),
        "source": reading.source_report(),
        "seconds": round(seconds, 3),
        "events_per_second": round(totals.sent / seconds, 1) if seconds else 0,
        "retries": retries,
        "format": format_name,
        "region": placing.region or "as the rows state",
        "region_is": "stated, and coordinates are sent" if placing.mover else "stated; no coordinates are sent",
        **({"coordinates": placing.mover.report()} if placing.mover else {}),
        "shift_days": placing.days or 0,
        "zone": "+08:00" if placing.days is not None else "the source's own",
        "delay_s": placing.delay_s,
        "issuer": placing.issuer,
        "trips": source.note,
    }


@main.command("people")
@terminal.sources
def people_command(format_name: str, files: Sequence[Path], stations: Path | None) -> None:
    """Print the source's own names of the people with a trip in FILES, one a line, for `tanpuhui people add --ids`."""
    with terminal.plain_errors():
        source = FORMATS[format_name]
        with terminal.read(source, files, stations_path(source, stations, files), "reading") as (trips, _):
            refs = sorted({trip.partner_ref for trip in trips} - {""})
    click.echo("\n".join(refs))


@main.command("generate")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write.")
@click.option("--seed", required=True, type=int, help="The same seed makes the same traffic.")
@click.option("--events", default=2000, show_default=True, help="All events, duplicates and bad ones among them.")
@click.option("--people", default=300, show_default=True)
@click.option(
    "--month",
    type=click.DateTime(["%Y-%m"]),
    help="YYYY-MM, over.  [default: the last one that ended ten days ago or more, so that its pool can close]",
)
@click.option("--duplicate-share", default=0.15, show_default=True)
@click.option("--late-share", default=0.05, show_default=True, help="A fifth of them beyond the window of acceptance.")
@click.option("--bad-share", default=0.05, show_default=True)
@click.option("--batch", default=200, show_default=True, type=click.IntRange(1, 1000), help="Events in a round.")
def generate_command(out: Path, seed: int, month: datetime | None, **shares: Any) -> None:
    """Write made traffic of four partners in three cities and its answer key; the last line is JSON totals."""
    today = datetime.now(CHINA).date()
    first_on = month.date() if month else generate.default_month(today)
    with terminal.plain_errors():
        if first_on >= today.replace(day=1):
            raise InputError("--month must be over: a deed of the future is refused")
        try:
            manifest = generate.make(out, seed, month=first_on, **shares)
        except ValueError as error:
            raise InputError(str(error)) from None
    terminal.stderr.print(f"{generate.NOTE}: {out}")
    click.echo(json.dumps({name: value for name, value in manifest.items() if name != "plan"}, ensure_ascii=False))


@main.command("send")
@click.option("--dir", "folder", required=True, type=terminal.folder, help="A folder that `generate` wrote.")
@click.option(
    "--partner",
    "partners",
    multiple=True,
    required=True,
    nargs=4,
    metavar="NAME CLIENT KEY SUBJECTS",
    help="One of the made partners, its client id, its private JWK, the CSV of `people add`. Once for each.",
)
@terminal.sending
def send_command(folder: Path, partners: Sequence[tuple[str, str, str, str]], base_url: str, retry_for: float) -> None:
    """Send made traffic in the order of its plan and write verdicts.jsonl; the last line is JSON."""
    with terminal.plain_errors():
        senders = {
            name: send.Sender(
                Platform(
                    base_url, client_id, keys.load(Path(key)), retry_for_s=retry_for, on_wait=terminal.say_waiting
                ),
                replay.subjects_in(Path(subjects)),
            )
            for name, client_id, key, subjects in partners
        }
        try:
            with progress.Progress(console=terminal.stderr) as bar:
                task = bar.add_task("sending", total=send.manifest_of(folder)["events"])
                sent = send.send(folder, senders, lambda count: bar.advance(task, count))
        except Undelivered as fault:
            raise click.ClickException(f"not delivered: {fault}") from None
    click.echo(json.dumps({"sent": sent, "verdicts_file": str(folder / "verdicts.jsonl")}, ensure_ascii=False))


@main.command("grade")
@click.option("--dir", "folder", required=True, type=terminal.folder, help="A folder that `send` has sent.")
def grade_command(folder: Path) -> None:
    """Compare the platform's verdicts with the answer key; the last line is JSON, exit code 1 on any mismatch."""
    with terminal.plain_errors():
        count, wrong = grade.grade(folder)
    if wrong:
        table = Table(*("partner", "line", "id", "kind", "expected", "said"), title=f"{len(wrong)} of {count} wrong")
        for mismatch in wrong[:SHOWN_MISMATCHES]:
            table.add_row(*map(str, astuple(mismatch)))
        Console(width=160).print(table)
    click.echo(json.dumps({"answer_key": "failed" if wrong else "ok", "events": count, "wrong": len(wrong)}))
    raise SystemExit(1 if wrong else 0)


main.add_command(commands.truth_command)
main.add_command(commands.doubles_command)
