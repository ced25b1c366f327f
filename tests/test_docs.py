"""What the documents say that a machine can check."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from backend import cli, config, metrics
from rules.model import CODES

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = sorted(
    p for p in REPOSITORY.rglob("*.md") if not {".venv", "build", ".tanpuhui", ".pytest_cache"} & set(p.parts)
)
TEXTS = {p: p.read_text("utf-8") for p in DOCUMENTS}


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_every_room_has_its_page() -> None:
    assert {f"{room}/README.md" for room in ("backend", "rules", "rewards", "mobile_mock", "tests")} <= set(
        map(name, DOCUMENTS)
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXTS[document])
    broken = [link for link in links if not re.match(r"\w+:", link) and not (document.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_files_that_are_named_exist(document: Path) -> None:
    """A path in backticks with a known ending is a file of the tree, from the root or beside the document."""
    named = re.findall(r"`([\w./-]+\.(?:py|sql|yaml|md|toml|lock|csv))`", TEXTS[document])
    missing = [n for n in named if "NNNN" not in n and "verb_noun" not in n and not any(
        [(REPOSITORY / n).exists(), (document.parent / n).exists(), *REPOSITORY.glob(f"*/**/{n}")])]  # fmt: skip
    assert missing == []


def test_commands_that_are_shown_exist() -> None:
    commands = {c for text in TEXTS.values() for c in re.findall(r"(?:\./run )?tanpuhui ((?:[a-z]+ ?){1,2})", text)}
    for command in commands:
        group: click.Command = cli.main
        for word in command.split():
            if not isinstance(group, click.Group):
                break
            found = group.get_command(click.Context(group), word)
            assert found or group is not cli.main or word in {"runs", "is"}, command
            if found is None:
                break
            group = found
    runs = {c for text in TEXTS.values() for c in re.findall(r"\./run (\w+)", text)}
    help_text = subprocess.run(["./run", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert [c for c in sorted(runs) if f"./run {c}" not in help_text] == []


def test_the_settings_table_names_every_setting_and_no_other() -> None:
    source = Path(config.__file__).read_text("utf-8")
    known = set(re.findall(r'"((?:TANPUHUI_|DATABASE_|REDIS_)[A-Z_]+|PORT)"', source))
    known |= set(re.findall(r"\$\{?([A-Z_]+)", (REPOSITORY / "Procfile").read_text("utf-8")))  # of the processes
    known |= set(re.findall(r'environ\.get\("([A-Z_]+)"\)', Path(metrics.__file__).read_text("utf-8")))
    table = TEXTS[REPOSITORY / "backend" / "README.md"]
    rows = re.findall(r"^\| (`[A-Z].*?) \|", table, re.MULTILINE)
    told = set(re.findall(r"`([A-Z][A-Z_]+)`", "".join(rows)))
    assert set(re.findall(r"TANPUHUI_[A-Z_]+|\bWEB_[A-Z]+", table)) <= told
    if "`_APPID`" in table:
        told |= {"TANPUHUI_IDENTITY_APPID", "TANPUHUI_IDENTITY_SECRET"}
    assert known - told == set()
    assert told - known == set()


def test_the_reference_page_shows_the_codes_in_the_order_in_which_they_are_checked() -> None:
    page = TEXTS[REPOSITORY / "rules" / "README.md"]
    shown = [c for c in re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) if c in CODES]
    assert shown == list(CODES)


def test_the_project_speaks_of_itself_alone() -> None:
    words = re.compile(
        "|".join(
            [r"\bAI " + "agent", "sub" + "agent", "Cl" + "aude", "Open" + "AI", "this " + "session", "work" + "place"]
        ),
        re.IGNORECASE,
    )
    assert [name(p) for p, text in TEXTS.items() if words.search(text)] == []
