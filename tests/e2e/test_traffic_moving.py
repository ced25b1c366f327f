"""Coordinates that partners send: moved without stretching anything, told in each datum, and only when asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_mock.traffic import moving, trips
from mobile_mock.traffic.geo import great_circle_m
from mobile_mock.traffic.moving import Mover
from mobile_mock.traffic.trips import InputError, Point, Trip
from rules import places

GUADALAJARA, SHANGHAI = (20.6793, -103.3650), (31.2323, 121.4691)
AT = datetime(2026, 5, 1, 8, tzinfo=UTC)
RIDE = Trip("bike:1", "u1", "cycling.v1", AT, AT, "order", origin=(20.68, -103.36), destination=(20.70, -103.40))

somewhere = st.tuples(st.floats(-80, 80), st.floats(-180, 180))
around_guadalajara = st.tuples(st.floats(20.5, 20.9), st.floats(-103.6, -103.1))
in_china = st.tuples(st.floats(18, 53.5), st.floats(74, 135))


@given(around_guadalajara, around_guadalajara, in_china)
def test_moving_keeps_every_distance(one: Point, other: Point, target: Point) -> None:
    moved = [moving.turned(point, GUADALAJARA, target) for point in (one, other)]
    assert great_circle_m(*moved[0], *moved[1]) == pytest.approx(great_circle_m(*one, *other), abs=0.01)


@given(somewhere, in_china)
def test_the_reference_point_comes_to_lie_on_the_other_and_north_stays_north(source: Point, target: Point) -> None:
    assert great_circle_m(*moving.turned(source, source, target), *target) < 0.01
    north = moving.turned((source[0] + 0.01, source[1]), source, target)
    assert north[0] > target[0]
    assert north[1] == pytest.approx(target[1], abs=1e-6)


@given(st.sampled_from(sorted(moving.DATUMS.values())), in_china)
def test_what_is_told_in_a_datum_is_read_back_by_the_platform_within_a_metre(datum: str, point: Point) -> None:
    """Two programs written apart: the partner's forward formulas and the platform's inverse ones."""
    assert places.distance_m(places.to_wgs84(datum, moving.told(datum, point)), point) < 1


def data(trip: Trip) -> dict[str, Any]:
    return dict(trips.cloud_event(trip, "s1", "urn:partner:bike", "310000")["data"])


def test_coordinates_are_sent_only_when_asked_for() -> None:
    assert data(RIDE).keys().isdisjoint({"origin", "destination", "datum"})
    sent = data(Mover("GCJ-02", GUADALAJARA, SHANGHAI)(RIDE))
    assert sent["datum"] == "GCJ-02"
    assert sent["origin"].keys() == sent["destination"].keys() == {"lat", "lon"}
    assert great_circle_m(*sent["origin"].values(), *SHANGHAI) < 2000  # 0.5 km off and the shift of GCJ-02


def test_the_mover_counts_what_it_did() -> None:
    mover = Mover("WGS-84", GUADALAJARA, SHANGHAI)
    nowhere = replace(RIDE, origin=None, destination=None)
    assert mover(nowhere) is nowhere
    assert data(mover(replace(RIDE, origin=None))).keys() >= {"destination", "datum"}
    mover(RIDE)
    said = mover.report()
    assert (said["trips"], said["trips_without"], said["distance_changed_max_m"]) == (2, 1, 0)
    assert said["farthest_from_reference_km"] == pytest.approx(4.313, abs=0.01)


def test_a_source_in_its_own_region_is_not_moved() -> None:
    told = Mover("WGS-84", GUADALAJARA, None)(RIDE)
    assert (told.origin, told.destination) == (RIDE.origin, RIDE.destination)


def test_a_platform_without_that_region_is_told_in_words() -> None:
    with pytest.raises(InputError, match="no reference point of 310000"):
        moving.reference_point("http://127.0.0.1:9", "310000")
