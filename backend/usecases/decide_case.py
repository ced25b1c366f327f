"""An operator decides a case; the decision is appended and its effect is an ordinary correction.

release   a held event counts as it was sent (without the number that met another person's deed)
refuse    a held event does not count
count     a refused event counts after all: its own implausibility is waived, and it is measured
apart     a duplicate is a deed of its own: the record that stood in its way tells of another
uphold    the verdict stays

A deed that was credited before another mechanism's claim came is `claimed`: refused, its record stays as one that is
claimed elsewhere, so that no copy of it takes its place.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.errors import Problem
from backend.platform import Platform
from backend.store import cases, claims, corrections, db, erasure, events
from backend.store.corrections import Latest
from backend.usecases import change_deeds, find_claims, judge_events
from backend.usecases.judge_events import NONE, Judged, Number
from backend.usecases.read_events import Message
from rules import claims as rules_claims
from rules import quantification
from rules.dedup import Record
from rules.model import DUPLICATE_OF, EVIDENCE_TIERS, REFUSED

DECISIONS = {"held": ("release", "refuse"), "appeal": ("uphold", "count", "apart"), "claimed": ("uphold", "refuse")}


def decide_case(
    platform: Platform, case_id: int, decision: str, operator_id: str, note: str, now: datetime
) -> dict[str, Any]:
    """Decide an open case; the verdict that holds from now on.

    Raises Problem not_found, conflict (decided before, or the decision does not fit the case).
    """

    def work(conn: db.Connection) -> dict[str, Any]:
        case = cases.lock_case(conn, case_id)
        if case is None:
            raise Problem("not_found", f"no case {case_id}")
        if case["decision"] is not None:
            raise Problem("conflict", f"case {case_id} was decided before: {case['decision']}")
        if decision not in DECISIONS[case["kind"]]:
            raise Problem("conflict", f"a case of kind {case['kind']} can be: {', '.join(DECISIONS[case['kind']])}")
        latest = corrections.find_latest(conn, [case["root_id"]]).get(case["root_id"])
        if latest is None:
            raise Problem("not_found", "该记录已随其账户删除 · the event was erased together with its account")
        cases.decide_case(conn, case_id, decision, operator_id, note, now)  # first: what is held again opens a new one
        if decision != "uphold":
            _change(conn, platform, latest, case["kind"], decision, operator_id, note, now)
        return corrections.find_standing(conn, [case["root_id"]])[case["root_id"]]

    return platform.db.retrying(work)


def _change(
    conn: db.Connection, platform: Platform, latest: Latest, kind: str, decision: str, operator_id: str, note: str,
    now: datetime,
) -> None:  # fmt: skip
    if latest.withdrawn or latest.person_id is None:
        raise Problem("conflict", "the event was taken back, or tells of nobody: only `uphold` is left")
    change_deeds.lock(conn, [latest.person_id])
    if decision == "release" and _met_erased(conn, latest):
        raise Problem("conflict", "the number was counted for an account that is erased: it is not credited again")
    new = None
    if decision != "refuse" or kind == "claimed":
        apart = [_other_root(conn, latest)] if decision == "apart" else []
        new = _again(platform, latest, events.take_ids(conn, 1)[0], decision, apart)
        new = _claimed(conn, latest, new, decision)
    step = change_deeds.Step(
        old=latest, root_id=latest.root_id, seq=latest.seq + 1, kind=decision,
        code="corrected" if new else "review_refused", new=new, by_client=operator_id, reason=note,
        charged_to="platform",
    )  # fmt: skip
    change_deeds.change_deeds(conn, platform, [step], latest.client_id, now)


def _claimed(conn: db.Connection, latest: Latest, new: Judged, decision: str) -> Judged:
    """Refused for the claim that it conflicts with, or, of what was held, for a claim that came meanwhile."""
    if decision == "refuse" and (claim := claims.find_claim_on(conn, latest.root_id)):
        return judge_events.refuse_claimed(new, rules_claims.Claim(**claim))
    if decision == "release":
        return judge_events.unless_claimed(new, find_claims.find_claims_on(conn, new))
    return new


def _met_erased(conn: db.Connection, latest: Latest) -> bool:
    """Whether a number of the event was counted for somebody who has been erased since."""
    acts = events.acts((latest.act_issuer, latest.act_digest), (latest.prior_issuer, latest.prior_digest))
    return any(claim.person_id == erasure.NOBODY for claim in events.find_act_claims(conn, acts).values())


def _other_root(conn: db.Connection, latest: Latest) -> int:
    """The event, as first sent, that stands in the way."""
    if latest.verdict != DUPLICATE_OF or latest.stands is None:
        raise Problem("conflict", "only a duplicate can be ruled to be a deed of its own")
    return corrections.find_root(conn, latest.stands)


def _again(platform: Platform, latest: Latest, event_id: int, decision: str, apart: list[int]) -> Judged:
    """The same event once more, with what the decision waives."""
    standard = platform.standard
    pack = standard.pack_version(latest.pack_code or "", latest.pack_version or "")
    region = standard.region(latest.region or "")
    if pack is None or region is None or latest.day is None or latest.evidence is None:
        raise Problem("conflict", "the event was refused before it was measured: it can only be sent again, mended")
    klass = standard.exclusion_class(pack.exclusion_class, latest.day)
    facts = latest.facts or {}
    refusal, value = latest.refusal, None
    if decision == "count":
        if latest.verdict != REFUSED or {f.name for f in pack.facts} - facts.keys():
            raise Problem("conflict", "only a refused event whose facts are complete can be counted")
        refusal, value = "", quantification.measure(standard, pack, region, facts, latest.day, latest.evidence)
    own: Number = NONE if latest.code == "act_ref_conflict" else _number(latest.act_issuer, latest.act_digest)
    prior: Number = NONE if latest.code == "act_ref_conflict" else _number(latest.prior_issuer, latest.prior_digest)
    record = Record(
        event_id=event_id,
        tier=EVIDENCE_TIERS.index(latest.evidence),
        client_id=latest.client_id,
        event_ref=latest.event_ref,
        started_us=events.micros(latest.started_at),
        ended_us=events.micros(latest.ended_at),
        day=latest.day,
        pack=pack.code,
        acts=events.acts(own, prior),
        same_facts=judge_events.same_facts(klass, facts),
        refusal=refusal,
        measured_mg=value.reduction_mg if value else latest.measured_mg,
        points_micro=value.points_micro if value else latest.points_micro,
        cap_mg=value.daily_cap_mg if value else latest.cap_mg,
        cap_points=value.daily_points if value else latest.cap_points,
        asset=latest.asset_digest,
        aggregate=pack.aggregate,
        root_id=latest.root_id,
        apart=frozenset([*(latest.apart_roots or ()), *apart]),
    )
    message = Message(
        ref=latest.event_ref, event_type=latest.event_type, subject="", started_at=latest.started_at,
        ended_at=latest.ended_at, region=region.code, where=None, evidence=latest.evidence, act=None, prior=None,
        asset_ref=None, data={}, content_digest=b"",
    )  # fmt: skip
    return Judged(
        message, event_id, "", "", latest.holder_id, region, pack, klass, latest.evidence, facts, record,
        (own, prior), False, latest.root_id,
    )  # fmt: skip


def _number(issuer: str | None, digest: bytes | None) -> Number:
    return (issuer, digest) if issuer is not None and digest is not None else NONE
