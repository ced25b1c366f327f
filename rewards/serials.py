"""Serial numbers: every issued gram has one, and people read and write ranges of them.

In code a range is a `Span` (first, last), both inclusive. Its text names where the grams come from:
    TPH-<region>-<pack>-<yyyymm>-<batch>-<first>-<last>
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

_NUMBER = r"([1-9][0-9]{0,17})"
_TEXT = re.compile(rf"TPH-([0-9]{{6}})-([a-z][a-z0-9_]*)-([0-9]{{4}})([0-9]{{2}})-{_NUMBER}-{_NUMBER}-{_NUMBER}")


class Span(NamedTuple):
    """Grams number `first` to `last` of a batch, both included."""

    first: int
    last: int

    @property
    def quantity_g(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class SerialRange:
    """A span together with the batch that it belongs to."""

    region: str
    pack_code: str
    vintage_month: date
    batch_id: int
    span: Span

    def __str__(self) -> str:
        month = f"{self.vintage_month:%Y%m}"
        return f"TPH-{self.region}-{self.pack_code}-{month}-{self.batch_id}-{self.span.first}-{self.span.last}"


def parse(text: str) -> SerialRange:
    """The range that a text names. Raises ValueError when it is not one."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"not a serial range: {text!r}")
    region, pack, year, month, batch, first, last = match.groups()
    if int(first) > int(last):
        raise ValueError(f"the range ends before it begins: {text!r}")
    return SerialRange(region, pack, date(int(year), int(month), 1), int(batch), Span(int(first), int(last)))


def take(spans: Sequence[Span], quantity_g: int) -> tuple[list[Span], list[Span]]:
    """Cut the first `quantity_g` grams off spans in their order: (taken, left). Raises ValueError for too few."""
    taken: list[Span] = []
    left: list[Span] = []
    wanted_g = quantity_g
    for span in spans:
        here_g = min(wanted_g, span.quantity_g)
        wanted_g -= here_g
        if here_g:
            taken.append(Span(span.first, span.first + here_g - 1))
        if here_g < span.quantity_g:
            left.append(Span(span.first + here_g, span.last))
    if wanted_g:
        raise ValueError(f"{wanted_g} g too few")
    return taken, left


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same grams in the fewest spans, sorted."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and out[-1].last + 1 == span.first:
            out[-1] = Span(out[-1].first, span.last)
        else:
            out.append(span)
    return out
