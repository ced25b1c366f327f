"""One module a source. Each says its zone, units and traps, and reads files into trips without guessing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from mobile_mock.traffic.connectors import generic, mibici, shenzhen, valleybike
from mobile_mock.traffic.trips import InputError, Reading, Trip

Read = Callable[[Sequence[Path], Reading, Path | None], Iterator[Trip]]


@dataclass(frozen=True, slots=True)
class Format:
    """A source: how to read it, the place's civil zone (None: as written), its issuer, region and station table.

    centre: the reference point of the source's own place, WGS-84; None: it knows no coordinates.
    """

    read: Read
    zone: tzinfo | None
    issuer: str
    region: str = ""  # '' : must be said with --region, unless rows carry one
    rows_carry_region: bool = False
    stations_file: str = ""  # the name it has beside the data; '' : needs none
    note: str = ""
    centre: tuple[float, float] | None = None


FORMATS = {
    "mibici": Format(
        mibici.read, mibici.ZONE, "mibici", stations_file="nomenclatura.csv", centre=(20.6793, -103.3650),
        note="real trips of Guadalajara, Mexico; distance: great circle between the docks, a lower bound",
    ),
    "valleybike": Format(
        valleybike.read, valleybike.ZONE, "valleybike", centre=(42.2497, -72.6025),
        note="real trips of western Massachusetts; distance: path of the GPS points, faults dropped",
    ),
    "shenzhen": Format(
        shenzhen.read, shenzhen.ZONE, "shenzhen", region="440300", stations_file="szmc_metro_stations_2019.json",
        centre=(22.5463, 114.0528),
        note="real swipes of the Shenzhen metro, paired; distance: great circle between the stations, a lower bound",
    ),
    "csv": Format(generic.read, None, "csv", rows_carry_region=True, note="rows as the file states them"),
}  # fmt: skip


def stations_path(format_: Format, given: Path | None, files: Sequence[Path]) -> Path | None:
    """The station table: the one given, else the one that lies beside the first file. Raises InputError."""
    if given or not format_.stations_file:
        return given
    beside = files[0].parent / format_.stations_file
    if not beside.exists():
        raise InputError(f"--stations is needed: the file {format_.stations_file} of the same source")
    return beside
