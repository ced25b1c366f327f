"""Coordinates that are sent: real ones moved rigidly over the globe and told in the datum that is asked for.

Moving is a turn of the whole sphere, so every distance between two points stays what it was; north stays north at the
place the trips are moved to.
"""

from __future__ import annotations

from dataclasses import replace
from math import asin, atan2, cos, degrees, hypot, pi, radians, sin

import urllib3

from mobile_mock.traffic.connectors import gcj02
from mobile_mock.traffic.geo import great_circle_m
from mobile_mock.traffic.trips import InputError, Point, Trip

DATUMS = {"wgs84": "WGS-84", "gcj02": "GCJ-02", "bd09": "BD-09"}
DECIMALS = 6  # of a degree: a decimetre
Vector = tuple[float, float, float]


def bd09_from_gcj02(latitude: float, longitude: float) -> Point:
    """Where Baidu shows a point of GCJ-02 (the formula in public use)."""
    far = hypot(longitude, latitude) + 0.00002 * sin(latitude * pi * 3000 / 180)
    turn = atan2(latitude, longitude) + 0.000003 * cos(longitude * pi * 3000 / 180)
    return far * sin(turn) + 0.006, far * cos(turn) + 0.0065


def told(datum: str, wgs84: Point) -> Point:
    """A WGS-84 point as the datum of a partner shows it, to a decimetre."""
    lat, lon = wgs84
    if datum != "WGS-84":
        lat, lon = gcj02.from_wgs84(lat, lon)
    if datum == "BD-09":
        lat, lon = bd09_from_gcj02(lat, lon)
    return round(lat, DECIMALS), round(lon, DECIMALS)


def turned(point: Point, source: Point, target: Point) -> Point:
    """The point after the turn of the sphere that brings `source` to `target`, north up."""
    seen = [_dot(_vector(point), axis) for axis in _axes(source)]
    east, north, up = _axes(target)
    x, y, z = (_dot((east[i], north[i], up[i]), (seen[0], seen[1], seen[2])) for i in range(3))
    return degrees(asin(max(-1, min(1, z)))), degrees(atan2(y, x))


def _vector(point: Point) -> Vector:
    lat, lon = map(radians, point)
    return cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)


def _axes(point: Point) -> tuple[Vector, Vector, Vector]:
    """East, north and up at a point."""
    lat, lon = map(radians, point)
    return (-sin(lon), cos(lon), 0), (-sin(lat) * cos(lon), -sin(lat) * sin(lon), cos(lat)), _vector(point)


def _dot(one: Vector, other: Vector) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


class Mover:
    """Gives trips the coordinates that are sent, and keeps count of what that did to them.

    target: where the source's reference point comes to lie; None leaves all where it is.
    """

    def __init__(self, datum: str, source: Point, target: Point | None) -> None:
        self.datum, self.source, self.target = datum, source, target
        self.trips, self.without = 0, 0
        self.changed_max_m = self.off_max_m = 0.0

    def __call__(self, trip: Trip) -> Trip:
        if not trip.origin and not trip.destination:
            self.without += 1
            return trip
        self.trips += 1
        origin, destination = (point and self._moved(point) for point in (trip.origin, trip.destination))
        if trip.origin and trip.destination and origin and destination:
            change_m = great_circle_m(*origin, *destination) - great_circle_m(*trip.origin, *trip.destination)
            self.changed_max_m = max(self.changed_max_m, abs(change_m))
        shown = [point and told(self.datum, point) for point in (origin, destination)]
        return replace(trip, origin=shown[0], destination=shown[1], datum=self.datum)

    def _moved(self, point: Point) -> Point:
        if self.target is None:
            return point
        moved = turned(point, self.source, self.target)
        self.off_max_m = max(self.off_max_m, great_circle_m(*moved, *self.target))
        return moved

    def report(self) -> dict[str, object]:
        return {
            "datum": self.datum,
            "moved": {"from": self.source, "to": self.target} if self.target else None,
            "trips": self.trips,
            "trips_without": self.without,
            "distance_changed_max_m": round(self.changed_max_m, 4),
            "farthest_from_reference_km": round(self.off_max_m / 1000, 3),
        }


def reference_point(base_url: str, region: str) -> Point:
    """The reference point of a region as the platform's standard has it, WGS-84. Raises InputError."""
    try:
        answer = urllib3.request("GET", f"{base_url.rstrip('/')}/v1/standard/regions", timeout=30.0)
        listed = {one["code"]: one for one in answer.json()["items"]}
        return listed[region]["lat_udeg"] / 1e6, listed[region]["lon_udeg"] / 1e6
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the platform tells no reference point of {region}: {error!r}") from None
