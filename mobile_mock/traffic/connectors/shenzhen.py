"""Shenzhen transit cards, one day: metro entries, metro exits and bus boardings; an entry and its exit make a trip.

Zone: UTC+8 without offset. The two files have different column orders; columns are found by name. Fares are in fen and
are not used. Stations are in szmc_metro_stations_2019.json in GCJ-02, which is converted to WGS-84 first.
Units: distance_m is the great circle between the two stations: an honest lower bound of the way by rail.
Pairing: an entry belongs to the next swipe of the same card if that is an exit not more than 4 h later. All else is
reported and never guessed: `entry_without_exit`, `exit_without_entry`, `exit_after_4_hours` (both swipes stand alone),
`bus_without_alighting`. Rows equal in every column are one (`duplicate_row`). Swipes are unsorted within the day, so
those of the metro are held in memory.
Traps: the same station at both ends, an empty or '-' name, or one the table does not know (spoilt characters, names of
before 2019) says nothing about the way: no distance. Names may end in 站. A swipe is the operator's own record, so the
evidence is `order`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from mobile_mock.traffic import files as raw_files
from mobile_mock.traffic.connectors import gcj02
from mobile_mock.traffic.geo import great_circle_m
from mobile_mock.traffic.trips import CHINA, InputError, Reading, Trip

ZONE = CHINA
NEEDED = ("card_no", "deal_date", "deal_type", "station")
OTHERS = ("deal_money", "deal_value", "equ_no", "company_name", "car_no", "conn_mark", "close_date")
ENTRY, EXIT, BUS = "地铁入站", "地铁出站", "巴士"
LONGEST = timedelta(hours=4)

Swipe = tuple[datetime, str, str]  # when, entry or exit, station
Positions = dict[str, tuple[float, float]]


def read(files: Sequence[Path], reading: Reading, stations: Path | None) -> Iterator[Trip]:
    """The paired trips, card by card. Raises InputError for an unusable station file."""
    positions = _positions(stations)
    for card, swipes in _metro_swipes(files, reading).items():
        for entry, exit_ in _pairs(sorted(swipes), reading):
            yield _trip(card, entry, exit_, positions, reading)


def _metro_swipes(files: Sequence[Path], reading: Reading) -> dict[str, list[Swipe]]:
    swipes: dict[str, list[Swipe]] = defaultdict(list)
    seen: set[tuple[str, ...]] = set()
    for row in raw_files.rows(files, NEEDED, reading, OTHERS):
        if tuple(row) in seen:
            reading.skipped["duplicate_row"] += 1
            continue
        seen.add(tuple(row))
        card, at, kind, station = row[: len(NEEDED)]
        if kind == BUS:
            reading.skipped["bus_without_alighting"] += 1
        elif kind not in (ENTRY, EXIT):
            reading.skipped["kind_unknown"] += 1
        else:
            try:
                swipes[card].append((datetime.fromisoformat(at).replace(tzinfo=CHINA), kind, station))
            except ValueError:
                reading.skipped["time_unreadable"] += 1
                continue
            reading.source["metro_entries" if kind == ENTRY else "metro_exits"] += 1
    return swipes


def _pairs(swipes: list[Swipe], reading: Reading) -> Iterator[tuple[Swipe, Swipe]]:
    entry: Swipe | None = None
    for swipe in swipes:
        if swipe[1] == ENTRY:
            reading.skipped["entry_without_exit"] += entry is not None
            entry = swipe
        elif entry is None:
            reading.skipped["exit_without_entry"] += 1
        else:
            if swipe[0] - entry[0] <= LONGEST:
                yield entry, swipe
            else:
                reading.skipped["exit_after_4_hours"] += 1
            entry = None
    reading.skipped["entry_without_exit"] += entry is not None


def _trip(card: str, entry: Swipe, exit_: Swipe, positions: Positions, reading: Reading) -> Trip:
    began, origin = entry[0], _plain(entry[2])
    ended, destination = exit_[0], _plain(exit_[2])
    reading.source["paired"] += 1
    reading.source["paired_same_station"] += entry[2] == exit_[2]
    facts: dict[str, int | float | str] = {}
    if origin in positions and destination in positions and origin != destination:
        way_m = great_circle_m(*positions[origin], *positions[destination])
        reading.add_metres("great_circle_m", way_m)
        facts["distance_m"] = round(way_m)
    elif entry[2] != exit_[2]:
        reading.source["paired_unknown_station"] += 1
    ref = f"shenzhen:{card}-{began:%Y%m%d%H%M%S}"
    return Trip(ref, card, "metro.v1", began, ended, "order", act_ref=ref, facts=facts,
                origin=positions.get(origin), destination=positions.get(destination))  # fmt: skip


def _plain(station: str) -> str:
    return station.removesuffix("站")


def _positions(stations: Path | None) -> Positions:
    """Station name -> WGS-84 latitude and longitude."""
    if stations is None:
        raise InputError("shenzhen needs --stations szmc_metro_stations_2019.json")
    try:
        lines = json.loads(stations.read_text(encoding="utf-8"))["l"]
        listed = [(station["n"], *map(float, station["sl"].split(","))) for line in lines for station in line["st"]]
        return {_plain(name): gcj02.to_wgs84(latitude, longitude) for name, longitude, latitude in listed}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{stations.name} is not the station file of the Shenzhen metro: {error!r}") from None
