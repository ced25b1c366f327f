"""The words of the standard as types: packs, regions, exclusion classes, measurements, verdict codes.

Pure data, no behaviour. Everything here is immutable, so a pack that judged a deed can be named by its hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

# The six verdicts (design, section 2).
CREDITED = "credited"
REPEATED = "repeated"
DUPLICATE_OF = "duplicate_of"
IN_REVIEW = "in_review"
REFUSED = "refused"
MALFORMED = "malformed"

CLAIMED_ELSEWHERE = "claimed_elsewhere"  # the one refusal that is of the deed, not of the record

# Every code an event can get, in the order in which the judge checks them: code -> verdict.
# The reference page shows this very list; the readable reasons are in rules/reasons.py.
CODES: dict[str, str] = {
    "field_missing": MALFORMED,  # claims no id
    "field_invalid": MALFORMED,
    "resent": REPEATED,  # same message, same content
    "id_reused": REFUSED,  # same message id, other content
    "type_unknown": REFUSED,
    "subject_unknown": REFUSED,
    "event_unknown": REFUSED,  # a correction of an event that was never judged
    "region_unknown": REFUSED,
    "region_contradicts": REFUSED,  # the coordinates lie elsewhere
    "in_future": REFUSED,
    "too_late": REFUSED,
    "not_in_force": REFUSED,
    "no_consent": REFUSED,
    CLAIMED_ELSEWHERE: REFUSED,  # another mechanism has claimed this deed
    "fact_missing": REFUSED,
    "fact_invalid": REFUSED,
    "distance_unknown": REFUSED,
    "fact_out_of_range": REFUSED,
    "too_short": REFUSED,
    "too_long": REFUSED,
    "too_fast": REFUSED,
    "factor_outdated": REFUSED,  # a number it needs is too long past its review
    "withdrawn": REFUSED,  # the partner took it back
    "corrected": REFUSED,  # replaced by other content under the same id
    "review_refused": REFUSED,  # looked into, and not believed
    "suspicious": IN_REVIEW,  # believable by itself, odd beside its own coordinates
    "act_ref_conflict": IN_REVIEW,  # the same object, claimed for another person or another kind of deed
    "same_act": DUPLICATE_OF,  # the same order, gate or weighing number
    "same_record": DUPLICATE_OF,  # start and end within the class's clock jitter
    "overlap": DUPLICATE_OF,  # nobody rides two bikes at once
    "points_only": CREDITED,  # no reduction is claimed: a local tariff pays points
    "no_reduction": CREDITED,  # measured zero or negative: counted, earns nothing
    "capped": CREDITED,  # the day's cap cut the amount
    "rest_of_day": CREDITED,  # a day's total, less the deeds inside it
    "continues": CREDITED,  # the same asset taken up again: one deed with the ride before
    "ok": CREDITED,
}

# Evidence tiers, best first: which record of a deed stands is decided by this order before anything else.
EVIDENCE_TIERS = ("order", "device", "screenshot", "self_declared")
POOLABLE_EVIDENCE = frozenset({"order", "device"})


@dataclass(frozen=True, slots=True)
class Region:
    """A province or prefecture of GB/T 2260. `parent` is the province's code, '' for a province.

    lat_udeg, lon_udeg: its reference point in millionths of a degree, WGS-84. radius_km: its reach from there.
    """

    code: str
    name_zh: str
    name_en: str
    parent: str
    timezone: ZoneInfo
    lat_udeg: int | None = None
    lon_udeg: int | None = None
    radius_km: int | None = None
    grid: str = ""  # the regional grid that serves it, of grids.yaml


@dataclass(frozen=True, slots=True)
class Place:
    """The seat of a county or district, in millionths of a degree, WGS-84. `region` is '' outside of our regions."""

    region: str
    lat_udeg: int
    lon_udeg: int


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a pack must be told: an integer with a unit and a range, or a choice among values."""

    name: str
    kind: Literal["integer", "choice"]
    unit: str = ""
    values: frozenset[str] = frozenset()
    minimum: int | None = None
    maximum: int | None = None
    missing_code: str = "fact_missing"  # the code when it is absent or below its minimum for want of knowledge


@dataclass(frozen=True, slots=True)
class ExclusionClass:
    """Deeds that cannot happen to one person at the same time, and how well clocks agree about them.

    jitter_s: two records whose starts and ends both differ by at most this are one record.
    shift_s, duration_jitter_s: so are two whose starts differ by at most shift_s and whose durations by at most
    duration_jitter_s: a clock that is off moves both ends alike.
    overlap_tolerance_s: deeds overlapping by more than this, or by more than overlap_share_percent of the shorter one,
    are one deed; None: overlap says nothing.
    same_record_facts: facts that must be equal as well (two bags on one scale are not one bag).
    distinct_act_refs: two different numbers of one issuer prove two different deeds.
    continue_gap_s: the same asset taken up again within this gap goes on with the same deed; None: never.
    """

    code: str
    jitter_s: int
    overlap_tolerance_s: int | None
    same_record_facts: tuple[str, ...] = ()
    distinct_act_refs: bool = False
    continue_gap_s: int | None = None
    shift_s: int = 0
    duration_jitter_s: int = 0
    overlap_share_percent: int = 100


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of a methodology, in force for deeds begun in [in_force_from, in_force_to)."""

    code: str
    version: str
    event_type: str
    name_zh: str
    name_en: str
    category: str
    status: str  # 'provisional' wherever the official text was not available; a 'draft' can credit nothing
    gas_basis: str
    exclusion_class: str
    in_force_from: date
    in_force_to: date | None
    facts: tuple[Fact, ...]
    duration_min_s: int | None
    duration_max_s: int | None
    speed_max_m_per_h: int | None
    boundary: str
    region_rule: str  # where a deed counts: `start` or `end` of it, or as `declared`
    aggregate: bool  # its deeds are totals of a day, to be counted less the deeds inside them
    selector: str  # the choice fact by which factors are chosen (a material, an item), '' when there is none
    points_only: bool  # claims no reduction: local tariffs set the points
    document: bytes = field(repr=False)  # the canonical pack.json: RFC 8785, everything a verifier needs
    content_sha256: str  # of `document`


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a calculation: its name, exact value (`value` / `per`) and unit."""

    name: str
    value: Decimal
    unit: str
    per: int = 1  # not 1 only where the value has no finite decimal form


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one deed is worth before the day's cap.

    reduction_mg: baseline - project - leakage, rounded once towards minus infinity; may be zero or negative.
    points_micro: millionths of a point, never negative.
    daily_cap_mg: the most this pack credits a person and civil day in that region; None: no cap.
    """

    reduction_mg: int
    points_micro: int
    daily_cap_mg: int | None
    lines: tuple[Line, ...]
    factor_ids: tuple[str, ...]
    tariff_id: str = ""  # the local tariff that set the points, '' when the reduction did
    daily_points: int | None = None  # the most points this pack gives a person and civil day; None: no cap
    overdue: tuple[str, ...] = ()  # numbers in it that should have been looked at again by now


@dataclass(frozen=True, slots=True)
class Rules:
    """What the standard as a whole says about measuring, for deeds begun from a day on.

    conservative: of a number whose source gives an interval, the end counts that makes the reduction smaller.
    grace_days: how long after its review date a number still credits. percent: what an evidence tier is credited of a
    reduction.
    """

    from_on: date = date.min
    conservative: bool = True
    grace_days: int = 365
    percent: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(EVIDENCE_TIERS, 100))


@dataclass(frozen=True, slots=True)
class Approval:
    """A dated record that lets a pack version be used in a region (and below it) for a use."""

    pack_code: str
    pack_version: str
    region: str  # 'CN' or a region's code
    use: Literal["points", "pool", "demonstration"]
    body: str
    document: str
    valid_from: date
    valid_to: date | None

    def is_of(self, pack: Pack) -> bool:
        return (self.pack_code, self.pack_version) == (pack.code, pack.version)
