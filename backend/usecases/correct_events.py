"""A partner replaces or takes back what it said. Nothing is rewritten: a correction is appended.

The old event no longer counts; for a replacement a new event row of the same root does. Settling then says what stands
(a withdrawal may revive a duplicate), and the difference is posted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from backend import auth
from backend.platform import Platform
from backend.store import corrections, db, events
from backend.usecases import change_deeds, find_claims, ingest_events, judge_events, read_corrections
from backend.usecases.judge_events import Judged, Person, Reporter
from backend.usecases.read_corrections import Correction
from backend.usecases.read_events import Malformed, Message
from rules import claims
from rules.model import CODES, MALFORMED

Verdict = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Found:
    """A correction and the event it is about, as it stands now. `now`: None when it was taken back before."""

    correction: Correction
    root_id: int
    seq: int
    now: corrections.Latest | None
    same: bool  # this very correction was made before


def correct_events(
    platform: Platform, client_id: str, body: bytes, now: datetime, event_ref: str | None = None
) -> tuple[list[Verdict], bool]:
    """Judge a body of corrections; one verdict each, in order: what holds of the event now.

    event_ref: the event of a single correction, from its address. Raises Problem json_invalid, batch_empty,
    batch_too_large.
    """
    limit, names = platform.settings.batch_max, platform.standard.fact_names
    items, single = read_corrections.read_corrections(body, limit, names, event_ref)
    verdicts: list[Verdict] = [{}] * len(items)
    for part in _parts(items):
        work = partial(_correct, platform=platform, client_id=client_id, part=part, now=now)
        told = platform.db.retrying(work)
        for place, verdict in told.items():
            verdicts[place] = verdict
    return verdicts, single


def _parts(items: Sequence[Correction | Malformed]) -> Iterator[dict[int, Correction | Malformed]]:
    """Parts in which no event is named twice: the second correction of an event meets the first one's result."""
    waiting = dict(enumerate(items))
    while waiting:
        seen: set[str | None] = set()
        part = {}
        for place, item in waiting.items():
            if item.ref is None or item.ref not in seen:
                part[place] = item
                seen.add(item.ref)
        yield part
        waiting = {place: item for place, item in waiting.items() if place not in part}


def _correct(
    conn: db.Connection, platform: Platform, client_id: str, part: Mapping[int, Correction | Malformed], now: datetime
) -> dict[int, Verdict]:
    wishes = {place: item for place, item in part.items() if isinstance(item, Correction)}
    found = _find(conn, platform, client_id, wishes)
    fresh = {p: f for p, f in found.items() if f.now is not None and not f.same}
    people = change_deeds.lock(conn, [f.now.person_id for f in fresh.values() if f.now])
    reporter = Reporter(*events.find_reporter(conn, client_id))
    ids = dict(zip(fresh, events.take_ids(conn, len(fresh)), strict=True))
    claimed = _claimed(conn, platform, client_id, fresh.values(), people)
    steps = [_step(platform, reporter, f, people, ids[place], claimed) for place, f in fresh.items()]
    change_deeds.change_deeds(conn, platform, steps, client_id, now)
    return _answers(conn, platform, client_id, part, found)


def _find(
    conn: db.Connection, platform: Platform, client_id: str, wishes: Mapping[int, Correction]
) -> dict[int, _Found]:
    digests = {p: auth.digest(platform.settings.secret, "event", client_id, w.ref) for p, w in wishes.items()}
    claims = events.find_claims(conn, client_id, list(digests.values()))
    latest = corrections.find_latest(conn, [c.event_id for c in claims.values()])
    found = {}
    for place, wish in wishes.items():
        if (claim := claims.get(digests[place])) is not None and claim.event_id in latest:  # not erased since
            root = latest[claim.event_id]
            same = root.content_digest == wish.content_digest
            found[place] = _Found(wish, claim.event_id, root.seq + 1, None if root.withdrawn else root, same)
    return found


def _step(
    platform: Platform, reporter: Reporter, found: _Found, people: Mapping[int, Person], event_id: int,
    claimed: claims.Book,
) -> change_deeds.Step:  # fmt: skip
    """What one correction does. An act may be corrected long after: its lateness was decided when it was first sent."""
    assert found.now is not None
    wish = found.correction
    judged: Judged | None = None
    if wish.content is not None:
        message = _message(wish.content, found.now)
        person = people.get(found.now.person_id) if found.now.person_id is not None else None
        judged = judge_events.judge_event(
            platform.standard, platform.settings.secret, reporter, person, message, event_id, found.now.received_at,
            claimed,
        )  # fmt: skip
        record = replace(judged.record, root_id=found.root_id) if judged.record else None
        judged = replace(judged, root_id=found.root_id, record=record)
    return change_deeds.Step(
        old=found.now, root_id=found.root_id, seq=found.seq, kind=wish.kind, code=_code(wish.kind), new=judged,
        by_client=reporter.client_id, reason=wish.reason, charged_to="partner", content_digest=wish.content_digest,
    )  # fmt: skip


def _message(content: Message, latest: corrections.Latest) -> Message:
    return replace(content, event_type=latest.event_type)


def _claimed(
    conn: db.Connection, platform: Platform, client_id: str, found: Iterable[_Found], people: Mapping[int, Person]
) -> claims.Book:
    """Other mechanisms' claims that may meet the new contents."""
    messages = [_message(f.correction.content, f.now) for f in found if f.now and f.correction.content]
    return find_claims.find_claims(conn, platform, client_id, messages, {p.person_id for p in people.values()})


def _code(kind: str) -> str:
    return "corrected" if kind == "replace" else "withdrawn"


def _answers(
    conn: db.Connection, platform: Platform, client_id: str, part: Mapping[int, Correction | Malformed],
    found: Mapping[int, _Found],
) -> dict[int, Verdict]:  # fmt: skip
    """What holds of each event now, read back from the books."""
    roots = {f.root_id for f in found.values()}
    standing = corrections.find_standing(conn, roots)
    answers = {}
    for place, item in part.items():
        if isinstance(item, Malformed):
            row = ingest_events.row(MALFORMED, item.code, field=item.field)
            answers[place] = ingest_events.verdict_of(platform, client_id, item.ref, row) | {"detail": item.detail}
        elif place not in found:
            row = ingest_events.row(CODES["event_unknown"], "event_unknown", field="id")
            answers[place] = ingest_events.verdict_of(platform, client_id, item.ref, row)
        else:
            answers[place] = ingest_events.verdict_of(platform, client_id, item.ref, standing[found[place].root_id])
    return answers
