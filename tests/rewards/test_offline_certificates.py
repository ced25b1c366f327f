"""A certificate proves itself without the platform; whatever is changed in it is refused, with the reason."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import certificates, offline_certificates, recalling, retirement
from rules.replay import Refused
from tests.rewards.offline_files import ENTITY, USCC, Change, Log, drop, dumps, honest, made, put
from tests.rules.test_receipts import changed, places

ROOT = honest().log.head().split("\n")[2]


def test_a_certificate_with_its_amendments_holds_and_says_what_was_proven() -> None:
    told = "\n".join(honest().verify("certificate"))
    for words in (
        "300 g CO2e retired", "深圳绿源 Shenzhen Lvyuan 91440300708461136T", "signed by the key", "entry 24 of the log",
        "300000 ppm of a footprint of 1000 g", "2 amendments", "5 g were recalled until 2026-12-05, 1 g",
        "attested by 华测认证", "OK / 成立",
    ):  # fmt: skip
        assert words in told


@pytest.mark.parametrize(
    "more",
    [
        {"demonstration": True, "waiting": False},
        {"demonstration": True, "waiting": True},
        {"beneficiaries": [ENTITY | {"quantity_g": 120}, ENTITY | {"quantity_g": 180}], "beneficiary": None},
        {"footprint": None},
        {"neutrality_claim": {"own_reductions_g": 5, "statement": "先行减排"}},
        {"on_behalf_of": ENTITY},
    ],
)
def test_every_kind_of_certificate_that_the_platform_signs_holds(more: dict[str, Any]) -> None:
    demonstration, waiting = more.pop("demonstration", False), more.pop("waiting", False)

    def content(body: dict[str, Any]) -> dict[str, Any]:
        body |= more
        body = {name: value for name, value in body.items() if value is not None}
        if "footprint" not in body:
            del body["covered_ppm"]
        body["demonstration"] = demonstration
        for line in body["lineage"]:
            line["demonstration"] = demonstration
        body["statements"] = retirement.statements(
            demonstration=demonstration, provisional=True, waiting=waiting, neutrality="neutrality_claim" in body
        )
        return body

    told = "\n".join(made(content=content).verify("certificate"))
    assert ("DEMONSTRATION, NO CLAIM MAY BE MADE" in told) == demonstration


# What a thief can do: the file is changed, nothing can be signed anew.
TAMPERED: dict[str, tuple[Change, str]] = {
    "more grams": (put("certificate", "quantity_g", 301), "quantity_g is 301, the serials add up to 300"),
    "another beneficiary": (put("certificate", "beneficiary", "name", "别家"), "not what the key .* signed"),
    "another code": (put("certificate", "beneficiary", "uscc", USCC[:-1] + "5"), "the code .* is wrong"),
    "another company": (put("certificate", "company", "name", "别家"), "not what the key .* signed"),
    "another period": (put("certificate", "period", "to", "2026-12-31"), "not what the key .* signed"),
    "a period turned round": (put("certificate", "period", "to", "2024-12-31"), "ends before it begins"),
    "another time": (put("certificate", "issued_at", "2026-11-20T03:04:06Z"), "not what the key .* signed"),
    "another year": (put("certificate", "issued_at", "2025-11-20T03:04:05Z"), "number and its time"),
    "another number": (put("certificate", "number", "TPH-C-2026-000002"), "address is not that of its number"),
    "another issuer": (put("certificate", "issuer", "https://x.example"), "address is not that of its number"),
    "another purpose": (put("certificate", "purpose", "code", "event"), "the purpose event is none"),
    "a range widened": (put("certificate", "serials", 0, "TPH-310000-metro-202606-7-1-101"), "its serials are 201 g"),
    "a range that overlaps": (put("certificate", "serials", 0, "TPH-310000-metro-202606-7-102-201"), "serials overlap"),
    "a range twice": (put("certificate", "serials", lambda all_: all_ + all_[:1]), "serials overlap: 1-100 and 1-100"),
    "a range of another batch": (put("certificate", "serials", 0, "TPH-310000-metro-202606-9-1-100"), "does not name"),
    "a range of another region": (put("certificate", "serials", 0, "TPH-110000-metro-202606-7-1-100"), "other region"),
    "a range of another month": (put("certificate", "serials", 0, "TPH-310000-metro-202605-7-1-100"), "other region"),
    "a range that is none": (put("certificate", "serials", 0, "TPH-310000-metro-202606-7-5-1"), "ends before it"),
    "no serials": (put("certificate", "serials", []), "its serials are 0 g"),
    "a batch of the lineage gone": (drop("certificate", "lineage", 1), "a batch that the lineage does not name"),
    "a batch of the lineage twice": (put("certificate", "lineage", 1, "batch", 7), "in the lineage twice"),
    "grams shifted in the lineage": (put("certificate", "lineage", 0, "quantity_g", 150), "says 150 g of batch 7"),
    "another vintage": (put("certificate", "lineage", 0, "vintage", "2026-05"), "another region, methodology or month"),
    "another verifier": (put("certificate", "lineage", 0, "attestation", "verifier", "x"), "not what the key"),
    "another root of members": (put("certificate", "lineage", 0, "members_root", "AAAA"), "not what the key"),
    "a statement gone": (drop("certificate", "statements", 0), "statements are not those"),
    "the demonstration denied": (put("certificate", "demonstration", True), "is not what its batches are"),
    "a higher share": (put("certificate", "covered_ppm", 1_000_000), "covered_ppm is 1000000"),
    "a smaller footprint": (put("certificate", "footprint", "quantity_g", 300), "footprint it is 1000000"),
    "the footprint gone": (drop("certificate", "footprint"), "of the stated footprint it is None"),
    "a member more": (put("certificate", "ccer", True), "should have the members"),
    "a member less": (drop("certificate", "jurisdiction"), "should have the members"),
    "another kind": (put("certificate", "kind", "tanpuhui.certificate.v2"), "this is no tanpuhui.certificate.v1"),
    "another key named": (put("signature", "kid", "k-1"), "none of those given"),
    "another algorithm": (put("signature", "alg", "ES256"), "none of those given"),
    "the signature cut": (put("signature", "value", lambda text: text[:-4]), "is not base64url of 64 bytes"),
    "the signature padded": (put("signature", "value", lambda text: text + "=="), "is not base64url of 64 bytes"),
    "another signature": (put("signature", "value", "A" * 86), "not what the key"),
    "the log taken out": (put("log", None), "is not in the log yet"),
    "the entry changed": (put("log", "entry", lambda text: text.replace("300", "301")), "proof does not lead"),
    "the entry of something else": (lambda file: file | {"log": file["amendments"][0]["log"]}, "of another kind than"),
    "the index": (put("log", "proof", lambda text: text.replace("index 24", "index 25")), "proof does not lead"),
    "an index outside": (put("log", "proof", lambda text: text.replace("index 24", "index 27")), "proof does not lead"),
    "a hash of the path gone": (put("log", "proof", lambda t: t.replace(t.split("\n")[2] + "\n", "")), "does not lead"),
    "the checkpoint's size": (put("log", "proof", lambda t: t.replace("\n27\n", "\n28\n")), "signature .* is wrong"),
    "the checkpoint's root": (put("log", "proof", lambda t: t.replace(ROOT, "A" * 43 + "=")), "signature .* is wrong"),
    "the checkpoint's origin": (put("log", "proof", lambda text: text.replace("tanpuhui.example", "x.example")),
                                "not of the log x.example"),
    "the checkpoint's signature gone": (put("log", "proof", lambda text: text[: text.index("—")]), "cut off"),
    "an amendment gone": (drop("amendments", 0), "does not follow the one before it"),
    "amendments swapped": (put("amendments", lambda all_: all_[::-1]), "does not follow the one before it"),
    "an amendment twice": (put("amendments", lambda all_: all_[:1] + all_), "does not follow the one before it"),
    "less owed": (put("amendments", 1, "amendment", "owed_g", 0), "contradicts itself"),
    "less recalled": (put("amendments", 1, "amendment", "recalled_mg", 1), "contradicts itself"),
    "less recalled throughout": (
        lambda file: put("amendments", 1, "amendment", "recalled_in_all_mg", 4_100)(
            put("amendments", 1, "amendment", "recalled_mg", 2_600)(file)), "amendment .* is not what the key"),
    "the first amendment altered": (put("amendments", 0, "amendment", "issuer", "x"), "not what the key"),
    "an amendment of another batch": (put("amendments", 0, "amendment", "batch", 9), "that the certificate has not"),
    "other serials cancelled": (put("amendments", 0, "amendment", "replaced_by", 0, "serials", 0,
                                    "TPH-310000-metro-202606-7-401-403"), "are not what it says"),
    "an amendment's signature": (put("amendments", 1, "signature", lambda _: honest().certificate["signature"]),
                                 "amendment .* is not what the key"),
    "an amendment's entry": (put("amendments", 0, "log", lambda _: honest().certificate["amendments"][1]["log"]),
                             "entry is not of the amendment"),
    "an amendment out of the log": (put("amendments", 1, "log", None), "is not in the log yet"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
def test_a_certificate_that_was_tampered_with_is_refused(name: str) -> None:
    change, reason = TAMPERED[name]
    with pytest.raises(Refused, match=reason):
        honest().verify("certificate", change(honest().certificate))


# What a platform can do that signs and logs what it likes: it cannot contradict itself.
LIES: dict[str, tuple[dict[str, Change], str]] = {
    "more grams than serials": ({"content": put("quantity_g", 400)}, "the serials add up to 300"),
    "a share too high": ({"content": put("covered_ppm", 900_000)}, "covered_ppm is 900000"),
    "a demonstration as real": ({"content": put("lineage", 0, "demonstration", True)}, "is not what its batches are"),
    "without the words that it must bear": ({"content": put("statements", [])}, "statements are not those"),
    "figures of too few people": ({"content": put("lineage", 0, "people_in_batch", 3)}, "fewer than 20 people"),
    "claims neutrality of nothing": (
        {"content": lambda b: drop("covered_ppm")(drop("footprint")(b | {
            "neutrality_claim": {}, "statements": retirement.statements(demonstration=False, provisional=True,
                                                                        neutrality=True)}))},
        "without a stated footprint"),
    "parts that are not the whole": (
        {"content": lambda b: drop("beneficiary")(b | {"beneficiaries": [ENTITY | {"quantity_g": 299}]})},
        "parts add up to 299 g"),
    "no beneficiary": ({"content": drop("beneficiary")}, "whom it is for"),
    "a gram retired and cancelled": (
        {"amendments": put(1, "replaced_by", 0, {"batch": 7, "reason": "recall", "from": "available", "quantity_g": 2,
                                                 "serials": ["TPH-310000-metro-202606-7-300-301"]})},
        "serials overlap: 201-300 and 300-301 of batch 7"),
    "a gram cancelled twice": (
        {"amendments": put(1, "replaced_by", 0, {"batch": 7, "reason": "recall", "from": "available", "quantity_g": 2,
                                                 "serials": ["TPH-310000-metro-202606-7-402-403"]})},
        "serials overlap: 401-402 and 402-403 of batch 7"),
    "an amendment that forgets": ({"amendments": put(1, "recalled_in_all_mg", 2_700)}, "contradicts itself"),
    "an amendment of the past": ({"amendments": put(1, "made_on", "2026-12-01")}, "contradicts itself"),
    "another hash in the log": ({"retirement": put("sha256", "0" * 64)}, "the log has another certificate"),
    "another number in the log": ({"retirement": put("certificate", "TPH-C-2026-000009")}, "is of the certificate"),
    "fewer grams in the log": ({"retirement": put("quantity_g", 299)}, "other grams by batch"),
    "other grams by batch in the log": ({"retirement": put("lines", 0, "quantity_g", 199)}, "other grams by batch"),
    "a line more in the log": ({"retirement": put("lines", lambda all_: all_ + all_[:1])}, "other grams by batch"),
    "another time in the log": ({"retirement": put("at", "2026-11-20T03:05:05+00:00")}, "the log says that it was at"),
    "a time without zone in the log": ({"retirement": put("at", "2026-11-20T03:04:05")}, "no time with its zone"),
    "another amendment in the log": ({"amended": put("sha256", "0" * 64)}, "entry is not of the amendment"),
    "another day in the log of the amendment": ({"amended": put("at", "2026-12-09T00:00:00+00:00")}, "the log says"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_certificate_that_contradicts_itself_is_refused_although_it_is_signed_and_logged(name: str) -> None:
    lies, reason = LIES[name]
    with pytest.raises(Refused, match=reason):
        made(**lies).verify("certificate")


def test_a_certificate_changed_at_any_single_place_is_refused() -> None:
    case = honest()
    tried = 0
    for path in places(case.certificate):
        with pytest.raises(Refused):
            case.verify("certificate", changed(case.certificate, path))
        tried += 1
    assert tried > 100


@given(st.data())
def test_a_certificate_with_a_byte_of_its_file_changed_is_refused_or_says_the_same(data: st.DataObject) -> None:
    case = honest()
    raw = bytearray(dumps(case.certificate))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        case.verify("certificate", bytes(raw))
    except Refused:
        return
    assert json.loads(raw) == case.certificate


@given(st.integers(0, 99))
def test_a_certificate_that_was_cut_off_is_refused(percent: int) -> None:
    raw = dumps(honest().certificate)
    with pytest.raises(Refused, match="not complete JSON"):
        honest().verify("certificate", raw[: len(raw) * percent // 100])


def test_a_name_twice_a_float_and_too_much_are_refused() -> None:
    case, raw = honest(), dumps(honest().certificate)
    for harm, reason in (
        (raw.replace(b'"quantity_g": 300', b'"quantity_g": 999, "quantity_g": 300', 1), "a name is there twice"),
        (raw.replace(b'"quantity_g": 300', b'"quantity_g": 300.0', 1), "is no integer"),
        (raw.replace(b'"quantity_g": 300', b'"quantity_g": 3e2', 1), "is no integer"),
        (raw.replace(b'"quantity_g": 300', b'"quantity_g": NaN', 1), "whole number|not of the form|no integer|JSON"),
        (b"[" * 200_000, "not complete JSON"),
        (raw + b" " * (16 * 1024 * 1024), "too large"),
        (b"null", "should have the members"),
        (b"\xff\xfe", "not complete JSON"),
    ):
        assert harm != raw
        with pytest.raises(Refused, match=reason):
            case.verify("certificate", harm)


def test_another_platforms_key_verifies_nothing_and_no_key_says_where_to_get_one() -> None:
    case = honest()
    with pytest.raises(Refused, match="none of those given"):
        case.verify("certificate", key=[str(Log(seed=2).key).encode()])
    with pytest.raises(Refused, match="/v1/log/keys"):
        case.verify("certificate", key=[])


def test_a_certificate_that_waits_for_the_log_passes_only_when_that_is_allowed_and_says_so() -> None:
    case = honest()
    early = {"certificate": case.certificate["certificate"], "signature": case.certificate["signature"]}
    for file in (early, early | {"log": None, "amendments": []}):
        with pytest.raises(Refused, match="--unlogged"):
            case.verify("certificate", file)
        told = "\n".join(case.verify("certificate", file, unlogged=True))
        assert "NOT IN THE LOG yet" in told
        assert "is signed by the key" in told
    early = copy.deepcopy(early)
    early["certificate"]["note"] = "x"
    with pytest.raises(Refused, match="not what the key"):
        case.verify("certificate", early, unlogged=True)


def test_the_last_amendment_left_out_cannot_be_seen_and_the_lines_say_so() -> None:
    case = honest()
    told = case.verify("certificate", drop("amendments", 1)(case.certificate))
    assert any("1 amendments" in line and "this file cannot show" in line for line in told)


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 5)), max_size=6))
def test_any_history_of_amendments_holds_and_none_can_be_taken_out_before_the_last(days: list[tuple[int, int]]) -> None:
    def amendments(_: list[dict[str, Any]]) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        for n, (in_all_mg, owed_g) in enumerate(days):
            before, at = out[-1] if out else None, datetime(2026, 12, 1, 1, tzinfo=UTC) + timedelta(days=n)
            out.append(
                recalling.amendment(
                    batch_id=8, made_on=at.date(), version=1, made_at=at, issuer="i", recalled_mg=in_all_mg,
                    before_mg=before["recalled_in_all_mg"] if before else 0, owed_g=owed_g, cancelled=[],
                    previous_sha256=certificates.sha256(before) if before else None,
                )
            )  # fmt: skip
        return out

    case = made(amendments=amendments)
    case.verify("certificate")
    for gone in range(len(days) - 1):
        with pytest.raises(Refused, match="does not follow"):
            case.verify("certificate", drop("amendments", gone)(copy.deepcopy(case.certificate)))


def test_the_verifier_and_the_platform_mean_the_same_kinds() -> None:
    assert certificates.KIND == offline_certificates.CERTIFICATE
    assert recalling.KIND == offline_certificates.AMENDMENT
    assert certificates.PEOPLE_SHOWN_FROM == offline_certificates.PEOPLE_MIN
    assert offline_certificates.digest(honest().certificate["certificate"]) == certificates.sha256(
        honest().certificate["certificate"]
    )


def test_the_words_on_certificates_stay_what_they_are() -> None:
    """A verifier of today must take the certificates of before: other words need another kind of certificate."""
    words = [
        retirement.PURPOSES,
        [retirement.statements(demonstration=d, provisional=True, waiting=w, neutrality=n)
         for d in (False, True) for w in (False, True) for n in (False, True)],
    ]  # fmt: skip
    assert (
        hashlib.sha256(dumps(words)).hexdigest() == "2c6231fdcc64ed03ef461726ee79be9de32e2d2c19772f2840a18e345814a04f"
    )
