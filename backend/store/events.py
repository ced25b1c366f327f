"""Statements of ingest: what is known of a batch's ids, persons and neighbours, and its one write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import msgspec

from backend.store import db, statements
from rules.dedup import Record
from rules.model import CREDITED, EVIDENCE_TIERS, ExclusionClass
from rules.standard import Standard

SQL = statements.of("events")
LOCK_WAIT_MS = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Claim:
    """A message id in use: the content it came with and the event it made."""

    content_digest: bytes
    event_id: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ActClaim:
    """An issuer's number in use: whose deed it names. Not live: the event that claimed it no longer counts."""

    person_id: int
    klass: str
    event_id: int
    started_at: datetime
    live: bool = True


# issuer, digest, claimed by the issuer itself, person, class, event, started_at
NewActClaim = tuple[str, bytes, bool, int, str, int, datetime]


@dataclass(frozen=True, slots=True)
class Known:
    """A settled event as the books have it now. `account` is the person to whom it was credited, before any merge."""

    record: Record
    person_id: int
    account: int
    klass: str
    evidence: str
    started_at: datetime
    ended_at: datetime
    pack_version: str
    region: str
    timezone: tzinfo
    verdict: str
    code: str
    stands: int | None
    deed_id: int | None
    reduction_mg: int
    points: int
    version: int
    batch_id: int | None  # the batch that holds its deed
    facts: str | None  # JSON
    pack_sha256: str | None
    said_at: datetime | None  # when the last was said of it; None: nothing yet

    @property
    def fate(self) -> tuple[str, str, int | None, int | None, int, int]:
        return (self.verdict, self.code, self.stands, self.deed_id, self.reduction_mg, self.points)


def begin(conn: db.Connection) -> None:
    """Wait for locks shortly, hold pool closing out and plan by index, for this transaction.

    Raises psycopg.errors.LockNotAvailable in this or a later statement when others hold what it needs.
    """
    conn.execute(SQL["wait_shortly"], {"milliseconds": LOCK_WAIT_MS})
    conn.execute(SQL["hold_close_out"])
    conn.execute(SQL["plan_by_index"])


def find_reporter(conn: db.Connection, client_id: str) -> tuple[str, str | None, dict[str, str]]:
    """(client id, its issuer name, evidence ceilings by event type)."""
    client, issuer, ceilings = db.rows(conn, SQL["find_reporter"], client_id=client_id)[0]
    return client, issuer, ceilings


def find_people(conn: db.Connection, client_id: str, subjects: Iterable[str]) -> dict[str, int]:
    """subject -> person id, for subjects linked to this partner now."""
    return dict(db.rows(conn, SQL["find_people"], client_id=client_id, subjects=list(subjects)))


def lock_people(conn: db.Connection, people: Iterable[int]) -> None:
    """One advisory lock a person, in id order, until the transaction ends."""
    conn.execute(SQL["lock_people"], {"people": list(people)})


def find_merged(conn: db.Connection, people: Iterable[int]) -> bool:
    """True when one of them has been merged into another person."""
    return bool(db.rows(conn, SQL["find_merged"], people=list(people)))


def find_consents(conn: db.Connection, people: Iterable[int]) -> dict[int, list[tuple[datetime, datetime | None]]]:
    """person id -> when points were consented to."""
    found: dict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for person_id, given_at, withdrawn_at in db.rows(conn, SQL["find_consents"], people=list(people)):
        found[person_id].append((given_at, withdrawn_at))
    return found


def take_ids(conn: db.Connection, n: int) -> list[int]:
    return [i for (i,) in db.rows(conn, SQL["take_ids"], n=n)]


def find_claims(conn: db.Connection, client_id: str, digests: Sequence[bytes]) -> dict[bytes, Claim]:
    rows = db.rows(conn, SQL["find_claims"], client_id=client_id, digests=list(digests))
    return {d: Claim(content, event_id, at) for d, content, event_id, at in rows}


def find_claim(conn: db.Connection, client_id: str, digest: bytes) -> tuple[int, datetime] | None:
    found = db.one(conn, SQL["find_claim"], client_id=client_id, digest=digest)
    return (found["event_id"], found["started_at"]) if found else None


def find_events(conn: db.Connection, keys: Iterable[tuple[int, datetime]]) -> dict[int, dict[str, Any]]:
    """event id -> its first and its current verdict."""
    keys = list(keys)
    if not keys:
        return {}
    rows = db.dicts(conn, SQL["find_events"], ids=[k[0] for k in keys], starts=[k[1] for k in keys])
    return {r["event_id"]: r for r in rows}


def find_act_claims(
    conn: db.Connection, acts: Sequence[tuple[str, bytes]]
) -> dict[tuple[tuple[str, bytes], bool], ActClaim]:
    """(number, claimed by its issuer itself) -> whose deed it names."""
    if not acts:
        return {}
    rows = db.rows(conn, SQL["find_act_claims"], issuers=[a[0] for a in acts], digests=[a[1] for a in acts])
    return {((issuer, digest), own): ActClaim(*rest) for issuer, digest, own, *rest in rows}


def find_act_events(
    conn: db.Connection, acts: Sequence[tuple[tuple[int, str], tuple[str, bytes]]]
) -> list[tuple[tuple[int, str], datetime]]:
    """When the events of these persons and classes began that carry these numbers: ((person, class), started_at)."""
    if not acts:
        return []
    accounts = _accounts(conn, [key[0] for key, _ in acts])
    asked = [(key, account, act) for key, act in acts for account in accounts[key[0]]]
    rows = db.rows(
        conn, SQL["find_act_events"], people=[key[0] for key, _, _ in asked], accounts=[a for _, a, _ in asked],
        classes=[key[1] for key, _, _ in asked], issuers=[act[0] for _, _, act in asked],
        digests=[act[1] for _, _, act in asked],
    )  # fmt: skip
    return [((person_id, klass), at) for person_id, klass, at in rows]


def find_neighbours(
    conn: db.Connection, standard: Standard, windows: Mapping[tuple[int, str], tuple[int, int]]
) -> dict[tuple[int, str], list[Known]]:
    """The settled events of each (person, class) that begin in its window (microseconds, half open)."""
    found: dict[tuple[int, str], list[Known]] = {key: [] for key in windows}
    if not windows:
        return found
    accounts = _accounts(conn, [person_id for person_id, _ in windows])
    asked = [(key, account, _at(w[0]), _at(w[1])) for key, w in windows.items() for account in accounts[key[0]]]
    rows = db.rows(
        conn, SQL["find_neighbours"], people=[key[0] for key, *_ in asked], accounts=[a for _, a, _, _ in asked],
        classes=[key[1] for key, *_ in asked], froms=[w[2] for w in asked], untils=[w[3] for w in asked],
        first=min(w[2] for w in asked), last=max(w[3] for w in asked),
    )  # fmt: skip
    rules: dict[tuple[str, date], ExclusionClass] = {}
    for row in rows:
        known = _known(standard, rules, row)
        found[(known.person_id, known.klass)].append(known)
    return found


def _accounts(conn: db.Connection, people: Iterable[int]) -> dict[int, list[int]]:
    """person -> the accounts that are this person: itself, and those merged into it."""
    accounts = {person_id: [person_id] for person_id in people}
    for person_id, alias_id in db.rows(conn, SQL["find_aliases"], people=list(accounts)):
        accounts[person_id].append(alias_id)
    return accounts


def _known(standard: Standard, rules: dict[tuple[str, date], ExclusionClass], row: tuple[Any, ...]) -> Known:
    (event_id, person_id, account, klass, evidence, client_id, event_ref, started_at, ended_at, day, pack, pack_version,
     region, issuer, act, prior_issuer, prior_act, asset, facts, refusal, measured_mg, points_micro, cap_mg, cap_points,
     root_id, apart, verdict, code, stands, deed_id, reduction_mg, points, version, batch_id, sha256,
     said_at) = row  # fmt: skip
    rule = rules.get((klass, day)) or rules.setdefault((klass, day), standard.exclusion_class(klass, day))
    where = standard.region(region)
    used = standard.pack_version(pack, pack_version)
    assert where is not None
    fixed = batch_id is not None and verdict == CREDITED
    record = Record(
        event_id, EVIDENCE_TIERS.index(evidence), client_id, event_ref, micros(started_at), micros(ended_at), day,
        pack, acts((issuer, act), (prior_issuer, prior_act)), _same_facts(facts, rule),
        refusal, measured_mg, points_micro, cap_mg, cap_points, reduction_mg if fixed else None, points if fixed else 0,
        deed_id if fixed else 0, asset, used is not None and used.aggregate, root_id, frozenset(apart or ()),
    )  # fmt: skip
    return Known(
        record, person_id, account, klass, evidence, started_at, ended_at, pack_version, region, where.timezone,
        verdict, code, stands, deed_id, reduction_mg, points, version, batch_id, facts, sha256, said_at,
    )  # fmt: skip


def _same_facts(facts: str | None, rule: ExclusionClass) -> tuple[int | str, ...]:
    """The facts that must agree, decoded only where the class asks for any."""
    if not rule.same_record_facts or facts is None:
        return ("",) * len(rule.same_record_facts)
    told = msgspec.json.decode(facts)
    return tuple(told.get(name, "") for name in rule.same_record_facts)


def acts(*numbers: tuple[str | None, bytes | None]) -> tuple[tuple[str, bytes], ...]:
    """The numbers that are there."""
    return tuple((issuer, digest) for issuer, digest in numbers if issuer is not None and digest is not None)


def micros(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _at(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def find_deed_versions(conn: db.Connection, deeds: Sequence[int]) -> dict[int, tuple[int, datetime]]:
    """deed -> its last version, and when that was made."""
    rows = db.rows(conn, SQL["find_deed_versions"], deeds=list(deeds)) if deeds else []
    return {deed_id: (version, made_at) for deed_id, version, made_at in rows}


def add_pack_version(conn: db.Connection, sha256: str, code: str, version: str, text: str) -> None:
    conn.execute(SQL["add_pack_version"], {"sha256": sha256, "code": code, "version": version, "json": text})


def add_claims(conn: db.Connection, client_id: str, claims: Sequence[tuple[bytes, bytes, int, datetime]]) -> None:
    """Claim message ids: (id digest, content digest, event id, started_at). Raises ClaimLost if one was taken."""
    if not claims:
        return
    digests, contents, ids, starts = (list(column) for column in zip(*claims, strict=True))
    done = db.run(
        conn, SQL["add_claims"], client_id=client_id, digests=digests, contents=contents, ids=ids, starts=starts
    )
    if done != len(claims):
        raise db.ClaimLost


def add_act_claims(conn: db.Connection, claims: Sequence[NewActClaim], sealed: Mapping[bytes, bytes]) -> None:
    """Claim issuers' numbers; sealed: their plain digests, by digest. Raises ClaimLost if one was taken."""
    if not claims:
        return
    issuers, digests, owns, people, classes, ids, starts = (list(column) for column in zip(*claims, strict=True))
    done = db.run(
        conn, SQL["add_act_claims"], issuers=issuers, digests=digests, owns=owns, people=people, classes=classes,
        ids=ids, starts=starts, sealed=[sealed.get(digest) for digest in digests],
    )  # fmt: skip
    if done != len(claims):
        raise db.ClaimLost


def add_events(conn: db.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    db.copy(conn, SQL["add_events"], rows)


def add_reverdicts(conn: db.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    db.copy(conn, SQL["add_reverdicts"], rows)


def add_deeds(conn: db.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    db.copy(conn, SQL["add_deeds"], rows)


def add_transfers(conn: db.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """(posted_at, book, debit, debit_id, credit, credit_id, amount, reason, ref_id, person_id)."""
    db.copy(conn, SQL["add_transfers"], rows)


def as_json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
