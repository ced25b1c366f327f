"""The standard: methodologies, factors, regions, parameters, tariffs and approvals, read from folders and found sound.

A colleague who knows the subject and no Python writes these files. So everything wrong with them is collected and told
at once, by file and line, in words that say what to do; nothing with a mistake in it is ever used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

import rfc8785

from rules import bands, cases, formula, numbers, quantification, units
from rules.bands import Band
from rules.cases import CASE_KINDS, MEASURES, Case, CaseResult
from rules.drafts import Drafts
from rules.model import EVIDENCE_TIERS, Approval, ExclusionClass, Fact, Pack, Place, Region, Rules
from rules.numbers import Number, without_blanks
from rules.packs import STATEMENTS, PackDraft
from rules.quantification import Method, Plan, Value
from rules.reading import Section, StandardError

__all__ = ["CASE_KINDS", "CaseResult", "Standard", "StandardError", "load", "load_alone", "pack_json"]

SHIPPED = Path(__file__).parent
PLACEHOLDERS = ("待填", "to be filled in", "placeholder")  # what a methodology that was just begun says of itself
NATION = Region(quantification.NATION, "全国", "China", "", ZoneInfo("Asia/Shanghai"))


@dataclass(frozen=True, slots=True)
class Factor:
    """A number by region and time. `document` is what pack.json says of it, sources included."""

    id: str
    unit: str
    gas_basis: str
    boundary: str
    values: tuple[Value, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a place pays in points for a deed of a pack, in grams; never a reduction."""

    pack_code: str
    value: Value
    document: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Standard:
    """One state of the standard: all versions of all packs. Immutable, but for the plans it keeps once built."""

    packs: tuple[Pack, ...]
    drafts: tuple[Pack, ...]  # that cannot credit yet, and say what is missing
    bands: Mapping[str, Band]
    grids: Mapping[str, Mapping[str, Any]]
    regions: Mapping[str, Region]
    places: tuple[Place, ...]
    factors: Mapping[str, Factor]
    tariffs: tuple[Tariff, ...]
    approvals: tuple[Approval, ...]
    cases: tuple[Case, ...]
    _parameters: Mapping[str, Sequence[tuple[date, int]]]
    _classes: Mapping[str, Sequence[tuple[date, ExclusionClass]]]
    _methods: Mapping[str, Method]
    _places: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict, repr=False)
    _plans: dict[tuple[str, tuple[str, ...], str, str], list[Plan]] = field(default_factory=dict, repr=False)

    nation = NATION

    def pack(self, event_type: str, on: date) -> Pack | None:
        """The pack in force for deeds of that event type begun on that civil day."""
        for pack in self.packs:
            if pack.event_type == event_type and pack.in_force_from <= on < (pack.in_force_to or date.max):
                return pack
        return None

    @property
    def fact_names(self) -> frozenset[str]:
        """All members of `data` that some methodology asks for."""
        return frozenset(fact.name for pack in self.packs for fact in pack.facts)

    def has_type(self, event_type: str) -> bool:
        """Whether any pack, in force or not, or a draft, is about that event type."""
        return any(pack.event_type == event_type for pack in self.methodologies)

    @property
    def methodologies(self) -> tuple[Pack, ...]:
        """Every version of every methodology, those that cannot credit yet behind the others."""
        return (*self.packs, *self.drafts)

    def pack_version(self, code: str, version: str) -> Pack | None:
        """One version of a methodology, in force or not."""
        return next((pack for pack in self.packs if (pack.code, pack.version) == (code, version)), None)

    def region(self, code: str) -> Region | None:
        """A province, prefecture or directly administered county of GB/T 2260."""
        return self.regions.get(code)

    def exclusion_class(self, code: str, on: date) -> ExclusionClass:
        """The class as it was on a day; KeyError when there is none. The first values also hold for all days before."""
        return _dated(self._classes[code], on)

    def max_duration_s(self, exclusion_class_code: str) -> int:
        """The longest duration any pack of the class accepts; 0 where none has a limit to its duration."""
        durations = [p.duration_max_s or 0 for p in self.packs if p.exclusion_class == exclusion_class_code]
        return max(durations, default=0)

    def parameter(self, name: str, on: date) -> int:
        """A number of parameters.yaml on a day, or KeyError; the first value also holds for all days before."""
        return _dated(self._parameters[name], on)

    def approval(self, pack: Pack, region_code: str, use: str, on: date) -> Approval | None:
        """The approval for that use of the nearest region: its own, its province's, the nation's."""
        region = self.regions.get(region_code, NATION)
        for code in quantification.chain(region):
            for one in self.approvals:
                named = (one.pack_code, one.pack_version, one.region, one.use)
                if named == (pack.code, pack.version, code, use) and one.valid_from <= on < (one.valid_to or date.max):
                    return one
        return None

    def daily_cap_mg(self, pack: Pack, region: Region, on: date) -> int | None:
        """The most a pack credits a person on that civil day in that region; None: no cap."""
        cap = quantification.in_force(self._methods[pack.content_sha256].caps, quantification.chain(region), on)
        return int(cap.number) if cap else None

    def plan(self, pack: Pack, region: Region, choice: str, on: date, evidence: str) -> Plan:
        """The calculation for deeds begun on a day, built once for as long as no number in it changes.

        Regions without a number of their own share one: anybody may ask about any region, and plans are never dropped.
        Raises LookupError for an unknown choice or a day on which a factor has no value yet, Outdated for one too old.
        """
        method = self._methods[pack.content_sha256]
        where = self._places.get((pack.content_sha256, region.code))
        if where is None:
            told = {value.region for value in method.values()}
            where = tuple(code for code in quantification.chain(region) if code in told)
            self._places[pack.content_sha256, region.code] = where
        key = (pack.content_sha256, where, choice, evidence)
        for plan in self._plans.get(key, ()):
            if plan.from_on <= on < plan.to_on:
                return plan
        plan = quantification.build(method, where, choice, on, evidence)
        self._plans[key] = [*self._plans.get(key, ()), plan]
        return plan

    def cases_of(self, pack: Pack) -> list[Case]:
        """The worked examples of a pack version."""
        return [case for case in self.cases if (case.pack.code, case.pack.version) == (pack.code, pack.version)]

    def run_cases(self, pack: Pack) -> list[CaseResult]:
        """Measure every worked example of a pack on its own day and in its own place."""
        return [cases.run(self, case) for case in self.cases_of(pack)]


T = TypeVar("T")


def _hides_a_deed(one: ExclusionClass, shortest_s: int) -> bool:
    """True when a whole deed could lie within another unnoticed."""
    return one.overlap_share_percent >= 100 and (one.overlap_tolerance_s or -1) >= shortest_s


def _dated(values: Sequence[tuple[date, T]], on: date) -> T:
    return next((value for from_on, value in reversed(values) if from_on <= on), values[0][1])


def _rules_doc(rules: Rules) -> dict[str, Any]:
    doc = {"conservative_bound": rules.conservative, "review_grace_days": rules.grace_days}
    return doc | {"from": rules.from_on.isoformat(), "evidence_percent": dict(rules.percent)}


def _pack(
    doc: Mapping[str, Any], document: bytes, facts: Sequence[Fact], bounds: Mapping[str, int | None], selector: str
) -> Pack:
    speed = bounds.get("speed_max_km_per_h")
    return Pack(
        code=doc["code"],
        version=doc["version"],
        event_type=doc["event_type"],
        name_zh=doc["name"]["zh"],
        name_en=doc["name"]["en"],
        category=doc["category"],
        status=doc["status"],
        gas_basis=doc["gas_basis"],
        exclusion_class=doc.get("exclusion_class", ""),
        in_force_from=date.fromisoformat(doc["in_force_from"]) if "in_force_from" in doc else date.max,
        in_force_to=date.fromisoformat(doc["in_force_to"]) if "in_force_to" in doc else None,
        facts=tuple(facts),
        duration_min_s=bounds.get("duration_min_s"),
        duration_max_s=bounds.get("duration_max_s"),
        aggregate=doc.get("aggregate") == "true",
        speed_max_m_per_h=None if speed is None else speed * 1000,
        boundary=doc["boundary"],
        region_rule=doc.get("region_rule", "start"),
        selector=selector,
        points_only=doc.get("measures") == "points",
        document=document,
        content_sha256=hashlib.sha256(document).hexdigest(),
    )


def unfinished(pack: Pack) -> list[str]:
    """The members of a pack's document in which something is still to be filled in."""
    document = pack_json(pack)
    texts = {name: json.dumps(value, ensure_ascii=False).lower() for name, value in document.items()}
    return sorted(name for name, text in texts.items() if any(f'"{word}' in text for word in PLACEHOLDERS))


def pack_json(pack: Pack) -> dict[str, Any]:
    """pack.json: all a verifier needs, without YAML. `pack.document` is its canonical form."""
    return cast("dict[str, Any]", json.loads(pack.document))


# --- loading --------------------------------------------------------------------------------------------------------


def load(*extra_folders: Path) -> Standard:
    """The shipped standard, and what further folders of the same form add to it.

    A later folder may add packs, versions, factors, tariffs, approvals, parameters and dated values of factors that are
    there already; it cannot change what is written. Raises StandardError telling every mistake found.
    """
    return load_alone(SHIPPED, *extra_folders)


def load_alone(*folders: Path) -> Standard:
    """Nothing but what these folders hold; the first must have regions and parameters. Raises StandardError."""
    found = Drafts()
    for folder in folders:
        found.read(folder)
    found.notes.settle()
    return _Checking(found).standard()


class _Checking:
    """Everything read, held against everything else."""

    def __init__(self, found: Drafts) -> None:
        self.found, self.notes = found, found.notes

    def standard(self) -> Standard:
        """The standard, when all that was read fits together. Raises StandardError."""
        for draft in self.found.drafts:
            self._check_references(draft)
            self._check_percent(draft)
        for code, found in self.found.tariffs.items():
            self._check_tariffs(code, found)
        factors = {key: self._factor(doc, found) for key, (doc, found) in self.found.factors.items()}
        tariffs = {code: numbers.close(found, code) for code, found in self.found.tariffs.items()}
        self.notes.settle()
        finished = [(draft, self._finish(draft, factors)) for draft in self.found.drafts]
        methods = {
            pack.content_sha256: self._method(draft, pack, factors, tariffs.get(pack.code, ()))
            for draft, pack in finished
        }
        packs = sorted((pack for _, pack in finished), key=lambda pack: (pack.code, pack.in_force_from, pack.version))
        self._check_times(finished)
        for one in self.found.unready:
            if any(one.doc["code"] == p.code and one.doc["version"] == p.version for p in packs) or any(
                one.doc["event_type"] == p.event_type and one.doc["code"] != p.code for p in packs
            ):
                one.section.mistake("same_version", "code", what=f"{one.doc['code']} {one.doc['version']}")
        for item, approval in self.found.approvals:
            self._check_approval(item, approval, packs)
        for draft, pack in finished:
            self._check_plans(draft, pack, methods[pack.content_sha256])
        by_name = {(pack.code, pack.version): pack for pack in packs}
        examples = [self._case(item, by_name[code, version]) for item, code, version in self.found.cases]
        self.notes.settle()
        return Standard(
            packs=tuple(packs),
            drafts=tuple(sorted((self._draft(one) for one in self.found.unready), key=lambda pack: pack.code)),
            bands=self.found.bands,
            grids=self.found.grids,
            regions=self.found.regions,
            places=tuple(self.found.places),
            factors=factors,
            tariffs=tuple(Tariff(code, one.value, one.doc) for code, found in tariffs.items() for one in found),
            approvals=tuple(approval for _, approval in self.found.approvals),
            cases=tuple(examples),
            _parameters=self.found.parameters,
            _classes=self.found.classes,
            _methods=methods,
        )

    def _check_references(self, draft: PackDraft) -> None:
        """The formula's text, and that all factors, choices and the class exist."""
        try:
            functions = formula.read(draft.formula)
        except formula.FormulaError as error:
            self.notes.add(draft.formula_file, error.line, error.code, **error.fields)
            return
        asked = {name for function in functions for name in formula.arguments(function)}
        names = {fact.name for fact in draft.facts if fact.kind == "integer"} | set(draft.bindings)
        for name in sorted(names - asked if not draft.doc["measures"] else ()):
            draft.section.mistake("formula_unused", what=name)
        choices = next((fact.values for fact in draft.facts if fact.name == draft.selector), frozenset())
        if draft.selector and not choices:
            draft.section.mistake(
                "not_one_of", "factors", what="by", known=", ".join(sorted(names - set(draft.bindings)))
            )
        for table in draft.bindings.values():
            for factor in table.values():
                if factor not in self.found.factors:
                    draft.section.mistake("no_factor", "factors", what=factor)
            for choice in sorted(choices - table.keys() if "" not in table else ()):
                draft.section.mistake("no_choice", "factors", what=choice)
        classes = self.found.classes.get(draft.doc["exclusion_class"])
        if classes is None:
            draft.section.mistake("no_class", "exclusion_class", what=draft.doc["exclusion_class"])
        elif any(_hides_a_deed(one, draft.bounds["duration_min_s"] or 0) for _, one in classes):
            draft.section.mistake("tolerance", "exclusion_class")

    def _check_percent(self, draft: PackDraft) -> None:
        """A pack may be stricter about evidence than the standard, never laxer."""
        for tier, percent in draft.percent.items():
            most = min((value for _, value in self.found.parameters.get(f"evidence_{tier}_percent", ())), default=100)
            if percent > most:
                draft.section.mistake("looser", "evidence_percent", what=tier, most=most)

    def _fact_units(self, draft: PackDraft) -> dict[str, units.Unit]:
        return {fact.name: units.parse(fact.unit) for fact in draft.facts if fact.kind == "integer"}

    def _check_tariffs(self, code: str, found: Sequence[Number]) -> None:
        drafts = [draft for draft in self.found.drafts if draft.doc["code"] == code]
        for number in found:
            if not drafts:
                number.section.mistake("no_pack", "pack", what=code)
            for draft in drafts:
                try:
                    quantification.tariff_quantity(number.value.unit, self._fact_units(draft))
                except LookupError as error:
                    number.section.mistake("tariff_unit", "unit", what=error.args[0])

    def _factor(self, doc: dict[str, Any], found: Sequence[Number]) -> Factor:
        closed = numbers.close(found, doc["id"])
        for number in closed:
            bands.check_number(number, self.found.bands, doc["id"])
        document = without_blanks(doc) | {"values": [number.doc for number in closed]}
        values = tuple(number.value for number in closed)
        return Factor(doc["id"], doc["unit"], doc["gas_basis"], doc["boundary"], values, document)

    def _rules(self, draft: PackDraft) -> list[Rules]:
        """The standard's own rules by date, with what the pack credits of each evidence tier."""
        names = {"conservative_bound": 1, "factor_review_grace_days": 365}
        names |= {f"evidence_{tier}_percent": 100 for tier in EVIDENCE_TIERS}
        dated = {name: self.found.parameters.get(name) or [(date.min, value)] for name, value in names.items()}
        found = []
        for day in sorted({from_on for values in dated.values() for from_on, _ in values}):
            now = {name: _dated(values, day) for name, values in dated.items()}
            percent = {tier: now[f"evidence_{tier}_percent"] for tier in EVIDENCE_TIERS} | draft.percent
            found.append(Rules(day, bool(now["conservative_bound"]), now["factor_review_grace_days"], percent))
        return found

    def _draft(self, draft: PackDraft) -> Pack:
        """A methodology that cannot credit: its words, and nothing that could measure."""
        doc = without_blanks(draft.doc)
        return _pack(doc, rfc8785.dumps(doc), [], {}, "")

    def _finish(self, draft: PackDraft, factors: Mapping[str, Factor]) -> Pack:
        """The pack with its canonical document: the definition, the formula's text and the factors it uses."""
        doc = without_blanks(draft.doc)
        used = sorted({factor for table in draft.bindings.values() for factor in table.values()})
        doc["factors"] = {factor: factors[factor].document for factor in used}
        doc["rules"] = [_rules_doc(rules) for rules in self._rules(draft)]
        places = {value["region"] for factor in doc["factors"].values() for value in factor["values"]}
        served = {r.code: r.grid for r in self.found.regions.values() if not r.parent and r.grid in places}
        doc |= {"grids": served} if served else {}
        return _pack(doc, rfc8785.dumps(doc), draft.facts, draft.bounds, draft.selector)

    def _method(self, draft: PackDraft, pack: Pack, factors: Mapping[str, Factor], tariffs: Sequence[Number]) -> Method:
        gram = units.parse("g")
        rates = self.found.parameters.get("points_per_g_micro", [])
        ends = [from_on for from_on, _ in rates[1:]]
        return Method(
            functions=formula.read(draft.formula),
            result=units.emission(pack.gas_basis, pack.boundary),
            in_force=(pack.in_force_from, pack.in_force_to or date.max),
            facts=self._fact_units(draft),
            factors={
                name: {choice: factors[factor].values for choice, factor in table.items()}
                for name, table in draft.bindings.items()
            },
            caps=[cap.value for cap in draft.caps],
            point_caps=[cap.value for cap in draft.point_caps],
            points_only=pack.points_only,
            rules=self._rules(draft),
            tariffs=[tariff.value for tariff in tariffs],
            rates=[
                Value(NATION.code, date.min if position == 0 else from_on, to_on, Fraction(rate), gram, "points")
                for position, ((from_on, rate), to_on) in enumerate(zip(rates, [*ends, None], strict=True))
            ],
        )

    def _check_times(self, finished: Sequence[tuple[PackDraft, Pack]]) -> None:
        """No version twice, and no two packs of one event type in force on one day."""
        for position, (draft, pack) in enumerate(finished):
            for _, other in finished[:position]:
                if (pack.code, pack.version) == (other.code, other.version):
                    draft.section.mistake("same_version", "version", what=f"{pack.code} {pack.version}")
                elif pack.event_type == other.event_type and (
                    pack.in_force_from < (other.in_force_to or date.max)
                    and other.in_force_from < (pack.in_force_to or date.max)
                ):
                    names = [f"{one.code} {one.version}" for one in (pack, other)]
                    draft.section.mistake("both_in_force", "in_force_from", what=names[0], other=names[1])

    def _check_approval(self, item: Section, approval: Approval, packs: Sequence[Pack]) -> None:
        name = (approval.pack_code, approval.pack_version)
        pack = next((pack for pack in packs if (pack.code, pack.version) == name), None)
        if pack is None:
            item.mistake("no_pack", "pack", what=" ".join(name))
        elif pack.points_only and approval.use != "points":
            item.mistake("points_only", "use", what=approval.use)
        elif approval.use != "demonstration" and (left := unfinished(pack)):
            item.mistake("unfinished", "use", what=", ".join(left))
        elif approval.use == "pool":
            said = pack_json(pack).get("statements", {})
            lacking = [name for name in STATEMENTS if not all(said.get(name, {"zh": ""}).values())]
            if lacking:
                item.mistake("incomplete", "use", what=", ".join(lacking))

    def _check_plans(self, draft: PackDraft, pack: Pack, method: Method) -> None:
        """Build every plan the pack can come to need: each region with numbers of its own, each time, each choice."""
        choices = next((sorted(fact.values) for fact in draft.facts if fact.name == draft.selector), [""])
        regions = sorted({value.region for value in method.values()} | {NATION.code})
        days = {day for day in method.days_of_change() if method.in_force[0] < day < method.in_force[1]}
        plans = []
        for region in regions:
            place = self.found.regions.get(region, NATION)
            for day in sorted(days | {pack.in_force_from}):
                for choice in choices:
                    try:
                        plans.append(
                            (choice, quantification.build(method, (region, *quantification.chain(place)), choice, day))
                        )
                    except formula.FormulaError as error:
                        self.notes.add(draft.formula_file, error.line, error.code, **error.fields)
                    except quantification.Outdated:
                        pass  # nothing is credited by it from that day on
                    except LookupError as error:
                        draft.section.mistake("no_value", "factors", what=error.args[0])
        self._check_uncertain(draft, method)
        fact_units = self._fact_units(draft)
        bands.check_results(draft.bands, self.found.bands, draft.facts, fact_units, plans, method.result)

    def _check_uncertain(self, draft: PackDraft, method: Method) -> None:
        """An uncertain number needs a conservative end in each function that uses it."""
        for name, choices in method.factors.items():
            if any(value.low is not None for values in choices.values() for value in values):
                asking = [f for f in method.functions if name in formula.arguments(f)]
                if not all(formula.sign_of(f, name) for f in asking):
                    draft.section.mistake("uncertain_sign", "factors", what=name)

    def _case(self, item: Section, pack: Pack) -> Case:
        region, facts = item.text("region", NATION.code), item.section("facts")
        if region not in (*self.found.regions, NATION.code):
            item.mistake("no_region", "region", what=region)
        values: dict[str, int | str] = {}
        for name in facts.names():
            kind = next((fact.kind for fact in pack.facts if fact.name == name), "")
            if not kind:
                facts.mistake("unknown_field", name, what=name, known=", ".join(fact.name for fact in pack.facts))
            values[name] = facts.text(name) if kind == "choice" else facts.integer(name) or 0
        scale = numbers.unit(item).scale
        if "expected" in item:
            expected = item.number("expected")
            low, high = (expected + sign * abs(expected) * item.number("rel_tol") for sign in (-1, 1))
        else:
            low, high = item.number("at_least"), item.number("at_most")
        case = Case(
            pack=pack,
            id=item.text("id"),
            kind=item.one_of("kind", CASE_KINDS),
            measures=item.one_of("measures", MEASURES, "reduction"),
            on=item.date("on") or date.min,
            region=region,
            evidence=item.one_of("evidence", EVIDENCE_TIERS, "order"),
            facts=values,
            at_least=low * scale,
            at_most=high * scale,
            exact_mg=item.integer("reduction_mg", optional=True),
            title=item.text("title"),
            origin=item.text("origin"),
            source=item.text("source"),
        )
        item.done()
        return case
