"""Into which parts the figures of all deeds are divided, so that nothing published rests on few people.

All public tables are sums of whole parts, and of every part it holds that 20 people or more are in it and nobody has
above half of its deeds, of its milligrams as they stand, or of those that were pooled. Whoever adds tables and
subtracts them finds sums and differences of parts, never less than one.

Deeds are divided first by whether they are in a batch (what batches hold is public, so the two must bear being told
apart) and whether they are for demonstration; then year, quarter and month; then, inside of each period, province and
region; then, inside of each of these, category and behaviour. At each step what may not be told beside the others is
left together as one rest (withhold_figures.parts), which goes on to the next dimension as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backend.platform import Platform
from backend.store import db, figures
from backend.store.figures import Place
from backend.usecases import close_pool, withhold_figures
from backend.usecases.withhold_figures import Figure, Figures
from rewards import pooling

Path = tuple[str, ...]  # from the whole down, as far as it may be told: ('2026', '2026-Q2', '2026-06'), or ('2026',)
Cell = tuple[Path, ...]  # a path a dimension

WEIGHED = ("deeds", "measured", "pooled")


@dataclass(frozen=True, slots=True)
class Count:
    """What is in a cell, and what it weighs in the eyes of withhold_figures."""

    people: int
    deeds: int
    measured_mg: int
    weights: Figures


class Part(NamedTuple):
    """A cell. times: behind 'real' or 'demonstration'. A path that ends early: what was left together there."""

    held: Path  # ('open',) or ('pooled',)
    times: Path
    region: Path
    behaviour: Path


def divide_figures(conn: db.Connection, platform: Platform) -> dict[Place, Part]:
    """The part of every place that may be told of at all. Must come first in its transaction."""
    places = figures.gather(conn)
    times, regions, behaviours = _times(platform), _regions(platform), _behaviours(platform)
    cells: dict[Place, Cell] = {place: (("open" if place.held == "open" else "pooled",),) for place in places}
    cells = _finer(conn, cells, times)
    cells = {place: cell for place, cell in cells.items() if cell[-1]}  # neither real nor demonstration: both together
    cells = _finer(conn, cells, regions)
    cells = _finer(conn, cells, behaviours)
    return {place: Part(*cell) for place, cell in cells.items()}


def count(conn: db.Connection, cells_of: Mapping[Place, Sequence[Cell]]) -> dict[Cell, Count]:
    """What is in each cell that is not empty, each place being in several cells."""
    numbers: dict[Cell, int] = {}
    pairs = [
        (place.number, numbers.setdefault(cell, len(numbers))) for place, cells in cells_of.items() for cell in cells
    ]
    names = list(numbers)
    return {
        names[row["cell"]]: Count(row["people"], row["deeds"], row["measured_mg"], {
            "deeds": Figure(row["deeds"], row["people"], row["deeds_of_one"], row["deeds"]),
            **{
                kind: Figure(row[f"{kind}_of_all"], row[f"{kind}_people"], row[f"{kind}_of_one"], row[f"{kind}_of_all"])
                for kind in ("measured", "pooled")
            },
        })
        for row in figures.counted(conn, pairs)
    }  # fmt: skip


def _finer(conn: db.Connection, cells: Mapping[Place, Cell], path: Callable[[Place], Path]) -> dict[Place, Cell]:
    """Each place's cell with the path in one more dimension, as far down as it may be told."""
    chains = {}
    for place, cell in cells.items():
        way = path(place)
        chains[place] = [(*cell, way[:length]) for length in range(1, len(way) + 1)]
    families: defaultdict[Cell, dict[str, Count]] = defaultdict(dict)
    for cell, found in count(conn, chains).items():
        families[*cell[:-1], cell[-1][:-1]][cell[-1][-1]] = found
    told = {(*cell[:-1], (*cell[-1], name)) for cell, children in families.items() for name in _told(children)}
    return {place: _last(chain, told, cells[place]) for place, chain in chains.items()}


def _last(chain: Sequence[Cell], told: set[Cell], whole: Cell) -> Cell:
    found: Cell = (*whole, ())
    for cell in chain:
        if cell not in told:
            break
        found = cell
    return found


def _told(children: Mapping[str, Count]) -> set[str]:
    """Those that may be told beside one another and beside the rest, in every one of their figures.

    What is left together for one figure may be joined by what is left for another: each may be told by itself in all
    figures for which it was not left.
    """
    kept = [withhold_figures.parts({n: c.weights[kind] for n, c in children.items()})[0] for kind in WEIGHED]
    return set.intersection(*map(set, kept))


def period(label: str) -> Path:
    """'2026-06' -> ('2026', '2026-Q2', '2026-06'), and so of a quarter or a year."""
    year, _, rest = label.partition("-")
    if not rest or rest.startswith("Q"):
        return (year, label) if rest else (year,)
    return year, f"{year}-Q{(int(rest) + 2) // 3}", label


def _times(platform: Platform) -> Callable[[Place], Path]:
    """Open deeds are what their batch would be; without any approval, what the platform is for."""

    def path(place: Place) -> Path:
        held = place.held
        if held == "open":
            given, demonstration = close_pool.approval(platform, pooling.PoolKey(*place[1:5]))
            demonstration = demonstration if given else platform.settings.demonstration
            held = "demonstration" if demonstration else "real"
        return held, *period(f"{place.vintage_month:%Y-%m}")

    return path


def _regions(platform: Platform) -> Callable[[Place], Path]:
    return lambda place: region(platform, place.region)


def region(platform: Platform, code: str) -> Path:
    """Its province and itself; a province, and what is directly under it, is in itself."""
    known = platform.standard.region(code)
    return (known.parent if known and known.parent else code), code


def _behaviours(platform: Platform) -> Callable[[Place], Path]:
    known = categories(platform)
    return lambda place: (known.get(place.pack_code, "other"), place.pack_code)


def categories(platform: Platform) -> dict[str, str]:
    """The category of every methodology."""
    return {pack.code: pack.category for pack in platform.standard.methodologies}
