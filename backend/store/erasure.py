"""Erasing an account, and what is asked of erased ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend.store import db, statements

SQL = statements.of("erasure")
NOBODY = 0  # whose number an erased one is in `act_claim`


@dataclass(frozen=True, slots=True)
class Erased:
    """What erasures say of a batch: ids used up, persons who are gone, and since when reopened ones are here."""

    ids: set[bytes] = field(default_factory=set)
    people: set[int] = field(default_factory=set)
    opened: dict[int, datetime] = field(default_factory=dict)


def find_erased(
    conn: db.Connection, people: Iterable[int], client_id: str = "", digests: Sequence[bytes] = ()
) -> Erased:  # fmt: skip
    """Of these persons, and of these message ids of a partner."""
    rows = db.rows(
        conn, SQL["find_erased"], people=list(people), client_id=client_id, digests=list(digests)
    )  # fmt: skip
    found = Erased()
    for id_digest, person_id, opened_at in rows:
        if id_digest is not None:
            found.ids.add(id_digest)
        elif opened_at is None:
            found.people.add(person_id)
        else:
            found.opened[person_id] = max(opened_at, found.opened.get(person_id, opened_at))
    return found


def hold_person(conn: db.Connection, person_id: int) -> bool:
    """Nobody erases the person till commit; False when somebody has."""
    return db.one(conn, SQL["hold_person"], person_id=person_id) is not None


def hold_accounts(conn: db.Connection, person_id: int) -> list[int]:
    """Let go of what is append-only, and keep out what would leave rows behind; the accounts that are this person's."""
    for name in ("allow", "hold_imports_out", "hold_scans_out"):
        conn.execute(SQL[name])
    return [account for (account,) in db.rows(conn, SQL["lock_accounts"], person_id=person_id)]


def lock_payouts(conn: db.Connection, people: Sequence[int]) -> list[dict[str, Any]]:
    """{amount_fen, state} of the withdrawals that are not done."""
    return db.dicts(conn, SQL["lock_payouts"], people=people)


def members(conn: db.Connection, people: Sequence[int]) -> dict[int, int]:
    """batch -> how many deeds of these people it holds."""
    return dict(db.rows(conn, SQL["members"], people=people))


def open_deeds(conn: db.Connection, people: Sequence[int]) -> list[tuple[int, int, int]]:
    """(deed, account, milligrams) of deeds that stand and are in no batch."""
    return [(deed_id, account, mg) for deed_id, account, mg in db.rows(conn, SQL["open_deeds"], people=people)]


def balances(conn: db.Connection, people: Sequence[int]) -> list[tuple[str, int, int]]:
    """(book, account, amount) of points and money."""
    return [(book, account, amount) for book, account, amount in db.rows(conn, SQL["balances"], people=people)]


def count_leaves(conn: db.Connection, people: Sequence[int]) -> int:
    return int(db.rows(conn, SQL["count_leaves"], people=people)[0][0])


def find_refs(conn: db.Connection, people: Sequence[int]) -> list[tuple[str, str, bool]]:
    """(partner, its message id, whether it was told of a change) of all events."""
    return [(client_id, ref, told) for client_id, ref, told in db.rows(conn, SQL["find_refs"], people=people)]


def keep_ids(conn: db.Connection, claims: Sequence[tuple[str, bytes]]) -> None:
    """(partner, digest of a message id): used up for ever, by no event any more."""
    values = {"clients": [client_id for client_id, _ in claims], "digests": [digest for _, digest in claims]}
    conn.execute(SQL["keep_ids"], values)


def redact(conn: db.Connection, client_id: str, refs: Sequence[str]) -> None:
    """What a partner was told of these messages of its own is told no more."""
    for name in ("redact_notices", "redact_messages"):
        conn.execute(SQL[name], {"client_id": client_id, "refs": list(refs)})


def remove(conn: db.Connection, people: Sequence[int]) -> None:
    """Everything that is of these accounts and may go. What is in batches keeps its number and its month."""
    for name in ("keep_numbers", "free_numbers", "coarsen_members", "remove_records", "remove_accounts"):
        conn.execute(SQL[name], {"people": people})
