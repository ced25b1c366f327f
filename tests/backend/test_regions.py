"""The one region of a deed: stated or found, held against coordinates, which nobody keeps; and caps by region."""

from __future__ import annotations

from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from rules import places, quantification, standard
from tests.cast import Client, Stage, recent

PEOPLES_SQUARE, PUDONG = (31.2317, 121.4733), (31.2210, 121.5440)
KUNSHAN = (31.2940, 121.0960)  # Huaqiao, where a line of Shanghai's metro ends in Suzhou
BEIJING = (39.9042, 116.4074)
NUMBERS = count()


@pytest.fixture
def bikes(stage: Stage) -> Client:
    return stage.partner("valleybike", ["lin", "wang"])


def at(point: tuple[float, float]) -> dict[str, float]:
    return {"lat": point[0], "lon": point[1]}


def told(client: Client, **data: Any) -> dict[str, Any]:
    """The verdict on one ride with these members of data."""
    return dict(client.verdicts(client.event(f"r{next(NUMBERS)}", "lin", recent(), **data))[0])


@pytest.mark.parametrize("datum", places.DATUMS)
def test_a_ride_whose_coordinates_lie_in_its_region_is_credited_in_any_datum(bikes: Client, datum: str) -> None:
    verdict = told(bikes, origin=at(PEOPLES_SQUARE), destination=at(PEOPLES_SQUARE), datum=datum)
    assert (verdict["verdict"], verdict["code"]) == ("credited", "ok")


def test_a_region_that_contradicts_the_coordinates_is_refused_and_earns_nothing(stage: Stage, bikes: Client) -> None:
    verdict = told(bikes, region="310000", origin=at(BEIJING), datum="WGS-84")
    assert (verdict["verdict"], verdict["code"]) == ("refused", "region_contradicts")
    assert (verdict["field"], verdict["reduction_mg"], verdict["deed"]) == ("data.origin", 0, None)
    assert "坐标" in verdict["reason"]
    assert stage.balance(bikes.people["lin"], "points") == 0


def test_a_trip_over_the_border_counts_where_it_began(bikes: Client) -> None:
    over = {"origin": at(KUNSHAN), "destination": at(PUDONG), "datum": "WGS-84", "distance_m": 44_000}
    metro = {"type": "metro.v1", "minutes": 70.0}
    assert told(bikes, region="320500", **over, **metro)["code"] == "ok"
    back = {"origin": at(PUDONG), "destination": at(KUNSHAN), "datum": "WGS-84", "distance_m": 44_000}
    day_before = bikes.event("back", "lin", recent(days_ago=21), region="310000", **back, **metro)
    wrong = bikes.event("wrong", "lin", recent(days_ago=22), region="110000", **back, **metro)
    assert [v["code"] for v in bikes.verdicts(day_before, wrong)] == ["ok", "region_contradicts"]


def test_a_region_that_is_left_out_is_found_from_where_the_deed_began(stage: Stage, bikes: Client) -> None:
    verdict = told(bikes, region=None, origin=at(BEIJING), destination=at(BEIJING), datum="WGS-84")
    assert verdict["code"] == "ok"
    with stage.platform.db.transaction() as conn:
        assert conn.execute("select region from deed").fetchall() == [("110000",)]


def test_a_region_that_cannot_be_found_has_to_be_stated(bikes: Client) -> None:
    for origin in ((20.67, -103.35), (0.0, 0.0), (90.0, 180.0), (-90.0, -180.0)):
        verdict = told(bikes, region=None, origin=at(origin), datum="WGS-84")
        assert (verdict["code"], verdict["field"]) == ("region_unknown", "data.region")
    verdict = told(bikes, region=None, destination=at(BEIJING), datum="WGS-84")  # not where it began
    assert verdict["code"] == "region_unknown"
    assert told(bikes, region="999999", origin=at(BEIJING), datum="WGS-84")["code"] == "region_unknown"


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        ({"region": None}, "field_missing", "data.region"),
        ({"origin": at(BEIJING)}, "field_missing", "data.datum"),
        ({"origin": at(BEIJING), "datum": "CGCS2000"}, "field_invalid", "data.datum"),
        ({"origin": {"lat": 91, "lon": 1}, "datum": "WGS-84"}, "field_invalid", "data.origin.lat"),
        ({"origin": {"lat": 31, "lon": 181}, "datum": "WGS-84"}, "field_invalid", "data.origin.lon"),
        ({"origin": {"lat": 31}, "datum": "WGS-84"}, "field_missing", "data.origin.lon"),
        ({"destination": [31, 121], "datum": "WGS-84"}, "field_invalid", "data.destination"),
        ({"origin": {"lat": "31", "lon": "121"}, "datum": "WGS-84"}, "field_invalid", "data.origin.lat"),
    ],
)
def test_coordinates_that_are_no_coordinates_are_malformed(bikes: Client, data: Any, code: str, field: str) -> None:
    verdict = told(bikes, **data)
    assert (verdict["verdict"], verdict["code"], verdict["field"]) == ("malformed", code, field)


def test_coordinates_never_reach_the_database(stage: Stage, bikes: Client) -> None:
    origin, destination = {"lat": 31.2345671, "lon": 121.4765432}, {"lat": 31.2409876, "lon": 121.4812345}
    assert told(bikes, origin=origin, destination=destination, datum="WGS-84")["code"] == "ok"
    assert told(bikes, origin=origin, datum="WGS-84", region="110000")["code"] == "region_contradicts"
    with stage.platform.db.transaction() as conn:
        tables = conn.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        rows = [str(row) for (name,) in tables for row in conn.execute(f'select t::text from "{name}" t').fetchall()]
    numbers = [str(value).partition(".")[2] for end in (origin, destination) for value in end.values()]
    assert len(rows) > 10
    assert [row for row in rows if any(number in row for number in numbers)] == []


def test_a_retry_with_other_coordinates_is_still_the_same_message(bikes: Client) -> None:
    """The digest of a message is kept, so coordinates are no part of it: nobody can try them out against it."""
    first = bikes.event("r1", "lin", recent(), origin=at(PEOPLES_SQUARE), datum="WGS-84")
    again = bikes.event("r1", "lin", recent(), origin=at(BEIJING), datum="WGS-84")
    assert [v["verdict"] for v in bikes.verdicts(first, again)] == ["credited", "repeated"]


def test_anybody_reads_the_regions_and_their_reference_points(stage: Stage) -> None:
    answer = stage.http.get("/v1/standard/regions")
    assert answer.status_code == 200
    items = answer.json["items"]
    assert [one["code"] for one in items] == sorted(stage.platform.standard.regions)
    shanghai = next(one for one in items if one["code"] == "310000")
    assert (shanghai["name_zh"], shanghai["parent"], shanghai["timezone"]) == ("上海市", None, "Asia/Shanghai")
    assert places.distance_m((shanghai["lat_udeg"] / 1e6, shanghai["lon_udeg"] / 1e6), PEOPLES_SQUARE) < 2000
    assert shanghai["radius_km"] > 50


def test_a_cap_can_differ_by_region_and_date(tmp_path: Path) -> None:
    """The nation's cap holds where a region has none of its own, a province's for its cities, each from its day on."""
    shipped = standard.SHIPPED / "methodologies" / "cycling"
    folder = tmp_path / "methodologies" / "cycling" / "9"
    folder.mkdir(parents=True)
    text = (shipped / "methodology.yaml").read_text("utf-8")
    text = text.replace("version: 1.0.0", "version: 9.0.0").replace("in_force_from: 2024", "in_force_from: 2025")
    own = "".join(
        f"  - region: {region}\n    from: {day}\n    daily_mg: {mg}\n    status: provisional\n"
        "    caveat: {zh: 试, en: trial}\n"
        for region, day, mg in (
            ("440000", "2025-01-01", 500),
            ("440300", "2025-06-01", 300),
            ("440300", "2026-01-01", 9),
        )
    )
    text = text.replace("caps:\n", f"caps:\n{own}").replace("cycling.v1", "cycling.v9")
    (folder / "methodology.yaml").write_text(text, "utf-8")
    (folder / "formula.py").write_bytes((shipped / "formula.py").read_bytes())
    loaded = standard.load(tmp_path)

    def cap(region: str, on: date) -> int | None:
        pack = loaded.pack("cycling.v9", on)
        assert pack
        facts = {"distance_m": 1000}
        return quantification.measure(loaded, pack, loaded.regions[region], facts, on).daily_cap_mg

    spring, summer, later = date(2025, 3, 1), date(2025, 7, 1), date(2026, 7, 1)
    assert [cap("310000", day) for day in (spring, later)] == [2_400_000, 2_400_000]
    assert [cap("440100", day) for day in (spring, later)] == [500, 500]
    assert [cap("440300", day) for day in (spring, summer, later)] == [500, 300, 9]
