"""The commands `truth` and `doubles`."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich import progress
from rich.table import Table

from mobile_mock.traffic import keys, moving, replay, terminal, trips
from mobile_mock.traffic.client import Platform, Undelivered
from mobile_mock.traffic.connectors import FORMATS, Format, stations_path
from mobile_mock.traffic.moving import Mover
from mobile_mock.traffic.trips import InputError, Trip
from mobile_mock.traffic.truth import copies, deliver, doubles, report, score
from mobile_mock.traffic.truth.copies import Bounds, Copy, Real
from mobile_mock.traffic.truth.deliver import Run, Sender

RULES = (
    "Copies: ids of their own; the operator's (first partner's) is exact but for its clock and carries its act_ref and "
    "evidence, the others draw theirs from device, screenshot, self_declared."
)


def _levels(_: click.Context, __: click.Parameter, value: str) -> list[int]:
    try:
        levels = [int(part) for part in value.split(",")]
    except ValueError:
        levels = []
    if not levels or min(levels) < 0:
        raise click.BadParameter("it looks like 0,10,30,60,90")
    return levels


@click.command("truth", epilog=RULES)
@terminal.sources
@terminal.sending
@click.option(
    "--partner", "partners", multiple=True, required=True, nargs=3, metavar="CLIENT KEY SUBJECTS",
    help="Client id, its private JWK, CSV of `people add` (of the same people for all). 2 to 4 times, the operator of "
    "the trips first: let it in with --issuer as the trips' act_refs name it, or its orders count as device.",
)  # fmt: skip
@click.option("--region", default="", help="GB/T 2260 code in which the trips are said to lie.")
@click.option("--shift-to", type=click.DateTime(["%Y-%m-%d"]), required=True, help="As for replay.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same copies in the same batches.")
@click.option("--copies", default=4, show_default=True, type=click.IntRange(1, 4), help="1 to N a trip.")
@click.option(
    "--jitter", "levels_s", default="0,10,30,60,90", show_default=True, callback=_levels, help="Levels, s, one a trip."
)
@click.option(
    "--clocks", default="uniform", show_default=True, type=click.Choice(["uniform", "edge"]),
    help="A copy's one signed offset: anywhere from -level to level, or one of both.",
)  # fmt: skip
@click.option("--noise", default=0.15, show_default=True, type=click.FloatRange(0, 0.9), help="Of the distance.")
@click.option("--late-days", default=20.0, show_default=True, type=click.FloatRange(0), help="Order of sending only.")
@click.option(
    "--forwarded",
    "forwarded_share",
    default=0.1,
    show_default=True,
    help="Share of copies that carry the operator's act_ref.",
)
@click.option("--coordinates", is_flag=True, help="Copies in other datums: WGS-84, GCJ-02, BD-09, and some without.")
@click.option("--tolerance", default=10, show_default=True, help="Overlap of two trips that the key bears, s.")
@click.option("--concurrency", default=4, show_default=True, type=click.IntRange(1, 64), help="Threads over all.")
@click.option("--limit", type=click.IntRange(1), help="Only the first N trips.")
@click.option(
    "--sample", default=1.0, show_default=True, help="Share of the people whose verdicts are read and scored."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write every judged copy, JSON lines.")
def truth_command(
    format_name: str,
    files: Sequence[Path],
    stations: Path | None,
    base_url: str,
    retry_for: float,
    partners: Sequence[tuple[str, str, str]],
    region: str,
    shift_to: datetime,
    seed: int,
    limit: int | None,
    sample: float,
    concurrency: int,
    tolerance: int,
    coordinates: bool,
    out: Path | None,
    **how: Any,
) -> None:
    """Deliver each real trip of FILES 1 to 4 times and hold the final duplicate verdicts against what is known.

    The last line is JSON; exit code 1 when an aim is missed. Give it people and days that the platform knows nothing
    of yet. The same command again is harmless and gives the same figures.
    """
    with terminal.plain_errors():
        if not 2 <= len(partners) <= 4:
            raise InputError("--partner is needed 2 to 4 times")
        senders = [_sender(base_url, retry_for, concurrency, *partner) for partner in partners]
        read, skipped = _trips(format_name, files, stations, shift_to, senders, limit)
        region = region or FORMATS[format_name].region
        if not region and not all(trip.region for trip in read):
            raise InputError("--region is needed: the source's own place is not a region of the standard")
        bounds = Bounds(**how)
        tag = _tag(seed, region, shift_to, tolerance, coordinates, astuple(bounds), len(read))
        rng = random.Random(seed)
        real, left_out = copies.reals(read, bounds.levels_s, timedelta(seconds=tolerance), rng)
        made = copies.copies(real, bounds, len(senders), rng)
        movers = _movers(FORMATS[format_name], region, base_url) if coordinates else {}
        run = Run(real, senders, tag, region, movers, max(1, concurrency // len(senders)))
        scored = _sample(real, made, sample, rng)
        began = time.monotonic()
        fates = _deliver(run, made, scored, copies.batches(made, len(senders), rng))
        seconds = time.monotonic() - began
    judged = score.judge(real, scored, fates)
    figures = report.summary(judged)
    report.show_examples(terminal.stderr, real, judged, fates, scored)
    report.show(terminal.stderr, figures)
    if out:
        out.write_text("".join(f"{json.dumps(line)}\n" for line in report.lines(judged, real)), encoding="utf-8")
    told = {
        "trips": len(real), "copies": len(made), "copies_scored": len(scored), "skipped": dict(skipped),
        "left_out_of_the_key": dict(left_out), "said_of_the_left_out": report.left_out(real, scored, fates),
        **figures, "seconds": round(seconds, 1), "seed": seed, "sample": sample, "partners": len(senders),
        "how": how, "coordinates": coordinates, "tolerance_s": tolerance,
        "declared": "tiers are as declared; distances, clocks, evidence and delays of the copies are made",
    }  # fmt: skip
    click.echo(json.dumps(told))
    raise SystemExit(1 if False in figures["aims"].values() else 0)


def _tag(*what: object) -> str:
    """Before the event ids of a run: what is the same run has the same ids."""
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]


def _movers(source: Format, region: str, base_url: str) -> dict[str, Mover]:
    return {datum: terminal.mover(datum, source, region, base_url) for datum in moving.DATUMS}


def _sender(base_url: str, retry_for: float, connections: int, client_id: str, key: str, subjects: str) -> Sender:
    platform = Platform(
        base_url, client_id, keys.load(Path(key)), retry_for_s=retry_for, connections=connections,
        on_wait=terminal.say_waiting,
    )  # fmt: skip
    return Sender(client_id, platform, replay.subjects_in(Path(subjects)))


def _trips(
    format_name: str, files: Sequence[Path], stations: Path | None, shift_to: datetime, senders: Sequence[Sender],
    limit: int | None,
) -> tuple[list[Trip], Counter[str]]:  # fmt: skip
    """The trips of people whom every partner knows, moved to their days, and what was left aside."""
    source = FORMATS[format_name]
    stations = stations_path(source, stations, files)
    days = terminal.days_to(shift_to.date(), source, files, stations)
    kept: list[Trip] = []
    with terminal.read(source, files, stations, "reading") as (read, reading):
        for trip in islice(read, limit):
            if all(trip.partner_ref in sender.subjects for sender in senders):
                kept.append(trips.shifted(trip, source.zone, days))
            else:
                reading.skipped["no_subject"] += 1
    if not kept:
        raise InputError("no trip of a person whom every partner knows: import the same people for each of them")
    return kept, reading.skipped


def _sample(real: Sequence[Real], made: Sequence[Copy], share: float, rng: random.Random) -> list[Copy]:
    """The copies of a share of the people: of those all, for the verdicts on one deed explain each other."""
    people = dict.fromkeys(one.trip.partner_ref for one in real)
    chosen = {person for person in people if rng.random() < share}
    return [copy for copy in made if real[copy.trip].trip.partner_ref in chosen]


def _deliver(
    run: Run, made: Sequence[Copy], scored: Sequence[Copy], batches: Sequence[Sequence[Sequence[Copy]]]
) -> deliver.Fates:
    """The verdicts that hold in the end: the first ones where they cannot have changed."""
    try:
        with progress.Progress(console=terminal.stderr) as bar:
            sending = bar.add_task("sending", total=len(made))
            first = deliver.send(run, batches, lambda count: bar.advance(sending, count))
            asked = deliver.unsettled(run.reals, scored, first)
            reading = bar.add_task("reading what holds", total=len(asked))
            return first | deliver.read_final(run, asked, lambda count: bar.advance(reading, count))
    except Undelivered as fault:
        raise click.ClickException(f"not delivered: {fault}; the same command again goes on") from None


@click.command("doubles")
@terminal.sources
@click.option("--facts", type=terminal.existing, help="The data's facts.json, to be printed beside.")
def doubles_command(format_name: str, files: Sequence[Path], stations: Path | None, facts: Path | None) -> None:
    """Find the trips of FILES that are double in the source itself; print ten of each, last line JSON."""
    with terminal.plain_errors():
        source = FORMATS[format_name]
        stations = stations_path(source, stations, files)
        with terminal.read(source, files, stations, "reading") as (read, reading):
            found = doubles.find(list(read))
        stated = json.loads(facts.read_text(encoding="utf-8")) if facts else {}
    section = stated.get(doubles.SECTIONS.get(format_name, format_name), {})
    table = Table("kind", "found", "in facts.json", "under the name of")
    for kind, cases in found.items():
        name = doubles.FACTS.get(format_name, {}).get(kind, "")
        table.add_row(kind, str(doubles.count(kind, cases)), str(section.get(name, "-")), name)
        terminal.stderr.print(f"{kind}: {doubles.MEANING[kind]}")
        for case in cases[: report.EXAMPLES]:
            terminal.stderr.print("  - " + "\n    ".join(map(report.trip_line, case)))
    terminal.stderr.print(table)
    counts = {kind: doubles.count(kind, cases) for kind, cases in found.items()}
    click.echo(json.dumps({"format": format_name, "rows": reading.rows, "doubles": counts, "facts": section}))
