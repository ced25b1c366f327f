"""Statements of credit blocks: where every issued gram is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from backend.store import db, statements
from rewards import serials

SQL = statements.of("credits")


@dataclass(frozen=True, slots=True)
class Block:
    """A live block: grams first..last of a batch, all in one place and of one owner."""

    block_id: int
    batch_id: int
    account: str
    owner: str
    span: serials.Span


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block to be written; `parent` is the block it is cut from, None for one just minted."""

    batch_id: int
    span: serials.Span
    account: str
    owner: str = ""
    parent: int | None = None


def lock_batches(conn: db.Connection, batches: Iterable[int]) -> None:
    """Nobody else buys, recalls, covers or releases grams of these batches till commit."""
    conn.execute(SQL["lock_batches"], {"batches": list(batches)})


def lock_owner(conn: db.Connection, client_id: str) -> None:
    """Nobody else touches this company's holdings till commit."""
    conn.execute(SQL["lock_owner"], {"client_id": client_id})


def blocks(
    conn: db.Connection,
    account: str,
    owner: str = "",
    batches: Sequence[int] | None = None,
    demonstration: bool | None = None,
    frozen: bool = True,
) -> list[Block]:
    """The live blocks of an owner in a place, by batch and serial. frozen: those of frozen batches too."""
    found = db.dicts(
        conn, SQL["blocks"], account=account, owner=owner, demonstration=demonstration, frozen=frozen,
        batches=None if batches is None else list(batches),
    )  # fmt: skip
    return [
        Block(b["block_id"], b["batch_id"], b["account"], b["owner"], serials.Span(b["first"], b["last"]))
        for b in found
    ]


def supersede(conn: db.Connection, blocks: Sequence[int], at: datetime) -> None:
    """End these blocks. Raises ClaimLost when somebody else has moved one of them."""
    if db.run(conn, SQL["supersede"], blocks=list(blocks), at=at) != len(blocks):
        raise db.ClaimLost


def add_blocks(conn: db.Connection, new: Sequence[NewBlock], at: datetime) -> None:
    conn.execute(
        SQL["add_blocks"],
        {
            "at": at,
            "batches": [b.batch_id for b in new],
            "firsts": [b.span.first for b in new],
            "lasts": [b.span.last for b in new],
            "accounts": [b.account for b in new],
            "owners": [b.owner for b in new],
            "parents": [b.parent for b in new],
        },
    )


def offers(
    conn: db.Connection,
    *,
    region: str | None = None,
    pack_code: str | None = None,
    vintage_month: date | None = None,
    demonstration: bool | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Batches with grams to sell, by id."""
    return db.dicts(
        conn, SQL["offers"], region=region, pack_code=pack_code, vintage_month=vintage_month,
        demonstration=demonstration, after=after, limit=limit,
    )  # fmt: skip


def holdings(conn: db.Connection, client_id: str) -> list[dict[str, Any]]:
    """What a company holds and has retired, by batch; `held` is a list of [first, last]."""
    return db.dicts(conn, SQL["holdings"], client_id=client_id)
