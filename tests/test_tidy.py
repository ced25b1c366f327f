"""House rules that a machine can check. A rule that catches nothing any more is deleted, not relaxed."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from marshmallow import Schema, class_registry, fields

from backend import api

REPOSITORY = Path(__file__).parents[1]
LINES_A_FILE = 500
LINES_A_FUNCTION = 60
ROOMS = ("rules", "rewards", "backend", "mobile_mock")


def tracked(*patterns: str) -> list[Path]:
    """The files git knows, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return [REPOSITORY / line for line in listed.splitlines() if (REPOSITORY / line).is_file()]


PYTHON = list(tracked("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


def test_no_python_file_grows_a_second_room() -> None:
    long = {
        str(p.relative_to(REPOSITORY)): n
        for p in PYTHON
        if (n := len(p.read_text("utf-8").splitlines())) > LINES_A_FILE
    }
    assert long == {}


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(REPOSITORY)}:{f.lineno} {f.name}"
        for path in PYTHON
        for f in functions(path)
        if (f.end_lineno or 0) - f.lineno + 1 > LINES_A_FUNCTION
    ]
    assert long == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(p.relative_to(REPOSITORY))
        for p in PYTHON
        if p.read_text("utf-8").strip() and not ast.get_docstring(ast.parse(p.read_text("utf-8")))
    ]
    assert silent == []


def test_sql_stands_only_in_the_store() -> None:
    sql = re.compile(
        r"^\s*(select\s.+\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*\()", re.DOTALL
    )
    found = []
    for path in PYTHON:
        where = path.relative_to(REPOSITORY).as_posix()
        if where.startswith(ROOMS) and not where.startswith("backend/store/"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and sql.match(node.value):
                    found.append(f"{where}:{node.lineno}")
    assert found == []


def test_nothing_credited_touches_a_float() -> None:
    """In the standard and the books there is no float literal, no float() and no true division outside formulas."""
    found = []
    for path in PYTHON:
        where = path.relative_to(REPOSITORY).as_posix()
        # certificate_pdf draws on paper; places measures on the globe, and what leaves it is a region or a code.
        if not where.startswith(("rules/", "rewards/")) or where in ("rewards/certificate_pdf.py", "rules/places.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                found.append(f"{where}:{node.lineno} {node.value}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
                found.append(f"{where}:{node.lineno} float()")
    assert found == []


def numbers(schema: Schema) -> Iterator[tuple[str, fields.Field[object]]]:
    """The number fields of a schema and of what is nested in it."""
    for name, field in schema.fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from numbers(inner.schema)  # type: ignore[arg-type]
        elif isinstance(inner, fields.Integer | fields.Float | fields.Decimal):
            yield f"{type(schema).__name__}.{name}", inner


def test_the_numbers_of_every_body_are_whole_and_nothing_is_read_into_one() -> None:
    api.blueprints()
    texts = [p.read_text("utf-8") for p in (REPOSITORY / "backend" / "api").glob("*.py")]
    bodies = {name for text in texts for name in re.findall(r"blp\.arguments\((?:\w+\.)?(\w+)\)", text)}
    found = dict(n for body in bodies for n in numbers(class_registry.get_class(body)()))  # type: ignore[operator]
    assert {"QuoteRequestSchema.quantity_g", "FootprintSchema.quantity_g"} <= found.keys()
    assert [name for name, field in found.items() if not isinstance(field, api.Whole)] == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "HACK"])
def test_nothing_is_left_for_later_in_the_code(word: str) -> None:
    here = Path(__file__)
    found = [p.name for p in PYTHON if p != here and re.search(rf"#.*\b{word}\b", p.read_text("utf-8"))]
    assert found == []


def test_no_generated_or_third_party_file_is_committed() -> None:
    bad = re.compile(
        r"(\.log|\.pid|\.sqlite3?|\.rdb|\.aof|\.pyc|\.min\.(js|css)|\.(ttf|woff2?|otf))$|(^|/)(node_modules|dist)/"
    )
    assert [str(p) for p in tracked() if bad.search(p.relative_to(REPOSITORY).as_posix())] == []


def test_no_registry_is_named() -> None:
    hosts = re.compile(
        "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(org|com)", "npmmirror" + r"\.com"])
    )
    found = [
        str(p) for p in tracked() if p.suffix not in {".png"} and hosts.search(p.read_text("utf-8", errors="ignore"))
    ]
    assert found == []
