"""Whoever holds a list of serials learns what is wrong with it, whatever its size and its registry."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import cli
from backend.cli import serials

OURS = "TPH-310000-cycling-202606-7"
VERRA = "19310-{}-{}-VCS-VCU-1491-VER-RW-3-4150-01012025-30092025-1"


def run(*words: str | Path, given: bytes | None = None) -> Result:
    return CliRunner().invoke(cli.main, ["serials", "check", *map(str, words)], input=given)


def findings(result: Result) -> list[dict[str, Any]]:
    assert not result.exception or isinstance(result.exception, SystemExit), result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return tmp_path / "list.txt"


def test_a_list_without_a_mistake_is_left_alone(listed: Path) -> None:
    listed.write_bytes(b"\xef\xbb\xbf" + f"{OURS}-1-10\r\n\r\n{OURS}-11-20\r\n{VERRA.format(1, 10)}".encode())
    told = run(listed)
    assert told.exit_code == 0, told.output
    assert "lines / 行数 3; ranges / 号段 tanpuhui 2, verra 1; overlap / 重叠 0" in told.stdout


def test_findings_are_told_by_file_and_line_in_their_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.csv"
    one.write_text(f"{OURS}-1-10\nnonsense\n")
    rows = [f"{OURS}-11-20,10", f"{OURS}-20-29,9", f'{OURS}-1-10,"1,000"', "TPH-310000-walking-202606-7-90-99,10"]
    two.write_text("\n".join(["Serial,Quantity", *rows]))
    told = run(one, two)
    assert told.exit_code == 1
    assert told.stdout.splitlines() == [
        f"{one}:2: unreadable / 无法识别: not a serial range: 'nonsense'",
        f"{two}:3: wrong quantity / 数量不符: 9 g stated, 10 g from first to last",
        f"{two}:3: overlap / 重叠: batch 7 20 to 20, 1 g, also at {two}:2",
        f"{two}:4: listed twice / 重复: batch 7 1 to 10, 10 g, also at {one}:1",
        f"{two}:4: wrong quantity / 数量不符: 1000 g stated, 10 g from first to last",
        f"{two}:5: contradiction / 批次矛盾: batch 7 is 310000-walking-202606 here, 310000-cycling-202606 at {one}:1",
        "lines / 行数 6; ranges / 号段 tanpuhui 5; overlap / 重叠 1, listed twice / 重复 1, "
        "contradiction / 批次矛盾 1, wrong quantity / 数量不符 2, unreadable / 无法识别 1",
    ]
    assert "serials / 序列号列 'Serial', quantities / 数量列 'Quantity'" in told.stderr


def test_a_program_gets_a_json_line_a_finding_and_the_summary_last(listed: Path) -> None:
    listed.write_text(f"{VERRA.format(5, 9)}\n{VERRA.format(1, 5)}\n某\n")
    told = run("--json", listed)
    assert told.exit_code == 1
    assert findings(told) == [
        {"kind": "overlap", "file": str(listed), "line": 2, "shape": "verra", "space": "VCS", "first": 5, "last": 5,
         "quantity": 1, "other_file": str(listed), "other_line": 1},
        {"kind": "unreadable", "file": str(listed), "line": 3, "reason": "not a serial range: '某'"},
        {"kind": "summary", "lines": 3, "ranges": {"tanpuhui": 0, "verra": 2, "car": 0, "acr": 0},
         "findings": {"overlap": 1, "duplicate": 0, "contradiction": 0, "mismatch": 0, "unreadable": 1}},
    ]  # fmt: skip


def test_the_exports_of_the_registries_are_read_as_they_come(tmp_path: Path) -> None:
    verra, car, acr = tmp_path / "verra.csv", tmp_path / "car.csv", tmp_path / "acr.tsv.gz"
    serial = VERRA.format(936487628, 936491271)
    verra.write_text(
        'Total Vintage Quantity,Quantity Issued,Serial Number,Retirement Details\n"388,254","3,644",'
        + serial + ',"two\nlines"\n"388,254","3,645",' + serial.replace("936491271", "936491272") + ",\n"
    )  # fmt: skip
    car.write_bytes(
        "Vintage,Offset Credit Serial Numbers,Quantity of Offset Credits,State,\n"
        "2025,CAR-1-MX-1568-42-1130-QR-2025-9676-3792 to 23791,20000,YUCATÁN,\n"
        '2025,CAR-1-MX-1568-42-1130-QR-2025-9680-1 to 15803,15803,""a" and, more",x\n'.encode("cp1252")
    )
    acr.write_bytes(
        gzip.compress(
            b"Retired in June\nCredit Serial Numbers\tQuantity of Credits\nACR-US-934-2024-2891-58384 to 58673\t290.0"
        )
    )
    told = run("--json", verra, acr)
    assert [(f["kind"], f.get("line"), f.get("other_line")) for f in findings(told)] == [
        ("overlap", 4, 2), ("summary", None, None),
    ]  # fmt: skip
    unreadable = run(car)
    assert unreadable.exit_code == 2
    assert "car.csv: not UTF-8 / 编码不符" in unreadable.stderr
    assert run("--encoding", "cp1252", car).exit_code == 0


def test_a_quotation_mark_that_swallows_rows_is_no_silent_loss(listed: Path) -> None:
    listed.write_text(f'serial,note\n{OURS}-1-10,"open\n{OURS}-5-9,x\n{OURS}-11-20,"y"\n{OURS}-21-30\n\n,only a note\n')
    told = findings(run("--json", listed))
    assert [(f["line"], f["reason"].split(":")[0]) for f in told[:-1]] == [
        (2, "a quotation mark that is not closed swallows serials"), (7, "no serial in this row"),
    ]  # fmt: skip


def test_a_row_without_end_is_told_with_what_it_takes_along(listed: Path) -> None:
    listed.write_text(f'serial,note\n{OURS}-1-10,"open\n' + "x\n" * 100_000)
    told = findings(run("--json", listed))
    assert told[0]["line"] == 2
    assert re.search(r"not a row of a table .*: \d{5} lines are lost", told[0]["reason"])


def test_the_columns_can_be_named(listed: Path) -> None:
    listed.write_text(f"serial old;serial new;grams;amount\nx;{OURS}-1-10;10;9\n")
    ambiguous = run(listed)
    assert ambiguous.exit_code == 2
    assert "which column is it, 'serial old', 'serial new'?" in ambiguous.stderr
    assert run("--serial-column", "Serial NEW", listed).exit_code == 0
    assert run("--serial-column", "Serial NEW", "--quantity-column", "grams", listed).exit_code == 0
    assert run("--serial-column", "Serial NEW", "--quantity-column", "amount", listed).exit_code == 1
    for words in (("--serial-column", "no"), ("--serial-column", "serial new", "--quantity-column", "no")):
        refused = run(*words, listed)
        assert refused.exit_code == 2
        assert "no column 'no'" in refused.stderr


def test_a_range_of_another_batch_or_registry_is_no_overlap(listed: Path) -> None:
    listed.write_text(
        "CAR-1-US-1335-31-983-KS-2025-9205-1 to 10\nCAR-1-US-1335-31-983-KS-2025-9206-1 to 10\n"
        "ACR-US-934-2024-2891-1 to 10\nTPH-310000-cycling-202606-7-1-10\nTPH-310000-cycling-202606-8-1-10\n"
        "7144-1-10-VCU-007-MER-UY-14-959-01012012-31122012-0\n" + VERRA.format(1, 10)
    )
    assert run(listed).exit_code == 0


def test_standard_input_is_read_packed_or_not() -> None:
    text = f"{OURS}-1-10\n{OURS}-10-12\n".encode()
    for given_bytes in (text, gzip.compress(text)):
        told = run("-", given=given_bytes)
        assert told.exit_code == 1
        assert "-:2: overlap / 重叠: batch 7 10 to 10, 1 g, also at -:1" in told.stdout
    assert run("-", "-", given=text).exit_code == 2
    assert run("-", given=b"").exit_code == 0


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        ((), b"a,b\n1,2\n", "no column of serials"),
        ((), f"{OURS}-1-10,10\n".encode(), "a table needs a header"),
        ((), f"{OURS}-1-10\n".encode("utf-16"), "not UTF-8"),
        (("--encoding", "utf-16"), b"abc", "not utf-16"),
        (("--encoding", "klingon"), b"abc", "no encoding 'klingon'"),
        (("--encoding", "hex"), b"abc", "no encoding 'hex'"),
        (("--quantity-column", "q"), f"{OURS}-1-10\n".encode(), "no header, so no column 'q'"),
        ((), gzip.compress(b"x" * 1000)[:20], "damaged gzip"),
        ((), b"\x1f\x8bnonsense and nothing else", "damaged gzip"),
    ],
)
def test_what_is_no_list_is_refused_in_a_sentence(
    listed: Path, words: tuple[str, ...], content: bytes, said: str
) -> None:
    listed.write_bytes(content)
    told = run(*words, listed)
    assert told.exit_code == 2, told.output
    assert said in told.stderr
    assert isinstance(told.exception, SystemExit)


def test_all_unreadable_lines_are_counted_and_the_first_thousand_told(listed: Path) -> None:
    listed.write_text("?\n" * 1500 + "y" * (3 * serials.LINE))
    told = run(listed)
    assert told.exit_code == 1
    assert len(told.stdout.splitlines()) == 1002
    assert "... and 501 unreadable lines more / 另有 501 行无法识别" in told.stdout
    assert "lines / 行数 1501" in told.stdout


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(0, 6)), max_size=60),
    st.integers(1, 7),
    st.integers(2, 3),
)
def test_a_list_that_is_sorted_in_many_runs_is_found_out_as_a_small_one(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]], size: int, fan: int
) -> None:
    listed = tmp_path_factory.mktemp("lists") / "list.txt"
    listed.write_text("".join(f"TPH-310000-cycling-202606-{b}-{f}-{f + more}\n" for b, f, more in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serials, "RUN", size)
        patch.setattr(serials, "FAN", fan)
        patch.setattr(serials, "KNOWN_BATCHES", 1)
        told = findings(run("--json", listed))
    times: dict[tuple[int, int], int] = {}
    for batch, first, more in rows:
        for number in range(first, first + more + 1):
            times[batch, number] = times.get((batch, number), 0) + 1
    twice = {(int(f["space"]), n) for f in told[:-1] for n in range(f["first"], f["last"] + 1)}
    assert twice == {key for key, count in times.items() if count > 1}
    assert [f["line"] for f in told[:-1]] == sorted(f["line"] for f in told[:-1])
    assert told[-1]["lines"] == told[-1]["ranges"]["tanpuhui"] == len(rows)


def test_memory_does_not_grow_with_the_list(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serials, "RUN", 500)
    monkeypatch.setattr(serials, "FAN", 4)  # every run that is open has its buffer

    def peak(lines: int) -> int:
        listed.write_text("".join(f"{OURS}-{n * 10 + 1}-{n * 10 + 11}\n" for n in range(lines)))
        tracemalloc.start()
        done = serials.Check(listed.parent)
        serials._read(done, [str(listed)], serials.Wanted("utf-8-sig", None, None))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert done.found["overlap"] == lines - 1
        return most

    peak(500)  # what is loaded once
    assert peak(20_000) < 2 * peak(2_000)
