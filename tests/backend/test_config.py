"""Settings fail loudly: every problem at once, with what to do, and never with a secret in the message."""

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from backend import auth, config, payments
from rewards import notes

ED25519 = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True)
P256 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The least that works."""
    return {
        "DATABASE_URL": "postgresql://tanpuhui@127.0.0.1/tanpuhui",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "TANPUHUI_HOME": str(tmp_path),
        "TANPUHUI_SECRET": "s" * 32,
        "TANPUHUI_SIGNING_KEYS": json.dumps([ED25519, P256]),
    }


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(config.SettingsError) as caught:
        config.load(environ)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_what_is_not_set_has_a_default(environ: dict[str, str], tmp_path: Path) -> None:
    settings = config.load(environ)
    assert (settings.port, settings.public_url) == (8000, "http://127.0.0.1:8000")
    assert (settings.batch_max, settings.body_max_bytes) == (1000, 4 * 1024 * 1024)
    assert (settings.home, settings.cors_origins, settings.identity_url) == (tmp_path, (), "")
    assert (settings.log_level, settings.demonstration) == ("INFO", True)


def test_what_is_set_is_taken(environ: dict[str, str]) -> None:
    environ |= {
        "PORT": "9000",
        "TANPUHUI_PUBLIC_URL": "https://tanpuhui.example/",
        "TANPUHUI_BATCH_MAX": "500",
        "TANPUHUI_CORS_ORIGINS": "https://a.example, http://localhost:5173",
        "TANPUHUI_LOG_LEVEL": "debug",
        "TANPUHUI_DEMONSTRATION": "0",
        "TANPUHUI_IDENTITY_URL": "http://127.0.0.1:9100",
        "TANPUHUI_IDENTITY_APPID": "wx1",
        "TANPUHUI_IDENTITY_SECRET": "x",
    }
    settings = config.load(environ)
    assert (settings.port, settings.public_url) == (9000, "https://tanpuhui.example")
    assert (settings.batch_max, settings.log_level, settings.demonstration) == (500, "DEBUG", False)
    assert settings.cors_origins == ("https://a.example", "http://localhost:5173")
    assert settings.identity_appid == "wx1"


def test_an_empty_value_is_no_value(environ: dict[str, str]) -> None:
    assert config.load(environ | {"PORT": " "}).port == 8000
    assert "DATABASE_URL is not set" in problems(environ | {"DATABASE_URL": ""})[0]


def test_an_empty_environment_names_everything_that_must_be_set(tmp_path: Path) -> None:
    found = problems({"TANPUHUI_HOME": str(tmp_path)})
    required = ["DATABASE_URL", "REDIS_URL", "TANPUHUI_SECRET", "TANPUHUI_SIGNING_KEYS"]
    assert [problem.split()[0] for problem in found] == required
    assert all("tanpuhui up" in problem for problem in found)


def test_every_problem_is_named_at_once_in_both_languages(environ: dict[str, str]) -> None:
    wrong = {
        "DATABASE_URL": "sqlite:///x",
        "REDIS_URL": "127.0.0.1:6379",
        "PORT": "70000",
        "TANPUHUI_PUBLIC_URL": "tanpuhui.example",
        "TANPUHUI_SECRET": "short",
        "TANPUHUI_SIGNING_KEYS": "[]",
        "TANPUHUI_BATCH_MAX": "many",
        "TANPUHUI_BODY_MAX_BYTES": "0",
        "TANPUHUI_CORS_ORIGINS": "https://a.example/path",
        "TANPUHUI_LOG_LEVEL": "loud",
        "TANPUHUI_DEMONSTRATION": "maybe",
    }
    found = problems(environ | wrong)
    assert {problem.split()[0] for problem in found} == set(wrong)
    assert all(any("\u4e00" <= character <= "\u9fff" for character in problem) for problem in found)


def test_an_identity_provider_needs_our_name_and_secret_there(environ: dict[str, str]) -> None:
    (problem,) = problems(environ | {"TANPUHUI_IDENTITY_URL": "http://127.0.0.1:9100"})
    assert "TANPUHUI_IDENTITY_APPID" in problem


PAYMENT = {
    "TANPUHUI_PAYMENT_URL": "https://pay.example/",
    "TANPUHUI_PAYMENT_MERCHANT": "m1",
    "TANPUHUI_PAYMENT_SECRETS": f"{'n' * 32}, {'o' * 40},",
}


def test_a_payment_provider_has_a_merchant_and_secrets_of_which_the_first_signs(environ: dict[str, str]) -> None:
    without = config.load(environ)
    assert (without.payment_url, without.payment_merchant, without.payment_secrets) == ("", "", ())
    assert payments.provider(without) is None
    made = payments.provider(config.load(environ | PAYMENT))
    assert made == payments.Provider("https://pay.example", "m1", ("n" * 32, "o" * 40))


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("TANPUHUI_PAYMENT_URL", "pay.example", "is no address"),
        ("TANPUHUI_PAYMENT_URL", "ftp://pay.example", "is no address"),
        ("TANPUHUI_PAYMENT_MERCHANT", "", "needs TANPUHUI_PAYMENT_MERCHANT"),
        ("TANPUHUI_PAYMENT_SECRETS", ",", "and TANPUHUI_PAYMENT_SECRETS"),
        ("TANPUHUI_PAYMENT_SECRETS", f"{'n' * 32},hidden", "shorter than 32 characters"),
    ],
)
def test_a_payment_provider_that_cannot_be_used_is_refused(
    environ: dict[str, str], name: str, wrong: str, said: str
) -> None:
    (problem,) = problems(environ | PAYMENT | {name: wrong})
    assert said in problem
    assert "hidden" not in problem


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("no json", "is not JSON"),
        (json.dumps(ED25519), "is not a JSON list"),
        (json.dumps([{"kty": "RSA"}]), "neither an Ed25519 nor a P-256"),
        (json.dumps([ED25519, {name: P256[name] for name in ("kty", "crv", "x", "y")}]), "as key 2 a public key"),
        (json.dumps([ED25519 | {"d": "AAAA"}]), "damaged"),
    ],
    ids=["no JSON", "no list", "RSA", "public", "damaged"],
)
def test_signing_keys_that_cannot_sign_are_refused(environ: dict[str, str], keys: str, reason: str) -> None:
    (problem,) = problems(environ | {"TANPUHUI_SIGNING_KEYS": keys})
    assert reason in problem


def test_proofs_are_signed_by_keys_of_their_own_or_by_the_signing_keys(environ: dict[str, str]) -> None:
    other = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True)
    [key] = auth.signing_keys(config.load(environ).proof_keys)
    assert key.public_jwk["x"] == ED25519["x"]
    named = environ | {"TANPUHUI_PROOF_KEYS": json.dumps([other | {"kid": "mine"}, ED25519])}
    first, second = auth.signing_keys(config.load(named).proof_keys)
    assert (first.public_jwk["x"], second.public_jwk) == (other["x"], key.public_jwk)
    assert first.kid == auth.public_part(other)["kid"]  # by its thumbprint, however it is called


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("no json", "TANPUHUI_PROOF_KEYS is not JSON"),
        (json.dumps([P256]), "TANPUHUI_PROOF_KEYS needs Ed25519 keys"),
        (json.dumps([ED25519, P256]), "TANPUHUI_PROOF_KEYS needs Ed25519 keys"),
        (json.dumps([{"kty": "OKP", "crv": "Ed25519", "x": ED25519["x"]}]), "as key 1 a public key"),
    ],
    ids=["no JSON", "P-256", "one of P-256", "public"],
)
def test_keys_that_cannot_sign_proofs_are_refused(environ: dict[str, str], setting: str, reason: str) -> None:
    (problem,) = problems(environ | {"TANPUHUI_PROOF_KEYS": setting})
    assert reason in problem
    assert ED25519["d"] not in problem


def test_without_an_ed25519_key_there_is_none_for_proofs(environ: dict[str, str]) -> None:
    (problem,) = problems(environ | {"TANPUHUI_SIGNING_KEYS": json.dumps([P256])})
    assert "TANPUHUI_PROOF_KEYS needs Ed25519 keys, and TANPUHUI_SIGNING_KEYS has none" in problem


WITNESSES = [notes.NoteKey(f"w{n}.example/w", notes.COSIGNATURE, bytes([n + 1]) * 32) for n in range(3)]


def test_witnesses_are_keys_with_an_address_or_without(environ: dict[str, str]) -> None:
    assert config.load(environ).log_witnesses == {}
    setting = f"{WITNESSES[0]}, {WITNESSES[1]}  https://w1.example/a/ ,{WITNESSES[2]} http://127.0.0.1:9000,"
    found = config.load(environ | {"TANPUHUI_LOG_WITNESSES": setting}).log_witnesses
    wanted = dict(zip(WITNESSES, ("", "https://w1.example/a", "http://127.0.0.1:9000"), strict=True))
    assert found == wanted


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("witness", "no Ed25519 key of a log or a witness"),
        (str(WITNESSES[0])[:-4] + "AAAA", "the key's id is not that of the key"),
        (str(notes.NoteKey("log.example", notes.ED25519, bytes(32))), "which is no witness's key"),
        (f"{WITNESSES[0]} http://witness.example/", "a witness is asked at https, or on this machine"),
        (f"{WITNESSES[0]} witness.example", "a witness is asked at https, or on this machine"),
        (f"{WITNESSES[0]} ftp://127.0.0.1/", "a witness is asked at https, or on this machine"),
        (f"https://w.example {WITNESSES[0]}", "no Ed25519 key of a log or a witness"),
    ],
)
def test_what_is_no_witness_is_refused(environ: dict[str, str], setting: str, reason: str) -> None:
    (problem,) = problems(environ | {"TANPUHUI_LOG_WITNESSES": setting})
    assert problem.startswith("TANPUHUI_LOG_WITNESSES")
    assert reason in problem


def test_no_message_shows_a_secret(environ: dict[str, str]) -> None:
    environ |= {
        "DATABASE_URL": "mysql://tanpuhui:hidden-1@127.0.0.1/x",
        "TANPUHUI_SECRET": "hidden-2",
        "TANPUHUI_SIGNING_KEYS": json.dumps([{"kty": "OKP", "crv": "Ed25519", "d": "hidden-3", "x": "hidden-4"}]),
    }
    found = problems(environ)
    assert len(found) == 3
    assert "hidden" not in "".join(found)


def note(home: Path, pid: int, **environment: str) -> None:
    (home / "up.json").write_text(json.dumps({"pid": pid, "environment": environment}))


def test_a_command_finds_what_a_running_up_has_started(environ: dict[str, str], tmp_path: Path) -> None:
    note(tmp_path, os.getpid(), **environ | {"DATABASE_URL": "postgresql://127.0.0.1:20001/up"})
    assert config.load({"TANPUHUI_HOME": str(tmp_path)}).database_url == "postgresql://127.0.0.1:20001/up"
    assert config.load(environ).database_url == environ["DATABASE_URL"], "the environment comes first"


def test_the_note_of_an_up_that_is_gone_counts_for_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    note(tmp_path, child, **environ)
    assert len(problems({"TANPUHUI_HOME": str(tmp_path)})) == 4
