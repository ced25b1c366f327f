"""The log as anybody reads it: its head, tiles, entry bundles, proofs, keys; and the witnesses' word on its head."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from backend import auth
from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import db, log
from rewards import merkle, notes
from rules.replay import Refused

NO_LOG = "日志尚无条目，几秒后再试 · the log has no entry yet: try again in seconds"


def show_checkpoint(platform: Platform, size: int | None = None) -> str:
    """The newest signed head, or that of a size, with the witnesses' cosignatures. Raises Problem not_found."""
    with platform.db.transaction(snapshot=True) as conn:
        return note(conn, head(conn, size))


def head(conn: db.Connection, size: int | None = None) -> dict[str, Any]:
    """{size, origin, root, note, made_at} of the newest head, or of one. Raises Problem not_found."""
    found = log.head(conn) if size is None else log.checkpoint(conn, size)
    if found is None:
        raise Problem("not_found", NO_LOG if size is None else "没有这个大小的检查点 · no checkpoint has this size")
    return found


def note(conn: db.Connection, found: dict[str, Any]) -> str:
    return str(found["note"]) + "".join(log.cosignatures(conn, found["size"]))


def show_tile(platform: Platform, path: str) -> bytes:
    """A tile or an entry bundle by its path behind `tile/` (C2SP tlog-tiles). Raises Problem not_found."""
    try:
        level, index, width = merkle.read_tile_path(path)
    except ValueError:
        raise Problem("not_found", "瓦片路径不符合 C2SP tlog-tiles · this is no path of a tile") from None
    first = index * merkle.TILE_WIDTH
    with platform.db.transaction(snapshot=True) as conn:
        size = head(conn)["size"]
        if merkle.tile_width(0 if level == "entries" else int(level), index, size) < width:
            raise Problem("not_found", f"日志大小为 {size} · the log has {size} entries")
        if level == "entries":
            return merkle.bundle(log.entries(conn, first, first + width))
        return b"".join(log.tile(conn, int(level), first, first + width))


def tree(conn: db.Connection, size: int) -> merkle.Tree:
    """The log's tree as it was at a size, read out of the tables."""

    def tiles(level: int, index: int, width: int) -> list[bytes]:
        first = index * merkle.TILE_WIDTH
        return log.tile(conn, level, first, first + width)

    return merkle.Tree(size, tiles)


def prove_inclusion(platform: Platform, index: int, size: int | None) -> dict[str, Any]:
    """{index, size, entry, path, proof} of the entry at a place, in the newest head or the one of a size.

    Raises Problem not_found.
    """
    with platform.db.transaction(snapshot=True) as conn:
        found = head(conn, size)
        if index >= found["size"]:
            raise Problem("not_found", f"该检查点只有 {found['size']} 条 · this head has {found['size']} entries")
        [entry] = log.entries(conn, index, index + 1)
        proof = _proof(conn, index, found)
        return {
            "index": index,
            "size": found["size"],
            "entry": entry.decode(),
            "path": [auth.base64_text(one) for one in proof.path],
            "proof": notes.proof_text(proof),
        }


def _proof(conn: db.Connection, index: int, found: dict[str, Any]) -> notes.Proof:
    return notes.Proof(index, tuple(tree(conn, found["size"]).inclusion(index)), note(conn, found))


def proof_of(conn: db.Connection, kind: str, ref_id: int, ref_no: int = 0) -> dict[str, str] | None:
    """{entry, proof} of a fact in the newest head; None while it waits for its place."""
    leaf = log.leaf(conn, kind, ref_id, ref_no)
    if leaf is None:
        return None
    proof = _proof(conn, leaf["leaf_index"], head(conn))
    return {"entry": leaf["entry"].decode(), "proof": notes.proof_text(proof)}


def is_proof(conn: db.Connection, logged: dict[str, str]) -> bool:
    """Whether {entry, proof} shows the entry in one of our own heads."""
    try:
        proof = notes.read_proof(logged["proof"])
        told = notes.read_checkpoint(proof.checkpoint)
    except Refused:
        return False
    ours = log.checkpoint(conn, told.size)
    if ours is None or notes.read_checkpoint(ours["note"]).text != told.text:
        return False
    leaf = merkle.leaf_hash(logged["entry"].encode("utf-8", "surrogatepass"))
    return merkle.is_included(leaf, proof.index, told.size, proof.path, told.root)


def prove_consistency(platform: Platform, old: int, size: int | None) -> dict[str, Any]:
    """{from, to, path}: that the log of the first `old` entries is the beginning of a later one. Raises Problem."""
    with platform.db.transaction(snapshot=True) as conn:
        new = head(conn, size)["size"]
        if old > new:
            raise field_problem("from", "field_invalid", f"from 大于 {new} · from is larger than {new}")
        return {"from": old, "to": new, "path": [auth.base64_text(one) for one in tree(conn, new).consistency(old)]}


def list_checkpoints(
    platform: Platform, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:  # fmt: skip
    """Up to `limit` {size, made_at} below a size, newest first, and the size to go on below, if any."""
    with platform.db.transaction(snapshot=True) as conn:
        rows = log.checkpoints(conn, before or db.NEWEST, limit + 1)
    return rows[:limit], rows[limit - 1]["size"] if len(rows) > limit else None


def list_keys(platform: Platform) -> dict[str, Any]:
    """{origin, keys: [{key, in_use}], witnesses, changes}: every key that ever signed, the first in use first.

    changes: {index, checkpoint} of each entry that says which keys sign, and the first head that holds it: who trusts
    an old key goes from one to the next.
    """
    with platform.db.transaction(snapshot=True) as conn:
        name = head(conn)["origin"]
        changes = log.key_changes(conn)
    said = [json.loads(entry)["keys"] for _, entry, _ in changes]
    in_use = said[-1] if said else []
    former = list(dict.fromkeys(key for keys in reversed(said) for key in keys if key not in in_use))
    keys = [{"key": key, "in_use": key in in_use} for key in [*in_use, *former]]
    return {
        "origin": name,
        "keys": keys,
        "witnesses": [str(key) for key in platform.settings.log_witnesses],
        "changes": [{"index": index, "checkpoint": note} for index, _, note in changes],
    }


def list_public_keys(platform: Platform) -> list[auth.SigningKey]:
    """Those of tokens, those of proofs, and former ones of proofs as the log names them; each once."""
    with platform.db.transaction(snapshot=True) as conn:
        return public_keys(conn, platform)


def public_keys(conn: db.Connection, platform: Platform) -> list[auth.SigningKey]:
    """The same within a transaction. What a former key signed stays signed."""
    said = [notes.read_key(text) for _, entry, _ in log.key_changes(conn) for text in json.loads(entry)["keys"]]
    found: dict[str, auth.SigningKey] = {}
    for key in (*platform.keys, *platform.proof_keys, *(auth.public_key(one.public) for one in said)):
        found.setdefault(key.kid, key)
    return list(found.values())


def take_cosignatures(platform: Platform, signed: str, now: datetime) -> dict[str, Any]:
    """Keep the cosignatures of known witnesses on one of our heads; {size, accepted: names, known: names}.

    signed: the head as a note with the witness's line. Raises Problem request_invalid, not_found, forbidden when no
    known witness signed it.
    """
    try:
        told = notes.read_checkpoint(signed)
        by = notes.signers(told, tuple(platform.settings.log_witnesses), auth.is_ed25519)
    except Refused as refused:
        raise field_problem("body", "field_invalid", str(refused)) from None
    with platform.db.transaction() as conn:
        if notes.read_checkpoint(head(conn, told.size)["note"]).text != told.text:
            raise field_problem("body", "field_invalid", "与本日志的检查点不同 · this is not what our log's head says")
        if not by:
            raise Problem("forbidden", "没有已知见证者的签名 · no witness that this log knows signed it")
        signatures = {(name, key_id): signature for name, key_id, signature in told.signatures}
        new = [
            key.name for key in by
            if log.add_cosignature(
                conn, told.size, str(key), notes.signature_line(key, signatures[key.name, key.key_id]), now
            )
        ]  # fmt: skip
    return {"size": told.size, "accepted": new, "known": [key.name for key in by if key.name not in new]}
