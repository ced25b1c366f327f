"""Rows of .csv and .csv.gz files as they come, in constant memory; what is no such file is reported and skipped."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from mobile_mock.traffic.trips import InputError, Reading

_REPORT_EVERY_ROWS = 2000
_DAMAGE = (OSError, EOFError, zlib.error, csv.Error)


def rows(
    files: Iterable[Path], columns: Sequence[str], reading: Reading, optional: Sequence[str] = ()
) -> Iterator[list[str]]:
    """The cells of `columns` and then of `optional` ('' where absent) of every row; counts into `reading`.

    Files are told by content, not by name. Skipped: `not_csv_file` (an HTML error page, a binary), `other_columns`
    (a CSV of something else), `file_damaged` (ends in the middle; the rows before that count), `row_too_short`.
    """
    for path in files:
        reading.files += 1
        try:
            with path.open("rb") as raw:
                yield from _rows_of(raw, path, columns, optional, reading)
        except _DAMAGE as error:
            _skip(reading, path, "file_damaged", f"cannot be read to its end: {error}")


def _rows_of(
    raw: IO[bytes], path: Path, columns: Sequence[str], optional: Sequence[str], reading: Reading
) -> Iterator[list[str]]:
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    stream = gzip.GzipFile(fileobj=raw) if packed else raw
    lines = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline=""))
    header = _header(lines, path, columns, reading)
    needed = [header.index(column) for column in columns] if header else []
    places = needed + [header.index(column) if column in header else -1 for column in optional]
    shortest, told = max(places, default=-1), 0
    for row in lines if header else ():
        reading.rows += 1
        if reading.rows % _REPORT_EVERY_ROWS == 0:
            at = raw.tell()
            reading.on_bytes(at - told)
            told = at
        if len(row) <= shortest:
            reading.skipped["row_too_short"] += 1
            continue
        yield [row[place] if place >= 0 else "" for place in places]
    reading.on_bytes(raw.seek(0, io.SEEK_END) - told)


def _header(lines: Iterator[list[str]], path: Path, columns: Sequence[str], reading: Reading) -> list[str]:
    """The first of the first five lines that names all columns; [] when there is none, and the file is skipped."""
    first = ""
    for _ in range(5):
        row = next(lines, [])
        first = first or "".join(row).strip()
        if set(columns) <= set(row):
            return row
    if not first or first.startswith("<") or not first.isprintable() or "\ufffd" in first:
        _skip(reading, path, "not_csv_file", f"is not a CSV file (it begins {first[:40]!r})")
    else:
        _skip(reading, path, "other_columns", f"has not the columns {', '.join(columns)}")
    return []


def _skip(reading: Reading, path: Path, reason: str, text: str) -> None:
    reading.skipped[reason] += 1
    reading.on_problem(f"{path.name}: {text}; skipped")


def table(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """A small reference table, whole. Raises InputError when it cannot be read or lacks a column."""
    problems: list[str] = []
    read = list(rows([path], columns, Reading(on_problem=problems.append)))
    if problems:
        raise InputError(problems[0].removesuffix("; skipped"))
    return read
