"""Raw files become trips: counts against independent facts of the shared data, and each trap on a file of its own."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from mobile_mock.traffic import files, trips
from mobile_mock.traffic.connectors import FORMATS, gcj02, mibici, stations_path, valleybike
from mobile_mock.traffic.geo import great_circle_m
from mobile_mock.traffic.trips import InputError, Reading, Trip

Shared = Callable[[str], Path]


def facts(shared: Shared, source: str) -> dict[str, float]:
    return json.loads(shared("data/facts.json").read_text("utf-8"))[source]


def read(format_name: str, paths: list[Path], stations: Path | None = None) -> tuple[list[Trip], Reading]:
    reading = Reading()
    source = FORMATS[format_name]
    return list(source.read(paths, reading, stations_path(source, stations, paths))), reading


def real(shared: Shared, format_name: str, folder: str, pattern: str) -> tuple[list[Trip], Reading]:
    return read(format_name, sorted(shared(folder).glob(pattern)))


def test_every_mibici_trip_is_read_and_its_great_circle_agrees_with_the_facts(shared: Shared) -> None:
    known = facts(shared, "mibici")
    made, reading = real(shared, "mibici", "data/mibici", "datos_abiertos_*.csv.gz")
    assert reading.rows == len(made) == len({trip.event_id for trip in made}) == known["rows"]
    assert len({trip.partner_ref for trip in made}) == known["users"]
    assert reading.source["same_station"] == known["same_station"]
    assert sum("distance_m" not in trip.facts for trip in made) == known["same_station"]
    assert reading.source_report()["great_circle_km"] == pytest.approx(known["gc_km_sum"], abs=0.001)
    short = [trip for trip in made if trip.ended_at - trip.started_at < timedelta(seconds=60)]
    long = [trip for trip in made if trip.ended_at - trip.started_at > timedelta(hours=3)]
    assert (len(short), len(long)) == (known["dur_lt_60s"], known["dur_gt_3h"])
    assert min(trip.started_at for trip in made).isoformat() == "2014-12-01T00:33:47-06:00"
    assert not reading.skipped


@pytest.fixture(scope="module")
def valleybike_days(shared: Shared) -> tuple[list[Trip], Reading]:
    """All days, read once: a million points."""
    return real(shared, "valleybike", "data/valleybike_raw", "*.csv.gz")


def test_valleybike_points_become_one_trip_a_route_and_faults_are_dropped_and_counted(
    shared: Shared, valleybike_days: tuple[list[Trip], Reading]
) -> None:
    known = facts(shared, "valleybike_raw")
    made, reading = valleybike_days
    assert reading.rows == known["rows"]
    assert reading.skipped["not_csv_file"] == len(known["not_csv_files"])  # type: ignore[arg-type]
    assert reading.source["dash_timestamps"] == known["rows_dash_timestamp"]
    assert reading.source["duplicate_points"] == known["surplus_exact_duplicate_rows"]
    assert reading.source["clock_before_2017"] == known["clock_before_2017"]
    assert reading.source["outside_region"] == known["coords_outside_region"]
    assert reading.source["single_point_routes"] == known["single_point_routes"]
    left_out = reading.skipped["route_without_points"] + reading.skipped["gps_path_broken"]
    assert len(made) + left_out == known["routes"]
    assert len({trip.event_id for trip in made}) == len(made)
    assert not any("," in str(trip.asset_ref) for trip in made)


def test_three_broken_valleybike_trips_lose_their_thirty_thousand_kilometres(
    shared: Shared, valleybike_days: tuple[list[Trip], Reading]
) -> None:
    known = facts(shared, "valleybike_raw")
    made, reading = valleybike_days
    km = reading.source_report()
    # The facts leave out the 329 points with milliseconds: 10.3 km of 41,301.
    assert km["naive_60s_3h_km"] == pytest.approx(known["path_km_sum_60s_3h"], abs=10.5)
    assert km["trips_60s_3h_with_points_outside_region"] == 3
    assert km["naive_60s_3h_with_points_outside_region_km"] == pytest.approx(32_783.144, abs=0.001)
    assert km["kept_60s_3h_with_points_outside_region_km"] < 30
    assert 8_000 < km["kept_60s_3h_km"] < 8_600
    fastest = max(
        int(trip.facts.get("distance_m", 0)) / ((trip.ended_at - trip.started_at).total_seconds() or 1) for trip in made
    )
    assert fastest < valleybike.SPEED_MAX_M_PER_S + valleybike.NOISE_M


def test_shenzhen_swipes_are_paired_or_reported_and_never_guessed(shared: Shared) -> None:
    known = facts(shared, "shenzhen_card")
    made, reading = real(shared, "shenzhen", "data/shenzhen_card", "*.csv.gz")
    late = reading.skipped["exit_after_4_hours"]  # the facts pair these too
    assert reading.rows == known["rows"]
    assert reading.skipped["duplicate_row"] == known["exact_dup_rows"]
    assert (reading.source["metro_entries"], reading.source["metro_exits"]) == (
        known["metro_entries"],
        known["metro_exits"],
    )
    assert len(made) + late == known["paired"]
    assert reading.skipped["entry_without_exit"] == known["entry_without_exit"]
    assert reading.skipped["exit_without_entry"] == known["exit_without_entry"]
    assert reading.skipped["bus_without_alighting"] + reading.skipped["duplicate_row"] == known["types"]["巴士"]  # type: ignore[index]
    assert reading.source["paired_same_station"] <= known["paired_same_station"]
    without = reading.source["paired_same_station"] + reading.source["paired_unknown_station"]
    assert sum("distance_m" not in trip.facts for trip in made) == without
    assert all(trip.ended_at - trip.started_at <= timedelta(hours=4) for trip in made)


def test_shifting_moves_the_earliest_day_of_the_whole_set_and_keeps_the_wall_clock(shared: Shared) -> None:
    made, _ = real(shared, "mibici", "data/mibici", "datos_abiertos_2014_12.csv.gz")
    zone = FORMATS["mibici"].zone
    assert trips.first_and_last_date(made, zone) == (date(2014, 12, 1), date(2014, 12, 31))
    moved = trips.shifted(made[0], zone, (date(2026, 1, 1) - date(2014, 12, 1)).days)
    assert moved.started_at.isoformat() == "2026-01-01T00:33:47+08:00"
    assert moved.ended_at.isoformat() == "2026-01-01T00:36:54+08:00"


def test_a_wall_clock_that_happened_twice_is_read_as_the_shortest_forward_trip() -> None:
    def at(hour: int, minute: int) -> datetime:
        return datetime(2015, 10, 25, hour, minute)  # noqa: DTZ001 (a wall clock)

    assert mibici.instants(at(1, 50), at(1, 58)) == (
        datetime(2015, 10, 25, 6, 50, tzinfo=UTC), datetime(2015, 10, 25, 6, 58, tzinfo=UTC))  # fmt: skip
    began, ended = mibici.instants(at(1, 50), at(1, 10))
    assert ended - began == timedelta(minutes=20)
    began, ended = mibici.instants(at(1, 50), at(2, 10))
    assert ended - began == timedelta(minutes=20)
    began, ended = mibici.instants(at(0, 50), at(1, 10))
    assert ended - began == timedelta(minutes=20)


def test_the_same_dock_or_an_unknown_one_gives_no_distance(tmp_path: Path) -> None:
    docks = tmp_path / "nomenclatura.csv"
    docks.write_text("id,name,latitude,longitude\n1,a,20.66,-103.35\n2,b,20.67,-103.35\n")
    raw = tmp_path / "trips.csv"
    header = "Viaje_Id,Usuario_Id,Inicio_del_viaje,Fin_del_viaje,Origen_Id,Destino_Id\n"
    times = "2015-01-01 08:00:00,2015-01-01 08:10:00"
    raw.write_text(header + f"7,9,{times},1,2\n8,9,{times},1,1\n9,9,{times},1,77\n10,9,soon,later,1,2\n")
    made, reading = read("mibici", [raw])
    assert [trip.facts for trip in made] == [{"distance_m": 1112}, {}, {}]
    assert reading.skipped == {"time_unreadable": 1}
    assert reading.source["unknown_station"] == reading.source["same_station"] == 1


def test_a_gps_jump_is_dropped_and_a_trip_of_jumps_is_skipped(tmp_path: Path) -> None:
    def rows(route: str, latitudes: list[float]) -> str:
        return "".join(
            f'{route},"1,206",2018-07-01 12:00:{5 * n:02d}+00,{latitude},-72.6,u\n'
            for n, latitude in enumerate(latitudes)
        )

    raw = tmp_path / "day.csv"
    steady = [42.3 + n * 0.0002 for n in range(11)]  # 22 m in 5 s
    spiked = [*steady[:5], 42.9, *steady[6:]]
    header = "Routes & locations,,,,,\n,,,,,\nRoute ID,Bike,Date,Latitude,Longitude,User ID\n"
    raw.write_text(header + rows("a", steady) + rows("b", spiked) + rows("c", [42.3, 42.4, 42.5, 42.6, 42.7]))
    made, reading = read("valleybike", [raw])
    assert [trip.facts["distance_m"] for trip in made] == [222, 222]
    assert made[0].asset_ref == "bike:1206"
    assert reading.skipped == {"gps_path_broken": 1}
    assert reading.source["gps_jumps"] == 5


def test_a_route_that_comes_again_is_not_sent_as_a_second_trip(tmp_path: Path) -> None:
    raw = tmp_path / "day.csv"
    row = "{},1,2018-07-01 12:00:00+00,42.3,-72.6,u\n"
    raw.write_text(
        "Route ID,Bike,Date,Latitude,Longitude,User ID\n" + row.format("a") + row.format("b") + row.format("a")
    )
    made, reading = read("valleybike", [raw])
    assert [trip.event_id for trip in made] == ["valleybike:a", "valleybike:b"]
    assert reading.skipped["route_in_pieces"] == 1
    assert all(not trip.facts for trip in made), "one point is no path"


def test_an_entry_belongs_to_the_next_exit_of_its_card_within_four_hours(tmp_path: Path) -> None:
    stations = tmp_path / "szmc_metro_stations_2019.json"
    places = [{"n": "罗湖", "sl": "114.118666,22.532083"}, {"n": "国贸", "sl": "114.118909,22.539680"}]
    stations.write_text(json.dumps({"l": [{"st": places}]}))
    raw = tmp_path / "day.csv"
    swipes = ["a,06:00,地铁入站,罗湖站", "a,06:10,地铁入站,罗湖", "a,06:20,地铁出站,国贸站", "a,06:30,地铁出站,国贸",
              "b,06:00,地铁入站,罗湖", "b,11:00,地铁出站,国贸", "b,12:00,巴士,74路"]  # fmt: skip
    rows = "".join("{},2018-09-01 {}:00,{},{}\n".format(*swipe.split(",")) for swipe in swipes)
    raw.write_text("card_no,deal_date,deal_type,station\n" + rows)
    made, reading = read("shenzhen", [raw])
    assert [(trip.partner_ref, trip.started_at.isoformat()) for trip in made] == [("a", "2018-09-01T06:10:00+08:00")]
    assert 840 < made[0].facts["distance_m"] < 850
    assert reading.skipped == {
        "entry_without_exit": 1, "exit_without_entry": 1, "exit_after_4_hours": 1, "bus_without_alighting": 1
    }  # fmt: skip


def test_gcj_02_is_undone_to_below_a_centimetre() -> None:
    shown = gcj02.from_wgs84(22.54, 114.06)
    assert 400 < great_circle_m(22.54, 114.06, *shown) < 700
    assert great_circle_m(22.54, 114.06, *gcj02.to_wgs84(*shown)) < 0.01


def test_a_generic_csv_keeps_what_it_states_and_leaves_out_what_it_does_not_know(tmp_path: Path) -> None:
    raw = tmp_path / "any.csv"
    raw.write_text(
        "id,subject,type,started_at,ended_at,region,evidence,distance_m,material,mass_g,ignored\n"
        "e1,s1,recycling.v1,2026-05-01T08:00:00+08:00,,310000,order,,PET,1200,x\n"
        "e2,s1,cycling.v1,2026-05-01 09:00:00,2026-05-01 09:20:00,310000,device,far,,,x\n"
        "e3,s1,cycling.v1,yesterday,,310000,device,1,,,x\n",
        encoding="utf-8-sig",
    )
    made, reading = read("csv", [raw])
    assert trips.cloud_event(made[0], "s1", "urn:x", "") == {
        "specversion": "1.0", "id": "e1", "source": "urn:x", "type": "recycling.v1", "subject": "s1",
        "time": "2026-05-01T08:00:00+08:00",
        "data": {"started_at": "2026-05-01T08:00:00+08:00", "ended_at": "2026-05-01T08:00:00+08:00",
                 "region": "310000", "evidence": "order", "mass_g": 1200, "material": "PET"},
    }  # fmt: skip
    assert made[1].started_at.isoformat() == "2026-05-01T09:00:00+08:00"
    assert made[1].facts == {"distance_m": "far"}
    assert reading.skipped == {"time_unreadable": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"<html><head><title>504 Gateway Time-out</title></head></html>"), "not_csv_file"),
        (b"<html>\n<body>", "not_csv_file"),
        (b"", "not_csv_file"),
        (bytes(range(256)) * 4, "not_csv_file"),
        (b"name,colour\na,b\n", "other_columns"),
        (gzip.compress(b"id\n" + b"1234567890\n" * 9999)[:60], "file_damaged"),
        (b"\x1f\x8b not gzip at all", "file_damaged"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_such_csv_is_reported_and_skipped(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "file.csv.gz"
    path.write_bytes(content)
    problems: list[str] = []
    reading = Reading(on_problem=problems.append)
    list(files.rows([path], ["id"], reading))
    assert reading.skipped == {reason: 1}
    assert problems[0].startswith("file.csv.gz: ")


def test_a_second_reporter_tells_the_same_trip_later_and_under_its_own_names() -> None:
    at = datetime(2026, 5, 1, 8, tzinfo=trips.CHINA)
    trip = Trip("mibici:7", "9", "cycling.v1", at, at + timedelta(minutes=9), "order", act_ref="mibici:7")
    other = trips.reissued(trips.delayed(trip, 40), "metrolink")
    assert (other.event_id, other.act_ref) == ("metrolink:7", "metrolink:7")
    assert other.started_at - trip.started_at == other.ended_at - trip.ended_at == timedelta(seconds=40)


def test_a_source_without_its_station_table_says_which_file_it_needs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nomenclatura\.csv"):
        stations_path(FORMATS["mibici"], None, [tmp_path / "trips.csv"])
