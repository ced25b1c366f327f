"""The log's key is changed: old; new and old; new. What was handed out under the old one still verifies, by anybody."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from backend import auth
from backend.usecases import follow_log, sequence_log
from rewards import notes, offline
from tests import cast
from tests.backend.test_follow_log import Platforms
from tests.cast import Stage
from tests.logs import new_key, note_key
from tests.market import Market, ok

OLD, NEW = new_key(), new_key()
ORIGIN = "localhost/v1/log"
OLD_KEY, NEW_KEY = note_key(OLD, ORIGIN), note_key(NEW, ORIGIN)


class Turning:
    """A stage whose keys of proofs are changed as by a restart with other settings."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.urls = (database_url, redis_url)
        self.open: list[Any] = []

    def __call__(self, *keys: auth.SigningKey) -> Stage:
        made = cast.stage(*self.urls)
        self.open.append(made)
        stage = made.__enter__()
        platform = dataclasses.replace(stage.platform, proof_keys=keys)
        return Stage(platform, cast.create_app(platform).test_client())


@pytest.fixture
def turn(database_url: str, redis_url: str) -> Iterator[Turning]:
    made = Turning(database_url, redis_url)
    yield made
    for one in made.open:
        one.__exit__(None, None, None)


def sequence(stage: Stage) -> int:
    assert sequence_log.is_due(stage.platform)
    return sequence_log.sequence_log(stage.platform, datetime.now(UTC))


def head(stage: Stage) -> notes.Checkpoint:
    return notes.read_checkpoint(stage.http.get("/v1/log/checkpoint").get_data(as_text=True))


def signers(stage: Stage) -> list[notes.NoteKey]:
    return notes.signers(head(stage), [OLD_KEY, NEW_KEY], auth.is_ed25519)


def follow(stage: Stage, state: follow_log.State | None) -> follow_log.State:
    pinned = offline.read_keys(str(OLD_KEY).encode())
    return follow_log.follow_log(Platforms(stage), state, pinned, lambda new: None, lambda done, total: None)


def certificate(stage: Stage) -> tuple[Market, dict[str, Any]]:
    """A market and its first certificate with its place in the log, signed by the first of the keys."""
    market = Market(stage)
    market.issued(*[200_000] * 40)
    market.paid(600)
    number = market.retired(300)["certificate"]["number"]
    sequence(stage)
    return market, ok(stage.http.get(f"/v1/certificates/{number}.json"), 200)


def verified(stage: Stage, signed: dict[str, Any]) -> dict[str, Any]:
    return dict(ok(stage.http.post("/v1/certificates/verify", json=signed), 200))


def jwks(stage: Stage) -> list[str]:
    return [key["kid"] for key in ok(stage.http.get("/.well-known/jwks.json"), 200)["keys"]]


def test_the_log_goes_from_the_old_key_to_the_new_one_before_everybodys_eyes(turn: Turning) -> None:
    before = turn(OLD)
    assert sequence(before) == 1
    assert signers(before) == [OLD_KEY]
    state = follow(before, None)

    both = turn(NEW, OLD)
    assert sequence(both) == 1  # the entry that names the new one
    assert signers(both) == [NEW_KEY, OLD_KEY]
    assert not sequence_log.is_due(both.platform)

    after = turn(NEW)
    assert sequence(after) == 1
    assert signers(after) == [NEW_KEY]
    told = ok(after.http.get("/v1/log/keys"), 200)
    assert told["keys"] == [{"key": str(NEW_KEY), "in_use": True}, {"key": str(OLD_KEY), "in_use": False}]
    assert [change["index"] for change in told["changes"]] == [0, 1, 2]

    for seen in (state, None):  # somebody who was away all the time, and somebody who has nothing but the old key
        followed = follow(after, seen)
        assert (followed.head.size, followed.keys, followed.former) == (3, [NEW_KEY], [OLD_KEY])


def test_a_new_key_that_came_without_the_old_one_is_seen_by_everybody(turn: Turning) -> None:
    before = turn(OLD)
    sequence(before)
    state = follow(before, None)
    after = turn(NEW)
    sequence(after)
    for seen in (state, None):
        with pytest.raises(follow_log.Alarm, match="no known key signed this head"):
            follow(after, seen)


def test_certificates_of_a_former_key_still_verify_and_say_whose_they_are(turn: Turning) -> None:
    before = turn(OLD)
    market, signed = certificate(before)
    assert signed["signature"]["kid"] == OLD.kid
    assert OLD.kid in jwks(before)
    for keys in ((NEW, OLD), (NEW,)):
        stage = turn(*keys)
        sequence(stage)
        told = verified(stage, signed)
        assert (told["valid"], told["checks"]["signature"], told["checks"]["logged"]) == (True, True, True)
        assert {OLD.kid, NEW.kid} <= set(jwks(stage))
        refreshed = ok(stage.http.get(f"/v1/certificates/{signed['certificate']['number']}.json"), 200)
        assert {name: refreshed[name] for name in ("certificate", "signature")} == {
            name: signed[name] for name in ("certificate", "signature")
        }
        assert verified(stage, refreshed)["valid"]
        forged = json.loads(json.dumps(signed))
        forged["certificate"]["quantity_g"] += 1
        assert not verified(stage, forged)["checks"]["signature"]
        market.stage.http = stage.http
    later = turn(NEW)
    company = dataclasses.replace(market.company, http=later.http)
    number = market.retired(100, company)["certificate"]["number"]
    fresh = ok(later.http.get(f"/v1/certificates/{number}.json"), 200)
    assert fresh["signature"]["kid"] == NEW.kid
    assert verified(later, fresh)["checks"]["signature"]


def test_a_former_key_published_is_public_and_no_key_that_the_log_never_named(turn: Turning) -> None:
    before = turn(OLD)
    sequence(before)
    after = turn(NEW)
    keys = ok(after.http.get("/.well-known/jwks.json"), 200)["keys"]
    assert all("d" not in key for key in keys)
    found = {key["kid"]: key for key in keys}
    assert found[OLD.kid] == OLD.public_jwk | {"use": "sig", "alg": "EdDSA"}
    assert new_key().kid not in found
    assert len(found) == len(keys) == 3  # that of tokens, the new one, the old one


def test_what_a_former_key_never_signed_is_not_valid_by_its_name(turn: Turning) -> None:
    before = turn(OLD)
    _, signed = certificate(before)
    after = turn(NEW)
    for signature in (
        {"kid": NEW.kid}, {"kid": "other"}, {"alg": "ES256"}, {"value": auth.sign(NEW, b"x")},
    ):  # fmt: skip
        assert not verified(after, signed | {"signature": signed["signature"] | signature})["checks"]["signature"]
