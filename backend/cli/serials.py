"""`tanpuhui serials`: what lists of serial ranges get wrong. Works offline, on lists of any size.

Nothing grows with the list but temporary files, about a hundred bytes a line (TMPDIR says where): ranges are written
there as text whose order is theirs, sorted in runs, and merged.
"""

from __future__ import annotations

import csv
import gzip
import heapq
import io
import json
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import click
from rich import progress
from rich.console import Console

from backend.cli.terminal import say
from rewards import serial_lists
from rewards.serial_lists import Double, Entry, Listed

RUN = 200_000  # records sorted at once
FAN = 64  # runs merged at once
HEAD = 20  # lines among which a header is looked for: some exports have a title above it
LINE = 1 << 20  # characters of a line that are read; what is longer is no list
STEP = 20_000  # rows between two steps of the progress bar
SHOWN = 1000  # unreadable lines that are told one by one
KNOWN_BATCHES = 100_000  # descriptions of batches that are remembered before they are forgotten
DELIMITERS = ",\t;|"
FILES = click.Path(exists=True, dir_okay=False, allow_dash=True)


class Unusable(click.ClickException):
    """A file that is no list: told like a wrong option, for exit code 1 says that something was found."""

    exit_code = 2


class Row(NamedTuple):
    """A line of a list: its number, the cells of serial and quantity, or else why it is none."""

    line: int
    serial: str
    quantity: str
    fault: str


class Columns(NamedTuple):
    """Where the header stands in the lines read so far, its delimiter and its columns."""

    skipped: int
    delimiter: str
    serial: int
    quantity: int | None


class Wanted(NamedTuple):
    """What the options say of every file."""

    encoding: str
    serial: str | None
    quantity: str | None


class Sorter:
    """Lines of ASCII, any number of them, sorted."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        self._lines: list[str] = []
        self._runs: list[list[Path]] = []  # by level: a run of the next one is FAN of this merged
        self._made = 0
        self.count = 0

    def add(self, line: str) -> None:
        self._lines.append(line)
        self.count += 1
        if len(self._lines) >= RUN:
            self._spill()

    def _spill(self) -> None:
        self._lines.sort()
        lines, self._lines = self._lines, []
        self._keep(0, self._write(iter(lines)))

    def _keep(self, level: int, run: Path) -> None:
        if level == len(self._runs):
            self._runs.append([])
        self._runs[level].append(run)
        if len(self._runs[level]) == FAN:
            merged, self._runs[level] = self._runs[level], []
            with ExitStack() as stack:
                written = self._write(heapq.merge(*(stack.enter_context(_ascii(path)) for path in merged)))
            for path in merged:
                path.unlink()
            self._keep(level + 1, written)

    def _write(self, lines: Iterator[str]) -> Path:
        self._made += 1
        path = self._folder / str(self._made)
        with _ascii(path, "x") as file:
            file.writelines(lines)
        return path

    def __iter__(self) -> Iterator[str]:
        self._lines.sort()
        with ExitStack() as stack:
            runs = [stack.enter_context(_ascii(path)) for level in self._runs for path in level]
            yield from heapq.merge(*runs, self._lines)


def _ascii(path: Path, mode: str = "r") -> IO[str]:
    return path.open(mode, encoding="ascii", newline="\n")


class Check:
    """What was read and found. Findings are kept as text as well: there may be one for every line."""

    def __init__(self, folder: Path) -> None:
        self.ranges, self.batches, self.findings = Sorter(folder), Sorter(folder), Sorter(folder)
        self.lines = 0
        self.shapes: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self._known: set[tuple[str, str]] = set()

    def row(self, file: int, row: Row) -> None:
        self.lines += 1
        place = (file, row.line)
        if row.fault:
            self._unreadable(place, row.fault)
            return
        try:
            listed = serial_lists.parse(row.serial)
        except ValueError as error:
            self._unreadable(place, str(error))
            return
        self._range(place, listed)
        try:
            stated = serial_lists.quantity(row.quantity)
        except ValueError as error:
            self._unreadable(place, str(error))
            return
        if stated is not None and stated != listed.quantity:
            self._tell("mismatch", place, shape=listed.shape, first=listed.first, last=listed.last,
                       quantity=listed.quantity, stated=stated)  # fmt: skip

    def _range(self, place: tuple[int, int], one: Listed) -> None:
        self.shapes[one.shape] += 1
        where = f"{place[0]:06d}\t{place[1]:012d}\n"
        self.ranges.add(f"{one.shape}\t{one.space}\t{one.first:018d}\t{one.last:018d}\t{one.rest}\t{where}")
        if one.shape == "tanpuhui" and (one.space, one.rest) not in self._known:
            if len(self._known) >= KNOWN_BATCHES:
                self._known.clear()
            self._known.add((one.space, one.rest))
            self.batches.add(f"{one.space}\t{one.rest}\t{where}")

    def _unreadable(self, place: tuple[int, int], reason: str) -> None:
        """All are counted; the first ones are told."""
        if self.found["unreadable"] < SHOWN:
            self._tell("unreadable", place, reason=reason)
        else:
            self.found["unreadable"] += 1

    def _tell(self, kind: str, place: tuple[int, int], **what: Any) -> None:
        self.found[kind] += 1
        finding = json.dumps({"kind": kind, **what})
        self.findings.add(f"{place[0]:06d}\t{place[1]:012d}\t{finding}\n")

    def compare(self, advance: Callable[[int], None]) -> None:
        """Every range with those of its space, every batch of ours with itself."""
        for double in serial_lists.doubles(_counted(map(_entry, self.ranges), advance)):
            self._double(double)
        batch, said, there = "", "", (0, 0)
        for line in self.batches:
            space, rest, place = _batch(line)
            if space != batch:
                batch, said, there = space, rest, place
            elif rest != said:
                (other, other_says), (here, says) = sorted([(there, said), (place, rest)])
                self._tell("contradiction", here, batch=batch, says=says, other=other, other_says=other_says)

    def _double(self, double: Double) -> None:
        kind = "duplicate" if double.same else "overlap"
        self._tell(kind, double.place, other=double.other, shape=double.shape, space=double.space,
                   first=double.first, last=double.last, quantity=double.last - double.first + 1)  # fmt: skip


def _counted(entries: Iterator[Entry], advance: Callable[[int], None]) -> Iterator[Entry]:
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % STEP == 0:
            advance(STEP)


def _entry(line: str) -> Entry:
    shape, space, first, last, rest, file, number = line.split("\t")
    return Entry(shape, space, int(first), int(last), rest, (int(file), int(number)))


def _batch(line: str) -> tuple[str, str, tuple[int, int]]:
    space, rest, file, number = line.split("\t")
    return space, rest, (int(file), int(number))


@click.group("serials")
def group() -> None:
    """Lists of serial numbers."""


@group.command("check")
@click.argument("files", nargs=-1, required=True, type=FILES)
@click.option("--serial-column", metavar="NAME", help="The column of the serials.  [default: by its name]")
@click.option("--quantity-column", metavar="NAME", help="The column of the quantities.  [default: by its name]")
@click.option("--encoding", default="utf-8-sig", metavar="NAME", help="How the files are written.  [default: UTF-8]")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: one a finding, the last one the summary.")
def check(
    files: tuple[str, ...], serial_column: str | None, quantity_column: str | None, encoding: str, as_json: bool
) -> None:
    """Find overlaps, wrong quantities and unreadable lines in lists of serial ranges 核对序列号清单.

    FILES have one range a line, or are CSV or TSV with a header; gzip too, and - is standard input. Read are our own
    serials and those of Verra, CAR and ACR; all files are compared with each other. A range that overlaps several is
    told once, with the one of them that reaches farthest.

    Exit code 0: nothing was found; 1: there are findings; 2: a file or an option cannot be used.
    """
    if files.count("-") > 1:
        raise click.UsageError("- can be read only once")
    names = [click.format_filename(file) for file in files]
    with tempfile.TemporaryDirectory(prefix="tanpuhui-serials-") as folder:
        done = Check(Path(folder))
        try:
            _read(done, files, Wanted(encoding, serial_column, quantity_column))
        except OSError as error:
            raise Unusable(f"cannot go on / 无法继续: {error}") from None
        _print(done, names, as_json)
    sys.exit(1 if done.found.total() else 0)


def _read(done: Check, files: Sequence[str], wanted: Wanted) -> None:
    sizes = [Path(file).stat().st_size if file != "-" else 0 for file in files]
    columns = (*progress.Progress.get_default_columns(), progress.TextColumn("{task.fields[rows]} lines"))
    stderr = Console(stderr=True)
    with progress.Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task("reading 读取", total=sum(sizes) or None, rows=0)
        for number, file in enumerate(files):
            with _opened(file, wanted.encoding) as (text, position):
                for row in _rows(click.format_filename(file), text, wanted):
                    done.row(number, row)
                    if done.lines % STEP == 0:
                        bar.update(task, completed=sum(sizes[:number]) + position(), rows=done.lines)
        total = done.ranges.count
        bar.update(task, completed=sum(sizes), rows=done.lines)
        task = bar.add_task("comparing 比对", total=total, rows=total)
        done.compare(lambda count: bar.advance(task, count))


@contextmanager
def _opened(file: str, encoding: str) -> Iterator[tuple[io.TextIOWrapper, Callable[[], int]]]:
    """The text of a file, unpacked if it is packed, and how many of its bytes were read."""
    with ExitStack() as stack:
        raw: io.BufferedReader[Any]
        if file == "-":
            raw = io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer))
        else:
            raw = stack.enter_context(Path(file).open("rb"))
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        data = cast(IO[bytes], stack.enter_context(gzip.open(raw)) if packed else raw)
        try:
            text = io.TextIOWrapper(data, encoding=encoding, newline="")
        except LookupError:
            raise click.BadParameter(f"no encoding {encoding!r}", param_hint="--encoding") from None
        try:
            yield text, (lambda: 0) if file == "-" else raw.tell
        except UnicodeError:
            raise Unusable(
                f"{click.format_filename(file)}: not {'UTF-8' if encoding == 'utf-8-sig' else encoding} / 编码不符; say"
                " what it is by --encoding: gb18030, utf-16, cp1252 (as CAR's exports are), ..."
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Unusable(f"{click.format_filename(file)}: damaged gzip / 压缩文件损坏: {error}") from None
        text.detach()  # standard input stays open


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text, and of one without end its beginning."""
    while line := text.readline(LINE):
        yield line
        while len(line) == LINE and line[-1] not in "\r\n":
            line = text.readline(LINE)


def _rows(name: str, text: io.TextIOWrapper, wanted: Wanted) -> Iterator[Row]:
    lines = _lines(text)
    head = list(islice(lines, HEAD))
    columns = _columns(name, head, wanted)
    everything = chain(head, lines)
    if columns is None:
        for number, line in enumerate(everything, 1):
            if not line.isspace():
                yield Row(number, line, "", "")
        return
    for _ in range(columns.skipped):
        next(everything)
    yield from _table(csv.reader(everything, delimiter=columns.delimiter), columns)


def _table(reader: Any, columns: Columns) -> Iterator[Row]:
    """The rows below a header. A row of several lines is at its first one."""
    next(reader)
    while True:
        above = columns.skipped + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lost = columns.skipped + reader.line_num - above
            yield Row(above + 1, "", "", f"not a row of a table ({error}): {lost} lines are lost")
            continue
        if not any(cells):
            continue
        several = columns.skipped + reader.line_num - above
        serial = cells[columns.serial] if columns.serial < len(cells) else ""
        quantity = cells[columns.quantity] if columns.quantity is not None and columns.quantity < len(cells) else ""
        fault = "" if serial.strip() else "no serial in this row"
        if several > 1 and any("\n" in cell and serial_lists.mentions(cell) for cell in cells):
            fault = f"a quotation mark that is not closed swallows serials: {several} lines are one row"
        yield Row(above + 1, serial, quantity, fault)


def _columns(name: str, head: Sequence[str], wanted: Wanted) -> Columns | None:
    """The columns of a table, None for a plain list; says on standard error which were taken."""
    for number, line in enumerate(head):
        if wanted.serial is None and _is_range(line):
            break
        for cells, delimiter in sorted(((_split(line, d), d) for d in DELIMITERS), key=lambda one: -len(one[0])):
            found = _serial_column(name, cells, wanted.serial)
            if found is not None:
                return _taken(name, Columns(number, delimiter, found, None), cells, wanted)
    if wanted.serial is not None and head:
        raise Unusable(f"{name}: no column {wanted.serial!r} / 没有这一列; its first line: {head[0].strip()[:200]!r}")
    if wanted.quantity is not None and head:
        raise Unusable(f"{name}: no header, so no column {wanted.quantity!r} / 没有表头")
    if head and not any(map(_is_range, head)) and any(len(_split(head[0], d)) > 1 for d in DELIMITERS):
        raise Unusable(
            f"{name}: no column of serials / 找不到序列号列: {head[0].strip()[:200]!r}; a table needs a header, and"
            " --serial-column names a column that is called otherwise"
        )
    return None


def _is_range(line: str) -> bool:
    try:
        serial_lists.parse(line)
    except ValueError:
        return False
    return True


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _serial_column(name: str, cells: Sequence[str], wanted: str | None) -> int | None:
    if wanted is not None:
        return serial_lists.column(cells, wanted)
    if any(map(_is_range, cells)):
        return None  # a row, not a header
    found = serial_lists.serial_columns(cells)
    if len(found) > 1:
        those = ", ".join(repr(cells[i]) for i in found)
        raise Unusable(f"{name}: which column is it, {those}? Say so by --serial-column / 请用 --serial-column 指明")
    return found[0] if found else None


def _taken(name: str, columns: Columns, cells: Sequence[str], wanted: Wanted) -> Columns:
    if wanted.quantity is None:
        quantity = serial_lists.quantity_column(cells)
    elif (quantity := serial_lists.column(cells, wanted.quantity)) is None:
        raise Unusable(
            f"{name}: no column {wanted.quantity!r} / 没有这一列; it has {', '.join(map(repr, cells))[:300]}"
        )
    amounts = "none / 无" if quantity is None else repr(cells[quantity])
    say(f"{name}: serials / 序列号列 {cells[columns.serial]!r}, quantities / 数量列 {amounts}")
    return columns._replace(quantity=quantity)


def _print(done: Check, names: Sequence[str], as_json: bool) -> None:
    for line in done.findings:
        file, number, text = line.split("\t", 2)
        finding: dict[str, Any] = json.loads(text)
        finding = {"kind": finding.pop("kind"), "file": names[int(file)], "line": int(number), **finding}
        if "other" in finding:
            other, other_line = finding.pop("other")
            finding |= {"other_file": names[other], "other_line": other_line}
        click.echo(json.dumps(finding, ensure_ascii=False) if as_json else _told(finding))
    kinds = ("overlap", "duplicate", "contradiction", "mismatch", "unreadable")
    if as_json:
        summary = {"kind": "summary", "lines": done.lines, "ranges": {s: done.shapes[s] for s in serial_lists.SHAPES}}
        click.echo(json.dumps(summary | {"findings": {kind: done.found[kind] for kind in kinds}}))
        return
    if (more := done.found["unreadable"] - SHOWN) > 0:
        click.echo(f"... and {more} unreadable lines more / 另有 {more} 行无法识别")
    ranges = ", ".join(f"{shape} {done.shapes[shape]}" for shape in serial_lists.SHAPES if done.shapes[shape])
    found = ", ".join(f"{WORDS[kind]} {done.found[kind]}" for kind in kinds)
    click.echo(f"lines / 行数 {done.lines}; ranges / 号段 {ranges or 0}; {found}")


WORDS = {
    "overlap": "overlap / 重叠",
    "duplicate": "listed twice / 重复",
    "contradiction": "contradiction / 批次矛盾",
    "mismatch": "wrong quantity / 数量不符",
    "unreadable": "unreadable / 无法识别",
}


def _told(finding: dict[str, Any]) -> str:
    """A finding as people read it."""
    said = f"{finding['file']}:{finding['line']}: {WORDS[finding['kind']]}: "
    if finding["kind"] == "unreadable":
        return said + str(finding["reason"])
    if finding["kind"] == "contradiction":
        there = f"{finding['other_file']}:{finding['other_line']}"
        return f"{said}batch {finding['batch']} is {finding['says']} here, {finding['other_says']} at {there}"
    unit = serial_lists.unit(finding["shape"])
    if finding["kind"] == "mismatch":
        return f"{said}{finding['stated']} {unit} stated, {finding['quantity']} {unit} from first to last"
    space = f"batch {finding['space']}" if finding["shape"] == "tanpuhui" else finding["space"]
    numbers = f"{space} {finding['first']} to {finding['last']}, {finding['quantity']} {unit}"
    return f"{said}{numbers}, also at {finding['other_file']}:{finding['other_line']}"
