"""A receipt and a membership prove themselves without the platform; whatever is changed in them is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import receipts
from rules.replay import Refused
from tests.rewards.offline_files import PACK, Change, drop, dumps, honest, made, put, record
from tests.rules.test_receipts import changed, places


def test_a_receipt_holds_and_says_what_was_proven() -> None:
    told = "\n".join(honest().verify("receipt"))
    for words in (
        "1. metro 1.0.0  2026-06-03  310000", "calculated anew: 1176935 mg CO2e; 6 points", "entry 0 of the log",
        "commits to this receipt of deed 501, version 2", "member 17 of 23 of batch 7", "TPH-C-2026-000001",
    ):  # fmt: skip
        assert words in told


def test_a_membership_holds_and_names_nobody() -> None:
    case = honest()
    told = "\n".join(case.verify("membership"))
    assert "a deed of metro in 310000, 2026-06, is in the batch of which TPH-C-2026-000001 retired 200 g" in told
    for secret in ("501", case.receipt["salt"], "2026-06-03", "11008", "1176935"):
        assert secret not in json.dumps(case.membership | {"certificate": None, "log": None, "batch": None}) + told


def test_a_dry_run_is_calculated_and_said_to_prove_no_more() -> None:
    dry = json.loads(receipts.canonical(receipts.receipt(None, [record(8, "ok")])))
    assert "nothing in it is signed or in the log" in honest().verify("receipt", dry, key=[])[-2]


def test_a_deed_in_no_batch_holds_by_its_own_entry() -> None:
    told = "\n".join(honest().verify("receipt", honest().receipt | {"batch": None}))
    assert "no batch is shown" in told
    assert "commits to this receipt" in told


RECEIPT: dict[str, tuple[Change, str]] = {
    "a fact": (put("records", 0, "facts", "distance_m", 12_000), "the receipt says"),
    "a fact of a type that looks alike": (put("records", 0, "facts", "distance_m", True), "outside of what the pack"),
    "a factor": (put("records", 0, "calculation", "factors", 0, "value", "1"), "calculated anew"),
    "a step": (put("records", 0, "calculation", "steps", 0, "value", "1"), "steps: the receipt says"),
    "what was measured": (put("records", 0, "calculation", "measured_mg", 1), "measured_mg: the receipt says"),
    "what was credited": (put("records", 0, "credited", "reduction_mg", 1), "1 mg credited as 'ok'"),
    "the code": (put("records", 1, "credited", "code", "ok"), "commits to something else"),
    "points alone": (put("points", 9), "points is 9, its records add up to 6"),
    "points throughout": (lambda r: put("records", 0, "credited", "points", 4)(r | {"points": 7}), "something else"),
    "the reduction": (put("reduction_mg", 1), "its records add up to"),
    "the cap": (put("records", 0, "credited", "cap_mg", 10**9), "commits to something else"),
    "the start": (put("records", 0, "started_at", "2026-06-03T08:00:00.6+08:00"), "commits to something else"),
    "the end": (put("records", 1, "ended_at", "2026-06-03T09:21:00+08:00"), "commits to something else"),
    "the end before the start": (put("records", 0, "ended_at", "2026-06-03T07:00:00+08:00"), "ends before it starts"),
    "a time without zone": (put("records", 0, "started_at", "2026-06-03T08:00:00"), "no time with its zone"),
    "the day": (put("records", 0, "day", "2026-06-04"), "day is not that of the start"),
    "the evidence": (put("records", 0, "evidence", "device"), "commits to something else"),
    "the region of a record": (put("records", 0, "region", "310101"), "commits to something else"),
    "a record gone": (drop("records", 1), "its records add up to"),
    "no records": (put("records", []), "its records add up to 0"),
    "the deed": (put("deed", "502"), "commits to something else"),
    "the version": (put("version", 1), "commits to something else"),
    "the salt": (put("salt", "A" * 43 + "="), "commits to something else"),
    "the salt in another alphabet": (put("salt", lambda salt: salt.rstrip("=")), "is not base64"),
    "the row": (put("row", "A" * 43 + "="), "commits to something else"),
    "the head's region": (put("head", "region", "310101"), "head names another"),
    "the head's month": (put("head", "month", "2026-05"), "head names another"),
    "a member more in the head": (put("head", "person", "7"), "head should have the members"),
    "the pack's hash": (put("records", 0, "pack", "sha256", "0" * 64), "no pack.json given has the hash"),
    "the pack's status": (put("records", 0, "pack", "status", "official"), "in pack.json"),
    "the format": (put("format", "tanpuhui-receipt/3"), "not a receipt of the format"),
    "the older format to hide the proofs": (put("format", "tanpuhui-receipt/1"), "a receipt has the members"),
    "the log taken out": (put("log", None), "is not in the log yet"),
    "another's entry": (lambda r: r | {"log": honest().log.logged(1)}, "commits to something else"),
    "an entry of another kind": (lambda r: r | {"log": honest().log.logged(24)}, "another kind than deed"),
    "the entry rewritten": (put("log", "entry", lambda text: text.replace("deed", "Deed")), "proof does not lead"),
    "the proof of another": (put("log", "proof", lambda _: honest().log.logged(1)["proof"]), "proof does not lead"),
    "the batch": (put("batch", "batch", 8), "closed batch 8 otherwise"),
    "the place in the batch": (put("batch", "index", 3), "does not lead from the deed"),
    "the size of the batch": (put("batch", "size", 24), "closed batch 7 otherwise"),
    "the path in the batch": (put("batch", "path", 0, "A" * 43 + "="), "does not lead from the deed"),
    "the path cut": (drop("batch", "path", 0), "does not lead from the deed"),
    "a path without end": (put("batch", "path", ["A" * 43 + "="] * 65), "is no SHA-256"),
    "the close taken out": (put("batch", "close", None), "the close of batch 7 is not in the log yet"),
    "the close of something else": (put("batch", "close", lambda _: honest().log.logged(24)), "kind than close"),
    "the close rewritten": (put("batch", "close", "entry", lambda text: text.replace('"batch":7', '"batch":8')),
                            "proof does not lead from the entry of the close"),
}  # fmt: skip


@pytest.mark.parametrize("name", RECEIPT)
def test_a_receipt_that_was_tampered_with_is_refused(name: str) -> None:
    change, reason = RECEIPT[name]
    case = honest()
    with pytest.raises(Refused, match=reason):
        case.verify("receipt", change(case.receipt))


MEMBERSHIP: dict[str, tuple[Change, str]] = {
    "the opening": (put("opening", "A" * 43 + "="), "commits to something else"),
    "the head's month": (put("head", "month", "2026-05"), "commits to something else"),
    "another's entry": (lambda m: m | {"log": honest().log.logged(1)}, "commits to something else"),
    "a path of another": (put("batch", "path", 0, "A" * 43 + "="), "does not lead from the deed"),
    "a certificate without the batch": (
        lambda m: m | {"certificate": made(content=_without_the_batch, amendments=lambda _: []).certificate},
        "has no grams of batch 7"),
    "a certificate changed": (put("certificate", "certificate", "company", "name", "x"), "not what the key"),
    "a certificate without its log": (put("certificate", "log", None), "the retirement is not in the log yet"),
    "a member more": (put("person", 7), "should have the members"),
    "the format": (put("format", "tanpuhui-receipt/2"), "this is no tanpuhui-membership/1"),
}  # fmt: skip


def _without_the_batch(body: dict[str, Any]) -> dict[str, Any]:
    """The certificate of the other batch's grams alone."""
    body |= {"lineage": body["lineage"][1:], "serials": body["serials"][2:], "quantity_g": 100, "covered_ppm": 100_000}
    return body


@pytest.mark.parametrize("name", MEMBERSHIP)
def test_a_membership_that_was_tampered_with_is_refused(name: str) -> None:
    change, reason = MEMBERSHIP[name]
    case = honest()
    with pytest.raises(Refused, match=reason):
        case.verify("membership", change(case.membership))


LIES: dict[str, tuple[str, dict[str, Change], str]] = {
    "closed as another pool": ("receipt", {"close": put("pool", "310000.metro.1.0.0.202605")}, "closed batch 7"),
    "closed with another count": ("receipt", {"close": put("deeds", 22)}, "closed batch 7 otherwise"),
    "closed as another batch": ("receipt", {"close": put("batch", 9)}, "closed batch 7 otherwise"),
    "closed over other members": ("receipt", {"close": put("members_root", "A" * 43 + "=")}, "does not lead from"),
    "certified with other members": ("membership", {"content": put("lineage", 0, "members_root", "A" * 43 + "=")},
                                     "members_root of batch 7 is"),
    "certified with another gas basis": ("membership", {"content": put("lineage", 0, "gas_basis", "CO2")},
                                         "gas_basis of batch 7 is CO2"),
    "certified by another version": ("membership", {"content": put("lineage", 0, "methodology", "version", "2.0.0")},
                                     "pool of batch 7 is 310000.metro.2.0.0.202606"),
    "closed as a demonstration": ("membership", {"close": put("demonstration", True)}, "demonstration of batch 7"),
    "certified with another count": ("membership", {"content": put("lineage", 0, "deeds_in_batch", 99)}, "counts 99"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_what_contradicts_itself_is_refused_although_it_is_signed_and_logged(name: str) -> None:
    kind, lies, reason = LIES[name]
    case = made(**lies)
    with pytest.raises(Refused, match=reason):
        case.verify(kind)


@pytest.mark.parametrize("kind", ["receipt", "membership"])
def test_a_file_changed_at_any_single_place_is_refused_but_for_the_list_that_the_platform_adds(kind: str) -> None:
    case = honest()
    free = {("batch", "certificates", 0)}  # what it says there, it proves by the certificates themselves
    tried = 0
    for path in set(places(case.of(kind))) - free:
        with pytest.raises(Refused):
            case.verify(kind, changed(case.of(kind), path))
        tried += 1
    assert tried > 80
    for path in free:
        case.verify(kind, changed(case.of(kind), path))


@pytest.mark.parametrize("kind", ["receipt", "membership"])
@given(data=st.data())
def test_a_file_with_a_byte_changed_is_refused_or_says_the_same(kind: str, data: st.DataObject) -> None:
    case = honest()
    raw = bytearray(dumps(case.of(kind)))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        case.verify(kind, bytes(raw))
    except Refused:
        return
    said, known = json.loads(raw), case.of(kind)
    said["batch"]["certificates"] = known["batch"]["certificates"]
    for one, other in zip(said.get("records", ()), known.get("records", ()), strict=True):
        for name in ("started_at", "ended_at"):  # the same moment may be written in another zone
            assert datetime.fromisoformat(one[name]).astimezone(UTC) == datetime.fromisoformat(other[name])
            one[name] = other[name]
    assert said == known


@pytest.mark.parametrize("kind", ["receipt", "membership"])
@given(percent=st.integers(0, 99))
def test_a_file_that_was_cut_off_is_refused(kind: str, percent: int) -> None:
    raw = dumps(honest().of(kind))
    with pytest.raises(Refused, match="not complete JSON"):
        honest().verify(kind, raw[: len(raw) * percent // 100])


def test_a_pack_that_is_missing_or_was_altered_is_refused() -> None:
    assert PACK
    for packs in ([], [PACK.document.replace(b"metro", b"Metro")], [PACK.document[:-1]], [b""]):
        with pytest.raises(Refused, match="given has the hash"):
            honest().verify("receipt", pack=packs)


def test_a_name_twice_and_a_float_are_refused() -> None:
    raw = dumps(honest().receipt)
    for harm, reason in (
        (raw.replace(b'"points": 6', b'"points": 9, "points": 6'), "a name is there twice"),
        (raw.replace(b'"distance_m": 11008', b'"distance_m": 11008.0'), "is no integer"),
    ):
        assert harm != raw
        with pytest.raises(Refused, match=reason):
            honest().verify("receipt", harm)


def test_a_receipt_that_waits_for_the_log_passes_only_when_that_is_allowed_and_needs_no_key() -> None:
    early = honest().receipt | {"log": None, "batch": None}
    with pytest.raises(Refused, match="--unlogged"):
        honest().verify("receipt", early, key=[])
    assert any("NOT IN THE LOG yet" in line for line in honest().verify("receipt", early, key=[], unlogged=True))
    with pytest.raises(Refused, match="no key was given"):
        honest().verify("receipt", key=[])
