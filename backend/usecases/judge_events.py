"""The pure part of ingest: from messages and what the database knows of them to records and refusals.

No SQL, no clock: everything is handed over. What is decided here depends on one message alone; what depends on a
person's other deeds is settled afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from backend import auth
from backend.store import events
from backend.usecases.read_events import Message
from rules import claims, eligibility, places, quantification, verification
from rules.dedup import Record
from rules.model import CLAIMED_ELSEWHERE, EVIDENCE_TIERS, ExclusionClass, Pack, Region
from rules.standard import Standard

Number = tuple[str, bytes] | tuple[None, None]  # (issuer, keyed digest)
NONE: tuple[None, None] = (None, None)


@dataclass(frozen=True, slots=True)
class Reporter:
    """The partner that sends: whose order numbers are its own, and the best tier it may claim for a type."""

    client_id: str
    issuer: str | None
    ceilings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Person:
    """The person behind a subject, when points were consented to, and since when, if the account was opened again."""

    person_id: int
    consents: Sequence[eligibility.Interval]
    opened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A message as judged by itself. `record` is None when `code` refuses it before any deed is considered."""

    message: Message
    event_id: int
    code: str = ""
    field: str = ""
    person_id: int | None = None
    region: Region | None = None
    pack: Pack | None = None
    klass: ExclusionClass | None = None
    evidence: str | None = None
    facts: dict[str, int | str] | None = None
    record: Record | None = None
    numbers: tuple[Number, Number] = (NONE, NONE)  # its own, and that of an earlier weighing of the same load
    issued: bool = False  # by the issuer of its number itself
    root_id: int | None = None  # of the event as first sent, when this is a correction of it
    suspicion: int = 0  # points, of a believable record that does not fit its own coordinates
    claim: claims.Claim | None = None  # another mechanism's, that refuses it


def judge_event(
    standard: Standard, secret: str, reporter: Reporter, person: Person | None, message: Message, event_id: int,
    now: datetime, claimed: claims.Book = claims.NONE,
) -> Judged:  # fmt: skip
    """Check kind, person, place, time, consent, claims of others, facts, in the order of `rules.model.CODES`; measure.

    A claimed deed is measured all the same: if the claim falls, it can be counted.
    """
    if not standard.has_type(message.event_type):
        return Judged(message, event_id, "type_unknown", "type")
    if person is None:
        return Judged(message, event_id, "subject_unknown", "subject")
    who = person.person_id
    region, code, field, suspicion = _place(standard, message)
    if region is None or code:
        return Judged(message, event_id, code, field, person_id=who, region=region)
    if code := eligibility.time_code(standard, region, message.started_at, message.ended_at, now):
        field = "data.ended_at" if code == "in_future" else "data.started_at"
        return Judged(message, event_id, code, field, region=region, person_id=who)
    pack = eligibility.pack_in_force(standard, message.event_type, region, message.started_at)
    if pack is None:
        return Judged(message, event_id, "not_in_force", "data.started_at", region=region, person_id=who)
    reopened = person.opened_at is not None and message.started_at < person.opened_at  # what was agreed to is erased
    if reopened or not eligibility.consented(person.consents, message.started_at):
        return Judged(message, event_id, "no_consent", "subject", region=region, pack=pack, person_id=who)
    judged = _measured(standard, secret, reporter, person, message, event_id, region, pack)
    judged = unless_claimed(judged, claimed)
    return replace(judged, suspicion=suspicion) if suspicion else judged


def unless_claimed(judged: Judged, claimed: claims.Book) -> Judged:
    """Refused, when another mechanism has claimed its deed."""
    record, region, klass, person_id = judged.record, judged.region, judged.klass, judged.person_id
    if record is None or region is None or klass is None or person_id is None:
        return judged
    claim = claimed.on(record, person_id, judged.message.event_type, region.code, klass)
    return refuse_claimed(judged, claim) if claim else judged


def refuse_claimed(judged: Judged, claim: claims.Claim) -> Judged:
    """The same, refused for that claim."""
    assert judged.record is not None
    record = replace(judged.record, refusal=CLAIMED_ELSEWHERE)
    return replace(judged, field="data" if claim.scope else "data.act_ref", record=record, claim=claim)


def _place(standard: Standard, message: Message) -> places.Finding:
    """The one region of a deed, by the rule of its pack, and whether its coordinates agree."""
    declared = standard.region(message.region) if message.region else None
    if message.where is None or (message.region and not declared):
        return places.Finding(declared) if declared else places.Finding(None, "region_unknown", "data.region")
    on = message.started_at.astimezone((declared or standard.nation).timezone).date()
    pack = standard.pack(message.event_type, on)
    rule = pack.region_rule if pack else "start"
    return places.check(standard, rule, declared, message.where, message.data.get("distance_m"), on)


def _measured(
    standard: Standard, secret: str, reporter: Reporter, person: Person, message: Message, event_id: int,
    region: Region, pack: Pack,
) -> Judged:  # fmt: skip
    day = message.started_at.astimezone(region.timezone).date()
    klass = standard.exclusion_class(pack.exclusion_class, day)
    facts, refusal, field = verification.read_facts(pack, message.data)
    started_us, ended_us = events.micros(message.started_at), events.micros(message.ended_at)
    if not refusal:
        refusal = verification.plausibility_code(pack, facts, ended_us - started_us)
        field = "data" if refusal else ""
    ceiling = reporter.ceilings.get(message.event_type, "order")
    issuer = message.act[0] if message.act else None
    evidence = verification.evidence_tier(message.evidence, ceiling, issuer, reporter.issuer)
    value = None
    if not refusal:
        try:
            value = quantification.measure(standard, pack, region, facts, day, evidence)
        except quantification.Outdated:
            refusal, field = "factor_outdated", "data.started_at"
    numbers = (number_digest(secret, message.act), number_digest(secret, message.prior))
    record = Record(
        event_id=event_id,
        tier=EVIDENCE_TIERS.index(evidence),
        client_id=reporter.client_id,
        event_ref=message.ref,
        started_us=started_us,
        ended_us=ended_us,
        day=day,
        pack=pack.code,
        acts=events.acts(*numbers),
        same_facts=same_facts(klass, facts),
        refusal=refusal,
        measured_mg=value.reduction_mg if value else 0,
        points_micro=value.points_micro if value else 0,
        cap_mg=value.daily_cap_mg if value else None,
        cap_points=value.daily_points if value else None,
        asset=asset_digest(secret, reporter.client_id, message.asset_ref),
        aggregate=pack.aggregate,
        root_id=event_id,
    )
    who = person.person_id
    own = issuer is not None and issuer == reporter.issuer
    return Judged(message, event_id, "", field, who, region, pack, klass, evidence, facts, record, numbers, own)


def number_digest(secret: str, number: tuple[str, str] | None) -> Number:
    """(issuer, keyed digest) of an issuer's number."""
    return (number[0], auth.digest(secret, "act", *number)) if number else NONE


def asset_digest(secret: str, client_id: str, asset_ref: str | None) -> bytes | None:
    """The keyed digest of a partner's own name for a bike or a car."""
    return auth.digest(secret, "asset", client_id, asset_ref) if asset_ref else None


def same_facts(klass: ExclusionClass, facts: Mapping[str, int | str]) -> tuple[int | str, ...]:
    return tuple(facts.get(name, "") for name in klass.same_record_facts)
