"""What may be told of figures that rest on people: none on fewer than 20, none that is mostly one person's.

Cells merge upwards (month, quarter, all of the year) until they may be shown, and parts of a total that may not be
shown are told as one rest, made large enough that nobody subtracts their way to one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from rewards import certificates

Figures = Mapping[str, "Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """Events, the people they are of, the most that one of them has, and how many are anybody's we know."""

    events: int = 0
    people: int = 0
    of_one: int = 0
    of_anybody: int = 0


NONE = Figure()


def may_be_shown(figure: Figure) -> bool:
    """Nothing rests on nobody; else 20 people at least, and nobody above half."""
    if not figure.events:
        return True
    return figure.people >= certificates.PEOPLE_SHOWN_FROM and 2 * figure.of_one <= figure.of_anybody


def parts(figures: Figures) -> tuple[dict[str, int], int]:
    """The parts of a total that may be shown beside it, and what all others come to together."""
    hidden = [name for name, figure in figures.items() if not may_be_shown(figure)]
    more = sorted((f.events, name) for name, f in figures.items() if f.events and name not in hidden)
    while hidden and more and not may_be_shown(_together(figures[name] for name in hidden)):
        hidden.append(more.pop(0)[1])
    return {n: f.events for n, f in figures.items() if n not in hidden}, sum(figures[name].events for name in hidden)


def _together(figures: Iterable[Figure]) -> Figure:
    """Of at least so many people, and at most so much of one: who is in two of them is not known."""
    found = list(figures)
    return Figure(
        sum(f.events for f in found), max(f.people for f in found),
        sum(f.of_one for f in found), sum(f.of_anybody for f in found),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """Figures of a span: '2026-05', '2026-Q2' or '2026'. merged: it stands for smaller ones that may not be shown."""

    period: str
    figures: Figures
    merged: bool = False
    suppressed: bool = False


def cells(
    months: Mapping[date, Figures], quarters: Mapping[date, Figures], year: int, whole: Figures, everything: bool
) -> list[Cell]:
    """The cells of a year. Years are apart from one another, so that no two answers differ by a month.

    everything: for those who may see it all. A quarter is told by months only if all of them may be; a year by
    quarters and months only if all quarters may be.
    """
    by_month = {on: Cell(f"{on:%Y-%m}", figures) for on, figures in sorted(months.items())}
    if everything:
        return list(by_month.values())
    if not all(map(_told, quarters.values())):
        return [Cell(str(year), whole, merged=True, suppressed=not _told(whole))]
    found: list[Cell] = []
    for first, figures in sorted(quarters.items()):
        inside = [cell for on, cell in by_month.items() if (on.month - 1) // 3 == (first.month - 1) // 3]
        if all(_told(cell.figures) for cell in inside):
            found += inside
        else:
            found.append(Cell(f"{first:%Y}-Q{(first.month + 2) // 3}", figures, merged=True))
    return found


def _told(figures: Figures) -> bool:
    return may_be_shown(figures.get("received", NONE))
