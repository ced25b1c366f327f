"""A receipt is replayed offline to the same milligram, by a script that stands alone; what was changed is refused."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import quantification, receipts, replay, standard
from rules.model import EVIDENCE_TIERS, Pack, Region
from rules.receipts import Entry

STANDARD = standard.load()
PLACES = st.sampled_from([STANDARD.nation, *STANDARD.regions.values()])
COMMUTE_ON = date(2019, 12, 5)


def entry(pack: Pack, region: Region, facts: dict[str, int | str], on: date, evidence: str = "order") -> Entry:
    measured = quantification.measure(STANDARD, pack, region, facts, on, evidence)
    code = "points_only" if pack.points_only else "ok" if measured.reduction_mg > 0 else "no_reduction"
    return Entry(
        document=pack.document, sha256=pack.content_sha256, region=region.code, day=on, evidence=evidence, facts=facts,
        measured_mg=measured.reduction_mg, code=code, reduction_mg=measured.reduction_mg, points=0,
        cap_mg=measured.daily_cap_mg, cap_points=measured.daily_points,
    )  # fmt: skip


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Any record that any shipped pack accepts, anywhere, on any day it is in force."""
    pack = draw(st.sampled_from(STANDARD.packs))
    facts: dict[str, int | str] = {
        fact.name: draw(st.sampled_from(sorted(fact.values)))
        if fact.kind == "choice"
        else draw(st.integers(fact.minimum or 0, fact.maximum or 10**9))
        for fact in pack.facts
    }
    return entry(pack, draw(PLACES), facts, draw(st.dates(pack.in_force_from, date(2027, 12, 31))),
                 draw(st.sampled_from(EVIDENCE_TIERS)))  # fmt: skip


def commute() -> tuple[dict[str, Any], bytes]:
    """The published 22 km through Beijing (新京报 2019-12-05): by car 5.98 kg, by metro 1.35 kg."""
    pack = STANDARD.pack_version("metro", "1.0.0")
    region = STANDARD.region("110000")
    assert pack is not None
    assert region is not None
    return receipts.receipt(None, [entry(pack, region, {"distance_m": 22000}, COMMUTE_ON)]), pack.document


@given(entries())
def test_engine_and_replay_agree_to_the_milligram_for_all_packs_places_and_days(one: Entry) -> None:
    receipt = receipts.receipt(None, [one])
    lines, _ = replay.verify(receipts.canonical(receipt), [one.document])
    assert len(lines) == 1
    [record] = receipt["records"]
    assert record["calculation"]["measured_mg"] == one.measured_mg
    assert record["evidence"] == one.evidence
    percent = {"order": 100, "device": 100, "screenshot": (50, 100), "self_declared": (0, 50)}[one.evidence]
    assert record["calculation"]["evidence_percent"] in (percent if isinstance(percent, tuple) else (percent,))


def claims(receipt: dict[str, Any], pack: Pack, **claimed: Any) -> None:
    """Verify a receipt of one record in which something else is claimed."""
    [record] = receipt["records"]
    record |= {name: claimed[name] for name in ("evidence",) if name in claimed}
    record["credited"] |= {name: claimed[name] for name in ("code", "reduction_mg") if name in claimed}
    receipt["reduction_mg"] = record["credited"]["reduction_mg"]
    replay.verify(receipts.canonical(receipt), [pack.document])


@pytest.mark.parametrize(
    "claimed", [{"reduction_mg": 1}, {"code": "ok"}, {"code": "ok", "reduction_mg": 1}, {"code": "rest_of_day"}]
)
def test_a_receipt_of_points_only_claims_no_reduction(claimed: dict[str, Any]) -> None:
    for pack in (one for one in STANDARD.packs if one.points_only):
        [fact] = pack.facts
        made = entry(pack, STANDARD.regions["510500"], {fact.name: 1}, date(2026, 5, 1))
        assert (made.code, made.reduction_mg) == ("points_only", 0)
        claims(receipts.receipt(None, [made]), pack)
        with pytest.raises(replay.Refused):
            claims(receipts.receipt(None, [made]), pack, **claimed)


def test_a_self_declared_record_is_worth_no_more_by_calling_it_an_order() -> None:
    pack = STANDARD.pack_version("bus", "1.0.0")
    assert pack
    made = entry(pack, STANDARD.nation, {"distance_m": 5000}, date(2026, 5, 1), "self_declared")
    assert made.reduction_mg == 111_900  # half of 5 km at 44.76 g
    claims(receipts.receipt(None, [made]), pack)
    for claimed in ({"evidence": "order"}, {"reduction_mg": 223_800}, {"evidence": "order", "reduction_mg": 223_800}):
        with pytest.raises(replay.Refused):
            claims(receipts.receipt(None, [made]), pack, **claimed)


def test_a_receipt_that_the_replay_does_not_confirm_is_never_written() -> None:
    pack = STANDARD.packs[0]
    with pytest.raises(receipts.Mismatch):
        receipts.receipt(None, [entry_with(pack, 1)])


def entry_with(pack: Pack, more_mg: int) -> Entry:
    made = entry(pack, STANDARD.nation, {"distance_m": 2310}, date(2026, 5, 1))
    return Entry(
        **{name: getattr(made, name) for name in Entry.__slots__} | {"measured_mg": made.measured_mg + more_mg}
    )


def test_the_beijing_commute_is_replayed_by_the_script_alone_where_nothing_of_the_platform_is(tmp_path: Path) -> None:
    receipt, pack = commute()
    (tmp_path / "replay.py").write_bytes(Path(replay.__file__).read_bytes())
    (tmp_path / "receipt.json").write_bytes(receipts.canonical(receipt))
    (tmp_path / "pack.json").write_bytes(pack)
    command = [sys.executable, "-I", "-S", "replay.py", "receipt.json", "pack.json"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4630000 mg" in done.stdout
    steps = {step["name"]: step["value"] for step in receipt["records"][0]["calculation"]["steps"]}
    assert steps == {"baseline_g": "5980", "project_g": "1350", "leakage_g": "0", "reduction_g": "4630"}
    (tmp_path / "receipt.json").write_bytes(receipts.canonical(receipt)[:-20])
    cut = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, encoding="utf-8", check=False)
    assert cut.returncode == 1
    assert "REFUSED" in cut.stderr
    assert "Traceback" not in cut.stderr


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every number and text in a document."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, inner in members for p in places(inner, (*path, key))] or ([path] if not members else [])


def changed(document: Any, path: tuple[Any, ...]) -> Any:
    """The document with another value at that path."""
    document = copy.deepcopy(document)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    value = holder[path[-1]]
    holder[path[-1]] = value + 1 if isinstance(value, int) else f"{value}1" if isinstance(value, str) else 1
    return document


def test_a_receipt_changed_at_any_single_place_is_refused_with_a_reason() -> None:
    receipt, pack = commute()
    unproved = {
        ("deed",),
        ("points",),
        ("records", 0, "credited", "points"),
        ("records", 0, "credited", "cap_mg"),
        ("records", 0, "credited", "cap_points"),
    }
    tried = 0
    for path in places(receipt):
        if path in unproved - {("deed",), ("points",)}:
            continue
        with pytest.raises(replay.Refused):
            replay.verify(receipts.canonical(changed(receipt, path)), [pack])
        tried += 1
    assert tried > 40


def test_a_pack_or_factor_changed_at_any_single_place_is_refused() -> None:
    receipt, pack = commute()
    document = json.loads(pack)
    for path in places(document):
        with pytest.raises(replay.Refused, match="has the hash"):
            replay.verify(receipts.canonical(receipt), [receipts.canonical(changed(document, path))])


@pytest.mark.parametrize(
    "harm",
    [
        lambda raw: b"",
        lambda raw: b"[" * 100_000,
        lambda raw: b"null",
        lambda raw: raw.replace(b'"distance_m":22000', b'"distance_m":22000.0'),
        lambda raw: raw.replace(b'"distance_m":22000', b'"distance_m":' + b"9" * 5000),
        lambda raw: raw.replace(b'"points":0', b'"points":0,"points":0'),
        lambda raw: raw.replace(b'"records":[', b'"records":[7,'),
        lambda raw: b"\xff\xfe" + raw,
    ],
)
def test_a_file_that_is_no_receipt_is_refused_and_never_a_traceback(harm: Callable[[bytes], bytes]) -> None:
    receipt, pack = commute()
    with pytest.raises(replay.Refused):
        replay.verify(harm(receipts.canonical(receipt)), [pack])


@pytest.mark.parametrize(
    "formula",
    ["__import__('os')", "(lambda: 1)()", "x.y", "[1][0]", "2 ** 9", "1 / 0", "1.5", "unknown"],
)
def test_a_formula_in_a_pack_can_do_arithmetic_and_nothing_else(formula: str) -> None:
    receipt, raw = commute()
    pack = json.loads(raw)
    pack["formula"] = f"def baseline_g():\n return {formula}\ndef project_g():\n return 0\ndef leakage_g():\n return 0"
    with pytest.raises(replay.Refused):
        replay.calculate(pack, "110000", receipt["records"][0]["facts"], COMMUTE_ON, "order")
