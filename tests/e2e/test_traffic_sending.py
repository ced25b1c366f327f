"""Batches over the wire: signatures, tokens, patience with a platform that has a bad day."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from jwt.api_jws import PyJWS

from mobile_mock.traffic import cli, client, keys, trips
from tests.e2e import bad_days
from tests.e2e.bad_days import Act, Platform


@pytest.fixture
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "EdDSA"))


both_algorithms = pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"], indirect=True)


@pytest.fixture
def key_file(tmp_path: Path, algorithm: str) -> Path:
    ed = algorithm == "EdDSA"
    private = Ed25519PrivateKey.generate() if ed else ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.jwk"
    path.write_text((OKPAlgorithm if ed else ECAlgorithm).to_jwk(private))  # type: ignore[attr-defined]
    return path


@pytest.fixture
def platform(key_file: Path, algorithm: str) -> Iterator[Platform]:
    made = Platform(keys.load(key_file).private, algorithm)
    server = ThreadingHTTPServer(("127.0.0.1", 0), bad_days.handler_of(made))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def rides(tmp_path: Path) -> Path:
    path = tmp_path / "rides.csv"
    head = "id,partner_ref,type,started_at,ended_at,evidence,act_ref,distance_m\n"
    row = "bike:{0},u{1},cycling.v1,2026-05-01T08:{0:02d}:00-06:00,2026-05-01T08:{0:02d}:59-06:00,order,bike:{0},900\n"
    path.write_text(head + "".join(row.format(n, n % 3) for n in range(50)))
    return path


@pytest.fixture
def replay(platform: Platform, key_file: Path, rides: Path, tmp_path: Path) -> Callable[..., Result]:
    subjects = tmp_path / "subjects.csv"
    subjects.write_text("partner_ref,person_id,subject\nu0,1,s0\nu1,2,s1\n")

    def run(*more: str) -> Result:
        to = ["--base-url", platform.url, "--client", "pa-1", "--key", str(key_file), "--subjects", str(subjects)]
        how = ["--region", "310000", "--batch", "10", *more]
        return CliRunner().invoke(cli.main, ["replay", "--format", "csv", *to, *how, str(rides)])

    return run


def totals(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.stdout.splitlines()[-1]))


# --- what must hold -------------------------------------------------------------------------------------------------


@both_algorithms
def test_trips_go_out_in_signed_batches_and_the_last_line_sums_up(
    platform: Platform, replay: Callable[..., Result]
) -> None:
    result = replay()
    said = totals(result)
    assert result.exit_code == 0
    assert (said["files"], said["rows"], said["sent"], said["batches"]) == (1, 50, 34, 4)
    assert said["skipped"] == {"no_subject": 16}
    assert (said["verdicts"], said["codes"]) == ({"credited": 34}, {"ok": 34})
    assert (said["reduction_mg"], said["points"], said["region"], said["shift_days"]) == (34_000, 34, "310000", 0)
    assert said["credited_distance_m"] == 34 * 900
    event = json.loads(platform.bodies[0])[1]
    assert (event["id"], event["subject"], event["data"]["region"]) == ("bike:1", "s1", "310000")
    assert event["data"]["started_at"] == "2026-05-01T08:01:00-06:00"
    assert len(platform.tokens) == 1
    assert len(platform.connections) == 1, "the connection is kept alive"


def test_the_same_command_again_is_harmless_and_told_as_repeated(replay: Callable[..., Result]) -> None:
    replay()
    said = totals(replay())
    assert said["verdicts"] == {"repeated": 34}
    assert said["originals"] == {"credited": 34}
    assert (said["reduction_mg"], said["points"], said["credited_distance_m"]) == (0, 0, 0)


def test_shift_delay_and_rename_make_the_second_reporter(platform: Platform, replay: Callable[..., Result]) -> None:
    said = totals(replay("--shift-to", "2026-01-01", "--delay", "40", "--rename"))
    event = json.loads(platform.bodies[0])[0]
    assert said["shift_days"] == -120
    assert (event["id"], event["source"], event["data"]["act_ref"]) == ("pa-1:0", "urn:partner:pa-1", "pa-1:0")
    assert event["data"]["started_at"] == "2026-01-01T08:00:40+08:00"
    assert event["data"]["ended_at"] == "2026-01-01T08:01:39+08:00"


@pytest.mark.parametrize(
    "bad_day", [bad_days.drops, bad_days.takes_and_drops, bad_days.is_away, bad_days.forgot_its_keys]
)
def test_a_batch_survives_a_bad_day_with_the_same_bytes(
    platform: Platform, replay: Callable[..., Result], bad_day: Act
) -> None:
    platform.bad_days = [lambda *_: False, bad_day]
    said = totals(replay())
    assert said["sent"] == 34
    assert said["undelivered"] == 0
    assert len(platform.seen) == 34
    lost = 10 if bad_day is bad_days.takes_and_drops else 0
    assert said["verdicts"] == {"credited": 34 - lost} | ({"repeated": lost} if lost else {})
    if lost:
        assert platform.bodies[1] == platform.bodies[2]
        assert said["originals"] == {"credited": 10}


def test_several_batches_at_once_survive_a_bad_day(platform: Platform, replay: Callable[..., Result]) -> None:
    platform.bad_days = [bad_days.drops, bad_days.takes_and_drops, bad_days.drops]
    said = totals(replay("--concurrency", "3"))
    assert (said["sent"], len(platform.seen), said["undelivered"]) == (34, 34, 0)
    assert said["retries"] >= 3


def test_a_platform_that_stays_away_ends_the_replay_with_exit_code_1(
    platform: Platform, replay: Callable[..., Result]
) -> None:
    platform.bad_days = [lambda *_: False] + [bad_days.drops] * 99
    began = time.monotonic()
    result = replay("--retry-for", "1")
    assert result.exit_code == 1
    assert totals(result)["sent"] == 10
    assert totals(result)["undelivered"] > 0
    assert "gave up" in totals(result)["problem"]
    assert time.monotonic() - began < 60, "it gives up instead of trying every batch for itself"


@pytest.mark.parametrize(
    ("bad_day", "told"), [(bad_days.refuses, "this route is for: partner"), (bad_days.answers_nonsense, "0 verdicts")]
)
def test_a_refused_batch_is_said_at_once_and_not_tried_again(
    platform: Platform, replay: Callable[..., Result], bad_day: Act, told: str
) -> None:
    platform.bad_days = [bad_day]
    result = replay()
    assert result.exit_code == 1
    assert told in totals(result)["problem"]
    assert totals(result)["retries"] == 0


def test_the_token_is_renewed_before_it_expires(platform: Platform, key_file: Path) -> None:
    platform.lifetime_s = 1
    sender = client.Platform(platform.url, "pa-1", keys.load(key_file))
    event = {"id": "e1"}
    for _ in range(3):
        sender.send([event])
        time.sleep(0.6)
    assert len(platform.tokens) == 3
    assert len({claims["jti"] for claims in platform.assertions}) == 3


@both_algorithms
def test_a_detached_signature_names_its_key_and_covers_the_bytes(key_file: Path, algorithm: str) -> None:
    jwk = json.loads(key_file.read_text())
    key_file.write_text(json.dumps(jwk | {"kid": "k1"}))
    signature = keys.load(key_file).signature(b"[1]")
    header, payload, _ = signature.split(".")
    protected = json.loads(base64.urlsafe_b64decode(header + "=="))
    assert payload == ""
    assert (protected["alg"], protected["b64"], protected["crit"], protected["kid"]) == (
        algorithm,
        False,
        ["b64"],
        "k1",
    )
    with pytest.raises(jwt.InvalidSignatureError):
        PyJWS().decode_complete(
            signature, keys.load(key_file).private.public_key(), [algorithm], detached_payload=b"[2]"
        )


def test_a_public_key_or_no_key_is_said_in_words(tmp_path: Path, key_file: Path) -> None:
    jwk = {k: v for k, v in json.loads(key_file.read_text()).items() if k != "d"}
    (tmp_path / "public.jwk").write_text(json.dumps(jwk))
    with pytest.raises(trips.InputError, match="needs the private one"):
        keys.load(tmp_path / "public.jwk")
    (tmp_path / "no.jwk").write_text("[]")
    with pytest.raises(trips.InputError, match="is not a JWK"):
        keys.load(tmp_path / "no.jwk")


def test_a_source_of_no_region_needs_one_and_says_so(key_file: Path, rides: Path) -> None:
    arguments = ["--format", "mibici", "--base-url", "http://x", "--client", "c", "--key", str(key_file)]
    result = CliRunner().invoke(cli.main, ["replay", *arguments, "--subjects", str(rides), str(rides)])
    assert result.exit_code == 2
    assert "--region is needed" in result.stderr


def test_trips_moved_into_the_future_are_said_to_be_so(replay: Callable[..., Result]) -> None:
    assert "in the future (2199-01-01)" in replay("--shift-to", "2199-01-01").stderr
    assert "in the future" not in replay("--shift-to", "2026-01-01").stderr


def test_an_error_page_for_a_csv_is_skipped_and_the_rest_is_sent(
    platform: Platform, replay: Callable[..., Result], rides: Path
) -> None:
    page = rides.with_name("page.csv.gz")
    page.write_text("<html><head><title>504 Gateway Time-out</title></head></html>")
    result = replay(str(page))
    assert result.exit_code == 0
    assert totals(result)["files"] == 2
    assert totals(result)["skipped"] == {"not_csv_file": 1, "no_subject": 16}
    assert "page.csv.gz: is not a CSV file" in result.stderr


def test_people_prints_each_partner_ref_once(rides: Path) -> None:
    result = CliRunner().invoke(cli.main, ["people", "--format", "csv", str(rides)])
    assert result.stdout.split() == ["u0", "u1", "u2"]
