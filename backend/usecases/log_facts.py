"""Tell the log of facts, in the transaction that writes them: what everybody may read, and a commitment to the rest.

The entry is made out of what stands in the tables, by the statements with which an audit makes it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from backend.store import db, facts, log
from rewards import leaves


def log_facts(conn: db.Connection, kind: str, ids: Sequence[int]) -> None:
    """Log facts of a kind (a name in store/sql/facts.sql), just written. Raises ValueError when one is not there."""
    rows = {row["ref_id"]: row for row in facts.facts(conn, kind, ids)} if ids else {}
    if rows.keys() != set(ids):
        raise ValueError(f"a {kind} to be logged is not there")
    log.add_pending(conn, [(kind, i, rows[i]["ref_no"], entry_of(kind, rows[i])) for i in ids])


def log_erasure(conn: db.Connection, lost: int, now: datetime) -> None:
    """Log that an account was erased, and how many leaves lost their row and salt by it."""
    log_facts(conn, "erasure", [log.add_erasure(conn, lost, now)])


def entry_of(kind: str, fact: dict[str, Any]) -> bytes:
    """The entry of a fact as the statements of its kind tell it."""
    if not fact["row"]:
        return leaves.entry(kind, fact["public"])
    salt = leaves.leaf_salt(fact["salt"], kind, fact["ref_id"], fact["ref_no"])
    return leaves.entry(kind, fact["public"], leaves.row_commitment(salt, fact["row"]))
