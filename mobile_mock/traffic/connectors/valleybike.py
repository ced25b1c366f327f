"""ValleyBike, western Massachusetts: bike share with a GPS point about every 5 s (MIT). One trip a route id.

Zone: UTC, written '+00'; some points carry milliseconds. Files are cut by local day (America/New_York), which is the
wall clock that --shift-to keeps. A route lies in one file and in one piece; one that comes again later is skipped
(`route_in_pieces`) rather than sent as a second trip.
Units: WGS-84 degrees; distance_m is the path along the cleaned points, from the device, so the evidence is `device`.
Points dropped, each counted: exact duplicates, '-' for a time, a clock before 2017 (a reset one says 1980), outside
the region, and jumps. A jump is a point farther from the last good one than 20 m of GPS noise and 60 km/h allow. A
trip that loses more than a tenth of its points to jumps has no path to believe (a bike on a truck at 120 km/h, a lost
fix): it is skipped (`gps_path_broken`), nothing is invented. One point is no path: no distance. Points are not
smoothed: standing noise adds 0.3 % against a 5 m dead band.
Three trips have one point on another continent and hold 32,783 of 41,301 naive kilometres. The report gives the
kilometres of trips of 60 s to 3 h: naive, naive of trips with points outside the region, kept, dropped with broken
paths. (41,301.161 leaves out the 329 points with milliseconds; with them the naive sum is 41,311.457.)
Bike numbers come with a thousands comma.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mobile_mock.traffic import files as raw_files
from mobile_mock.traffic.geo import great_circle_m
from mobile_mock.traffic.trips import Reading, Trip

ZONE = ZoneInfo("America/New_York")
COLUMNS = ("Route ID", "Bike", "Date", "Latitude", "Longitude", "User ID")
FIRST_YEAR = 2017
LATITUDES, LONGITUDES = (41.5, 43.2), (-74.0, -71.5)
NOISE_M = 20.0
SPEED_MAX_M_PER_S = 60 / 3.6
JUMPS_MAX_SHARE = 0.1
COMPARED = (timedelta(seconds=60), timedelta(hours=3))


class Point(NamedTuple):
    """A GPS fix: when, and where in degrees."""

    at: datetime
    latitude: float
    longitude: float


def read(files: Sequence[Path], reading: Reading, stations: Path | None = None) -> Iterator[Trip]:
    """One trip a route, in the order of the files; holds the points of one route at a time."""
    seen: set[str] = set()
    for route, rows in groupby(raw_files.rows(files, COLUMNS, reading), key=itemgetter(0)):
        if route in seen:
            reading.skipped["route_in_pieces"] += 1
            continue
        seen.add(route)
        trip = _trip(route, list(rows), reading)
        if trip:
            yield trip


def _trip(route: str, rows: list[list[str]], reading: Reading) -> Trip | None:
    timed = _timed(rows, reading)
    points = [point for point in timed if _in_region(point)]
    reading.source["outside_region"] += len(timed) - len(points)
    if not points:
        reading.skipped["route_without_points"] += 1
        return None
    distance_m, jumps = path(points)
    reading.source["gps_jumps"] += jumps
    broken = jumps > JUMPS_MAX_SHARE * len(points)
    _compare(timed, points, distance_m, broken, reading)
    if broken:
        reading.skipped["gps_path_broken"] += 1
        return None
    reading.source["single_point_routes"] += len(points) == 1
    facts: dict[str, int | float | str] = {"distance_m": round(distance_m)} if len(points) > 1 else {}
    ref, bike = f"valleybike:{route}", rows[0][1].replace(",", "")
    began, ended = points[0].at, points[-1].at
    return Trip(ref, rows[0][5], "cycling.v1", began, ended, "device", ref, f"bike:{bike}", facts,
                origin=points[0][1:], destination=points[-1][1:])  # fmt: skip


def _timed(rows: list[list[str]], reading: Reading) -> list[Point]:
    """The points with a time to believe, sorted by it."""
    points: list[Point] = []
    distinct = dict.fromkeys(map(tuple, rows))
    reading.source["points"] += len(rows)
    reading.source["duplicate_points"] += len(rows) - len(distinct)
    for _, _, at, latitude, longitude, _ in distinct:
        if at == "-":
            reading.source["dash_timestamps"] += 1
            continue
        try:
            point = Point(datetime.fromisoformat(at), float(latitude), float(longitude))
        except ValueError:
            reading.source["unreadable_points"] += 1
            continue
        if point.at.year < FIRST_YEAR:
            reading.source["clock_before_2017"] += 1
        else:
            points.append(point)
    return sorted(points, key=itemgetter(0))


def _in_region(point: Point) -> bool:
    return LATITUDES[0] < point.latitude < LATITUDES[1] and LONGITUDES[0] < point.longitude < LONGITUDES[1]


def path(points: Sequence[Point]) -> tuple[float, int]:
    """Metres along the points without the jumps, and how many jumps there were."""
    metres, jumps, last = 0.0, 0, points[0]
    for point in points[1:]:
        step_m = great_circle_m(last.latitude, last.longitude, point.latitude, point.longitude)
        if step_m > NOISE_M + SPEED_MAX_M_PER_S * (point.at - last.at).total_seconds():
            jumps += 1
            continue
        metres += step_m
        last = point
    return metres, jumps


def _compare(timed: list[Point], points: list[Point], distance_m: float, broken: bool, reading: Reading) -> None:
    """Add to the report what the naive sum over all points would have said of this trip."""
    if not COMPARED[0] <= timed[-1].at - timed[0].at <= COMPARED[1]:
        return
    naive_m = sum(great_circle_m(*a[1:], *b[1:]) for a, b in pairwise(timed))
    reading.source["trips_60s_3h"] += 1
    reading.add_metres("naive_60s_3h_m", naive_m)
    if len(points) < len(timed):
        reading.source["trips_60s_3h_with_points_outside_region"] += 1
        reading.add_metres("naive_60s_3h_with_points_outside_region_m", naive_m)
        reading.add_metres("kept_60s_3h_with_points_outside_region_m", distance_m)
    reading.add_metres("gps_path_broken_60s_3h_m" if broken else "kept_60s_3h_m", distance_m)
