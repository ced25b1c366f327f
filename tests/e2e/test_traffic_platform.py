"""Made traffic against the real platform over real HTTP: every verdict is the one that the truth asks for."""

import csv
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from backend import auth
from backend.app import create_app
from backend.usecases import add_client, add_people
from mobile_mock.traffic import cast as made_cast
from mobile_mock.traffic import cli, generate
from mobile_mock.traffic.trips import CHINA
from tests.cast import LONG_AGO, Stage, stage

LAST_MONTH = (datetime.now(CHINA).date().replace(day=1) - timedelta(days=1)).replace(day=1)


@dataclass
class Served:
    """A platform behind a real port, and the files that partners have of it."""

    stage: Stage
    url: str
    folder: Path

    def partner(self, name: str, rows: list[tuple[str, str | None]]) -> list[str]:
        """Let a partner and its people in: client id, key file, subjects file."""
        private, public = auth.new_key()
        platform = self.stage.platform
        client_id, _ = add_client.add_client(platform, "partner", name, public, waived_from=LONG_AGO)
        key, subjects = self.folder / f"{name}.jwk", self.folder / f"{name}.subjects.csv"
        key.write_text(json.dumps(private))
        out = io.StringIO()
        csv.writer(out).writerow(("partner_ref", "person_id", "subject"))
        purposes = ("points", "pool")
        linked = add_people.add_people(
            platform, client_id, rows, purposes=purposes, consented_at=LONG_AGO, text_version="t1", evidence=b"x"
        )
        csv.writer(out).writerows(linked)
        subjects.write_text(out.getvalue())
        return [client_id, str(key), str(subjects)]


@pytest.fixture
def served(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Served]:
    listening = socket.create_server(("127.0.0.1", 0))  # first: the platform has to know its own address
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with listening, stage(database_url, redis_url, TANPUHUI_PUBLIC_URL=url) as set_stage:
        app = create_app(set_stage.platform)
        server = make_server("127.0.0.1", 0, app, threaded=True, fd=listening.fileno())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Served(set_stage, url, tmp_path)
        server.shutdown()
        thread.join()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli.main, list(arguments))
    assert result.exit_code in (0, 1), result.output
    return result


def last(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_platform_judges_made_traffic_as_the_truth_asks(served: Served, seed: int) -> None:
    folder = served.folder / "made"
    shares = {"duplicate_share": 0.25, "late_share": 0.1, "bad_share": 0.15}
    generate.make(folder, seed, month=LAST_MONTH, events=800, people=60, batch=90, **shares)
    senders: list[str] = []
    for partner in made_cast.PARTNERS:
        with (folder / f"{partner.name}.people.csv").open() as file:
            rows = [(row["partner_ref"], row["provider_id"]) for row in csv.DictReader(file)]
        senders += ["--partner", partner.name, *served.partner(partner.name, rows)]
    assert last(run("send", "--dir", str(folder), "--base-url", served.url, *senders))["sent"] == 800
    graded = run("grade", "--dir", str(folder))
    assert last(graded) == {"answer_key": "ok", "events": 800, "wrong": 0}, graded.stdout


def test_real_rides_through_two_partners_are_credited_once(served: Served, shared: Callable[[str], Path]) -> None:
    raw = shared("data/mibici/datos_abiertos_2014_12.csv.gz")
    refs = run("people", "--format", "mibici", str(raw)).stdout.split()
    rows: list[tuple[str, str | None]] = [(ref, f"union-{ref}") for ref in refs]
    first_on = (datetime.now(CHINA).date() - timedelta(days=60)).isoformat()

    def replay(name: str, *more: str) -> dict[str, Any]:
        client, key, subjects = partners[name]
        who = ["--client", client, "--key", key, "--subjects", subjects, "--base-url", served.url]
        where = ["--region", "440300", "--shift-to", first_on]
        return last(run("replay", "--format", "mibici", *who, *where, *more, str(raw)))

    partners = {name: served.partner(name, rows) for name in ("mibici", "metrolink")}
    first = replay("mibici")
    again = replay("mibici", "--concurrency", "2")
    other = replay("metrolink", "--delay", "40", "--rename")
    assert first["sent"] == first["rows"] == sum(first["verdicts"].values())
    assert first["verdicts"]["credited"] > 0.7 * first["sent"]
    assert first["reduction_mg"] > 0
    assert again["verdicts"] == {"repeated": first["sent"]}
    assert again["originals"] == first["verdicts"]
    credited, doubled = first["verdicts"]["credited"], first["verdicts"].get("duplicate_of", 0)
    assert other["verdicts"].get("duplicate_of", 0) == credited + doubled
    assert other["verdicts"]["refused"] == first["verdicts"]["refused"]
    assert "credited" not in other["verdicts"]
    assert (again["reduction_mg"], again["points"], other["reduction_mg"], other["points"]) == (0, 0, 0, 0)


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
def test_moved_coordinates_of_real_rides_agree_with_their_region(
    served: Served, shared: Callable[[str], Path], datum: str
) -> None:
    raw = shared("data/mibici/datos_abiertos_2014_12.csv.gz")
    refs = run("people", "--format", "mibici", str(raw)).stdout.split()
    client, key, subjects = served.partner("mibici", [(ref, None) for ref in refs])
    who = ["--client", client, "--key", key, "--subjects", subjects, "--base-url", served.url]
    first_on = (datetime.now(CHINA).date() - timedelta(days=60)).isoformat()
    where = ["--region", "440300", "--shift-to", first_on, "--coordinates", datum]
    said = last(run("replay", "--format", "mibici", *who, *where, str(raw)))
    assert said["codes"]["ok"] > 0.7 * said["sent"]
    assert not {"region_contradicts", "region_unknown", "field_invalid"} & said["codes"].keys()
    assert said["coordinates"]["trips"] + said["coordinates"]["trips_without"] == said["sent"]
    assert said["coordinates"]["distance_changed_max_m"] < 0.01
