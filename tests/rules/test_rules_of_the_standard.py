"""Weaker evidence counts for less, uncertain numbers at their cautious end, old numbers for a while: by dated rules."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from rules import quantification, receipts, replay, standard
from rules.model import Measurement
from rules.receipts import Entry

PACK = """code: leaves
version: 1.0.0
event_type: leaves.v1
name: {zh: 叶, en: Leaves}
category: goods
status: provisional
status_reason: {zh: 试, en: A trial}
gas_basis: CO2e
boundary: trial
exclusion_class: orders
in_force_from: 2024-01-01
facts:
  - {fact: count, kind: integer, unit: use, name: {zh: 次, en: Uses}, minimum: 1, maximum: 20}
bounds: {duration_max_s: 3600, reason: {zh: 试, en: A trial}}
formula: quantity_times_factor
quantity: count
factors:
  baseline: {factor: leaves.old}
  project: {factor: leaves.new}
caps: []
statements: {}
"""
FACTORS = """value_defaults: {region: CN, from: 2024-01-01, status: published, factor_id: T}
factors:
  - id: leaves.old
    name: {zh: 旧, en: Old}
    unit: gCO2e/use
    gas_basis: CO2e
    boundary: trial
    values: [{value: 100, uncertainty: {low: 80, high: 130, kind: 95% CI}, review_by: 2025-06-30}]
  - id: leaves.new
    name: {zh: 新, en: New}
    unit: gCO2e/use
    gas_basis: CO2e
    boundary: trial
    values: [{value: 10, uncertainty: {low: 5, high: 30, kind: 95% CI}}]
"""
IN_TIME, LATE = date(2025, 6, 30), date(2025, 7, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "methodologies" / "leaves").mkdir(parents=True)
    (tmp_path / "methodologies" / "leaves" / "methodology.yaml").write_text(PACK, "utf-8")
    (tmp_path / "factors").mkdir()
    (tmp_path / "factors" / "leaves.yaml").write_text(FACTORS, "utf-8")
    return tmp_path


def measured(loaded: standard.Standard, on: date = IN_TIME, evidence: str = "order") -> Measurement:
    pack = loaded.pack("leaves.v1", on)
    assert pack
    one = quantification.measure(loaded, pack, loaded.nation, {"count": 3}, on, evidence)
    code = "ok" if one.reduction_mg > 0 else "no_reduction"
    entry = Entry(pack.document, pack.content_sha256, "CN", on, evidence, {"count": 3}, one.reduction_mg, code,
                  one.reduction_mg, 0, None)  # fmt: skip
    replay.verify(receipts.canonical(receipts.receipt(None, [entry])), [pack.document])  # the script says the same
    return one


def parameter(folder: Path, text: str) -> standard.Standard:
    (folder / "parameters.yaml").write_text(f"parameters: [{{{text}, status: published}}]\n", "utf-8")
    return standard.load(folder)


def test_of_an_uncertain_number_the_end_counts_that_makes_the_reduction_smaller(folder: Path) -> None:
    assert measured(standard.load(folder)).reduction_mg == 3 * (80 - 30) * 1000
    later = parameter(folder, "name: conservative_bound, from: 2025-01-01, value: 0")
    assert measured(later).reduction_mg == 3 * (100 - 10) * 1000
    assert measured(later, date(2024, 12, 31)).reduction_mg == 3 * (80 - 30) * 1000


def test_a_factor_whose_direction_is_not_clear_cannot_be_uncertain(folder: Path) -> None:
    path = folder / "methodologies" / "leaves" / "methodology.yaml"
    path.write_text(PACK.replace("formula: quantity_times_factor\nquantity: count\n", ""), "utf-8")
    (path.parent / "formula.py").write_text(
        "def baseline_g(count, baseline):\n    return count * (baseline if baseline < baseline else 2 * baseline)\n"
        "def project_g(count, project):\n    return count * project\ndef leakage_g():\n    return 0\n",
        "utf-8",
    )
    with pytest.raises(standard.StandardError, match="more of 'baseline'"):
        standard.load(folder)


def test_weaker_evidence_is_credited_its_share_and_what_emits_more_is_never_made_less(folder: Path) -> None:
    loaded = standard.load(folder)
    assert measured(loaded, evidence="self_declared").reduction_mg == 75_000
    assert measured(loaded, evidence="self_declared").points_micro == 75_000_000
    assert measured(loaded, evidence="screenshot").reduction_mg == 150_000
    (folder / "factors" / "leaves.yaml").write_text(
        FACTORS.replace("value: 10,", "value: 200,").replace("high: 30", "high: 200"), "utf-8"
    )
    assert measured(standard.load(folder), evidence="self_declared").reduction_mg == 3 * (80 - 200) * 1000


def test_a_pack_may_credit_less_of_a_tier_and_says_so_in_its_document(folder: Path) -> None:
    path = folder / "methodologies" / "leaves" / "methodology.yaml"
    path.write_text(PACK + "evidence_percent: {device: 40, self_declared: 0}\n", "utf-8")
    loaded = standard.load(folder)
    assert measured(loaded, evidence="device").reduction_mg == 60_000
    assert measured(loaded, evidence="self_declared").reduction_mg == 0
    pack = loaded.pack("leaves.v1", IN_TIME)
    assert pack
    assert standard.pack_json(pack)["rules"][-1]["evidence_percent"]["device"] == 40
    path.write_text(PACK + "evidence_percent: {device: 140}\n", "utf-8")
    with pytest.raises(standard.StandardError, match="0 to 100"):
        standard.load(folder)


def test_a_number_past_its_review_warns_and_after_the_days_of_grace_credits_nothing(folder: Path) -> None:
    loaded = standard.load(folder)
    assert measured(loaded).overdue == ()
    assert measured(loaded, LATE).overdue == ("T",)
    last = IN_TIME + timedelta(days=365)
    assert measured(loaded, last).overdue == ("T",)
    with pytest.raises(quantification.Outdated):
        measured(loaded, last + timedelta(days=1))
    short = parameter(folder, "name: factor_review_grace_days, from: 2025-07-10, value: 3")
    assert measured(short, date(2025, 7, 9)).overdue == ("T",)
    with pytest.raises(quantification.Outdated):
        measured(short, date(2025, 7, 10))


def test_the_replay_refuses_what_is_too_old_as_well(folder: Path) -> None:
    pack = standard.load(folder).pack("leaves.v1", IN_TIME)
    assert pack
    with pytest.raises(replay.Refused, match="too long past its review"):
        replay.calculate(standard.pack_json(pack), "CN", {"count": 1}, IN_TIME + timedelta(days=366), "order")


def test_a_province_without_a_number_takes_its_grids_and_then_the_nations() -> None:
    loaded = standard.load()
    tibet = loaded.regions["540100"]
    assert quantification.chain(tibet) == ("540100", "540000", "GRID-SOUTHWEST", "CN")
    values = loaded.factors["energy.grid_average"].values
    found = quantification.in_force(values, quantification.chain(tibet), date(2026, 5, 1))
    assert found
    assert found.value_id == "CN.GRID.AVG.2023.西南"


@pytest.mark.parametrize("basis", ["CO2", "CO2e-AR4", "CO2e-AR5", "CO2e-AR6"])
def test_gas_bases_and_gwp_sets_cannot_be_mixed(folder: Path, basis: str) -> None:
    text = FACTORS.replace("gas_basis: CO2e", f"gas_basis: {basis}", 1)
    text = text.replace("unit: gCO2e/use", "unit: gCO2/use", 1) if basis == "CO2" else text
    (folder / "factors" / "leaves.yaml").write_text(text, "utf-8")
    with pytest.raises(standard.StandardError, match="do not go together"):
        standard.load(folder)


OLD = "value: 100, uncertainty: {low: 80, high: 130"


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("value: 3400000, uncertainty: {low: 1, high: 99000000", "slip of units"),
        ("band: meal, value: 100, uncertainty: {low: 80, high: 130", "band 'meal'"),
        ("band: none, value: 100, uncertainty: {low: 80, high: 130", "no band 'none'"),
        ("band: water_m3, value: 100, uncertainty: {low: 80, high: 130", "does not fit"),
        ("value: 100, uncertainty: {low: 101, high: 130", "low should not be above"),
    ],
)
def test_a_number_that_cannot_be_believed_is_refused_when_it_is_loaded(folder: Path, new: str, words: str) -> None:
    (folder / "factors" / "leaves.yaml").write_text(FACTORS.replace(OLD, new, 1), "utf-8")
    with pytest.raises(standard.StandardError, match=words):
        standard.load(folder)


def test_a_result_outside_of_its_band_is_refused_when_it_is_loaded(folder: Path) -> None:
    path = folder / "methodologies" / "leaves" / "methodology.yaml"
    path.write_text(PACK + "bands: [{of: reduction, per: count, band: article_use}]\n", "utf-8")
    standard.load(folder)
    path.write_text(PACK + "bands: [{of: reduction, per: count, band: meal}]\n", "utf-8")
    with pytest.raises(standard.StandardError, match=r"reduction / count is 0\.05"):
        standard.load(folder)


def test_a_pack_cannot_credit_more_of_a_tier_than_the_standard(folder: Path) -> None:
    path = folder / "methodologies" / "leaves" / "methodology.yaml"
    path.write_text(PACK + "evidence_percent: {self_declared: 60}\n", "utf-8")
    with pytest.raises(standard.StandardError, match="than the standard's 50 %"):
        standard.load(folder)


def test_a_pack_that_sets_points_only_measures_nothing(folder: Path) -> None:
    path = folder / "methodologies" / "leaves" / "methodology.yaml"
    path.write_text(PACK + "measures: points\n", "utf-8")
    with pytest.raises(standard.StandardError, match="nothing_measured"):
        standard.load(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("grids.yaml", "grids: [{code: X, name: {zh: x, en: x}, provinces: ['540000'], status: published}]\n"),
        ("bands.yaml", "bands: [{id: meal, unit: g, low: 0, high: 9, name: {zh: x, en: x}, status: published}]\n"),
        (
            "methodologies/other/methodology.yaml",
            "{code: other, version: 1.0.0, event_type: leaves.v1, name: {zh: x, en: x}, category: goods, status: draft,"
            " status_reason: {zh: x, en: x}, missing: {zh: x, en: x}, gas_basis: unstated, boundary: none,"
            " statements: {}}\n",
        ),
    ],
)
def test_a_later_folder_cannot_change_what_is_written(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    with pytest.raises(standard.StandardError, match="is defined twice"):
        standard.load(folder)
