"""The public figures: how much was measured, issued, sold and retired, by month, region or behaviour.

Every row is a sum of whole parts (divide_figures), so that rows of all tables together tell of nobody. Demonstration
stands in rows of its own. Grams are of batches, and counted where the deeds are: by the month in which these were done.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from backend.platform import Platform
from backend.store import conservation, db, figures, log
from backend.usecases import divide_figures
from backend.usecases.divide_figures import Cell, Part, Path
from rewards import certificates, ledger

MONTHS, REGIONS, BEHAVIOURS = TABLES = ("months", "regions", "behaviours")
TOTALS = "totals"
NONE, SOME, ALL = "none", "some", "all"
AMOUNTS = ("deeds", "measured_mg", "issued_g", "sold_g", "given_back_g", "retired_g", "transferred_g", "cancelled_g")
SOLD = (ledger.HELD, ledger.RETIRED, ledger.TRANSFERRED)
REFRESH = timedelta(minutes=8)  # from then on whoever asks first makes them anew, and the others get the old ones
MAX_AGE = timedelta(minutes=10)  # from then on all wait
ROUNDED_TO = 10  # counts of people, or those of a whole and of its parts would tell how many few are in several

Amounts = dict[str, int]
Wanted = Mapping[str, str | None]  # by table: '2026-06', '2026-Q2' or '2026'; a region; a methodology or a category


@dataclass(frozen=True)
class Snapshot:
    """told: all cells on the ways to parts. people: of all that is told in a row without a filter."""

    as_of: datetime
    parts: Mapping[Part, Amounts]
    told: Set[Cell]
    people: Mapping[Cell, int]


_latest: WeakKeyDictionary[db.Database, Snapshot] = WeakKeyDictionary()
_making = threading.Lock()


def show_figures(platform: Platform, wanted: Wanted, now: datetime) -> dict[str, Any]:
    """{as_of, complete, totals} and the rows of each table, at most MAX_AGE old.

    A row: {path, standing, people, ...AMOUNTS}; a path that ends early stands for what is left together there. Only
    what is wholly inside of what is wanted counts; `complete` is False if some of it may be elsewhere, too.
    """
    found = _snapshot(platform, now)
    paths = {TABLES.index(name) + 1: _path(platform, name, label) for name, label in wanted.items() if label}
    sums: defaultdict[Cell, Amounts] = defaultdict(lambda: dict.fromkeys(AMOUNTS, 0))
    complete = True
    for part, amounts in found.parts.items():
        held = {_holds(found.told, part, at, path) for at, path in paths.items()}
        if held <= {ALL}:
            for row in _rows(part):
                for name, amount in amounts.items():
                    sums[row][name] += amount
        elif NONE not in held:
            complete = False
    answer: dict[str, Any] = {"as_of": found.as_of, "complete": complete}
    answer |= {table: [] for table in (*TABLES, TOTALS)}
    for row in sorted(sums, key=lambda row: (row[0][1] != "real", row[1])):
        (table, standing), path = row
        people = None if paths else found.people.get(row)
        answer[table].append({"path": path, "standing": standing, "people": people, **sums[row]})
    return answer


def show_head(platform: Platform) -> dict[str, Any] | None:
    """{size, root, made_at, ...} of the log's newest checkpoint; None before any."""
    with platform.db.transaction(snapshot=True) as conn:
        return log.head(conn)


def forget(platform: Platform) -> None:
    """Make the figures anew for whoever asks next."""
    _latest.pop(platform.db, None)


# --- what is wanted, and what parts have of it -----------------------------------------------------------------------


def _rows(part: Part) -> list[Cell]:
    """The rows that a part is in, one of each table."""
    ways = zip((*TABLES, TOTALS), (part.times[1:], part.region, part.behaviour, ()), strict=True)
    return [((table, part.times[0]), path) for table, path in ways]


def _path(platform: Platform, table: str, label: str) -> Path:
    """The way down to a label, which may be that of a period, province or category."""
    if table == MONTHS:
        return divide_figures.period(label)
    if table == REGIONS:
        way = divide_figures.region(platform, label)
        return way[:1] if way[0] == label else way
    categories = divide_figures.categories(platform)
    return (categories[label], label) if label in categories else (label,)


def _holds(told: Set[Cell], part: Part, at: int, path: Path) -> str:
    """How much of a part is in what a path leads to. Some: the part is of a rest, and that is not told beside it."""
    way = part[at][1:] if at == 1 else part[at]
    common = min(len(way), len(path))
    if way[:common] != path[:common]:
        return NONE
    beside = (*part[:at], (*part[at], *path[common : common + 1]))
    return ALL if len(way) >= len(path) else NONE if beside in told else SOME


# --- the snapshot ----------------------------------------------------------------------------------------------------


def _snapshot(platform: Platform, now: datetime) -> Snapshot:
    """One thread makes them anew; the others get what there is as long as it is young enough."""
    found = _latest.get(platform.db)
    age = now - found.as_of if found else MAX_AGE
    if found and timedelta(0) <= age < REFRESH:
        return found
    must_wait = not timedelta(0) <= age < MAX_AGE
    if not _making.acquire(blocking=must_wait) and found:
        return found
    try:
        newest = _latest.get(platform.db)
        if newest is None or newest is found:
            newest = _latest[platform.db] = _made(platform, now)
        return newest
    finally:
        _making.release()


def _made(platform: Platform, now: datetime) -> Snapshot:
    with platform.db.transaction() as conn:
        part_of = divide_figures.divide_figures(conn, platform)
        counts = divide_figures.count(conn, {place: [part, *_rows(part)] for place, part in part_of.items()})
        grams = _grams(conn)
    parts = {
        part: dict.fromkeys(AMOUNTS, 0) | {"deeds": counts[part].deeds, "measured_mg": counts[part].measured_mg}
        for part in part_of.values()
        if part in counts
    }
    for place, part in part_of.items():
        for name, amount in grams.get(place[1:], {}).items():
            parts[part][name] += amount
    people = {row: counts[row].people for part in parts for row in _rows(part)}
    return Snapshot(
        as_of=now,
        parts=parts,
        told={(*part[:at], part[at][:n]) for part in parts for at in (1, 2, 3) for n in range(1, len(part[at]) + 1)},
        people={row: n // ROUNDED_TO * ROUNDED_TO for row, n in people.items() if n >= certificates.PEOPLE_SHOWN_FROM},
    )


def _grams(conn: db.Connection) -> dict[tuple[Any, ...], Amounts]:
    """The grams of all batches by where their deeds are: a Place but for its number."""
    given_back = figures.given_back(conn)
    found: defaultdict[tuple[Any, ...], Amounts] = defaultdict(lambda: defaultdict(int))
    for row in conservation.batches(conn):
        held = "demonstration" if row["demonstration"] else "real"
        place = (row["region"], row["pack_code"], row["pack_version"], row["vintage_month"], held)
        grams = defaultdict(int, row["places"] or {})
        for name, amount in (
            ("issued_g", row["issued_g"] or 0),
            ("sold_g", sum(grams[name] for name in SOLD)),
            ("given_back_g", given_back.get(row["batch_id"], 0)),
            ("retired_g", grams[ledger.RETIRED]),
            ("transferred_g", grams[ledger.TRANSFERRED]),
            ("cancelled_g", grams[ledger.CANCELLED]),
        ):
            found[place][name] += amount
    return found
