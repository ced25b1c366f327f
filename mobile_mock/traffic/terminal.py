"""What the commands of the traffic's command line share: arguments, plain errors, reading under a progress bar."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich import progress
from rich.console import Console

from mobile_mock.traffic import moving
from mobile_mock.traffic.connectors import FORMATS, Format
from mobile_mock.traffic.moving import Mover
from mobile_mock.traffic.trips import CHINA, InputError, Reading, Trip, first_and_last_date

Command = TypeVar("Command", bound=Callable[..., Any])

stderr = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
existing = click.Path(exists=True, dir_okay=False, path_type=Path)
folder = click.Path(exists=True, file_okay=False, path_type=Path)


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the caller can mend is a line and exit code 2, never a traceback."""
    try:
        yield
    except InputError as error:
        raise click.UsageError(str(error)) from None


def sources(command: Command) -> Command:
    """The arguments that say which raw files to read."""
    command = click.argument("files", nargs=-1, required=True, type=existing)(command)
    command = click.option(
        "--stations", type=existing, help="Station table; by default the one of the source beside the first file."
    )(command)
    return click.option("--format", "format_name", type=click.Choice(list(FORMATS)), required=True)(command)


def sending(command: Command) -> Command:
    """The options that say how to send."""
    command = click.option(
        "--retry-for", default=120.0, show_default=True, help="Patience with an absent platform, s."
    )(command)
    return click.option("--base-url", required=True, callback=_url, help="Where the platform is, http(s)://host:port")(
        command
    )


def _url(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.match(r"https?://[^/]", value):
        raise click.BadParameter("it looks like http://127.0.0.1:8000")
    return value


def days_to(first_on: date, source: Format, files: Sequence[Path], stations: Path | None) -> int:
    """By how many whole days the trips move; says so when some come to lie in the future."""
    with read(source, files, stations, "looking for the first day", quiet=True) as (trips, _):
        span = first_and_last_date(trips, source.zone)
    if span is None:
        return 0
    last_on = first_on + (span[1] - span[0])
    if last_on > datetime.now(CHINA).date():
        stderr.print(
            f"the trips span {span[0]} to {span[1]}: moved, the last lie in the future ({last_on})", style="red"
        )
    return (first_on - span[0]).days


def mover(datum: str, source: Format, region: str, base_url: str) -> Mover:
    """What gives the trips their coordinates; those of the source's own region stay where they are."""
    if source.centre is None or not region:
        raise InputError("--coordinates needs a source that knows them, and one --region")
    target = None if region == source.region else moving.reference_point(base_url, region)
    return Mover(moving.DATUMS[datum], source.centre, target)


def say_waiting(reason: str, seconds: float) -> None:
    stderr.print(f"waiting {seconds:g} s: {reason}", style="yellow")


@contextmanager
def read(
    source: Format, files: Sequence[Path], stations: Path | None, doing: str, quiet: bool = False
) -> Iterator[tuple[Iterator[Trip], Reading]]:
    """The trips of the files under a progress bar on stderr, and what is counted on the way."""
    columns = (*progress.Progress.get_default_columns(), progress.TextColumn("{task.fields[rows]} rows"))
    with progress.Progress(*columns, console=stderr, transient=quiet) as bar:
        task = bar.add_task(doing, total=sum(file.stat().st_size for file in files), rows=0)
        reading = Reading()
        reading.on_bytes = lambda count: bar.update(task, advance=count, rows=reading.rows)
        reading.on_problem = lambda text: None if quiet else bar.console.print(text, style="red")
        yield source.read(files, reading, stations), reading
