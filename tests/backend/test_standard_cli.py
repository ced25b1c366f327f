"""An expert without a programmer begins a pack, mends it, has it approved, and sees what a change would do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner, Result

from backend import cli
from rules import standard
from tests import cast
from tests.cast import Stage, recent


def run(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(cli.main, ["standard", *words], env=environ)


def begun(folder: Path) -> Path:
    names = ("--name-zh", "旧书交换", "--name-en", "Books swapped", "--category", "goods")
    made = run("new", "book_swap", "--folder", str(folder), *names)
    assert made.exit_code == 0, made.output
    return folder


def test_a_pack_that_was_just_begun_loads_and_its_example_holds(tmp_path: Path) -> None:
    folder = begun(tmp_path / "city")
    checked = run("check", str(folder))
    assert checked.exit_code == 0, checked.output
    assert "旧书交换 · Books swapped" in checked.output
    assert "still to be filled in: book_swap 1.0.0" in checked.output
    assert "no mistakes" in checked.output
    tested = run("test", str(folder))
    assert "book_swap" in tested.output
    assert tested.exit_code == 0
    names = ("--name-zh", "x", "--name-en", "x", "--category", "goods")
    assert run("new", "book_swap", "--folder", str(folder), *names).exit_code == 1  # never overwritten
    assert run("show", "book_swap", TANPUHUI_STANDARD=str(folder)).exit_code == 0


def test_a_mistake_is_told_by_file_and_line(tmp_path: Path) -> None:
    folder = begun(tmp_path / "city")
    path = folder / "factors" / "book_swap.yaml"
    path.write_text(path.read_text("utf-8").replace("value: 0.02", "value: two"), "utf-8")
    line = next(n for n, text in enumerate(path.read_text("utf-8").splitlines(), 1) if "value: two" in text)
    told = run("check", str(folder))
    assert told.exit_code == 1
    assert f"city/factors/book_swap.yaml:{line}: 'value' should be a decimal number such as 0.239" in told.output


def test_an_approval_is_recorded_where_the_city_keeps_its_packs_and_only_if_it_fits(tmp_path: Path) -> None:
    folder = begun(tmp_path / "city")
    place = ("--region", "310000", "--body", "某局's: bureau", "--document", "No. 7", "--from", "2026-01-01")
    words = ("--use", "demonstration", *place)
    done = run("approve", "book_swap@1.0.0", *words, TANPUHUI_STANDARD=str(folder))
    assert done.exit_code == 0, done.output
    listed = run("approvals", TANPUHUI_STANDARD=str(folder)).output
    assert "book_swap@1.0.0\t310000\tdemonstration\t2026-01-01\t\t某局's: bureau\tNo. 7" in listed
    for use in ("points", "pool"):  # it says of itself what is still to be filled in
        early = run("approve", "book_swap@1.0.0", "--use", use, *place, TANPUHUI_STANDARD=str(folder))
        assert early.exit_code == 1
        assert "cannot be approved: bounds, caps, factors, statements, status_reason" in early.output
    before = (folder / "approvals.yaml").read_text("utf-8")
    wrong = run("approve", "book_swap@9", *words, TANPUHUI_STANDARD=str(folder))
    assert wrong.exit_code == 1
    assert "no methodology 'book_swap 9'" in wrong.output
    assert (folder / "approvals.yaml").read_text("utf-8") == before


def test_the_working_list_is_covered_row_by_row() -> None:
    rows = json.loads(run("coverage", "--json").output)
    assert [row["n"] for row in rows] == list(range(1, 41))
    assert len({row["category"] for row in rows}) == 7
    for row in rows:
        assert row["packs"], row
        assert row["status"] != "none", row
        assert row["status"] != "draft" or row["missing"], row
    assert "40 behaviours" in run("coverage").output


def test_a_change_is_tried_on_the_deeds_that_are_stored_and_nothing_is_posted(
    stage: Stage, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    bikes = stage.partner("valleybike", ["lin"])
    first, *_ = bikes.verdicts(bikes.event("a", "lin", recent(8)), bikes.event("b", "lin", recent(12), region="420100"))
    proposed = tmp_path / "rules"
    shutil.copytree(standard.SHIPPED, proposed, ignore=shutil.ignore_patterns("__pycache__"))
    path = proposed / "factors" / "travel.yaml"
    path.write_text(path.read_text("utf-8").replace("value: 0.23\n", "value: 0.46\n", 1), "utf-8")
    transfers = stage.count("transfer")
    environ = cast.environment(database_url, redis_url)
    told = run("diff", "-", str(proposed), "--json", **environ)
    assert told.exit_code == 0, told.output
    rows = {row["region"][:6]: row for row in json.loads(told.output)}
    assert rows.keys() == {"310000", "420000"}
    assert rows["310000"]["a_mg"] == first["reduction_mg"]
    assert rows["310000"]["b_mg"] == 2310 * (239 * 46 - 720) // 100
    assert rows["310000"]["changed"] == rows["310000"]["deeds"] == 1
    assert "cycling.v1" in run("diff", "-", str(proposed), **environ).output
    assert run("diff", "-", "-", "--json", **environ).output.count('"change_mg": 0') == 2
    assert stage.count("transfer") == transfers


def test_a_folder_that_holds_no_standard_is_not_passed_over(tmp_path: Path) -> None:
    folder = begun(tmp_path / "city")
    empty = tmp_path / "empty"
    empty.mkdir()
    for wrong in (folder / "methodologies", empty):
        told = run("check", str(wrong))
        assert told.exit_code == 1
        assert "give the folder that holds methodologies/" in told.output


def test_a_misspelt_field_is_answered_with_the_likeliest_name_first(tmp_path: Path) -> None:
    folder = begun(tmp_path / "city")
    path = folder / "factors" / "book_swap.yaml"
    path.write_text(path.read_text("utf-8").replace("{value: 0.02,", "{reviewby: 2027-01-01, value: 0.02,"), "utf-8")
    assert "'reviewby' is not known here; known are: review_by" in run("check", str(folder)).output


def test_quotes_in_a_name_do_not_break_the_files(tmp_path: Path) -> None:
    names = ("--name-zh", '"旧"书', "--name-en", 'Old "books"', "--category", "goods")
    assert run("new", "old_books", "--folder", str(tmp_path / "city"), *names).exit_code == 0
    assert 'Old "books"' in run("check", str(tmp_path / "city")).output
