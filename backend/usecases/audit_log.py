"""The auditor's day: what stands in the tables is what the log has, and everything else follows from that.

All is recomputed out of one moment of the database, read-only, a page at a time: the tree and its heads from the
entries, every entry from the rows of its fact, and the books, serials and shares from the facts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backend import auth
from backend.errors import field_problem
from backend.store import audit, db, log
from backend.usecases import audit_books, audit_credits, audit_facts, walk_log
from backend.usecases.collect_findings import Check, Tell
from rewards import notes
from rewards.offline import PlatformKey
from rules.replay import Refused


@dataclass(frozen=True, slots=True)
class Asked:
    """Which leaves: from `first` on, to before `until`; None: to the newest head. `first` may be 0.

    kept: heads that the auditor kept, by what they are called. keys: those that are trusted; none: the log's own.
    """

    first: int = 0
    until: int | None = None
    kept: Mapping[str, notes.Checkpoint] = field(default_factory=dict)
    keys: Sequence[PlatformKey] = ()


def audit_log(conn: db.Connection, asked: Asked, tell: Tell) -> Iterator[Check]:
    """Every check, one after the other. conn: a transaction in which every statement sees the same moment.

    Raises Problem request_invalid for a size of which there is no checkpoint.
    """
    head = log.head(conn)
    size, origin = (head["size"], head["origin"]) if head else (0, "")
    until = size if asked.until is None else min(asked.until, size)
    for name, one in (("from", asked.first), ("to", asked.until)):
        named = [kept.size for kept in asked.kept.values()]
        if one and one not in named and log.checkpoint(conn, one) is None:
            raise field_problem(name, "field_invalid", f"没有大小为 {one} 的检查点 · no checkpoint has the size {one}")
    walk = walk_log.walk_log(conn, origin, until, asked.kept, asked.keys, tell)
    for row in audit.beyond(conn, size):
        walk.find([row, "log_checkpoint *"], "it is behind the newest checkpoint", "位于最新检查点之后")
    walk.counts["not protected yet"] = audit.unprotected(conn, until)
    yield walk
    yield _cosignatures(conn)
    yield from audit_facts.check_facts(conn, asked.first, until, tell)
    yield from audit_credits.check_credits(conn, _certificate_keys(conn, asked.keys), tell)
    yield from audit_books.check_books(conn, tell)


def _cosignatures(conn: db.Connection) -> Check:
    """What witnesses are said to have signed."""
    check = Check("witnesses", "见证者签名", "cosignatures of witnesses")
    for row in audit.cosignatures(conn):
        check.counts["cosignatures"] += 1
        try:
            key = notes.read_key(row["key"])
            text = notes.read_checkpoint(row["note"]).text
            if not notes.signers(notes.read_checkpoint(f"{text}\n{row['line']}"), [key], auth.is_ed25519):
                raise Refused("the line is not of this key", "该行不属于此公钥")
        except Refused as refused:
            check.find([f"log_cosignature {row['size']}/{row['key']}"], *walk_log.split(str(refused)))
    return check


def _certificate_keys(conn: db.Connection, given: Sequence[PlatformKey]) -> list[auth.SigningKey]:
    """Those that may have signed a certificate: those of the auditor, and all that the log ever named."""
    public = [key.public for key in given]
    for entry in audit.keys(conn):
        try:
            public += [notes.read_key(text).public for text in json.loads(entry)["keys"]]
        except (Refused, ValueError, KeyError, TypeError):  # told by the walk
            continue
    return [auth.public_key(raw) for raw in dict.fromkeys(public)]
