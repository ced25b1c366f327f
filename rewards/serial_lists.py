"""Serial ranges as lists have them, ours and those of three other registries, and which of them name a credit twice.

A shape is read into a `Listed`: two ranges can be compared when shape and space are the same. What that rests on:

- tanpuhui: `rewards.serials`. The batch is the space, grams are the unit. Region, pack and month belong to the batch,
  so the same batch with others is a contradiction, whatever its numbers are.
- verra: `10643-233905433-233912432-VCS-VCU-279-VER-BR-1-896-01012012-30062012-0`, that is batch, first, last, then
  program, unit, verifier, registry, country, project type, project, vintage and label; the project type may be missing
  (help.cloverly.com, "Registry serial number ranges"). Older ones lack the program:
  `8040-449402275-449402275-VCU-042-MER-PE-14-1360-01072013-30062014-1` (stellarcarbon's sc-audit, which reads both).
  Those with `VCS` are one space, those without another: in the 200 rows of carbonplan/offsets-db-data,
  tests/data/verra/transactions, the blocks of 115 batches follow each other without a double number, eight single
  serials of other public code fit into that order, and the two old ones that were found (batches 7144 and 8040) do not.
  That is an inference: no document of Verra's that says so was found.
- car: `CAR-1-US-1335-31-983-KS-2025-9205-1 to 5000` (registry, unit, country, project, type, developer, state, vintage,
  batch): climateactionreserve.org, "Serial Number Guide"; 150 rows in the same repository. Numbers begin anew in a
  batch, so all that stands before the range is the space.
- acr: `ACR-FR-1129-2025-2917-30932 to 35143` (registry, country, project, vintage, batch): 150 rows there; the form
  `ACR-US-192-2010-203-1-5000` only at cloverly. The same space as car's.

In those rows the quantity is last - first + 1 everywhere, in tonnes. No batch there has two descriptions, but that none
may have is said by nobody, so it is asked of ours only. Whether leading zeros mean anything was not found either: they
are read as the number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rewards import serials

SHAPES = ("tanpuhui", "verra", "car", "acr")

_N = r"([0-9]{1,18})"
_VERRA = re.compile(
    rf"([0-9]{{1,9}})-{_N}-{_N}-((VCS-)?VCU-[0-9A-Z]{{1,9}}-[A-Z]{{1,9}}-[A-Z]{{2}}(?:-[0-9]{{1,9}}){{1,2}}"
    r"-[0-9]{8}-[0-9]{8}-[0-9])"
)
_CAR = re.compile(
    r"(CAR-[0-9A-Z]{1,9}-[A-Z]{2}-[0-9]{1,9}-[0-9]{1,9}-[0-9]{1,9}-[0-9A-Z]{0,9}-[0-9]{4}-[0-9]{1,9})"
    rf"-{_N} +to +{_N}"
)
_ACR = re.compile(rf"(ACR-[A-Z]{{2}}-[0-9]{{1,9}}-[0-9]{{4}}-[0-9]{{1,9}})-{_N}(?: +to +|-){_N}")
_MENTION = re.compile(
    r"TPH-[0-9]{6}-|[0-9]-(?:VCS-)?VCU-[0-9]|(?<![A-Z])CAR-[0-9A-Z]+-[A-Z]{2}-[0-9]|ACR-[A-Z]{2}-[0-9]"
)
_GROUPED = re.compile(r"[0-9]{1,3}(?:([,，'’_ \u00a0\u202f])[0-9]{3})(?:\1[0-9]{3})*")
_PLAIN = re.compile(r"[0-9]{1,18}")
_SHOWN = 100  # characters of a text that is no range

# Verra's "Total Vintage Quantity" is of the whole vintage, not of the row, and so is none of these.
SERIAL_COLUMNS = (
    "serial number", "serial numbers", "credit serial numbers", "offset credit serial numbers", "serialnumbers",
    "holdingserialnumber", "serial range", "serials", "serial", "序列号",
)  # fmt: skip
QUANTITY_COLUMNS = (
    "quantity issued", "quantity of credits", "quantity of offset credits", "holdingquantity", "quantity g", "quantity",
    "total offset credits issued", "total credits issued", "数量",
)  # fmt: skip


class Listed(NamedTuple):
    """A range of a list. `rest` is what else its serial says: one batch of ours has one of them."""

    shape: str
    space: str
    first: int
    last: int
    rest: str

    @property
    def quantity(self) -> int:
        return self.last - self.first + 1


def unit(shape: str) -> str:
    return "g" if shape == "tanpuhui" else "t"


def parse(text: str) -> Listed:
    """The range that a text names, of any shape. Raises ValueError when it names none."""
    text = text.strip()
    if text.startswith("TPH-"):
        return _ours(text)
    if match := _VERRA.fullmatch(text):
        batch, first, last, rest, vcs = match.groups()
        found = Listed("verra", "VCS" if vcs else "VCU", int(first), int(last), f"{batch}-{rest}")
    elif match := _CAR.fullmatch(text):
        found = Listed("car", match[1], int(match[2]), int(match[3]), "")
    elif match := _ACR.fullmatch(text):
        found = Listed("acr", match[1], int(match[2]), int(match[3]), "")
    else:
        raise ValueError(f"not a serial range: {text[:_SHOWN]!r}")
    if found.first > found.last:
        raise ValueError(f"the range ends before it begins: {text!r}")
    return found


def _ours(text: str) -> Listed:
    if len(text) > 2 * _SHOWN:
        raise ValueError(f"not a serial range: {text[:_SHOWN]!r}")
    one = serials.parse(text)
    rest = f"{one.region}-{one.pack_code}-{one.vintage_month:%Y%m}"
    return Listed("tanpuhui", str(one.batch_id), one.span.first, one.span.last, rest)


def mentions(text: str) -> bool:
    """Whether a serial of any shape seems to stand somewhere in a text."""
    return _MENTION.search(text) is not None


def quantity(text: str) -> int | None:
    """The whole number of a cell, None for an empty one. Thousands may be set apart; 5000.0 of a table is 5000.

    Raises ValueError for anything else: 1.000 is a thousand to some and one to others.
    """
    text = text.strip()
    if not text:
        return None
    whole, point, zeros = text.partition(".")
    if (not point or zeros in ("0", "00")) and len(whole) <= 2 * 18:
        if _PLAIN.fullmatch(whole):
            return int(whole)
        if _GROUPED.fullmatch(whole):
            return int("".join(character for character in whole if character in "0123456789"))
    raise ValueError(f"not a quantity: {text[:_SHOWN]!r}")


def column(header: Sequence[str], name: str) -> int | None:
    """Where a column stands in a header; letters' case, spaces and underscores do not matter."""
    names = [_plain(cell) for cell in header]
    return names.index(_plain(name)) if _plain(name) in names else None


def serial_columns(header: Sequence[str]) -> list[int]:
    """The columns that may hold the serials: the one whose name is known, or else all whose names say serial.

    A line of one cell that says serial may as well be a title.
    """
    for name in SERIAL_COLUMNS:
        if (found := column(header, name)) is not None:
            return [found]
    if len(header) == 1:
        return []
    return [i for i, cell in enumerate(header) if "serial" in cell.casefold() or "序列号" in cell]


def quantity_column(header: Sequence[str]) -> int | None:
    """The column of the quantities, by the names that are known: a guess would make every row a mistake."""
    return next((found for name in QUANTITY_COLUMNS if (found := column(header, name)) is not None), None)


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


class Entry(NamedTuple):
    """A range and where it is listed: the number of the file, and the line."""

    shape: str
    space: str
    first: int
    last: int
    rest: str
    place: tuple[int, int]


class Double(NamedTuple):
    """Numbers first to last stand at both places. `same` when the two lines say the very same."""

    shape: str
    space: str
    first: int
    last: int
    place: tuple[int, int]
    other: tuple[int, int]
    same: bool


def doubles(entries: Iterable[Entry]) -> Iterator[Double]:
    """What is listed twice, of entries in their order.

    Each range is told once at most: with its equal, or else with the one of those before it that reaches farthest. So
    there are never more findings than lines, and together they name every number that is listed twice, and no other.
    """
    far: Entry | None = None  # reaches farthest in this space
    head: Entry | None = None  # the first of a row of equals
    for entry in entries:
        if far is None or far[:2] != entry[:2]:
            far = head = entry
            continue
        if head is not None and head[:5] == entry[:5]:
            yield _double(head, entry, entry.last, True)
            continue
        head = entry
        if entry.first <= far.last:
            yield _double(far, entry, min(far.last, entry.last), False)
        if entry.last > far.last:
            far = entry


def _double(one: Entry, two: Entry, last: int, same: bool) -> Double:
    """Told at the later of the two lines."""
    other, place = sorted((one.place, two.place))
    return Double(two.shape, two.space, two.first, last, place, other, same)
