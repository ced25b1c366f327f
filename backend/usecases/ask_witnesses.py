"""Ask witnesses to cosign the newest head of the log (C2SP tlog-witness). Nothing waits for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from backend import auth, witnesses
from backend.platform import Platform
from backend.store import db, log
from backend.usecases import show_log
from rewards import notes
from rules.replay import Refused

TRIES = 3
ANSWER_S = 10.0
AHEAD_S = 600  # that a witness's clock may be

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a witness said: the size it has cosigned, or why it did not."""

    witness: str
    size: int | None
    error: str = ""


def ask_witnesses(platform: Platform, now: datetime) -> list[Asked]:
    """Ask every witness that has an address and has not cosigned the newest head, all at once; what each said."""
    due = _due(platform)
    if not due:
        return []
    with ThreadPoolExecutor(len(due)) as threads:
        asked = list(threads.map(lambda key: _ask(platform, key, now), due))
    for one in asked:
        if one.error:
            _log.warning("witness_refused", witness=one.witness, error=one.error)
    return asked


def is_due(platform: Platform) -> bool:
    return bool(_due(platform))


def _due(platform: Platform) -> list[notes.NoteKey]:
    asked = [key for key, url in platform.settings.log_witnesses.items() if url]
    if not asked:
        return []
    with platform.db.transaction(snapshot=True) as conn:
        head = log.head(conn)
        return [key for key in asked if head and log.cosigned(conn, str(key)) < head["size"]]


def _ask(platform: Platform, key: notes.NoteKey, now: datetime) -> Asked:
    server = witnesses.Server(platform.settings.log_witnesses[key], deadline_s=ANSWER_S)
    with platform.db.transaction(snapshot=True) as conn:
        old = log.cosigned(conn, str(key))
    try:
        for _ in range(TRIES):
            with platform.db.transaction(snapshot=True) as conn:
                head = show_log.head(conn)
                old = min(old, head["size"])
                path = show_log.tree(conn, head["size"]).consistency(old)
            try:
                lines = witnesses.add_checkpoint(server, old, path, head["note"])
            except witnesses.KnowsOther as other:  # also when a newer head than this one was sent meanwhile
                if other.size == old:
                    return Asked(key.name, None, witnesses.OTHER_ROOT)
                old, error = other.size, str(other)
                continue
            with platform.db.transaction() as conn:
                _keep(conn, key, head, lines, now)
            return Asked(key.name, head["size"])
        return Asked(key.name, None, error)
    except (witnesses.Unanswered, Refused) as refused:
        return Asked(key.name, None, str(refused))
    finally:
        server.close()


def _keep(conn: db.Connection, key: notes.NoteKey, head: dict[str, Any], lines: str, now: datetime) -> None:
    """Keep the witness's cosignature. Raises Refused when there is no valid one of this key among the lines."""
    text = notes.read_checkpoint(head["note"]).text
    for name, key_id, signature in notes.read_cosignatures(lines):
        if (name, key_id) != (key.name, key.key_id) or not notes.is_signature(text, key, signature, auth.is_ed25519):
            continue
        if int.from_bytes(signature[:8], "big") > now.timestamp() + AHEAD_S:
            continue
        line = notes.signature_line(key, signature)
        log.add_cosignature(conn, head["size"], str(key), line, now)
        return
    raise Refused("its answer has no valid cosignature of its key", "应答中没有该见证者有效的见证签名")
