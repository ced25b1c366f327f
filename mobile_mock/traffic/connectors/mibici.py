"""MiBici, Guadalajara: dock-to-dock bike share, one row a trip.

Zone: local time of America/Mexico_City without offset (summer time until 2022). A wall clock that happened twice is
read so that the trip is the shortest that does not end before it begins; if both readings agree, as the first one. A
wall clock that never happened is read with the offset before the change.
Units: stations in WGS-84 degrees (nomenclatura.csv); distance_m is the great circle between the docks.
Traps: the same dock at both ends, or a dock the table does not know, says nothing about the way: no distance. The
table is younger than the trips and some docks have moved since, so a few trips seem faster than anybody rides: left for
the platform to refuse. Some accounts have two bikes out at once. Files are not sorted by start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

from mobile_mock.traffic import files as raw_files
from mobile_mock.traffic.geo import great_circle_m
from mobile_mock.traffic.trips import InputError, Reading, Trip

ZONE = ZoneInfo("America/Mexico_City")
COLUMNS = ("Viaje_Id", "Usuario_Id", "Inicio_del_viaje", "Fin_del_viaje", "Origen_Id", "Destino_Id")


def read(files: Sequence[Path], reading: Reading, stations: Path | None) -> Iterator[Trip]:
    """The trips of the files, in their order. Raises InputError for an unusable station table."""
    docks = _docks(stations)
    ways_m: dict[tuple[str, str], float | None] = {}
    for number, user, start, end, origin, destination in raw_files.rows(files, COLUMNS, reading):
        try:
            started_at, ended_at = instants(datetime.fromisoformat(start), datetime.fromisoformat(end))
        except ValueError:
            reading.skipped["time_unreadable"] += 1
            continue
        if (origin, destination) not in ways_m:
            ways_m[origin, destination] = _way_m(docks, origin, destination)
        way_m = ways_m[origin, destination]
        if way_m is None:
            reading.source["same_station" if origin == destination else "unknown_station"] += 1
        else:
            reading.add_metres("great_circle_m", way_m)
        ref = f"mibici:{number}"
        facts: dict[str, int | float | str] = {} if way_m is None else {"distance_m": round(way_m)}
        yield Trip(ref, user, "cycling.v1", started_at, ended_at, "order", act_ref=ref, facts=facts,
                   origin=docks.get(origin), destination=docks.get(destination))  # fmt: skip


def instants(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The instants of two wall clocks of ZONE, with fixed offsets, by the rule stated above."""
    first, last = _instant(start, 0), _instant(end, 0)
    if _instant(start, 1) == first and _instant(end, 1) == last:
        return first, last
    readings = [(_instant(start, a), _instant(end, b)) for a in (0, 1) for b in (0, 1)]
    forward = [(s, e) for s, e in readings if e >= s] or readings[:1]
    return min(forward, key=lambda pair: pair[1] - pair[0])


_offsets: dict[timedelta, timezone] = {}


def _instant(wall: datetime, fold: int) -> datetime:
    offset = ZONE.utcoffset(wall.replace(fold=fold) if fold else wall) or timedelta()
    return wall.replace(tzinfo=_offsets.setdefault(offset, timezone(offset)))


def _docks(stations: Path | None) -> dict[str, tuple[float, float]]:
    if stations is None:
        raise InputError("mibici needs --stations nomenclatura.csv")
    read = raw_files.table(stations, ("id", "latitude", "longitude"))
    return {number: (float(latitude), float(longitude)) for number, latitude, longitude in read}


def _way_m(docks: dict[str, tuple[float, float]], origin: str, destination: str) -> float | None:
    if origin == destination or origin not in docks or destination not in docks:
        return None
    return great_circle_m(*docks[origin], *docks[destination])
