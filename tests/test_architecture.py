"""The tree is the architecture: names, arrows and rooms as ARCHITECTURE.md draws them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
STORE = REPOSITORY / "backend" / "store"
TOP = {
    "backend", "rules", "rewards", "mobile_mock", "tests", "Procfile", "pyproject.toml", "run", ".ci", ".gitignore",
    "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "package.json", "package-lock.json",
    "requirements.lock", "requirements-dev.lock", "requirements-node.lock",
}  # fmt: skip


def test_the_top_level_holds_the_fixed_names_only() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert {line.split("/")[0] for line in listed.splitlines()} <= TOP


def test_the_arrows_point_one_way() -> None:
    script = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([script, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_named_statement_is_used_once_where_it_belongs() -> None:
    """sql/<topic>.sql belongs to store/<topic>.py, and nothing in it is dead."""
    for path in sorted((STORE / "sql").glob("*.sql")):
        names = re.findall(r"^-- name: (\w+)\s*$", path.read_text("utf-8"), re.MULTILINE)
        module = (STORE / f"{path.stem}.py").read_text("utf-8")
        assert sorted(names) == sorted(set(names)), path
        every = "SQL[name]" in module  # a module that runs all statements of its file
        unused = [name for name in names if not every and f'SQL["{name}"]' not in module]
        assert unused == [], path


def test_every_use_case_is_a_verb_and_a_noun_and_somebody_uses_it() -> None:
    usecases = {p.stem for p in (REPOSITORY / "backend" / "usecases").glob("*.py")} - {"__init__"}
    assert all("_" in name for name in usecases)
    everything = "".join(p.read_text("utf-8") for p in (REPOSITORY / "backend").rglob("*.py"))
    assert [name for name in sorted(usecases) if not re.search(rf"\b{name}\.\w", everything)] == []


def test_views_do_not_reach_around_the_use_cases() -> None:
    for path in (REPOSITORY / "backend" / "api").glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not any(m and m.startswith("backend.store") for m in imported), path
        assert not any(
            isinstance(n, ast.ImportFrom) and n.module == "backend" and any(a.name == "store" for a in n.names)
            for n in ast.walk(tree)
        ), path


def test_the_core_knows_no_flask_sql_redis_clock_randomness_or_environment() -> None:
    banned = {"flask", "psycopg", "redis", "rq", "random", "secrets", "os", "time", "requests", "urllib3"}
    for room in ("rules", "rewards"):
        for path in (REPOSITORY / room).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
            names |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
            assert not names & banned, (path, names & banned)
            calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
            assert not calls & {"datetime.now", "date.today", "datetime.utcnow"}, path


def test_the_hot_path_reads_top_to_bottom_in_one_function() -> None:
    tree = ast.parse((REPOSITORY / "backend" / "usecases" / "ingest_events.py").read_text("utf-8"))
    [ingest] = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "_ingest"]
    assert (ingest.end_lineno or 0) - ingest.lineno < 40
