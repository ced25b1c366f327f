"""Other mechanisms' claims: has a regional scheme, a registry or an inventory claimed this deed already?

A claim names a deed by its number, or all deeds of an operator (or one asset of it), an activity, a region and a span
of days. Three conflicts are kept apart:

double issuance   the other registry issued credits for the deed (`issued`)
double use        such a credit was used up: retired, cancelled, surrendered (`used`)
double claiming   the reduction is in somebody's total without any credit: an installation's, a certificate holder's
                  (`counted`)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from rules import dedup
from rules.dedup import Record
from rules.model import ExclusionClass
from rules.quantification import NATION

CONFLICTS = {"used": "double_use", "issued": "double_issuance", "counted": "double_claiming"}  # the most final first


@dataclass(frozen=True, slots=True)
class Scope:
    """All deeds of these days; None: any. `prefix`: of the region's code, '' for the nation."""

    client_id: str | None
    asset: bytes | None
    event_type: str | None
    prefix: str
    from_on: date
    to_on: date  # inclusive

    def covers(self, client_id: str, event_type: str, region: str, day: date, asset: bytes | None) -> bool:
        return (
            self.from_on <= day <= self.to_on
            and region.startswith(self.prefix)
            and self.client_id in (None, client_id)
            and self.event_type in (None, event_type)
            and self.asset in (None, asset)
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of a mechanism's list. `scope` is None when it names a deed by its number."""

    claim_id: int
    mechanism: str
    kind: str
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A deed that was credited before the claim came: what becomes of it is decided by a person, copies included."""

    person_id: int
    started_us: int
    ended_us: int


@dataclass(frozen=True, slots=True)
class Book:
    """The claims that may meet a batch: by digest of a number; those over a span by asset; deeds known before each."""

    by_number: Mapping[bytes, Sequence[Claim]] = field(default_factory=dict)
    by_asset: Mapping[bytes | None, Sequence[Claim]] = field(default_factory=dict)
    known: Mapping[int, Sequence[Known]] = field(default_factory=dict)

    def on(self, record: Record, person_id: int, event_type: str, region: str, klass: ExclusionClass) -> Claim | None:
        """The claim that takes the deed of this record from us, None when nobody has claimed it."""
        named = [claim for _, digest in record.acts for claim in self.by_number.get(digest, ())]
        met = [c for c in named if not any(k.person_id == person_id for k in self.known.get(c.claim_id, ()))]
        for claim in self.over(record.client_id, event_type, region, record.day, record.asset):
            known = (k for k in self.known.get(claim.claim_id, ()) if k.person_id == person_id)
            if not any(_same(k, record, klass) for k in known):
                met.append(claim)
        return strongest(met)

    def over(
        self, client_id: str, event_type: str, region: str, day: date, asset: bytes | None
    ) -> Iterator[Claim]:  # fmt: skip
        """The claims on spans that cover a deed."""
        for claim in (*self.by_asset.get(None, ()), *(self.by_asset.get(asset, ()) if asset else ())):
            if claim.scope and claim.scope.covers(client_id, event_type, region, day, asset):
                yield claim


NONE = Book()


def strongest(claims: Iterable[Claim]) -> Claim | None:
    """The one that is named: by number before by span, the most final conflict first, then the oldest."""
    order = list(CONFLICTS)
    return min(claims, key=lambda c: (c.scope is not None, order.index(c.kind), c.claim_id), default=None)


def prefix(region: str) -> str:
    """What the codes of a region and all regions inside it begin with: '44' of 440000, '4403' of 440300, '' of CN."""
    if region == NATION:
        return ""
    return region[:2] if region.endswith("0000") else region[:4] if region.endswith("00") else region


def _same(known: Known, record: Record, klass: ExclusionClass) -> bool:
    """True when the record is a copy of that deed, by the clock."""
    other = replace(record, started_us=known.started_us, ended_us=known.ended_us)
    return dedup.same_record(record, other, klass)
