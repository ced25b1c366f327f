"""What a platform handed out is proven after it is gone, by one Python file, without a network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend import cli
from backend.usecases import sequence_log
from mobile_mock import server
from tests import cast, phones, serving
from tests.cast import Client, Stage
from tests.market import Market, ok

# Whoever asks for a socket fails, whatever the sandbox allows.
ALONE = "import runpy, sys; sys.modules['socket'] = sys.modules['_socket'] = None; sys.argv = sys.argv[1:]; "
ALONE += "runpy.run_path(sys.argv[0], run_name='__main__')"
KINDS = ("receipt", "membership", "certificate", "checkpoint")


@pytest.fixture(scope="module")
def handed_out(module_database_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script, the keys and all files, fetched over HTTP from a platform that has ended since."""
    folder = tmp_path_factory.mktemp("handed-out")
    with phones.serving(server.create_app("http://127.0.0.1:9")) as provider:
        more = phones.identity_environment(provider)
        environ = cast.environment(module_database_url, valkey_url, **more)
        with (
            cast.stage(module_database_url, valkey_url, **more) as stage,
            serving.web(environ, serving.free_port()) as base,
        ):
            _fill(stage, provider, base, folder)
    return folder


def _fill(stage: Stage, provider: str, base: str, folder: Path) -> None:
    """Rides become a certificate with an amendment; all of it is fetched, and the log grew meanwhile."""
    rode_at, market = cast.recent(8, days_ago=60), Market(stage)
    bikes = stage.partner("citybike", ["lin"], of="city")
    lin = phones.log_in(stage.http, provider, "union-lin")
    bikes.verdicts(
        bikes.event("r1", "lin", rode_at, asset_ref="bike:7"),
        bikes.event("r2", "lin", rode_at + timedelta(minutes=21), asset_ref="bike:7"),
    )
    market.partner.verdicts(
        *(market.partner.event(f"m{n}", f"p{n}", rode_at + timedelta(minutes=n), distance_m=5000) for n in range(30))
    )
    market.issued(pool=f"310000.cycling.1.0.0.{rode_at:%Y%m}")
    market.paid(300)
    number = market.retired(300)["certificate"]["number"]
    sequence_log.sequence_log(stage.platform, datetime.now(UTC))
    old = _fetch(base, "/v1/log/checkpoint", folder / "old")
    _withdraw(stage, market.partner, "m0")
    sequence_log.sequence_log(stage.platform, datetime.now(UTC))
    deed = lin.ok("/v1/me/deeds")["items"][0]["deed"]
    _fetch(base, f"/v1/certificates/{number}.json", folder / "certificate")
    _fetch(base, f"/v1/me/deeds/{deed}/membership?certificate={number}", folder / "membership", lin.session)
    receipt = json.loads(_fetch(base, f"/v1/me/deeds/{deed}/receipt", folder / "receipt", lin.session))
    _fetch(base, f"/v1/standard/packs/{receipt['records'][0]['pack']['sha256']}", folder / "pack.json")
    new = _fetch(base, "/v1/log/checkpoint", folder / "checkpoint")
    sizes = [note.split("\n")[1] for note in (old, new)]
    _fetch(base, f"/v1/log/proofs/consistency?from={sizes[0]}&to={sizes[1]}", folder / "growth")
    _fetch(base, "/v1/log/keys", folder / "keys")
    _fetch(base, "/.well-known/jwks.json", folder / "jwks")
    _fetch(base, "/v1/log/verify.py", folder / "verify.py")


def _withdraw(stage: Stage, partner: Client, event: str) -> None:
    raw = json.dumps({"kind": "withdraw", "reason": "sent by mistake"}).encode()
    headers = {"X-JWS-Signature": cast.sign(raw, partner.key), "Authorization": f"Bearer {partner.token}"}
    path = f"/v1/events/{event}/corrections"
    ok(stage.http.post(path, data=raw, content_type="application/json", headers=headers), 200)


def _fetch(base: str, path: str, into: Path, session: dict[str, Any] | None = None) -> str:
    headers = {"Authorization": f"Bearer {session['access_token']}"} if session else {}
    with urllib.request.urlopen(urllib.request.Request(base + path, headers=headers)) as answer:
        raw: bytes = answer.read()
    into.write_bytes(raw)
    return raw.decode()


@pytest.fixture(scope="module")
def sandbox() -> list[str]:
    """How to run without a network: in a namespace of its own, where that is permitted."""
    apart = ["unshare", "--map-root-user", "--net"]
    try:
        permitted = subprocess.run([*apart, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        permitted = False
    return apart * permitted


def run(folder: Path, sandbox: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*sandbox, "env", "-i", sys.executable, "-I", "-S", "-c", ALONE, "verify.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("key", ["keys", "jwks"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_handed_out_is_proven_when_the_platform_is_gone(
    handed_out: Path, sandbox: list[str], kind: str, key: str
) -> None:
    done = run(handed_out, sandbox, kind, kind, "--key", key, "--pack", "pack.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"OK / 成立: {kind}\n")
    told = CliRunner().invoke(cli.main, ["verify", kind, str(handed_out / kind), "--key", str(handed_out / key)])
    assert (told.exit_code, told.output) == (0, done.stdout)


def test_the_lines_tell_of_the_deed_the_batch_the_grams_and_the_amendment(handed_out: Path, sandbox: list[str]) -> None:
    certificate = run(handed_out, sandbox, "certificate", "certificate", "--key", "keys").stdout
    assert "300 g CO2e retired" in certificate
    assert "深圳市绿源新材料有限公司" in certificate
    assert re.search(r"of batch 1 [1-9][0-9]* g were recalled until \d{4}-\d\d-\d\d, 0 g of them", certificate)
    assert "1 amendments" in certificate
    receipt = run(handed_out, sandbox, "receipt", "receipt", "--key", "keys", "--pack", "pack.json").stdout
    assert "2. cycling 1.0.0" in receipt
    assert "of 31 of batch 1" in receipt
    assert "retired 300 g" in run(handed_out, sandbox, "membership", "membership", "--key", "keys").stdout


def test_the_log_of_later_continues_that_of_before_and_the_older_head_cannot_be_replayed(
    handed_out: Path, sandbox: list[str]
) -> None:
    done = run(
        handed_out, sandbox, "checkpoint", "checkpoint", "--key", "keys", "--after", "old", "--consistency", "growth"
    )
    assert (done.returncode, "nothing in it was changed" in done.stdout) == (0, True)
    done = run(handed_out, sandbox, "checkpoint", "old", "--key", "keys", "--after", "checkpoint")
    assert (done.returncode, "an older checkpoint replayed" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("kind", "old", "new", "reason"),
    [
        ("certificate", "深圳市绿源新材料有限公司", "深圳市红源新材料有限公司", "not what the key"),
        ("certificate", '"quantity_g": 300', '"quantity_g": 900', "quantity_g|lineage says"),
        ("receipt", '"distance_m":2310', '"distance_m":9310', "the receipt says"),
        ("membership", '"opening":"', '"opening":"A', "base64|commits to something else"),
        ("checkpoint", "\n— ", "\n— x", "none of the keys"),
    ],
)
def test_what_was_tampered_with_is_refused(
    handed_out: Path, sandbox: list[str], tmp_path: Path, kind: str, old: str, new: str, reason: str
) -> None:
    text = (handed_out / kind).read_text("utf-8").replace('"quantity_g":3', '"quantity_g": 3')
    assert old in text
    for name in ("verify.py", "keys", "pack.json"):
        (tmp_path / name).write_bytes((handed_out / name).read_bytes())
    (tmp_path / kind).write_text(text.replace(old, new, 1), "utf-8")
    done = run(tmp_path, sandbox, kind, kind, "--key", "keys", "--pack", "pack.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert any(one in done.stderr for one in reason.split("|")), done.stderr
