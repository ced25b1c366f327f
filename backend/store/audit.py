"""Statements of the audit. It reads one moment of a database, a replica as well, in no hurry, and writes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from backend.store import db, statements

SQL = statements.of("audit")
AT_ONCE = 2000  # rows of a stream that are in memory
_OPTIONS = (
    "-c timezone=UTC -c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c jit=off "
    "-c cursor_tuple_fraction=1"  # all rows of a stream are read
)

_names = itertools.count()


@contextmanager
def snapshot(url: str) -> Iterator[db.Connection]:
    """One read-only transaction in which every statement sees the same moment."""
    with psycopg.connect(url, autocommit=True, options=_OPTIONS) as conn, conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        yield conn


class Unreadable(Exception):
    """A row holds what no statement can read, a text that is no number for one: it was not written by the platform."""


@contextmanager
def trying(conn: db.Connection) -> Iterator[None]:
    """Statements that may meet such a row; the transaction goes on afterwards. Raises Unreadable."""
    try:
        with conn.transaction():
            yield
    except psycopg.DataError as error:
        raise Unreadable(str(error).split("\n")[0]) from None


def stream(conn: db.Connection, sql: LiteralString, **params: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement, however many: some at a time."""
    with conn.cursor(name=f"audit_{next(_names)}") as cursor:
        cursor.itersize = AT_ONCE
        yield from cursor.execute(sql, params)


def stream_dicts(conn: db.Connection, sql: LiteralString, **params: Any) -> Iterator[dict[str, Any]]:
    with conn.cursor(name=f"audit_{next(_names)}", row_factory=dict_row) as cursor:
        cursor.itersize = AT_ONCE
        yield from cursor.execute(sql, params)


# --- the log ---------------------------------------------------------------------------------------------------------


def leaves(conn: db.Connection, first: int, until: int) -> list[tuple[int, str, int, int, bytes]]:
    """(index, kind, ref_id, ref_no, entry) of the leaves from a place to before another."""
    return db.rows(conn, SQL["leaves"], first=first, until=until)


def heads(conn: db.Connection) -> Iterator[dict[str, Any]]:
    """{size, origin, root, note} of every checkpoint, by size."""
    return stream_dicts(conn, SQL["heads"])


def nodes(conn: db.Connection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """(level, place) -> hash."""
    found = db.rows(conn, SQL["nodes"], levels=[level for level, _ in places], places=[at for _, at in places])
    return {(level, at): hash_ for level, at, hash_ in found}


def beyond(conn: db.Connection, size: int) -> list[str]:
    """Rows behind the newest head, `<table> <key>`."""
    return [row for (row,) in db.rows(conn, SQL["beyond"], size=size)]


def cosignatures(conn: db.Connection) -> Iterator[dict[str, Any]]:
    """{size, key, line, note}."""
    return stream_dicts(conn, SQL["cosignatures"])


def keys(conn: db.Connection) -> list[bytes]:
    """The entries that say which keys sign, oldest first."""
    return [entry for (entry,) in db.rows(conn, SQL["keys"])]


def unprotected(conn: db.Connection, size: int) -> int:
    """How many facts have no leaf before a size yet."""
    return int(db.rows(conn, SQL["unprotected"], size=size)[0][0])


def without_leaf(conn: db.Connection) -> Iterator[tuple[str, int, int]]:
    """(kind, ref_id, ref_no) of facts that the log does not know."""
    return ((kind, ref_id, ref_no) for kind, ref_id, ref_no in stream(conn, SQL["without_leaf"]))


def gone(conn: db.Connection) -> Iterator[tuple[str | None, int, int, list[str]]]:
    """(kind, ref_id, ref_no, rows that an erasure would have taken) of leaves without row; kind None: how many."""
    return ((kind, ref_id, ref_no, rows) for kind, ref_id, ref_no, rows in stream(conn, SQL["gone"]))


def erasures(conn: db.Connection) -> Iterator[bytes]:
    """The entries of all erasures, those that wait too."""
    return (entry for (entry,) in stream(conn, SQL["erasures"]))


def corrections(conn: db.Connection, ids: Sequence[int]) -> set[int]:
    """Those of these corrections, by the event they replace, that are there."""
    return {event_id for (event_id,) in db.rows(conn, SQL["corrections"], ids=list(ids))}


def erased(conn: db.Connection, people: Sequence[int]) -> set[int]:
    """Those of these people who were erased."""
    return {person_id for (person_id,) in db.rows(conn, SQL["erased"], people=list(people))}


def recalled_people(conn: db.Connection, recalls: Sequence[int]) -> dict[int, int]:
    """recall -> whose deed it is of."""
    return dict(db.rows(conn, SQL["recalled_people"], recalls=list(recalls)))


# --- deeds -----------------------------------------------------------------------------------------------------------


def head_event(conn: db.Connection, event_id: int) -> dict[str, Any] | None:
    """What a deed takes over from the event that leads it."""
    return db.one(conn, SQL["head_event"], event_id=event_id)


def states(conn: db.Connection, deed_id: int, around: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A person's records of a class around a deed in every state in which they were, by start, record and state.

    As log.deed_records gives them, with reverdict (0: as judged at first), credited (as this deed).
    around: person_id, class, started_at, ended_at.
    """
    named = {name: around[name] for name in ("person_id", "class", "started_at", "ended_at")}
    return db.dicts(conn, SQL["states"], deed_id=deed_id, **named)


def packs(conn: db.Connection) -> Iterator[dict[str, Any]]:
    """{content_sha256, pack_code, pack_version, pack_json}."""
    return stream_dicts(conn, SQL["packs"])


# --- batches and certificates ----------------------------------------------------------------------------------------


def trees(conn: db.Connection) -> list[dict[str, Any]]:
    """{batch_id, size, members_root} of every batch; None where it has no tree."""
    return db.dicts(conn, SQL["trees"])


def members(conn: db.Connection, batch_id: int) -> Iterator[tuple[bytes, int]]:
    """(leaf hash, deed) of a batch's deeds, by hash."""
    return ((leaf, deed_id) for leaf, deed_id in stream(conn, SQL["members"], batch_id=batch_id))


def deeds_of(conn: db.Connection, hashes: Sequence[bytes]) -> list[int]:
    """The deeds that have these hashes in a batch's tree. Reads the whole log."""
    return [deed_id for (deed_id,) in db.rows(conn, SQL["deeds_of"], hashes=list(hashes))]


def tiles(conn: db.Connection, batch_id: int) -> Iterator[tuple[int, int, bytes, bytes]]:
    """(level, tile_index, first hash, hashes), by level and place."""
    found = stream(conn, SQL["tiles"], batch_id=batch_id)
    return ((level, at, first, hashes) for level, at, first, hashes in found)


def certificates(conn: db.Connection) -> Iterator[dict[str, Any]]:
    """{retirement_id, number, canonical, kid, algorithm, signature, spans: [batch, first, last]}."""
    return stream_dicts(conn, SQL["certificates"])


def amendments(conn: db.Connection) -> Iterator[dict[str, Any]]:
    """{amendment_id, canonical, kid, algorithm, signature}."""
    return stream_dicts(conn, SQL["amendments"])


# --- money -----------------------------------------------------------------------------------------------------------


def settlements(conn: db.Connection) -> Iterator[dict[str, Any]]:
    """The rows, by batch and ordinal."""
    return stream_dicts(conn, SQL["settlements"])


def sales(conn: db.Connection, batch_id: int) -> Iterator[dict[str, Any]]:
    """{order_id, final_at, amount_fen, shares_ppm}, by when they became final."""
    return stream_dicts(conn, SQL["sales"], batch_id=batch_id)


def partner_lines(conn: db.Connection, batch_id: int) -> list[dict[str, Any]]:
    """{settlement_id, number, amount, transfer_id} of what partners were paid."""
    return db.dicts(conn, SQL["partner_lines"], batch_id=batch_id)


def shares_of_people(
    conn: db.Connection, batch_id: int, pot_fen: int, *, is_last: bool
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """{who, least, most, paid, mg, whole, grouped, lines: [settlement, transfer, fen]} of those paid another amount."""
    return stream_dicts(conn, SQL["shares_of_people"], batch_id=batch_id, pot=pot_fen, is_last=is_last)
