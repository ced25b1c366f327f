"""Give what waits its place in the log, and sign the new head. One transaction a step: a step is done wholly or not at
all, so no leaf is lost and none is there twice, wherever it is killed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from backend import auth
from backend.platform import Platform
from backend.store import db, log
from rewards import leaves, merkle, notes

Shown = dict[str, Any]

STEP = 65_536  # leaves in one transaction, under one head
KEYS = "keys"


def sequence_log(platform: Platform, now: datetime) -> int:
    """Sequence all that waits; how many leaves. Nothing while another sequencer is at it."""
    done = 0
    while new := platform.db.retrying(lambda conn: _step(conn, platform, now)):
        done += new
        if new < STEP:
            break
    return done


def in_log(platform: Platform, now: datetime, show: Callable[[db.Connection], Shown]) -> Shown:
    """What `show` reads. Where that waits for its place in the log (`log` is null) it is given one first: whoever asks
    for a proof need not wait for the clock. Where another sequencer is at it, it is shown as it is.
    """
    with platform.db.transaction(snapshot=True) as conn:
        shown = show(conn)
    if shown["log"] is None and sequence_log(platform, now):
        with platform.db.transaction(snapshot=True) as conn:
            return show(conn)
    return shown


def is_due(platform: Platform) -> bool:
    """Whether leaves wait, or the keys were changed."""
    with platform.db.transaction(snapshot=True) as conn:
        head = log.head(conn)
        keys = _keys_entry(platform, head["origin"] if head else origin(platform))
        return bool(log.waiting(conn, 1)) or log.last_keys(conn) != keys


def origin(platform: Platform) -> str:
    """What a new log is called. One that has a head keeps its name, whatever address it is served at later."""
    return platform.settings.public_url.partition("://")[2] + "/v1/log"


def note_keys(platform: Platform, name: str) -> list[tuple[notes.NoteKey, auth.SigningKey]]:
    """The keys in use, as keys of a log: each signs every head."""
    return [(notes.NoteKey(name, notes.ED25519, auth.raw_public(key)), key) for key in platform.proof_keys]


def _step(conn: db.Connection, platform: Platform, now: datetime) -> int:
    if not log.try_to_sequence(conn):
        return 0
    head = log.head(conn)
    size, name = (head["size"], head["origin"]) if head else (0, origin(platform))
    edge = [_edge(conn, level, size) for level in range(merkle.LEVELS)]
    added = []
    keys = _keys_entry(platform, name)
    if log.last_keys(conn) != keys:
        log.add_leaf(conn, size, KEYS, size, keys)
        added.append(merkle.leaf_hash(keys))
    added += log.sequence(conn, size + len(added), STEP - len(added))
    if not added:
        return 0
    log.add_nodes(conn, merkle.grow(edge, size, added))
    root = merkle.edge_root(edge)
    size += len(added)
    log.add_checkpoint(conn, size, name, root, _signed(platform, name, size, root), now)
    return len(added)


def _keys_entry(platform: Platform, name: str) -> bytes:
    return leaves.entry(KEYS, {"keys": [str(key) for key, _ in note_keys(platform, name)]})


def _edge(conn: db.Connection, level: int, size: int) -> list[bytes]:
    """The hashes of the tile of a level that is not full yet."""
    count = size >> (level * merkle.TILE_HEIGHT)
    part = count % merkle.TILE_WIDTH
    return log.tile(conn, level, count - part, count) if part else []


def _signed(platform: Platform, name: str, size: int, root: bytes) -> str:
    text = notes.head_text(name, size, root)
    lines = [
        notes.signature_line(key, auth.raw_signature(signer, text.encode()))
        for key, signer in note_keys(platform, name)
    ]
    return f"{text}\n{''.join(lines)}"
