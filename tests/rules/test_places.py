"""Coordinates against regions: datums undone, genuine points never refused, the ends of a trip in one region."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import places, standard
from rules.model import Region
from rules.places import Point, Where

STANDARD = standard.load()
ON = date(2026, 11, 20)
REGIONS = sorted(STANDARD.regions.values(), key=lambda region: region.code)
PROVINCES = [region for region in REGIONS if not region.parent]
SHANGHAI, SUZHOU, BEIJING = (STANDARD.regions[code] for code in ("310000", "320500", "110000"))

in_china = st.tuples(st.floats(18, 53.5), st.floats(74, 135))
anywhere = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def point(region: Region) -> Point:
    assert region.lat_udeg is not None
    assert region.lon_udeg is not None
    return region.lat_udeg / 1e6, region.lon_udeg / 1e6


def moved(at: Point, north_m: float = 0, east_m: float = 0) -> Point:
    """A point some metres off, in middle latitudes."""
    return at[0] + north_m / 111_195, at[1] + east_m / 111_195


# Pairs published with eviltransform and coordtransform.
@pytest.mark.parametrize(
    ("datum", "shown", "wgs84"),
    [
        ("GCJ-02", (31.17530398364597, 121.531541859215), (31.1774276, 121.5272106)),
        ("GCJ-02", (22.540796131694766, 113.9171764808363), (22.543847, 113.912316)),
        ("GCJ-02", (39.91334545536069, 116.38404722455657), (39.911954, 116.377817)),
        ("GCJ-02", (39.91640428150164, 116.41024449916938), (39.915, 116.404)),
        ("WGS-84", (39.915, 116.404), (39.915, 116.404)),
    ],
)
def test_published_pairs_of_datums_agree_to_a_centimetre(datum: str, shown: Point, wgs84: Point) -> None:
    assert places.distance_m(places.to_wgs84(datum, shown), wgs84) < 0.01


def test_bd_09_is_gcj_02_turned_once_more() -> None:
    bd09, gcj02 = (39.92133699351021, 116.41036949371029), (39.915, 116.404)  # a pair published with coordtransform
    assert places.distance_m(places.to_wgs84("BD-09", bd09), places.to_wgs84("GCJ-02", gcj02)) < 0.01


def test_an_unknown_datum_is_never_guessed() -> None:
    with pytest.raises(ValueError, match="CGCS"):
        places.to_wgs84("CGCS2000", (31.0, 121.0))


@given(in_china)
def test_gcj_02_comes_back_within_a_metre_and_lies_hundreds_of_metres_off(at: Point) -> None:
    shown = places.to_gcj02(at)
    assert places.distance_m(places.to_wgs84("GCJ-02", shown), at) < 1
    assert 10 < places.distance_m(shown, at) < 1500


@given(anywhere)
def test_gcj_02_moves_nothing_outside_of_china(at: Point) -> None:
    lat, lon = at
    if not (0.8293 <= lat <= 55.8271 and 72.004 <= lon <= 137.8347):
        assert places.to_gcj02(at) == at


@given(anywhere, anywhere)
def test_distances_are_symmetric_and_at_most_half_way_round(one: Point, other: Point) -> None:
    there, back = places.distance_m(one, other), places.distance_m(other, one)
    assert there == pytest.approx(back, abs=0.01)
    assert 0 <= there <= places.EARTH_RADIUS_M * 3.1416


def test_a_degree_of_latitude_is_sixty_sea_miles() -> None:
    assert places.distance_m((30, 120), (31, 120)) == pytest.approx(60 * 1853.25, rel=0.001)


# --- region against coordinates ---


def test_every_region_has_a_reference_point_and_a_reach() -> None:
    assert [region.code for region in REGIONS if region.radius_km is None or region.lat_udeg is None] == []
    assert min(region.radius_km or 0 for region in REGIONS) >= 20
    told = {place.region for place in STANDARD.places}
    assert told >= {one.code for one in REGIONS if one.parent or one.code in ("110000", "120000", "310000", "500000")}


@given(st.sampled_from(REGIONS), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_a_point_at_the_reference_point_never_contradicts(region: Region, north_m: float, east_m: float) -> None:
    assert not places.contradicts(STANDARD, region, moved(point(region), north_m, east_m), ON)


@given(st.sampled_from(STANDARD.places))
def test_the_seat_of_a_county_never_contradicts_its_own_region_nor_its_province(place: places.Place) -> None:
    region = STANDARD.region(place.region)
    if region is None:  # Hong Kong, Macao, Taiwan: no regions of the standard
        return
    at = (place.lat_udeg / 1e6, place.lon_udeg / 1e6)
    assert not places.contradicts(STANDARD, region, at, ON)
    if region.parent:
        assert not places.contradicts(STANDARD, STANDARD.regions[region.parent], at, ON)


def test_a_point_in_another_provinces_capital_contradicts_whatever_the_region() -> None:
    believed = [
        (region.name_zh, capital.name_zh)
        for region in REGIONS
        for capital in PROVINCES
        if region.code[:2] != capital.code[:2] and not places.contradicts(STANDARD, region, point(capital), ON)
    ]
    assert believed == []


def test_the_seat_of_another_prefecture_is_hardly_ever_believed() -> None:
    """Twin towns are: their seats are less than `region_near_km` apart."""
    leaves = [region for region in REGIONS if region.parent and region.code.endswith("00")]
    pairs = [(one, other) for one in leaves for other in leaves if one is not other]
    believed = sum(not places.contradicts(STANDARD, one, point(other), ON) for one, other in pairs)
    assert believed / len(pairs) < 0.001


def test_far_corners_of_large_regions_are_believed() -> None:
    corners = {
        "500000": (31.65, 109.75),  # Wuxi county of Chongqing, 380 km off
        "150700": (50.45, 121.50),  # Genhe in Hulunbuir
        "540600": (31.93, 87.20),  # Nyima in Nagqu
        "652800": (38.14, 85.53),  # Qiemo in Bayingolin
        "620900": (39.35, 94.30),  # Aksay in Jiuquan
    }
    assert [c for c, at in corners.items() if places.contradicts(STANDARD, STANDARD.regions[c], at, ON)] == []


def test_a_region_is_found_from_coordinates_or_left_unknown() -> None:
    assert places.nearest_region(STANDARD, (31.2304, 121.4737), ON) is SHANGHAI
    assert places.nearest_region(STANDARD, (29.5630, 106.5516), ON) is STANDARD.regions["500000"]
    assert places.nearest_region(STANDARD, (31.383, 120.95), ON) is SUZHOU  # Kunshan, where Shanghai's metro ends
    assert places.nearest_region(STANDARD, (20.67, -103.35), ON) is None  # Guadalajara
    assert places.nearest_region(STANDARD, (22.28, 114.17), ON) is None  # Hong Kong
    assert places.nearest_region(STANDARD, (0, 0), ON) is None
    assert places.nearest_region(STANDARD, (90, 180), ON) is None


@given(in_china)
def test_a_region_that_was_found_is_never_contradicted_by_the_same_point(at: Point) -> None:
    found = places.nearest_region(STANDARD, at, ON)
    assert found is None or not places.contradicts(STANDARD, found, at, ON)


# --- an event ---


IN_SUZHOU, IN_SHANGHAI, IN_BEIJING = (31.3, 120.6), (31.23, 121.47), (39.91, 116.4)


def verdict(rule: str, declared: Region | None, origin: Point | None, destination: Point | None) -> tuple[str, str]:
    """The region or the code, and the field."""
    found = places.region_of_deed(STANDARD, rule, declared, origin, destination, ON)
    return found.code or (found.region.code if found.region else "none"), found.field


def test_a_deed_counts_where_it_began_unless_the_rule_says_otherwise() -> None:
    over_the_border = (IN_SUZHOU, IN_SHANGHAI)
    assert verdict("start", None, *over_the_border) == (SUZHOU.code, "")
    assert verdict("start", SUZHOU, *over_the_border) == (SUZHOU.code, "")
    assert verdict("start", SHANGHAI, *over_the_border) == ("region_contradicts", "data.origin")
    assert verdict("end", None, *over_the_border) == (SHANGHAI.code, "")
    assert verdict("end", SUZHOU, *over_the_border) == ("region_contradicts", "data.destination")
    assert verdict("declared", SUZHOU, *over_the_border) == (SUZHOU.code, "")
    assert verdict("declared", SHANGHAI, *over_the_border) == (SHANGHAI.code, "")
    assert verdict("declared", BEIJING, *over_the_border) == ("region_contradicts", "data.origin")
    assert verdict("declared", None, *over_the_border) == ("region_unknown", "data.region")


def test_only_the_end_that_decides_is_asked() -> None:
    assert verdict("start", SHANGHAI, None, IN_BEIJING) == (SHANGHAI.code, "")
    assert verdict("start", None, None, IN_BEIJING) == ("region_unknown", "data.region")
    assert verdict("end", None, None, IN_BEIJING) == (BEIJING.code, "")


def test_coordinates_are_read_in_the_datum_they_are_told_in() -> None:
    shown = places.to_gcj02(IN_SHANGHAI)
    assert places.check(STANDARD, "start", None, Where(shown, None, "GCJ-02"), None, ON).region is SHANGHAI
    assert places.check(STANDARD, "start", SHANGHAI, None, 2310, ON) == places.Finding(SHANGHAI)
    assert places.check(STANDARD, "start", None, None, 2310, ON).code == "region_unknown"


@pytest.mark.parametrize(
    ("far_m", "way_m", "points"),
    [
        (5000, 5000, 0),
        (5000, 4001, 0),
        (5000, 3900, 100),  # shorter than the straight line
        (5000, 5, 100),  # kilometres for metres
        (5000, 24_900, 0),
        (5000, 25_200, 20),
        (900, 100_000, 0),  # a loop
        (400, 150, 0),  # within 300 m
        (5000, None, 0),
        (5000, "far", 0),
        (5000, True, 0),
    ],
)
def test_a_way_that_does_not_fit_its_ends_is_suspicious(far_m: int, way_m: object, points: int) -> None:
    where = Where(IN_SHANGHAI, moved(IN_SHANGHAI, north_m=far_m), "WGS-84")
    assert places.check(STANDARD, "start", SHANGHAI, where, way_m, ON) == places.Finding(SHANGHAI, suspicion=points)


def test_a_pack_names_its_own_rule_and_a_row_that_cannot_be_read_is_told_by_line(tmp_path: Path) -> None:
    assert {pack.region_rule for pack in STANDARD.packs} == {"start"}
    (tmp_path / "places.csv").write_text("code,region,lat,lon\n1,310000,31.2,121.4\n2,310000,91,1\n3,999999,1,1\n")
    with pytest.raises(standard.StandardError) as caught:
        standard.load(tmp_path)
    assert [(one.line, one.code) for one in caught.value.mistakes] == [(3, "place_row"), (4, "no_region")]


def test_a_region_added_without_a_reference_point_is_contradicted_by_nothing(tmp_path: Path) -> None:
    (tmp_path / "regions.csv").write_text("code,name_zh,name_en,parent,timezone\n990000,新区,New,,Asia/Shanghai\n")
    more = standard.load(tmp_path)
    assert not places.contradicts(more, more.regions["990000"], (-33.9, 151.2), ON)
