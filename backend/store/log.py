"""Statements of the log: what waits, leaves, tiles, heads, cosignatures; what opens deeds; the trees of batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("log")

Pending = tuple[str, int, int, bytes]  # kind, ref_id, ref_no, entry


def add_pending(conn: db.Connection, leaves: Sequence[Pending]) -> None:
    """Leaves that wait for their place, in this order."""
    db.copy(conn, SQL["add_pending"], leaves)


def add_erasure(conn: db.Connection, leaves: int, at: datetime) -> int:
    return int(db.rows(conn, SQL["add_erasure"], leaves=leaves, at=at)[0][0])


def salts(conn: db.Connection, people: Iterable[int]) -> dict[int, bytes]:
    return dict(db.rows(conn, SQL["salts"], people=list(people)))


# --- the sequencer -------------------------------------------------------------------------------------------------


def try_to_sequence(conn: db.Connection) -> bool:
    """False when another one is at it."""
    return bool(db.rows(conn, SQL["try_to_sequence"])[0][0])


def sequence(conn: db.Connection, size: int, limit: int) -> list[bytes]:
    """Put what waits behind the first `size` leaves; the hashes of the new ones, in order."""
    return [leaf for _, leaf in sorted(db.rows(conn, SQL["sequence"], size=size, limit=limit))]


def add_leaf(conn: db.Connection, leaf_index: int, kind: str, ref_id: int, entry: bytes) -> None:
    values = {"leaf_index": leaf_index, "kind": kind, "ref_id": ref_id, "entry": entry}
    conn.execute(SQL["add_leaf"], values)


def add_nodes(conn: db.Connection, nodes: Sequence[tuple[int, int, bytes]]) -> None:
    """(level, node_index, hash)."""
    db.copy(conn, SQL["add_nodes"], nodes)


def add_checkpoint(
    conn: db.Connection, size: int, origin: str, root: bytes, note: str, at: datetime
) -> None:  # fmt: skip
    values = {"size": size, "origin": origin, "root": root, "note": note, "at": at}
    conn.execute(SQL["add_checkpoint"], values)


def last_keys(conn: db.Connection) -> bytes | None:
    """The newest entry that says which keys sign."""
    found = db.rows(conn, SQL["last_keys"])
    return found[0][0] if found else None


def key_changes(conn: db.Connection) -> list[tuple[int, bytes, str]]:
    """(leaf_index, entry, the first head that holds it) of each entry that says which keys sign, oldest first."""
    return [(index, entry, note) for index, entry, note in db.rows(conn, SQL["key_changes"])]


def waiting(conn: db.Connection, limit: int) -> int:
    """How many leaves wait; no more than `limit` are counted."""
    return int(db.rows(conn, SQL["waiting"], limit=limit)[0][0])


# --- reading it ----------------------------------------------------------------------------------------------------


def head(conn: db.Connection) -> dict[str, Any] | None:
    """{size, origin, root, note, made_at} of the newest checkpoint; None before any."""
    return db.one(conn, SQL["head"])


def checkpoint(conn: db.Connection, size: int) -> dict[str, Any] | None:
    return db.one(conn, SQL["checkpoint"], size=size)


def checkpoints(conn: db.Connection, before: int, limit: int) -> list[dict[str, Any]]:
    """{size, made_at}, newest first."""
    return db.dicts(conn, SQL["checkpoints"], before=before, limit=limit)


def tile(conn: db.Connection, level: int, first: int, until: int) -> list[bytes]:
    """The hashes of a level from a place to before another: of leaves at level 0, of full tiles above."""
    if level == 0:
        return [leaf for (leaf,) in db.rows(conn, SQL["leaf_hashes"], first=first, until=until)]
    return [node for (node,) in db.rows(conn, SQL["nodes"], level=level, first=first, until=until)]


def entries(conn: db.Connection, first: int, until: int) -> list[bytes]:
    return [entry for (entry,) in db.rows(conn, SQL["entries"], first=first, until=until)]


def leaf(conn: db.Connection, kind: str, ref_id: int, ref_no: int = 0) -> dict[str, Any] | None:
    """{leaf_index, entry} of a fact; None while it waits."""
    return db.one(conn, SQL["leaf"], kind=kind, ref_id=ref_id, ref_no=ref_no)


def cosignatures(conn: db.Connection, size: int) -> list[str]:
    return [line for (line,) in db.rows(conn, SQL["cosignatures"], size=size)]


def cosigned(conn: db.Connection, key: str) -> int:
    """The size of the largest head that a witness has signed; 0: none."""
    return int(db.rows(conn, SQL["cosigned"], key=key)[0][0])


def add_cosignature(conn: db.Connection, size: int, key: str, line: str, at: datetime) -> bool:
    """False when there is one."""
    return db.run(conn, SQL["add_cosignature"], size=size, key=key, line=line, at=at) == 1


# --- deeds and batches ---------------------------------------------------------------------------------------------


def deed_versions(conn: db.Connection, deeds: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """The rows of (deed, version), each with its person's salt: None once erased."""
    return db.dicts(conn, SQL["deed_versions"], deeds=[d for d, _ in deeds], versions=[v for _, v in deeds])


def deed_records(conn: db.Connection, deeds: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """The records credited as these (deed, version) when they were made, by deed, version and start."""
    return db.dicts(conn, SQL["deed_records"], deeds=[d for d, _ in deeds], versions=[v for _, v in deeds])


def unlogged_deeds(conn: db.Connection, after: tuple[int, int], limit: int) -> list[tuple[int, int]]:
    """(deed, version) without a leaf, behind a place."""
    return [(d, v) for d, v in db.rows(conn, SQL["unlogged_deeds"], deed_id=after[0], version=after[1], limit=limit)]


def batches_without_tree(conn: db.Connection) -> list[int]:
    """Those closed before there was a log."""
    return [batch_id for (batch_id,) in db.rows(conn, SQL["batches_without_tree"])]


def logged(conn: db.Connection, kind: str) -> set[int]:
    """The facts of a kind that have a leaf, or wait for their place."""
    return {ref_id for (ref_id,) in db.rows(conn, SQL["logged"], kind=kind)}


def member_hashes(conn: db.Connection, batch_id: int) -> list[bytes]:
    """The leaf hashes of a batch's deeds, ascending."""
    return [one for (one,) in db.rows(conn, SQL["member_hashes"], batch_id=batch_id)]


def add_batch_tree(conn: db.Connection, batch_id: int, size: int, root: bytes) -> None:
    conn.execute(SQL["add_batch_tree"], {"batch_id": batch_id, "size": size, "root": root})


def add_batch_tiles(conn: db.Connection, tiles: Sequence[tuple[int, int, int, bytes, bytes]]) -> None:
    """(batch_id, level, tile_index, first hash, hashes)."""
    db.copy(conn, SQL["add_batch_tiles"], tiles)


def batch_tree(conn: db.Connection, batch_id: int) -> dict[str, Any] | None:
    """{size, members_root}; None for a batch closed before there was a log."""
    return db.one(conn, SQL["batch_tree"], batch_id=batch_id)


def batch_tile(conn: db.Connection, batch_id: int, level: int, tile_index: int) -> bytes:
    return bytes(db.rows(conn, SQL["batch_tile"], batch_id=batch_id, level=level, tile_index=tile_index)[0][0])


def batch_tile_of(conn: db.Connection, batch_id: int, leaf_hash: bytes) -> tuple[int, bytes] | None:
    """(tile_index, hashes) of the tile in which a leaf hash must be, if it is in the batch."""
    found = db.rows(conn, SQL["batch_tile_of"], batch_id=batch_id, hash=leaf_hash)
    return (found[0][0], bytes(found[0][1])) if found else None
