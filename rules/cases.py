"""Worked examples: what an expert says that a deed comes to, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from rules import formula, quantification
from rules.model import Pack

if TYPE_CHECKING:
    from rules.standard import Standard

CASE_KINDS = ("published", "cross-source", "derived")  # printed; two sources agree; computed from cited numbers
MEASURES = ("reduction", "baseline", "project", "points")


@dataclass(frozen=True, slots=True)
class Case:
    """A worked example. kind: published, cross-source or derived. measures: the reduction, a step to it, or the
    grams for which points are paid (a local tariff). origin: who says the result, as the source table puts it."""

    pack: Pack
    id: str
    kind: str
    measures: str
    on: date
    region: str
    evidence: str
    facts: Mapping[str, int | str]
    at_least: Fraction
    at_most: Fraction
    exact_mg: int | None
    title: str
    origin: str
    source: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of a case: the value measured in grams (or points), and whether it lies in the source's precision."""

    case: Case
    value: Fraction
    reduction_mg: int
    ok: bool

    def __str__(self) -> str:
        shown = (self.value, self.case.at_least, self.case.at_most)
        got, low, high = map(formula.readable, shown)
        return f"{self.case.id}\t{self.case.kind}\t{got} g, expected {low} to {high}\t{self.case.title}"


def run(standard: Standard, case: Case) -> CaseResult:
    """Measure a worked example on its own day and in its own place."""
    measured = quantification.measure(
        standard, case.pack, standard.regions.get(case.region, standard.nation), case.facts, case.on, case.evidence
    )
    lines = {line.name: Fraction(line.value) / line.per for line in measured.lines}
    value = lines.get(f"{case.measures}_g", Fraction(0))
    if case.measures == "points":
        value = Fraction(measured.points_micro, standard.parameter("points_per_g_micro", case.on))
    ok = case.at_least <= value <= case.at_most and case.exact_mg in (None, measured.reduction_mg)
    return CaseResult(case, value, measured.reduction_mg, ok)
