"""Where a deed was: coordinates in three datums, the one region it counts in, and whether what is told agrees.

Geometry for checks only. Floats are fine here, and nowhere else in the standard, because nothing of this is credited:
what leaves this module is a region, a code and points of suspicion. Points are (latitude, longitude) in degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from math import asin, atan2, cos, floor, hypot, inf, pi, radians, sin, sqrt
from typing import NamedTuple

from rules.model import Region
from rules.standard import Standard

Point = tuple[float, float]
Places = dict[str, list[Point]]

DATUMS = ("WGS-84", "GCJ-02", "BD-09")
EARTH_RADIUS_M = 6_371_008.8  # mean radius of WGS-84 (IUGG)
DEGREE_M = EARTH_RADIUS_M * pi / 180
_AXIS_M, _ECCENTRICITY_2 = 6_378_245.0, 0.00669342162296594323  # Krasovsky 1940, on which GCJ-02 is computed
_SHIFTED = ((0.8293, 55.8271), (72.004, 137.8347))  # GCJ-02 is WGS-84 outside this box


# --- datums ---------------------------------------------------------------------------------------------------------


def to_wgs84(datum: str, point: Point) -> Point:
    """A point of one of DATUMS in WGS-84, to better than a centimetre. Raises ValueError for another datum."""
    if datum not in DATUMS:
        raise ValueError(f"{datum} is not one of {', '.join(DATUMS)}")
    if datum == "BD-09":
        point = _undone(_to_bd09, point)
    return point if datum == "WGS-84" else _undone(to_gcj02, point)


def to_gcj02(point: Point) -> Point:
    """Where Chinese maps show a WGS-84 point (the formula in public use); the point itself outside China."""
    lat, lon = point
    if not all(low <= at <= high for at, (low, high) in zip(point, _SHIFTED, strict=True)):
        return point
    x, y = lon - 105, lat - 35
    wave = 20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    north += (wave + _waves(y, (20, 1), (40, 3), (160, 12), (320, 30))) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    east += (wave + _waves(x, (20, 1), (40, 3), (150, 12), (300, 30))) * 2 / 3
    bend = 1 - _ECCENTRICITY_2 * sin(radians(lat)) ** 2
    north_m = _AXIS_M * (1 - _ECCENTRICITY_2) / (bend * sqrt(bend)) * pi / 180  # metres a degree
    east_m = _AXIS_M / sqrt(bend) * cos(radians(lat)) * pi / 180
    return lat + north / north_m, lon + east / east_m


def _waves(at: float, *waves: tuple[int, int]) -> float:
    return sum(height * sin(at / length * pi) for height, length in waves)


def _to_bd09(gcj02: Point) -> Point:
    """Where Baidu shows a point of GCJ-02 (the formula in public use)."""
    lat, lon = gcj02
    far = hypot(lon, lat) + 0.00002 * sin(lat * pi * 3000 / 180)
    turn = atan2(lat, lon) + 0.000003 * cos(lon * pi * 3000 / 180)
    return far * sin(turn) + 0.006, far * cos(turn) + 0.0065


def _undone(forward: Callable[[Point], Point], shown: Point) -> Point:
    """The point that `forward` shows at `shown`, by repeated correction, to below a millimetre."""
    point = shown
    for _ in range(3):
        lat, lon = forward(point)
        point = point[0] + shown[0] - lat, point[1] + shown[1] - lon
    return point


def distance_m(one: Point, other: Point) -> float:
    """Great-circle distance (haversine): a lower bound of any way between two WGS-84 points."""
    phi1, phi2 = radians(one[0]), radians(other[0])
    h = sin((phi2 - phi1) / 2) ** 2 + cos(phi1) * cos(phi2) * sin(radians(other[1] - one[1]) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1, sqrt(h)))


# --- regions --------------------------------------------------------------------------------------------------------


def nearest_region(standard: Standard, point: Point, on: date) -> Region | None:
    """The region whose place (seat of a county or district) is the nearest, if that is beyond doubt.

    None when another region's place, or one of none of our regions, is less than `region_clear_percent` as far; when
    no place is near; and when the point is out of the region's own reach.
    """
    found = sorted((far, code) for code, far in _near(standard, point).items())
    if not found:
        return None
    (own_m, code), *others = found
    known_m = DEGREE_M * cos(radians(min(89, abs(point[0]) + 1)))  # places nearer than this are in `found`
    other_m = min([known_m, *(far for far, _ in others)])
    region = standard.region(code)
    if region is None or own_m * standard.parameter("region_clear_percent", on) > other_m * 100:
        return None
    return None if _out_of_reach(standard, region, point, on) else region


def contradicts(standard: Standard, region: Region, point: Point, on: date) -> bool:
    """Whether a deed at that WGS-84 point cannot have been in the region.

    True beyond the region's reach (its farthest boundary from its reference point, and a margin); and within it when no
    place of the region is near and one of another region is many times as near.
    """
    if _out_of_reach(standard, region, point, on):
        return True
    own = [at for code in _members(standard, region.code) for at in _index(standard)[0].get(code, ())]
    own_m = min((distance_m(point, at) for at in own), default=0)
    if own_m <= standard.parameter("region_near_km", on) * 1000:
        return False
    nearest_m = min(_near(standard, point).values(), default=inf)
    return own_m * 100 > nearest_m * standard.parameter("region_contradicts_percent", on)


def _out_of_reach(standard: Standard, region: Region, point: Point, on: date) -> bool:
    """A region without a reference point reaches everywhere: nothing is known against it."""
    if region.lat_udeg is None or region.lon_udeg is None or region.radius_km is None:
        return False
    reach_km = region.radius_km + standard.parameter("region_margin_km", on)
    return distance_m(_degrees(region.lat_udeg, region.lon_udeg), point) > reach_km * 1000


def _degrees(lat_udeg: int, lon_udeg: int) -> Point:
    return lat_udeg / 1_000_000, lon_udeg / 1_000_000


@lru_cache(maxsize=8)
def _index(standard: Standard) -> tuple[Places, dict[tuple[int, int], list[tuple[str, Point]]]]:
    """The places by region, and by whole degree of latitude and longitude."""
    places: Places = {}
    cells: dict[tuple[int, int], list[tuple[str, Point]]] = {}
    for place in standard.places:
        point = _degrees(place.lat_udeg, place.lon_udeg)
        places.setdefault(place.region, []).append(point)
        cells.setdefault(_cell(point), []).append((place.region, point))
    return places, cells


def _cell(point: Point) -> tuple[int, int]:
    return floor(point[0]), floor(point[1])


@lru_cache(maxsize=512)
def _members(standard: Standard, code: str) -> tuple[str, ...]:
    """A region and, for a province, the regions in it."""
    return (code, *(one.code for one in standard.regions.values() if one.parent == code))


def _near(standard: Standard, point: Point) -> dict[str, float]:
    """Region -> metres to its nearest place, of the places in the nine cells around a point."""
    cells, (north, east) = _index(standard)[1], _cell(point)
    nearest: dict[str, float] = {}
    for cell in ((north + n, east + e) for n in (-1, 0, 1) for e in (-1, 0, 1)):
        for code, at in cells.get(cell, ()):
            nearest[code] = min(nearest.get(code, inf), distance_m(point, at))
    return nearest


# --- an event -------------------------------------------------------------------------------------------------------


class Where(NamedTuple):
    """What an event may tell of its place, as its partner wrote it. None of it is ever stored."""

    origin: Point | None
    destination: Point | None
    datum: str


class Finding(NamedTuple):
    """The one region of a deed, or the code and field that refuse it; `suspicion` in points, 0 for none."""

    region: Region | None
    code: str = ""
    field: str = ""
    suspicion: int = 0


def check(
    standard: Standard, rule: str, declared: Region | None, where: Where | None, way_m: object, on: date
) -> Finding:
    """The region of a deed by the pack's `region_rule`, held against the coordinates. Codes: region_unknown,
    region_contradicts. `way_m` is what the event says of its distance, `on` the civil day on which the deed began.
    """
    if where is None:
        return Finding(declared) if declared else Finding(None, "region_unknown", "data.region")
    origin, destination = (point and to_wgs84(where.datum, point) for point in where[:2])
    finding = region_of_deed(standard, rule, declared, origin, destination, on)
    if finding.code or not origin or not destination:
        return finding
    return finding._replace(suspicion=way_suspicion(standard, distance_m(origin, destination), way_m, on))


def region_of_deed(
    standard: Standard, rule: str, declared: Region | None, origin: Point | None, destination: Point | None, on: date
) -> Finding:
    """The one region in whose total a deed counts, also when the trip crosses a border.

    rule 'start' (where it began), 'end', or 'declared' (as told; one end must not contradict it). A region that is left
    out is found from that end's WGS-84 coordinates; one that is told is believed unless they contradict it.
    """
    ends = {"data.origin": origin, "data.destination": destination}
    asked = {"start": ("data.origin",), "end": ("data.destination",)}.get(rule, tuple(ends))
    told = [(field, point) for field in asked if (point := ends[field])]
    if declared is None:
        found = nearest_region(standard, told[0][1], on) if told and rule != "declared" else None
        return Finding(found) if found else Finding(None, "region_unknown", "data.region")
    if told and all(contradicts(standard, declared, point, on) for _, point in told):
        return Finding(declared, "region_contradicts", told[0][0])
    return Finding(declared)


def way_suspicion(standard: Standard, displacement_m: float, way_m: object, on: date) -> int:
    """Points for a way that does not fit the straight line between its ends; a loop is no sign of anything."""
    if isinstance(way_m, bool) or not isinstance(way_m, int):
        return 0
    return sum(standard.parameter(name, on) for name in _oddities(standard, displacement_m, way_m, on))


def _oddities(standard: Standard, displacement_m: float, way_m: int, on: date) -> Iterator[str]:
    percent = standard.parameter("displacement_shortfall_percent", on)
    shortfall_m = max(standard.parameter("displacement_shortfall_m", on), displacement_m * percent / 100)
    if way_m < displacement_m - shortfall_m:
        yield "suspicion_shorter_than_line"
    loop = displacement_m < standard.parameter("detour_from_m", on)
    if not loop and way_m * 100 > displacement_m * standard.parameter("detour_max_percent", on):
        yield "suspicion_detour"
