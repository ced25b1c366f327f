"""The verifier in the browser comes to the verdicts of the one in Python: on genuine files and on tampered ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Browser

from backend.app import create_app
from rules import cases, receipts, replay, standard
from rules.model import EVIDENCE_TIERS
from tests import cast, phones
from tests.e2e.checking import Checker, Verdict
from tests.rewards import test_offline_certificates, test_offline_deeds, test_offline_log
from tests.rewards.offline_files import PACK, Case, Log, dumps, honest, made, record, witness
from tests.rules.test_receipts import changed, places

STANDARD = standard.load()
KEY = str(Log().key)
KINDS = ("certificate", "receipt", "membership")
# Where it says something else, among others because it tells what a file is by the file alone.
OTHERWISE = {
    "the footprint gone": "of the stated footprint it is —",
    "the older format to hide the proofs": "receipt.json should have the members",
    "the format of a membership": "receipt.json should have the members",
}


@pytest.fixture(scope="module")
def base(module_database_url: str, valkey_url: str) -> Iterator[str]:
    with cast.stage(module_database_url, valkey_url) as stage, phones.serving(create_app(stage.platform)) as url:
        yield url


@pytest.fixture(scope="module")
def checker(base: str, browser: Browser) -> Iterator[Checker]:
    """A page that trusts the key of the files."""
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Checker(page).open(base)
    page.close()
    assert errors == []


@pytest.fixture(autouse=True)
def _begun_anew(checker: Checker) -> None:
    checker.keep(None)
    checker.trust(KEY)


def pack() -> bytes:
    assert PACK
    return PACK.document


def checked(checker: Checker, files: Mapping[str, Any]) -> dict[str, Verdict]:
    """The verdicts on documents by name, with the pack beside them."""
    raw = {name: one if isinstance(one, bytes) else dumps(one) for name, one in files.items()}
    found = checker.check(raw | {"pack.json": pack()})
    assert found.keys() == files.keys()
    return found


def check_refused(found: Mapping[str, Verdict], reasons: Mapping[str, str]) -> None:
    """Each for its reason: what the page says holds the words that the other verifier is held to."""
    wrong = {
        name: (reasons[name], one.verdict, one.said)
        for name, one in found.items()
        if one.verdict == "holds" or not re.search(reasons[name], one.said, re.IGNORECASE)
    }
    assert wrong == {}
    assert found.keys() == reasons.keys()


def test_genuine_files_hold(checker: Checker) -> None:
    found = checked(checker, {kind: honest().of(kind) for kind in KINDS} | {"head": honest().log.head().encode()})
    assert {name: (one.verdict, one.kind) for name, one in found.items()} == {
        "certificate": ("holds", "certificate"), "receipt": ("holds", "receipt"), "membership": ("holds", "membership"),
        "head": ("holds", "checkpoint"),
    }  # fmt: skip
    assert "300 g CO₂e were retired for good for 深圳绿源" in found["certificate"].said
    assert "entry 24 of 27 of the public log" in found["certificate"].said
    assert "1 g CO₂e still owed" in found["certificate"].all
    assert "1,176.935 g CO₂e and 6 points" in found["receipt"].said
    assert "one of the 23 deeds of batch 7" in found["receipt"].said
    assert "of which 200 g CO₂e were retired for 深圳绿源" in found["membership"].said


@pytest.mark.parametrize(
    ("kind", "table"),
    [("certificate", test_offline_certificates.TAMPERED), ("receipt", test_offline_deeds.RECEIPT),
     ("membership", test_offline_deeds.MEMBERSHIP)],
)  # fmt: skip
def test_what_was_tampered_with_is_refused_for_its_reason(checker: Checker, kind: str, table: Any) -> None:
    files = {name: change(honest().of(kind)) for name, (change, _) in table.items()}
    reasons = {name: reason for name, (_, reason) in table.items()} | {n: OTHERWISE[n] for n in OTHERWISE if n in table}
    if kind == "membership":
        reasons["the format"] = OTHERWISE["the format of a membership"]
    check_refused(checked(checker, files), reasons)


def test_what_contradicts_itself_is_refused_although_it_is_signed_and_logged(checker: Checker) -> None:
    lies = {f"certificate, {name}": ("certificate", *lie) for name, lie in test_offline_certificates.LIES.items()}
    lies |= {f"{lie[0]}, {name}": lie for name, lie in test_offline_deeds.LIES.items()}
    files = {name: made(**changes).of(kind) for name, (kind, changes, _) in lies.items()}
    check_refused(checked(checker, files), {name: reason for name, (_, _, reason) in lies.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_changed_at_any_single_place_is_refused(checker: Checker, kind: str) -> None:
    free = [] if kind == "certificate" else [("batch", "certificates", 0)]  # which the page says is not proven
    document = honest().of(kind)
    files = {str(path): changed(document, path) for path in places(document) if path not in free}
    assert len(files) > 80
    found = checked(checker, files)
    assert [name for name, one in found.items() if one.verdict == "holds"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_was_cut_off_or_is_no_strict_json_is_refused(checker: Checker, kind: str) -> None:
    raw = dumps(honest().of(kind))
    harmed = {f"cut {part}": raw[: len(raw) * part // 20].decode(errors="ignore").encode() for part in range(1, 20)}
    first = raw.index(b"{", 1)
    harmed |= {
        "a name twice": raw[:first] + b'{"z": 1, "z": 1, ' + raw[first + 1 :],
        "a float": raw[:first] + b'{"z": 1.0, ' + raw[first + 1 :],
        "an exponent": raw[:first] + b'{"z": 1e2, ' + raw[first + 1 :],
        "beyond": raw[:first] + b'{"z": 9007199254740993, ' + raw[first + 1 :],
        "half a character": raw[:first] + b'{"z": "\\ud800", ' + raw[first + 1 :],
        "something behind": raw + b"x",
        "deep": b"[" * 200_000,
        "no text": b"\xff\xfe" + raw,
    }
    told = {"a name twice": "json_twice", "a float": "json_float", "an exponent": "json_float", "beyond": "json_beyond",
            "half a character": "json_surrogate", "deep": "json_deep", "no text": "file_utf8"}  # fmt: skip
    found = checker.check(harmed)
    assert {name: one.reason for name, one in found.items()} == {name: told.get(name, "json_broken") for name in harmed}


def test_a_file_beyond_all_measure_is_refused_unread(checker: Checker) -> None:
    [one] = checker.check({"large": dumps(honest().certificate) + b" " * replay.FILE_MAX_BYTES}).values()
    assert (one.verdict, one.reason) == ("refused", "file_large")


def test_a_pack_that_is_missing_or_was_altered_decides_nothing(checker: Checker) -> None:
    for given in (None, pack().replace(b"metro", b"Metro"), pack() + b" "):
        files = {"receipt": dumps(honest().receipt)} | ({"pack.json": given} if given else {})
        one = checker.check(files)["receipt"]
        assert (one.verdict, one.reason) == ("open", "pack_missing")
        assert re.search("given has the hash", one.said)
        link = checker.page.locator(".wanted a")
        assert link.get_attribute("href") == f"/v1/standard/packs/{honest().receipt['records'][0]['pack']['sha256']}"
        assert checker.add({"pack.json": pack()})["receipt"].verdict == "holds"


@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_for_the_log_is_undecided_and_said_so(checker: Checker, kind: str) -> None:
    early = honest().of(kind) | {"log": None}
    [one] = checked(checker, {kind: early}).values()
    assert (one.verdict, one.reason) == ("open", "unlogged")
    assert "not in the log yet" in one.said


def test_a_dry_run_is_calculated_and_said_to_prove_no_more(checker: Checker) -> None:
    dry = receipts.receipt(None, [record(8, "ok")])
    [one] = checked(checker, {"receipt": dry}).values()
    assert one.verdict == "holds"
    assert "nothing of it is in the log" in one.said


# --- heads ------------------------------------------------------------------------------------------------------------


def heads(table: Any) -> Iterator[tuple[str, Any, str]]:
    for place, (harm, reason) in enumerate(table):
        yield str(place), harm, reason


def marks(test: Any) -> Any:
    """The table of a parametrised test."""
    return next(mark.args[1] for mark in test.pytestmark if mark.name == "parametrize")


def test_a_head_that_was_tampered_with_is_refused_for_its_reason(checker: Checker) -> None:
    note = honest().log.head()
    table = list(heads(marks(test_offline_log.test_a_head_that_was_tampered_with_is_refused)))
    harmed = {name: harm(note) for name, harm, _ in table}
    files = {name: one if isinstance(one, bytes) else one.encode() for name, one in harmed.items()}
    check_refused(checker.check(files), {name: reason for name, _, reason in table})


def test_a_head_that_was_kept_finds_replays_forks_and_rewriting(checker: Checker) -> None:
    case, before = test_offline_log.grown()
    head, growth = case.log.head().encode(), case.log.growth(27, 32)
    checker.keep(head)
    [one] = checker.check({"head": before.encode()}).values()
    assert (one.verdict, one.reason) == ("refused", "checkpoint_again")
    checker.keep(before.encode())
    [one] = checker.check({"head": head}).values()
    assert one.verdict == "holds"
    assert "Not proven that the log of 32 entries continues that of 27" in one.all
    one = checker.check({"head": head, "growth": growth})["head"]
    assert one.verdict == "holds"
    assert "The log grew from 27 to 32 entries" in one.all
    checker.keep(test_offline_log.forked().encode())
    found = checked(checker, {kind: honest().of(kind) for kind in KINDS} | {"head": before.encode()})
    assert {one.reason for one in found.values()} == {"checkpoint_fork"}
    checker.keep(Log(seed=2).head().encode())
    [one] = checker.check({"head": head}).values()
    assert (one.verdict, one.reason) == ("refused", "known")


def test_a_consistency_proof_that_does_not_fit_is_refused_for_its_reason(checker: Checker) -> None:
    case, before = test_offline_log.grown()
    checker.keep(before.encode())
    for _, harm, reason in heads(marks(test_offline_log.test_a_consistency_proof_that_does_not_fit_is_refused)):
        proof = harm(json.loads(case.log.growth(27, 32)))
        if isinstance(proof, list):
            continue  # nobody could tell what that file is
        one = checker.check({"head": case.log.head().encode(), "growth": dumps(proof)})["head"]
        check_refused({"head": one}, {"head": reason})


# --- keys and witnesses -----------------------------------------------------------------------------------------------


def test_a_key_may_have_any_of_its_forms_and_no_other_key_verifies_anything(checker: Checker) -> None:
    files = {kind: honest().of(kind) for kind in KINDS}
    for name, raw in test_offline_log.keyed().items():
        checker.trust(raw.decode())
        assert {one.verdict for one in checked(checker, files).values()} == {"holds"}, name
    checker.trust(str(Log(seed=2).key))
    found = checked(checker, files)
    assert {name: one.reason for name, one in found.items()} == {
        "certificate": "signature_kid", "receipt": "checkpoint_unsigned", "membership": "checkpoint_unsigned"
    }  # fmt: skip
    checker.trust("")
    assert {one.verdict for one in checked(checker, files).values()} == {"refused"}  # the served platform's own keys


def test_a_key_that_cannot_be_used_is_said_beside_it_and_verifies_nothing(checker: Checker) -> None:
    table = marks(test_offline_log.test_a_key_file_that_cannot_be_used_is_refused)
    for raw, _ in table:
        text = raw.decode("utf-8", "replace")
        if not text:
            continue  # then the platform's own are trusted
        checker.trust(text)
        assert checker.check({"head": honest().log.head().encode()})["head"].verdict == "refused", text
        if "+" not in text or "d+" in text:  # a witness's key alone can be read; it verifies nothing
            assert checker.page.text_content("#key-wrong"), text


def test_a_witness_whose_key_is_given_must_have_cosigned(checker: Checker) -> None:
    one, two = (str(witness(*each)[0]) for each in (test_offline_log.ONE, test_offline_log.TWO))
    case: Case = made(witnesses=[test_offline_log.ONE])
    head = {"head": case.log.head().encode()}
    checker.trust(f"{KEY}\n{one}\n{two}")
    told = checker.check(head)["head"]
    assert told.verdict == "holds"
    assert "The witness w1.example cosigned this checkpoint at 2026-11-18 " in told.all
    checker.trust(f"{KEY}\n{two}")
    check_refused(checker.check(head), {"head": "no witness of w2.example has cosigned"})
    text, _, raw = case.log.head().rpartition(" ")
    checker.trust(f"{KEY}\n{one}")
    check_refused(
        checker.check({"head": f"{text} {raw[:20]}{'B' if raw[20] == 'A' else 'A'}{raw[21:]}".encode()}),
        {"head": "signature by w1.example is wrong"},
    )


# --- the calculation --------------------------------------------------------------------------------------------------

_CALCULATE = """async (rows) => {
  const { calculate } = await import("/pages/verify-replay.js");
  return rows.map(([pack, region, facts, day, evidence]) => {
    try {
      return calculate(pack, region, facts, day, evidence);
    } catch (error) {
      return error.reason ?? String(error);
    }
  });
}"""
Row = tuple[dict[str, Any], str, dict[str, Any], str, str]


def both(checker: Checker, rows: list[Row]) -> tuple[list[Any], list[Any]]:
    """What the browser and what Python come to; where either refuses, None."""
    here: list[Any] = []
    for one_pack, region, facts, day, evidence in rows:
        try:
            here.append(replay.calculate(one_pack, region, facts, date.fromisoformat(day), evidence))
        except replay.Refused:
            here.append(None)
    there = checker.page.evaluate(_CALCULATE, rows)
    assert [one for one in there if isinstance(one, str) and (" " in one or one == "malformed")] == []
    return [None if isinstance(one, str) else one for one in there], here


def test_every_worked_example_is_calculated_to_the_milligram(checker: Checker) -> None:
    rows: list[Row] = []
    for case in STANDARD.cases:
        document = json.loads(case.pack.document)
        rows.append((document, case.region, dict(case.facts), case.on.isoformat(), case.evidence))
    there, here = both(checker, rows)
    assert there == here
    results = [cases.run(STANDARD, case) for case in STANDARD.cases]
    assert [one["measured_mg"] for one in there] == [result.reduction_mg for result in results]
    assert len(rows) > 50


def test_every_pack_is_calculated_alike_in_all_sorts_of_places_and_to_its_bounds(checker: Checker) -> None:
    rows: list[Row] = []
    for pack_ in STANDARD.packs:
        document = json.loads(pack_.document)
        for place, region in enumerate(["CN", "110000", "310000", "420100", "650000"]):
            for evidence in EVIDENCE_TIERS:
                facts = {
                    fact.name: sorted(fact.values)[place % len(fact.values)] if fact.kind == "choice"
                    else (fact.minimum or 0, fact.maximum or 10**9, 7 * (fact.minimum or 1) + 11)[place % 3]
                    for fact in pack_.facts
                }  # fmt: skip
                day = ("2024-03-01", "2026-05-01", "2027-12-31")[place % 3]
                rows.append((document, region, facts, day, evidence))
    there, here = both(checker, rows)
    assert there == here
    assert sum(one is not None for one in here) > len(rows) // 3
    assert None in here


FORMULAS = {
    "conditional": "a if a < b else b", "nested": "(a if a >= b else b) if b != 0 else -a",
    "precedence": "a + b * 2 - a / '3' * '0.125'", "signs": "-(a - -b) * '-1.5e-3'", "brackets": "((a) + (b))",
    "equal": "a if a == a else 0", "division": "a / (b + '1e3')", "greater": "b if a > b else a - b",
}  # fmt: skip
FORBIDDEN = [
    "a ** b", "a // b", "a % b", "1.5", "a / 0", "a < b", "a if a else b", "a if a < b < a else b", "f(a)", "a.real",
    "[a]", "a and b", "not a", "+a", "c", "'x'", "a if a in b else b", "lambda: a", "a b", "(a", "", "a if a < b",
    "True", "a @ b", "a := b",
]  # fmt: skip


def with_formula(expression: str) -> dict[str, Any]:
    document = json.loads(pack())
    document["formula"] = (
        f'"""A "quoted" text."""\n\n\ndef baseline_g(distance_m, replaced):  # a remark\n    """Words."""\n'
        f"    a = distance_m * replaced\n    b = (\n        replaced\n    )\n    return {expression}\n\n\n"
        "def project_g(distance_m, metro, grid_relative):\n    return distance_m * metro * grid_relative\n\n\n"
        "def leakage_g():\n    return 0\n"
    )
    return dict(document)


def test_formulas_are_read_alike_and_what_none_may_hold_is_refused_by_both(checker: Checker) -> None:
    rows: list[Row] = [
        (with_formula(text), region, {"distance_m": 12_345}, "2026-05-01", "order")
        for text in FORMULAS.values() for region in ("CN", "310000")
    ]  # fmt: skip
    there, here = both(checker, rows)
    assert there == here
    assert None not in here
    refused = checker.page.evaluate(
        _CALCULATE, [(with_formula(t), "CN", {"distance_m": 5}, "2026-05-01", "order") for t in FORBIDDEN]
    )
    assert {text: told for text, told in zip(FORBIDDEN, refused, strict=True) if not isinstance(told, str)} == {}
    for text in FORBIDDEN:
        with pytest.raises((replay.Refused, SyntaxError, ArithmeticError)):
            replay.calculate(with_formula(text), "CN", {"distance_m": 5}, date(2026, 5, 1), "order")


@pytest.mark.parametrize("low", ["0.05", "0.1"])
def test_of_an_uncertain_number_the_same_end_is_taken(checker: Checker, low: str) -> None:
    rows: list[Row] = []
    for expression in ("a", "a if replaced < 1 else 0", "-a", "1 / replaced", "a * b", "9 - replaced", "a - 2 * a"):
        document = with_formula(expression)
        for factor in document["factors"].values():
            for value in factor["values"]:
                value["uncertainty"] = {"low": low, "high": "0.9", "kind": "95 %"}
        for rules in document["rules"]:
            rules["conservative_bound"] = True
        rows.append((document, "CN", {"distance_m": 12_345}, "2026-05-01", "order"))
    there, here = both(checker, rows)
    assert there == here
    assert None not in here


_READ = """async (texts) => {
  const { readText, canonicalText } = await import("/pages/verify-json.js");
  return texts.map((text) => { try { return canonicalText(readText(text)); } catch { return null; } });
}"""


def test_json_is_read_as_strictly_and_written_as_canonically(checker: Checker) -> None:
    good = [
        "{}", "[]", ' {"b": 1, "a": [true, false, null]} ', '"\\u00e9\\n\\u0001\\/"', "-0", "0", "-12", '"\U0001f600"',
        '{"__proto__": 1, "constructor": 2, "toString": 3}', '{"10": 1, "9": 2, "": 3}', '"\u2028\\ud83d\\ude00\x7f"',
        "9007199254740991", '{"\u4e2d": "\u6587", "a": {"z": [], "y": {}}}',
    ]  # fmt: skip
    bad = [
        "", "nul", "01", "1.0", "1e3", "-", "+1", '"\t"', '"\\x41"', '{"a": 1, "a": 1}', '{"a" 1}', "{a: 1}", "[1,]",
        '{"a": 1,}', "[1 2]", '"\\ud800"', "NaN", "Infinity", "'a'", "[1]]", "9007199254740992", "\ufeff{}", "\u00a01",
        "[" * 150 + "]" * 150, '{"a": 1, "\\u0061": 2}', "// x\n1",
    ]  # fmt: skip
    there = checker.page.evaluate(_READ, good + bad)
    expected = [receipts.canonical(json.loads(text)).decode() for text in good]  # type: ignore[arg-type]
    assert there == expected + [None] * len(bad)
