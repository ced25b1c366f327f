"""A client's keys rotate: the next one works beside the old one, and a revoked one never again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backend import auth, cli
from backend.usecases import change_keys
from tests import cast
from tests.cast import Client, Stage
from tests.market import refused


@pytest.fixture(scope="module")
def stage(module_database_url: str, valkey_url: str) -> Iterator[Stage]:
    with cast.stage(module_database_url, valkey_url) as made:
        yield made


@pytest.fixture
def partner(stage: Stage, request: pytest.FixtureRequest) -> Client:
    return stage.partner(request.node.name, ["lin"])


def with_key(client: Client, key: dict[str, str]) -> Client:
    return Client(client.http, client.role, client.name, key, client.id, client.subjects)


def token(client: Client) -> Any:
    return client.http.post("/v1/oauth/token", data=cast.token_request(client.id, client.key))


def command(stage: Stage, *words: str) -> Result:
    settings = stage.platform.settings
    environ = cast.environment(settings.database_url, settings.redis_url)
    return CliRunner(env=environ).invoke(cli.main, ["clients", "key", *words])


def test_a_second_key_signs_beside_the_first_until_that_is_revoked(
    stage: Stage, partner: Client, tmp_path: Path
) -> None:
    private, public = auth.new_key()
    file = tmp_path / "next.pub"
    file.write_text(json.dumps(public))
    added = command(stage, "add", partner.id, "--jwk", str(file))
    assert (added.exit_code, added.stdout.strip()) == (0, public["kid"]), added.output
    following = with_key(partner, private)
    for client in (partner, following):
        assert client.send([client.event(client.key["kid"], "lin", cast.recent())]).status_code == 200
    revoked = command(stage, "revoke", partner.id, partner.key["kid"])
    assert revoked.exit_code == 0, revoked.output
    assert "1 of its keys" in revoked.stderr
    refused(token(partner), 401, "assertion_invalid")
    refused(partner.send([]), 401, "signature_invalid")  # at once, though its token is still good
    assert token(following).status_code == 200


def test_the_last_key_can_be_revoked_and_another_one_opens_the_door_again(stage: Stage, partner: Client) -> None:
    told = command(stage, "revoke", partner.id, partner.key["kid"])
    assert "cannot sign anything" in told.stderr
    refused(token(partner), 401, "assertion_invalid")
    private, public = auth.new_key()
    change_keys.add_key(stage.platform, partner.id, public)
    assert token(with_key(partner, private)).status_code == 200


def test_a_revoked_key_never_comes_back_under_any_name(stage: Stage, partner: Client) -> None:
    change_keys.revoke_key(stage.platform, partner.id, partner.key["kid"])
    for jwk in (partner.key, partner.key | {"kid": "new"}):
        with pytest.raises(ValueError, match="never comes back"):
            change_keys.add_key(stage.platform, partner.id, jwk)


def test_what_is_no_further_key_is_said_and_not_kept(stage: Stage, partner: Client, tmp_path: Path) -> None:
    other = auth.new_key()[1]
    for jwk, words in (
        (partner.key | {"kid": "again"}, "has this key already"),
        (other | {"kid": partner.key["kid"]}, "has this key already"),
        (other | {"x": "AA"}, "damaged"),
        ({"kty": "RSA"}, "must be Ed25519"),
    ):
        file = tmp_path / "key"
        file.write_text(json.dumps(jwk))
        told = command(stage, "add", partner.id, "--jwk", str(file))
        assert told.exit_code == 1
        assert words in told.stderr
    told = command(stage, "revoke", partner.id, "unknown")
    assert told.exit_code == 1
    assert partner.key["kid"] in told.stderr
    assert token(partner).status_code == 200


def test_a_key_of_nobody_is_refused(stage: Stage) -> None:
    with pytest.raises(ValueError, match="no client"):
        change_keys.add_key(stage.platform, "pa-none", auth.new_key()[1])


def test_a_key_whose_id_begins_with_a_dash_can_be_revoked(stage: Stage, partner: Client, tmp_path: Path) -> None:
    _, public = auth.new_key()
    file = tmp_path / "dash.pub"
    file.write_text(json.dumps(public | {"kid": "-oQ"}))
    assert command(stage, "add", partner.id, "--jwk", str(file)).exit_code == 0
    revoked = command(stage, "revoke", partner.id, "-oQ")
    assert revoked.exit_code == 0, revoked.output
