"""A head of the log proves itself: signatures, witnesses, growth; a fork and an older head replayed are refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import leaves, notes, offline
from rules.replay import Refused
from tests.rewards.offline_files import Case, Log, dumps, honest, made, witness

ONE = ("w1.example", 11)
TWO = ("w2.example", 12)


def grown(more: int = 5) -> tuple[Case, str]:
    """The honest case with a log that has grown, and its head of before."""
    case = honest()
    before = case.log.head()
    for n in range(more):
        case.log.add(leaves.entry("deed", {}, bytes([n]) * 32))
    return case, before


def forked() -> str:
    """Another head of the same size, signed by the same key."""
    log = honest().log
    log.entries[3] = log.entries[4]
    return log.head()


def test_a_head_holds_and_names_its_signer() -> None:
    told = "\n".join(honest().verify("checkpoint"))
    assert "checkpoint of tanpuhui.example/v1/log: 27 entries" in told
    assert "signed by tanpuhui.example/v1/log+121bf53c" in told


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda note: note.replace("\n27\n", "\n28\n"), "signature by .* is wrong"),
        (lambda note: note.replace("\n27\n", "\n027\n"), "size is no number"),
        (lambda note: note.replace("\n27\n", "\n-1\n"), "size is no number"),
        (lambda note: note.replace("\n27\n", "\n99999999999999999999\n"), "size is no number"),
        (lambda note: note.replace("tanpuhui.example", "x.example"), "not of the log x.example"),
        (lambda note: note.replace("tanpuhui.example", "x.example", 1), "not of the log x.example"),
        (lambda note: note.replace("— tanpuhui", "— x"), "signed by none of the keys"),
        (lambda note: note.replace("—", "-"), "not of the form"),
        (lambda note: note[:-1], "cut off"),
        (lambda note: note[: len(note) // 2], "no checkpoint|cut off"),
        (lambda note: note + note, "no checkpoint|not of the form|signed by none|number"),
        (lambda note: note.replace("\n", "\r\n"), "no checkpoint"),
        (lambda note: note + "x" * 70_000, "too large"),
        (lambda note: "", "no checkpoint"),
        (lambda note: note.encode().replace("—".encode(), b"\xff"), "not of the form it should have"),
    ],
)
def test_a_head_that_was_tampered_with_is_refused(harm: Any, reason: str) -> None:
    case = honest()
    with pytest.raises(Refused, match=reason):
        case.verify("checkpoint", harm(case.log.head()) or b"")


@given(st.data())
def test_a_head_with_a_character_changed_is_refused(data: st.DataObject) -> None:
    case = honest()
    note = case.log.head()
    at = data.draw(st.integers(0, len(note) - 1))
    sign = data.draw(st.characters(codec="utf-8"))
    if sign == note[at]:
        return
    with pytest.raises(Refused):
        case.verify("checkpoint", note[:at] + sign + note[at + 1 :])


def test_an_older_head_replayed_is_refused_and_a_newer_one_is_not() -> None:
    case, before = grown()
    with pytest.raises(Refused, match="an older checkpoint replayed: it has 27 entries, the one you know 32"):
        case.verify("checkpoint", before, after=[case.log.head().encode()])
    told = case.verify("checkpoint", after=[before.encode()])
    assert any("NOT PROVEN that the log of 32 entries continues that of 27" in line for line in told)


def test_growth_is_proven_by_a_consistency_proof() -> None:
    case, before = grown()
    told = case.verify("checkpoint", after=[before.encode()], consistency=[case.log.growth(27, 32)])
    assert any("the log of 32 entries continues the one of 27: nothing in it was changed" in line for line in told)
    case.verify("checkpoint", before, after=[before.encode()], consistency=[case.log.growth(27, 27)])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda proof: proof | {"path": proof["path"][:-1]}, "does not continue"),
        (lambda proof: proof | {"path": []}, "does not continue"),
        (lambda proof: proof | {"path": ["A" * 43 + "=", *proof["path"][1:]]}, "does not continue"),
        (lambda proof: proof | {"from": 26}, "is from 26 to 32, the checkpoints are of 27 and 32"),
        (lambda proof: proof | {"to": 33}, "is from 27 to 33"),
        (lambda proof: proof | {"to": True}, "should be a whole number"),
        (lambda proof: proof | {"from": -1}, "should be a whole number"),
        (lambda proof: proof | {"more": 1}, "consistency proof should have the members"),
        (lambda proof: proof | {"path": ["AAAA"]}, "no SHA-256"),
        (lambda proof: proof | {"path": 7}, "not of the form it should have"),
        (lambda proof: [], "should have the members"),
    ],
)
def test_a_consistency_proof_that_does_not_fit_is_refused(harm: Any, reason: str) -> None:
    case, before = grown()
    proof = dumps(harm(json.loads(case.log.growth(27, 32))))
    with pytest.raises(Refused, match=reason):
        case.verify("checkpoint", after=[before.encode()], consistency=[proof])


def test_a_rewritten_log_cannot_prove_that_it_continues() -> None:
    case, before = grown()
    case.log.entries[3] = case.log.entries[4]
    with pytest.raises(Refused, match="it was rewritten"):
        case.verify("checkpoint", after=[before.encode()], consistency=[case.log.growth(27, 32)])


@given(st.integers(0, 40), st.integers(0, 40))
def test_growth_between_any_two_sizes_is_proven(one: int, other: int) -> None:
    case, _ = grown(13)
    old, size = sorted((one, other))
    files = {"after": [case.log.head(old).encode()], "consistency": [case.log.growth(old, size)]}
    case.verify("checkpoint", case.log.head(size), **files)


def test_a_consistency_proof_without_the_other_head_is_refused() -> None:
    with pytest.raises(Refused, match="--consistency needs --after"):
        honest().verify("checkpoint", consistency=[honest().log.growth(1, 27)])


@pytest.mark.parametrize("kind", ["checkpoint", "receipt", "membership", "certificate"])
def test_a_log_that_shows_people_different_histories_is_found_by_a_head_that_is_kept(kind: str) -> None:
    with pytest.raises(Refused, match="different roots: the log shows people different histories"):
        honest().verify(kind, after=[forked().encode()])


@pytest.mark.parametrize("kind", ["receipt", "membership", "certificate"])
def test_a_file_may_be_older_than_the_head_that_is_kept(kind: str) -> None:
    case, _ = grown()
    told = case.verify(kind, after=[case.log.head().encode()], consistency=[case.log.growth(27, 32)])
    assert any("the log of 32 entries continues the one of 27" in line for line in told)
    assert any("NOT PROVEN" in line for line in case.verify(kind, after=[case.log.head().encode()]))


def test_a_kept_head_must_be_of_the_same_log_and_signed_too() -> None:
    other = Log(origin="other.example/v1/log", entries=honest().log.entries)
    jwk = dumps({"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(other.key.public).decode()[:-1]})
    with pytest.raises(Refused, match="the checkpoints are of two logs"):
        honest().verify("checkpoint", after=[other.head().encode()], key=[jwk])
    with pytest.raises(Refused, match="signed by none of the keys"):
        honest().verify("checkpoint", after=[Log(seed=2).head().encode()])


def test_two_heads_of_one_size_in_one_file_must_agree() -> None:
    case, fork = honest(), honest()
    fork.log.entries[3] = fork.log.entries[4]
    case.receipt["batch"]["close"] = fork.log.logged(23)
    with pytest.raises(Refused, match="different histories"):
        case.verify("receipt")


# --- keys -------------------------------------------------------------------------------------------------------------


def jwk_of(log: Log, **more: Any) -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(log.key.public).decode().rstrip("=")} | more


def keyed() -> dict[str, bytes]:
    log, other = honest().log, Log(seed=2)
    kid = offline.thumbprint(log.key.public)
    return {
        "a line": f"{log.key}\n".encode(),
        "lines with comments": f"\ufeff# the keys\n\n{other.key}\n  {log.key}  \n".encode(),
        "a JWK": dumps(jwk_of(log)),
        "a JWK with its kid": dumps(jwk_of(log, kid=kid, use="sig", alg="EdDSA")),
        "a JWK a line": b"\n".join(map(dumps, (jwk_of(other), jwk_of(log)))),
        "a JWK Set with keys of other kinds": dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": ""}, jwk_of(log)]}),
        "the answer of /v1/log/keys": dumps(
            {"origin": log.origin, "keys": [{"key": str(log.key), "in_use": True}], "witnesses": []}),
        "a list": dumps([str(other.key), str(log.key)]),
    }  # fmt: skip


@pytest.mark.parametrize("name", keyed())
@pytest.mark.parametrize("kind", ["checkpoint", "certificate", "receipt", "membership"])
def test_a_key_file_may_have_any_of_these_forms(name: str, kind: str) -> None:
    honest().verify(kind, key=[keyed()[name]])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "no Ed25519 key"),
        (b"{}", "no Ed25519 key"),
        (b'{"keys": []}', "no Ed25519 key"),
        (b'{"kty": "EC", "crv": "P-256"}', "no Ed25519 key"),
        (b'{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}', "base64url of 32 bytes"),
        (b'{"kty": "OKP", "crv": "Ed25519"}', "not of the form"),
        (b"hello", "no Ed25519 key of a log"),
        (b"\xff\xfe\x00", "no text"),
        (b'{"keys": [', "not complete JSON"),
        (str(witness(*ONE)[0]).encode(), "key of a witness, not the platform's"),
        (str(Log().key).replace("+121bf53c+", "+121bf53d+").encode(), "id is not that of the key"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        honest().verify("checkpoint", key=[raw])


def test_a_key_verifies_the_log_that_it_names_and_no_other() -> None:
    """The same key under another name, as of a test system that shares it."""
    other = made(origin="test.example/v1/log")
    with pytest.raises(Refused, match=r"not of the log test.example/v1/log"):
        other.verify("certificate", key=[str(honest().log.key).encode()])
    other.verify("certificate", key=[dumps(jwk_of(honest().log))])


def test_the_kid_of_a_jwk_is_what_certificates_name() -> None:
    with pytest.raises(Refused, match="none of those given"):
        honest().verify("certificate", key=[dumps(jwk_of(honest().log, kid="another"))])


def test_while_keys_rotate_either_verifies_the_head() -> None:
    log, new = honest().log, Log(seed=2)
    text = notes.read_checkpoint(log.head()).text
    signed = log.head() + notes.signature_line(new.key, new.private.sign(text.encode()))
    for key in (log.key, new.key):
        honest().verify("checkpoint", signed, key=[str(key).encode()])
    wrong = log.head() + notes.signature_line(new.key, log.private.sign(text.encode()))
    honest().verify("checkpoint", wrong, key=[str(log.key).encode()])  # what an unknown key signed is passed over
    with pytest.raises(Refused, match=r"signature by .* is wrong"):
        honest().verify("checkpoint", wrong, key=[str(new.key).encode()])


# --- witnesses --------------------------------------------------------------------------------------------------------


def test_witnesses_are_named_with_the_time_at_which_they_had_seen_the_head() -> None:
    case = made(witnesses=[ONE, TWO])
    keys = [str(witness(*one)[0]).encode() for one in (ONE, TWO)]
    for kind in ("checkpoint", "certificate", "receipt", "membership"):
        told = "\n".join(case.verify(kind, witness=keys))
        assert "the witness w1.example had seen it, and no larger one, at 2026-11-18T" in told
        assert "w2.example" in told
        assert "w1.example" not in "\n".join(case.verify(kind))


@pytest.mark.parametrize("kind", ["checkpoint", "certificate", "receipt", "membership"])
def test_of_each_file_of_witnesses_one_must_have_cosigned(kind: str) -> None:
    case = made(witnesses=[ONE])
    one, two = (str(witness(*each)[0]).encode() for each in (ONE, TWO))
    case.verify(kind, witness=[one + b"\n" + two])
    with pytest.raises(Refused, match=r"no witness of w2.example has cosigned"):
        case.verify(kind, witness=[one, two])
    with pytest.raises(Refused, match=r"no witness of w1.example has cosigned"):
        honest().verify(kind, witness=[one])


def test_a_cosignature_that_is_wrong_is_refused() -> None:
    case = made(witnesses=[ONE])
    key = str(witness(*ONE)[0]).encode()
    note = case.log.head()
    name, raw = note.splitlines()[-1].rsplit(" ", 1)
    later = bytearray(base64.b64decode(raw))
    later[4 + 7] ^= 1  # the second at which it says it was made
    with pytest.raises(Refused, match=r"signature by w1.example is wrong"):
        case.verify("checkpoint", note.replace(raw, base64.b64encode(later).decode()), witness=[key])
    short = base64.b64encode(base64.b64decode(raw)[:-1]).decode()
    with pytest.raises(Refused, match=r"signature by w1.example is wrong"):
        case.verify("checkpoint", note.replace(raw, short), witness=[key])
    assert name == "— w1.example"


@pytest.mark.parametrize("raw", [b"", str(Log().key).encode(), b"hello", b"\xff"])
def test_a_file_of_witnesses_that_cannot_be_used_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        honest().verify("checkpoint", witness=[raw])
