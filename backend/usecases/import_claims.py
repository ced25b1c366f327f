"""A list of another mechanism's claims comes in: it blocks from now on, and what is credited already is reported.

Two transactions. The first holds ingest out for the moment of writing, so that every deed is either credited before the
list (and found by the second) or judged after it. The second looks for those deeds and may take its time; should it not
finish, the next import does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend import auth
from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import cases, claims, db
from backend.usecases import find_claims, list_claims, read_claims
from backend.usecases.read_claims import Raw, RowError
from rules.claims import CONFLICTS, Book


@dataclass(frozen=True, slots=True)
class Imported:
    """list_id is None when no row was new. conflicts: deeds credited before, as `list_claims.list_conflicts`."""

    list_id: int | None
    new: int
    known: int
    errors: list[RowError] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)


def import_claims(
    platform: Platform, mechanism: str, raws: Sequence[Raw], source: str, imported_by: str, now: datetime
) -> Imported:
    """Store the good rows of a list that are not in force yet. Raises Problem batch_empty, request_invalid."""
    check_mechanism(mechanism)
    if not raws:
        raise Problem("batch_empty", "the list has no claims")
    with platform.db.transaction() as conn:
        operators = claims.find_operators(conn)
    read = list(read_claims.read_claims(platform, mechanism, raws, operators))
    good = {r.row_digest: r for r in reversed(read) if not isinstance(r, RowError)}
    errors = [r for r in read if isinstance(r, RowError)]

    def write(conn: db.Connection) -> tuple[int | None, int]:
        claims.hold_ingest_out(conn)
        known = claims.find_rows(conn, good)
        fresh = sorted((r for d, r in good.items() if d not in known), key=lambda r: r.line)
        return (claims.add_list(conn, mechanism, source, fresh, imported_by, now) if fresh else None), len(fresh)

    list_id, new = platform.db.retrying(write)
    platform.db.retrying(lambda conn: _scan(conn, platform, now))
    conflicts = list_claims.all_conflicts(platform, imported_by, list_id) if list_id else []
    return Imported(list_id, new, len(read) - len(errors) - new, errors, conflicts)


def check_mechanism(name: str) -> None:
    if not read_claims.MECHANISM.fullmatch(name):
        raise field_problem("mechanism", "field_invalid", "a name of up to 40 of a-z, 0-9, '.', '_', '-' is wanted")


def _scan(conn: db.Connection, platform: Platform, now: datetime) -> None:
    """Find the deeds that were credited before the lists that nobody has looked at yet; a case for each."""
    unscanned = claims.find_unscanned(conn)
    named = _named_by_exchange(conn, platform, unscanned)
    for list_id, mechanism, _ in unscanned:
        met = claims.find_events_by_number(conn, [*claims.find_by_number(conn, list_id), *named[list_id]])
        new = claims.add_conflicts(conn, [*met, *_met_by_span(conn, list_id)], now)
        kinds = claims.find_kinds(conn, {claim_id for claim_id, _ in new})
        for kind, conflict in CONFLICTS.items():
            roots = sorted({root_id for claim_id, root_id in new if kinds[claim_id] == kind})
            cases.open_cases(conn, roots, "claimed", "platform", f"claimed by {mechanism}: {conflict}", now)
        claims.add_scan(conn, list_id, now)


def _met_by_span(conn: db.Connection, list_id: int) -> list[claims.Met]:
    """What was credited in the spans of a list: by the same rule as at reception."""
    rows = claims.find_spans(conn, list_id)
    if not rows:
        return []
    book = Book(by_asset=find_claims.spans(rows))
    found = claims.stream_events(
        conn, min(r["from_on"] for r in rows), max(r["to_on"] for r in rows),
        *(_all(rows, name) for name in ("client_id", "event_type", "asset_digest")),
    )  # fmt: skip
    return [
        (claim.claim_id, event_id, at)
        for event_id, at, client_id, event_type, region, day, asset in found
        for claim in book.over(client_id, event_type, region, day, asset)
    ]


def _all(rows: Sequence[dict[str, Any]], name: str) -> list[Any] | None:
    """The values of a column, None when a row leaves it open."""
    values = {row[name] for row in rows}
    return None if None in values else list(values)


def _named_by_exchange(
    conn: db.Connection, platform: Platform, unscanned: Sequence[tuple[int, str, bool]]
) -> dict[int, list[tuple[int, str, bytes]]]:
    """list -> (claim, issuer, digest) of our numbers that its exchange digests name: all numbers are gone through."""
    secret = platform.settings.secret
    wanted = [
        (list_id, find_claims.key_of(secret, mechanism, claims.find_key(conn, mechanism)),
         claims.find_by_exchange(conn, list_id))
        for list_id, mechanism, by_exchange in unscanned if by_exchange
    ]  # fmt: skip
    found: dict[int, list[tuple[int, str, bytes]]] = defaultdict(list)
    for issuer, digest, sealed in claims.stream_sealed(conn) if wanted else ():
        name = auth.unseal(secret, sealed)
        for list_id, key, by_digest in wanted:
            if (claim_id := by_digest.get(auth.exchange_digest(key, name))) is not None:
                found[list_id].append((claim_id, issuer, digest))
    return found
